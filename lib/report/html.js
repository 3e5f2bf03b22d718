'use strict'

// Pages: the report as one file that needs nothing else, and the frame of the
// live pages, whose data comes later.

const { bytes, ms, seconds } = require('../cli/format')
const { commandOf } = require('../cli/recordings')
const { asset } = require('./assets')
const { when } = require('./doctor')
const { ending, siteLine } = require('./text')

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

function escape (text) {
  return String(text).replace(/[&<>"']/g, (c) => ESCAPES[c])
}

/** JSON that may stand inside a script element. */
function embed (value) {
  return JSON.stringify(value).replace(/</g, '\\u003c').replace(/\u2028/g, '\\u2028').replace(/\u2029/g, '\\u2029')
}

/**
 * What the charts draw, column by column: a third of the size of objects.
 *
 * @param {import('./figures').Facts} facts
 */
function chartData ({ identity, samples, minutes, gcs, notes }) {
  const before = minutesBefore(minutes, samples[0]?.time)
  const mean = (value) => value?.mean ?? value ?? null
  const column = (field) => [...before.map((minute) => mean(minute[field])), ...samples.map((sample) => known(sample[field]))]
  const fields = ['heapUsed', 'heapTotal', 'heapLimit', 'rss', 'external', 'arrayBuffers', 'memoryLimit', 'gcLoad', 'allocationRate', 'loopDelay']
  const columns = Object.fromEntries(fields.map((field) => [field, column(field)]))
  // A minute knows the time in GC, a sample the share.
  before.forEach((minute, i) => {
    if (columns.gcLoad[i] === null && minute.gcTime !== undefined) columns.gcLoad[i] = Math.min(1, minute.gcTime / 60_000)
  })
  return {
    command: commandOf(identity),
    startTime: identity.startTime,
    oldSpaceLimit: identity.oldSpaceLimit || 0,
    time: [...before.map(middle), ...samples.map(({ time }) => time)],
    ...columns,
    // Of the time before the collections that are kept.
    past: pastLive(minutesBefore(minutes, gcs[0]?.time)),
    gcs: {
      time: gcs.map(({ time }) => time),
      kind: gcs.map(({ kind }) => kind),
      duration: gcs.map(({ duration }) => Math.round(duration * 1000) / 1000),
      heapAfter: gcs.map(({ heapAfter }) => heapAfter)
    },
    marks: notes.filter(({ kind }) => kind !== 'sites' && kind !== 'timeline').map(mark)
  }
}

// As many as there are colours for; the rest is one more.
const STACKED_SITES = 6

/**
 * What the sites' chart draws: of the newest timeline, for each interval in
 * which something was allocated, how much of that is alive, by site.
 */
function timelineOf (notes) {
  const timeline = notes.findLast(({ kind, data }) => kind === 'timeline' && data?.intervals?.length > 1)
  if (timeline === undefined) return undefined
  const { intervals, sites } = timeline.data
  const seconds = intervals.map(({ start, end }) => Math.max(1, end - start) / 1000)
  // Intervals differ in length: by the second they can be compared.
  const rates = (values) => values.map((value, i) => value / seconds[i])
  const stacked = sites.filter((site) => site.timeline?.length === intervals.length).slice(0, STACKED_SITES)
  const others = intervals.map(({ bytes }, i) => Math.max(0, stacked.reduce((left, site) => left - site.timeline[i], bytes)))
  return {
    time: [...intervals.map(({ start }) => start), intervals.at(-1).end],
    names: [...stacked.map((site) => frame(site)), 'all others'],
    rates: [...stacked.map((site) => rates(site.timeline)), rates(others)]
  }
}

const MINUTE = 60_000

/** Minutes that were over at a time: what has no finer record. */
function minutesBefore (minutes, until = Infinity) {
  return minutes.filter(({ time }) => time + MINUTE <= until)
}

const middle = ({ time }) => time + MINUTE / 2

function pastLive (minutes) {
  const live = minutes.filter(({ heapLive }) => heapLive > 0)
  return { time: live.map(middle), heapLive: live.map(({ heapLive }) => heapLive) }
}

const known = (value) => Number.isFinite(value) ? value : null

/** A verdict as a line through the charts. */
function mark ({ time, kind, data = {} }) {
  const what = data.metric ?? data.reason ?? ''
  return { time: data.time ?? time, kind, label: kind.endsWith('end') ? `${what} over` : `${kind} ${what}`.trim() }
}

/** The whole report as one HTML file. */
function reportHtml (facts, figures, findings, now = Date.now()) {
  const { identity } = facts
  const name = commandOf(identity)
  return page({
    title: `${name} (${identity.pid}) – heapwatch`,
    style: `${asset('uPlot.css')}\n${asset('page.css')}`,
    body: `<header><h1>${escape(name)}</h1>
<p>${escape(headline(facts, figures))}</p></header>
<main>
<section id="findings">${findingsHtml(findings)}</section>
<section id="charts"></section>
${figuresHtml(facts, figures)}
</main>
<footer>Made by heapwatch ${escape(identity.heapwatchVersion ?? '')} at ${escape(when(now))} from ${escape(facts.path)}</footer>`,
    scripts: `<script>${script(asset('uPlot.js'))}</script>
<script>${script(asset('charts.js'))}</script>
<script>heapwatchCharts(document.getElementById('charts'), ${embed({ ...chartData(facts), sites: timelineOf(facts.notes) })})</script>`
  })
}

// A library that had this in a string would end its element.
function script (text) {
  return text.replace(/<\/script/gi, '<\\/script')
}

function headline ({ identity, alive, state }, { begin, end, duration }) {
  const thread = identity.threadId > 0 ? `, thread ${identity.threadId}` : ''
  return `Process ${identity.pid}${thread}: ${ending({ alive, state })}. ${when(begin)} to ${when(end)}, ${seconds(duration)}. ` +
    `Node.js ${identity.nodeVersion} on ${identity.host ?? 'an unknown host'}.`
}

function findingsHtml (findings) {
  return findings.map(({ severity, id, finding, evidence, advice, sites = [] }) => `
<article class="${severity}" data-finding="${escape(id)}"><h2>${escape(finding)}</h2>
${list(evidence)}${sites.length > 0 ? `<ol class="sites">${sites.slice(0, 5).map(siteHtml).join('')}</ol>` : ''}
${advice.map((text) => `<p class="advice">${escape(text)}</p>`).join('')}</article>`).join('')
}

function siteHtml (site) {
  const stack = Array.isArray(site.stack) && site.stack.length > 1
    ? `<details><summary>called from</summary><pre>${escape(site.stack.map(frame).join('\n'))}</pre></details>`
    : ''
  return `<li><code>${escape(siteLine(site))}</code>${stack}</li>`
}

function frame (each) {
  return typeof each === 'string' ? each : siteLine({ ...each, share: undefined, growthRate: undefined })
}

function list (texts) {
  return texts.length === 0 ? '' : `<ul>${texts.map((text) => `<li>${escape(text)}</li>`).join('')}</ul>`
}

function figuresHtml ({ pauses }, { last, peak, live, oldSpaceLimit, memoryLimit }) {
  const memory = [
    ['heap live', live.last, live.max, oldSpaceLimit], ['heap used', last.heapUsed, peak.heapUsed, oldSpaceLimit],
    ['heap total', last.heapTotal, peak.heapTotal, 0], ['rss', last.rss, peak.rss, memoryLimit],
    ['external', last.external, peak.external, 0], ['ArrayBuffers', last.arrayBuffers, peak.arrayBuffers, 0]
  ].map(([name, ...values]) => [name, ...values.map((value) => value > 0 ? bytes(value) : '–')])
  const kinds = Object.entries(pauses).filter(([, { count }]) => count > 0)
  const columns = ['mean', 'p50', 'p90', 'p99', 'p999', 'max']
  return `<section id="figures">${tableHtml(['memory', 'last', 'most', 'limit'], memory)}
${tableHtml(['GC pauses', 'count', ...columns, 'total'], kinds.map(([kind, values]) =>
    [kind, values.count, ...columns.map((name) => ms(values[name])), seconds(values.total)]))}</section>`
}

function tableHtml (titles, rows) {
  const cells = (tag) => (row) => `<tr>${row.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join('')}</tr>`
  return `<table><thead>${cells('th')(titles)}</thead><tbody>${rows.map(cells('td')).join('')}</tbody></table>`
}

function page ({ title, style = '', head = '', body, scripts = '' }) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${escape(title)}</title>
${style ? `<style>${style}</style>` : ''}${head}
</head>
<body>
${body}
${scripts}
</body>
</html>
`
}

module.exports = { chartData, escape, figuresHtml, findingsHtml, headline, mark, page, reportHtml }
