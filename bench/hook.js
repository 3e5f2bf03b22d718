'use strict'

// node --expose-gc hook.js ADDON ROUNDS
//
// What a GC hook takes, between a stopwatch in front of it and one behind it
// (native/bench.cc), in blocks by turns in one process: no hook at all, which
// is what the stopwatch itself takes; the minimal hook, two clock reads and two
// heap statistics; heapwatch's. Once in small forced scavenges, where caches
// stay warm, and once in the collections of the workload, where they do not.
// Prints the medians of each block, in ns.

const heapwatch = require('..')
const { median, rotated } = require('./stats')
const { createWorkload } = require('./workload')

const FORCED_GCS = 1000
const UNITS = 3000
const MINOR = { type: 'minor' }

const bench = require(process.argv[2])
const rounds = Number(process.argv[3])
const times = new Float64Array(65536)

const HOOKS = {
  none: () => () => {},
  minimal () {
    bench.minimalStart()
    return bench.minimalStop
  },
  heapwatch () {
    const watch = heapwatch.watch()
    return () => watch.stop()
  },
  listener () {
    const watch = heapwatch.watch()
    watch.on('gc', () => {})
    return () => watch.stop()
  },
  recorder () {
    const watch = heapwatch.watch({ recorder: { keep: 0 } })
    return () => watch.stop()
  }
}

async function block (name, collect) {
  bench.stopwatchOpen()
  const stop = HOOKS[name]()
  bench.stopwatchClose()
  await collect()
  const count = bench.stopwatchStop(times)
  stop()
  return { median: median(times.subarray(0, count)), count }
}

async function measure (collect, rounds) {
  const result = Object.fromEntries(Object.keys(HOOKS).map((name) => [name, []]))
  let count = 0
  for (const name of Object.keys(HOOKS)) await block(name, collect) // warms up
  for (let round = 0; round < rounds; round++) {
    for (const name of rotated(Object.keys(HOOKS), round)) {
      const one = await block(name, collect)
      result[name].push(one.median)
      count += one.count
    }
  }
  return { ...result, count }
}

async function main () {
  const forced = await measure(async () => {
    for (let i = 0; i < FORCED_GCS; i++) global.gc(MINOR)
  }, rounds)
  const work = createWorkload()
  await work(60_000)
  // Some twenty collections a block, of which no two are alike.
  const working = await measure(() => work(UNITS), 8 * rounds)
  console.log(JSON.stringify({ forced, working }))
}

main()
