'use strict'

const assert = require('node:assert')
const test = require('node:test')
const rules = require('../../bench/detect/rules')
const { arrange, headroomUsed } = require('../../bench/detect/trace')

const MB = 1e6
const META = { type: 'meta', heapLimit: 148 * MB, oldLimit: 100 * MB }

// A trace of one sample a second with these sizes in MB, and of a full
// collection after each of `live`.
function trace (heapUsed, live = []) {
  return arrange([
    META,
    ...heapUsed.map((size, i) => ({ t: i * 1000, type: 'sample', heapUsed: size * MB })),
    ...live.map((size, i) => ({ t: i * 1000, type: 'gc', kind: 'major', heapAfter: size * MB })),
    { t: 0, type: 'gc', kind: 'minor', heapAfter: 1e12 }
  ], 900)
}

const upTo = (n, size) => Array.from({ length: n }, (_, i) => size(i))

test('five growths after full collections alarm at the sixth size, and one fall begins anew', () => {
  const rule = rules['five growths after full GC']
  assert.strictEqual(rule(trace([], [1, 2, 3, 4, 5, 6, 7])), 5000)
  assert.strictEqual(rule(trace([], [1, 2, 3, 4, 5, 5, 6, 7, 8, 9])), null)
  assert.strictEqual(rule(trace([], [1, 2, 3, 2, 3, 4, 5, 6, 7])), 8000)
})

test('a straight rise of 30 samples alarms, a flat or falling line and noise do not', () => {
  const rule = rules['slope of heapUsed, r² > 0.7']
  assert.strictEqual(rule(trace(upTo(40, (i) => 10 + i))), 29_000)
  assert.strictEqual(rule(trace(upTo(40, () => 10))), null)
  assert.strictEqual(rule(trace(upTo(40, (i) => 100 - i))), null)
  assert.strictEqual(rule(trace(upTo(40, (i) => 10 + (i % 2) * 50 + i * 0.1))), null)
})

test('ten rises in a row alarm, nine do not', () => {
  const rule = rules['ten rising samples in a row']
  assert.strictEqual(rule(trace(upTo(11, (i) => i))), 10_000)
  assert.strictEqual(rule(trace([...upTo(10, (i) => i), 0, 1])), null)
})

test('heapUsed beyond 80 % of the limit alarms', () => {
  const rule = rules['heapUsed over 80 % of limit']
  assert.strictEqual(rule(trace([10, 118, 119])), 2000)
  assert.strictEqual(rule(trace([10, 118])), null)
})

test('headroom is used up from the live size at the beginning to the limit of the old space', () => {
  assert.strictEqual(headroomUsed(trace([], [20, 30, 40, 60]), 0, 3000), 0.5)
  assert.strictEqual(headroomUsed(trace([20, 50, 60], []), 0, 2000), 0, 'without collections the lowest sample counts')
})

test('samples closer than asked for are left out', () => {
  const events = upTo(10, (i) => ({ t: i * 500, type: 'sample', heapUsed: i }))
  assert.deepStrictEqual(arrange(events, 900).samples.map(({ t }) => t), [0, 1000, 2000, 3000, 4000])
})
