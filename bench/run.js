'use strict'

// npm run bench [-- --node MAJOR|all] [--rounds N] [--only PART]... [--cpu N] [--json]
//
// What heapwatch costs, measured against a process that nothing watches and
// against everything else that watches collections. README.md beside this file
// says what each part measures and shows the figures.

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { BUILD, ROOT, run } = require('../lib/toolchain')
const { parseMajors, setup } = require('../scripts/setup')
const { prepare, reasonOf } = require('./setup')
const { count } = require('./instructions')
const { print } = require('./report')
const { rotated } = require('./stats')
const { BUILT_IN } = require('./watchers')

const PARTS = ['missed', 'throughput', 'alternate', 'instructions', 'hook', 'delivery', 'samples', 'recorder']

// A young generation of 1 MB is collected every few milliseconds: far more
// often than in production, so that what a collection costs can be seen.
const GC_HEAVY = ['--max-semi-space-size=1']
const UNITS = 40_000
const CHILD_TIMEOUT_MS = 900_000

// Where watches record, so that nobody's own recordings are pruned. In memory,
// as by default.
const RECORDINGS = path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), `heapwatch-bench-${process.pid}`)
process.on('exit', () => fs.rmSync(RECORDINGS, { recursive: true, force: true }))

/** Runs a script of this folder in a process of its own. */
function runChild (script, { binary, cpu, flags = [], args = [] }) {
  const file = path.join(__dirname, script)
  const command = [binary, ...flags, file, ...args.map(String)]
  if (cpu !== undefined) command.unshift('taskset', '-c', cpu)
  return new Promise((resolve) => {
    const child = spawn(command[0], command.slice(1), { env: { ...process.env, HEAPWATCH_DIR: RECORDINGS }, stdio: ['ignore', 'pipe', 'pipe'] })
    const output = { stdout: '', stderr: '' }
    for (const stream of ['stdout', 'stderr']) {
      child[stream].on('data', (chunk) => { output[stream] += chunk })
    }
    const timer = setTimeout(() => child.kill('SIGKILL'), CHILD_TIMEOUT_MS)
    child.on('error', (error) => resolve({ ...output, problem: error.message }))
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      const problem = signal
        ? `killed by ${signal}`
        : code === 0 ? undefined : reasonOf(output.stderr)
      resolve({ ...output, problem })
    })
  })
}

/** As runChild, for a script that must succeed and prints JSON last. */
async function measure (script, options) {
  const { stdout, stderr, problem } = await runChild(script, options)
  if (problem) throw new Error(`${script}: ${problem}\n${stderr}`)
  return JSON.parse(stdout.trim().split('\n').at(-1))
}

/** Of V8's trace, the collections between the two that missed.js asked for. */
function tracedCounts (trace) {
  const lines = trace.split('\n').filter((line) => /^\[\d+:\w+(:\d+)?\]\s+\d+ ms: /.test(line))
  const asked = lines.flatMap((line, i) => /testing; GC in old space requested/.test(line) ? [i] : [])
  const between = lines.slice(asked[0] + 1, asked.at(-1))
  const major = between.filter((line) => / ms: (Incremental )?Mark-Compact/.test(line)).length
  return { minor: between.length - major, major }
}

// Also finds out which of the peers work at all.
async function missed (node) {
  const result = {}
  for (const { name, directory, problem } of node.watchers) {
    if (name === 'bare') continue
    if (problem) {
      result[name] = { problem }
      continue
    }
    const child = await runChild('missed.js', {
      ...node,
      flags: ['--trace-gc', '--expose-gc', ...GC_HEAVY],
      args: [name, directory, UNITS / 2]
    })
    result[name] = child.problem
      ? { problem: child.problem }
      : { traced: tracedCounts(child.stdout), reported: JSON.parse(child.stderr.trim().split('\n').at(-1)) }
  }
  return result
}

async function throughput (node, rounds, broken) {
  const watchers = node.watchers.filter(({ name, problem }) => !problem && !broken[name]?.problem)
  const result = Object.fromEntries(watchers.map(({ name }) => [name, { wall: [], cpu: [] }]))
  for (let round = 0; round < rounds; round++) {
    for (const { name, directory } of rotated(watchers, round)) {
      const { wall, cpu } = await measure('throughput.js',
        { ...node, flags: GC_HEAVY, args: [name, directory, UNITS] })
      result[name].wall.push(wall)
      result[name].cpu.push(cpu)
    }
  }
  return result
}

async function alternate (node, rounds) {
  const on = (flags) =>
    measure('alternate.js', { ...node, flags, args: [node.addon, rounds * 20, UNITS / 5] })
  return { usual: await on([]), heavy: await on(GC_HEAVY) }
}

const instructions = (node) => count({ ...node, flags: GC_HEAVY })

const hook = (node, rounds) =>
  measure('hook.js', { ...node, flags: ['--expose-gc', ...GC_HEAVY], args: [node.addon, rounds * 2] })

const delivery = (node, rounds) =>
  measure('delivery.js', { ...node, flags: ['--expose-gc'], args: [node.addon, rounds] })

// The full recording is written by a program that `make` builds.
async function recorder (node, rounds) {
  const full = path.join(BUILD, 'bench', 'full.hwrec')
  await run('make', ['-C', path.join(ROOT, 'test', 'c'), 'full_recording'])
  await run(path.join(BUILD, 'c', 'full_recording'), [full])
  return measure('recorder.js', {
    ...node,
    flags: ['--expose-gc', ...GC_HEAVY],
    args: [node.addon, rounds, full]
  })
}

const samples = (node, rounds) =>
  measure('samples.js', {
    ...node,
    flags: ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'],
    args: [node.addon, rounds]
  })

async function bench (major, { rounds, parts, cpu, log }) {
  // Only these compare with packages, which take minutes to build.
  const withPeers = parts.includes('missed') || parts.includes('throughput')
  const { peers, ...prepared } = await prepare(major, { withPeers, log })
  const builtIn = Object.keys(BUILT_IN).map((name) => ({ name, directory: '-' }))
  const node = { ...prepared, cpu, watchers: [...builtIn, ...peers] }
  const result = { node: node.version, rounds, peers: peers.map(({ name, version }) => ({ name, version })) }
  const measures = { missed, throughput, alternate, instructions, hook, delivery, samples, recorder }
  for (const part of PARTS.filter((part) => parts.includes(part))) {
    log(`Node.js ${node.version}: ${part}`)
    try {
      result[part] = await measures[part](node, rounds, result.missed ?? {})
    } catch (error) {
      // The other parts are worth having all the same.
      log(error.message)
      process.exitCode = 1
    }
  }
  return result
}

async function main () {
  const { values } = parseArgs({
    options: {
      node: { type: 'string', multiple: true, default: [] },
      only: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string', default: '9' },
      cpu: { type: 'string' },
      json: { type: 'boolean', default: false }
    }
  })
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds}: must be a whole number above 0`)
  for (const part of values.only) {
    if (!PARTS.includes(part)) throw new Error(`--only ${part}: must be one of ${PARTS.join(', ')}`)
  }
  const majors = parseMajors(values.node)
  if (majors.length === 0) majors.push(parseInt(process.versions.node, 10))
  const parts = values.only.length > 0 ? values.only : PARTS
  const log = (line) => process.stderr.write(`${line}\n`)

  await setup()
  const machine = { cpus: os.availableParallelism(), model: os.cpus()[0]?.model.trim(), platform: `${os.platform()} ${os.arch()}` }
  const results = []
  for (const major of majors) {
    const result = await bench(major, { rounds, parts, cpu: values.cpu, log })
    result.load = os.loadavg()[0]
    results.push(result)
    if (!values.json) print(result, machine)
  }
  if (values.json) console.log(JSON.stringify({ machine, results }, null, 2))
}

main().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
