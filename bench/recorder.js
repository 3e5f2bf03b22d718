'use strict'

// node --expose-gc recorder.js ADDON ROUNDS FULL
//
// What recording costs a watch, with and without by turns in one process:
//
// - samples: CPU time of a sample of the timer, for which WATCHES watches
//   sample every 10 ms;
// - read: from opening FULL, a recording in which every section is full, to
//   having all of it as objects;
// - report: `heapwatch report FULL` from start to end, and the HTML, less what
//   `node -e 0` takes, by turns;
// - polled: CPU time of work in a process that records, while another process
//   reads everything new from its file ten times a second, and while the same
//   process does nothing: many short blocks in pairs, so that what is left of
//   the noise is below a hundredth.
//
// What a recorded collection costs is measured by hook.js.

const { fork, spawnSync } = require('node:child_process')
const path = require('node:path')
const { performance } = require('node:perf_hooks')
const { watch } = require('..')
const { openRecording } = require('../lib/recorder')
const { createWorkload } = require('./workload')
const { rotated } = require('./stats')

const WATCHES = 50
const BLOCK_MS = 500
const POLL_MS = 100
const UNITS = 2000
const PAIRS_A_ROUND = 12
const MAIN = path.join(__dirname, '..', 'lib', 'cli', 'main.js')
const [, , addon, roundsText, full] = process.argv

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

function readAll (file) {
  const recording = openRecording(file)
  const all = [recording.identity, recording.state(), recording.samples(), recording.minutes(),
    recording.gcs(), recording.pauses(), recording.notes()]
  recording.close()
  return all
}

// The child: reads what is new, as `top` and `web` do, while it is told to.
function poll (file) {
  const recording = openRecording(file)
  let since = 0
  let timer
  const look = () => {
    const state = recording.state()
    recording.samples({ since })
    recording.gcs({ since })
    recording.pauses()
    since = state.time
  }
  process.on('message', (on) => {
    clearInterval(timer)
    if (on) timer = setInterval(look, POLL_MS)
    process.send('ready')
  })
}

async function measureSamples (bench, rounds) {
  const block = async (recorder) => {
    const watches = Array.from({ length: WATCHES }, () => watch({ interval: 10, history: 100, recorder }))
    const count = () => watches.reduce((sum, one) => sum + one.stats().samples, 0)
    await sleep(30)
    const [samples, cpu] = [count(), bench.threadCpu()]
    await sleep(BLOCK_MS)
    const used = (bench.threadCpu() - cpu) / (count() - samples)
    for (const one of watches) one.stop()
    await sleep(10)
    return used
  }
  const ways = [false, { size: 2 * 1024 * 1024, keep: 0 }]
  const result = { off: [], on: [] }
  for (const way of ways) await block(way) // warms up
  for (let round = 0; round < rounds; round++) {
    for (const way of rotated(ways, round)) result[way ? 'on' : 'off'].push(await block(way))
  }
  return result
}

function measureRead (rounds) {
  const times = []
  for (let round = 0; round < 2 * rounds; round++) {
    const start = performance.now()
    readAll(full)
    times.push(performance.now() - start)
  }
  return { first: times[0], later: times.slice(1) }
}

function measureReport (rounds) {
  const time = (...args) => {
    const start = performance.now()
    const { status, stderr } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    if (status !== 0) throw new Error(`node ${args.join(' ')}: ${stderr}`)
    return performance.now() - start
  }
  const ways = {
    node: () => time('-e', '0'),
    text: () => time(MAIN, 'report', full),
    html: () => time(MAIN, 'report', full, '--html', '-')
  }
  const times = { node: [], text: [], html: [] }
  for (let round = 0; round < 2 * rounds; round++) {
    for (const way of rotated(Object.keys(ways), round)) times[way].push(ways[way]())
  }
  return times
}

async function measurePolled (bench, rounds) {
  const recorded = watch({ interval: 100, recorder: { keep: 0 } })
  const work = createWorkload()
  await work(20 * UNITS)
  const result = { alone: [], polled: [] }
  const child = fork(__filename, ['poll', recorded.recorder], { execArgv: [] })
  const tell = (on) => new Promise((resolve) => {
    child.once('message', resolve)
    child.send(on)
  })
  const block = async (polled) => {
    await tell(polled)
    const before = bench.threadCpu()
    // Longer than from one poll to the next.
    await work(5 * UNITS)
    result[polled ? 'polled' : 'alone'].push(bench.threadCpu() - before)
  }
  for (let pair = 0; pair < PAIRS_A_ROUND * rounds; pair++) {
    for (const polled of pair % 2 === 0 ? [false, true] : [true, false]) await block(polled)
  }
  child.kill()
  recorded.stop()
  return result
}

async function main () {
  if (addon === 'poll') return poll(roundsText)
  const bench = require(path.resolve(addon))
  const rounds = Number(roundsText)
  console.log(JSON.stringify({
    read: measureRead(rounds),
    report: measureReport(rounds),
    samples: await measureSamples(bench, rounds),
    polled: await measurePolled(bench, rounds)
  }))
}

main()
