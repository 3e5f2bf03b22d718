'use strict'

// Each program is a process of its own: what is tested is who loads heapwatch
// first, and whether the process survives what its Workers go through.

const { describe, it } = require('node:test')
const assert = require('node:assert')
const { runForResult, scaled } = require('./helpers/child')

// A watched Worker: collects garbage, and says how many collections of its own
// the watch saw.
function worker () {
  const { parentPort } = require('node:worker_threads')
  const { watch } = require('heapwatch')
  const watcher = watch({ interval: 10 })
  let events = 0
  watcher.on('gc', ({ type, forced }) => { if (forced && type === 'mark-sweep-compact') events++ })
  watcher.once('sample', ({ heapUsed, rss }) => {
    for (let i = 0; i < 3; i++) globalThis.gc()
    watcher.stop()
    parentPort.postMessage({ events, sampled: heapUsed > 0 && rss > heapUsed })
  })
  const keepAlive = setInterval(() => watcher.stopped && clearInterval(keepAlive), 1)
}

// Starts Workers, in rows of some at once; returns what each said.
async function start (source, rows, together, mainFirst) {
  const { Worker } = require('node:worker_threads')
  const watcher = mainFirst ? require('heapwatch').watch({ interval: 10 }) : null
  const answers = []
  const run = () => new Promise((resolve, reject) => {
    let answer
    new Worker(source, { eval: true })
      .on('message', (message) => { answer = message })
      .on('error', reject)
      .on('exit', (code) => resolve({ ...answer, code }))
  })
  for (let row = 0; row < rows; row++) {
    answers.push(...await Promise.all(Array.from({ length: together }, run)))
    // Whatever a Worker left behind in the addon, these would run into it.
    globalThis.gc()
  }
  let main = null
  if (watcher) {
    watcher.stop()
    main = { gcs: watcher.pauses().major.count, samples: watcher.stats().samples }
  }
  console.log(JSON.stringify({ answers, main }))
}

function startWorkers (rows, together, mainFirst) {
  return runForResult(start, {
    args: [`(${worker})()`, rows, together, mainFirst], flags: ['--expose-gc']
  })
}

function assertAnswers (answers, count) {
  assert.deepStrictEqual(answers, Array(count).fill({ events: 3, sampled: true, code: 0 }))
}

describe('heapwatch is loaded', () => {
  it('by one Worker after another, while the main thread never does', async () => {
    const { answers } = await startWorkers(8, 1, false)
    assertAnswers(answers, 8)
  })

  it('by several Workers at once, while the main thread never does', async () => {
    const { answers } = await startWorkers(3, 4, false)
    assertAnswers(answers, 12)
  })

  it('by the main thread and then by Workers, none of which see each other\'s collections', async () => {
    const { answers, main } = await startWorkers(3, 3, true)
    assertAnswers(answers, 9)
    assert.ok(main.samples >= 1)
    // Its own, one for each row, and at most a few that were not asked for:
    // the Workers have had 27.
    assert.ok(main.gcs >= 3 && main.gcs < 15, `${main.gcs}`)
  })

  it('by the main thread after its Workers have gone', async () => {
    const result = await runForResult(async (source) => {
      const { Worker } = require('node:worker_threads')
      const { once } = require('node:events')
      const codes = []
      for (let i = 0; i < 3; i++) codes.push((await once(new Worker(source, { eval: true }), 'exit'))[0])
      const watcher = require('heapwatch').watch()
      globalThis.gc()
      console.log(JSON.stringify({ codes, gcs: watcher.pauses().major.count }))
    }, { args: [`(${worker})()`], flags: ['--expose-gc'] })
    assert.deepStrictEqual(result.codes, [0, 0, 0])
    assert.ok(result.gcs >= 1)
  })
})

describe('a Worker that reaches its heap limit', () => {
  it('dies of ERR_WORKER_OUT_OF_MEMORY, watched or not, and the process goes on', async () => {
    const results = await runForResult(async () => {
      const { Worker } = require('node:worker_threads')
      const results = []
      const source = (listen) => `
        const watcher = require("heapwatch").watch({ interval: 10 })
        if (${listen}) for (const name of ["gc", "sample", "pressure"]) watcher.on(name, () => {})
        const kept = []
        const grow = () => {
          for (let i = 0; i < 5000; i++) kept.push({ i, list: [i] })
          setImmediate(grow)
        }
        grow()`
      for (const listen of [false, true, true]) {
        await new Promise((resolve) => {
          new Worker(source(listen), { eval: true, resourceLimits: { maxOldGenerationSizeMb: 16 } })
            .on('error', ({ code }) => results.push(code))
            .on('exit', (code) => resolve(results.push(code)))
        })
        globalThis.gc()
      }
      console.log(JSON.stringify(results))
    }, { flags: ['--expose-gc'] })
    assert.deepStrictEqual(results, Array(3).fill(['ERR_WORKER_OUT_OF_MEMORY', 1]).flat())
  })
})

describe('Workers that are terminated at random moments while they collect', () => {
  it('leave the process unharmed, 500 of them', async (t) => {
    const count = scaled(500, 10)
    const seed = Number(process.env.HEAPWATCH_TEST_SEED ?? 20_240_229)
    t.diagnostic(`${count} Workers, HEAPWATCH_TEST_SEED=${seed}`)
    const result = await runForResult(async (count, seed) => {
      const { Worker } = require('node:worker_threads')
      const { watch } = require('heapwatch')
      // mulberry32: the same moments for the same seed, as far as a machine
      // can repeat them.
      const random = () => {
        seed = (seed + 0x6d2b79f5) | 0
        let t = Math.imul(seed ^ (seed >>> 15), seed | 1)
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
      }
      // In the middle of anything: loading, starting, stopping, in listeners,
      // in a collection.
      const source = `
        const { watch } = require("heapwatch")
        const { parentPort } = require("node:worker_threads")
        const grow = () => Array.from({ length: 300 }, (_, i) => ({ i, list: [i] }))
        let kept = []
        const live = () => {
          const watchers = [watch({ interval: 10 }), watch({ interval: 10, pressure: { heapLimit: 1e-6 } })]
          for (const name of ["sample", "gc", "pressure"]) watchers[1].on(name, grow)
          for (let i = 0; i < 20; i++) kept.push(grow())
          if (kept.length > 200) kept = []
          watchers[1].sample()
          setTimeout(() => watchers.forEach((watcher) => watcher.stop()), 15)
          setImmediate(live)
        }
        parentPort.postMessage("loaded")
        live()`
      const main = watch({ interval: 10 })
      main.on('gc', () => {})
      const outcomes = { terminated: 0, early: 0, errors: [] }
      const one = () => new Promise((resolve) => {
        const worker = new Worker(source, { eval: true, resourceLimits: { maxYoungGenerationSizeMb: 2 } })
        let loaded = false
        const patience = random() * 20
        // Half of them may die before they have loaded anything.
        if (random() < 0.5) setTimeout(() => worker.terminate(), patience)
        worker.on('message', () => {
          loaded = true
          setTimeout(() => worker.terminate(), patience)
        })
        worker.on('error', ({ code, message }) => outcomes.errors.push(`${code} ${message}`))
        worker.on('exit', () => resolve(outcomes[loaded ? 'terminated' : 'early']++))
      })
      let started = 0
      await Promise.all(Array.from({ length: 3 }, async () => {
        while (started < count) {
          started++
          await one()
        }
      }))
      main.stop()
      console.log(JSON.stringify({ ...outcomes, samples: main.stats().samples }))
    }, { args: [count, seed], timeout: 590_000 })
    assert.deepStrictEqual(result.errors, [])
    assert.strictEqual(result.terminated + result.early, count)
    assert.ok(result.terminated >= count / 4, `${result.terminated}`)
    assert.ok(result.samples >= 1)
  })

  it('and that are running do not hinder an exit of the process', async () => {
    const result = await runForResult(async (source) => {
      const { Worker } = require('node:worker_threads')
      const { once } = require('node:events')
      const workers = Array.from({ length: 4 }, () => new Worker(source, { eval: true }))
      await Promise.all(workers.map((worker) => once(worker, 'message')))
      console.log(JSON.stringify('exiting'))
      process.exit(0)
    }, {
      args: [`
        const watcher = require("heapwatch").watch({ interval: 10 })
        for (const name of ["sample", "gc"]) watcher.on(name, () => {})
        require("node:worker_threads").parentPort.postMessage("running")
        setImmediate(function live () {
          globalThis.kept = Array.from({ length: 10_000 }, (_, i) => [i])
          setImmediate(live)
        })`]
    })
    assert.strictEqual(result, 'exiting')
  })
})
