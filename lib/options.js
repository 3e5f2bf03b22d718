'use strict'

// What can be set on a watch: defaults, ranges, and errors that say both.

const { flag, integer, number, ratioOrFalse } = require('./checks')
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

const STACK_DEPTH = 32

// `sampleInterval: 'auto'` is the one that fits how much the process allocates.
const SITES = {
  sampleInterval: { default: 512 * 1024, check: integer(1024, 2 ** 30) },
  stackDepth: { default: STACK_DEPTH, check: integer(1, 128) }
}

/** When and how sites are sampled: { when, sampleInterval, stackDepth }, or false. */
function sites (name, value) {
  if (value === false) return false
  if (value === 'auto') {
    return Object.freeze({ when: 'suspected', sampleInterval: 'auto', stackDepth: STACK_DEPTH })
  }
  if (value !== true && (typeof value !== 'object' || value === null || Array.isArray(value))) {
    throw invalidType(name, value, "'auto', true, false or an object with sampleInterval and stackDepth")
  }
  return Object.freeze({ when: 'always', ...resolve(SITES, value === true ? {} : value, `${name}.`) })
}

const MB = 1024 * 1024
const RECORDER = {
  path: { default: undefined, check: optionalPath },
  directory: { default: undefined, check: optionalPath },
  size: { default: 4 * MB, check: integer(2 * MB, 64 * MB) },
  keep: { default: 16, check: integer(0, 10_000) }
}

const LEAK_SNAPSHOTS = {
  directory: { default: '.', check: aPath },
  limit: { default: 3, check: integer(1, 1000) },
  maxPause: { default: 200, check: number(0, MAX_MS) },
  minFreeMemory: { default: 0, check: integer(0, Number.MAX_SAFE_INTEGER) },
  minFreeDisk: { default: 1024 * MB, check: integer(0, Number.MAX_SAFE_INTEGER) }
}

const CAUSE = {
  confirm: { default: true, check: flag },
  limit: { default: 3, check: integer(1, 1000) },
  minGrowth: { default: 4 * MB, check: integer(256 * 1024, 2 ** 40) },
  maxWait: { default: 600_000, check: integer(1000, 24 * MAX_MS) },
  maxPause: { default: 200, check: number(0, MAX_MS) },
  timeout: { default: 600_000, check: integer(1000, 24 * MAX_MS) },
  nice: { default: 19, check: integer(0, 19) },
  minFreeMemory: { default: 0, check: integer(0, Number.MAX_SAFE_INTEGER) },
  minFreeDisk: { default: 256 * MB, check: integer(0, Number.MAX_SAFE_INTEGER) },
  ignoreOomGroup: { default: false, check: flag },
  directory: { default: undefined, check: optionalPath },
  keep: { default: undefined, check: optionalPath }
}

function aPath (name, value) {
  return optionalPath(name, value ?? '')
}

/** true, an object with the settings of LEAK_SNAPSHOTS, or false. */
function snapshotOnLeak (name, value) {
  return group(LEAK_SNAPSHOTS)(name, value === true ? {} : value)
}

/** true, an object with the settings of CAUSE, or false. */
function cause (name, value) {
  return group(CAUSE)(name, value === true ? {} : value)
}

function optionalPath (name, value) {
  if (value === undefined) return value
  if (typeof value !== 'string' || value === '' || value.includes('\0')) {
    throw invalidType(name, value, 'a path')
  }
  return value
}

/** true, a path, an object with the settings of RECORDER, or false. */
function recorder (name, value) {
  if (value === false) return false
  if (value === true) value = {}
  if (typeof value === 'string') value = { path: value }
  if (typeof value !== 'object' || value === null) {
    throw invalidType(name, value, 'true, a path, an object or false')
  }
  return resolve(RECORDER, value, `${name}.`)
}

const OPTIONS = {
  interval: { default: 1000, check: integer(10, MAX_MS) },
  gcThreshold: { default: 0, check: number(0, MAX_MS) },
  history: { default: 3600, check: integer(1, MAX_HISTORY) },
  pressure: { default: {}, check: group(PRESSURE) },
  leak: { default: {}, check: group(LEAK) },
  sites: { default: 'auto', check: sites },
  recorder: { default: false, check: recorder },
  snapshotOnLeak: { default: false, check: snapshotOnLeak },
  cause: { default: false, check: cause }
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

module.exports = { nearestOf, resolve, resolveOptions }
