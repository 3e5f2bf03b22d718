'use strict'

// The recorder's files: where they are, how a watch comes to its own, and how
// to read one. What is in them is in docs/recorder.md.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const v8 = require('node:v8')
const { performance } = require('node:perf_hooks')
const { threadId } = require('node:worker_threads')
const { version } = require('../package.json')
const { invalidType } = require('./errors')
const { youngReserve } = require('./limits')
const { Recording: NativeRecording, clockOrigin, isRecording } = require('./native')
const { MAJOR, SAMPLE_LENGTH, readGc, readSample } = require('./records')

const SUFFIX = '.hwrec'
const OLD = '.old'
const DRAFT_NAME = /\.hwrec\.\d+\.new$/
const FILE_NAME = /^(\d+)-(\d+)-(\d+)\.hwrec$/

// A draft is a file on its way: it exists for some milliseconds, or for ever if
// its process died within those.
const DRAFT_AGE_MS = 60_000

// Dead recordings may take this share of their file system.
const SHARE = 1 / 4

const IDENTITY_ROOM = 16_000

/* -- Where ----------------------------------------------------------------- */

// Memory before disk: writing to a file on a disk can wait for that disk, and
// a collection would wait with it.
function directories () {
  if (process.env.HEAPWATCH_DIR) return [path.resolve(process.env.HEAPWATCH_DIR)]
  const parents = fs.existsSync('/tmp') ? ['/tmp'] : [os.tmpdir()]
  if (fs.existsSync('/dev/shm')) parents.unshift('/dev/shm')
  return parents.map((parent) => path.join(parent, `heapwatch-${process.geteuid?.() ?? os.userInfo().username}`))
}

function isWritable (directory) {
  try {
    fs.accessSync(directory, fs.constants.W_OK)
    return true
  } catch {
    return false
  }
}

/**
 * The directory in which this user's watches record: HEAPWATCH_DIR, or
 * heapwatch-<uid> in /dev/shm, or in /tmp where that cannot be written. It need
 * not exist.
 */
function recorderDirectory () {
  const all = directories()
  return all.find((directory) => isWritable(path.dirname(directory))) ?? all[0]
}

function list (directory) {
  try {
    return fs.readdirSync(directory)
  } catch {
    return []
  }
}

/**
 * The recordings of this user, newest first. `error` says why one cannot be
 * read; `alive` is whether its watch still runs.
 *
 * @returns {{ path: string, pid: number, threadId: number, startTime: number, alive: boolean, error?: Error }[]}
 */
function listRecordings () {
  const found = []
  for (const directory of directories()) {
    for (const name of list(directory)) {
      const match = FILE_NAME.exec(name)
      if (!match) continue
      const [pid, threadId, startTime] = match.slice(1).map(Number)
      const entry = { path: path.join(directory, name), pid, threadId, startTime, alive: false }
      try {
        entry.alive = isRecording(entry.path)
        new NativeRecording(entry.path, false).close()
      } catch (error) {
        // Pruned between the two.
        if (error.code === 'ERR_HEAPWATCH_RECORDING_NOT_FOUND') continue
        entry.error = error
      }
      found.push(entry)
    }
  }
  return found.sort((a, b) => b.startTime - a.startTime || b.threadId - a.threadId)
}

/* -- Pruning --------------------------------------------------------------- */

function remove (file) {
  try {
    fs.unlinkSync(file)
  } catch {
    // Another process was faster, or may not: neither is our business.
  }
}

// Bytes that dead recordings may take.
function allowance (directory) {
  try {
    const { blocks, bsize } = fs.statfsSync(directory)
    return blocks * bsize * SHARE
  } catch {
    return Infinity
  }
}

/** Removes recordings of the dead, the oldest first, until `keep` are left. */
function prune (directory, keep) {
  const dead = []
  for (const name of list(directory)) {
    const file = path.join(directory, name)
    try {
      const status = fs.lstatSync(file)
      if (DRAFT_NAME.test(name)) {
        if (Date.now() - status.mtimeMs > DRAFT_AGE_MS && !isRecording(file)) remove(file)
      } else if (FILE_NAME.test(name) && !isRecording(file)) {
        dead.push({ file, size: status.size, startTime: Number(FILE_NAME.exec(name)[3]) })
      }
    } catch {
      // What cannot even be opened stays.
    }
  }
  dead.sort((a, b) => b.startTime - a.startTime)
  let bytes = 0
  const allowed = allowance(directory)
  dead.forEach(({ file, size }, i) => {
    bytes += size
    if (i >= keep || bytes > allowed) remove(file)
  })
}

/* -- Writing --------------------------------------------------------------- */

function memoryLimit () {
  const limit = process.constrainedMemory?.() ?? 0
  return limit > 0 && limit < os.totalmem() ? limit : 0
}

function identity ({ interval }) {
  const heapLimit = v8.getHeapStatistics().heap_size_limit
  const who = {
    pid: process.pid,
    threadId,
    argv: process.argv,
    execArgv: process.execArgv,
    execPath: process.execPath,
    cwd: cwd(),
    title: process.title,
    nodeVersion: process.version,
    v8Version: process.versions.v8,
    abi: Number(process.versions.modules),
    heapwatchVersion: version,
    host: os.hostname(),
    startTime: Date.now(),
    processStartTime: Date.now() - process.uptime() * 1000,
    timeOrigin: performance.timeOrigin,
    clockOrigin: clockOrigin / 1e6,
    interval,
    heapLimit,
    oldSpaceLimit: heapLimit - youngReserve(),
    memoryLimit: memoryLimit()
  }
  // A command line may be of any length.
  while (Buffer.byteLength(JSON.stringify(who)) > IDENTITY_ROOM && who.argv.length > 0) {
    who.argv = who.argv.length > 1
      ? who.argv.slice(0, Math.ceil(who.argv.length / 2))
      : who.argv[0].length > 1000 ? [who.argv[0].slice(0, 1000)] : []
    who.argvTruncated = true
  }
  return JSON.stringify(who)
}

// The directory a process was started in can be gone.
function cwd () {
  try {
    return process.cwd()
  } catch {
    return null
  }
}

// With `recursive` alone, Node.js says ENOENT of a file system that is read-only.
function makeDirectory (directory) {
  try {
    fs.mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    if (error.code === 'ENOENT') fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
    else if (error.code !== 'EEXIST') throw error
  }
}

/** Names of files for this thread, until one is free. */
function recordInto (native, directory, options) {
  makeDirectory(directory)
  prune(directory, options.recorder.keep)
  const text = identity(options)
  let now = Date.now()
  for (let tries = 0; ; tries++, now++) {
    const name = `${process.pid}-${threadId}-${now}${SUFFIX}`
    try {
      native.record({ directory, name, private: true, size: options.recorder.size, identity: text })
      return path.join(directory, name)
    } catch (error) {
      if (error.code !== 'ERR_HEAPWATCH_RECORDING_EXISTS' || tries === 100) throw error
    }
  }
}

// What the last process left under a fixed path is what its end can be told
// from, so it is kept beside the new one.
function setAside (file) {
  if (!fs.existsSync(file)) return
  try {
    new NativeRecording(file, false).close()
    if (!isRecording(file)) fs.renameSync(file, file + OLD)
  } catch {
    // No recording: that the file exists is said when ours is to be made.
  }
}

function recordAs (native, file, options) {
  const resolved = path.resolve(file.replaceAll('%p', process.pid).replaceAll('%t', threadId))
  setAside(resolved)
  native.record({
    directory: path.dirname(resolved),
    name: path.basename(resolved),
    private: false,
    size: options.recorder.size,
    identity: identity(options)
  })
  return resolved
}

/**
 * Has a watch recorded. Says once, as a warning, why it cannot be.
 *
 * @param {object} native the watch in C
 * @param {object} options of the watch
 * @returns {string|null} the path of the file
 */
function startRecorder (native, options) {
  const { path: file, directory } = options.recorder
  const candidates = directory ? [path.resolve(directory)] : directories()
  try {
    if (file) return recordAs(native, file, options)
  } catch (error) {
    warn([error])
    return null
  }
  const errors = []
  for (const candidate of candidates) {
    try {
      return recordInto(native, candidate, options)
    } catch (error) {
      errors.push(error)
    }
  }
  warn(errors)
  return null
}

function warn (errors) {
  process.emitWarning(`nothing is recorded: ${errors.map((error) => error.message).join('; ')}`, {
    type: 'HeapwatchWarning',
    code: errors.at(-1).code
  })
}

/* -- Reading --------------------------------------------------------------- */

const GC_RECORD_LENGTH = 9
const MINUTE_LENGTH = 25

function readRange (n, i) {
  return { min: n[i], max: n[i + 1], mean: n[i + 2] }
}

// In the order of hw_recorder_minute_t.
function readMinute (n, i) {
  return {
    time: n[i],
    samples: n[i + 1],
    gcs: n[i + 2],
    gcTime: n[i + 3],
    maxPause: n[i + 4],
    heapLive: n[i + 5],
    heapLimit: n[i + 6],
    memoryLimit: n[i + 7],
    heapTotal: n[i + 8],
    allocationRate: n[i + 9],
    maxAllocationRate: n[i + 10],
    loopDelay: n[i + 11],
    maxLoopDelay: n[i + 12],
    heapUsed: readRange(n, i + 13),
    rss: readRange(n, i + 16),
    external: readRange(n, i + 19),
    arrayBuffers: readRange(n, i + 22)
  }
}

function readRecordedGc (numbers, i, origin) {
  const gc = readGc(numbers, i)
  gc.startTime -= origin
  gc.time = numbers[i + 8]
  return gc
}

function readAll (numbers, length, read) {
  const result = new Array(numbers.length / length)
  for (let i = 0; i < result.length; i++) result[i] = read(numbers, i * length)
  return result
}

function parse (text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A recorder's file, opened for reading; what it gives is as of each call. */
class Recording {
  #native
  #identity

  constructor (file, { writable = false } = {}) {
    this.path = file
    this.#native = new NativeRecording(file, writable)
    this.#identity = Object.freeze(parse(this.#native.identity() ?? '') ?? {})
  }

  /**
   * Reads the whole file on a thread of libuv's pool. After that, the methods
   * read what has come since and no more. Until then only close() may be called.
   *
   * @returns {Promise<this>}
   */
  async load () {
    await new Promise((resolve, reject) => {
      this.#native.load((error) => error ? reject(error) : resolve())
    })
    return this
  }

  /** Who is recorded; {} if that is damaged. */
  get identity () {
    return this.#identity
  }

  /** Whether the watch that records into it still runs. */
  get alive () {
    return this.#native.alive()
  }

  state () {
    const state = { exitCode: null, ...this.#native.state() }
    state.sample = this.#lastSample()
    return state
  }

  #lastSample () {
    const numbers = this.#native.samples(NaN)
    return numbers.length > 0 ? readSample(numbers, 0) : null
  }

  samples ({ since = -Infinity } = {}) {
    return readAll(this.#native.samples(since), SAMPLE_LENGTH, readSample)
  }

  minutes ({ since = -Infinity } = {}) {
    return readAll(this.#native.minutes(since), MINUTE_LENGTH, readMinute)
  }

  gcs ({ since = -Infinity } = {}) {
    const origin = this.#identity.clockOrigin ?? 0
    return readAll(this.#native.gcs(since), GC_RECORD_LENGTH, (numbers, i) => readRecordedGc(numbers, i, origin))
  }

  /** The highest of all minutes and samples, by field. */
  peaks () {
    return this.#native.peaks()
  }

  /**
   * The samples as numbers, SAMPLE_LENGTH of each; the major collections; and
   * those within `ms` of a time: for whoever needs no objects of all of them.
   */
  digest () {
    const origin = this.#identity.clockOrigin ?? 0
    const numbers = this.#native.gcs(-Infinity)
    const select = (is) => {
      const gcs = []
      for (let i = 0; i < numbers.length; i += GC_RECORD_LENGTH) if (is(i)) gcs.push(readRecordedGc(numbers, i, origin))
      return gcs
    }
    return {
      sampleNumbers: this.#native.samples(-Infinity),
      majors: select((i) => numbers[i] === MAJOR),
      gcsNear: (time, ms) => select((i) => Math.abs(numbers[i + 8] - time) < ms)
    }
  }

  pauses () {
    return this.#native.pauses()
  }

  notes ({ since = -Infinity } = {}) {
    const notes = []
    for (const { time, kind, text } of this.#native.notes()) {
      if (!(time > since)) continue
      const data = parse(text)
      if (data !== undefined) notes.push({ time, kind, data })
    }
    return notes.sort((a, b) => a.time - b.time)
  }

  /** Asks the watch for something; its number tells the answer apart. */
  request (text) {
    return this.#native.request(text, Date.now())
  }

  /** The newest answer: { number, time, ok, text }, or undefined. */
  answer () {
    return this.#native.answer()
  }

  close () {
    this.#native.close()
  }
}

/**
 * Opens a recorder's file.
 *
 * @param {string} file
 * @param {{ writable?: boolean }} [options] writable: to make requests
 * @returns {Recording}
 * @throws {Error} ERR_HEAPWATCH_RECORDING_*: the message names the file and
 *   what is wrong with it
 */
function openRecording (file, options) {
  return new Recording(file, options)
}

/**
 * Opens a recorder's file and reads it off the main thread.
 *
 * @param {string} file
 * @returns {Promise<Recording>}
 */
async function readRecording (file) {
  if (typeof file !== 'string') throw invalidType('path', file, 'a string')
  const recording = openRecording(file)
  try {
    return await recording.load()
  } catch (error) {
    recording.close()
    throw error
  }
}

module.exports = { listRecordings, openRecording, readRecording, recorderDirectory, startRecorder }
