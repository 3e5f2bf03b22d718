'use strict'

// node throughput.js WATCHER DIRECTORY UNITS
//
// Does a fixed amount of work under one watcher and prints how long it took:
// the wall, and the CPU time of all threads. The heap is filled up first.

const { performance } = require('node:perf_hooks')
const { createWorkload } = require('./workload')
const { startWatcher } = require('./watchers')

async function main ([name, directory, units]) {
  const work = createWorkload()
  const watcher = startWatcher(name, directory)
  await work(Number(units) / 2)
  const cpu = process.cpuUsage()
  const start = performance.now()
  await work(Number(units))
  const wall = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  console.log(JSON.stringify({ wall, cpu: (user + system) / 1000 }))
  watcher.stop()
  process.exit()
}

main(process.argv.slice(2))
