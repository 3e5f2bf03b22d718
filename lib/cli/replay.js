'use strict'

const fs = require('node:fs')
const zlib = require('node:zlib')
const { parseArgs } = require('node:util')
const { Replay } = require('../native')
const { bytes, seconds } = require('./format')

const HELP = `Usage: heapwatch replay TRACE [--json]

Runs a recorded trace through the leak detector, at full speed, and prints every
verdict. TRACE is a file of JSON lines, plain or gzip, or - for standard input.
Lines that cannot be read are reported on standard error and skipped; a trace
that is cut off is used up to its end.

  --json   one object a line: { event: "leak"|"leakend", t, metric, rate, ... }
  --help   this text

Exit codes: 0 read, 1 the file cannot be read, 2 wrong options.
`

/** Verdicts and bad lines of a trace, in order, as they fall. */
async function * replayFile (path) {
  const source = path === '-' ? process.stdin : fs.createReadStream(path)
  const replay = new Replay({ leak: {} })
  let gunzip
  let input = source
  const first = await firstChunk(source)
  if (first && first[0] === 0x1f && first[1] === 0x8b) {
    gunzip = zlib.createGunzip()
    gunzip.write(first)
    input = source.pipe(gunzip)
    // Errors of the file itself are the caller's.
    source.on('error', (error) => gunzip.destroy(error))
  } else if (first) {
    yield * replay.push(first)
  }
  try {
    for await (const chunk of input) yield * replay.push(chunk)
  } catch (error) {
    if (error.code !== 'Z_BUF_ERROR') throw error
    yield { reason: 'the compressed data ends early' }
  }
  yield * replay.finish()
}

function firstChunk (source) {
  return new Promise((resolve, reject) => {
    source.once('error', reject)
    source.once('end', () => resolve(null))
    source.once('readable', () => resolve(source.read()))
  })
}

function describe (leak) {
  const count = leak.metric === 'contexts' ? (n) => `${n.toFixed(1)} contexts` : bytes
  const at = `${(leak.time / 1000).toFixed(1)} s`
  if (leak.over) return `${at}  ${leak.metric}: the leak is over, after ${seconds(leak.duration)}`
  const limit = leak.timeToLimit === null ? '' : `, ${seconds(leak.timeToLimit)} to the limit of ${bytes(leak.limit)}`
  return `${at}  ${leak.metric} is leaking: ${count(leak.rate)}/s (${count(leak.rateLow)} to ${count(leak.rateHigh)}), ` +
    `${count(leak.growth)} in ${seconds(leak.duration)}${limit}; ` +
    `${leak.shape}, by ${leak.basis}, confidence ${leak.confidence.toFixed(2)}`
}

function toJson ({ over, time, ...rest }) {
  return JSON.stringify({ event: over ? 'leakend' : 'leak', t: time, ...rest })
}

async function run (args) {
  let values, positionals
  try {
    ({ values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } }
    }))
    if (!values.help && positionals.length !== 1) throw new Error('give one trace')
  } catch (error) {
    process.stderr.write(`heapwatch replay: ${error.message}\n`)
    return 2
  }
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  let leaks = 0
  for await (const event of replayFile(positionals[0])) {
    if (event.reason) {
      process.stderr.write(`${event.line ? `line ${event.line}: ` : ''}${event.reason}\n`)
    } else {
      leaks++
      process.stdout.write(`${values.json ? toJson(event) : describe(event)}\n`)
    }
  }
  if (leaks === 0 && !values.json) process.stdout.write('no leak\n')
  return 0
}

module.exports = { summary: 'run a recorded trace through the leak detector', run }
