'use strict'

// The post-mortem, as a doctor would give it: a finding, what it rests on, and
// what to do. A pure function of what a recording holds.
//
// Nothing is found that is not in the recording. Where it only makes something
// likely, the finding says so.

const { METRICS, amount, latestSites, leakText, ownText } = require('../describe')
const { bytes, ms, percent, seconds } = require('../cli/format')
const { figures, liveHeap } = require('./figures')

/**
 * @typedef {object} Finding
 * @property {string} id one of those in docs/commands.md
 * @property {'critical'|'warning'|'info'|'good'} severity
 * @property {string} finding one sentence
 * @property {string[]} evidence
 * @property {string[]} advice
 * @property {object[]} [sites] of a leak: the allocation sites, most first
 */

const SEVERITIES = ['critical', 'warning', 'info', 'good']

// From where on a figure is worth a word.
const NEAR_LIMIT = 0.85 // of the live heap
const AT_LIMIT = 0.92 // of what is used, at a death
const NEAR_MEMORY = 0.9 // of rss
const THRASHING = 0.3 // of the time in GC
const BUSY_GC = 0.1
const LONG_PAUSE = 200 // ms
const LONG_DELAY = 500 // ms
const UNEXPLAINED = 0.5 // of rss outside of what V8 and Node.js know of
const FRESH = 15_000 // ms between the last sign of life and what came before

const SNAPSHOTS = 'Take two heap snapshots some minutes apart and run: heapwatch why OLDER NEWER'

/** "2026-01-05 14:03:09", local time. By hand: the first use of Intl takes 10 ms and more. */
function when (time) {
  const date = new Date(time)
  if (Number.isNaN(date.getTime())) return 'an unknown time'
  const two = (n) => String(n).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
}

/** What the examinations look at. */
function patient (facts, numbers) {
  const died = !facts.alive && facts.state.state !== 'stopped'
  return { ...facts, figures: numbers, died, live: liveHeap(facts.gcs) }
}

// -- Examinations: each gives a finding, several, or nothing -----------------

/** What it died of, as far as its memory tells. */
function death ({ alive, died, notes, figures: { last, live, end, oldSpaceLimit, memoryLimit, worstGcLoad }, gcs, state }) {
  if (alive || !died) return
  const evidence = [`the last sign of life is of ${when(end)}; the watch was not stopped, so the process was killed or crashed`]
  const heap = Math.max(last.heapUsed || 0, live.last || 0)
  const recent = gcs.filter(({ kind, time }) => kind === 'major' && end - time < FRESH)
  if (oldSpaceLimit > 0 && heap >= AT_LIMIT * oldSpaceLimit) {
    const freed = recent.reduce((sum, gc) => sum + Math.max(0, gc.freed), 0)
    return {
      id: 'out-of-memory',
      severity: 'critical',
      finding: 'It died of its heap limit (JavaScript heap out of memory).',
      evidence: [
        ...evidence,
        `${bytes(heap)} of ${bytes(oldSpaceLimit)} were in use (${percent(heap / oldSpaceLimit)})`,
        ...(recent.length > 0
          ? [`the ${recent.length} major collections of its last ${seconds(FRESH)} freed ${bytes(freed)} in all`]
          : []),
        ...(worstGcLoad.share > THRASHING ? [`${percent(worstGcLoad.share)} of the time went into collecting`] : [])
      ],
      advice: ['If the live heap is what the app needs, raise --max-old-space-size; if it leaks, that only postpones it.'],
      // Those of a leak stand with it.
      sites: notes.some(({ kind, data }) => kind === 'leak' && data.metric === 'heap') ? [] : latestSites(notes)
    }
  }
  if (memoryLimit > 0 && last.rss >= NEAR_MEMORY * memoryLimit) {
    return {
      id: 'container-kill',
      severity: 'critical',
      finding: 'It was killed for its container\'s memory limit, most likely.',
      evidence: [...evidence, `rss was ${bytes(last.rss)} of ${bytes(memoryLimit)} (${percent(last.rss / memoryLimit)})`],
      advice: ['Look for "oom-kill" in the kernel\'s log or for OOMKilled at the container.',
        'Give the container more memory, or the process less: see the other findings for where it went.']
    }
  }
  return {
    id: 'killed',
    severity: 'warning',
    finding: 'It was killed or crashed, and not for want of memory as far as its recording shows.',
    evidence: [...evidence, `its heap was ${bytes(heap)}` + (oldSpaceLimit > 0 ? ` of ${bytes(oldSpaceLimit)}` : '') +
      `, rss ${bytes(last.rss || 0)}` + (memoryLimit > 0 ? ` of ${bytes(memoryLimit)}` : '')],
    advice: ['Look at its exit code or signal, and at its last words on stderr.' +
      (state.sample ? '' : ' There is no sample: it lived too short.')]
  }
}

/** Leaks, established ones first; those that are over come as a note. */
function leaks ({ notes }) {
  const episodes = new Map()
  const over = []
  for (const { kind, time, data } of notes) {
    if (kind === 'leak') episodes.set(data.metric, { ...data, time: data.time ?? time })
    if (kind === 'cause' && episodes.has(data.metric)) episodes.get(data.metric).cause = data
    if (kind === 'leakend') {
      episodes.delete(data.metric)
      over.push(data)
    }
  }
  // Sites that became known after the verdict.
  const sites = latestSites(notes)
  if (sites.length > 0 && episodes.has('heap')) episodes.get('heap').sites = sites
  return [
    ...[...episodes.values()].map(leakFinding),
    ...over.map((leak) => ({
      id: 'leak-over',
      severity: 'info',
      finding: `${capital(METRICS[leak.metric] ?? leak.metric)} leaked for ${seconds(leak.duration)} and no longer does.`,
      evidence: [`${amount(leak.metric, leak.growth)} since ${when(leak.since)}`],
      advice: ['A cache that has filled looks like this. It is worth a look if it comes again.']
    }))
  ]
}

function leakFinding (leak) {
  const { cause, sites = [] } = leak
  const known = cause !== undefined && cause.kind !== 'unknown'
  const evidence = [
    `since ${when(leak.since)}, told at ${when(leak.time)}`,
    `rate between ${amount(leak.metric, leak.rateLow ?? leak.rate)}/s and ${amount(leak.metric, leak.rateHigh ?? leak.rate)}/s` +
      ` (confidence ${leak.confidence.toFixed(2)}${leak.basis ? `, by ${leak.basis}` : ''})`,
    ...(cause === undefined ? [] : [`${known ? 'why' : 'no cause is known'}: ${cause.description}`]),
    ...(cause?.grown?.length > 0 ? [`between its snapshots grew: ${cause.grown.map(grownText).join(', ')}`] : []),
    ...(typeof leak.timeToLimit === 'number' ? [`at that rate the limit is reached at ${when(leak.time + leak.timeToLimit)}`] : [])
  ]
  return {
    id: 'leak',
    severity: 'critical',
    finding: `${capital(leakText(leak))}.`,
    evidence,
    advice: known
      ? ['That is what keeps it: let go there of what is no longer needed, or give it a bound.']
      : leakAdvice(leak.metric, sites),
    sites
  }
}

/** "Session +4,812 (1.2 MB)" */
function grownText ({ name, added, bytes: grown }) {
  return `${name} ${added < 0 ? '' : '+'}${added.toLocaleString('en-US')} (${bytes(grown)})`
}

function leakAdvice (metric, sites) {
  const [site] = sites
  if (site) {
    return [`Look at what ${ownText(site)} allocates, and who keeps it.`, `${SNAPSHOTS}, which tells what keeps it.`]
  }
  switch (metric) {
    case 'heap': return [`${SNAPSHOTS}.`]
    case 'arrayBuffers': return ['Look for Buffers that are kept: queues without backpressure, caches of bodies, slices of large Buffers.']
    case 'external': return ['Look for objects of native code that are kept: they count as external memory of the JavaScript objects that own them.']
    case 'native': return [
      'The memory is outside of V8: a native addon, or malloc\'s own fragmentation.',
      'To tell which, run it with MALLOC_ARENA_MAX=2 or with jemalloc preloaded: fragmentation shrinks, a leak does not.'
    ]
    case 'contexts': return ['Look for vm contexts, realms or jsdom windows that are kept.']
  }
  return [`${SNAPSHOTS}.`]
}

/** What can be said where no leak was found. */
function noLeak ({ notes, live, figures: { duration, live: { last } } }) {
  if (notes.some(({ kind }) => kind === 'leak')) return
  const enough = live.length >= 6 && duration > 60_000
  const recent = live.slice(-20).map(({ heapAfter }) => heapAfter)
  const range = recent.length === 0
    ? 'no major collection was recorded: nobody knows what of the heap was live'
    : `after the last ${recent.length} major collections it was between ${bytes(Math.min(...recent))} and ${bytes(Math.max(...recent))}`
  return {
    id: 'no-leak',
    severity: enough ? 'good' : 'info',
    finding: enough
      ? `No leak was found in ${seconds(duration)}; the live heap is ${bytes(last)}.`
      : 'No leak was found, but it was watched too briefly, or collected too seldom, to exclude one.',
    evidence: [range, `watched for ${seconds(duration)}`],
    advice: enough ? [] : ['Leave the watch on: it tells by itself.']
  }
}

function nearLimit ({ died, figures: { live, oldSpaceLimit, last } }) {
  const most = live.max ?? 0
  if (!(oldSpaceLimit > 0) || most < NEAR_LIMIT * oldSpaceLimit) return
  if (died && Math.max(last.heapUsed || 0, live.last || 0) >= AT_LIMIT * oldSpaceLimit) return
  return {
    id: 'heap-limit',
    severity: 'warning',
    finding: `The live heap came up to ${percent(most / oldSpaceLimit)} of its limit.`,
    evidence: [`${bytes(most)} of ${bytes(oldSpaceLimit)} were in use right after a major collection`],
    advice: ['Near the limit V8 collects more and more. Give it room with --max-old-space-size, or keep less.']
  }
}

function thrashing ({ notes, gcs, gcsNear, pauses, figures: { worstGcLoad: { share, time }, gcShare, live, oldSpaceLimit } }) {
  const told = notes.some(({ kind, data }) => kind === 'pressure' && data.reason === 'gc-load')
  if (!told && share < THRASHING && gcShare < BUSY_GC) return
  const near = gcsNear?.(time, 10_000) ?? gcs.filter((gc) => Math.abs(gc.time - time) < 10_000)
  const majors = near.filter(({ kind }) => kind === 'major')
  const majorTime = majors.reduce((sum, { duration }) => sum + duration, 0)
  const minorTime = near.filter(({ kind }) => kind === 'minor').reduce((sum, { duration }) => sum + duration, 0)
  const full = oldSpaceLimit > 0 && live.max > 0.7 * oldSpaceLimit
  const evidence = [
    `${percent(gcShare)} of all its time, and ${percent(share)} of the ten seconds before ${when(time)}`,
    `${pauses.minor?.count ?? 0} minor collections took ${seconds(pauses.minor?.total ?? 0)}, ${pauses.major?.count ?? 0} major ones ${seconds(pauses.major?.total ?? 0)}`
  ]
  return {
    id: 'gc-load',
    severity: share >= THRASHING || told ? 'warning' : 'info',
    finding: full
      ? 'It spent its time collecting garbage, because its heap was nearly full.'
      : 'A good part of its time goes into garbage collection.',
    evidence,
    advice: [full || majorTime > minorTime
      ? 'Most of it is major collections: they go away with a smaller live heap or a higher --max-old-space-size.'
      : 'Most of it is minor collections: fewer, larger ones cost less (--max-semi-space-size=32 or 64), as do fewer short-lived objects.']
  }
}

function longPauses ({ pauses }) {
  const worst = Object.entries(pauses)
    .filter(([, { count, max }]) => count > 0 && max >= LONG_PAUSE)
    .sort(([, a], [, b]) => b.max - a.max)[0]
  if (!worst) return
  const [kind, { count, p50, p99, max }] = worst
  return {
    id: 'long-pauses',
    severity: max >= 5 * LONG_PAUSE ? 'warning' : 'info',
    finding: `Garbage collection stopped it for up to ${ms(max)}.`,
    evidence: [`of ${count} ${kind} collections half took ${ms(p50)} or more, 1 % ${ms(p99)} or more`],
    advice: [kind === 'major'
      ? 'A major pause grows with the live heap, and on a machine with too little CPU.'
      : kind === 'minor'
        ? 'A minor pause grows with what survives: objects kept a little longer than a request, or a leak filling up.'
        : 'See docs/api.md for what this kind is.']
  }
}

/** The limit of the container against that of V8. */
function container ({ died, figures: { memoryLimit, heapLimit, peak, last } }) {
  if (!(memoryLimit > 0)) return
  const findings = []
  if (peak.rss >= NEAR_MEMORY * memoryLimit && !(died && last.rss >= NEAR_MEMORY * memoryLimit)) {
    findings.push({
      id: 'memory-limit',
      severity: 'critical',
      finding: `rss came up to ${percent(peak.rss / memoryLimit)} of the container's memory limit: it is likely to be killed.`,
      evidence: [`${bytes(peak.rss)} of ${bytes(memoryLimit)}`],
      advice: ['Give the container more memory, or find in the other findings where it goes.']
    })
  }
  if (heapLimit > memoryLimit) {
    findings.push({
      id: 'limits',
      severity: 'warning',
      finding: 'V8 may use more memory than the container has.',
      evidence: [`the heap's limit is ${bytes(heapLimit)}, the container's ${bytes(memoryLimit)}`],
      advice: [`Start it with --max-old-space-size=${Math.floor(memoryLimit * 0.75 / 2 ** 20)}, or it is killed before V8 says that memory is short.`]
    })
  }
  return findings
}

/** Memory that neither the heap nor Node.js accounts for. */
function native ({ notes, figures: { first, last, peak } }) {
  if (!(last.time > first.time) || notes.some(({ kind, data }) => kind === 'leak' && data.metric === 'native')) return
  const unexplained = (sample) => sample.rss - (sample.heapTotal || 0) - (sample.external || 0)
  const grown = unexplained(last) - unexplained(first)
  if (unexplained(last) < UNEXPLAINED * last.rss || unexplained(last) < 200e6 || grown < 50e6) return
  return {
    id: 'native',
    severity: 'warning',
    finding: `Most of its memory is outside of V8: ${bytes(unexplained(last))} of ${bytes(last.rss)}.`,
    evidence: [`that part grew by ${bytes(grown)} in ${seconds(last.time - first.time)}; the most rss was ${bytes(peak.rss)}`],
    advice: leakAdvice('native', [])
  }
}

function blockedLoop ({ figures: { peak, loopDelayP99 } }) {
  if (peak.loopDelay < LONG_DELAY) return
  return {
    id: 'event-loop',
    severity: 'info',
    finding: `The event loop was blocked for up to ${ms(peak.loopDelay)}.`,
    evidence: [`one sample in a hundred came ${ms(loopDelayP99)} late or later`],
    advice: ['Compare the times with those of the GC pauses: what they do not explain is the app\'s own work.']
  }
}

function lost ({ state }) {
  if (!(state.dropped > 0)) return
  return {
    id: 'dropped',
    severity: 'info',
    finding: `${state.dropped} events are not in the recording.`,
    evidence: ['they came faster than they could be kept'],
    advice: []
  }
}

const EXAMINATIONS = [death, leaks, container, nearLimit, thrashing, native, longPauses, blockedLoop, noLeak, lost]

/**
 * Says what was wrong, the worst first.
 *
 * @param {import('./figures').Facts} facts
 * @param {object} [numbers] their figures, where they are known already
 * @returns {Finding[]}
 */
function diagnose (facts, numbers = figures(facts)) {
  const examined = patient(facts, numbers)
  const findings = EXAMINATIONS.flatMap((examine) => examine(examined) ?? [])
  return findings.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity))
}

/** One word for a list: "leak", "limit", "gc", "dead", "ok". */
function verdict ({ state, alive }) {
  const words = [
    ...(state.leaking?.length > 0 ? [`leak: ${state.leaking.join(', ')}`] : []),
    ...(state.active?.length > 0 ? [`pressure: ${state.active.join(', ')}`] : [])
  ]
  if (words.length > 0) return words.join('; ')
  return alive || state.state === 'stopped' ? 'ok' : 'killed or crashed'
}

function capital (text) {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

module.exports = { diagnose, verdict, when }
