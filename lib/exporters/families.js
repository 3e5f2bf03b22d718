'use strict'

// The metrics that Prometheus gets: name without prefix, type, unit, help, and
// how each is read from a reading (see readings.js) as a list of
// [labels, value] or, in a histogram, [labels, value, suffix].
//
// Names and units are Prometheus' (https://prometheus.io/docs/practices/naming):
// base units, the unit last, `_total` on counters, which `promtool check
// metrics` verifies in the tests. `aggregator` says what prom-client's
// AggregatorRegistry makes of the values of a cluster's workers.

const { version } = require('../../package.json')
const { BYTE_METRICS, LEAK_METRICS, PRESSURE_REASONS } = require('./readings')

const ms = (value) => value / 1000

const FAMILIES = [
  {
    name: 'gc_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Garbage collection pauses by kind. Of incremental marking only its start is a pause known to V8.',
    read: ({ pauses }) => Object.entries(pauses).flatMap(([kind, { buckets, total, count }]) => [
      ...buckets.map(({ le, count }) => [{ kind, le: ms(le) }, count, '_bucket']),
      [{ kind }, ms(total), '_sum'],
      [{ kind }, count, '_count']
    ])
  },

  counter('gc_busy_seconds', 'seconds', 'Time in garbage collection, no moment counted twice.',
    ({ stats }) => ms(stats.gcTime)),
  counter('heap_allocated_bytes', 'bytes', 'Bytes allocated on the JavaScript heap.',
    ({ stats }) => stats.allocated),
  counter('samples', '', 'Samples taken by the timer of the watch.',
    ({ stats }) => stats.samples),
  counter('samples_missed', '', 'Samples that were due while the event loop was blocked.',
    ({ stats }) => stats.missed),
  counter('gc_events_dropped', '', 'Events of collections lost to listeners. The histogram counts every collection.',
    ({ stats }) => stats.dropped),

  gauge('running', '', 'Whether the watch runs (1) or has been stopped (0).',
    ({ now }) => now ? 1 : 0, 'sum'),
  {
    name: 'build_info',
    type: 'gauge',
    unit: '',
    help: 'Always 1. The labels say what runs.',
    aggregator: 'first',
    read: () => [[{ version, node_version: process.versions.node }, 1]]
  },

  present('heap_used_bytes', 'bytes', 'JavaScript heap in use, garbage included.',
    ({ sample }) => sample.heapUsed),
  // Of the whole reading: known also when it was long ago.
  gauge('heap_live_bytes', 'bytes', 'JavaScript heap in use right after the last major collection. Absent before the first.',
    ({ now, stats }) => now && stats.heapLive > 0 ? stats.heapLive : undefined),
  present('heap_committed_bytes', 'bytes', 'JavaScript heap reserved by V8 (heapTotal).',
    ({ sample }) => sample.heapTotal),
  present('heap_physical_bytes', 'bytes', 'Of the reserved heap, what is backed by memory.',
    ({ sample }) => sample.physicalHeap),
  present('heap_limit_bytes', 'bytes', "V8's heap_size_limit.",
    ({ sample }) => sample.heapLimit),
  gauge('old_space_limit_bytes', 'bytes', 'What the live heap can grow to: heap_limit_bytes less the reserve of the young generation.',
    ({ now, stats }) => now && stats.oldSpaceLimit),
  present('external_bytes', 'bytes', 'Memory outside of the heap that JavaScript objects keep, ArrayBuffers included.',
    ({ sample }) => sample.external),
  present('array_buffers_bytes', 'bytes', 'Memory of ArrayBuffers and Buffers.',
    ({ sample }) => Number.isNaN(sample.arrayBuffers) ? undefined : sample.arrayBuffers),
  present('malloced_memory_bytes', 'bytes', "V8's own structures outside of the heap.",
    ({ sample }) => sample.mallocedMemory),
  present('global_handles_bytes', 'bytes', 'Global handles in use.',
    ({ sample }) => sample.globalHandles),
  present('native_contexts', '', 'Contexts alive.',
    ({ sample }) => sample.nativeContexts),
  present('detached_contexts', '', 'Contexts detached and not collected.',
    ({ sample }) => sample.detachedContexts),
  present('resident_memory_bytes', 'bytes', 'Resident memory of the whole process.',
    ({ sample }) => sample.rss, 'sum'),
  present('memory_limit_bytes', 'bytes', 'Memory limit of the process, its container. Absent if there is none.',
    ({ sample }) => sample.memoryLimit > 0 ? sample.memoryLimit : undefined),
  gauge('watch_memory_bytes', 'bytes', 'Native memory that the watch itself has asked for.',
    ({ now, stats }) => now && stats.ownBytes),

  ...[['size', 'Bytes of a heap space.'],
    ['used', 'Bytes in use of a heap space.'],
    ['available', 'Bytes available in a heap space.'],
    ['physical', 'Bytes of a heap space that are backed by memory.']
  ].map(([field, help]) => ({
    name: `heap_space_${field}_bytes`,
    type: 'gauge',
    unit: 'bytes',
    help,
    read: ({ now }) => (now?.spaces ?? []).map((space) =>
      [{ space: space.name.replace(/_space$/, '') }, space[field]])
  })),

  byReason('pressure_active', 'Whether an episode of memory pressure goes on, by reason.',
    ({ stats }, reason) => stats.pressure.includes(reason) ? 1 : 0),
  gauge('leak_suspected', '', 'Whether something is suspected to leak, or established.',
    ({ now, stats }) => now && (stats.suspected ? 1 : 0), 'max'),
  byMetric('leak_active', '', 'Whether a leak is established, by what grows.', LEAK_METRICS,
    (leak) => leak ? 1 : 0, 'max'),
  byMetric('leak_rate_bytes_per_second', 'bytes_per_second', 'How fast an established leak grows. 0 without one.',
    BYTE_METRICS, (leak) => leak?.rate ?? 0),
  byMetric('leak_rate_contexts_per_second', 'contexts_per_second', 'How fast contexts leak. 0 if they do not.',
    ['contexts'], (leak) => leak?.rate ?? 0),
  byMetric('leak_start_timestamp_seconds', 'seconds', 'When an established leak began. Absent without one.',
    LEAK_METRICS, (leak) => leak && ms(leak.since), 'min'),
  byMetric('time_to_limit_seconds', 'seconds', 'Time until an established leak reaches its limit. +Inf without a leak or a limit.',
    BYTE_METRICS,
    (leak) => ms(leak?.timeToLimit ?? Infinity), 'min')
]

function counter (name, unit, help, read) {
  return { name, type: 'counter', unit, help, read: single(read) }
}

function gauge (name, unit, help, read, aggregator = 'sum') {
  return { name, type: 'gauge', unit, help, aggregator, read: single(read) }
}

// A gauge of how things are now, which a stopped watch does not know.
function present (name, unit, help, read, aggregator) {
  return gauge(name, unit, help, ({ now }) => now && read(now), aggregator)
}

function single (read) {
  return (reading) => {
    const value = read(reading)
    return value === undefined ? [] : [[{}, value]]
  }
}

function byReason (name, help, read) {
  return {
    name,
    type: 'gauge',
    unit: '',
    help,
    aggregator: 'max',
    read: (reading) => reading.now
      ? PRESSURE_REASONS.map((reason) => [{ reason }, read(reading, reason)])
      : []
  }
}

function byMetric (name, unit, help, metrics, read, aggregator = 'sum') {
  return {
    name,
    type: 'gauge',
    unit,
    help,
    aggregator,
    read: ({ now }) => (now ? metrics : [])
      .map((metric) => [{ metric }, read(now.leaks.find((leak) => leak.metric === metric))])
      .filter(([, value]) => value !== undefined)
  }
}

/** Labels that the families use themselves. */
const OWN_LABELS = ['kind', 'le', 'metric', 'node_version', 'reason', 'space', 'version']

module.exports = { FAMILIES, OWN_LABELS }
