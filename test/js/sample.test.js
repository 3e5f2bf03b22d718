'use strict'

const assert = require('node:assert')
const { once } = require('node:events')
const test = require('node:test')
const v8 = require('node:v8')
const heapwatch = require('../..')
const { sampleFields } = require('../../lib/native')
const { runForLines } = require('./helpers/child')

const FIELDS = [
  'time', 'heapUsed', 'heapTotal', 'heapLimit', 'rss', 'external', 'arrayBuffers', 'mallocedMemory',
  'physicalHeap', 'globalHandles', 'nativeContexts', 'detachedContexts', 'gcTime', 'gcLoad',
  'allocationRate', 'loopDelay', 'memoryLimit'
]

// Between two readings the process goes on. Each field must lie between, or
// within a margin of, what Node.js says just before and just after.
function assertBetween (name, value, before, after, margin) {
  const low = Math.min(before, after) - margin
  const high = Math.max(before, after) + margin
  assert.ok(value >= low && value <= high, `${name} is ${value}, Node.js says ${before} and ${after}`)
}

test('every sampled field agrees with process.memoryUsage() and v8.getHeapStatistics()', () => {
  const watch = heapwatch.watch()
  const keep = [Buffer.alloc(20e6), Array.from({ length: 1e5 }, (_, i) => ({ i }))]
  const read = () => ({ ...process.memoryUsage(), ...v8.getHeapStatistics() })
  read()
  const before = read()
  const sample = watch.sample()
  const after = read()
  watch.stop()
  assert.strictEqual(keep.length, 2)

  const MB = 1e6
  for (const [field, theirs, margin] of [
    ['heapUsed', 'heapUsed', 0.2 * MB],
    ['heapUsed', 'used_heap_size', 0.2 * MB],
    ['heapTotal', 'heapTotal', 0],
    ['heapTotal', 'total_heap_size', 0],
    ['heapLimit', 'heap_size_limit', 0],
    ['rss', 'rss', 8 * MB],
    ['external', 'external', 0.2 * MB],
    ['external', 'external_memory', 0.2 * MB],
    ['arrayBuffers', 'arrayBuffers', 0.2 * MB],
    ['mallocedMemory', 'malloced_memory', 4 * MB],
    ['physicalHeap', 'total_physical_size', 0.2 * MB],
    ['globalHandles', 'used_global_handles_size', 4096],
    ['nativeContexts', 'number_of_native_contexts', 0],
    ['detachedContexts', 'number_of_detached_contexts', 0]
  ]) {
    assertBetween(`${field} (${theirs})`, sample[field], before[theirs], after[theirs], margin)
  }
  assert.ok(Math.abs(sample.time - Date.now()) < 10_000)
  const limit = process.constrainedMemory?.() ?? 0
  const limited = limit > 0 && limit < require('node:os').totalmem()
  assert.strictEqual(sample.memoryLimit, limited ? limit : 0)
})

test('a sample has exactly the documented fields, in the order of the C side', () => {
  const watch = heapwatch.watch()
  const sample = watch.sample()
  watch.stop()
  assert.deepStrictEqual(Object.keys(sample), FIELDS)
  assert.deepStrictEqual(sampleFields, FIELDS)
  for (const field of FIELDS) assert.strictEqual(typeof sample[field], 'number', field)
})

test('Buffers that are kept show in arrayBuffers and external', () => {
  const watch = heapwatch.watch()
  const before = watch.sample()
  const kept = Buffer.alloc(32 * 1024 * 1024, 1)
  const after = watch.sample()
  watch.stop()
  assert.ok(after.arrayBuffers - before.arrayBuffers >= kept.length * 0.99)
  assert.ok(after.external - before.external >= kept.length * 0.99)
})

// A watch does not keep a process alive, nor the test that waits for it.
function stayAlive (t) {
  const timer = setInterval(() => {}, 60_000)
  t.after(() => clearInterval(timer))
}

test('samples come at the interval, are kept in order and their count is bounded', async (t) => {
  stayAlive(t)
  const watch = heapwatch.watch({ interval: 20, history: 5 })
  const seen = []
  watch.on('sample', (sample) => seen.push(sample))
  while (seen.length < 12) await once(watch, 'sample')
  const history = watch.history()
  assert.deepStrictEqual(history, seen.slice(-5))
  for (let i = 1; i < seen.length; i++) assert.ok(seen[i].time > seen[i - 1].time)
  assert.strictEqual(watch.stats().samples, seen.length)
  assert.strictEqual(watch.stats().history, 5)
  watch.stop()
  assert.deepStrictEqual(watch.history(), seen.slice(-5), 'history outlives the watch')
})

test('sample() is neither kept nor emitted', async () => {
  const watch = heapwatch.watch({ interval: 3_600_000 })
  let emitted = 0
  watch.on('sample', () => emitted++)
  for (let i = 0; i < 10; i++) watch.sample()
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.strictEqual(emitted, 0)
  assert.deepStrictEqual(watch.history(), [])
  assert.strictEqual(watch.stats().samples, 0)
  watch.stop()
})

test('a blocked event loop shows as loop delay and missed samples', async (t) => {
  stayAlive(t)
  const watch = heapwatch.watch({ interval: 20 })
  const end = Date.now() + 300
  while (Date.now() < end);
  const [sample] = await once(watch, 'sample')
  watch.stop()
  assert.ok(sample.loopDelay >= 250, `the delay is ${sample.loopDelay}`)
  assert.ok(watch.stats().missed >= 12, `missed are ${watch.stats().missed}`)
})

test('the allocation rate and the time in GC follow what the program does', async () => {
  const sent = await runForLines(() => {
    const heapwatch = require('heapwatch')
    const send = (value) => console.log(JSON.stringify(value))
    const watch = heapwatch.watch({ interval: 3_600_000 })
    const start = process.hrtime.bigint()
    // An object of three properties takes six words.
    const ring = new Array(1000)
    for (let i = 0; i < 3e6; i++) ring[i % 1000] = { a: i, b: i, c: i }
    const sample = watch.sample()
    const seconds = Number(process.hrtime.bigint() - start) / 1e9
    const { gcTime, gcs, allocated } = watch.stats()
    send({ sample, seconds, expected: 48 * 3e6, gcTime, gcs, allocated })
  })
  const [{ sample, seconds, expected, gcTime, gcs, allocated }] = sent
  assert.ok(gcs > 5)
  assert.ok(allocated > expected * 0.85 && allocated < expected * 1.3, `${allocated} of ${expected} allocated`)
  const total = sample.allocationRate * seconds
  assert.ok(total > allocated * 0.9 && total < allocated * 1.4, `${total} by the rate, ${allocated} counted`)
  assert.ok(Math.abs(sample.gcTime - gcTime) < 1e-6)
  assert.ok(sample.gcLoad > 0 && sample.gcLoad <= 1)
  assert.ok(Math.abs(sample.gcLoad - gcTime / 1000 / seconds) < 0.1)
})

test('heap spaces agree with v8.getHeapSpaceStatistics()', () => {
  const watch = heapwatch.watch()
  const before = v8.getHeapSpaceStatistics()
  const spaces = watch.spaces()
  watch.stop()
  assert.deepStrictEqual(spaces.map((space) => space.name), before.map((space) => space.space_name))
  for (const [i, space] of spaces.entries()) {
    assert.strictEqual(space.size, before[i].space_size, space.name)
    assertBetween(`${space.name} used`, space.used, before[i].space_used_size, before[i].space_used_size, 1e6)
    assertBetween(`${space.name} available`, space.available, before[i].space_available_size, before[i].space_available_size, 1e6)
    assertBetween(`${space.name} physical`, space.physical, before[i].physical_space_size, before[i].physical_space_size, 1e6)
  }
})

test('after stop() what needs a running watch says so, the rest answers', () => {
  const watch = heapwatch.watch()
  watch.stop()
  watch.stop()
  assert.strictEqual(watch.stopped, true)
  for (const method of ['sample', 'spaces']) {
    assert.throws(() => watch[method](), { code: 'ERR_HEAPWATCH_STOPPED', message: new RegExp(`${method}\\(\\)`) })
  }
  assert.deepStrictEqual(watch.history(), [])
  assert.strictEqual(watch.pauses().major.count >= 0, true)
  assert.strictEqual(watch.stats().dropped, 0)
  watch.on('gc', () => {})
  watch.removeAllListeners()
})

test('a process.memoryUsage that was replaced or broken by the app does no harm', async () => {
  const sent = await runForLines(() => {
    const heapwatch = require('heapwatch')
    const send = (value) => console.log(JSON.stringify(value))
    const watch = heapwatch.watch({ interval: 10 })
    process.memoryUsage = () => { throw new Error('not today') }
    watch.once('sample', (sample) => {
      send({ sample, direct: watch.sample() })
      watch.stop()
    })
    setTimeout(() => {}, 200)
  })
  assert.ok(sent[0].sample.rss > 1e6)
  assert.ok(sent[0].direct.arrayBuffers >= 0)
})
