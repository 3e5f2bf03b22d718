'use strict'

// What the exporters have in common: one consistent look at a watch, and the
// checks of what they are given.

const { invalidType, unknownOption } = require('../errors')

const LEAK_METRICS = ['heap', 'external', 'arrayBuffers', 'native', 'contexts']
const BYTE_METRICS = LEAK_METRICS.filter((metric) => metric !== 'contexts')
const PRESSURE_REASONS = ['heap-limit', 'memory-limit', 'gc-load']

/**
 * Reads a watch once for a whole scrape. A watch that has been stopped has no
 * present: `now` is undefined, and what it counted is still there.
 *
 * @param {import('../index').HeapWatch} watch
 */
function read (watch) {
  return {
    stats: watch.stats(),
    pauses: watch.pauses(),
    now: watch.stopped
      ? undefined
      : { sample: watch.sample(), spaces: watch.spaces(), leaks: watch.leaks() }
  }
}

let warned = false

/**
 * Runs `fn` where others' metrics are collected, which must arrive whatever
 * becomes of ours: what it throws becomes a warning, the first time, and its
 * answer an empty list.
 */
function guard (fn) {
  try {
    return fn()
  } catch (error) {
    if (!warned) process.emitWarning(`heapwatch: metrics are missing: ${error.message}`)
    warned = true
    return []
  }
}

// By its face, not by its class: a bundle or a second copy of the package may
// have made it.
function checkWatch (watch) {
  const is = ['stats', 'pauses', 'sample', 'spaces', 'leaks', 'on']
    .every((name) => typeof watch?.[name] === 'function')
  if (!is) throw invalidType('watch', watch, 'a HeapWatch')
}

function checkObject (name, value, allowed) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidType(name, value, allowed)
  }
}

/** Refuses options that are not among `known`. */
function checkNames (options, known) {
  checkObject('options', options, 'an object')
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw unknownOption(name, undefined, known)
  }
}

module.exports = {
  BYTE_METRICS,
  LEAK_METRICS,
  PRESSURE_REASONS,
  checkNames,
  checkObject,
  checkWatch,
  guard,
  read
}
