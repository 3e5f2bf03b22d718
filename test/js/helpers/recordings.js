'use strict'

// Recordings as plain data, made of recorded traces: what real programs did,
// with the verdicts of the real detector, where only a reader of recordings is
// tested.

const fs = require('node:fs')
const path = require('node:path')
const zlib = require('node:zlib')
const { Replay } = require('../../../lib/native')

const TRACES = path.join(__dirname, '..', '..', 'fixtures', 'traces')
const START = Date.UTC(2026, 0, 5, 12)

function percentile (sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
}

function pausesOf (gcs, kind) {
  const durations = gcs.filter((gc) => gc.kind === kind).map(({ duration }) => duration).sort((a, b) => a - b)
  const total = durations.reduce((sum, each) => sum + each, 0)
  const count = durations.length
  if (count === 0) return { count: 0, total: 0, min: 0, max: 0, mean: 0, p50: 0, p90: 0, p99: 0, p999: 0 }
  return {
    count,
    total,
    min: durations[0],
    max: durations.at(-1),
    mean: total / count,
    p50: percentile(durations, 0.5),
    p90: percentile(durations, 0.9),
    p99: percentile(durations, 0.99),
    p999: percentile(durations, 0.999)
  }
}

const TYPES = { minor: 'scavenge', major: 'mark-sweep-compact', incremental: 'incremental-marking', weakcb: 'process-weak-callbacks' }

/**
 * What a recording of the program of a trace would hold.
 *
 * @param {string} name of a file in test/fixtures/traces
 * @param {object} [changes] of the facts
 */
function factsOf (name, changes = {}) {
  const text = zlib.gunzipSync(fs.readFileSync(path.join(TRACES, name))).toString()
  const records = text.split('\n').filter(Boolean).map((line) => JSON.parse(line))
  const meta = records.find(({ type }) => type === 'meta')
  const replay = new Replay({ leak: {} })
  const verdicts = [...replay.push(Buffer.from(text)), ...replay.finish()].filter(({ metric }) => metric)
  const gcs = records.filter(({ type }) => type === 'gc').map(({ t, kind, duration, heapBefore, heapAfter }) => ({
    time: START + t, kind, type: TYPES[kind], startTime: t - duration, duration, heapBefore, heapAfter, freed: heapBefore - heapAfter
  }))
  let before = 0
  const samples = records.filter(({ type }) => type === 'sample').map(({ t, type, ...fields }) => {
    const gcTime = gcs.filter(({ time }) => time > START + before && time <= START + t).reduce((sum, { duration }) => sum + duration, 0)
    const gcLoad = Math.min(1, gcTime / (t - before))
    before = t
    return { heapLimit: meta.heapLimit, memoryLimit: meta.memoryLimit, loopDelay: 0, allocationRate: 0, ...fields, time: START + t, gcTime, gcLoad }
  })
  const leaking = new Set()
  const notes = verdicts.map(({ over, ...leak }) => {
    if (over) leaking.delete(leak.metric)
    else leaking.add(leak.metric)
    return { time: START + leak.time, kind: over ? 'leakend' : 'leak', data: { ...leak, time: START + leak.time, since: START + leak.since } }
  })
  return {
    path: '/dev/shm/heapwatch-1000/4711-0-1.hwrec',
    identity: {
      pid: 4711,
      threadId: 0,
      argv: ['/usr/bin/node', '/srv/app/server.js'],
      nodeVersion: meta.node,
      heapwatchVersion: '0.1.0',
      host: 'host',
      startTime: START,
      interval: meta.interval,
      heapLimit: meta.heapLimit,
      oldSpaceLimit: meta.oldLimit,
      memoryLimit: meta.memoryLimit
    },
    alive: true,
    state: { state: 'running', time: samples.at(-1).time, sample: samples.at(-1), active: [], leaking: [...leaking], dropped: 0 },
    samples,
    minutes: [],
    gcs,
    pauses: Object.fromEntries(Object.keys(TYPES).map((kind) => [kind, pausesOf(gcs, kind)])),
    notes,
    ...changes
  }
}

module.exports = { factsOf }
