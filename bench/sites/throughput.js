'use strict'

// node bench/sites/throughput.js [--node MAJOR|all] [--rounds N] [--units N] [--json]
//
// What sampling costs a server that allocates a lot: the work of ../workload.js
// in one process, in quartets of blocks: without sites, with, with, without, and
// then the other way round. Of a quartet the ratio of the main thread's CPU time
// counts, and so what else the machine does and where the heap has got to cancel
// out. The quartets of all routes and intervals take turns. Starting and
// stopping is not counted, nor is reading, which reading.js measures; heapwatch
// limits its own to 0.2 % of the time. "none" is a quartet of four blocks
// without: the noise.

const { execFileSync } = require('node:child_process')
const { parseArgs } = require('node:util')
const { parseMajors, setup } = require('../../scripts/setup')
const { prepare } = require('../setup')
const { medianInterval, rotated, summary } = require('../stats')
const { PPROF, ROUTES, startWithout } = require('./routes')

const INTERVALS = [128, 512, 1024]

function cases (pprof) {
  const routes = Object.keys(ROUTES).filter((route) => route !== 'pprof' || pprof !== undefined)
  return ['none', ...INTERVALS.flatMap((interval) => routes.map((route) => `${route} ${interval}`))]
}

async function measure (addon, pprof, rounds, units) {
  const { threadCpu } = require(addon)
  const work = require('../workload').createWorkload()
  const starts = (name) => {
    const [route, kib] = name.split(' ')
    return route === 'none' ? startWithout : () => ROUTES[route](Number(kib) * 1024, pprof)
  }
  const block = async (start) => {
    const stop = start()
    const before = threadCpu()
    await work(units)
    const used = threadCpu() - before
    stop()
    return used
  }
  const names = cases(pprof)
  const ratios = Object.fromEntries(names.map((name) => [name, []]))
  await work(40_000)
  for (let round = 0; round < rounds; round++) {
    for (const name of rotated(names, round)) {
      const start = starts(name)
      const order = [startWithout, start, start, startWithout]
      if (round % 2 === 1) order.push(...order.splice(0, 2)) // on, off, off, on
      const times = { with: 0, without: 0 }
      for (const [i, each] of order.entries()) {
        const kind = (i % 3 === 0) === (round % 2 === 0) ? 'without' : 'with'
        times[kind] += await block(each)
      }
      ratios[name].push(times.with / times.without)
    }
  }
  return ratios
}

function print (ratios) {
  for (const [name, values] of Object.entries(ratios)) {
    const { median, low, high, n } = summary(values)
    const [from, to] = medianInterval(values)
    console.log(`  ${name.padEnd(16)} ${median.toFixed(3)} (quartiles ${low.toFixed(3)} … ${high.toFixed(3)}; ` +
      `95 % of the median ${from.toFixed(3)} … ${to.toFixed(3)}; ${n} quartets)`)
  }
}

async function main () {
  const { values } = parseArgs({
    options: {
      node: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string', default: '60' },
      units: { type: 'string', default: '4000' },
      json: { type: 'boolean', default: false },
      measure: { type: 'string' },
      pprof: { type: 'string' }
    }
  })
  if (values.measure !== undefined) {
    console.log(JSON.stringify(await measure(values.measure, values.pprof, Number(values.rounds), Number(values.units))))
    process.exit()
  }
  await setup()
  const majors = parseMajors(values.node)
  if (majors.length === 0) majors.push(parseInt(process.versions.node, 10))
  for (const major of majors) {
    const { version, binary, addon, peers: [pprof] } = await prepare(major, { withPeers: true, packages: PPROF, log: console.error })
    const peer = pprof.problem ? [] : ['--pprof', pprof.directory]
    const output = execFileSync(binary, [__filename, '--measure', addon, ...peer, '--rounds', values.rounds, '--units', values.units],
      { encoding: 'utf8' })
    const ratios = JSON.parse(output.trim().split('\n').at(-1))
    if (values.json) {
      console.log(JSON.stringify({ node: version, pprof, ratios }))
      continue
    }
    console.log(`Node.js ${version}, ${pprof.name} ${pprof.version}${pprof.problem ? `: ${pprof.problem}` : ''}; KiB, CPU time of the main thread against no sites`)
    print(ratios)
  }
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
