'use strict'

const { threadId } = require('node:worker_threads')
const { version } = require('../package.json')
const { HeapWatch } = require('./heapwatch')
const { readRecording } = require('./recorder')
const { analyze } = require('./snapshot')

// Environment variable: where the first watch of the isolate writes its trace.
// %p in it becomes the process id, %t the id of the thread.
let tracePath = process.env.HEAPWATCH_TRACE
  ?.replaceAll('%p', process.pid).replaceAll('%t', threadId)

/** Starts a watch. The same as `new HeapWatch(options)`. */
function watch (options) {
  const created = new HeapWatch(options)
  if (tracePath) {
    try {
      created.writeTrace(tracePath)
    } catch (error) {
      process.emitWarning(`heapwatch: no trace is written: ${error.message}`)
    }
    tracePath = undefined
  }
  return created
}

module.exports = { watch, HeapWatch, analyze, readRecording, version }
