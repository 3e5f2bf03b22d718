'use strict'

// Taking heap snapshots: in a forked child, without a stop, or by V8's own
// blocking way if that is asked for. docs/snapshots.md says what each costs.

const fs = require('node:fs')
const path = require('node:path')
const v8 = require('node:v8')
const { performance } = require('node:perf_hooks')
const { threadId } = require('node:worker_threads')
const { flag, integer, number } = require('./checks')
const { fileFailed, invalidType } = require('./errors')
const { takeSnapshot, cancelSnapshot } = require('./native')
const { resolve } = require('./options')

const DAY = 86_400_000

const OPTIONS = {
  blocking: { default: false, check: flag },
  maxPause: { default: 200, check: number(0, DAY) },
  timeout: { default: 600_000, check: integer(1000, DAY) },
  nice: { default: 19, check: integer(0, 19) },
  minFreeMemory: { default: 0, check: integer(0, Number.MAX_SAFE_INTEGER) },
  ignoreOomGroup: { default: false, check: flag }
}

// Not in the app's way: no listener of ours is there but while one is taken.
// At an exit nobody runs the environment's cleanup in time: a parked thread
// would hold the exit up, and the file would stay.
function untilExit (start) {
  const { promise, resolve, reject } = withResolvers()
  process.once('exit', cancelSnapshot)
  const done = (error, ...result) => {
    process.removeListener('exit', cancelSnapshot)
    if (error) reject(error)
    else resolve(result)
  }
  try {
    start(done)
  } catch (error) {
    done(error)
  }
  return promise
}

function withResolvers () {
  const settle = {}
  settle.promise = new Promise((resolve, reject) => Object.assign(settle, { resolve, reject }))
  return settle
}

function takeBlocking (file) {
  const draft = `${file}.heapwatch-${process.pid}-blocking.tmp`
  const start = performance.now()
  try {
    v8.writeHeapSnapshot(draft)
    const pause = performance.now() - start
    const { size } = fs.statSync(draft)
    fs.renameSync(draft, file)
    return [size, pause]
  } catch (error) {
    fs.rmSync(draft, { force: true })
    throw fileFailed('ERR_HEAPWATCH_SNAPSHOT_FILE', file, error)
  }
}

/** The name of a snapshot that nobody has named: of process, thread and time. */
function snapshotName (pid = process.pid, thread = threadId) {
  const time = new Date().toISOString().replace(/\D/g, '').slice(0, 14)
  return `heapwatch-${pid}.${thread}-${time}.heapsnapshot`
}

function checkPath (file) {
  if (typeof file !== 'string' || file === '' || file.includes('\0')) {
    throw invalidType('path', file, 'the path of a file to make')
  }
  return path.resolve(file)
}

/**
 * Takes a heap snapshot of this isolate.
 *
 * @param {string} file
 * @param {object} [options] as in index.d.ts
 * @param {{ keepAlive?: boolean }} [how] whether the process stays for it
 * @returns {Promise<{ path: string, bytes: number, pause: number, duration: number }>}
 */
async function writeHeapSnapshot (file, options = {}, { keepAlive = true } = {}) {
  const target = checkPath(file)
  if (typeof options !== 'object' || options === null) throw invalidType('options', options, 'an object')
  const { blocking, maxPause, timeout, nice, minFreeMemory, ignoreOomGroup } = resolve(OPTIONS, options, '')
  const start = performance.now()
  const settings = { path: target, maxPause, timeout, reserve: minFreeMemory, nice, ignoreOomGroup, keepAlive }
  const [bytes, pause] = blocking
    ? takeBlocking(target)
    : await untilExit((done) => takeSnapshot(settings, done))
  return { path: target, bytes, pause, duration: performance.now() - start }
}

/**
 * Takes one into a file of the caller's, in a forked child, as above.
 *
 * @param {number} fd of a file that may be written; it may have no name
 * @returns {Promise<{ bytes: number, pause: number }>}
 */
async function snapshotInto (fd, options = {}) {
  const { maxPause, timeout, nice, minFreeMemory, ignoreOomGroup } = resolve(OPTIONS, options, '')
  const settings = { fd, maxPause, timeout, reserve: minFreeMemory, nice, ignoreOomGroup, keepAlive: false }
  const [bytes, pause] = await untilExit((done) => takeSnapshot(settings, done))
  return { bytes, pause }
}

module.exports = { snapshotInto, snapshotName, writeHeapSnapshot }
