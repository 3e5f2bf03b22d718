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
 * Records from now on until the watch is stopped, into a new file. Lines are
 * written as each sample comes, and stay if the process dies.
 *
 * @param {import('./heapwatch').HeapWatch} watch
 * @param {string} path a file that does not exist yet
 * @throws {Error} of fs.openSync, if the file cannot be made
 */
function writeTrace (watch, path) {
  const fd = fs.openSync(path, 'wx', 0o600)
  let lines = []
  let described = false
  let open = true

  const add = (record) => lines.push(JSON.stringify(record))
  const onGc = (gc) => {
    const { kind, heapBefore, heapAfter, externalBefore, externalAfter } = gc
    add({ t: round(gc.startTime + gc.duration), type: 'gc', kind, duration: round(gc.duration), heapBefore, heapAfter, externalBefore, externalAfter })
  }
  const flush = () => {
    if (!open || lines.length === 0) return
    const text = lines.join('\n') + '\n'
    lines = []
    try {
      fs.writeSync(fd, text)
    } catch (error) {
      close()
      process.emitWarning(`heapwatch: the trace ${path} ends here: ${error.message}`)
    }
  }
  const onSample = (sample) => {
    if (!described) {
      const { heapLimit, memoryLimit } = sample
      const { interval } = watch.options
      add({ type: 'meta', node: process.version, interval, heapLimit, oldLimit: watch.stats().oldSpaceLimit, memoryLimit })
      described = true
    }
    const record = { t: round(sample.time - performance.timeOrigin), type: 'sample' }
    for (const field of FIELDS) record[field] = sample[field]
    add(record)
    flush()
  }
  const close = () => {
    open = false
    fs.closeSync(fd)
    watch.off('gc', onGc).off('sample', onSample)
    process.off('exit', flush)
  }
  watch.on('gc', onGc).on('sample', onSample)
  process.on('exit', flush)
  return () => {
    if (!open) return
    flush()
    if (open) close()
  }
}

module.exports = { writeTrace }
