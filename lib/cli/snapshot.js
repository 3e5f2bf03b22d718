'use strict'

const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { snapshotName } = require('../heap-snapshot')
const { openRecording } = require('../recorder')
const { command, print, size } = require('./command')
const { EXIT_CODES, exitCodeOf, failure, find } = require('./recordings')

const HELP = `Usage: heapwatch snapshot PID [FILE] [options]

Has a watched process write a heap snapshot of itself without stopping: from a
forked child, at the lowest priority. PID.THREAD is one of its Workers. The
process is asked through its recording, and looks there with every sample. FILE
is a path on its side; without one, heapwatch-PID.THREAD-TIME.heapsnapshot in
the directory of this command.

  --max-pause MS  how long the process may stand still, 200 if not given
  --wait SECONDS  how long to wait for it, 900 if not given
  --blocking      let the process stand still until it is written, as
                  v8.writeHeapSnapshot() does: for seconds or minutes
  --json          { path, bytes, pause, duration } as one JSON object
  -h, --help      this text

${EXIT_CODES}`

const OPTIONS = {
  'max-pause': { type: 'string', default: '200', number: [0, 86_400_000, false] },
  wait: { type: 'string', default: '900', number: [1, 86_400] },
  blocking: { type: 'boolean', default: false }
}

const POLL_MS = 100

async function work ({ 'max-pause': maxPause, wait, blocking, json }, [given, file]) {
  const recording = open(find(given))
  try {
    if (!recording.alive) throw failure('the process has ended', 4)
    const { pid, threadId } = recording.identity
    const target = path.resolve(file ?? snapshotName(pid, threadId))
    const options = blocking ? { blocking } : { maxPause }
    const number = recording.request(`snapshot ${JSON.stringify({ path: target, ...options })}`)
    const { ok, text } = await answered(recording, number, wait * 1000)
    if (!ok) throw failure(text, 1)
    if (json) return printed(`${text}\n`)
    const { path: written, bytes, pause } = JSON.parse(text)
    return printed(`${written}: ${size(bytes)}, the process stood still for ${pause.toFixed(0)} ms\n`)
  } finally {
    recording.close()
  }
}

function printed (text) {
  print(text)
  return 0
}

function open (file) {
  try {
    return openRecording(file, { writable: true })
  } catch (error) {
    throw failure(error.message, exitCodeOf(error))
  }
}

async function answered (recording, number, wait) {
  const until = Date.now() + wait
  for (;;) {
    const answer = recording.answer()
    if (answer?.number === number) return answer
    if (answer?.number > number) throw failure('somebody else has asked for something since: the answer is lost', 1)
    if (!recording.alive) throw failure('the process has ended', 1)
    if (Date.now() > until) throw failure('no answer has come: the event loop of the process may be blocked', 1)
    await sleep(POLL_MS)
  }
}

module.exports = {
  summary: 'have a process write a heap snapshot without stopping',
  run: command({ name: 'snapshot', help: HELP, options: OPTIONS, files: [1, 2] }, work)
}
