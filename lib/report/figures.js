'use strict'

// What a recording comes to in numbers: the same for the report, the summary
// after `heapwatch run`, and the doctor, who reads his evidence from here.

/**
 * @typedef {object} Facts everything in a recording, as plain data
 * @property {string} path
 * @property {object} identity
 * @property {boolean} alive
 * @property {object} state
 * @property {object[]} samples
 * @property {object[]} minutes
 * @property {object} peaks the highest of all minutes and samples, by field; what there is of samples is counted besides
 * @property {object[]} gcs
 * @property {Float64Array} [sampleNumbers] instead of samples
 * @property {(time: number, ms: number) => object[]} [gcsNear] where gcs are only the major ones
 * @property {object} pauses
 * @property {object[]} notes
 */

const { SAMPLE_FIELDS, SAMPLE_LENGTH, readSample } = require('../records')

const WINDOW = 10_000

/**
 * Reads all of an open recording, off the main thread where that takes long.
 * Unless `all` is asked for: of the samples only the numbers, of the minutes
 * the peaks, of the collections the major ones and those near a time. Findings
 * and figures need no more, and tens of thousands of objects take as long as
 * everything else together.
 *
 * @returns {Promise<Facts>}
 */
async function readFacts (recording, path, { all = false } = {}) {
  await recording.load()
  const facts = {
    path,
    identity: recording.identity,
    alive: recording.alive,
    state: recording.state(),
    samples: [],
    minutes: [],
    peaks: recording.peaks(),
    gcs: [],
    pauses: recording.pauses(),
    notes: recording.notes()
  }
  if (all) return Object.assign(facts, { samples: recording.samples(), minutes: recording.minutes(), gcs: recording.gcs() })
  const { sampleNumbers, majors, gcsNear } = recording.digest()
  return Object.assign(facts, { sampleNumbers, gcs: majors, gcsNear })
}

function greatest (list, of) {
  let most = 0
  for (const each of list) if (of(each) > most) most = of(each)
  return most
}

/** The value below which `share` of the list lies. */
function quantile (list, share) {
  if (list.length === 0) return 0
  const sorted = Float64Array.from(list).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
}

// Where fields are in the numbers of a sample.
const AT = Object.fromEntries(SAMPLE_FIELDS.map((field, i) => [field, i]))

function numbersOf (samples) {
  const numbers = new Float64Array(samples.length * SAMPLE_LENGTH)
  samples.forEach((sample, i) => SAMPLE_FIELDS.forEach((field, k) => { numbers[i * SAMPLE_LENGTH + k] = sample[field] }))
  return numbers
}

/** The most time in GC of any ten seconds, as a share: { share, time } of its end. */
function worstGcLoad (n) {
  const { time, gcTime } = AT
  let worst = { share: 0, time: 0 }
  let from = 0
  let sum = 0
  for (let i = SAMPLE_LENGTH; i < n.length; i += SAMPLE_LENGTH) {
    sum += n[i + gcTime]
    while (from < i - SAMPLE_LENGTH && n[i + time] - n[from + time] > WINDOW) {
      from += SAMPLE_LENGTH
      sum -= n[from + gcTime]
    }
    const span = n[i + time] - n[from + time]
    if (span >= WINDOW * 0.8 && sum / span > worst.share) worst = { share: sum / span, time: n[i + time] }
  }
  return { ...worst, share: Math.min(1, worst.share) }
}

/** All values of a field; 0 where it is not known. */
function columnOf (numbers, field) {
  const column = new Float64Array(numbers.length / SAMPLE_LENGTH)
  for (let i = 0, at = AT[field]; i < column.length; i++, at += SAMPLE_LENGTH) column[i] = numbers[at] || 0
  return column
}

/** The heap after each major collection that is kept: what was live, and some garbage. */
function liveHeap (gcs) {
  return gcs.filter(({ kind }) => kind === 'major').map(({ time, heapAfter, freed }) => ({ time, heapAfter, freed }))
}

/** @param {Facts} facts */
function figures (facts) {
  const { identity, samples, peaks = {}, gcs, pauses, state } = facts
  const numbers = facts.sampleNumbers ?? numbersOf(samples)
  const last = numbers.length > 0 ? readSample(numbers, numbers.length - SAMPLE_LENGTH) : state.sample ?? {}
  const live = liveHeap(gcs)
  const highest = (field) => columnOf(samples.length > 0 ? numbers : [], field)
    .reduce((most, value) => Math.max(most, value), Math.max(peaks[field] ?? 0, last[field] || 0))
  const rates = columnOf(numbers, 'allocationRate')
  const begin = identity.startTime
  const end = Math.max(last.time ?? 0, gcs.at(-1)?.time ?? 0, state.time ?? 0, begin)
  const kinds = Object.values(pauses)
  const gcTime = kinds.reduce((sum, { total }) => sum + total, 0)
  return {
    begin,
    end,
    duration: end - begin,
    last,
    first: numbers.length > 0 ? readSample(numbers, 0) : last,
    peak: Object.fromEntries(['heapUsed', 'heapTotal', 'rss', 'external', 'arrayBuffers', 'loopDelay']
      .map((field) => [field, highest(field)])),
    live: { count: live.length, last: live.at(-1)?.heapAfter, max: greatest(live, ({ heapAfter }) => heapAfter) || undefined },
    oldSpaceLimit: identity.oldSpaceLimit || identity.heapLimit,
    heapLimit: last.heapLimit || identity.heapLimit,
    memoryLimit: last.memoryLimit || identity.memoryLimit || 0,
    gcs: kinds.reduce((sum, { count }) => sum + count, 0),
    gcTime,
    gcShare: end > begin ? Math.min(1, gcTime / (end - begin)) : 0,
    worstGcLoad: worstGcLoad(numbers),
    allocationRate: rates.length === 0 ? 0 : rates.reduce((sum, rate) => sum + rate, 0) / rates.length,
    loopDelayP99: quantile(columnOf(numbers, 'loopDelay'), 0.99)
  }
}

module.exports = { figures, liveHeap, quantile, readFacts }
