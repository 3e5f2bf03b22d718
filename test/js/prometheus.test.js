'use strict'

// The Prometheus exporter, judged by Prometheus' own tools and by prom-client.

const assert = require('node:assert')
const { execFile, spawn } = require('node:child_process')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { after, before, describe, it } = require('node:test')
const { promisify } = require('node:util')
const heapwatch = require('heapwatch')
const { contentType, metrics, register } = require('heapwatch/prometheus')
const promClient = require('prom-client')
const { programOf } = require('../../scripts/setup')
const { ROOT, runForResult } = require('./helpers/child')

const EXAMPLE = path.join(ROOT, 'examples', 'prometheus')

/** Starts a watch that ends with the test. */
function startWatch (t, options) {
  const watch = heapwatch.watch(options)
  t.after(() => watch.stop())
  return watch
}

/** The samples of a text, by name and labels as they are written. */
function parse (text) {
  const lines = text.split('\n').filter((line) => line && !line.startsWith('#'))
  return new Map(lines.map((line) => {
    const space = line.lastIndexOf(' ')
    return [line.slice(0, space), Number(line.slice(space + 1).replace('Inf', 'Infinity'))]
  }))
}

/** Runs promtool with a text on its standard input; returns its output. */
async function promtool (t, args, { input = '', cwd } = {}) {
  let program
  try {
    program = await programOf('prometheus', 'usr/bin/promtool')
  } catch (error) {
    t.skip(`no promtool: ${error.message.split('\n')[0]}`)
    return
  }
  const run = promisify(execFile)(program, args, { cwd })
  run.child.stdin.end(input)
  return run
}

describe('metrics()', () => {
  it('passes promtool check metrics', async (t) => {
    const watch = startWatch(t)
    await promtool(t, ['check', 'metrics'], { input: metrics(watch, { format: 'prometheus' }) })
  })

  it('is OpenMetrics by default: units, _total on counters alone, an end', (t) => {
    const text = metrics(startWatch(t))
    assert.match(text, /^# UNIT heapwatch_gc_duration_seconds seconds$/m)
    assert.match(text, /^# TYPE heapwatch_gc_busy_seconds counter$/m)
    assert.match(text, /^heapwatch_gc_busy_seconds_total [\d.]+$/m)
    assert.match(text, /le="1\.0"/)
    assert.ok(text.endsWith('\n# EOF\n'))
    assert.strictEqual(text.indexOf('# EOF'), text.length - 6)
    assert.match(contentType(), /^application\/openmetrics-text; version=1\.0\.0/)
    assert.match(contentType('prometheus'), /^text\/plain; version=0\.0\.4/)
  })

  it('says what the watch says, in base units', (t) => {
    const watch = startWatch(t)
    const got = parse(metrics(watch))
    const { heapLimit, rss } = watch.sample()
    assert.strictEqual(got.get('heapwatch_heap_limit_bytes'), heapLimit)
    assert.strictEqual(got.get('heapwatch_old_space_limit_bytes'), watch.stats().oldSpaceLimit)
    const resident = got.get('heapwatch_resident_memory_bytes')
    assert.ok(Math.abs(resident - rss) < rss / 2)
    assert.strictEqual(got.get('heapwatch_leak_active{metric="heap"}'), 0)
    assert.strictEqual(got.get('heapwatch_time_to_limit_seconds{metric="heap"}'), Infinity)
    assert.strictEqual(got.get('heapwatch_pressure_active{reason="gc-load"}'), 0)
    assert.strictEqual(got.get('heapwatch_running'), 1)
    const spaces = watch.spaces()
    assert.ok(spaces.length > 5)
    for (const { name } of spaces) {
      assert.ok(got.has(`heapwatch_heap_space_used_bytes{space="${name.replace(/_space$/, '')}"}`), name)
    }
  })

  it('has every collection in its bucket, whatever the listeners are told', async () => {
    const { durations, text } = await runForResult(async () => {
      const { watch } = require('heapwatch')
      const { metrics } = require('heapwatch/prometheus')
      const all = watch()
      const few = watch({ gcThreshold: 1000 }) // tells its listener of none
      const durations = { minor: [], major: [] }
      all.on('gc', ({ kind, duration }) => durations[kind]?.push(duration))
      few.on('gc', () => { throw new Error('told') })
      let kept = []
      for (let i = 0; i < 400_000; i++) {
        kept.push({ i })
        if (i % 40_000 === 0) kept = []
        if (i % 100_000 === 0) globalThis.gc()
      }
      all.stop()
      const text = metrics(few)
      few.stop()
      console.log(JSON.stringify({ durations, text }))
    }, { flags: ['--expose-gc', '--max-semi-space-size=1'] })
    const got = parse(text)
    const bounds = [...new Set([...text.matchAll(/le="([^"]+)"/g)].map(([, le]) => le))]
    assert.strictEqual(bounds[0], '0.00005')
    assert.deepStrictEqual(bounds.slice(-2), ['10.0', '+Inf'])
    for (const [kind, list] of Object.entries(durations)) {
      assert.ok(list.length >= 4, `${list.length} ${kind}`)
      const name = (suffix, le) => `heapwatch_gc_duration_seconds${suffix}{kind="${kind}"${le ? `,le="${le}"` : ''}}`
      for (const le of bounds) {
        const limit = le === '+Inf' ? Infinity : Number(le) * 1000
        assert.strictEqual(got.get(name('_bucket', le)), list.filter((duration) => duration <= limit).length, `${kind} ${le}`)
      }
      assert.strictEqual(got.get(name('_count')), list.length)
      const sum = list.reduce((sum, duration) => sum + duration, 0) / 1000
      assert.ok(Math.abs(got.get(name('_sum')) - sum) < 1e-9)
    }
  })

  it('tells an established leak, its rate and the time left', (t) => {
    const watch = startWatch(t)
    const leak = { metric: 'heap', rate: 1000, timeToLimit: 60_000, since: 5000 }
    const fake = Object.assign(Object.create(watch), {
      leaks: () => [leak],
      ...Object.fromEntries(['stats', 'pauses', 'sample', 'spaces'].map((name) => [name, () => watch[name]()]))
    })
    Object.defineProperty(fake, 'stopped', { value: false })
    const got = parse(metrics(fake))
    assert.strictEqual(got.get('heapwatch_leak_active{metric="heap"}'), 1)
    assert.strictEqual(got.get('heapwatch_leak_active{metric="native"}'), 0)
    assert.strictEqual(got.get('heapwatch_leak_rate_bytes_per_second{metric="heap"}'), 1000)
    assert.strictEqual(got.get('heapwatch_time_to_limit_seconds{metric="heap"}'), 60)
    assert.strictEqual(got.get('heapwatch_leak_start_timestamp_seconds{metric="heap"}'), 5)
  })

  it('escapes labels, and takes a prefix', (t) => {
    const text = metrics(startWatch(t), { prefix: 'app_', labels: { path: 'a"b\\c\nd', shard: 3 } })
    assert.match(text, /^app_running\{path="a\\"b\\\\c\\nd",shard="3"\} 1$/m)
  })

  it('of a stopped watch has what it counted and nothing of now', (t) => {
    const watch = startWatch(t)
    watch.stop()
    const got = parse(metrics(watch))
    assert.strictEqual(got.get('heapwatch_running'), 0)
    assert.ok(got.has('heapwatch_gc_duration_seconds_count{kind="minor"}'))
    assert.ok(got.has('heapwatch_gc_busy_seconds_total'))
    for (const name of got.keys()) {
      assert.doesNotMatch(name, /heap_used|leak_|limit_bytes|resident|space_used|pressure/)
    }
  })

  it('leaves out what cannot be read, and warns once', async (t) => {
    const watch = startWatch(t)
    const warnings = []
    const listener = (warning) => warnings.push(warning.message)
    process.on('warning', listener)
    t.after(() => process.removeListener('warning', listener))
    watch.spaces = () => { throw new Error('no spaces') }
    assert.strictEqual(metrics(watch), '# EOF\n')
    assert.strictEqual(metrics(watch), '# EOF\n')
    await new Promise(setImmediate)
    assert.strictEqual(warnings.filter((text) => /no spaces/.test(text)).length, 1)
  })

  it('refuses wrong options, naming them', (t) => {
    const watch = startWatch(t)
    const refused = (options, code, text) => assert.throws(() => metrics(watch, options),
      (error) => error.code === code && error.message.includes(text))
    refused({ prefix: '1' }, 'ERR_HEAPWATCH_OPTION_OUT_OF_RANGE', '"prefix"')
    refused({ prefix: 1 }, 'ERR_HEAPWATCH_INVALID_OPTION_TYPE', '"prefix"')
    refused({ labels: { 'a-b': 'c' } }, 'ERR_HEAPWATCH_OPTION_OUT_OF_RANGE', '"labels"')
    refused({ labels: { __name__: 'c' } }, 'ERR_HEAPWATCH_OPTION_OUT_OF_RANGE', '"labels"')
    refused({ labels: { kind: 'c' } }, 'ERR_HEAPWATCH_OPTION_OUT_OF_RANGE', '"labels"')
    refused({ labels: { a: {} } }, 'ERR_HEAPWATCH_INVALID_OPTION_TYPE', '"labels.a"')
    refused({ labels: null }, 'ERR_HEAPWATCH_INVALID_OPTION_TYPE', '"labels"')
    refused({ lables: {} }, 'ERR_HEAPWATCH_UNKNOWN_OPTION', '"lables"')
    refused({ format: 'json' }, 'ERR_HEAPWATCH_OPTION_OUT_OF_RANGE', '"format"')
    assert.throws(() => metrics({}), { code: 'ERR_HEAPWATCH_INVALID_OPTION_TYPE' })
  })
})

for (const [name, client] of [['15', promClient], ['14', require('prom-client-14')]]) {
  describe(`register(), with prom-client ${name},`, () => {
    const registryOf = () => new client.Registry()

    it('gives a registry the metrics that metrics() gives', async (t) => {
      const watch = startWatch(t)
      const registry = registryOf()
      register(watch, { registry, labels: { app: 'a' } })
      const text = await registry.metrics()
      const own = metrics(watch, { format: 'prometheus', labels: { app: 'a' } })
      // Labels come in one order here, in another there.
      const names = (text) => [...parse(text).keys()].map((key) =>
        key.replace(/\{.*\}/, (labels) => labels.slice(1, -1).split(',').sort().join())).sort()
      assert.deepStrictEqual(names(text), names(own))
      await promtool(t, ['check', 'metrics'], { input: text })
    })

    it('keeps the metrics of others beside it, also when a watch cannot be read', async (t) => {
      const watch = startWatch(t)
      const registry = registryOf()
      register(watch, { registry })
      new client.Counter({ name: 'orders_total', help: 'Orders', registers: [registry] }).inc(3)
      watch.stats = () => { throw new Error('broken') }
      assert.match(await registry.metrics(), /^orders_total 3$/m)
      watch.stop()
      delete watch.stats
      const text = await registry.metrics()
      assert.match(text, /^orders_total 3$/m)
      assert.match(text, /^heapwatch_running 0$/m)
    })

    it('lets watches share a registry by labels and by prefix, not the same twice', async (t) => {
      const [a, b] = [startWatch(t), startWatch(t)]
      const registry = registryOf()
      register(a, { registry, labels: { watch: 'a' } })
      const unregister = register(b, { registry, labels: { watch: 'b' } })
      register(b, { registry, prefix: 'other_' })
      for (const watch of [a, b]) {
        assert.throws(() => register(watch, { registry, labels: { watch: 'a' } }), { code: 'ERR_HEAPWATCH_ALREADY_REGISTERED' })
      }
      const before = await registry.metrics()
      for (const sample of ['heapwatch_running{watch="a"} 1', 'heapwatch_running{watch="b"} 1', 'other_running 1']) {
        assert.ok(before.includes(`\n${sample}\n`), sample)
      }
      assert.strictEqual(before.match(/# TYPE heapwatch_running /g).length, 1)
      unregister()
      unregister()
      const after = await registry.metrics()
      assert.ok(after.includes('heapwatch_running{watch="a"} 1'))
      assert.ok(!after.includes('heapwatch_running{watch="b"}'))
    })

    it('adds all metrics or none: a name that is taken is an error and leaves nothing', async (t) => {
      const watch = startWatch(t)
      const registry = registryOf()
      const gauge = new client.Gauge({ name: 'heapwatch_heap_used_bytes', help: 'Taken', registers: [registry] })
      assert.throws(() => register(watch, { registry }), (error) =>
        error.code === 'ERR_HEAPWATCH_REGISTRY' && /heapwatch_heap_used_bytes/.test(error.message))
      assert.deepStrictEqual(registry.getMetricsAsArray(), [gauge])
      registry.clear()
      register(watch, { registry })
      assert.match(await registry.metrics(), /^heapwatch_running 1$/m)
    })

    it('adds all metrics or none where the registry throws, whatever it throws at', async (t) => {
      const watch = startWatch(t)
      const registry = registryOf()
      const orders = new client.Counter({ name: 'orders_total', help: 'Orders', registers: [registry] })
      orders.inc(3)
      const { registerMetric } = registry
      let calls = 0
      registry.registerMetric = function (metric) {
        if (++calls === 7) throw new TypeError('full')
        return registerMetric.call(this, metric)
      }
      const REFUSED = { code: 'ERR_HEAPWATCH_REGISTRY', message: /does not take the metrics: full$/ }
      assert.throws(() => register(watch, { registry }), REFUSED)
      assert.deepStrictEqual(registry.getMetricsAsArray(), [orders])
      // What it throws when the first are taken away again is not the reason.
      calls = 0
      registry.removeSingleMetric = () => { throw new Error('locked') }
      assert.throws(() => register(watch, { registry }), REFUSED)
      assert.match(await registry.metrics(), /^orders_total 3$/m)
      delete registry.registerMetric
      delete registry.removeSingleMetric
      register(watch, { registry })
      assert.match(await registry.metrics(), /^heapwatch_running 1$/m)
    })

    it('leaves a registry empty once the last watch is taken out', async (t) => {
      const registry = registryOf()
      const unregister = register(startWatch(t), { registry })
      assert.ok(registry.getMetricsAsArray().length > 20)
      registry.resetMetrics()
      unregister()
      assert.deepStrictEqual(registry.getMetricsAsArray(), [])
    })

    it('registers again after registry.clear()', async (t) => {
      const watch = startWatch(t)
      const registry = registryOf()
      register(watch, { registry })
      registry.clear()
      register(watch, { registry })
      assert.match(await registry.metrics(), /^heapwatch_running 1$/m)
    })

    it('is summed up over the workers of a cluster', async (t) => {
      const registries = [registryOf(), registryOf()]
      for (const registry of registries) register(startWatch(t), { registry })
      const json = await Promise.all(registries.map((registry) => registry.getMetricsAsJSON()))
      const total = client.AggregatorRegistry.aggregate(json)
      const text = await total.metrics()
      assert.match(text, /^heapwatch_running 2$/m)
      assert.match(text, /^heapwatch_leak_active\{metric="heap"\} 0$/m)
    })
  })
}

it('OpenMetrics from prom-client 15 has counters named once', async (t) => {
  const registry = new promClient.Registry(promClient.Registry.OPENMETRICS_CONTENT_TYPE)
  register(startWatch(t), { registry })
  for (let i = 0; i < 2; i++) {
    const text = await registry.metrics()
    assert.match(text, /^# TYPE heapwatch_gc_busy_seconds counter\nheapwatch_gc_busy_seconds_total /m)
    assert.doesNotMatch(text, /_total_total/)
  }
})

it('a registry that is none is refused, and so is prom-client where it is not installed', async (t) => {
  assert.throws(() => register(startWatch(t), { registry: {} }), { code: 'ERR_HEAPWATCH_INVALID_OPTION_TYPE' })
  const error = await runForResult(() => {
    const Module = require('node:module')
    const { _load } = Module
    Module._load = function (name, ...rest) {
      if (name === 'prom-client') throw new Error('Cannot find module')
      return _load.call(this, name, ...rest)
    }
    try {
      require('heapwatch/prometheus').register(require('heapwatch').watch())
    } catch ({ code, message }) {
      console.log(JSON.stringify({ code, message }))
    }
  })
  assert.strictEqual(error.code, 'ERR_HEAPWATCH_NO_PROM_CLIENT')
  assert.match(error.message, /npm install prom-client/)
})

describe('examples/prometheus', () => {
  it('has rules that do what they say', async (t) => {
    await promtool(t, ['check', 'config', 'prometheus.yml'], { cwd: EXAMPLE })
    await promtool(t, ['test', 'rules', 'rules.test.yml'], { cwd: EXAMPLE })
  })

  it('uses no metric that does not exist', (t) => {
    const text = metrics(startWatch(t), { format: 'prometheus' })
    // Those that depend on the machine and on what has happened.
    const known = new Set([...[...text.matchAll(/^(heapwatch_\w+)/gm)].map(([, name]) => name),
      'heapwatch_heap_live_bytes', 'heapwatch_memory_limit_bytes'])
    for (const file of ['rules.yml', 'dashboard.json']) {
      const used = fs.readFileSync(path.join(EXAMPLE, file), 'utf8').matchAll(/(?<![\w:])heapwatch_\w+/g)
      for (const [name] of used) assert.ok(known.has(name), `${name} in ${file}`)
    }
  })
})

describe('a real Prometheus', () => {
  let url, child, watch, server, folder, reason

  const listen = (server) => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)))
  const freePort = async () => {
    const probe = net.createServer()
    const port = await listen(probe)
    await new Promise((resolve) => probe.close(resolve))
    return port
  }
  const query = async (expression) => {
    const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expression)}`)
    const { status, data, error } = await response.json()
    assert.strictEqual(status, 'success', `${expression}: ${error}`)
    return data.result
  }
  /** Asks until there are `count` results. */
  const results = async (expression, count) => {
    const deadline = Date.now() + 30_000
    for (;;) {
      const found = await query(expression).catch((error) => error)
      if (found.length >= count) return found
      assert.ok(Date.now() < deadline, `${expression}: ${JSON.stringify(found)}`)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }

  before(async () => {
    let program
    try {
      program = await programOf('prometheus', 'usr/bin/prometheus')
    } catch (error) {
      reason = `no prometheus: ${error.message.split('\n')[0]}`
      return
    }
    watch = heapwatch.watch()
    const registry = new promClient.Registry()
    register(watch, { registry })
    const answers = {
      '/openmetrics': async () => [contentType(), metrics(watch)],
      '/text': async () => [contentType('prometheus'), metrics(watch, { format: 'prometheus' })],
      '/prom-client': async () => [registry.contentType, await registry.metrics()]
    }
    server = http.createServer(async (request, response) => {
      const [type, text] = await answers[request.url]()
      response.setHeader('Content-Type', type)
      response.end(text)
    })
    const port = await listen(server)
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-prometheus-'))
    fs.copyFileSync(path.join(EXAMPLE, 'rules.yml'), path.join(folder, 'rules.yml'))
    fs.writeFileSync(path.join(folder, 'prometheus.yml'), JSON.stringify({
      global: { scrape_interval: '250ms', scrape_timeout: '250ms', evaluation_interval: '500ms' },
      rule_files: ['rules.yml'],
      scrape_configs: Object.keys(answers).map((name) => ({
        job_name: name.slice(1), metrics_path: name, static_configs: [{ targets: [`127.0.0.1:${port}`] }]
      }))
    }))
    const own = await freePort()
    url = `http://127.0.0.1:${own}`
    child = spawn(program, [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${own}`], { stdio: 'ignore' })
  })

  after(async () => {
    if (reason) return
    await new Promise((resolve) => child.on('exit', resolve) && child.kill())
    server.closeAllConnections()
    server.close()
    watch.stop()
    fs.rmSync(folder, { recursive: true })
  })

  it('scrapes all three formats, and finds the same in them', async (t) => {
    if (reason) return t.skip(reason)
    await results('up == 1', 3)
    const limits = await results('heapwatch_old_space_limit_bytes', 3)
    for (const { value } of limits) assert.strictEqual(Number(value[1]), watch.stats().oldSpaceLimit)
    const buckets = await query('count by (job) (heapwatch_gc_duration_seconds_bucket{kind="minor"})')
    for (const { value } of buckets) assert.strictEqual(value[1], '18')
    const targets = await (await fetch(`${url}/api/v1/targets`)).json()
    for (const { lastError } of targets.data.activeTargets) assert.strictEqual(lastError, '')
  })

  it('has counters that count on, with the unit and help of their metadata', async (t) => {
    if (reason) return t.skip(reason)
    const load = setInterval(() => Array.from({ length: 50_000 }, (_, i) => ({ i })), 20)
    t.after(() => clearInterval(load))
    await results('rate(heapwatch_heap_allocated_bytes_total[10s]) > 0', 3)
    const response = await fetch(`${url}/api/v1/targets/metadata?metric=heapwatch_gc_duration_seconds`)
    const { data } = await response.json()
    assert.deepStrictEqual([...new Set(data.map(({ type }) => type))], ['histogram'])
    assert.ok(data.some(({ unit }) => unit === 'seconds'))
    await results('histogram_quantile(0.9, sum by (job, le) (rate(heapwatch_gc_duration_seconds_bucket[10s]))) > 0', 3)
  })

  it('evaluates the rules, and understands every query of the dashboard', async (t) => {
    if (reason) return t.skip(reason)
    await results('instance:heapwatch_gc_load:ratio_rate5m', 3)
    const { data } = await (await fetch(`${url}/api/v1/rules`)).json()
    for (const { name, lastError } of data.groups.flatMap(({ rules }) => rules)) assert.strictEqual(lastError ?? '', '', name)
    const { panels } = JSON.parse(fs.readFileSync(path.join(EXAMPLE, 'dashboard.json'), 'utf8'))
    let answered = 0
    for (const { expr } of panels.flatMap(({ targets }) => targets)) {
      const found = await query(expr.replaceAll(/\$(job|instance)/g, '.*').replaceAll('$__rate_interval', '10s'))
      if (found.length > 0) answered++
    }
    assert.ok(answered >= 10, `${answered} queries have an answer`)
  })
})
