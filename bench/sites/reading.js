'use strict'

// node bench/sites/reading.js [--node MAJOR|all] [--samples N,N…] [--rounds N]
//
// What one reading of the samples costs: CPU time of the main thread, and JS
// heap, the first two by turns:
//
//   V8          the profile that V8 builds of its samples, and its deletion:
//               what every reader of samples pays
//   heapwatch   all of watch.sites({ limit: 1 }): V8's profile, the table of
//               sites, their ranking, the answer as JSON and as an object
//   inspector   HeapProfiler.getSamplingProfile of node:inspector
//   pprof       heap.profile() of @datadog/pprof, which reads the same sampling
//
// in a process that keeps what it allocates at 500 places of 20 scripts until
// so many samples are alive. Medians, with the quartiles.

const { execFileSync } = require('node:child_process')
const { parseArgs } = require('node:util')
const { parseMajors, setup } = require('../../scripts/setup')
const { prepare } = require('../setup')
const { rotated, summary } = require('../stats')
const { PPROF } = require('./routes')

const INTERVAL = 1024
const WAYS = ['V8', 'heapwatch', 'inspector', 'pprof']

function measure (addon, pprof, samples, rounds) {
  const { profile, threadCpu, usedHeap } = require(addon)
  const { Session } = require('node:inspector')
  const { keep } = require('./keep')
  const heap = pprof && require(pprof).heap
  const watch = require('../..').watch({ sites: { sampleInterval: INTERVAL, stackDepth: 32 }, interval: 60_000 })
  const session = new Session()
  session.connect()
  const told = new Float64Array(4)
  const alive = () => {
    if (!profile(told)) throw new Error('nothing samples')
    return told[3]
  }
  const kept = keep(samples, alive)
  global.gc()
  // It reads whatever samples, but wants to have been started, which finds that
  // something does.
  heap?.start(INTERVAL, 32)
  const ways = {
    V8: () => profile(told),
    heapwatch: () => watch.sites({ limit: 1 }),
    inspector: () => session.post('HeapProfiler.getSamplingProfile', (error) => {
      if (error) throw new Error(error.message)
    }),
    pprof: () => heap.profile()
  }
  const result = Object.fromEntries(WAYS.map((name) => [name, { cpu: [], heap: [] }]))
  const parts = { build: [], free: [] }
  // Counted before: inspector and pprof, which come last, add samples of their
  // own garbage.
  const live = alive()
  const run = (name, round) => {
    // Each finds the caches as a collection leaves them, which is when samples
    // are read.
    global.gc({ type: 'minor' })
    const before = usedHeap()
    const start = threadCpu()
    ways[name]()
    const cpu = (threadCpu() - start) / 1e6
    const grown = usedHeap() - before
    if (round < 0) return // the first builds tables of lines
    result[name].cpu.push(cpu)
    // With a collection in between nothing can be told.
    if (grown >= 0) result[name].heap.push(grown)
    if (name !== 'V8') return
    parts.build.push(told[0] / 1e6)
    parts.free.push(told[1] / 1e6)
  }
  for (let round = -2; round < rounds; round++) {
    for (const name of rotated(WAYS.slice(0, 2), round + 2)) run(name, round)
  }
  // Each by itself: the megabytes they free would change malloc's ways for the
  // others.
  for (const name of ['inspector', ...(heap ? ['pprof'] : [])]) {
    for (let round = -2; round < rounds; round++) run(name, round)
  }
  watch.stop()
  return { samples: live, kept: kept.length, result, parts }
}

const spread = (values, digits) => {
  const { median, low, high } = summary(values)
  return `${median.toFixed(digits)} (${low.toFixed(digits)} … ${high.toFixed(digits)})`
}

function print ({ samples, result, parts }) {
  console.log(`${samples} live samples`)
  for (const name of WAYS) {
    const { cpu, heap } = result[name]
    if (cpu.length === 0) continue
    console.log(`  ${name.padEnd(10)} ${spread(cpu, 2)} ms, JS heap ${heap.length > 0 ? spread(heap, 0) : 'unknown'} bytes`)
  }
  console.log(`  of V8: building ${spread(parts.build, 2)} ms, deleting ${spread(parts.free, 2)} ms`)
  console.log(`  heapwatch beyond V8: ${spread(result.heapwatch.cpu.map((cpu, i) => cpu - result.V8.cpu[i]), 2)} ms`)
}

async function main () {
  const { values } = parseArgs({
    options: {
      node: { type: 'string', multiple: true, default: [] },
      samples: { type: 'string', default: '2500,100000' },
      rounds: { type: 'string', default: '31' },
      measure: { type: 'string' },
      pprof: { type: 'string' }
    }
  })
  const rounds = Number(values.rounds)
  if (values.measure !== undefined) {
    console.log(JSON.stringify(measure(values.measure, values.pprof, Number(values.samples), rounds)))
    return
  }
  await setup()
  const majors = parseMajors(values.node)
  if (majors.length === 0) majors.push(parseInt(process.versions.node, 10))
  for (const major of majors) {
    const { version, binary, addon, peers: [pprof] } = await prepare(major, { withPeers: true, packages: PPROF, log: console.error })
    console.log(`Node.js ${version}, ${pprof.name} ${pprof.version}${pprof.problem ? `: ${pprof.problem}` : ''}`)
    const peer = pprof.problem ? [] : ['--pprof', pprof.directory]
    for (const samples of values.samples.split(',')) {
      const output = execFileSync(binary, ['--expose-gc', __filename, '--measure', addon, ...peer, '--samples', samples, '--rounds', String(rounds)],
        { encoding: 'utf8' })
      print(JSON.parse(output.trim().split('\n').at(-1)))
    }
  }
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
