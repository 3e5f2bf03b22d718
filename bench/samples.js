'use strict'

// node --expose-gc --min-semi-space-size=64 --max-semi-space-size=64 samples.js ADDON ROUNDS
//
// What the timer's samples cost, in CPU time of the thread and in bytes on the
// JS heap: blocks in which WATCHES watches sample every 10 ms, blocks in which
// a timer calls process.memoryUsage() as often, or that and
// v8.getHeapStatistics(), and blocks in which nothing happens, by turns in one
// process. And how many bytes a collection leaves on the JS heap. The young
// generation is large enough that no block ends in a collection of its own.

const v8 = require('node:v8')
const heapwatch = require('..')
const { rotated } = require('./stats')
const { startWatcher } = require('./watchers')

const WATCHES = 200
const INTERVAL_MS = 10
const BLOCK_MS = 500
const GCS = 10_000
const MINOR = { type: 'minor' }

const bench = require(process.argv[2])
const rounds = Number(process.argv[3])

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Calls `fn` as often, and in the same rhythm, as the watches sample. */
function onTimer (fn) {
  let calls = 0
  const timer = setInterval(() => {
    for (let i = 0; i < WATCHES; i++) fn()
    calls += WATCHES
  }, INTERVAL_MS)
  return { count: () => calls, stop: () => clearInterval(timer) }
}

const WAYS = {
  idle: () => ({ count: () => 0, stop () {} }),
  timer: () => onTimer(() => {}),
  memoryUsage: () => onTimer(() => process.memoryUsage()),
  both: () => onTimer(() => { process.memoryUsage(); v8.getHeapStatistics() }),
  heapwatch () {
    const watches = Array.from({ length: WATCHES }, () =>
      heapwatch.watch({ interval: INTERVAL_MS, history: 100 }))
    return {
      count: () => watches.reduce((sum, watch) => sum + watch.stats().samples, 0),
      stop: () => watches.forEach((watch) => watch.stop())
    }
  }
}

async function block (way) {
  global.gc()
  const running = WAYS[way]()
  await sleep(3 * INTERVAL_MS)
  const first = running.count()
  global.gc(MINOR)
  const cpu = bench.threadCpu()
  const heap = bench.usedHeap()
  await sleep(BLOCK_MS)
  const result = { heap: bench.usedHeap() - heap, cpu: bench.threadCpu() - cpu }
  result.count = running.count() - first
  running.stop()
  await sleep(INTERVAL_MS)
  return result
}

async function samples () {
  const result = Object.fromEntries(Object.keys(WAYS).map((way) => [way, { cpu: [], heap: [], count: 0 }]))
  for (const way of Object.keys(WAYS)) await block(way) // warms up
  for (let round = 0; round < rounds; round++) {
    const of = {}
    for (const way of rotated(Object.keys(WAYS), round)) of[way] = await block(way)
    for (const way of ['memoryUsage', 'both', 'heapwatch']) {
      // What a JavaScript timer costs by itself is not the function's.
      const base = way === 'heapwatch' ? of.idle : of.timer
      result[way].cpu.push((of[way].cpu - base.cpu) / of[way].count)
      result[way].heap.push((of[way].heap - base.heap) / of[way].count)
      result[way].count += of[way].count
    }
  }
  delete result.idle
  delete result.timer
  return result
}

// Bytes on the JS heap over GCS collections and turns of the loop.
async function allocated (name, gcs) {
  global.gc()
  bench.meterOpen()
  const watcher = startWatcher(name)
  await sleep(10)
  bench.meterClose()
  for (let i = 0; i < gcs; i++) {
    global.gc(MINOR)
    if (i % 10 === 0) await new Promise(setImmediate)
  }
  const bytes = bench.meterStop()
  watcher.stop()
  return bytes
}

async function collections () {
  const names = ['bare', 'heapwatch', 'heapwatch, gc listener', 'PerformanceObserver']
  const bytes = {}
  for (const name of names) await allocated(name, GCS / 10) // warms up
  for (const name of names) bytes[name] = await allocated(name, GCS)
  return { gcs: GCS, bytes }
}

async function main () {
  console.log(JSON.stringify({ collections: await collections(), samples: await samples() }))
}

main()
