'use strict'

// What V8 reserves for the young generation. `heap_size_limit` is the limit of
// the old space plus this reserve; only the old space fills up for good.

const v8 = require('node:v8')
const { isMainThread, resourceLimits } = require('node:worker_threads')

const MB = 1024 * 1024

// Three semi-spaces of the default size of that version's V8, measured on
// 20.20, 22.23, 24.21 and 26.10. V8 takes less on machines with little memory
// (which is then not told apart: the old space counts as some MB smaller).
const DEFAULT_RESERVE_MB = { 115: 48, 127: 48, 137: 192, 147: 96 }
const SEMI_SPACES = 3

/** The value of a V8 flag in megabytes, the last given; undefined if none is. */
function flagMb (name) {
  const given = `${process.env.NODE_OPTIONS || ''} ${process.execArgv.join(' ')}`
  const pattern = new RegExp(`(?:^|\\s)--${name.replace(/-/g, '[-_]')}[=\\s](\\d+)`, 'g')
  return [...given.matchAll(pattern)].map((match) => Number(match[1])).at(-1)
}

/**
 * Bytes of this isolate's `heap_size_limit` that belong to the young
 * generation. Exact in Workers and where the old space or the semi-spaces were
 * set by a flag; otherwise this version's default.
 */
function youngReserve () {
  if (!isMainThread && resourceLimits.maxYoungGenerationSizeMb > 0) {
    return resourceLimits.maxYoungGenerationSizeMb * MB
  }
  const limit = v8.getHeapStatistics().heap_size_limit
  const old = flagMb('max-old-space-size') * MB
  if (old > 0 && old < limit) return limit - old
  const semi = flagMb('max-semi-space-size')
  if (semi > 0) return semi * SEMI_SPACES * MB
  return (DEFAULT_RESERVE_MB[process.versions.modules] ?? 48) * MB
}

module.exports = { youngReserve }
