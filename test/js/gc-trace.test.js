'use strict'

// V8 says with --trace-gc what it collects: one line for each scavenge and
// each mark-compact. The `gc` events of a watch must tell the same story.
//
// What differs between V8's lines and ours:
// - The start of an incremental marking is an event, but has no line there;
//   --trace-incremental-marking prints one.
// - V8 takes the time inside of what lies between our two callbacks. An
//   event's duration is longer by some 0.1 ms, and by more when the system
//   takes the CPU away just there.
// - Sizes are printed in units of 1/10 MB and pauses in units of 1/100 ms, and
//   background threads may sweep between V8's look at the heap and ours.
// - Before a forced mark-compact V8 may have to scavenge, or to end a marking
//   that has begun: its line has the reason of the forced one, but V8 does not
//   tell callbacks that it was forced.
// - Node.js 26 calls a mark-compact that ends an incremental marking
//   "Incremental Mark-Compact"; "(interleaved)" or "(reduce)" may follow a name.

const { before, describe, it } = require('node:test')
const assert = require('node:assert')
const { assertEnd, runNode } = require('./helpers/child')
const { assertApart } = require('./helpers/collections')

const MB = 1024 * 1024
const ROUNDED_MB = 0.051
const LINE = new RegExp([
  /^\[\d+:0x[0-9a-f]+(?::\d+)?\] +\d+ ms: /, // process, isolate, its age
  /(?:Incremental )?(?<name>Scavenge|Mark-Compact|Minor Mark-\w+)(?: \([\w ]+\))? /,
  /(?<before>[\d.]+) \([\d.]+\) -> (?<after>[\d.]+) \([\d.]+\) MB, /,
  /(?:pooled: [\d.]+ MB, )?(?<pause>[\d.]+) \/ [\d.]+ ms (?<reason>.*)/
].map((part) => part.source).join(''))
const INCREMENTAL_START = /\[IncrementalMarking\] Start \(/

const TYPES = { Scavenge: 'scavenge', 'Mark-Compact': 'mark-sweep-compact' }

// Long- and short-lived objects, until there have been enough collections of
// each kind. Between two forced ones, which show where the watch begins and
// ends in V8's lines: right after one there is no other.
async function program () {
  const { watch } = require('heapwatch')
  globalThis.gc()
  const watcher = watch()
  const events = []
  watcher.on('gc', (event) => events.push(event))
  const count = (kind) => watcher.pauses()[kind].count
  let kept = []
  for (let round = 1; count('minor') < 40 || count('major') < 3 || count('incremental') < 3; round++) {
    for (let i = 0; i < 10_000; i++) kept.push({ i, text: `text ${i}`, list: [i] })
    // What ends an incremental marking is often a task.
    await new Promise((resolve) => setTimeout(resolve, 10))
    if (round % 16 === 0) kept = []
  }
  globalThis.gc({ type: 'minor' })
  globalThis.gc()
  watcher.stop()
  process.stderr.write(JSON.stringify({ events, pauses: watcher.pauses(), stats: watcher.stats() }))
}

/** From one forced mark-compact to the last one, the first not included. */
function betweenForced (list, isForced) {
  const marks = list.flatMap((item, i) => isForced(item) ? [i] : [])
  assert.ok(marks.length >= 2, 'the forced collections are not there')
  return list.slice(marks[0] + 1, marks.at(-1) + 1)
}

for (const flags of [[], ['--single-threaded-gc']]) {
  describe(`the gc events ${flags.length > 0 ? `with ${flags}` : 'of a process'}`, () => {
    let events, collections, lines, output, told

    before(async () => {
      const result = await runNode(program, {
        // Small semi-spaces make many short collections.
        flags: ['--expose-gc', '--max-semi-space-size=2', '--trace-gc',
          '--trace-incremental-marking', ...flags]
      })
      assertEnd(result)
      output = result.stdout
      told = JSON.parse(result.stderr)
      events = told.events
      const last = events.findLastIndex(({ type, forced }) => type === 'mark-sweep-compact' && forced)
      collections = events.slice(0, last + 1).filter(({ kind }) => kind !== 'incremental')
      lines = betweenForced(
        output.split('\n').map((line) => LINE.exec(line)?.groups).filter(Boolean),
        ({ name, reason }) => name === 'Mark-Compact' && /testing/.test(reason))
    })

    it('are as many, of the same types, in the same order as the lines of --trace-gc', () => {
      assert.deepStrictEqual(collections.map(({ type }) => type), lines.map(({ name }) => TYPES[name]))
    })

    it('count each start of an incremental marking', () => {
      const starts = output.split('\n').filter((line) => INCREMENTAL_START.test(line)).length
      assert.strictEqual(events.filter(({ kind }) => kind === 'incremental').length, starts)
    })

    it('are forced only when V8 says so', () => {
      const forced = collections.flatMap((event, i) => event.forced ? [[event.kind, lines[i].reason]] : [])
      for (const [, reason] of forced) assert.match(reason, /testing/)
      assert.deepStrictEqual(new Set(forced.map(([kind]) => kind)), new Set(['minor', 'major']))
    })

    it('have the heap before and after that V8 prints, nine in ten to the last digit, all to 1 MB', () => {
      const differences = collections.flatMap(({ heapBefore, heapAfter }, i) =>
        [[heapBefore / MB, lines[i].before], [heapAfter / MB, lines[i].after]]
          .map(([mb, printed]) => ({ mb, printed, difference: Math.abs(mb - printed) })))
      const rounded = differences.filter(({ difference }) => difference <= ROUNDED_MB)
      assert.ok(rounded.length >= differences.length * 9 / 10, JSON.stringify(differences))
      const all = differences.filter(({ difference }) => difference <= 1)
      assert.strictEqual(all.length, differences.length, JSON.stringify(differences))
    })

    it('have pauses that hold V8\'s, half of them with less than 0.3 ms plus 5 % around', () => {
      const differences = collections.map(({ duration }, i) => {
        const pause = Number(lines[i].pause)
        return { duration, pause, close: duration - pause < 0.3 + 0.05 * pause }
      })
      for (const { duration, pause } of differences) {
        assert.ok(duration > pause - 0.02, `${duration} ms, of V8 ${pause} ms`)
      }
      const close = differences.filter(({ close }) => close)
      assert.ok(close.length >= differences.length / 2, JSON.stringify(differences))
    })

    it('are apart, and come in the order of time', () => {
      assertApart(events)
      for (const event of events) {
        assert.ok(event.duration > 0)
        assert.strictEqual(event.freed, event.heapBefore - event.heapAfter)
      }
    })

    it('are what pauses() and stats() count', () => {
      for (const [kind, { count, total, min, max }] of Object.entries(told.pauses)) {
        const durations = events.filter((event) => event.kind === kind).map(({ duration }) => duration)
        assert.strictEqual(count, durations.length)
        if (count === 0) continue
        const sum = durations.reduce((a, b) => a + b)
        assert.ok(Math.abs(total - sum) < 1e-6 * count, `${total} and ${sum}`)
        assert.strictEqual(min, Math.min(...durations))
        assert.strictEqual(max, Math.max(...durations))
      }
      assert.strictEqual(told.stats.gcs, events.length)
      assert.strictEqual(told.stats.dropped, 0)
      assert.strictEqual(told.stats.unpaired, 0)
    })
  })
}
