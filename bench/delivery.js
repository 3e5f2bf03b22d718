'use strict'

// node --expose-gc delivery.js ADDON ROUNDS
//
// What a collection costs the main thread with each way of watching, its
// delivery to JavaScript included: CPU time of the thread over blocks of small
// forced scavenges, by turns in one process, less that of a block that nothing
// watches in the same round. The event loop turns after each collection; in
// the one mode at once, in the other after some milliseconds, as in a server.
// Prints ns per collection, and how many collections were reported.

const { rotated } = require('./stats')
const { startWatcher } = require('./watchers')

const MODES = {
  dense: { gcs: 1000, turn: () => new Promise(setImmediate) },
  paced: { gcs: 100, turn: () => new Promise((resolve) => setTimeout(resolve, 4)) }
}
const NAMES = ['bare', 'minimal', 'heapwatch', 'heapwatch, gc listener', 'PerformanceObserver']
// Longer than what heapwatch and Node.js keep back before they deliver.
const LAST_DELIVERY_MS = 100
const MINOR = { type: 'minor' }

const bench = require(process.argv[2])
const rounds = Number(process.argv[3])

function start (name) {
  if (name !== 'minimal') return startWatcher(name)
  bench.minimalStart()
  return { stop: bench.minimalStop }
}

async function block (name, { gcs, turn }) {
  // What the block before has left is not this one's: swept, and off the heap.
  for (let i = 0; i < 2; i++) {
    global.gc()
    await new Promise((resolve) => setTimeout(resolve, LAST_DELIVERY_MS))
  }
  const watcher = start(name)
  await turn()
  const before = bench.threadCpu()
  for (let i = 0; i < gcs; i++) {
    global.gc(MINOR)
    await turn()
  }
  await new Promise((resolve) => setTimeout(resolve, LAST_DELIVERY_MS))
  const cpu = (bench.threadCpu() - before) / gcs
  const seen = watcher.counts?.().minor
  watcher.stop()
  return { cpu, seen, gcs }
}

async function measure (mode) {
  const result = Object.fromEntries(NAMES.map((name) => [name, { extra: [], seen: 0, gcs: 0 }]))
  for (const name of NAMES) await block(name, mode) // warms up
  for (let round = 0; round < rounds; round++) {
    const cpu = {}
    for (const name of rotated(NAMES, round)) {
      const one = await block(name, mode)
      cpu[name] = one.cpu
      result[name].seen += one.seen ?? 0
      result[name].gcs += one.gcs
    }
    for (const name of NAMES) result[name].extra.push(cpu[name] - cpu.bare)
  }
  return result
}

async function main () {
  const dense = await measure(MODES.dense)
  const paced = await measure(MODES.paced)
  console.log(JSON.stringify({ dense, paced }))
}

main()
