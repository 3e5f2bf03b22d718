'use strict'

// Instructions instead of time: valgrind counts those that run inside
// heapwatch's callbacks, V8's own on their behalf included, and those of the
// work around them. The counts are the same on a busy machine as on a quiet
// one, where times differ by more than all that heapwatch does.
//
//   node instructions.js UNITS     the work itself, watched; prints JSON

const { execFile } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { promisify } = require('node:util')

const execute = promisify(execFile)

// One thread and no chance: the same instructions in each run.
const REPEATABLE = ['--single-threaded', '--predictable', '--random-seed=1', '--hash-seed=1']
// Under valgrind everything takes fifty times as long, but a timer's second.
const INTERVAL_MS = 20_000
// Where V8 and libuv enter heapwatch, by the event that it is for.
const ENTRIES = { gc: ['on_prologue', 'on_epilogue'], sample: ['on_timer'] }
const TIMEOUT_MS = 600_000
const UNITS = 12_000

async function work (units) {
  const heapwatch = require('..')
  const { createWorkload } = require('./workload')
  const watch = heapwatch.watch({ interval: INTERVAL_MS })
  await createWorkload()(units)
  // Also when the work is done before the timer's first tick, there is a sample.
  while (watch.stats().samples === 0) await new Promise((resolve) => setTimeout(resolve, 500))
  const { gcs, samples } = watch.stats()
  console.log(JSON.stringify({ gcs, samples }))
  process.exit()
}

/** The instructions in and below each of ENTRIES' functions, and in all. */
function parse (text) {
  const number = (string) => Number(string.replaceAll(',', ''))
  const total = number(/^\s*([\d,]+) .*PROGRAM TOTALS/m.exec(text)[1])
  const inside = {}
  for (const [event, names] of Object.entries(ENTRIES)) {
    inside[event] = 0
    for (const name of names) {
      const line = new RegExp(`^\\s*([\\d,]+) .*:${name}[( ].*heapwatch`, 'm').exec(text)
      inside[event] += line === null ? 0 : number(line[1])
    }
  }
  return { total, inside }
}

/** One process under valgrind: what it says of itself, and what was counted. */
async function run ({ binary, flags }, units, directory) {
  const file = path.join(directory, `callgrind.${units}`)
  const { stdout } = await execute('valgrind', [
    '--quiet', '--tool=callgrind', `--callgrind-out-file=${file}`, '--smc-check=all-non-file',
    binary, ...REPEATABLE, ...flags, __filename, String(units)
  ], { timeout: TIMEOUT_MS })
  const annotated = await execute('callgrind_annotate', ['--inclusive=yes', '--threshold=100', file], { maxBuffer: 1 << 28 })
  return { ...JSON.parse(stdout.trim().split('\n').at(-1)), ...parse(annotated.stdout) }
}

/**
 * Counts.
 *
 * @param {{ binary: string, flags: string[] }} node
 * @returns {Promise<{ gcs: number, perGc: number, perSample: number,
 *   work: number, share: number }>} work: all instructions of the work, without
 *   the start of the process; share: that of the callbacks for collections
 */
async function count (node) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-instructions-'))
  try {
    const start = await run(node, 0, directory)
    const whole = await run(node, UNITS, directory)
    const work = whole.total - start.total
    const gcs = whole.gcs - start.gcs
    const inGcs = whole.inside.gc - start.inside.gc
    if (!(inGcs > 0 && whole.inside.sample > 0)) throw new Error('instructions: valgrind saw none of heapwatch\'s callbacks')
    return { gcs, perGc: inGcs / gcs, perSample: whole.inside.sample / whole.samples, work, share: inGcs / work }
  } catch (error) {
    if (error.code === 'ENOENT') throw new Error('instructions: valgrind is missing: apt-get install valgrind')
    throw error
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

if (require.main === module) work(Number(process.argv[2]))

module.exports = { count }
