'use strict'

const { listRecordings } = require('../recorder')
const { verdict } = require('../report/doctor')
const { command, print } = require('./command')
const { columnsOf } = require('./draw')
const { bytes, percent, seconds } = require('./format')
const { commandOf, exitCodeOf, open } = require('./recordings')
const { condition } = require('./view')

const HELP = `Usage: heapwatch ps [options]

The watched processes of this user, alive and dead, the newest first: each with
the heap in use, its share of the limit, rss, the time spent in GC since the
sample before, and what is wrong with it. Reads recordings; asks no process
anything.

  --alive    only those that are alive
  --json     one JSON array
  -h, --help this text

Exit codes: 0 done, also if there are none, 1 failed, 2 wrong options.
`

const OPTIONS = { alive: { type: 'boolean', default: false } }

/** What one line says; of a file that cannot be read, why. */
function describe (listed) {
  const { path, pid, threadId, alive } = listed
  let recording
  try {
    if (listed.error) throw listed.error
    recording = open(path)
    const state = recording.state()
    const { identity } = recording
    return {
      pid: identity.pid,
      threadId: identity.threadId,
      alive,
      state: state.state,
      startTime: identity.startTime,
      time: state.time,
      sample: state.sample ?? null,
      oldSpaceLimit: identity.oldSpaceLimit,
      leaking: state.leaking ?? [],
      pressure: state.active ?? [],
      verdict: verdict({ state, alive }),
      command: commandOf(identity),
      argv: identity.argv,
      nodeVersion: identity.nodeVersion,
      path
    }
  } catch (error) {
    return { pid, threadId, alive, path, error: error.message ?? String(error), exitCode: error.exitCode ?? exitCodeOf(error) }
  } finally {
    recording?.close()
  }
}

async function work ({ json, alive: onlyAlive }) {
  const rows = listRecordings().filter(({ alive }) => alive || !onlyAlive).map(describe)
  if (json) {
    print(`${JSON.stringify(rows)}\n`)
    return 0
  }
  print(rows.length === 0
    ? 'No process is watched. Start one with: heapwatch run app.js\n'
    : `${listLines(rows, process.stdout.columns || 100, Date.now()).join('\n')}\n`)
  return 0
}

/** The list as lines; `top` shows the same. */
function listLines (rows, width, now) {
  const of = (show) => (row) => row.error || !row.sample ? '-' : show(row.sample, row)
  return columnsOf([
    { title: 'PID', cell: ({ pid, threadId }) => threadId > 0 ? `${pid}.${threadId}` : String(pid ?? '?') },
    { title: 'STATE', left: true, drop: 3, cell: (row) => row.error ? 'unreadable' : condition({ alive: row.alive, state: row }) || 'alive' },
    { title: 'FOR', drop: 7, cell: (row) => row.error ? '-' : seconds(Math.max(0, (row.alive ? now : row.time) - row.startTime)) },
    { title: 'HEAP', cell: of(({ heapUsed }) => bytes(heapUsed)) },
    { title: 'LIMIT', drop: 6, cell: of(({ heapUsed, heapLimit }, row) => percent(heapUsed / (row.oldSpaceLimit || heapLimit))) },
    { title: 'RSS', drop: 4, cell: of(({ rss }) => bytes(rss)) },
    { title: 'GC', drop: 8, cell: of(({ gcLoad }) => percent(gcLoad)) },
    { title: 'VERDICT', left: true, drop: 5, cell: (row) => row.error ? row.error : row.verdict, stretch: true },
    { title: 'COMMAND', left: true, drop: 9, cell: (row) => row.command ?? '', stretch: true }
  ], rows, width)
}

module.exports = {
  summary: 'list the watched processes, alive and dead',
  run: command({ name: 'ps', help: HELP, options: OPTIONS, files: [0, 0] }, work),
  describe,
  listLines
}
