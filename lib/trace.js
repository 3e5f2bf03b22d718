'use strict'

// Writes what a watch sees as a trace: JSON lines that `heapwatch replay` runs
// through the leak detector again. The format is in docs/leaks.md.

const fs = require('node:fs')
const { performance } = require('node:perf_hooks')

// The fields of a sample that the detector looks at.
const FIELDS = ['heapUsed', 'heapTotal', 'rss', 'external', 'arrayBuffers', 'physicalHeap',
  'nativeContexts', 'detachedContexts']

const round = (ms) => Math.round(ms * 1000) / 1000

/**
 * Records what it is given into a new file. Lines are written with each sample,
 * and stay if the process dies.
 */
class TraceWriter {
  #watch
  #path
  #fd
  #ended
  #lines = []
  #described = false
  #open = true
  #flush = () => this.#write()

  /**
   * @param {import('./heapwatch').HeapWatch} watch
   * @param {string} path a file that does not exist yet
   * @param {() => void} ended called when the file cannot be written any more
   * @throws {Error} of fs.openSync, if the file cannot be made
   */
  constructor (watch, path, ended) {
    this.#fd = fs.openSync(path, 'wx', 0o600)
    this.#watch = watch
    this.#path = path
    this.#ended = ended
    process.on('exit', this.#flush)
  }

  gc ({ startTime, duration, kind, heapBefore, heapAfter, externalBefore, externalAfter }) {
    this.#add({ t: round(startTime + duration), type: 'gc', kind, duration: round(duration), heapBefore, heapAfter, externalBefore, externalAfter })
  }

  sample (sample) {
    if (!this.#described) this.#describe(sample)
    const record = { t: round(sample.time - performance.timeOrigin), type: 'sample' }
    for (const field of FIELDS) record[field] = sample[field]
    this.#add(record)
    this.#write()
  }

  /** Writes what is left. May be called again. */
  close () {
    this.#write()
    this.#end()
  }

  #describe ({ heapLimit, memoryLimit }) {
    const { interval } = this.#watch.options
    const oldLimit = this.#watch.stats().oldSpaceLimit
    // Before the collections that came ahead of the first sample.
    this.#lines.unshift(JSON.stringify({ type: 'meta', node: process.version, interval, heapLimit, oldLimit, memoryLimit }))
    this.#described = true
  }

  #add (record) {
    this.#lines.push(JSON.stringify(record))
  }

  #write () {
    if (!this.#open || this.#lines.length === 0) return
    const text = this.#lines.join('\n') + '\n'
    this.#lines = []
    try {
      fs.writeSync(this.#fd, text)
    } catch (error) {
      this.#end()
      process.emitWarning(`heapwatch: the trace ${this.#path} ends here: ${error.message}`)
      this.#ended()
    }
  }

  #end () {
    if (!this.#open) return
    this.#open = false
    fs.closeSync(this.#fd)
    process.off('exit', this.#flush)
  }
}

module.exports = { TraceWriter }
