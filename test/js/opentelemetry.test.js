'use strict'

// The OpenTelemetry exporter with the official SDK, in memory and over OTLP.

const assert = require('node:assert')
const http = require('node:http')
const { describe, it } = require('node:test')
const api = require('@opentelemetry/api')
const conventions = require('@opentelemetry/semantic-conventions/incubating')
const { OTLPLogExporter } = require('@opentelemetry/exporter-logs-otlp-http')
const { OTLPMetricExporter } = require('@opentelemetry/exporter-metrics-otlp-http')
const { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } = require('@opentelemetry/sdk-logs')
const { MeterProvider, MetricReader, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics')
const heapwatch = require('heapwatch')
const { instrument } = require('heapwatch/opentelemetry')
const { runForResult } = require('./helpers/child')

class Reader extends MetricReader {
  onForceFlush () {}
  onShutdown () {}
}

function startWatch (t, options) {
  const watch = heapwatch.watch(options)
  t.after(() => watch.stop())
  return watch
}

/** A meter provider, and what a collection brings: name → metric. */
function startSdk (t) {
  const reader = new Reader()
  const meterProvider = new MeterProvider({ readers: [reader] })
  t.after(() => meterProvider.shutdown())
  const collect = async () => {
    const { resourceMetrics, errors } = await reader.collect()
    assert.deepStrictEqual(errors, [])
    const metrics = resourceMetrics.scopeMetrics.flatMap(({ scope, metrics }) =>
      metrics.map((metric) => [metric.descriptor.name, { ...metric, scope }]))
    return new Map(metrics)
  }
  return { meterProvider, collect }
}

const points = (metric) => new Map(metric.dataPoints.map(({ value, attributes }) =>
  [Object.values(attributes).join(), value]))

/** Makes garbage until some has been collected, and the listeners told of it. */
async function collectGarbage (watch) {
  const before = watch.pauses().minor.count
  while (watch.pauses().minor.count < before + 3) Array.from({ length: 20_000 }, (_, i) => ({ i }))
  await new Promise((resolve) => setTimeout(resolve, 150))
}

const leak = {
  metric: 'heap',
  time: 1_700_000_000_000,
  since: 1_699_999_940_000,
  duration: 60_000,
  rate: 1_048_576,
  growth: 62_914_560,
  confidence: 0.99,
  timeToLimit: 120_000,
  limit: 268_435_456,
  basis: 'collections',
  evidence: []
}

describe('instrument()', () => {
  it('measures under the names, units and attributes of the semantic conventions', async (t) => {
    const { meterProvider, collect } = startSdk(t)
    const watch = startWatch(t)
    instrument(watch, { meterProvider })
    await collectGarbage(watch)
    const got = await collect()
    const spaces = watch.spaces().map((space) => space.name)
    // From here on nothing is counted that has not been told.
    watch.stop()

    const duration = (await collect()).get(conventions.METRIC_V8JS_GC_DURATION)
    assert.strictEqual(duration.descriptor.unit, 's')
    assert.strictEqual(duration.scope.name, 'heapwatch')
    assert.strictEqual(duration.scope.version, heapwatch.version)
    const types = ['MINOR', 'MAJOR', 'INCREMENTAL', 'WEAKCB'].map((name) => conventions[`V8JS_GC_TYPE_VALUE_${name}`])
    for (const { attributes, value } of duration.dataPoints) {
      const kind = attributes[conventions.ATTR_V8JS_GC_TYPE]
      assert.ok(types.includes(kind))
      assert.strictEqual(value.count, watch.pauses()[kind].count, kind)
      assert.ok(Math.abs(value.sum - watch.pauses()[kind].total / 1000) < 1e-9)
      assert.deepStrictEqual(value.buckets.boundaries.slice(0, 2), [0.00005, 0.0001])
      assert.strictEqual(value.buckets.boundaries.at(-1), 10)
    }
    assert.ok(duration.dataPoints.some(({ attributes }) => attributes['v8js.gc.type'] === 'minor'))

    for (const name of ['SPACE_SIZE', 'USED', 'SPACE_AVAILABLE_SIZE', 'SPACE_PHYSICAL_SIZE']) {
      const metric = got.get(conventions[`METRIC_V8JS_MEMORY_HEAP_${name}`])
      assert.strictEqual(metric.descriptor.unit, 'By')
      assert.deepStrictEqual(metric.dataPoints.map(({ attributes }) => attributes[conventions.ATTR_V8JS_HEAP_SPACE_NAME]), spaces)
    }
  })

  it('measures under heapwatch.* what the conventions lack', async (t) => {
    const { meterProvider, collect } = startSdk(t)
    const watch = startWatch(t)
    instrument(watch, { meterProvider, attributes: { role: 'api' } })
    await collectGarbage(watch)
    const got = await collect()
    const value = (name) => got.get(name).dataPoints[0].value
    assert.strictEqual(value('heapwatch.heap.limit'), watch.stats().oldSpaceLimit)
    assert.ok(value('heapwatch.heap.allocated') > 10e6)
    assert.ok(value('heapwatch.memory.rss') > 20e6)
    assert.ok(value('heapwatch.gc.time') > 0)
    assert.strictEqual(points(got.get('heapwatch.gc.count')).get('api,minor'), watch.pauses().minor.count)
    assert.deepStrictEqual([...points(got.get('heapwatch.leak.active'))].slice(0, 2), [['api,heap', 0], ['api,external', 0]])
    assert.strictEqual(points(got.get('heapwatch.pressure.active')).get('api,memory-limit'), 0)
    assert.ok(points(got.get('heapwatch.contexts')).get('api,native') >= 1)
    assert.ok(!got.has('heapwatch.leak.time_to_limit') || got.get('heapwatch.leak.time_to_limit').dataPoints.length === 0)
  })

  it('measures no longer once it has been ended; a stopped watch keeps its counters', async (t) => {
    const { meterProvider, collect } = startSdk(t)
    const watch = startWatch(t)
    const end = instrument(watch, { meterProvider })
    assert.strictEqual(watch.listenerCount('gc'), 1)
    watch.stop()
    const got = await collect()
    assert.strictEqual(got.get('heapwatch.samples.missed').dataPoints.length, 1)
    assert.strictEqual(got.get('heapwatch.memory.rss')?.dataPoints.length ?? 0, 0)
    end()
    assert.strictEqual(watch.listenerCount('gc'), 0)
    // The SDK repeats the last sum of a counter: what matters is who is asked.
    watch.stats = () => assert.fail('read')
    await collect()
  })

  it('turns a leak and its end into log records', (t) => {
    const exporter = new InMemoryLogRecordExporter()
    const loggerProvider = new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter })] })
    t.after(() => loggerProvider.shutdown())
    const watch = startWatch(t)
    instrument(watch, { meterProvider: startSdk(t).meterProvider, loggerProvider, attributes: { role: 'api' } })
    watch.emit('leak', { ...leak, sites: [{ functionName: 'remember', url: 'file:///app/cache.js', line: 7, column: 3 }] })
    watch.emit('leakend', { ...leak, timeToLimit: null, limit: null })
    const [begun, ended] = exporter.getFinishedLogRecords()
    assert.strictEqual(begun.eventName, 'heapwatch.leak')
    assert.strictEqual(begun.severityText, 'WARN')
    assert.strictEqual(begun.severityNumber, 13)
    assert.strictEqual(begun.body, 'heap leaks 1048576 bytes a second, 120 s from its limit')
    assert.strictEqual(begun.hrTime[0], 1_700_000_000)
    assert.strictEqual(begun.attributes['heapwatch.leak.rate'], 1_048_576)
    assert.strictEqual(begun.attributes['heapwatch.leak.time_to_limit'], 120)
    assert.strictEqual(begun.attributes['code.function.name'], 'remember')
    assert.strictEqual(begun.attributes['code.line.number'], 7)
    assert.strictEqual(begun.attributes.role, 'api')
    assert.strictEqual(ended.eventName, 'heapwatch.leakend')
    assert.strictEqual(ended.severityText, 'INFO')
    assert.ok(!('heapwatch.leak.limit' in ended.attributes))
  })

  it('does nothing harmful with a meter that does nothing, OpenTelemetry\'s own', async (t) => {
    const watch = startWatch(t)
    // No provider has been set: the global meter is a no-op.
    const ends = [instrument(watch), instrument(watch, { meter: api.createNoopMeter() })]
    await collectGarbage(watch)
    for (const end of ends) end()
    assert.strictEqual(watch.listenerCount('gc'), 0)
  })

  it('leaves the metrics of others alone when a watch cannot be read', async (t) => {
    const { meterProvider, collect } = startSdk(t)
    const watch = startWatch(t)
    instrument(watch, { meterProvider })
    meterProvider.getMeter('app').createCounter('orders').add(3)
    watch.stats = () => { throw new Error('broken') }
    const got = await collect()
    assert.strictEqual(got.get('orders').dataPoints[0].value, 3)
  })

  it('survives a histogram and a logger that throw', async (t) => {
    const watch = startWatch(t)
    const refuse = () => { throw new Error('refused') }
    const meter = { ...api.createNoopMeter(), createHistogram: () => ({ record: refuse }) }
    for (const name of ['createObservableCounter', 'createObservableGauge', 'createObservableUpDownCounter',
      'addBatchObservableCallback', 'removeBatchObservableCallback']) meter[name] = () => ({})
    instrument(watch, { meter, logger: { emit: refuse } })
    watch.emit('leak', leak)
    watch.emit('gc', { kind: 'minor', duration: 1 })
  })

  it('adds nothing when the meter throws', (t) => {
    const watch = startWatch(t)
    const meter = api.createNoopMeter()
    Object.assign(meter, { createObservableGauge: () => { throw new Error('refused') } })
    assert.throws(() => instrument(watch, { meter, logger: { emit () {} } }), /refused/)
    assert.deepStrictEqual(watch.eventNames(), [])
  })

  it('refuses wrong options, and says what to install', async (t) => {
    const watch = startWatch(t)
    const TYPE = { code: 'ERR_HEAPWATCH_INVALID_OPTION_TYPE' }
    assert.throws(() => instrument({}), TYPE)
    for (const name of ['meter', 'meterProvider', 'logger', 'loggerProvider']) {
      assert.throws(() => instrument(watch, { meter: api.createNoopMeter(), [name]: {}, ...(name === 'meterProvider' && { meter: undefined }) }),
        { ...TYPE, message: new RegExp(`"${name}"`) })
    }
    assert.throws(() => instrument(watch, { attributes: 3 }), TYPE)
    assert.throws(() => instrument(watch, { metre: 3 }), { code: 'ERR_HEAPWATCH_UNKNOWN_OPTION' })
    assert.deepStrictEqual(watch.eventNames(), [])
    const error = await runForResult(() => {
      const Module = require('node:module')
      const { _load } = Module
      Module._load = function (name, ...rest) {
        if (name === '@opentelemetry/api') throw new Error('Cannot find module')
        return _load.call(this, name, ...rest)
      }
      try {
        require('heapwatch/opentelemetry').instrument(require('heapwatch').watch())
      } catch ({ code, message }) {
        console.log(JSON.stringify({ code, message }))
      }
    })
    assert.strictEqual(error.code, 'ERR_HEAPWATCH_NO_OPENTELEMETRY')
    assert.match(error.message, /npm install @opentelemetry\/api/)
  })
})

it('metrics and leaks arrive at an OTLP receiver', async (t) => {
  const received = { '/v1/metrics': [], '/v1/logs': [] }
  const server = http.createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    received[request.url].push(JSON.parse(text))
    response.setHeader('Content-Type', 'application/json')
    response.end('{}')
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => { server.closeAllConnections(); server.close() })
  const url = `http://127.0.0.1:${server.address().port}`
  const meterProvider = new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter({ url: `${url}/v1/metrics` }), exportIntervalMillis: 3_600_000 })]
  })
  const loggerProvider = new LoggerProvider({
    processors: [new SimpleLogRecordProcessor({ exporter: new OTLPLogExporter({ url: `${url}/v1/logs` }) })]
  })
  const watch = startWatch(t)
  instrument(watch, { meterProvider, loggerProvider })
  await collectGarbage(watch)
  watch.emit('leak', leak)
  await meterProvider.forceFlush()
  await loggerProvider.forceFlush()
  await Promise.all([meterProvider.shutdown(), loggerProvider.shutdown()])

  const metrics = received['/v1/metrics'].flatMap(({ resourceMetrics }) => resourceMetrics)
    .flatMap(({ scopeMetrics }) => scopeMetrics).flatMap(({ metrics }) => metrics)
  const duration = metrics.find(({ name }) => name === 'v8js.gc.duration')
  const minor = duration.histogram.dataPoints.find(({ attributes }) => attributes[0].value.stringValue === 'minor')
  assert.ok(Number(minor.count) >= 1)
  assert.strictEqual(minor.explicitBounds[0], 0.00005)
  const limit = metrics.find(({ name }) => name === 'heapwatch.heap.limit')
  const [point] = limit.sum.dataPoints
  assert.strictEqual(Number(point.asInt ?? point.asDouble), watch.stats().oldSpaceLimit)
  assert.strictEqual(limit.sum.isMonotonic, false)

  const [record] = received['/v1/logs'].flatMap(({ resourceLogs }) => resourceLogs)
    .flatMap(({ scopeLogs }) => scopeLogs).flatMap(({ logRecords }) => logRecords)
  assert.strictEqual(record.eventName, 'heapwatch.leak')
  assert.strictEqual(record.severityNumber, 13)
  assert.match(record.body.stringValue, /^heap leaks/)
})
