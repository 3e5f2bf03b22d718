'use strict'

const { before, describe, it } = require('node:test')
const assert = require('node:assert')
const { createHistogram } = require('node:perf_hooks')
const { runForResult } = require('./helpers/child')

// Real pauses: scavenges of all sizes, a few mark-compacts.
async function program () {
  const { watch } = require('heapwatch')
  const watcher = watch()
  const durations = { minor: [], major: [], incremental: [], weakcb: [] }
  watcher.on('gc', ({ kind, duration }) => durations[kind].push(duration))
  let kept = []
  for (let round = 1; watcher.pauses().minor.count < 250 || watcher.pauses().major.count < 12; round++) {
    for (let i = 0; i < 2000; i++) kept.push({ i, list: [i, `text ${i}`] })
    if (round % 8 === 0) globalThis.gc({ type: 'minor' })
    if (round % 50 === 0) {
      kept = []
      globalThis.gc()
      // The loop of an app turns.
      await new Promise((resolve) => setTimeout(resolve))
    }
  }
  watcher.stop()
  console.log(JSON.stringify({ durations, pauses: watcher.pauses() }))
}

describe('pauses(), fed with real collections,', () => {
  let durations, pauses

  before(async () => {
    ({ durations, pauses } = await runForResult(program, {
      flags: ['--expose-gc', '--max-semi-space-size=1']
    }))
  })

  for (const kind of ['minor', 'major']) {
    it(`has percentiles within 1 % of perf_hooks' histogram of the same events: ${kind}`, () => {
      // Five digits: an error of that histogram is none of ours.
      const reference = createHistogram({ lowest: 1, highest: 100e9, figures: 5 })
      for (const duration of durations[kind]) reference.record(Math.round(duration * 1e6))
      assert.strictEqual(pauses[kind].count, durations[kind].length)
      for (const [name, percentile] of [['p50', 50], ['p90', 90], ['p99', 99], ['p999', 99.9]]) {
        // With p per cent of n values not above it: the value at rank
        // ceil(p / 100 * n). Node.js's histogram rounds the rank instead and,
        // of few values, would give the one before.
        const { count } = pauses[kind]
        const rank = Math.ceil(percentile / 100 * count)
        const expected = reference.percentile(100 * rank / count) / 1e6
        const value = pauses[kind][name]
        assert.ok(Math.abs(value - expected) <= expected / 100, `${name}: ${value} ms, not ${expected} ms`)
      }
    })

    it(`has the exact count, total, minimum, maximum and mean: ${kind}`, () => {
      const list = durations[kind]
      const { count, total, min, max, mean } = pauses[kind]
      const sum = list.reduce((a, b) => a + b)
      assert.strictEqual(count, list.length)
      assert.strictEqual(min, Math.min(...list))
      assert.strictEqual(max, Math.max(...list))
      assert.ok(Math.abs(total - sum) < 1e-6 * count)
      assert.ok(Math.abs(mean - sum / count) < 1e-6)
    })
  }

  for (const kind of ['minor', 'major']) {
    it(`counts exactly how many took at most each bound: ${kind}`, () => {
      const { buckets } = pauses[kind]
      assert.strictEqual(buckets[0].le, 0.05)
      assert.strictEqual(buckets.at(-2).le, 10_000)
      assert.strictEqual(buckets.at(-1).le, null) // Infinity, in JSON
      for (const { le, count } of buckets) {
        assert.strictEqual(count, durations[kind].filter((duration) => duration <= (le ?? Infinity)).length, `${le} ms`)
      }
    })
  }

  it('is zero throughout for a kind that has not come', () => {
    assert.deepStrictEqual(durations.weakcb, [])
    const { buckets, ...rest } = pauses.weakcb
    assert.deepStrictEqual(new Set(Object.values(rest)), new Set([0]))
    assert.ok(buckets.every(({ count }) => count === 0))
  })
})
