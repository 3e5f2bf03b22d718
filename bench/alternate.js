'use strict'

// node alternate.js ADDON PAIRS UNITS
//
// The workload with heapwatch on and off by turns in one process, in pairs of
// blocks of the same size, each second pair the other way round. What differs
// from process to process, such as where memory lies, is the same for both
// halves of a pair. Prints the main thread's CPU time of each block.

const heapwatch = require('..')
const { createWorkload } = require('./workload')

const bench = require(process.argv[2])
const pairs = Number(process.argv[3])
const units = Number(process.argv[4])

async function main () {
  const work = createWorkload()
  const cpu = { bare: [], heapwatch: [] }
  const block = async (name) => {
    const watch = name === 'heapwatch' ? heapwatch.watch() : undefined
    const before = bench.threadCpu()
    await work(units)
    cpu[name].push(bench.threadCpu() - before)
    watch?.stop()
  }
  await work(60_000)
  for (let pair = 0; pair < pairs; pair++) {
    const order = pair % 2 === 0 ? ['bare', 'heapwatch'] : ['heapwatch', 'bare']
    for (const name of order) await block(name)
  }
  console.log(JSON.stringify(cpu))
}

main()
