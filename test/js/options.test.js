'use strict'

const assert = require('node:assert')
const fs = require('node:fs')
const path = require('node:path')
const test = require('node:test')
const heapwatch = require('../..')

const TYPE = { name: 'TypeError', code: 'ERR_HEAPWATCH_INVALID_OPTION_TYPE' }
const RANGE = { name: 'RangeError', code: 'ERR_HEAPWATCH_OPTION_OUT_OF_RANGE' }
const UNKNOWN = { name: 'TypeError', code: 'ERR_HEAPWATCH_UNKNOWN_OPTION' }

function refused (options, expected, ...patterns) {
  assert.throws(() => heapwatch.watch(options), (error) => {
    assert.strictEqual(error.name, expected.name)
    assert.strictEqual(error.code, expected.code)
    for (const pattern of patterns) assert.match(error.message, pattern)
    return true
  })
}

// What no number option takes.
const NOT_NUMBERS = ['1000', null, true, {}, [], 10n, Symbol('x'), () => {}]
const NEVER_IN_RANGE = [NaN, Infinity, -Infinity, -1, 1e300]

for (const [name, allowed, outOfRange] of [
  ['interval', /an integer from 10 to 3600000/, [0, 9, 3_600_001, 10.5, 2 ** 53]],
  ['gcThreshold', /a number from 0 to 3600000/, [3_600_000.1]],
  ['history', /an integer from 1 to 1000000/, [0, 1_000_001, 1.5]]
]) {
  test(`${name} refuses what is no number, naming the value and what is allowed`, () => {
    for (const value of NOT_NUMBERS) refused({ [name]: value }, TYPE, new RegExp(`"${name}"`), allowed, /received/)
  })

  test(`${name} refuses numbers out of its range`, () => {
    for (const value of [...NEVER_IN_RANGE, ...outOfRange]) {
      refused({ [name]: value }, RANGE, new RegExp(`"${name}"`), allowed, new RegExp(`received ${String(value).replace('+', '\\+')}`))
    }
  })
}

for (const name of ['heapLimit', 'memoryLimit', 'gcLoad']) {
  test(`pressure.${name} is a ratio or false`, () => {
    const full = new RegExp(`"pressure.${name}"`)
    for (const value of ['0.5', null, true, {}]) refused({ pressure: { [name]: value } }, TYPE, full, /or false/)
    for (const value of [0, 1.01, 85, ...NEVER_IN_RANGE]) refused({ pressure: { [name]: value } }, RANGE, full, /above 0 and up to 1/)
    for (const value of [false, 0.01, 1]) {
      const watch = heapwatch.watch({ pressure: { [name]: value } })
      assert.strictEqual(watch.options.pressure[name], value)
      watch.stop()
    }
  })
}

test('the other settings of pressure are checked too', () => {
  refused({ pressure: { gcLoadWindow: 99 } }, RANGE, /100 to 3600000/)
  refused({ pressure: { gcLoadWindow: 'long' } }, TYPE)
  refused({ pressure: { release: 1.1 } }, RANGE, /from 0 to 1/)
  refused({ pressure: { release: NaN } }, RANGE)
  for (const value of [true, null, 0.85, 'high']) refused({ pressure: value }, TYPE, /an object or false/)
})

test('an unknown option is refused with the nearest known one', () => {
  refused({ intervall: 1000 }, UNKNOWN, /no option "intervall": did you mean "interval"\?/)
  refused({ GCThreshold: 5 }, UNKNOWN, /did you mean "gcThreshold"\?/)
  refused({ pressure: { heaplimit: 0.5 } }, UNKNOWN, /"pressure.heaplimit": did you mean "heapLimit"\?/)
  refused({ colour: 'red' }, UNKNOWN, /known are interval, gcThreshold, history, pressure, leak/)
  refused({ ['x'.repeat(10_000)]: 1 }, UNKNOWN)
})

test('thresholds of the leak detector are checked, one by one', () => {
  const watch = heapwatch.watch()
  const names = Object.keys(watch.options.leak)
  watch.stop()
  assert.ok(names.length > 20)
  for (const name of names) {
    refused({ leak: { [name]: '1' } }, TYPE, new RegExp(`"leak.${name}"`))
    for (const value of NEVER_IN_RANGE) refused({ leak: { [name]: value } }, RANGE, new RegExp(`"leak.${name}"`))
    heapwatch.watch({ leak: { [name]: watch.options.leak[name] } }).stop()
  }
  refused({ leak: { minPoints: 6.5 } }, RANGE, /an integer from 4 to 32/)
  refused({ leak: { minGrowht: 1 } }, UNKNOWN, /did you mean "minGrowth"/)
  refused({ leak: true }, TYPE, /an object or false/)
})

test('each threshold of the leak detector is documented and typed', () => {
  const watch = heapwatch.watch()
  const names = Object.keys(watch.options.leak).sort()
  watch.stop()
  const read = (file) => fs.readFileSync(path.join(__dirname, '..', '..', file), 'utf8')
  const table = read('docs/leaks.md').split('## Options')[1].split('\n## ')[0]
  assert.deepStrictEqual([...table.matchAll(/^\| `(\w+)`/gm)].map((row) => row[1]).sort(), names)
  const types = read('lib/index.d.ts').split('interface LeakOptions {')[1].split('\n}')[0]
  assert.deepStrictEqual([...types.matchAll(/^ {2}(\w+)\?: number/gm)].map((row) => row[1]).sort(), names)
})

test('options that are no object are refused', () => {
  for (const value of [null, 5, 'interval', [], true, () => {}]) refused(value, TYPE, /"options" must be an object/)
})

test('a value that is huge to print is cut short in the message', () => {
  refused({ interval: 'x'.repeat(1e6) }, TYPE)
  refused({ interval: Array(1e5).fill('y') }, TYPE)
  assert.throws(() => heapwatch.watch({ interval: 'x'.repeat(1e6) }), (error) => error.message.length < 300)
})

test('without options the documented defaults are in force', () => {
  const watch = heapwatch.watch()
  const { leak, ...options } = watch.options
  assert.strictEqual(leak.alpha, 0.01)
  assert.strictEqual(leak.minGrowth, 2 * 1024 * 1024)
  assert.deepStrictEqual(options, {
    interval: 1000,
    gcThreshold: 0,
    history: 3600,
    pressure: { heapLimit: 0.85, memoryLimit: 0.9, gcLoad: 0.3, gcLoadWindow: 10_000, release: 0.9 },
    sites: { when: 'suspected', sampleInterval: 'auto', stackDepth: 32 },
    recorder: false,
    snapshotOnLeak: false,
    cause: false
  })
  assert.throws(() => { watch.options.interval = 5 }, TypeError)
  watch.stop()
})

test('an option that is undefined is not given', () => {
  const watch = new heapwatch.HeapWatch({ interval: undefined, pressure: undefined })
  assert.strictEqual(watch.options.interval, 1000)
  assert.strictEqual(watch.options.pressure.heapLimit, 0.85)
  watch.stop()
})

test('the ends of each range are allowed', () => {
  for (const options of [
    { interval: 10, gcThreshold: 0, history: 1 },
    { interval: 3_600_000, gcThreshold: 3_600_000, history: 1_000_000 },
    { gcThreshold: 0.001 },
    { pressure: false },
    { leak: false }
  ]) heapwatch.watch(options).stop()
})

test('a watch that was refused leaves nothing behind', () => {
  const before = process.listenerCount('exit')
  for (let i = 0; i < 100; i++) refused({ interval: -1 }, RANGE)
  assert.strictEqual(process.listenerCount('exit'), before)
})

test('the stack of an error begins where heapwatch was called', () => {
  assert.throws(() => heapwatch.watch({ interval: 1 }), (error) => error.stack.includes(__filename))
})
