'use strict'

// node alternate.js ADDON QUARTETS UNITS
//
// The workload with heapwatch on and off by turns in one process, in blocks of
// the same size: off, on, on, off, and then the other way round. What differs
// from process to process, such as where memory lies, is the same for all of a
// quartet, and what drifts evenly cancels out. Prints the main thread's CPU time
// of the two blocks of each kind together.

const heapwatch = require('..')
const { createWorkload } = require('./workload')

const bench = require(process.argv[2])
const quartets = Number(process.argv[3])
const units = Number(process.argv[4])

const ORDERS = [['bare', 'heapwatch', 'heapwatch', 'bare'], ['heapwatch', 'bare', 'bare', 'heapwatch']]

async function main () {
  const work = createWorkload()
  const cpu = { bare: [], heapwatch: [] }
  const block = async (name) => {
    const watch = name === 'heapwatch' ? heapwatch.watch() : undefined
    const before = bench.threadCpu()
    await work(units)
    const used = bench.threadCpu() - before
    watch?.stop()
    return used
  }
  await work(60_000)
  for (let i = 0; i < quartets; i++) {
    const sums = { bare: 0, heapwatch: 0 }
    for (const name of ORDERS[i % 2]) sums[name] += await block(name)
    for (const name of Object.keys(sums)) cpu[name].push(sums[name])
  }
  console.log(JSON.stringify(cpu))
}

main()
