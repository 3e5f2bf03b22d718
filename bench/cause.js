'use strict'

// What it costs a process that its leak is looked into: three snapshots in forked
// children, and the comparison in another process.
//
//   node bench/cause.js [--megabytes N,N...] [--runs N]
//
// A server of that much heap, which leaks, answers requests of a client in
// another process, one after another, all the time. Prints the time that the
// process stood still for each snapshot; the latency of requests at the 99th
// percentile, and the longest, beside that of a quiet time as long; CPU time of
// all that was started; by how much less memory was available on the machine
// meanwhile, at most; and how long it took, the waits of 8 s between the
// snapshots included. Medians, the least and the most in brackets.

const fs = require('node:fs')
const os = require('node:os')
const { parseArgs } = require('node:util')
const { client, fillHeap, listen, message, spread, startServer } = require('./served')

const QUIET = 10_000
const TICKS = 100 // a second, of /proc/PID/stat

/** The watched process: fills its heap, serves and leaks, looks for the cause when told to. */
function serve (megabytes) {
  const { LeakCauses } = require('../lib/leak-causes')
  const { resolveOptions } = require('../lib/options')
  const { cause } = resolveOptions({ cause: { maxPause: 10_000, ignoreOomGroup: true, limit: 1000 } })
  const kept = fillHeap(megabytes)
  const leaked = []
  listen((request, response) => {
    for (let i = 0; i < 20; i++) leaked.push({ url: request.url, customer: kept.get(i) })
    response.end('ok')
  })
  process.on('message', () => {
    const start = performance.now()
    const rss = process.memoryUsage.rss()
    const before = childrenCpu()
    new LeakCauses(cause, ({ error, kind, description, pauses }) => process.send(error
      ? { failed: description }
      : { kind, description, pauses, rss, cpu: childrenCpu() - before, duration: performance.now() - start })
    ).find({ metric: 'heap', rate: 1e9 })
  })
}

/** CPU seconds of the children that have ended. */
function childrenCpu () {
  const fields = fs.readFileSync('/proc/self/stat', 'latin1').split(') ')[1].split(' ')
  return (Number(fields[13]) + Number(fields[14])) / TICKS
}

/** How far the machine's available memory falls until stopped, in bytes. */
function memoryUse () {
  const available = () => Number(/MemAvailable:\s+(\d+)/.exec(fs.readFileSync('/proc/meminfo', 'latin1'))[1]) * 1024
  const before = available()
  let least = before
  const timer = setInterval(() => { least = Math.min(least, available()) }, 50)
  return () => {
    clearInterval(timer)
    return before - least
  }
}

function summary ({ latencies, failed }) {
  const sorted = latencies.sort((a, b) => a - b)
  return { p99: sorted[Math.floor(sorted.length * 0.99)], longest: sorted.at(-1), failed }
}

async function measure (megabytes, runs) {
  const child = startServer(__filename, megabytes)
  try {
    const { port } = await message(child)
    const requests = client(port)
    const rows = { quiet: [], cause: [] }
    for (let run = 0; run < runs; run++) {
      requests.take()
      await new Promise((resolve) => setTimeout(resolve, QUIET))
      rows.quiet.push(summary(requests.take()))
      const used = memoryUse()
      child.send('go')
      const result = await message(child)
      if (result.failed) throw new Error(result.failed)
      rows.cause.push({ ...result, memory: used(), pause: Math.max(...result.pauses), ...summary(requests.take()) })
    }
    requests.stop()
    return rows
  } finally {
    child.kill('SIGKILL')
  }
}

function print (megabytes, { quiet, cause }) {
  const latency = (rows) => `requests p99 ${spread(rows, 'p99')} ms, longest ${spread(rows, 'longest')} ms, ` +
    `${rows.reduce((sum, { failed }) => sum + failed, 0)} failed`
  console.log(`\n${megabytes} MB of heap, ${spread(cause, 'rss', 1e6, 0)} MB resident
quiet  ${latency(quiet)}
cause  ${latency(cause)}
       longest pause of the three ${spread(cause, 'pause')} ms, CPU ${spread(cause, 'cpu')} s, memory ${spread(cause, 'memory', 1e6, 0)} MB, took ${spread(cause, 'duration', 1000)} s
       ${cause[0].kind}: ${cause[0].description}`)
}

async function main () {
  const { values } = parseArgs({
    options: {
      serve: { type: 'string' },
      megabytes: { type: 'string', default: '100,500' },
      runs: { type: 'string', default: '3' }
    }
  })
  if (values.serve) return serve(Number(values.serve))
  console.log(`Node.js ${process.version}, ${os.cpus()[0].model.trim()}, ${os.availableParallelism()} cores`)
  for (const megabytes of values.megabytes.split(',').map(Number)) print(megabytes, await measure(megabytes, Number(values.runs)))
}

main().catch((error) => {
  console.error(error.message)
  process.exitCode = 1
})
