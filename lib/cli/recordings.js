'use strict'

// What the commands that read recordings have in common: finding one by what
// was typed, following one as it grows, and the exit code of each thing that
// can be wrong with it.

const { listRecordings, openRecording } = require('../recorder')
const { readFacts } = require('../report/figures')

const NOT_FOUND = 4
const NO_RECORDING = 5
const OTHER_VERSION = 6
const NOT_PERMITTED = 7

/** For the --help of each of these commands. */
const EXIT_CODES = `Exit codes: 0 done, 1 failed, 2 wrong options, 4 no such process or file,
5 the file is no whole recording, 6 it is one of another version, 7 it may not
be read.
`

const CODES = {
  ERR_HEAPWATCH_RECORDING_NOT_FOUND: NOT_FOUND,
  ERR_HEAPWATCH_RECORDING_VERSION: OTHER_VERSION,
  ERR_HEAPWATCH_RECORDING_DENIED: NOT_PERMITTED
}

/** An error with the exit code that main.js ends with. */
function failure (message, exitCode) {
  return Object.assign(new Error(message), { exitCode })
}

function exitCodeOf ({ code = '' }) {
  return CODES[code] ?? (code.startsWith('ERR_HEAPWATCH_RECORDING_') ? NO_RECORDING : 1)
}

/**
 * The path of the recording that is meant: of a process by its id, of its
 * thread as PID.THREAD, the living one and then the newest; or a file.
 */
function find (given) {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(given)
  if (!match) return given
  const pid = Number(match[1])
  const threadId = Number(match[2] ?? 0)
  const found = listRecordings().filter((each) => each.pid === pid && each.threadId === threadId)
  const best = found.find(({ alive }) => alive) ?? found[0]
  if (!best) {
    const which = match[2] ? `thread ${threadId} of process ${pid}` : `process ${pid}`
    throw failure(`there is no recording of ${which}; heapwatch ps lists those there are`, NOT_FOUND)
  }
  return best.path
}

/** Opens a recording; what is wrong with it becomes the exit code. */
function open (path) {
  try {
    return openRecording(path)
  } catch (error) {
    throw failure(error.message, exitCodeOf(error))
  }
}

/** All that is in the recording that is meant; how much of it, readFacts() says. */
async function load (given, options) {
  const path = find(given)
  const recording = open(path)
  try {
    return await readFacts(recording, path, options)
  } catch (error) {
    throw failure(error.message, exitCodeOf(error))
  } finally {
    recording.close()
  }
}

// What a follower keeps, as much as a recording does.
const SAMPLES = 3600
const GCS = 8192
const NOTES = 256
const MINUTES_EVERY = 30_000

/**
 * A recording as it grows: each poll() reads what is new. Nothing is asked of
 * the process that writes it.
 */
class Follower {
  #recording
  #minutes = { read: -Infinity }

  /** One whose recording has been read off the main thread. */
  static async open (path) {
    const recording = open(path)
    try {
      return new Follower(path, await recording.load())
    } catch (error) {
      recording.close()
      throw error
    }
  }

  constructor (path, recording = open(path)) {
    this.path = path
    this.#recording = recording
    this.identity = this.#recording.identity
    Object.assign(this, { samples: [], gcs: [], notes: [], fresh: { samples: [], gcs: [], notes: [] } })
    this.poll()
  }

  /** Reads on; what has come is in `fresh`. */
  poll () {
    this.alive = this.#recording.alive
    const add = (name, most) => {
      const kept = this[name]
      const fresh = this.#recording[name]({ since: kept.at(-1)?.time ?? 0 })
      kept.push(...fresh)
      if (kept.length > most) kept.splice(0, kept.length - most)
      this.fresh[name] = fresh
    }
    add('samples', SAMPLES)
    add('gcs', GCS)
    add('notes', NOTES)
    this.state = this.#recording.state()
    this.pauses = this.#recording.pauses()
    return this
  }

  /** As readFacts() gives them. */
  facts () {
    const { path, identity, alive, state, samples, gcs, pauses, notes } = this
    // A week of them, of which one changes.
    if (Date.now() - this.#minutes.read > MINUTES_EVERY) {
      this.#minutes = { read: Date.now(), list: this.#recording.minutes(), peaks: this.#recording.peaks() }
    }
    const { list: minutes, peaks } = this.#minutes
    return { path, identity, alive, state, samples, minutes, peaks, gcs, pauses, notes }
  }

  /** Whether it will grow no more. */
  get ended () {
    return !this.alive || this.state.state === 'stopped'
  }

  close () {
    this.#recording.close()
  }
}

/** "node server.js" of an identity. */
function commandOf ({ argv = [], title }) {
  const [program, script, ...rest] = argv
  if (!program) return title ?? ''
  const base = (path) => path.split(/[\\/]/).at(-1)
  return [base(program), ...(script ? [base(script)] : []), ...rest].join(' ')
}

module.exports = { EXIT_CODES, Follower, commandOf, exitCodeOf, failure, find, load, open }
