'use strict'

const { EventEmitter } = require('node:events')
const { performance } = require('node:perf_hooks')
const { Watch, transfer } = require('./native')
const channels = require('./channels')
const { resolveOptions } = require('./options')
const { youngReserve } = require('./limits')
const { invalidType, stopped } = require('./errors')
const { integer } = require('./checks')
const { writeHeapProfile } = require('./heap-profile')
const { nativeOptions, parseSites } = require('./sites')
const { GC_LENGTH, SAMPLE_LENGTH, readGc, readSample } = require('./records')
const { writeHeapSnapshot } = require('./heap-snapshot')
const { LeakSnapshots } = require('./leak-snapshots')
const { LeakCauses, noteCause } = require('./leak-causes')
const { startRecorder } = require('./recorder')
const { answerRequest } = require('./requests')
const { TraceWriter } = require('./trace')

// Bits that tell the native side what somebody listens to.
const LISTEN = { sample: 1, gc: 2, pressure: 4, leak: 8, leakend: 8 }
const LISTEN_SHORT_GC = 16

// Sites in a leak event, and in watch.sites() unless more are asked for.
const LEAK_SITES = 5
const SITES = 10
const MAX_SITES = 32

const PRESSURE_REASONS = ['heap-limit', 'memory-limit', 'gc-load']

function readPressure (n) {
  const event = {
    reason: PRESSURE_REASONS[n[0]],
    time: performance.timeOrigin + n[1],
    ratio: n[2],
    threshold: n[3]
  }
  if (n[5] > 0) {
    event.used = n[4]
    event.limit = n[5]
  }
  return event
}

// Of each running watch what delivers its waiting events. A watch stays alive
// while it runs, so this keeps nothing that would otherwise go; it is how the
// last events before an exit get out.
const flushes = new Set()

function flushAll (code) {
  const errors = []
  for (const flush of flushes) flush(code, errors)
  if (errors.length > 0) throw errors[0]
}

/**
 * Watches the heap of the isolate it is created in (the main thread's, or a
 * Worker's) from construction until `stop()`. Never keeps a process alive.
 *
 * Emits `sample`, `gc`, `leak`, `leakend`, `cause` and `pressure`; index.d.ts describes the events, the
 * options and every method with units and ranges.
 */
class HeapWatch extends EventEmitter {
  #native
  #listening = 0
  #stopped = false
  #trace
  #leakSnapshots // option snapshotOnLeak
  #leakCauses // option cause
  #recorder = null // the path of the recorder's file
  #leaks // those established when the watch was stopped
  // Events fetched and not emitted yet: names and events in turn, from #next.
  #events = []
  #next = 0
  // At an exit there is no later: a listener that throws must not keep the
  // other events from theirs. Each turn takes at least one off the list.
  #flush = (code, errors) => {
    try {
      // Before any listener can throw: an exit is no crash.
      if (this.#recorder) this.#native.exiting(Number(code) || 0)
      if (this.#listening) this.#take()
    } catch {} // whatever is wrong with us is no reason to end otherwise
    do {
      try {
        this.#emitAll()
      } catch (error) {
        errors.push(error)
      }
    } while (this.#next < this.#events.length)
  }

  constructor (options) {
    super()
    this.options = resolveOptions(options)
    const { interval, gcThreshold, history, pressure, leak, sites } = this.options
    this.#native = new Watch({
      interval,
      gcThreshold,
      history,
      youngReserve: youngReserve(),
      heapLimit: pressure.heapLimit || 0,
      memoryLimit: pressure.memoryLimit || 0,
      gcLoad: pressure.gcLoad || 0,
      gcLoadWindow: pressure.gcLoadWindow ?? 10_000,
      release: pressure.release ?? 1,
      leak,
      ...nativeOptions(sites)
    }, (sampled, number, request) => this.#deliver(sampled, number, request))
    if (this.options.recorder) this.#recorder = startRecorder(this.#native, this.options)
    const { snapshotOnLeak, cause } = this.options
    if (snapshotOnLeak) {
      this.#leakSnapshots = new LeakSnapshots(snapshotOnLeak, (result) => {
        if (!this.#stopped) this.emit('snapshot', result)
      })
      this.#listen()
    }
    if (cause) this.#leakCauses = new LeakCauses(cause, (found) => this.#tellCause(found))
    if (flushes.size === 0) process.on('exit', flushAll)
    flushes.add(this.#flush)
    channels.listeners.add(this.#listen)
    this.#listen()
  }

  // What nobody listens to is not even sent here. Own methods rather than the
  // events newListener and removeListener, which belong to the user.
  addListener (name, listener) {
    super.addListener(name, listener)
    this.#listen()
    return this
  }

  on (name, listener) {
    return this.addListener(name, listener)
  }

  prependListener (name, listener) {
    super.prependListener(name, listener)
    this.#listen()
    return this
  }

  removeListener (name, listener) {
    super.removeListener(name, listener)
    this.#listen()
    return this
  }

  off (name, listener) {
    return this.removeListener(name, listener)
  }

  removeAllListeners (...names) {
    super.removeAllListeners(...names)
    this.#listen()
    return this
  }

  #listen = () => {
    let bits = 0
    for (const name of Object.keys(LISTEN)) {
      if (this.listenerCount(name) > 0 || channels.hasSubscribers(name)) bits |= LISTEN[name]
    }
    if (this.#leakSnapshots || this.#leakCauses) bits |= LISTEN.leak
    // A trace has every GC, whatever the option gcThreshold keeps from others.
    if (this.#trace) bits |= LISTEN.sample | LISTEN.gc | LISTEN_SHORT_GC
    if (bits === this.#listening || this.#stopped) return
    this.#listening = bits
    this.#native.listen(bits)
  }

  // All events there are, fetched before the first is emitted: a listener may
  // call methods that use the transfer array, or stop the watch.
  #take () {
    const native = this.#native
    const events = this.#events
    for (let leak = native.takeLeak(); leak; leak = native.takeLeak()) {
      const { over, ...event } = leak
      if (over) {
        this.#leakCauses?.over(event)
        events.push('leakend', event)
        continue
      }
      const whole = this.#withSites(event)
      events.push('leak', whole)
      this.#leakSnapshots?.take(whole)
      this.#leakCauses?.find(whole)
    }
    while (native.takePressure()) events.push('pressure', readPressure(transfer))
    for (let count = native.takeGcs(); count > 0; count = native.takeGcs()) {
      for (let i = 0; i < count; i++) this.#takeGc(readGc(transfer, i * GC_LENGTH))
    }
  }

  #follow (trace) {
    this.#trace = trace
    this.#listen()
  }

  #takeGc (gc) {
    this.#trace?.gc(gc)
    if (gc.duration >= this.options.gcThreshold) this.#events.push('gc', gc)
  }

  #withSites (leak) {
    const { sites, state, unattributed = null } = parseSites(this.#native.sites(LEAK_SITES, false))
    return { ...leak, sites, sitesState: state, unattributed }
  }

  #deliver (sampled, number, request) {
    if (number !== undefined) answerRequest(this, this.#native, number, request)
    const sample = sampled ? readSample(transfer, 0) : null
    if (sample) this.#events.push('sample', sample)
    if (this.#listening) this.#take()
    if (sample) this.#trace?.sample(sample)
    this.#emitAll()
  }

  // A listener that throws does what it does with any emitter, and what was to
  // come after it comes all the same. A listener that stops the watch or ends
  // the process gets here again, from within: what it leaves is emitted then,
  // so that nothing comes after stop() and nothing is lost at an exit.
  #emitAll () {
    const events = this.#events
    try {
      while (this.#next < events.length) {
        const i = this.#next
        this.#next += 2
        channels.publish(events[i], events[i + 1], this)
        this.emit(events[i], events[i + 1])
      }
      this.#next = events.length = 0
    } finally {
      if (this.#next < events.length) process.nextTick(() => this.#emitAll())
    }
  }

  #tellCause (found) {
    if (this.#stopped) return
    if (this.#recorder) noteCause(this.#native, found)
    this.#events.push('cause', found)
    this.#emitAll()
  }

  /** Ends the watch after delivering what is waiting. May be called again. */
  stop () {
    if (this.#stopped) return
    if (this.#listening) this.#take()
    this.#leaks = this.leaks()
    this.#stopped = true
    this.#leakCauses?.stop()
    this.#native.stop()
    flushes.delete(this.#flush)
    channels.listeners.delete(this.#listen)
    if (flushes.size === 0) process.removeListener('exit', flushAll)
    this.#emitAll()
    this.#trace?.close()
  }

  /** The path of the file that the watch records into, or null. */
  get recorder () {
    return this.#recorder
  }

  /** Whether the watch has been stopped. */
  get stopped () {
    return this.#stopped
  }

  sample () {
    if (this.#stopped) throw stopped('sample')
    this.#native.sample()
    return readSample(transfer, 0)
  }

  history () {
    const count = this.#native.history(new Float64Array(0))
    const numbers = new Float64Array(count * SAMPLE_LENGTH)
    this.#native.history(numbers)
    return Array.from({ length: count }, (_, i) => readSample(numbers, i * SAMPLE_LENGTH))
  }

  leaks () {
    if (this.#stopped) return this.#leaks
    return this.#native.leaks().map(({ over, ...leak }) => leak)
  }

  sites ({ timeline = false, limit = SITES } = {}) {
    if (this.#stopped) throw stopped('sites')
    if (typeof timeline !== 'boolean') throw invalidType('timeline', timeline, 'true or false')
    return parseSites(this.#native.sites(integer(1, MAX_SITES)('limit', limit), timeline))
  }

  writeHeapProfile (path) {
    if (this.#stopped) throw stopped('writeHeapProfile')
    writeHeapProfile(this.#native.heapProfile(), this.sites({ limit: 1 }), path)
  }

  writeTrace (path) {
    if (this.#stopped) throw stopped('writeTrace')
    if (typeof path !== 'string' || path === '') throw invalidType('path', path, 'the path of a file to make')
    const trace = new TraceWriter(this, path, () => this.#follow(undefined))
    this.#trace?.close()
    this.#follow(trace)
  }

  async writeHeapSnapshot (path, options) {
    if (this.#stopped) throw stopped('writeHeapSnapshot')
    return writeHeapSnapshot(path, options)
  }

  pauses () {
    return this.#native.pauses()
  }

  spaces () {
    if (this.#stopped) throw stopped('spaces')
    return this.#native.spaces()
  }

  stats () {
    return this.#native.stats()
  }
}

if (Symbol.dispose) HeapWatch.prototype[Symbol.dispose] = HeapWatch.prototype.stop

module.exports = { HeapWatch }
