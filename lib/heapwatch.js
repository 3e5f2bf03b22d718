'use strict'

const { EventEmitter } = require('node:events')
const { performance } = require('node:perf_hooks')
const { Watch, transfer } = require('./native')
const { resolveOptions } = require('./options')
const { youngReserve } = require('./limits')
const { invalidType, stopped } = require('./errors')
const { writeTrace } = require('./trace')

// Numbers of one sample and one GC event in the transfer array.
const SAMPLE_LENGTH = 17
const GC_LENGTH = 8

// Bits that tell the native side what somebody listens to.
const LISTEN = { sample: 1, gc: 2, pressure: 4, leak: 8, leakend: 8 }

const GC_TYPES = {
  1: { kind: 'minor', type: 'scavenge' },
  2: { kind: 'minor', type: 'minor-mark-sweep' },
  4: { kind: 'major', type: 'mark-sweep-compact' },
  8: { kind: 'incremental', type: 'incremental-marking' },
  16: { kind: 'weakcb', type: 'process-weak-callbacks' }
}
const FORCED = 1 << 2

const PRESSURE_REASONS = ['heap-limit', 'memory-limit', 'gc-load']

// In the order of HW_SAMPLE_MAP in src/core/hw_monitor.h.
function readSample (n, i) {
  return {
    time: n[i],
    heapUsed: n[i + 1],
    heapTotal: n[i + 2],
    heapLimit: n[i + 3],
    rss: n[i + 4],
    external: n[i + 5],
    arrayBuffers: n[i + 6],
    mallocedMemory: n[i + 7],
    physicalHeap: n[i + 8],
    globalHandles: n[i + 9],
    nativeContexts: n[i + 10],
    detachedContexts: n[i + 11],
    gcTime: n[i + 12],
    gcLoad: n[i + 13],
    allocationRate: n[i + 14],
    loopDelay: n[i + 15],
    memoryLimit: n[i + 16]
  }
}

function readGc (n, i) {
  const { kind, type } = GC_TYPES[n[i]]
  const flags = n[i + 1]
  return {
    kind,
    type,
    forced: (flags & FORCED) !== 0,
    flags,
    startTime: n[i + 2],
    duration: n[i + 3],
    heapBefore: n[i + 4],
    heapAfter: n[i + 5],
    freed: n[i + 4] - n[i + 5],
    externalBefore: n[i + 6],
    externalAfter: n[i + 7]
  }
}

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

// At an exit there is no later: a listener that throws must not keep the other
// events from theirs.
function flushAll () {
  const errors = []
  for (const flush of flushes) {
    for (let more = true; more;) {
      try {
        flush()
        more = false
      } catch (error) {
        errors.push(error)
      }
    }
  }
  if (errors.length > 0) throw errors[0]
}

/**
 * Watches the heap of the isolate it is created in (the main thread's, or a
 * Worker's) from construction until `stop()`. Never keeps a process alive.
 *
 * Emits `sample`, `gc`, `leak`, `leakend` and `pressure`; index.d.ts describes the events, the
 * options and every method with units and ranges.
 */
class HeapWatch extends EventEmitter {
  #native
  #listening = 0
  #stopped = false
  #closeTrace
  #leaks // those established when the watch was stopped
  // Events fetched and not emitted yet: names and events in turn, from #next.
  #events = []
  #next = 0
  #flush = () => {
    if (this.#listening) this.#take()
    this.#emitAll()
  }

  constructor (options) {
    super()
    this.options = resolveOptions(options)
    const { interval, gcThreshold, history, pressure, leak } = this.options
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
      leak
    }, (sampled) => this.#deliver(sampled))
    if (flushes.size === 0) process.on('exit', flushAll)
    flushes.add(this.#flush)
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

  #listen () {
    let bits = 0
    for (const name of Object.keys(LISTEN)) {
      if (this.listenerCount(name) > 0) bits |= LISTEN[name]
    }
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
      events.push(over ? 'leakend' : 'leak', event)
    }
    while (native.takePressure()) events.push('pressure', readPressure(transfer))
    for (let count = native.takeGcs(); count > 0; count = native.takeGcs()) {
      for (let i = 0; i < count; i++) events.push('gc', readGc(transfer, i * GC_LENGTH))
    }
  }

  #deliver (sampled) {
    if (sampled) this.#events.push('sample', readSample(transfer, 0))
    this.#take()
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
        this.emit(events[i], events[i + 1])
      }
      this.#next = events.length = 0
    } finally {
      if (this.#next < events.length) process.nextTick(() => this.#emitAll())
    }
  }

  /** Ends the watch after delivering what is waiting. May be called again. */
  stop () {
    if (this.#stopped) return
    if (this.#listening) this.#take()
    this.#leaks = this.leaks()
    this.#stopped = true
    this.#native.stop()
    flushes.delete(this.#flush)
    if (flushes.size === 0) process.removeListener('exit', flushAll)
    this.#emitAll()
    this.#closeTrace?.()
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

  writeTrace (path) {
    if (this.#stopped) throw stopped('writeTrace')
    if (typeof path !== 'string' || path === '') throw invalidType('path', path, 'the path of a file to make')
    this.#closeTrace?.()
    this.#closeTrace = writeTrace(this, path)
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
