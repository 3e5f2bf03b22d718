'use strict'

// What soak:snapshots takes snapshots of: a server that allocates, as its
// parent says with the arguments SCENARIO COUNT DIRECTORY. Sends { port }, then
// of each snapshot { taken } or { failed }, waits for a message before the
// next, and at last { end } with what it knows of itself.

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads')
const { watch } = require('../..')

const MARKERS = 1234
// Live at most; little where there is little room.
const SESSIONS = process.argv[2] === 'limit' ? 500 : 20_000

class Marker {
  constructor (i) { this.i = i }
}

// Kept alive, and counted in every snapshot.
globalThis.markers = Array.from({ length: MARKERS }, (_, i) => new Marker(i))

const WORKER_LOAD = `
  require(${JSON.stringify(path.join(__dirname, '..', '..'))}).watch()
  let kept = []
  setInterval(() => {
    for (let i = 0; i < 5000; i++) kept.push({ i, text: 'text ' + i })
    if (kept.length > 100000) kept = []
  }, 5)`

async function take (watcher, file) {
  try {
    const { pause, duration, bytes } = await watcher.writeHeapSnapshot(file, { maxPause: 5000, nice: 0 })
    return { taken: { file, pause, duration, bytes, rss: process.memoryUsage.rss() } }
  } catch (error) {
    return { failed: { code: error.code, message: error.message } }
  }
}

function serve () {
  let sessions = []
  const server = http.createServer((request, response) => {
    for (let i = 0; i < 50; i++) sessions.push({ url: request.url, at: [i, String(i)] })
    if (sessions.length > SESSIONS) sessions = []
    response.end(JSON.stringify(sessions.slice(-10)))
  })
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
  return server
}

/** Fills old space to nine tenths of its limit, with records of about a kilobyte. */
function fill (limit) {
  const kept = []
  while (process.memoryUsage().heapUsed < 0.9 * limit) {
    for (let i = 0; i < 100; i++) {
      kept.push({ id: kept.length, text: `text ${kept.length}`, samples: new Array(100).fill(kept.length + 0.5) })
    }
  }
  globalThis.kept = kept
}

const children = () => fs.readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').filter(Boolean)

/** Open files and pipes; connections come and go. */
const descriptors = () => fs.readdirSync('/proc/self/fd').filter((fd) => {
  try {
    return !fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
  } catch {
    return false
  }
}).length

async function main ([scenario, count, directory]) {
  const watcher = watch({ recorder: path.join(directory, 'recording') })
  const server = serve()
  const workers = []
  if (scenario === 'workers') workers.push(...[0, 1].map(() => new Worker(WORKER_LOAD, { eval: true })))
  if (scenario === 'worker') workers.push(new Worker(__filename, { workerData: directory }))
  if (scenario === 'limit') fill(watcher.stats().oldSpaceLimit)
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('online', resolve))))

  const answer = (source) => new Promise((resolve) => source.once('message', resolve))
  const next = async (i) => {
    const file = path.join(directory, `${i}.heapsnapshot`)
    if (scenario !== 'worker') return take(watcher, file)
    const answered = answer(workers[0])
    workers[0].postMessage(file)
    return answered
  }
  await answer(process)
  const before = descriptors()
  for (let i = 0; i < Number(count); i++) {
    process.send(await next(i))
    await answer(process)
  }
  const end = { descriptors: descriptors() - before, children: children(), gcs: watcher.stats().gcs }
  process.send({ end })
  await answer(process) // no request is on its way any more
  await Promise.all(workers.map((worker) => worker.terminate()))
  watcher.stop()
  server.close()
  server.closeAllConnections()
  process.disconnect()
}

function work () {
  const watcher = watch()
  let kept = []
  setInterval(() => {
    for (let i = 0; i < 1000; i++) kept.push({ i, text: 'text ' + i })
    if (kept.length > 20_000) kept = []
  }, 5)
  parentPort.on('message', async (file) => parentPort.postMessage(await take(watcher, file)))
}

if (isMainThread) main(process.argv.slice(2))
else if (workerData) work()
