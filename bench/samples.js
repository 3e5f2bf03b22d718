'use strict'

// node --expose-gc --min-semi-space-size=64 --max-semi-space-size=64 samples.js ADDON ROUNDS
//
// What the timer's samples cost, in CPU time of the thread and in bytes on the
// JS heap. First as an application has it: one watch, or a timer with the calls
// that it replaces, by turns in a process that does nothing else. Then without
// what being woken costs: blocks in which WATCHES watches sample every 10 ms, blocks in which
// a timer calls process.memoryUsage() as often, or that and
// v8.getHeapStatistics(), and blocks in which nothing happens, by turns in one
// process. And how many bytes a collection leaves on the JS heap. The young
// generation is large enough that no block ends in a collection of its own.

const v8 = require('node:v8')
const heapwatch = require('..')
const { rotated } = require('./stats')
const { startWatcher } = require('./watchers')

const WATCHES = 50
const INTERVAL_MS = 10
const BLOCK_MS = 500
const SHORT_BLOCK_MS = 200
const GCS = 10_000
const MINOR = { type: 'minor' }

const bench = require(process.argv[2])
const rounds = Number(process.argv[3])

// Who asks wants the answer: otherwise V8 optimises the object away.
let kept // eslint-disable-line no-unused-vars

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Calls `fn` as often, and in the same rhythm, as the watches sample. */
function onTimer (fn, times) {
  let calls = 0
  const timer = setInterval(() => {
    for (let i = 0; i < times; i++) fn()
    calls += times
  }, INTERVAL_MS)
  return { count: () => calls, stop: () => clearInterval(timer) }
}

function onWatches (count) {
  const watches = Array.from({ length: count }, () => heapwatch.watch({ interval: INTERVAL_MS, history: 100 }))
  return {
    count: () => watches.reduce((sum, watch) => sum + watch.stats().samples, 0),
    stop: () => watches.forEach((watch) => watch.stop())
  }
}

// Each with how many there are to be at a time.
const WAYS = {
  idle: () => ({ count: () => 0, stop () {} }),
  timer: (times) => onTimer(() => {}, times),
  memoryUsage: (times) => onTimer(() => { kept = process.memoryUsage() }, times),
  both: (times) => onTimer(() => { kept = [process.memoryUsage(), v8.getHeapStatistics()] }, times),
  heapwatch: onWatches
}

async function block (way, times, ms) {
  global.gc()
  const running = WAYS[way](times)
  await sleep(3 * INTERVAL_MS)
  const first = running.count()
  global.gc(MINOR)
  const cpu = bench.threadCpu()
  const heap = bench.usedHeap()
  await sleep(ms)
  const result = { heap: bench.usedHeap() - heap, cpu: bench.threadCpu() - cpu }
  result.count = running.count() - first
  running.stop()
  await sleep(INTERVAL_MS)
  return result
}

async function samples () {
  const result = Object.fromEntries(Object.keys(WAYS).map((way) => [way, { cpu: [], heap: [], count: 0 }]))
  for (const way of Object.keys(WAYS)) await block(way, WATCHES, BLOCK_MS) // warms up
  for (let round = 0; round < rounds; round++) {
    const of = {}
    for (const way of rotated(Object.keys(WAYS), round)) of[way] = await block(way, WATCHES, BLOCK_MS)
    for (const way of ['memoryUsage', 'both', 'heapwatch']) {
      // To be woken by a timer costs all of them the same.
      result[way].cpu.push((of[way].cpu - of.timer.cpu) / of[way].count)
      result[way].heap.push((of[way].heap - (way === 'heapwatch' ? of.idle : of.timer).heap) / of[way].count)
      result[way].count += of[way].count
    }
  }
  delete result.idle
  delete result.timer
  return result
}

// What being woken costs varies by times from block to block: so many of them.
async function alone () {
  const ways = ['memoryUsage', 'both', 'heapwatch']
  const result = Object.fromEntries(ways.map((way) => [way, []]))
  for (let round = 0; round < 12 * rounds; round++) {
    for (const way of rotated(ways, round)) {
      const { cpu, count } = await block(way, 1, SHORT_BLOCK_MS)
      result[way].push(cpu / count)
    }
  }
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
  console.log(JSON.stringify({ collections: await collections(), samples: await samples(), alone: await alone() }))
}

main()
