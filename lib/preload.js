'use strict'

// What heapwatch/register does: one watch for this isolate, and its findings as
// lines on stderr.
//
// The app must not notice. Lines go to the file descriptor, not to
// process.stderr, which may be replaced by the app, is made by the first who
// asks for it, and in a Worker waits for the main thread. No listener here may
// throw, and no event named error may go unheard. Nothing that needs the addon is
// loaded before it is known to be wanted.

const { join } = require('node:path')
const { isMainThread, threadId } = require('node:worker_threads')
const { isatty } = require('node:tty')
const { readEnvironment, switchedOff } = require('./environment')
const { gcText, leakEndText, leakText, pressureText, siteText } = require('./describe')

const STDERR = 2
// Long pauses come in swarms when a process is short of memory: one line a
// second says it, and how many there were.
const GC_LINES_EVERY = 1000

const STARTED = Symbol.for('heapwatch.register')

/** Starts the watch, once in an isolate, whichever copy of heapwatch does it. */
function start (env = process.env) {
  if (globalThis[STARTED]) return
  Object.defineProperty(globalThis, STARTED, { value: true })
  if (switchedOff(env)) return
  const { LineWriter } = require('./line-writer')
  const {
    enabled, workers, log, gcThreshold, snapshotSignal, snapshotDirectory, options, problems
  } = readEnvironment(env)
  const writer = new LineWriter(STDERR)
  // Workers have the environment of the main thread, which has said it.
  if (isMainThread) for (const problem of problems) writer.write(`heapwatch: ${problem}`)
  if (!enabled || !(workers || isMainThread)) return
  const logged = log !== 'off'
  const watch = require('./index').watch({
    ...options,
    ...(logged && gcThreshold !== false ? { gcThreshold } : {})
  })
  const text = log === 'text' || (log === 'auto' && isatty(STDERR))
  const say = logged ? sayer(text ? textLine : jsonLine, writer) : () => {}
  if (snapshotSignal && isMainThread) snapshotOn(snapshotSignal, snapshotDirectory, say)
  if (logged) report(watch, say, gcThreshold !== false)
}

// Only the main thread is told of signals.
function snapshotOn (signal, directory, say) {
  const { snapshotName, writeHeapSnapshot } = require('./heap-snapshot')
  process.on(signal, () => {
    writeHeapSnapshot(join(directory, snapshotName()), {}, { keepAlive: false }).then(
      (result) => say('info', 'snapshot', `a heap snapshot is in ${result.path}`, result),
      (error) => say('error', 'snapshot', `no heap snapshot: ${error.message}`, { code: error.code }))
  })
}

function sayer (format, writer) {
  return (level, event, message, data) => {
    try {
      writer.write(format(level, event, message, data))
    } catch {}
  }
}

function report (watch, say, gcs) {
  watch.on('leak', (leak) => say('warn', 'leak', leakMessage(leak), withoutEvidence(leak)))
  watch.on('leakend', (leak) => say('info', 'leakend', leakEndText(leak), withoutEvidence(leak)))
  watch.on('cause', (cause) => say(cause.error ? 'info' : 'warn', 'cause', cause.description, causeLine(cause)))
  watch.on('pressure', (pressure) => say('warn', 'pressure', pressureText(pressure), pressure))
  watch.on('error', (error) => say('error', 'error', error.message, { code: error.code }))
  if (!gcs) return
  let last = -Infinity
  let more = 0
  watch.on('gc', (gc) => {
    const end = gc.startTime + gc.duration
    if (end - last < GC_LINES_EVERY) {
      more++
      return
    }
    const also = more > 0 ? ` (${more} more since the last line)` : ''
    say('warn', 'gc', gcText(gc) + also, { ...gc, more })
    last = end
    more = 0
  })
}

function leakMessage (leak) {
  const [site] = leak.sites ?? []
  return leakText(leak) + (site ? `; most of it from ${siteText(site)}` : '')
}

// A line is for people and log stores: the points are in the recording.
function withoutEvidence ({ evidence, ...leak }) {
  return leak
}

// The leak has had a line of its own.
function causeLine ({ leak, error, grown, ...cause }) {
  return { metric: leak.metric, ...cause, ...(error ? { code: error.code } : {}) }
}

function jsonLine (level, event, message, data) {
  const time = data.time ?? Date.now()
  return JSON.stringify({ level, time, name: 'heapwatch', pid: process.pid, threadId, event, msg: message, ...data })
}

function textLine (level, event, message) {
  return `heapwatch${threadId > 0 ? ` (thread ${threadId})` : ''}: ${message}`
}

module.exports = { start }
