'use strict'

// What a heap snapshot costs the process it is of: taken in a forked child, and
// as v8.writeHeapSnapshot() does, of the same heap in the same process.
//
//   node bench/fork.js [--megabytes N,N...] [--runs N]
//
// A server of that much heap answers requests of a client in another process,
// one after another, all the time. Of each run's process first a fork takes a
// snapshot, then V8 as it stands, which leaves much memory resident. Prints
// the time that the process stood still, the requests' latency while the
// snapshot was taken (at the 99th percentile, and the longest), how long it
// took in all, and the resident memory before: medians, the least and the most
// in brackets.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { median } = require('./stats')
const { client, fillHeap, listen, message, spread, startServer } = require('./served')

const ROOT = path.join(__dirname, '..')

/** The watched process: fills its heap, serves, takes snapshots when told to. */
function serve (megabytes) {
  const { watch } = require(ROOT)
  const watcher = watch()
  const kept = fillHeap(megabytes)
  let session = []
  listen((request, response) => {
    for (let i = 0; i < 20; i++) session.push({ url: request.url, customer: kept.get(i) })
    if (session.length > 10_000) session = []
    response.end('ok')
  })
  process.on('message', async ({ blocking, file }) => {
    const rss = process.memoryUsage.rss()
    try {
      const { pause, duration, bytes } = await watcher.writeHeapSnapshot(file,
        { blocking, maxPause: 10_000, nice: 19 })
      process.send({ pause, duration, bytes, rss })
    } catch (error) {
      process.send({ failed: error.message })
    }
  })
}

function percentile (values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

/** One run in a process of its own: { quiet, fork, blocking }. */
async function measure (megabytes, directory) {
  const child = startServer(__filename, megabytes)
  let requests
  try {
    const { port } = await message(child)
    requests = client(port)
    const row = {}
    for (const way of ['quiet', 'fork', 'blocking']) {
      await new Promise((resolve) => setTimeout(resolve, 500))
      requests.take()
      let result = {}
      if (way === 'quiet') {
        await new Promise((resolve) => setTimeout(resolve, 2000))
      } else {
        child.send({ blocking: way === 'blocking', file: path.join(directory, 'a.heapsnapshot') })
        result = await message(child)
        if (result.failed) throw new Error(result.failed)
        // The request that has been waiting is the one that matters.
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      const { latencies, failed } = requests.take()
      row[way] = { ...result, p99: percentile(latencies, 0.99), longest: Math.max(...latencies), failed }
    }
    return row
  } finally {
    requests?.stop()
    child.kill('SIGKILL')
  }
}

function print (megabytes, runs) {
  const rows = Object.fromEntries(Object.keys(runs[0]).map((way) => [way, runs.map((run) => run[way])]))
  console.log(`\n${megabytes} MB of heap, ${spread(rows.fork, 'rss', 1e6, 0)} MB resident, file ${spread(rows.fork, 'bytes', 1e6, 0)} MB`)
  for (const way of ['quiet', 'fork', 'blocking']) {
    const taken = rows[way]
    const failed = taken.reduce((sum, row) => sum + row.failed, 0)
    console.log(`${way.padEnd(9)}` +
      (way === 'quiet' ? '' : ` pause ${spread(taken, 'pause')} ms  took ${spread(taken, 'duration', 1000)} s`) +
      `  requests p99 ${spread(taken, 'p99')} ms, longest ${spread(taken, 'longest')} ms, ${failed} failed`)
  }
  const per = rows.fork.map(({ pause, rss }) => pause / rss * 1e8)
  const times = median(rows.blocking.map(({ pause }) => pause)) / median(rows.fork.map(({ pause }) => pause))
  console.log(`the fork stands still ${times.toFixed(0)} times shorter, ${median(per).toFixed(1)} ms for 100 MB resident`)
}

async function main () {
  const { values } = parseArgs({
    options: {
      serve: { type: 'string' },
      megabytes: { type: 'string', default: '50,200,800' },
      runs: { type: 'string', default: '3' }
    }
  })
  if (values.serve) return serve(Number(values.serve))
  console.log(`Node.js ${process.version}, ${os.cpus()[0].model.trim()}, ${os.availableParallelism()} cores`)
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-bench-'))
  try {
    for (const megabytes of values.megabytes.split(',').map(Number)) {
      const runs = []
      for (let run = 0; run < Number(values.runs); run++) runs.push(await measure(megabytes, directory))
      print(megabytes, runs)
    }
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

main().catch((error) => {
  console.error(error.message)
  process.exitCode = 1
})
