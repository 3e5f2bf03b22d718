'use strict'

const { version } = require('../package.json')
const { HeapWatch } = require('./heapwatch')
const { analyze } = require('./snapshot')

/** Starts a watch. The same as `new HeapWatch(options)`. */
function watch (options) {
  return new HeapWatch(options)
}

module.exports = { watch, HeapWatch, analyze, version }
