'use strict'

// Files of what is sampled: a .heapprofile as Chrome DevTools reads it, or the
// gzipped protocol buffer of pprof, which `go tool pprof`, Pyroscope, Parca and
// others read. The native side gives the first; the second is made of it here.

const fs = require('node:fs')
const zlib = require('node:zlib')
const { invalidType, notSampling } = require('./errors')

const FORMATS = ['.heapprofile', '.pb.gz']

/* -- Protocol buffers: as much of the encoding as pprof's messages need. */

const VARINT = 0
const BYTES = 2

/** Collects the fields of one message. */
class Message {
  #bytes = []

  #varint (number) {
    // Numbers are below 2^53, and negative ones do not occur.
    while (number >= 128) {
      this.#bytes.push(number % 128 + 128)
      number = Math.floor(number / 128)
    }
    this.#bytes.push(number)
  }

  number (field, value) {
    if (value === 0) return
    this.#varint(field * 8 + VARINT)
    this.#varint(value)
  }

  bytes (field, bytes) {
    this.#varint(field * 8 + BYTES)
    this.#varint(bytes.length)
    for (const byte of bytes) this.#bytes.push(byte)
  }

  numbers (field, values) {
    const packed = new Message()
    for (const value of values) packed.#varint(value)
    this.bytes(field, packed.finish())
  }

  finish () {
    return Buffer.from(this.#bytes)
  }
}

function message (...fields) {
  const made = new Message()
  for (const [field, value] of fields) {
    if (Array.isArray(value)) made.numbers(field, value)
    else if (typeof value === 'number') made.number(field, value)
    else made.bytes(field, value)
  }
  return made.finish()
}

/* -- pprof's profile.proto: https://github.com/google/pprof/tree/main/proto */

const PROFILE = { sampleType: 1, sample: 2, location: 4, function: 5, strings: 6, time: 9, duration: 10, periodType: 11, period: 12, defaultSampleType: 14 }
const VALUE_TYPE = { type: 1, unit: 2 }
const SAMPLE = { locations: 1, values: 2 }
const LOCATION = { id: 1, line: 4 }
const LINE = { function: 1, line: 2 }
const FUNCTION = { id: 1, name: 2, systemName: 3, file: 4, startLine: 5 }

/** Gives every different value a number, in order of appearance. */
class Numbering {
  constructor (first) {
    this.first = first
    this.numbers = new Map()
  }

  of (key, make) {
    let number = this.numbers.get(key)
    if (number === undefined) {
      number = this.first + this.numbers.size
      this.numbers.set(key, number)
      make?.(number)
    }
    return number
  }
}

/**
 * Encodes a profile of DevTools as one of pprof. Stacks go innermost first;
 * objects and bytes of each are counted, both estimated from the samples.
 *
 * @param {object} profile as in a .heapprofile
 * @param {{ since: number, time: number, sampleInterval: number }} sampling
 */
function encodePprof (profile, { since, time, sampleInterval }) {
  const fields = []
  const strings = new Numbering(0)
  const text = (string) => strings.of(string)
  const functions = new Numbering(1)
  const add = (field, value) => fields.push([field, value])
  const valueType = (type, unit) => message([VALUE_TYPE.type, text(type)], [VALUE_TYPE.unit, text(unit)])
  text('')

  // A location is a function here: V8 tells no lines inside of it.
  const locationOf = ({ functionName, scriptId, url, lineNumber, columnNumber }) =>
    functions.of(scriptId === '0' ? functionName : `${scriptId}:${lineNumber}:${columnNumber}:${functionName}`, (id) => {
      const line = Math.max(0, lineNumber + 1)
      const name = text(functionName || '(anonymous)')
      add(PROFILE.function, message([FUNCTION.id, id], [FUNCTION.name, name], [FUNCTION.systemName, name],
        [FUNCTION.file, text(url)], [FUNCTION.startLine, line]))
      add(PROFILE.location, message([LOCATION.id, id], [LOCATION.line, message([LINE.function, id], [LINE.line, line])]))
    })

  add(PROFILE.sampleType, valueType('inuse_objects', 'count'))
  add(PROFILE.sampleType, valueType('inuse_space', 'bytes'))
  const objects = new Map()
  for (const { nodeId, count } of profile.samples) objects.set(nodeId, (objects.get(nodeId) ?? 0) + count)

  // Deep trees are walked without recursion.
  const waiting = profile.head.children.map((node) => ({ node, outer: [] }))
  while (waiting.length > 0) {
    const { node, outer } = waiting.pop()
    const stack = [locationOf(node.callFrame), ...outer]
    if (node.selfSize > 0) {
      add(PROFILE.sample, message([SAMPLE.locations, stack], [SAMPLE.values, [objects.get(node.id) ?? 0, node.selfSize]]))
    }
    for (const child of node.children) waiting.push({ node: child, outer: stack })
  }

  add(PROFILE.time, since * 1e6)
  add(PROFILE.duration, (time - since) * 1e6)
  add(PROFILE.periodType, valueType('space', 'bytes'))
  add(PROFILE.period, sampleInterval)
  add(PROFILE.defaultSampleType, text('inuse_space'))
  for (const string of strings.numbers.keys()) add(PROFILE.strings, Buffer.from(string))
  return message(...fields)
}

/**
 * Writes a profile in the format that the path's ending names.
 *
 * @param {Buffer|undefined} profile the text of a .heapprofile
 * @param {object} sampling what watch.sites() says of it
 * @param {string} path ends in .heapprofile or .pb.gz
 */
function writeHeapProfile (profile, sampling, path) {
  if (typeof path !== 'string' || !FORMATS.some((ending) => path.endsWith(ending))) {
    throw invalidType('path', path, `the path of a file to make, ending in ${FORMATS.join(' or ')}`)
  }
  if (profile === undefined) {
    throw notSampling('writeHeapProfile', sampling.state === 'in-use'
      ? 'another tool uses V8\'s sampling heap profiler'
      : 'the option "sites" is false, or \'auto\' and nothing is suspected')
  }
  fs.writeFileSync(path, path.endsWith('.pb.gz')
    ? zlib.gzipSync(encodePprof(JSON.parse(profile), sampling))
    : profile, { mode: 0o600 })
}

module.exports = { encodePprof, writeHeapProfile }
