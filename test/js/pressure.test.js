'use strict'

const assert = require('node:assert')
const fs = require('node:fs')
const test = require('node:test')
const { inCgroup, makeCgroup } = require('./helpers/cgroup')
const { runForLines } = require('./helpers/child')

const MB = 1024 * 1024

test('a heap that fills the old space is told before it dies, with the old space as its limit', async () => {
  const sent = await runForLines(() => {
    const heapwatch = require('heapwatch')
    const send = (value) => console.log(JSON.stringify(value))
    const watch = heapwatch.watch({ interval: 50 })
    watch.on('pressure', (pressure) => send({ ...pressure, stats: watch.stats() }))
    const kept = []
    // Keep 58 of the old space's 64 MB; one collection then tells.
    const timer = setInterval(() => {
      kept.push(new Array(128 * 1024).fill(kept.length))
      if (kept.length < 53) return
      clearInterval(timer)
      globalThis.gc()
      setTimeout(() => watch.stop(), 300)
    }, 5)
  }, { flags: ['--max-old-space-size=64', '--expose-gc'] })
  const [pressure] = sent.filter((event) => event.reason === 'heap-limit')
  assert.strictEqual(pressure.limit, 64 * MB)
  assert.strictEqual(pressure.threshold, 0.85)
  assert.ok(pressure.ratio > 0.85 && pressure.ratio < 1)
  assert.strictEqual(pressure.used / pressure.limit, pressure.ratio)
  assert.ok(Math.abs(pressure.time - Date.now()) < 120_000)
  assert.deepStrictEqual(pressure.stats.pressure.includes('heap-limit'), true)
  assert.strictEqual(sent.filter((event) => event.reason === 'heap-limit').length, 1, 'once an episode')
})

test('a heap far from its limit is under no pressure', async () => {
  const sent = await runForLines(() => {
    const heapwatch = require('heapwatch')
    const send = (value) => console.log(JSON.stringify(value))
    const watch = heapwatch.watch({ interval: 20, pressure: { gcLoad: false } })
    watch.on('pressure', send)
    const timer = setInterval(() => { globalThis.gc() }, 20)
    setTimeout(() => { clearInterval(timer); watch.stop(); send(watch.stats().pressure) }, 500)
  }, { flags: ['--expose-gc'] })
  assert.deepStrictEqual(sent, [[]])
})

test('a process that does little else than collect is told of its GC load', async () => {
  const sent = await runForLines(() => {
    const heapwatch = require('heapwatch')
    const send = (value) => console.log(JSON.stringify(value))
    const watch = heapwatch.watch({ interval: 50, pressure: { gcLoadWindow: 400 } })
    const kept = Array.from({ length: 3e5 }, (_, i) => ({ i }))
    watch.on('pressure', (pressure) => {
      send(pressure)
      watch.stop()
    })
    const collect = () => {
      globalThis.gc()
      if (!watch.stopped) setImmediate(collect)
    }
    collect()
    setTimeout(() => { watch.stop(); send(kept.length) }, 20_000).unref()
  }, { flags: ['--expose-gc'] })
  assert.strictEqual(sent.length, 1)
  assert.strictEqual(sent[0].reason, 'gc-load')
  assert.ok(sent[0].ratio > 0.3 && sent[0].ratio <= 1)
  assert.strictEqual('limit' in sent[0], false)
})

test('a listener that comes while an episode lasts is told of it', async () => {
  const sent = await runForLines(() => {
    const heapwatch = require('heapwatch')
    const send = (value) => console.log(JSON.stringify(value))
    const watch = heapwatch.watch({ pressure: { heapLimit: 0.0001, gcLoad: false } })
    globalThis.gc()
    send(watch.stats().pressure)
    watch.on('pressure', (pressure) => {
      send(pressure.reason)
      watch.stop()
    })
    setTimeout(() => {}, 10_000).unref()
    const wait = setInterval(() => { if (watch.stopped) clearInterval(wait) }, 10)
  }, { flags: ['--expose-gc'] })
  assert.deepStrictEqual(sent, [['heap-limit'], 'heap-limit'])
})

function printOldSpaceLimit () {
  console.log(require('heapwatch').watch().stats().oldSpaceLimit)
}

// By flag, by default, and in a Worker: what V8 reserves for the young
// generation is told apart from what the old space may take.
test('the old space limit is what was asked for', async () => {
  for (const [flags, expected] of [
    [['--max-old-space-size=64'], 64],
    [['--max-old-space-size=300', '--max-semi-space-size=4'], 300],
    [['--max_old_space_size=777'], 777]
  ]) {
    const sent = await runForLines(printOldSpaceLimit, { flags })
    assert.strictEqual(sent[0] / MB, expected, flags.join(' '))
  }
  const byEnvironment = await runForLines(printOldSpaceLimit, {
    env: { NODE_OPTIONS: '--max-old-space-size=128' }
  })
  assert.strictEqual(byEnvironment[0] / MB, 128)
})

test('the default old space limit is half of the memory, at most 2 or 4 GB', async () => {
  const sent = await runForLines(() => {
    const limit = process.constrainedMemory()
    const total = require('node:os').totalmem()
    const { oldSpaceLimit } = require('heapwatch').watch().stats()
    console.log(JSON.stringify([oldSpaceLimit, limit > 0 && limit < total ? limit : total]))
  })
  const [old, memory] = sent[0].map((bytes) => bytes / MB)
  const expected = Math.max(256, Math.min(memory / 2, memory > 15 * 1024 ? 4096 : 2048))
  assert.ok(Math.abs(old - expected) <= 1, `${old} MB, expected ${expected}`)
})

test('the old space limit of a Worker is its own', async () => {
  const sent = await runForLines(() => {
    const { Worker } = require('node:worker_threads')
    const program = `
      const { parentPort } = require('node:worker_threads')
      parentPort.postMessage(require('heapwatch').watch().stats().oldSpaceLimit)`
    const worker = new Worker(program, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 96 } })
    worker.on('message', (limit) => console.log(limit))
  })
  assert.deepStrictEqual(sent, [96 * MB])
})

test('a container that fills up is told before the kernel kills it', async (t) => {
  const limit = 256 * MB
  const folder = makeCgroup(limit)
  if (!folder) return t.skip('this process may not make a memory cgroup')
  t.after(() => fs.rmdirSync(folder))
  const sent = await runForLines(() => {
    const heapwatch = require('heapwatch')
    const send = (value) => console.log(JSON.stringify(value))
    const watch = heapwatch.watch({ interval: 20, pressure: { memoryLimit: 0.6 } })
    send(watch.stats().oldSpaceLimit)
    const kept = []
    watch.on('pressure', (pressure) => {
      send({ ...pressure, memoryLimit: watch.sample().memoryLimit })
      watch.stop()
    })
    const fill = () => {
      if (watch.stopped || kept.length > 200) return
      kept.push(Buffer.alloc(1024 * 1024, 1))
      setTimeout(fill, 5)
    }
    fill()
  }, { wrapper: inCgroup(folder) })
  const [old, pressure] = sent
  assert.strictEqual(old, 256 * MB, 'the young reserve of a small container is small')
  assert.strictEqual(pressure.reason, 'memory-limit')
  assert.strictEqual(pressure.limit, limit)
  assert.strictEqual(pressure.memoryLimit, limit)
  assert.ok(pressure.ratio > 0.6 && pressure.ratio < 1)
})
