'use strict'

const { once } = require('node:events')
const { command } = require('./command')
const { EXIT_CODES, failure, load } = require('./recordings')

const HELP = `Usage: heapwatch export FILE|PID [options]

Everything in a recording, on stdout.

  --format jsonl  one JSON object a line, by default: what heapwatch replay
                  reads, and besides the identity, the minutes, the pauses and
                  the notes
  --format csv    one table with a column for each field there is; the first
                  two are type and time
  --only TYPES    only these, with commas between them, of meta, sample, gc,
                  minute, pauses and note
  --json          the same as --format jsonl
  -h, --help      this text

Times are "time", milliseconds since 1970; of samples and gcs in jsonl also "t",
milliseconds since the watch began. Sizes are bytes.

${EXIT_CODES}`

const TYPES = ['meta', 'sample', 'gc', 'minute', 'pauses', 'note']
const OPTIONS = { format: { type: 'string', default: 'jsonl' }, only: { type: 'string' } }

async function work ({ format, only, json }, [given]) {
  if (!['jsonl', 'csv'].includes(format)) throw failure(`--format must be jsonl or csv; received "${format}"`, 2)
  const types = only === undefined ? TYPES : only.split(',')
  const wrong = types.find((type) => !TYPES.includes(type))
  if (wrong !== undefined) throw failure(`--only knows ${TYPES.join(', ')}; received "${wrong}"`, 2)
  const all = [...records(await load(given, { all: true }))].filter(({ type }) => types.includes(type))
  await write(json || format === 'jsonl' ? jsonLines(all) : csvLines(all))
  return 0
}

/** All there is, in the order of time; a trace's meta first. */
function records ({ identity, state, samples, minutes, gcs, pauses, notes }) {
  const begin = identity.startTime
  const t = (time) => Math.round((time - begin) * 1000) / 1000
  const { oldSpaceLimit, heapLimit, memoryLimit, interval, nodeVersion, ...rest } = identity
  const meta = {
    type: 'meta',
    node: nodeVersion,
    interval,
    heapLimit,
    oldLimit: oldSpaceLimit,
    memoryLimit: memoryLimit ?? 0,
    identity: rest,
    state: { ...state, sample: undefined }
  }
  const timed = [
    ...samples.map((sample) => ({ t: t(sample.time), type: 'sample', ...sample })),
    ...gcs.map((gc) => ({ ...gc, t: t(gc.time), type: 'gc', phase: gc.type })),
    ...notes.map(({ time, kind, data }) => ({ time, type: 'note', kind, data }))
  ].sort((a, b) => a.time - b.time)
  return [
    meta,
    // Apart, since a trace has numbers under these names.
    ...minutes.map(({ time, ...minute }) => ({ type: 'minute', time, minute })),
    ...timed,
    ...Object.entries(pauses).map(([kind, values]) => ({ type: 'pauses', kind, ...values }))
  ]
}

function * jsonLines (list) {
  for (const record of list) yield `${JSON.stringify(record)}\n`
}

/** { heapUsed: { min: 1 } } as { 'heapUsed.min': 1 }. */
function flat (object, prefix = '') {
  return Object.fromEntries(Object.entries(object).flatMap(([name, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) && prefix.split('.').length < 3
      ? Object.entries(flat(value, `${prefix}${name}.`))
      : [[prefix + name, value]]))
}

function * csvLines (list) {
  // What a verdict consists of is told apart by nobody who reads tables.
  const rows = list.map(({ t, type, data, ...rest }) =>
    ({ type, ...flat(rest), ...(data === undefined ? {} : { data: JSON.stringify(data) }) }))
  const names = [...new Set(['type', 'time', ...rows.flatMap((row) => Object.keys(row))])]
  yield `${names.map(cell).join(',')}\r\n`
  for (const row of rows) yield `${names.map((name) => cell(row[name])).join(',')}\r\n`
}

// RFC 4180. A spreadsheet takes what begins like a formula for one.
function cell (value) {
  if (value === undefined || value === null || Number.isNaN(value)) return ''
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

async function write (lines) {
  let waiting = ''
  for (const line of lines) {
    waiting += line
    if (waiting.length < 1 << 16) continue
    if (!process.stdout.write(waiting)) await once(process.stdout, 'drain')
    waiting = ''
  }
  process.stdout.write(waiting)
}

module.exports = {
  summary: 'write out all that a recording holds',
  run: command({ name: 'export', help: HELP, options: OPTIONS, files: [1, 1] }, work)
}
