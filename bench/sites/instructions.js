'use strict'

// node bench/sites/instructions.js [--node MAJOR|all] [--units N] [--json]
//
// What sampling costs the work of ../workload.js, in instructions, which are the
// same on a busy machine as on a quiet one: valgrind counts all that a process
// executes, V8's sampler and its weak references in every collection included.
// Each process does the work once without sites and once at each interval; what
// its start takes, sampling with it, is counted by itself and taken off. "none"
// is the same as without sites once more, with another seed for V8's chance: the
// noise. Instructions are not time: what the caches make of them is not in it.

const { execFile } = require('node:child_process')
const { parseArgs, promisify } = require('node:util')
const { parseMajors, setup } = require('../../scripts/setup')
const { prepare } = require('../setup')
const { ROUTES, startWithout } = require('./routes')

const execute = promisify(execFile)

// In KiB.
const INTERVALS = [128, 512, 1024]
const SEED = 1
const TIMEOUT_MS = 1_800_000

async function work (route, kib, units) {
  const start = route === 'none' ? startWithout : () => ROUTES[route](kib * 1024)
  start()
  await require('../workload').createWorkload()(units)
  process.exit()
}

/** The instructions of one process. One thread and no chance but that of the seed. */
async function count (binary, { route, kib = 0, seed = SEED }, units) {
  const { stderr } = await execute('valgrind', [
    '--tool=cachegrind', '--cache-sim=no', '--cachegrind-out-file=/dev/null', '--smc-check=all-non-file',
    binary, '--single-threaded', '--predictable', `--random-seed=${seed}`, `--hash-seed=${seed}`,
    __filename, '--work', route, '--kib', String(kib), '--units', String(units)
  ], { timeout: TIMEOUT_MS })
  const [, refs] = /I\s+refs:\s+([\d,]+)/.exec(stderr) ?? []
  if (refs === undefined) throw new Error(`instructions: valgrind counted nothing: ${stderr.slice(-500)}`)
  return Number(refs.replaceAll(',', ''))
}

async function measure (binary, units) {
  const of = async (which) => await count(binary, which, units) - await count(binary, which, 0)
  const without = await of({ route: 'none' })
  const ratios = { none: await of({ route: 'none', seed: SEED + 1 }) / without }
  for (const kib of INTERVALS) ratios[`${kib} KiB`] = await of({ route: 'heapwatch', kib }) / without
  return { without, ratios }
}

async function main () {
  const { values } = parseArgs({
    options: {
      node: { type: 'string', multiple: true, default: [] },
      units: { type: 'string', default: '20000' },
      json: { type: 'boolean', default: false },
      work: { type: 'string' },
      kib: { type: 'string' }
    }
  })
  if (values.work !== undefined) return work(values.work, Number(values.kib), Number(values.units))
  await setup()
  const majors = parseMajors(values.node)
  if (majors.length === 0) majors.push(parseInt(process.versions.node, 10))
  for (const major of majors) {
    const { version, binary } = await prepare(major, { withPeers: false, log: console.error })
    const { without, ratios } = await measure(binary, Number(values.units))
    if (values.json) {
      console.log(JSON.stringify({ node: version, without, ratios }))
      continue
    }
    console.log(`Node.js ${version}: ${(without / 1e9).toFixed(1)} billion instructions without sites; with, more by`)
    for (const [name, ratio] of Object.entries(ratios)) {
      console.log(`  ${name.padEnd(8)} ${((ratio - 1) * 100).toFixed(2).padStart(6)} %`)
    }
  }
}

main().catch((error) => {
  console.error(error.code === 'ENOENT' ? 'valgrind is missing: apt-get install valgrind' : error)
  process.exitCode = 1
})
