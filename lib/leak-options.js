'use strict'

// Every threshold of the leak detector: its range and what it trades. The
// defaults are the detector's own.

const { leakDefaults } = require('./native')
const { integer, number } = require('./checks')

const DAY = 24 * 3_600_000
const SIZE = [0, 2 ** 50]
const SHARE = [0, 1]
const FACTOR = [0, 1000]
const TIME = [0, 30 * DAY]

const RANGES = {
  alpha: [1e-9, 0.5],
  minGrowth: SIZE,
  minGrowthShare: SHARE,
  minNativeGrowth: SIZE,
  minNativeGrowthShare: SHARE,
  minContexts: SIZE,
  sustained: FACTOR,
  evidence: TIME,
  headroomShare: SHARE,
  minEvidence: TIME,
  leftShare: SHARE,
  pastShare: SHARE,
  far: TIME,
  distant: TIME,
  wave: TIME,
  holdShare: FACTOR,
  hold: TIME,
  withdraw: TIME,
  fewSteady: FACTOR,
  fewUnsteady: FACTOR,
  fewRetained: FACTOR,
  fallback: TIME,
  fallbackHeap: TIME,
  fallbackGrowth: FACTOR,
  fallbackRetained: FACTOR,
  end: TIME,
  endShare: SHARE,
  bucket: [1, 3_600_000],
  envelope: [1, 3_600_000],
  assumedHeadroom: SIZE
}

// A window holds 32 points; fewer than 4 show no trend.
const COUNTS = { minPoints: [4, 32], minEnvelopePoints: [4, 32] }

const group = (ranges, check) => Object.entries(ranges).map(([name, range]) =>
  [name, { default: leakDefaults[name], check: check(...range) }])

/** For each option its default and its check, as lib/options.js wants them. */
const LEAK = Object.fromEntries([...group(RANGES, number), ...group(COUNTS, integer)])

module.exports = { LEAK }
