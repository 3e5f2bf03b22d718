'use strict'

// Events as sentences: what the log, the terminal and the reports say alike.

const { bytes, ms, percent, seconds } = require('./cli/format')

const METRICS = {
  heap: 'the heap',
  external: 'external memory',
  arrayBuffers: 'memory of ArrayBuffers',
  native: 'native memory',
  contexts: 'the number of contexts'
}

/** An amount of what leaks: bytes, or a number of contexts. */
function amount (metric, n) {
  return metric === 'contexts' ? `${n.toFixed(n < 10 ? 1 : 0)} contexts` : bytes(n)
}

/** "the heap is leaking 1.2 MB/s: 45 MB in 40 s; 12 min to the limit of 4.3 GB" */
function leakText (leak) {
  const { metric } = leak
  const left = leak.timeToLimit === null || leak.timeToLimit === undefined
    ? ''
    : `; ${seconds(leak.timeToLimit)} to the limit of ${bytes(leak.limit)}`
  return `${METRICS[metric] ?? metric} is leaking ${amount(metric, leak.rate)}/s: ` +
    `${amount(metric, leak.growth)} in ${seconds(leak.duration)}${left}`
}

/** "the leak of the heap is over: it grew by 45 MB in 2 min" */
function leakEndText (leak) {
  return `the leak of ${METRICS[leak.metric] ?? leak.metric} is over: ` +
    `${amount(leak.metric, leak.growth)} in ${seconds(leak.duration)}`
}

const placeOf = ({ url, line, column }) => url
  ? `${url.replace(/^file:\/\//, '')}${line > 0 ? `:${line}${column > 0 ? `:${column}` : ''}` : ''}`
  : ''

function frameText (frame) {
  const place = placeOf(frame)
  const name = frame.functionName || '(anonymous)'
  return place ? `${name} (${place})` : name
}

/** What of a site is the application's own: the frame that people can mend. */
function ownFrame (site) {
  return site.application && site.kind !== 'application' ? site.application : site
}

/**
 * "getOrder (/app/server.js:12:5)"; where the app is not what allocates, also
 * who does: "getOrder (/app/server.js:12:5), in slice (node:buffer:300:3)"
 */
function siteText (site) {
  return ownFrame(site) === site ? frameText(site) : `${ownText(site)}, in ${frameText(site)}`
}

/** "getOrder (/app/server.js:12:5)": only the frame that people can mend. */
function ownText (site) {
  return frameText(ownFrame(site))
}

/** "server.js:12", for where there is little room. */
function siteLabel (site) {
  const { url, line, functionName } = ownFrame(site)
  return url ? `${url.slice(url.lastIndexOf('/') + 1)}${line > 0 ? `:${line}` : ''}` : functionName || '(anonymous)'
}

/** The sites that grow, of the newest note that has any. */
function latestSites (notes) {
  for (let i = notes.length - 1; i >= 0; i--) {
    const { kind, data } = notes[i]
    if (kind !== 'sites' && kind !== 'timeline') continue
    const growing = (data.sites ?? []).filter(({ trend = 'growing' }) => trend === 'growing')
    if (growing.length > 0) return growing
  }
  return []
}

/** "rss is 92 % of the memory limit: 470 MB of 512 MB" */
function pressureText ({ reason, ratio, used, limit }) {
  const of = used === undefined ? '' : `: ${bytes(used)} of ${bytes(limit)}`
  if (reason === 'heap-limit') return `the live heap is ${percent(ratio)} of its limit${of}`
  if (reason === 'memory-limit') return `rss is ${percent(ratio)} of the memory limit${of}`
  if (reason === 'gc-load') return `${percent(ratio)} of the time goes into garbage collection`
  return `pressure: ${reason}`
}

/** "mark-sweep-compact paused for 120 ms: 450 MB to 300 MB" */
function gcText ({ type, duration, heapBefore, heapAfter }) {
  return `${type} paused for ${ms(duration)}: ${bytes(heapBefore)} to ${bytes(heapAfter)}`
}

const shortened = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text

const NOUNS = { closure: 'closures', string: 'strings', 'concatenated string': 'strings', 'sliced string': 'strings' }

/**
 * What `why` found as one sentence: "4,812 `Session` objects (61 MB) are held
 * by listeners of event `tick` on the `EventEmitter` in module variable `bus`
 * (lib/bus.js:12)".
 */
function causeText (why) {
  const { leaks, growth, retained, single, item, heldBy, perhaps, also } = why
  if (!leaks) return `nothing that a count explains grew between the snapshots: ${bytes(growth)} in all`
  const size = bytes(retained[1] - retained[0])
  const what = single
    ? `a \`${shortened(item, 60) || '(anonymous)'}\` that has grown by ${size} is`
    : `${itemsText(why)} (${size}) are`
  if (heldBy === undefined) return `${what} held by something that cannot be told${perhaps ? `, perhaps ${shortened(perhaps.heldBy, 300)}` : ''}`
  return `${what} held by ${holderText(why)}${also ? `, and by ${shortened(also.heldBy, 300)}` : ''}`
}

function holderText ({ heldBy, example, weakMap }) {
  const holder = shortened(heldBy, 300) + (example === undefined ? '' : `, such as \`${shortened(example, 60)}\``)
  if (!weakMap) return holder
  const map = `the WeakMap in ${shortened(weakMap.heldBy, 300)}`
  return weakMap.kind ? `${map}, for keys that are held by ${holder}` : `${holder}, through ${map}`
}

/**
 * The part of a URL that tells a reader enough: of a library all from its name
 * on, of Node.js everything, else the file's name.
 */
function tellingPart (url) {
  const library = url.lastIndexOf('/node_modules/')
  if (url.startsWith('node:')) return url
  return url.slice((library < 0 ? url.lastIndexOf('/') : library + '/node_modules'.length) + 1)
}

/** "`expire` (links.mjs:18)" */
function functionText ({ name, url, line }) {
  const place = url ? ` (${tellingPart(url)}${line > 0 ? `:${line}` : ''})` : ''
  return `\`${shortened(name, 60) || '(anonymous)'}\`${place}`
}

/** "4,812 more `onRow` closures with `Session`" */
function itemsText ({ contexts, suspended, count, item, itemType, class: payload }) {
  const more = (number) => `${number.toLocaleString('en-US')} more`
  if (contexts) return `${more(contexts)} contexts of \`vm\``
  const noun = NOUNS[itemType] ?? 'objects'
  const items = more(count[1] - count[0])
  if (noun === 'strings') return `${items} strings`
  const rest = suspended
    ? ` with suspended calls of ${functionText(suspended)}`
    : payload === item ? '' : ` with \`${shortened(payload, 60)}\``
  return `${items} \`${shortened(item, 60) || '(anonymous)'}\` ${noun}${rest}`
}

module.exports = { METRICS, amount, causeText, gcText, latestSites, leakEndText, leakText, ownText, pressureText, siteLabel, siteText, tellingPart }
