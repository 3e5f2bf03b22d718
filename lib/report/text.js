'use strict'

// The report for a terminal: first what is wrong, then the figures.

const { siteText } = require('../describe')
const { bytes, ms, percent, seconds } = require('../cli/format')
const { columnsOf, wrap } = require('../cli/draw')
const { commandOf } = require('../cli/recordings')
const { when } = require('./doctor')

const MARKS = { critical: '!!', warning: '! ', info: '- ', good: 'ok' }
const KINDS = ['minor', 'major', 'incremental', 'weakcb']

/**
 * @param {import('./figures').Facts} facts
 * @param {object} figures of them
 * @param {import('./doctor').Finding[]} findings
 * @param {number} width
 */
function reportText (facts, figures, findings, width = 80) {
  return [
    ...heading(facts, figures, width),
    '',
    ...findings.flatMap((finding) => findingLines(finding, width)),
    ...figureLines(figures, width),
    '',
    ...pauseLines(facts.pauses, width),
    '',
    // Whole, to be copied.
    `Recording: ${facts.path}`
  ].join('\n') + '\n'
}

/** How it ended, or that it has not. */
function ending ({ alive, state }) {
  if (state.state === 'stopped') return alive ? 'its watch was stopped' : 'ended'
  return alive ? 'alive' : 'killed or crashed'
}

function heading ({ identity, alive, state }, { begin, end, duration }, width) {
  const thread = identity.threadId > 0 ? `, thread ${identity.threadId}` : ''
  return [
    ...wrap(`${commandOf(identity)} (process ${identity.pid}${thread}): ${ending({ alive, state })}`, width),
    ...wrap(`${when(begin)} to ${when(end)}, ${seconds(duration)}; Node.js ${identity.nodeVersion} on ${identity.host ?? 'an unknown host'}`, width)
  ]
}

function findingLines ({ severity, finding, evidence, advice, sites = [] }, width) {
  return [
    ...wrap(finding, width, `${MARKS[severity]} `, '   '),
    ...evidence.flatMap((text) => wrap(text, width, '     ', '     ')),
    ...sites.slice(0, 5).flatMap((site) => wrap(siteLine(site), width, '     ', '       ')),
    ...advice.flatMap((text) => wrap(text, width, '   > ', '     ')),
    ''
  ]
}

/** "62 %  1.2 MB/s  createOrder (server.js:41:12)" */
function siteLine (site) {
  const share = site.share === undefined ? [] : [percent(site.share)]
  const rate = site.growthRate === undefined ? [] : [`${bytes(site.growthRate)}/s`]
  return [...share, ...rate, siteText(site)].join('  ')
}

function figureLines (figures, width) {
  const { last, peak, live, oldSpaceLimit, memoryLimit } = figures
  const row = (name, now, most, limit) => ({
    name,
    now: Number.isFinite(now) ? bytes(now) : '-',
    most: Number.isFinite(most) ? bytes(most) : '-',
    limit: limit > 0 ? bytes(limit) : '-',
    share: limit > 0 && Number.isFinite(most) ? percent(most / limit) : '-'
  })
  return [
    ...columnsOf([
      { title: 'memory', left: true, stretch: true, cell: ({ name }) => name },
      { title: 'last', cell: ({ now }) => now },
      { title: 'most', drop: 1, cell: ({ most }) => most },
      { title: 'limit', drop: 3, cell: ({ limit }) => limit },
      { title: 'most of it', drop: 2, cell: ({ share }) => share }
    ], [
      row('heap live', live.last, live.max, oldSpaceLimit),
      row('heap used', last.heapUsed, peak.heapUsed, oldSpaceLimit),
      row('heap total', last.heapTotal, peak.heapTotal),
      row('rss', last.rss, peak.rss, memoryLimit),
      row('external', last.external, peak.external),
      row('ArrayBuffers', last.arrayBuffers, peak.arrayBuffers)
    ], width),
    '',
    ...wrap(`${figures.gcs} collections took ${seconds(figures.gcTime)} (${percent(figures.gcShare)}); ` +
      `${bytes(figures.allocationRate)}/s were allocated; the event loop was late by ${ms(peak.loopDelay)} at most.`, width)
  ]
}

function pauseLines (pauses, width) {
  const seen = KINDS.filter((kind) => pauses[kind]?.count > 0)
  if (seen.length === 0) return []
  const pause = (name, drop) => ({ title: name, drop, cell: (kind) => ms(pauses[kind][name]) })
  return columnsOf([
    { title: 'GC pauses', left: true, cell: (kind) => kind },
    { title: 'count', cell: (kind) => String(pauses[kind].count), drop: 2 },
    pause('mean', 7), pause('p50', 4), pause('p90', 5), pause('p99', 3), pause('p999', 6), pause('max')
  ], seen, width)
}

module.exports = { ending, pauseLines, reportText, siteLine }
