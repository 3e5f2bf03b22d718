'use strict'

// Recorded traces, and where in them a leak stands.

const fs = require('node:fs')
const path = require('node:path')
const zlib = require('node:zlib')

const labels = require('../../test/fixtures/corpus/labels.json')

const TRACES = path.join(__dirname, '../../test/fixtures/traces')

// All traces: { file, program, node, died, label } of each.
function list () {
  const index = JSON.parse(fs.readFileSync(path.join(TRACES, 'index.json'), 'utf8'))
  return Object.entries(index).map(([name, entry]) => ({
    ...entry, file: path.join(TRACES, name), label: labels[entry.program]
  }))
}

// The events of a trace's file.
function read (file) {
  const bytes = fs.readFileSync(file)
  const text = (file.endsWith('.gz') ? zlib.gunzipSync(bytes) : bytes).toString()
  return text.trim().split('\n').map((line) => JSON.parse(line))
}

// A trace's events as { meta, samples, gcs }, samples at least `apart` ms apart.
function arrange (events, apart) {
  const trace = { meta: {}, samples: [], gcs: [] }
  for (const event of events) {
    if (event.type === 'meta') trace.meta = event
    else if (event.type === 'gc') trace.gcs.push(event)
    else if (event.type === 'sample' && !(event.t < trace.samples.at(-1)?.t + apart)) trace.samples.push(event)
  }
  return trace
}

// What of the old space between its live size when the leak began and its limit
// was used up at `t`, as a share; live sizes are those after full collections,
// or the lowest sample where there was none.
function headroomUsed ({ meta, samples, gcs }, begins, t) {
  const live = (from, to) => {
    const inside = (event) => event.t >= from && event.t <= to
    const major = gcs.filter((gc) => gc.kind === 'major' && inside(gc)).at(from === begins ? 0 : -1)
    return major?.heapAfter ?? Math.min(...samples.filter(inside).map((sample) => sample.heapUsed))
  }
  const limit = meta.oldLimit
  const start = live(begins, t)
  return Math.max(0, (live(t - 10_000, t) - start) / (limit - start))
}

module.exports = { list, read, arrange, headroomUsed }
