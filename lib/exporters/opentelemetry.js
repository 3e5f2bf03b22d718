'use strict'

// heapwatch/opentelemetry: the metrics of a watch through a meter, and leaks as
// log records.
//
// Where OpenTelemetry's semantic conventions for V8 have a name, it is theirs
// (https://opentelemetry.io/docs/specs/semconv/runtime/v8js-metrics/); what they
// lack is called heapwatch.*. Sizes and counts are observed when the SDK
// collects. Its API has no histogram that is observed, so pauses are recorded
// one by one, by a `gc` listener.

const { version } = require('../../package.json')
const { BYTE_METRICS, LEAK_METRICS, PRESSURE_REASONS, checkNames, checkObject, checkWatch, guard, read } =
  require('./readings')
const { invalidType, noOpenTelemetry } = require('../errors')

// Of OpenTelemetry's data model for logs.
const SEVERITY = { INFO: 9, WARN: 13 }

const METER_METHODS = ['createHistogram', 'createObservableCounter', 'createObservableGauge',
  'createObservableUpDownCounter', 'addBatchObservableCallback', 'removeBatchObservableCallback']

const seconds = (ms) => ms / 1000

/** [kind of instrument, name, unit, description, reading → [[value, attributes], ...]] */
const OBSERVED = [
  ...[
    ['v8js.memory.heap.space.size', 'size', 'Total heap memory size pre-allocated for a heap space.'],
    ['v8js.memory.heap.used', 'used', 'Heap memory size allocated.'],
    ['v8js.memory.heap.space.available_size', 'available', 'Heap space available size.'],
    ['v8js.memory.heap.space.physical_size', 'physical', 'Committed size of a heap space.']
  ].map(([name, field, description]) => ['UpDownCounter', name, 'By', description,
    ({ now }) => (now?.spaces ?? []).map((space) => [space[field], { 'v8js.heap.space.name': space.name }])]),

  ['UpDownCounter', 'heapwatch.heap.live', 'By', 'Heap in use right after the last major collection.',
    ({ now, stats }) => now && stats.heapLive > 0 ? [[stats.heapLive]] : []],
  ['UpDownCounter', 'heapwatch.heap.limit', 'By', 'What the live heap can grow to: the limit of the old space.',
    ({ now, stats }) => now ? [[stats.oldSpaceLimit]] : []],
  ['Counter', 'heapwatch.heap.allocated', 'By', 'Bytes allocated on the JavaScript heap.',
    ({ stats }) => [[stats.allocated]]],
  ['UpDownCounter', 'heapwatch.memory.rss', 'By', 'Resident memory of the whole process.',
    ({ now }) => now ? [[now.sample.rss]] : []],
  ['UpDownCounter', 'heapwatch.memory.limit', 'By', 'Memory limit of the process, if there is one.',
    ({ now }) => now?.sample.memoryLimit > 0 ? [[now.sample.memoryLimit]] : []],
  ['UpDownCounter', 'heapwatch.memory.external', 'By', 'Memory outside of the heap that JavaScript objects keep.',
    ({ now }) => now ? [[now.sample.external]] : []],
  ['UpDownCounter', 'heapwatch.memory.array_buffers', 'By', 'Memory of ArrayBuffers and Buffers.',
    ({ now }) => now?.sample.arrayBuffers >= 0 ? [[now.sample.arrayBuffers]] : []],
  ['UpDownCounter', 'heapwatch.contexts', '{context}', 'Contexts alive, and those detached and not collected.',
    ({ now }) => now
      ? [[now.sample.nativeContexts, { 'heapwatch.context.state': 'native' }],
          [now.sample.detachedContexts, { 'heapwatch.context.state': 'detached' }]]
      : []],
  ['Counter', 'heapwatch.gc.count', '{collection}', 'Garbage collections, every one.',
    ({ pauses }) => Object.entries(pauses).map(([kind, { count }]) => [count, { 'v8js.gc.type': kind }])],
  ['Counter', 'heapwatch.gc.time', 's', 'Time in garbage collection, no moment counted twice.',
    ({ stats }) => [[seconds(stats.gcTime)]]],
  ['Counter', 'heapwatch.samples.missed', '{sample}', 'Samples that were due while the event loop was blocked.',
    ({ stats }) => [[stats.missed]]],
  ['Gauge', 'heapwatch.pressure.active', '1', 'Whether an episode of memory pressure goes on.',
    ({ now, stats }) => now
      ? PRESSURE_REASONS.map((reason) =>
        [stats.pressure.includes(reason) ? 1 : 0, { 'heapwatch.pressure.reason': reason }])
      : []],
  ['Gauge', 'heapwatch.leak.active', '1', 'Whether a leak is established.',
    ofLeaks(LEAK_METRICS, (leak) => leak ? 1 : 0)],
  ['Gauge', 'heapwatch.leak.rate', 'By/s', 'How fast an established leak grows.',
    ofLeaks(BYTE_METRICS, (leak) => leak?.rate ?? 0)],
  ['Gauge', 'heapwatch.leak.time_to_limit', 's', 'Time until an established leak reaches its limit. Absent without one.',
    ofLeaks(BYTE_METRICS, (leak) => leak && leak.timeToLimit !== null ? seconds(leak.timeToLimit) : undefined)]
]

function ofLeaks (metrics, read) {
  return ({ now }) => (now ? metrics : [])
    .map((metric) => [read(now.leaks.find((leak) => leak.metric === metric)), { 'heapwatch.leak.metric': metric }])
    .filter(([value]) => value !== undefined)
}

// -- What is given ------------------------------------------------------------

function meterOf ({ meter, meterProvider }) {
  if (meter === undefined) {
    if (meterProvider !== undefined && typeof meterProvider?.getMeter !== 'function') {
      throw invalidType('meterProvider', meterProvider, 'a MeterProvider of OpenTelemetry')
    }
    meter = (meterProvider ?? api().metrics).getMeter('heapwatch', version)
  }
  if (!METER_METHODS.every((name) => typeof meter?.[name] === 'function')) {
    throw invalidType('meter', meter, 'a Meter of OpenTelemetry')
  }
  return meter
}

function api () {
  try {
    return require('@opentelemetry/api')
  } catch (error) {
    throw noOpenTelemetry(error)
  }
}

function loggerOf ({ logger, loggerProvider }) {
  if (logger === undefined && loggerProvider !== undefined) {
    if (typeof loggerProvider?.getLogger !== 'function') {
      throw invalidType('loggerProvider', loggerProvider, 'a LoggerProvider of OpenTelemetry')
    }
    logger = loggerProvider.getLogger('heapwatch', version)
  }
  if (logger !== undefined && typeof logger?.emit !== 'function') {
    throw invalidType('logger', logger, 'a Logger of OpenTelemetry')
  }
  return logger
}

// -- Log records --------------------------------------------------------------

/** A record of the event `heapwatch.leak` or `heapwatch.leakend`. */
function recordOf (name, leak, attributes) {
  const ended = name === 'leakend'
  const severityText = ended ? 'INFO' : 'WARN'
  const [site] = leak.sites ?? []
  const unit = leak.metric === 'contexts' ? 'contexts' : 'bytes'
  return {
    eventName: `heapwatch.${name}`,
    timestamp: leak.time,
    severityText,
    severityNumber: SEVERITY[severityText],
    body: ended
      ? `${leak.metric} leaks no more: ${Math.round(leak.growth)} ${unit} in ${Math.round(seconds(leak.duration))} s`
      : `${leak.metric} leaks ${Math.round(leak.rate)} ${unit} a second` +
        (leak.timeToLimit === null ? '' : `, ${Math.round(seconds(leak.timeToLimit))} s from its limit`),
    attributes: {
      ...attributes,
      'heapwatch.leak.metric': leak.metric,
      'heapwatch.leak.rate': leak.rate,
      'heapwatch.leak.growth': leak.growth,
      'heapwatch.leak.duration': seconds(leak.duration),
      'heapwatch.leak.confidence': leak.confidence,
      ...(leak.timeToLimit === null
        ? {}
        : { 'heapwatch.leak.time_to_limit': seconds(leak.timeToLimit), 'heapwatch.leak.limit': leak.limit }),
      ...(site && {
        'code.function.name': site.functionName,
        'code.file.path': site.url,
        'code.line.number': site.line,
        'code.column.number': site.column
      })
    }
  }
}

/**
 * Gives the metrics of a watch to a meter, and its leaks to a logger.
 *
 * @param {import('../index').HeapWatch} watch
 * @param {{ meter?: object, meterProvider?: object, logger?: object,
 *   loggerProvider?: object, attributes?: object }} [options] without a meter
 *   and a provider, the global one; without a logger, no records
 * @returns {() => void} ends it
 * @throws {TypeError|Error} for wrong options, ERR_HEAPWATCH_NO_OPENTELEMETRY,
 *   or what the meter throws; then nothing has been added
 */
function instrument (watch, options = {}) {
  checkWatch(watch)
  checkNames(options, ['meter', 'meterProvider', 'logger', 'loggerProvider', 'attributes'])
  const { attributes = {} } = options
  checkObject('attributes', attributes, 'an object')
  const meter = meterOf(options)
  const logger = loggerOf(options)

  const durations = meter.createHistogram('v8js.gc.duration', {
    unit: 's',
    description: 'Garbage collection duration.',
    // Most scavenges end far below the 10 ms at which the conventions begin.
    advice: {
      explicitBucketBoundaries: watch.pauses().minor.buckets.slice(0, -1).map(({ le }) => seconds(le))
    }
  })
  const instruments = OBSERVED.map(([kind, name, unit, description, readings]) =>
    ({ instrument: meter[`createObservable${kind}`](name, { unit, description }), readings }))
  const observed = instruments.map(({ instrument }) => instrument)

  const onCollect = (result) => guard(() => {
    const reading = read(watch)
    for (const { instrument, readings } of instruments) {
      for (const [value, own] of readings(reading)) result.observe(instrument, value, { ...attributes, ...own })
    }
    return []
  })
  const onGc = ({ kind, duration }) => guard(() =>
    durations.record(seconds(duration), { ...attributes, 'v8js.gc.type': kind }))
  const onLeak = (leak) => guard(() => logger.emit(recordOf('leak', leak, attributes)))
  const onLeakEnd = (leak) => guard(() => logger.emit(recordOf('leakend', leak, attributes)))

  meter.addBatchObservableCallback(onCollect, observed)
  watch.on('gc', onGc)
  if (logger) watch.on('leak', onLeak).on('leakend', onLeakEnd)

  return function uninstrument () {
    meter.removeBatchObservableCallback(onCollect, observed)
    watch.off('gc', onGc).off('leak', onLeak).off('leakend', onLeakEnd)
  }
}

module.exports = { instrument }
