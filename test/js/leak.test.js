'use strict'

const assert = require('node:assert')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const test = require('node:test')
const zlib = require('node:zlib')
const { openRecording } = require('../../lib/recorder')
const { ROOT, runForLines } = require('./helpers/child')

const MB = 1024 * 1024
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-leak-'))
test.after(() => fs.rmSync(folder, { recursive: true }))

function replay (...args) {
  return spawnSync(process.execPath, [path.join(ROOT, 'lib', 'cli', 'main.js'), 'replay', ...args], { encoding: 'utf8' })
}

// Half a megabyte a second stays, ten come and go; a heap of 128 MB.
test('a heap that leaks is announced with default options, well before its limit', async () => {
  const trace = path.join(folder, 'leak.jsonl')
  const recorded = path.join(folder, 'leak.hwrec')
  const lines = await runForLines((trace, recorded) => {
    const heapwatch = require('heapwatch')
    const watch = heapwatch.watch()
    const silent = heapwatch.watch({ recorder: recorded }) // nobody listens to it
    watch.writeTrace(trace)
    const start = Date.now()
    const kept = []
    const timer = setInterval(() => {
      for (let i = 0; i < 100; i++) {
        const record = { id: i, text: 'x'.repeat(500) + kept.length, list: new Array(60).fill(i) }
        if (i % 4 === 0) kept.push(record)
      }
    }, 10)
    const end = () => {
      clearInterval(timer)
      const stats = watch.stats()
      watch.stop()
      // Its verdict is due with its own next samples.
      const wait = setInterval(() => {
        if (silent.leaks().length === 0) return
        clearInterval(wait)
        silent.stop()
      }, 50)
      console.log(JSON.stringify({ leaks: watch.leaks(), stats }))
    }
    const limit = setTimeout(end, 240_000)
    // AddressSanitizer keeps what was freed: native memory that does grow.
    const sanitized = /asan/.test(process.env.LD_PRELOAD)
    watch.on('leak', (leak) => {
      if (sanitized && leak.metric === 'native') return
      console.log(JSON.stringify({ ...leak, start, live: watch.stats().heapLive, current: watch.leaks() }))
      clearTimeout(limit)
      end()
    })
  }, { args: [trace, recorded], flags: ['--max-old-space-size=256'] })

  assert.strictEqual(lines.length, 2, 'one event an episode')
  const [leak, { leaks }] = lines
  assert.strictEqual(leak.metric, 'heap')
  assert.strictEqual(leak.limit, 256 * MB)
  assert.ok(leak.live < leak.limit / 2, `announced at ${leak.live} of ${leak.limit}`)
  assert.ok(leak.rate > 0.2 * MB && leak.rate < 20 * MB, `the rate is ${leak.rate}`)
  assert.ok(leak.rateLow <= leak.rateHigh)
  assert.ok(leak.confidence > 0 && leak.confidence <= 1)
  assert.ok(leak.timeToLimit > 0)
  assert.ok(leak.since >= leak.start - 5000 && leak.time > leak.since)
  assert.ok(leak.evidence.length >= 3)
  assert.ok(leak.evidence.every((point) => point.time >= leak.start - 5000 && point.value > 0))
  assert.ok(leak.current.some(({ metric }) => metric === 'heap'))
  assert.strictEqual(leaks[0].metric, 'heap', 'leaks() answers after stop()')

  // What no listener was told is in the recording, as the same event but for
  // what only JavaScript knows of the sites.
  const recording = openRecording(recorded)
  const note = recording.notes().find(({ kind, data }) => kind === 'leak' && data.metric === 'heap')
  const { start: _, live, current, sitesState, unattributed, ...event } = leak
  assert.deepStrictEqual(Object.keys(note.data), Object.keys(event))
  assert.ok(Math.abs(note.time - leak.time) < 10_000)
  assert.ok(Math.abs(note.data.rate / leak.rate - 1) < 0.5)
  assert.strictEqual(note.data.limit, leak.limit)
  assert.ok(note.data.evidence.every((point) => point.time > leak.start - 5000 && point.value > 0))
  assert.ok(recording.state().leaking.includes('heap'))
  recording.close()

  // The trace that the watch wrote gives the same verdict again.
  const again = replay(trace, '--json')
  assert.strictEqual(again.status, 0, again.stderr)
  assert.strictEqual(again.stderr, '')
  const verdict = again.stdout.trim().split('\n').map((line) => JSON.parse(line))
    .find(({ event, metric }) => event === 'leak' && metric === 'heap')
  assert.ok(Math.abs(verdict.rate / leak.rate - 1) < 0.05)
})

test('leak: false looks for no leaks and has no detector', async () => {
  const [stats, leaks] = await runForLines(() => {
    const { watch } = require('heapwatch')
    const [without, withOne] = [watch({ leak: false }), watch()]
    console.log(JSON.stringify([without.stats().ownBytes, withOne.stats().ownBytes]))
    console.log(JSON.stringify(without.leaks()))
  })
  assert.ok(stats[0] + 100_000 < stats[1])
  assert.deepStrictEqual(leaks, [])
})

test('HEAPWATCH_TRACE writes a trace, and a path that cannot be written is one warning', async () => {
  const program = () => {
    const { watch } = require('heapwatch')
    process.on('warning', (warning) => console.log(JSON.stringify(warning.message)))
    for (const w of [watch({ interval: 10 }), watch({ interval: 10 })]) setTimeout(() => w.stop(), 300)
  }
  const env = { HEAPWATCH_TRACE: path.join(folder, '%p-%t.jsonl') }
  assert.deepStrictEqual(await runForLines(program, { env }), [])
  const [name] = fs.readdirSync(folder).filter((file) => /^\d+-0\.jsonl$/.test(file))
  const records = fs.readFileSync(path.join(folder, name), 'utf8').trim().split('\n').map((line) => JSON.parse(line))
  assert.strictEqual(records.filter((record) => record.type === 'meta').length, 1)
  assert.ok(records.filter((record) => record.type === 'sample').length >= 2)

  const warnings = await runForLines(program, { env: { HEAPWATCH_TRACE: '/nonexistent/trace' } })
  assert.strictEqual(warnings.length, 1)
  assert.match(warnings[0], /no trace is written: ENOENT/)
})

test('a trace has every GC, also those that gcThreshold keeps from listeners', async () => {
  const trace = path.join(folder, 'every.jsonl')
  const [told] = await runForLines((trace) => {
    const { watch } = require('heapwatch')
    const watching = watch({ interval: 10, gcThreshold: 3_600_000 })
    let told = 0
    watching.on('gc', () => told++)
    setTimeout(() => {
      watching.writeTrace(trace)
      for (let i = 0; i < 5; i++) global.gc()
      setTimeout(() => {
        watching.stop()
        console.log(JSON.stringify(told))
      }, 100)
    }, 50)
  }, { args: [trace], flags: ['--expose-gc'] })
  assert.strictEqual(told, 0)
  const records = fs.readFileSync(trace, 'utf8').trim().split('\n').map((line) => JSON.parse(line))
  assert.strictEqual(records[0].type, 'meta')
  assert.ok(records.filter(({ type, kind }) => type === 'gc' && kind === 'major').length >= 5)
  const last = records.findLastIndex(({ type }) => type === 'gc')
  assert.ok(records.slice(last).some(({ type }) => type === 'sample'), 'samples follow')
})

test('a trace ends where the disk is full, with one warning, and is read to there', async () => {
  const trace = path.join(folder, 'full.jsonl')
  const lines = await runForLines((trace) => {
    const { watch } = require('heapwatch')
    process.on('SIGXFSZ', () => {})
    process.on('warning', (warning) => console.log(JSON.stringify(warning.message)))
    const watching = watch({ interval: 10 })
    watching.writeTrace(trace)
    setTimeout(() => console.log(JSON.stringify(watching.stats().samples)), 1500)
  }, { args: [trace], wrapper: ['bash', '-c', 'ulimit -f 8 && exec "$@"', 'bash'] })
  assert.strictEqual(lines.length, 2, JSON.stringify(lines))
  assert.match(lines[0], /the trace .*full\.jsonl ends here: E/)
  assert.ok(lines[1] > 60, 'the watch goes on')
  assert.ok(fs.statSync(trace).size >= 4096)
  const { status, stderr } = replay(trace)
  assert.strictEqual(status, 0)
  assert.ok(stderr.trim().split('\n').length <= 1, stderr)
})

test('replay reads gzip and standard input, reports bad lines by number and uses a cut-off file to its end', () => {
  const lines = Array.from({ length: 50 }, (_, i) =>
    JSON.stringify({ t: i * 1000, type: 'sample', heapUsed: 1e7, heapTotal: 2e7, rss: 5e7, external: 1e6, arrayBuffers: 0 }))
  lines[6] = '{"t": oops}'
  const text = lines.join('\n')
  const file = path.join(folder, 'bad.jsonl.gz')
  fs.writeFileSync(file, zlib.gzipSync(text))
  const whole = replay(file)
  assert.strictEqual(whole.status, 0)
  assert.match(whole.stderr, /^line 7: /)
  assert.strictEqual(whole.stdout, 'no leak\n')
  fs.writeFileSync(file, zlib.gzipSync(text).subarray(0, 100))
  const cut = replay(file)
  assert.strictEqual(cut.status, 0)
  assert.match(cut.stderr, /the compressed data ends early/)
  const piped = spawnSync(process.execPath, [path.join(ROOT, 'lib', 'cli', 'main.js'), 'replay', '-'], { input: text, encoding: 'utf8' })
  assert.strictEqual(piped.status, 0)
  assert.match(piped.stderr, /^line 7: /)
})

test('replay of what cannot be read, and wrong options, are clear errors', () => {
  const missing = replay(path.join(folder, 'nothing'))
  assert.strictEqual(missing.status, 1)
  assert.match(missing.stderr, /ENOENT.*nothing/)
  assert.strictEqual(replay().status, 2)
  assert.strictEqual(replay('a', 'b').status, 2)
  assert.strictEqual(replay('--nonsense').status, 2)
  assert.strictEqual(replay('--help').status, 0)
})
