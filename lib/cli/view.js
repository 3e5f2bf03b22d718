'use strict'

// One process on a terminal: what `top` shows, and the few lines that `run`
// keeps at the bottom. Pure: what is known and how wide it may be come in, lines
// come out.

const { latestSites, leakText, pressureText, siteLabel, siteText } = require('../describe')
const { cut } = require('./command')
const { columnsOf, sparkline, wrap } = require('./draw')
const { bytes, ms, percent, seconds } = require('./format')
const { commandOf } = require('./recordings')

const KINDS = ['minor', 'major', 'incremental', 'weakcb']
const LABEL = 12
const VALUE = 10
// Narrower than this there is no room for a sparkline.
const NARROW = 48

/** The longest pause between each sample and the one before, in milliseconds. */
function pausesBySample (samples, gcs) {
  const longest = new Array(samples.length).fill(0)
  let i = 0
  for (const { time, duration } of gcs) {
    while (i < samples.length && samples[i].time < time) i++
    if (i === samples.length) break
    if (duration > longest[i]) longest[i] = duration
  }
  return longest
}

function lastLive (gcs) {
  for (let i = gcs.length - 1; i >= 0; i--) if (gcs[i].kind === 'major') return gcs[i].heapAfter
}

/** For each sample what the last major collection had left. */
function liveBySample (samples, gcs) {
  const majors = gcs.filter(({ kind }) => kind === 'major')
  let i = 0
  let live = NaN
  return samples.map(({ time }) => {
    for (; i < majors.length && majors[i].time <= time; i++) live = majors[i].heapAfter
    return live
  })
}

/** The notes that hold now: leaks and pressure that are not over. */
function verdicts ({ notes, state }) {
  const leaks = new Map()
  const pressure = new Map()
  for (const { kind, data } of notes) {
    if (kind === 'leak') leaks.set(data.metric, data)
    if (kind === 'leakend') leaks.delete(data.metric)
    if (kind === 'pressure') pressure.set(data.reason, data)
    if (kind === 'pressureend') pressure.delete(data.reason)
  }
  const sites = latestSites(notes)
  if (sites.length > 0 && leaks.has('heap')) leaks.set('heap', { ...leaks.get('heap'), sites })
  const active = new Set(state.active ?? [...pressure.keys()])
  return { leaks: [...leaks.values()], pressure: [...pressure.values()].filter(({ reason }) => active.has(reason)) }
}

function percentOfLimit (used, limit) {
  return limit > 0 && used > 0 ? `${percent(used / limit)} of ${bytes(limit)}` : ''
}

/** How a process is, in a word or two. */
function condition ({ alive, state }) {
  return state.state === 'stopped' ? (alive ? 'watch stopped' : 'ended') : alive ? '' : 'died'
}

/**
 * The full view.
 *
 * @param {import('./recordings').Follower} process
 * @param {{ columns: number, rows: number, now: number, keys?: string }} screen
 * @returns {Array<string|{ text: string, style: string }>}
 */
function fullView (process, { columns, rows, now, keys = '' }) {
  const { identity, samples, gcs, pauses, state } = process
  const sample = samples.at(-1) ?? state.sample ?? {}
  const head = [{ text: heading(process, columns, now), style: 'bold' }, '']
  const verdict = verdictLines(process, columns)
  // What is wrong is seen on the shortest terminal, then the gauges as they go.
  const room = rows - head.length - verdict.length - (keys ? 2 : 0)
  const shown = []
  for (const block of [gauges({ samples, gcs, sample, identity }, columns), pauseLines(pauses, columns)]) {
    const left = room - shown.length - 1
    if (left > 0 && (shown.length === 0 || block.length <= left)) shown.push(...block.slice(0, left), '')
  }
  const lines = [...head, ...shown, ...verdict]
  if (keys && lines.length < rows - 1) {
    while (lines.length < rows - 1) lines.push('')
    lines.push({ text: cut(keys, columns), style: 'dim' })
  }
  return lines
}

function heading ({ identity, alive, state }, columns, now) {
  const thread = identity.threadId > 0 ? ` thread ${identity.threadId}` : ''
  const end = alive ? now : state.time
  const word = condition({ alive, state })
  const right = word ? `${word} after ${seconds(end - identity.startTime)}` : `up ${seconds(end - identity.startTime)}`
  const left = `${identity.pid}${thread}  ${commandOf(identity)}`
  const room = columns - right.length - 2
  return room < 12 ? cut(left, columns) : `${cut(left, room).padEnd(room)}  ${right}`
}

function gauges ({ samples, gcs, sample, identity }, columns) {
  const limit = identity.oldSpaceLimit || identity.heapLimit
  const live = lastLive(gcs)
  const of = (field) => samples.map((each) => each[field])
  const longest = pausesBySample(samples, gcs)
  const rows = [
    ['heap live', live === undefined ? '-' : bytes(live), liveBySample(samples, gcs), percentOfLimit(live, limit)],
    ['heap used', bytes(sample.heapUsed ?? 0), of('heapUsed'), percentOfLimit(sample.heapUsed, limit)],
    ['rss', bytes(sample.rss ?? 0), of('rss'), percentOfLimit(sample.rss, sample.memoryLimit)],
    ['external', bytes(sample.external ?? 0), of('external'), ''],
    ['GC load', percent(sample.gcLoad ?? 0), of('gcLoad'), '', { low: 0 }],
    ['GC pause', ms(longest.at(-1) ?? 0), longest, '', { low: 0 }],
    ['allocating', `${bytes(sample.allocationRate ?? 0)}/s`, of('allocationRate'), '', { low: 0 }],
    ['loop delay', ms(sample.loopDelay ?? 0), of('loopDelay'), '', { low: 0 }]
  ]
  if (columns < NARROW) return rows.map(([name, value]) => narrow(name, value, columns))
  const notes = Math.max(...rows.map(([,,, note]) => note.length))
  const bars = Math.max(8, Math.min(60, columns - LABEL - VALUE - 4 - (notes > 0 ? notes + 2 : 0)))
  return rows.map(([name, value, values, note, scale]) =>
    `${name.padEnd(LABEL)}${value.padStart(VALUE)}  ${sparkline(values, bars, scale).padStart(bars)}  ${note}`.trimEnd())
}

function narrow (name, value, columns) {
  const room = Math.max(0, columns - value.length - 1)
  return `${cut(name, room).padEnd(room)} ${value}`.slice(0, columns)
}

function pauseLines (pauses, columns) {
  const seen = KINDS.filter((kind) => pauses[kind]?.count > 0)
  if (seen.length === 0) return ['no garbage collection yet']
  const pause = (name, drop) => ({ title: name, drop, cell: (kind) => ms(pauses[kind][name]) })
  return columnsOf([
    { title: 'GC pauses', left: true, cell: (kind) => kind },
    { title: 'count', drop: 2, cell: (kind) => String(pauses[kind].count) },
    pause('mean', 6), pause('p50', 4), pause('p90', 5), pause('p99', 3), pause('max'),
    { title: 'total', drop: 7, cell: (kind) => seconds(pauses[kind].total) }
  ], seen, columns)
}

function verdictLines (process, columns) {
  const { leaks, pressure } = verdicts(process)
  const lines = []
  for (const leak of leaks) {
    lines.push(...wrap(leakText(leak), columns, '! ', '  ').map((text) => ({ text, style: 'red' })))
    for (const site of (leak.sites ?? []).slice(0, 3)) {
      const share = site.share === undefined ? '' : `${percent(site.share)} `
      lines.push(...wrap(`${share}${siteText(site)}`, columns, '    ', '      '))
    }
  }
  for (const each of pressure) {
    lines.push(...wrap(pressureText(each), columns, '! ', '  ').map((text) => ({ text, style: 'yellow' })))
  }
  return lines.length > 0 ? lines : ['no leak, no pressure']
}

/** The lines at the bottom of the terminal in which `run` shows its app. */
function statusLines (process, { columns, now, note = '' }) {
  const { identity, samples, gcs, pauses, state } = process
  const sample = samples.at(-1) ?? state.sample ?? {}
  const limit = identity.oldSpaceLimit || identity.heapLimit
  const title = ` heapwatch ${identity.pid} ── ${seconds(now - identity.startTime)} ${note ? `── ${note} ` : ''}`
  const rule = `──${cut(title, Math.max(0, columns - 3))}`.padEnd(columns, '─').slice(0, columns)
  const live = lastLive(gcs)
  const worst = Math.max(0, ...Object.values(pauses).map(({ max, count }) => count > 0 ? max : 0))
  const parts = [
    `heap ${bytes(sample.heapUsed ?? 0)}`,
    ...(live === undefined ? [] : [`live ${bytes(live)}${limit > 0 ? ` (${percent(live / limit)})` : ''}`]),
    `rss ${bytes(sample.rss ?? 0)}`,
    `GC ${percent(sample.gcLoad ?? 0)}`,
    `longest pause ${ms(worst)}`
  ]
  let text = parts[0]
  for (const part of parts.slice(1)) if (text.length + part.length + 3 <= columns) text += ` · ${part}`
  const bars = Math.min(60, columns - text.length - 2)
  if (bars >= 8) text = `${text}  ${sparkline(samples.map(({ heapUsed }) => heapUsed), bars)}`
  const { leaks, pressure } = verdicts(process)
  const [leak] = leaks
  const [site] = leak?.sites ?? []
  const verdict = leak
    ? { text: cut(`! ${site ? `${siteLabel(site)}: ` : ''}${leakText(leak)}`, columns), style: 'red' }
    : pressure.length > 0
      ? { text: cut(`! ${pressureText(pressure[0])}`, columns), style: 'yellow' }
      : { text: cut('no leak, no pressure', columns), style: 'dim' }
  return [{ text: rule, style: 'dim' }, cut(text, columns), verdict]
}

module.exports = { condition, fullView, lastLive, pausesBySample, statusLines, verdicts }
