'use strict'

// HEAPWATCH_* variables as options of a watch. A value that is not allowed is a
// problem to tell, and the default is used.

const { signals } = require('node:os').constants
const { threadId } = require('node:worker_threads')

const PREFIX = 'HEAPWATCH_'
const WORDS = { 1: true, on: true, true: true, yes: true, 0: false, off: false, false: false, no: false }
const SWITCH = '1, on, 0 or off'

const number = (text) => text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text)
const orFalse = (text) => text !== '0' && WORDS[text.toLowerCase()] === false ? false : number(text)

// Variables that are options of the watch: the option's own check decides.
const OPTIONS = {
  HEAPWATCH_INTERVAL: { option: 'interval', read: number },
  HEAPWATCH_HISTORY: { option: 'history', read: number }
}

// The other ones: `read` gives undefined for what is not allowed.
const SETTINGS = {
  HEAPWATCH_ENABLED: { name: 'enabled', normal: true, allowed: SWITCH, read: (text) => WORDS[text.toLowerCase()] },
  HEAPWATCH_WORKERS: { name: 'workers', normal: true, allowed: SWITCH, read: (text) => WORDS[text.toLowerCase()] },
  HEAPWATCH_LEAK: { name: 'leak', normal: true, allowed: SWITCH, read: (text) => WORDS[text.toLowerCase()] },
  HEAPWATCH_PRESSURE: { name: 'pressure', normal: true, allowed: SWITCH, read: (text) => WORDS[text.toLowerCase()] },
  HEAPWATCH_RECORDER: {
    name: 'recorder',
    normal: true,
    allowed: `${SWITCH}, or a path`,
    read: (text) => WORDS[text.toLowerCase()] ?? text.replaceAll('%p', process.pid).replaceAll('%t', threadId)
  },
  HEAPWATCH_SITES: {
    name: 'sites',
    normal: 'auto',
    allowed: `auto, ${SWITCH}`,
    read: (text) => text.toLowerCase() === 'auto' ? 'auto' : WORDS[text.toLowerCase()]
  },
  HEAPWATCH_CAUSE: { name: 'cause', normal: false, allowed: SWITCH, read: (text) => WORDS[text.toLowerCase()] },
  HEAPWATCH_SNAPSHOT_SIGNAL: {
    name: 'snapshotSignal',
    normal: false,
    allowed: 'a signal that can be caught, such as SIGUSR2, or off',
    read: (text) => {
      const name = text.toUpperCase()
      if (WORDS[text.toLowerCase()] === false) return false
      return Object.hasOwn(signals, name) && !['SIGKILL', 'SIGSTOP'].includes(name) ? name : undefined
    }
  },
  HEAPWATCH_SNAPSHOT_DIR: { name: 'snapshotDirectory', normal: '.', allowed: 'a directory', read: (text) => text },
  HEAPWATCH_LOG: {
    name: 'log',
    normal: 'auto',
    allowed: 'auto, json, text or off',
    read: (text) => ['auto', 'json', 'text'].find((word) => word === text.toLowerCase()) ??
      (WORDS[text.toLowerCase()] === false ? 'off' : undefined)
  },
  HEAPWATCH_GC_THRESHOLD: {
    name: 'gcThreshold',
    normal: 100,
    allowed: 'milliseconds from 0 to 3600000, or off',
    read: (text) => {
      const value = orFalse(text)
      return value === false || (value >= 0 && value <= 3_600_000) ? value : undefined
    }
  }
}

// What other parts of heapwatch read.
const ELSEWHERE = ['HEAPWATCH_BINARY', 'HEAPWATCH_DIR', 'HEAPWATCH_TRACE']
const KNOWN = [...Object.keys(OPTIONS), ...Object.keys(SETTINGS), ...ELSEWHERE]

/**
 * Reads the variables of an environment. An empty one is as good as none.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {{ enabled: boolean, workers: boolean, log: 'auto'|'json'|'text'|'off',
 *   gcThreshold: number|false, options: object, problems: string[] }} `options`
 *   are those of a watch, `problems` lines for people
 */
function readEnvironment (env) {
  const { resolveOptions } = require('./options')
  const problems = []
  const settings = { options: {} }
  for (const [variable, { name, normal, allowed, read }] of Object.entries(SETTINGS)) {
    const value = env[variable] ? read(env[variable].trim()) : normal
    if (value === undefined) {
      problems.push(`${variable} must be ${allowed}; received "${env[variable]}"; ${show(normal)} is used`)
    }
    settings[name] = value ?? normal
  }
  for (const [variable, { option, read }] of Object.entries(OPTIONS)) {
    if (!env[variable]) continue
    const value = read(env[variable])
    try {
      resolveOptions({ [option]: value })
      settings.options[option] = value
    } catch (error) {
      const normal = resolveOptions()[option]
      problems.push(`${variable}: ${error.message}; ${show(normal)} is used`)
    }
  }
  const { cause, leak, pressure, recorder, sites, ...rest } = settings
  rest.options.recorder = recorder
  if ('sites' in resolveOptions()) rest.options.sites = sites
  if (cause) rest.options.cause = true
  if (!leak) rest.options.leak = false
  if (!pressure) rest.options.pressure = false
  problems.push(...unknown(env))
  return { ...rest, problems }
}

/** Whether the environment says not to watch; needs no addon to tell. */
function switchedOff (env) {
  return SETTINGS.HEAPWATCH_ENABLED.read((env.HEAPWATCH_ENABLED ?? '').trim()) === false
}

function show (value) {
  return value === true ? 'on' : value === false ? 'off' : value
}

function unknown (env) {
  const { nearestOf } = require('./options')
  return Object.keys(env)
    .filter((name) => name.startsWith(PREFIX) && !name.startsWith(`${PREFIX}TEST_`) && !KNOWN.includes(name))
    .map((name) => {
      const nearest = nearestOf(name.slice(PREFIX.length), KNOWN.map((known) => known.slice(PREFIX.length)))
      return `there is no variable ${name}${nearest ? `: did you mean ${PREFIX}${nearest}?` : ''}`
    })
}

module.exports = { readEnvironment, switchedOff }
