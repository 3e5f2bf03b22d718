'use strict'

// The option cause: why a leak is held. Three copy-on-write snapshots, far enough
// apart, go to a process of low priority that compares them (cause-process.js).
// Two would do: the third tells what goes on growing from what grew but once,
// and a fourth is taken if it was something else that grew at first.
//
// The files have no names: each is opened and unlinked at once, so that nothing
// is left of it however this process ends, and nobody else can open it. They
// hold what the heap held.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const v8 = require('node:v8')
const { spawn } = require('node:child_process')
const { pipeline } = require('node:stream')
const { noCause } = require('./errors')
const { snapshotInto, snapshotName } = require('./heap-snapshot')

const SCRIPT = path.join(__dirname, 'cause-process.js')

// A file takes up to this many times the heap in use, and the analysis up to
// this many times the file.
const FILE_PER_HEAP = 2
const MEMORY_PER_FILE = 1.5

// Between the snapshots at least, however fast it leaks: what is in flight
// must have gone. And of leaking contexts so many more.
const LEAST_WAIT = 8000
const CONTEXTS = 10

// Somebody else takes a snapshot: it is waited for.
const BUSY_WAIT = 2000
const BUSY_TRIES = 150

const MOST_OUTPUT = 1 << 20

// What a note in the recorder has room for.
const NOTE_BYTES = 16_000

class LeakCauses {
  #options
  #emit
  #begun = 0
  #runs = new Map() // by metric: the Run going on

  /**
   * @param {object} options those of `cause`
   * @param {(cause: object) => void} emit is told of each cause, or of why it
   *   is not known
   */
  constructor (options, emit) {
    this.#options = options
    this.#emit = emit
  }

  /** Looks for the cause of a leak, unless it has been done often enough. Never throws. */
  async find (leak) {
    if (this.#begun >= this.#options.limit || this.#runs.has(leak.metric)) return
    this.#begun++
    const run = new Run()
    const { signal } = run
    this.#runs.set(leak.metric, run)
    let found
    try {
      found = await findCause(leak, this.#options, run)
    } catch (error) {
      if (signal.aborted && !signal.reason) return
      found = unknown(signal.reason ?? error)
    } finally {
      this.#runs.delete(leak.metric)
    }
    // Not from within a promise: what a listener throws is its own.
    setImmediate(() => this.#emit({ leak, ...found })).unref()
  }

  /** The leak is over: if there are two snapshots they must do, or it is given up. */
  over ({ metric }) {
    this.#runs.get(metric)?.over()
  }

  /** Gives up, without a word, what has been begun. */
  stop () {
    for (const run of this.#runs.values()) run.abort(null)
  }
}

/** One search for a cause, as seen from outside. */
class Run {
  #controller = new AbortController()
  #enough // ends the wait for another snapshot than the first two
  #over = false

  get signal () {
    return this.#controller.signal
  }

  abort (reason) {
    this.#controller.abort(reason)
  }

  over () {
    this.#over = true
    if (this.#enough) this.#enough.abort()
    else this.abort(noCause('ERR_HEAPWATCH_CAUSE_OVER', 'the leak was over before it had grown enough to tell'))
  }

  /** Waits, and resolves to whether the leak is still going on. */
  async waitForMore (ms) {
    if (this.#over) return false
    this.#enough = new AbortController()
    const stop = () => this.#enough.abort()
    this.signal.addEventListener('abort', stop, { once: true })
    try {
      await pause(ms, this.#enough.signal)
      return true
    } catch {
      this.signal.throwIfAborted()
      return false
    } finally {
      this.signal.removeEventListener('abort', stop)
    }
  }
}

function unknown (error) {
  return {
    kind: 'unknown',
    description: `why it leaks cannot be told: ${error.message}`,
    path: [],
    class: '',
    count: 0,
    retained: 0,
    error
  }
}

async function findCause (leak, options, run) {
  if (leak.metric === 'native') {
    throw noCause('ERR_HEAPWATCH_CAUSE_NATIVE', 'native memory is outside of what heap snapshots show')
  }
  refuseForeign()
  const { signal } = run
  const files = []
  try {
    const { wait, most } = plan(leak, options)
    files.push(await take(options, signal))
    await pause(wait, signal)
    files.push(await take(options, signal))
    if (most > 2 && await run.waitForMore(wait)) {
      const third = await takeMore(options, signal)
      if (third) files.push(third)
    }
    const pauses = files.map(({ pause }) => pause)
    const found = { ...await compare(files, options, signal), pauses }
    if (found.confirmed !== false || most === 3 || !await run.waitForMore(wait)) return found
    const fourth = await takeMore(options, signal)
    if (!fourth) return found
    files.push(fourth)
    const again = await compare(files, options, signal).catch((error) => {
      if (signal.aborted) throw error
      return found // which says at least what grew
    })
    return { ...again, pauses: [...pauses, fourth.pause] }
  } finally {
    for (const { fd } of files) fs.close(fd, () => {})
  }
}

// Other programs than node would be started again, not run our script.
function refuseForeign () {
  let sea = false
  try {
    sea = require('node:sea').isSea()
  } catch {} // Node.js before 20.12 has no such thing
  if (sea || process.versions.electron) {
    throw noCause('ERR_HEAPWATCH_CAUSE_UNSUPPORTED', `${process.execPath} is not the program node, which the analysis needs`)
  }
}

/**
 * How long to wait from one snapshot to the next, in ms: for as much to leak as
 * is enough, but where the end is near there is time for less, and for fewer.
 */
function plan ({ metric, rate, timeToLimit }, { confirm, minGrowth, maxWait }) {
  const enough = metric === 'contexts' ? CONTEXTS : minGrowth
  const left = timeToLimit ?? Infinity
  const wait = Math.max(LEAST_WAIT, Math.min(rate > 0 ? enough / rate * 1000 : maxWait, maxWait, left / 8))
  // Each takes its time to be written, and they must be compared: on a busy
  // machine that is several times as long.
  const most = !confirm || left < 8 * wait ? 2 : left < 10 * wait ? 3 : 4
  return { wait, most }
}

function pause (ms, signal) {
  return new Promise((resolve, reject) => {
    const give = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', give)
      resolve()
    }, ms).unref()
    if (signal.aborted) give()
    else signal.addEventListener('abort', give, { once: true })
  })
}

/** A snapshot in a file without a name: { fd, bytes, pause }. */
async function take (options, signal) {
  const { directory = os.tmpdir(), maxPause, nice, minFreeMemory, ignoreOomGroup } = options
  await checkDisk(directory, options.minFreeDisk)
  signal.throwIfAborted()
  const fd = await openUnnamed(directory)
  try {
    for (let tries = 1; ; tries++) {
      try {
        const { bytes, pause } = await snapshotInto(fd, { maxPause, nice, minFreeMemory, ignoreOomGroup })
        signal.throwIfAborted()
        if (options.keep) await keep(fd, options.keep)
        return { fd, bytes, pause }
      } catch (error) {
        if (error?.code !== 'ERR_HEAPWATCH_SNAPSHOT_BUSY' || tries === BUSY_TRIES) throw error
      }
      await pause(BUSY_WAIT, signal)
    }
  } catch (error) {
    fs.close(fd, () => {})
    throw error
  }
}

/** One more, or undefined if it cannot be taken: those that there are must do. */
function takeMore (options, signal) {
  return take(options, signal).catch((error) => {
    if (signal.aborted) throw error
  })
}

async function checkDisk (directory, least) {
  const { bavail, bsize } = await fs.promises.statfs(directory)
  const need = least + FILE_PER_HEAP * v8.getHeapStatistics().used_heap_size
  if (bavail * bsize < need) {
    throw noCause('ERR_HEAPWATCH_CAUSE_DISK',
      `${directory} has ${bavail * bsize} bytes free, and a snapshot is taken with ${need}`)
  }
}

// The analysis is the first that the kernel ends if this was too little.
function checkMemory (files, { minFreeMemory }) {
  const free = process.availableMemory?.() ?? os.freemem()
  const need = minFreeMemory + MEMORY_PER_FILE * Math.max(...files.map(({ bytes }) => bytes))
  if (free < need) {
    throw noCause('ERR_HEAPWATCH_CAUSE_MEMORY', `${free} bytes of memory are free, and the analysis may take ${need}`)
  }
}

async function openUnnamed (directory) {
  const name = path.join(await fs.promises.mkdtemp(path.join(directory, 'heapwatch-cause-')), 'snapshot')
  try {
    const { O_CREAT, O_EXCL, O_RDWR } = fs.constants
    return fs.openSync(name, O_CREAT | O_EXCL | O_RDWR, 0o600)
  } finally {
    fs.rmSync(path.dirname(name), { recursive: true, force: true })
  }
}

function keep (fd, directory) {
  const file = path.join(directory, snapshotName())
  return new Promise((resolve, reject) => {
    pipeline(
      fs.createReadStream('', { fd, start: 0, autoClose: false }),
      fs.createWriteStream(uniqueOf(file), { flags: 'wx', mode: 0o600 }),
      (error) => error ? reject(error) : resolve())
  })
}

// Two within a second would have the same name.
function uniqueOf (file) {
  for (let i = 2, name = file; ; i++) {
    if (!fs.existsSync(name)) return name
    name = file.replace(/\.heapsnapshot$/, `-${i}.heapsnapshot`)
  }
}

async function compare (files, options, signal) {
  checkMemory(files, options)
  return analyse(files, options, signal)
}

/** What a process of its own says of snapshots. */
function analyse (files, { nice, timeout }, signal) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [SCRIPT, String(nice), String(files.length)], {
      stdio: ['pipe', 'pipe', 'ignore', ...files.map(({ fd }) => fd)],
      // Nothing of ours may be preloaded there, and no other's hook either.
      env: { UV_THREADPOOL_SIZE: '1', ...forBinary(process.env) }
    })
    let text = ''
    let failed
    const give = (error) => {
      failed ??= error
      child.kill('SIGKILL')
    }
    const abort = () => give(signal.reason)
    const timer = setTimeout(() => give(noCause('ERR_HEAPWATCH_CAUSE_TIMEOUT',
      `comparing the snapshots took longer than ${timeout} ms`)), timeout).unref()
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    }
    child.unref()
    child.stdin?.on('error', () => {})
    child.stdin?.unref()
    child.stdout?.unref()
    child.stdout?.setEncoding('utf8').on('data', (data) => {
      text += data
      if (text.length > MOST_OUTPUT) give(noCause('ERR_HEAPWATCH_CAUSE_FAILED', 'the analysis said too much'))
    })
    child.on('error', (error) => {
      end()
      reject(noCause('ERR_HEAPWATCH_CAUSE_FAILED', `the analysis cannot be started: ${error.message}`, error))
    })
    child.on('close', (code, by) => {
      end()
      if (failed !== undefined || signal.aborted) return reject(failed ?? signal.reason)
      try {
        const { error, ...found } = JSON.parse(text)
        if (error === undefined) return resolve(found)
        reject(noCause('ERR_HEAPWATCH_CAUSE_FAILED', `the snapshots cannot be compared: ${error}`))
      } catch {
        reject(noCause('ERR_HEAPWATCH_CAUSE_FAILED', by ? `the analysis was ended by ${by}` : `the analysis ended with code ${code}`))
      }
    })
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
  })
}

// A binary that is named may be one for a sanitizer, which must come first.
function forBinary (env) {
  const names = env.HEAPWATCH_BINARY ? ['HEAPWATCH_BINARY', 'LD_PRELOAD', 'ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS'] : []
  return Object.fromEntries(names.filter((name) => env[name] !== undefined).map((name) => [name, env[name]]))
}

/**
 * Writes a cause into the recorder, with as much of the way as there is room
 * for. Never throws.
 */
function noteCause (native, { leak, error, ...cause }) {
  const note = { time: Date.now(), metric: leak.metric, ...cause, ...(error ? { code: error.code } : {}) }
  for (const half of [note, { ...note, path: note.path.slice(0, 8) }, { ...note, path: [], grown: [] }]) {
    const text = JSON.stringify(half)
    if (Buffer.byteLength(text) > NOTE_BYTES) continue
    try {
      native.noteCause(text)
    } catch {} // the event comes all the same
    return
  }
}

module.exports = { LeakCauses, noteCause }
