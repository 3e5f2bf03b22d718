'use strict'

// The ways to sample allocations that are compared: each uses V8's only
// sampling heap profiler. `start(interval)` returns what ends it.

const STACK_DEPTH = 32

/** What is installed for it, see ../setup.js. */
const PPROF = { '@datadog/pprof': { version: '5.20.0' } }

const ROUTES = {
  heapwatch (interval) {
    const watch = require('../..').watch({ sites: { sampleInterval: interval, stackDepth: STACK_DEPTH } })
    return () => watch.stop()
  },

  inspector (interval) {
    const { Session } = require('node:inspector')
    const session = new Session()
    const post = (method, params) => session.post(method, params, (error) => {
      if (error) throw new Error(error.message)
    })
    session.connect()
    post('HeapProfiler.startSampling', { samplingInterval: interval, stackDepth: STACK_DEPTH })
    return () => {
      post('HeapProfiler.stopSampling')
      session.disconnect()
    }
  },

  pprof (interval, directory) {
    const { heap } = require(directory)
    heap.start(interval, STACK_DEPTH)
    return () => heap.stop()
  }
}

/** A watch that samples no sites: what the others are held against. */
function startWithout () {
  const watch = require('../..').watch({ sites: false })
  return () => watch.stop()
}

module.exports = { PPROF, ROUTES, startWithout }
