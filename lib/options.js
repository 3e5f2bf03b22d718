'use strict'

// What can be set on a watch: defaults, ranges, and errors that say both.

const { integer, number, ratioOrFalse } = require('./checks')
const { invalidType, unknownOption } = require('./errors')
const { LEAK } = require('./leak-options')

const MAX_MS = 3_600_000
const MAX_HISTORY = 1_000_000

const PRESSURE = {
  heapLimit: { default: 0.85, check: ratioOrFalse },
  memoryLimit: { default: 0.9, check: ratioOrFalse },
  gcLoad: { default: 0.3, check: ratioOrFalse },
  gcLoadWindow: { default: 10_000, check: integer(100, MAX_MS) },
  release: { default: 0.9, check: number(0, 1) }
}

/** An object with the settings of `schema`, or false. */
function group (schema) {
  return (name, value) => {
    if (value === false) return false
    if (typeof value !== 'object' || value === null) {
      throw invalidType(name, value, 'an object or false')
    }
    return resolve(schema, value, `${name}.`)
  }
}

const OPTIONS = {
  interval: { default: 1000, check: integer(10, MAX_MS) },
  gcThreshold: { default: 0, check: number(0, MAX_MS) },
  history: { default: 3600, check: integer(1, MAX_HISTORY) },
  pressure: { default: {}, check: group(PRESSURE) },
  leak: { default: {}, check: group(LEAK) }
}

/** Edits that turn one word into another: insert, delete, replace a letter. */
function distance (a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]
}

/** The known name that `name` is probably a misspelling of, or undefined. */
function nearestOf (name, known) {
  if (name.length > 40) return undefined
  const [best] = known
    .map((candidate) => ({ candidate, edits: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits)
  return best.edits <= Math.max(2, best.candidate.length / 3) ? best.candidate : undefined
}

function resolve (schema, given, prefix) {
  const known = Object.keys(schema)
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(schema, name)) throw unknownOption(prefix + name, nearestOf(name, known), known)
  }
  const resolved = {}
  for (const name of known) {
    const value = given[name] === undefined ? schema[name].default : given[name]
    resolved[name] = schema[name].check(prefix + name, value)
  }
  return Object.freeze(resolved)
}

/**
 * Checks the options of a watch and fills in what is missing.
 *
 * @param {object} [options] what the caller gave
 * @returns {Readonly<object>} every option with its value
 * @throws {TypeError|RangeError} ERR_HEAPWATCH_INVALID_OPTION_TYPE,
 *   ERR_HEAPWATCH_OPTION_OUT_OF_RANGE or ERR_HEAPWATCH_UNKNOWN_OPTION
 */
function resolveOptions (options = {}) {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidType('options', options, 'an object')
  }
  return resolve(OPTIONS, options, '')
}

module.exports = { resolveOptions }
