'use strict'

// node --trace-gc --expose-gc missed.js WATCHER DIRECTORY UNITS
//
// Does some work under one watcher and says how many collections that reported.
// V8 traces every collection as a line of its own; two that are asked for here,
// and so marked in the trace, enclose those that the watcher should have seen.

const fs = require('node:fs')
const { createWorkload } = require('./workload')
const { startWatcher } = require('./watchers')

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function main ([name, directory, units]) {
  const work = createWorkload()
  await work(500)
  global.gc()
  const watcher = startWatcher(name, directory)
  await work(Number(units))
  // What is delivered late is not missed.
  await sleep(500)
  const counts = await watcher.counts?.()
  global.gc()
  fs.writeSync(2, JSON.stringify(counts ?? {}))
  process.exit()
}

main(process.argv.slice(2))
