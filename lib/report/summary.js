'use strict'

// What one wants to know right after a process has ended, on one screen.

const { ownText } = require('../describe')
const { bytes, ms, percent, seconds } = require('../cli/format')
const { wrap } = require('../cli/draw')
const { commandOf } = require('../cli/recordings')
const { diagnose } = require('./doctor')
const { figures } = require('./figures')

const MARKS = { critical: '!!', warning: '! ', info: '- ', good: 'ok' }
const FINDINGS = 3

/** "exited with code 0", "was killed by SIGKILL" */
function endText ({ code, signal }) {
  return signal ? `was ended by ${signal}` : `exited with code ${code}`
}

/**
 * @param {import('./figures').Facts} facts
 * @param {{ code: number|null, signal: string|null }} end how the process ended
 * @param {number} width
 * @returns {string[]} lines
 */
function summaryLines (facts, end, width) {
  const numbers = figures(facts)
  const { last, peak, live, oldSpaceLimit, memoryLimit } = numbers
  const limit = (used, of) => of > 0 && used > 0 ? ` (${percent(used / of)} of ${bytes(of)})` : ''
  const longest = Object.values(facts.pauses).reduce((most, { count, max }) => count > 0 ? Math.max(most, max) : most, 0)
  return [
    '──── heapwatch '.padEnd(Math.min(width, 80), '─').slice(0, width),
    ...wrap(`${commandOf(facts.identity)} (process ${facts.identity.pid}) ${endText(end)} after ${seconds(numbers.duration)}`, width),
    // How it ended stands above.
    ...diagnose(facts, numbers).filter(({ id }) => id !== 'killed').slice(0, FINDINGS).flatMap((finding) => findingLines(finding, width)),
    ...wrap(`heap ${bytes(last.heapUsed ?? 0)}, ${bytes(peak.heapUsed)} at most${limit(peak.heapUsed, oldSpaceLimit)}` +
      `${live.last === undefined ? '' : `; live ${bytes(live.last)}`}; rss ${bytes(last.rss ?? 0)}, ${bytes(peak.rss)} at most${limit(peak.rss, memoryLimit)}`,
    width, '   ', '   '),
    ...wrap(`${numbers.gcs} collections took ${seconds(numbers.gcTime)} (${percent(numbers.gcShare)}), the longest ${ms(longest)}`, width, '   ', '   '),
    // Whole, to be copied.
    `   heapwatch report ${facts.path}`
  ]
}

function findingLines ({ severity, finding, evidence, advice, sites = [] }, width) {
  return [
    ...wrap(finding, width, `${MARKS[severity]} `, '   '),
    ...evidence.slice(0, 2).flatMap((text) => wrap(text, width, '     ')),
    ...[...new Set(sites.map(ownText))].slice(0, 2).flatMap((text) => wrap(text, width, '     at ', '       ')),
    ...advice.slice(0, 1).flatMap((text) => wrap(text, width, '   > ', '     '))
  ]
}

module.exports = { endText, summaryLines }
