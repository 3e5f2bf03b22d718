'use strict'

const { setTimeout: sleep } = require('node:timers/promises')
const { command, print } = require('./command')
const { EXIT_CODES, Follower, failure, find } = require('./recordings')
const { lastLive, verdicts } = require('./view')

const HELP = `Usage: heapwatch stat PID [INTERVAL] [COUNT] [options]

One line each INTERVAL seconds (also 500ms, 2s), COUNT times or until the
process ends; without INTERVAL one line. PID is a watched process, PID.THREAD
one of its Workers, or a file.

  HEAP LIVE TOTAL RSS EXT BUF  MB: the heap in use, right after the last major
          collection, and reserved; rss; external memory, ArrayBuffers in it
  LIM%    of the heap's limit that is in use
  MIN MAJ  minor and major collections since the line before
  GCms GC%  time in GC since the line before, and as a share
  MAXms   the longest of their pauses
  ALLOC   MB/s allocated
  LOOPms  how late the last sample came, because the event loop was busy
  W       L something leaks, P there is pressure

  --json     one JSON object a line, in bytes and milliseconds
  -h, --help this text

${EXIT_CODES}`

// Title, width, and which goes first where a terminal is too narrow.
const COLUMNS = [
  ['HEAP', 7, 0], ['LIVE', 7, 6], ['TOTAL', 7, 9], ['LIM%', 4, 8], ['RSS', 7, 3], ['EXT', 6, 12], ['BUF', 6, 14], ['MIN', 4, 5],
  ['MAJ', 3, 4], ['GCms', 6, 10], ['GC%', 4, 2], ['MAXms', 5, 7], ['ALLOC', 5, 11], ['LOOPms', 6, 13], ['W', 2, 1]
]

async function work ({ json }, [given, interval, count]) {
  const every = interval === undefined ? undefined : toMs(interval)
  const most = count === undefined ? (every === undefined ? 1 : Infinity) : toCount(count)
  const follower = new Follower(find(given))
  try {
    await lines(follower, { every, most, json })
  } finally {
    follower.close()
  }
  return 0
}

/** Prints lines until there have been enough, or the process has ended. */
async function lines (follower, { every = 1000, most = Infinity, json = false }) {
  let from = follower.identity.startTime
  for (let n = 0; n < most; n++) {
    if (n > 0) {
      await sleep(every)
      follower.poll()
    }
    const row = n === 0 ? measureAll(follower) : measure(follower, from)
    from = row.time
    if (json) print(`${JSON.stringify(row)}\n`)
    else print(`${n % repeat() === 0 ? `${layOut(COLUMNS.map(([title]) => title))}\n` : ''}${layOut(cells(row))}\n`)
    if (follower.ended && n > 0) {
      if (!json) process.stderr.write(`process ${follower.identity.pid} ${follower.alive ? 'is no longer watched' : 'has ended'}\n`)
      return
    }
  }
}

// A terminal scrolls the titles away; a file has them once.
function repeat () {
  return process.stdout.isTTY ? Math.max(2, (process.stdout.rows || 24) - 2) : Infinity
}

/** What there was since `from`. */
function measure (follower, from) {
  const { samples, gcs, state, identity } = follower
  const sample = samples.at(-1) ?? state.sample ?? {}
  const since = gcs.filter(({ time }) => time > from)
  const time = Math.max(state.time ?? 0, from)
  const gcTime = since.reduce((sum, { duration }) => sum + duration, 0)
  const { leaks, pressure } = verdicts(follower)
  return {
    time,
    pid: identity.pid,
    alive: follower.alive,
    heapUsed: sample.heapUsed,
    heapLive: lastLive(gcs) ?? null,
    heapTotal: sample.heapTotal,
    heapLimit: identity.oldSpaceLimit || sample.heapLimit,
    rss: sample.rss,
    external: sample.external,
    arrayBuffers: sample.arrayBuffers,
    minor: since.filter(({ kind }) => kind === 'minor').length,
    major: since.filter(({ kind }) => kind === 'major').length,
    gcTime,
    gcLoad: time > from ? Math.min(1, gcTime / (time - from)) : 0,
    longestPause: since.reduce((most, { duration }) => Math.max(most, duration), 0),
    allocationRate: sample.allocationRate,
    loopDelay: sample.loopDelay,
    leaking: leaks.map(({ metric }) => metric),
    pressure: pressure.map(({ reason }) => reason)
  }
}

/** The first line, of all there was: not every collection is kept, each is counted. */
function measureAll (follower) {
  const begin = follower.identity.startTime
  const row = measure(follower, begin)
  const { minor, major } = follower.pauses
  const kinds = Object.values(follower.pauses)
  const gcTime = kinds.reduce((sum, { total }) => sum + total, 0)
  return {
    ...row,
    minor: minor.count,
    major: major.count,
    gcTime,
    gcLoad: row.time > begin ? Math.min(1, gcTime / (row.time - begin)) : 0,
    longestPause: kinds.reduce((most, { count, max }) => count > 0 ? Math.max(most, max) : most, 0)
  }
}

const mb = (n) => Number.isFinite(n) ? (n / 1e6).toFixed(n < 9995e6 ? 1 : 0) : '-'
const short = (n) => Number.isFinite(n) ? n.toFixed(n < 99.95 ? 1 : 0) : '-'

function cells (row) {
  return [
    mb(row.heapUsed), mb(row.heapLive ?? NaN), mb(row.heapTotal),
    row.heapLimit > 0 ? (row.heapUsed / row.heapLimit * 100).toFixed(0) : '-',
    mb(row.rss), mb(row.external), mb(row.arrayBuffers),
    String(row.minor), String(row.major), short(row.gcTime), short(row.gcLoad * 100),
    short(row.longestPause), short(row.allocationRate / 1e6), short(row.loopDelay),
    `${row.leaking.length > 0 ? 'L' : ''}${row.pressure.length > 0 ? 'P' : ''}` || '-'
  ]
}

/** The columns that a terminal has room for; a file has it for all. */
function shown () {
  const width = process.stdout.isTTY ? process.stdout.columns : Infinity
  let columns = COLUMNS.map((column, i) => ({ width: column[1], drop: column[2], i }))
  const needed = () => columns.reduce((sum, { width }) => sum + width + 1, -1)
  while (needed() > width && columns.length > 1) {
    const first = Math.max(...columns.map(({ drop }) => drop))
    columns = columns.filter(({ drop }) => drop !== first)
  }
  return columns
}

// A number that is wider than its column pushes the others, rather than lying.
function layOut (texts) {
  return shown().map(({ width, i }) => texts[i].padStart(width)).join(' ')
}

function toMs (text) {
  const match = /^(\d+(?:\.\d+)?)(ms|s)?$/.exec(text)
  const ms = match ? Number(match[1]) * (match[2] === 'ms' ? 1 : 1000) : NaN
  if (!(ms >= 10 && ms <= 3_600_000)) {
    throw failure(`the interval must be 10ms to 3600s, as 1, 0.5, 2s or 500ms; received "${text}"`, 2)
  }
  return ms
}

function toCount (text) {
  const count = Number(text)
  if (!(Number.isInteger(count) && count > 0)) {
    throw failure(`the count must be a whole number above 0; received "${text}"`, 2)
  }
  return count
}

module.exports = {
  summary: 'print a line about a process each interval',
  run: command({ name: 'stat', help: HELP, files: [1, 3] }, work),
  lines
}
