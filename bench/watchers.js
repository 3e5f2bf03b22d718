'use strict'

// The configurations that are compared: each watches the collections of the
// process it is started in, as its documentation says it is used.
//
// `start(load)` returns what ends it and, where it can tell, `counts()`: how
// many minor and major collections it has reported, undefined for a kind that
// it does not tell apart or does not report. Incremental markings are left
// out: only their beginning can be seen, and V8 traces none.

const { PerformanceObserver, constants } = require('node:perf_hooks')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const v8 = require('node:v8')

/** A counter of V8's GC types, as numbers of v8::GCType. */
function counter () {
  const counts = { minor: 0, major: 0 }
  return {
    counts: () => counts,
    add (type) {
      if (type === 1 || type === 2) counts.minor++
      else if (type === 4) counts.major++
    }
  }
}

function heapwatchCounts (watch) {
  const { minor, major } = watch.pauses()
  return { minor: minor.count, major: major.count }
}

const BUILT_IN = {
  bare: {
    start: () => ({ stop () {} })
  },

  heapwatch: {
    start () {
      const watch = require('..').watch()
      return { counts: () => heapwatchCounts(watch), stop: () => watch.stop() }
    }
  },

  'heapwatch, gc listener': {
    start () {
      const watch = require('..').watch()
      const { add, counts } = counter()
      const types = { minor: 1, major: 4 }
      watch.on('gc', (gc) => add(types[gc.kind]))
      return { counts, stop: () => watch.stop() }
    }
  },

  PerformanceObserver: {
    start () {
      const { add, counts } = counter()
      const types = {
        [constants.NODE_PERFORMANCE_GC_MINOR]: 1,
        [constants.NODE_PERFORMANCE_GC_MAJOR]: 4
      }
      const observer = new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) add(types[entry.detail.kind])
      })
      observer.observe({ entryTypes: ['gc'] })
      return { counts, stop: () => observer.disconnect() }
    }
  },

  'v8.GCProfiler': {
    start () {
      const profiler = new v8.GCProfiler()
      profiler.start()
      let counts
      const stop = () => {
        const types = profiler.stop().statistics.map((one) => one.gcType)
        const of = (...names) => types.filter((type) => names.includes(type)).length
        counts = { minor: of('Scavenge', 'MinorMarkCompact', 'MinorMarkSweep'), major: of('MarkSweepCompact') }
      }
      return { stop, counts: () => counts ?? (stop(), counts) }
    }
  }
}

/** As gc-stats and its forks: an emitter of `stats` with V8's type. */
function statsEmitter (emitter) {
  const { add, counts } = counter()
  emitter.on('stats', (stats) => add(stats.gctype))
  return { counts, stop: () => emitter.removeAllListeners('stats') }
}

/** As memwatch and its forks: `stats` after a major collection, and no other. */
function memwatch (emitter) {
  let major = 0
  emitter.on('stats', () => major++)
  return { counts: () => ({ major }), stop: () => emitter.removeAllListeners('stats') }
}

/** Counts by V8's type number, as the natives of New Relic and its forks keep them. */
function countsByType (table) {
  const count = (type) => table[type]?.count ?? 0
  return { minor: count(1) + count(2), major: count(4) }
}

const PEERS = {
  'gc-stats': {
    version: '1.4.1',
    start: (load) => statsEmitter(load()())
  },
  '@sematext/gc-stats': {
    version: '1.5.9',
    start: (load) => statsEmitter(load()())
  },
  'gcstats.js': {
    version: '1.0.0',
    start: (load) => statsEmitter(load())
  },
  'gc-profiler': {
    version: '1.4.2',
    start (load) {
      const profiler = load()
      const { add, counts } = counter()
      // Its names are those of an older V8: type 2 is its "MarkSweepCompact".
      const types = { Scavenge: 1, MarkSweepCompact: 2, IncrementalMarking: 4 }
      profiler.on('gc', (gc) => add(types[gc.type]))
      return { counts, stop: () => profiler.removeAllListeners('gc') }
    }
  },
  '@airbnb/node-memwatch': { version: '3.0.0', start: (load) => memwatch(load()) },
  'memwatch-next': { version: '0.3.0', start: (load) => memwatch(load()) },
  'node-memwatch-new': { version: '0.0.3', start: (load) => memwatch(load()) },
  '@icebob/node-memwatch': { version: '2.1.0', start: (load) => memwatch(load()) },
  '@newrelic/native-metrics': {
    version: '13.1.0',
    start (load) {
      const metrics = load()({ timeout: 15_000 })
      // Reading starts its table anew.
      return {
        counts: () => countsByType(Object.fromEntries(Object.values(metrics.getGCMetrics())
          .map(({ typeId, metrics }) => [typeId, metrics]))),
        stop: () => metrics.unbind()
      }
    }
  },
  '@datadog/native-metrics': {
    version: '4.0.0',
    start (load) {
      const metrics = load()
      metrics.start()
      return {
        counts () {
          const { gc } = metrics.stats()
          const count = (name) => gc[name]?.count ?? 0
          return {
            minor: count('scavenge') + count('minor_mark_compact') + count('minor_mark_sweep'),
            major: count('mark_sweep_compact')
          }
        },
        stop: () => metrics.stop()
      }
    }
  },
  'applicationinsights-native-metrics': {
    version: '0.0.11',
    start (load) {
      const NativeMetricEmitter = load()
      const metrics = new NativeMetricEmitter({ timeout: 15_000 })
      return {
        counts: () => countsByType(Object.fromEntries(Object.values(metrics.getGCData())
          .map(({ typeId, metrics }) => [typeId, metrics]))),
        stop: () => metrics.enable(false)
      }
    }
  },
  xprofiler: {
    version: '3.1.0',
    start (load) {
      const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-bench-'))
      process.on('exit', () => fs.rmSync(directory, { recursive: true, force: true }))
      load().start({ log_dir: directory, log_interval: 1 })
      return {
        // Its log has one number for all types, incremental markings included.
        async counts () {
          await new Promise((resolve) => setTimeout(resolve, 1500))
          const text = fs.readdirSync(directory).filter((name) => name.endsWith('.log'))
            .map((name) => fs.readFileSync(path.join(directory, name), 'utf8')).join('\n')
          const all = [...text.matchAll(/total_gc_times: (\d+)/g)].map((match) => Number(match[1]))
          return { all: Math.max(...all) }
        },
        stop () {}
      }
    }
  },
  appmetrics: {
    version: '5.1.1',
    start (load) {
      const monitor = load().monitor()
      const { add, counts } = counter()
      monitor.on('gc', (gc) => add({ S: 1, M: 4 }[gc.type]))
      return { counts, stop () {} }
    }
  },
  'prom-client': {
    version: '15.1.3',
    start (load) {
      const client = load()
      client.collectDefaultMetrics()
      return {
        async counts () {
          const metric = await client.register.getSingleMetric('nodejs_gc_duration_seconds').get()
          const count = (kind) => metric.values.find((value) =>
            value.metricName?.endsWith('_count') && value.labels.kind === kind)?.value ?? 0
          return { minor: count('minor'), major: count('major') }
        },
        stop: () => client.register.clear()
      }
    }
  }
}

/**
 * Starts the watcher of this name.
 *
 * @param {string} name of BUILT_IN or PEERS
 * @param {string} [directory] where the package of a peer lies
 */
function startWatcher (name, directory) {
  const { start } = BUILT_IN[name] ?? PEERS[name]
  return start(() => require(directory))
}

module.exports = { BUILT_IN, PEERS, startWatcher }
