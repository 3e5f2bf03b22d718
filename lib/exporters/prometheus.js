'use strict'

// heapwatch/prometheus: metrics of a watch, read when they are scraped, as text
// or through a registry of prom-client.
//
// Nothing here listens to a watch: its C code has counted every collection
// already, and a scrape copies the counts.

const { FAMILIES, OWN_LABELS } = require('./families')
const { checkNames, checkObject, checkWatch, guard, read } = require('./readings')
const { alreadyRegistered, invalidType, noPromClient, outOfRange, registryFailed } = require('../errors')

const CONTENT_TYPES = {
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  prometheus: 'text/plain; version=0.0.4; charset=utf-8'
}
const PREFIX = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/

// -- What is given ------------------------------------------------------------

function checkPrefix (prefix = 'heapwatch_') {
  const allowed = 'letters, digits, "_" and ":", the first no digit'
  if (typeof prefix !== 'string') throw invalidType('prefix', prefix, allowed)
  if (!PREFIX.test(prefix)) throw outOfRange('prefix', prefix, allowed)
  return prefix
}

function checkLabels (labels = {}) {
  checkObject('labels', labels, 'an object of strings and numbers')
  for (const [name, value] of Object.entries(labels)) {
    if (!LABEL.test(name) || name.startsWith('__') || OWN_LABELS.includes(name)) {
      throw outOfRange('labels', labels, 'an object whose names are letters, digits and "_", ' +
        `do not begin with a digit or "__", and are none of ${OWN_LABELS.join(', ')}`)
    }
    if (typeof value !== 'string' && typeof value !== 'number') {
      throw invalidType(`labels.${name}`, value, 'a string or a number')
    }
  }
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, String(value)]))
}

// -- Reading ------------------------------------------------------------------

/** The samples of one family: [{ name, labels, value }]. */
function samplesOf (family, name, readings) {
  return readings.flatMap(({ reading, labels }) => guard(() =>
    family.read(reading).map(([own, value, suffix = '']) =>
      ({ name: name + suffix, labels: { ...labels, ...own }, value }))))
}

function readAll (sources) {
  return sources.flatMap(({ watch, labels }) =>
    guard(() => [{ reading: read(watch), labels }]))
}

// -- Text ---------------------------------------------------------------------

function number (value) {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}

// OpenMetrics wants bounds as floating point numbers: the same bound is
// always the same label.
function bound (value, openMetrics) {
  return openMetrics && Number.isInteger(value) ? `${value}.0` : number(value)
}

function escapeLabel (value) {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function labelText (labels, openMetrics) {
  const parts = Object.entries(labels).map(([name, value]) =>
    `${name}="${name === 'le' ? bound(value, openMetrics) : escapeLabel(value)}"`)
  return parts.length > 0 ? `{${parts.join(',')}}` : ''
}

function familyText (family, prefix, readings, openMetrics) {
  const isCounter = family.type === 'counter'
  const full = prefix + family.name
  const samples = samplesOf(family, isCounter ? `${full}_total` : full, readings)
  if (samples.length === 0) return ''
  const name = isCounter && !openMetrics ? `${full}_total` : full
  const head = [
    `# HELP ${name} ${family.help}`,
    `# TYPE ${name} ${family.type}`,
    ...(openMetrics && family.unit ? [`# UNIT ${name} ${family.unit}`] : [])
  ]
  return [...head, ...samples.map(({ name, labels, value }) =>
    `${name}${labelText(labels, openMetrics)} ${number(value)}`)].join('\n') + '\n'
}

/**
 * The metrics of a watch as text, to answer a scrape with; the header
 * `Content-Type` must be `contentType(format)`.
 *
 * @param {import('../index').HeapWatch} watch
 * @param {{ prefix?: string, labels?: object, format?: 'openmetrics'|'prometheus' }} [options]
 * @returns {string}
 * @throws {TypeError|RangeError} for wrong options only; a metric that cannot
 *   be read is left out
 */
function metrics (watch, options = {}) {
  checkWatch(watch)
  checkNames(options, ['prefix', 'labels', 'format'])
  const prefix = checkPrefix(options.prefix)
  const labels = checkLabels(options.labels)
  const openMetrics = checkFormat(options.format) === 'openmetrics'
  const readings = readAll([{ watch, labels }])
  const text = FAMILIES.map((family) => familyText(family, prefix, readings, openMetrics)).join('')
  return openMetrics ? `${text}# EOF\n` : text
}

function checkFormat (format = 'openmetrics') {
  if (!Object.hasOwn(CONTENT_TYPES, format)) {
    throw outOfRange('format', format, Object.keys(CONTENT_TYPES).map((name) => `"${name}"`).join(' or '))
  }
  return format
}

/** The media type of what `metrics` returns. */
function contentType (format) {
  return CONTENT_TYPES[checkFormat(format)]
}

// -- prom-client --------------------------------------------------------------

// A metric as a registry of prom-client sees it: a name, and `get()`, which it
// awaits. The counters and histograms of prom-client itself can only be added
// to; ours are counted already.
class Metric {
  #group
  #family
  #name

  constructor (group, family, prefix) {
    this.#group = group
    this.#family = family
    this.#name = `${prefix}${family.name}${family.type === 'counter' ? '_total' : ''}`
    // Writable: for OpenMetrics the registry takes `_total` off, and adds it to
    // the samples by itself.
    this.name = this.#name
    this.help = family.help
    this.type = family.type
    this.aggregator = family.aggregator ?? 'sum'
  }

  async get () {
    const { help, name, type, aggregator } = this
    const values = samplesOf(this.#family, this.#name, this.#group.read()).map((sample) => ({
      value: sample.value,
      labels: boundsAsText(sample.labels),
      ...(sample.name === this.#name ? {} : { metricName: sample.name })
    }))
    return { help, name, type, aggregator, values }
  }

  /** Of registry.resetMetrics(): these count from the beginning of the watch. */
  reset () {}
}

function boundsAsText (labels) {
  return labels.le === undefined ? labels : { ...labels, le: number(labels.le) }
}

// All watches that share a prefix in a registry.
class Group {
  sources = []
  #readings

  constructor (prefix) {
    this.metrics = FAMILIES.map((family) => new Metric(this, family, prefix))
  }

  // A registry asks one metric after the other: all answers of a turn are of
  // the same moment.
  read () {
    if (!this.#readings) {
      this.#readings = readAll(this.sources)
      queueMicrotask(() => { this.#readings = undefined })
    }
    return this.#readings
  }

  has (labels) {
    const key = keyOf(labels)
    return this.sources.some((source) => keyOf(source.labels) === key)
  }
}

function keyOf (labels) {
  return JSON.stringify(Object.entries(labels).sort())
}

/** Registry → prefix → Group. */
const groups = new WeakMap()

function groupOf (registry, prefix) {
  if (!groups.has(registry)) groups.set(registry, new Map())
  const known = groups.get(registry)
  // registry.clear() has forgotten the metrics, and with them their watches.
  const group = known.get(prefix)
  if (group?.metrics.some((metric) => registry.getSingleMetric(metric.name) === metric)) return group
  const created = new Group(prefix)
  known.set(prefix, created)
  return created
}

function defaultRegistry () {
  try {
    return require('prom-client').register
  } catch (error) {
    throw noPromClient(error)
  }
}

// All metrics or none: what was not there before is taken away again.
function addAll (registry, metrics) {
  const added = []
  try {
    for (const metric of metrics) {
      const known = registry.getSingleMetric(metric.name) === metric
      registry.registerMetric(metric)
      if (!known) added.push(metric)
    }
  } catch (error) {
    try {
      removeAll(registry, added)
    } catch {} // the failure before it is the one to tell
    throw registryFailed(error)
  }
}

function removeAll (registry, metrics) {
  for (const metric of metrics) {
    if (registry.getSingleMetric(metric.name) === metric) registry.removeSingleMetric(metric.name)
  }
}

/**
 * Adds the metrics of a watch to a registry of prom-client, by default its
 * global one. Watches may share a registry if their labels or prefixes differ.
 *
 * @param {import('../index').HeapWatch} watch
 * @param {{ registry?: object, prefix?: string, labels?: object }} [options]
 * @returns {() => void} takes them out again
 * @throws {Error} ERR_HEAPWATCH_ALREADY_REGISTERED, ERR_HEAPWATCH_REGISTRY if
 *   the registry refuses a metric, ERR_HEAPWATCH_NO_PROM_CLIENT; then nothing
 *   has been added
 */
function register (watch, options = {}) {
  checkWatch(watch)
  checkNames(options, ['registry', 'prefix', 'labels'])
  const prefix = checkPrefix(options.prefix)
  const labels = checkLabels(options.labels)
  const registry = options.registry ?? defaultRegistry()
  for (const name of ['registerMetric', 'getSingleMetric', 'removeSingleMetric']) {
    if (typeof registry[name] !== 'function') {
      throw invalidType('registry', registry, 'a Registry of prom-client')
    }
  }
  const group = groupOf(registry, prefix)
  if (group.has(labels)) throw alreadyRegistered(prefix, labels)
  addAll(registry, group.metrics)
  const source = { watch, labels }
  group.sources.push(source)
  return function unregister () {
    const index = group.sources.indexOf(source)
    if (index < 0) return
    group.sources.splice(index, 1)
    if (group.sources.length === 0) removeAll(registry, group.metrics)
  }
}

module.exports = { contentType, metrics, register }
