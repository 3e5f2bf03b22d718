'use strict'

const assert = require('node:assert')
const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const test = require('node:test')
const heapwatch = require('heapwatch')
const { openRecording } = require('../../lib/recorder')
const { assertEnd, runNode, runForResult } = require('./helpers/child')

const MB = 1024 * 1024
const NOBODY = 65534
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-recorder-'))
fs.chmodSync(folder, 0o755)
test.after(() => fs.rmSync(folder, { recursive: true }))

const isRoot = process.getuid?.() === 0
let count = 0
const fresh = (name) => path.join(folder, `${name}-${count++}`)

/** A recording that a process of its own has left. */
async function leaveRecording (file = `${fresh('left')}.hwrec`) {
  assertEnd(await runNode((file) => {
    const watch = require('heapwatch').watch({ interval: 10, recorder: file })
    const wait = setInterval(() => {
      globalThis.garbage = Array.from({ length: 3e5 }, (_, i) => ({ i }))
      if (watch.stats().samples < 6) return
      clearInterval(wait)
      watch.stop()
    }, 10)
  }, { args: [file] }))
  return file
}

function refused (file, code, message) {
  assert.throws(() => openRecording(file), (error) => {
    assert.strictEqual(error.code, `ERR_HEAPWATCH_RECORDING_${code}`)
    assert.ok(error.message.includes(file), error.message)
    assert.match(error.message, message)
    return true
  })
}

/* -- Reading --------------------------------------------------------------- */

test('a recording says what the watch says', async () => {
  const watch = heapwatch.watch({ interval: 20, recorder: `${fresh('same')}.hwrec`, pressure: false })
  const gcs = []
  watch.on('gc', (gc) => gcs.push(gc))
  for (let i = 0; i < 5; i++) {
    Array.from({ length: 3e5 }, (_, i) => ({ i }))
    await sleep(30)
  }
  const recording = openRecording(watch.recorder)
  assert.strictEqual(recording.alive, true)
  assert.deepStrictEqual(recording.samples(), watch.history())
  watch.stop()
  // All but the counts at fixed bounds, which only a watch keeps.
  const pauses = watch.pauses()
  for (const kind of Object.keys(pauses)) delete pauses[kind].buckets
  assert.deepStrictEqual(recording.pauses(), pauses)
  assert.strictEqual(recording.alive, false)

  const state = recording.state()
  const stats = watch.stats()
  for (const name of ['gcs', 'samples', 'missed', 'dropped', 'gcTime', 'heapLive', 'oldSpaceLimit']) {
    assert.strictEqual(state[name], stats[name], name)
  }
  assert.deepStrictEqual(state.sample, watch.history().at(-1))
  const recorded = recording.gcs().filter(({ startTime }) => startTime >= gcs[0].startTime - 1e-3)
  assert.ok(gcs.length > 0)
  assert.strictEqual(recorded.length, gcs.length)
  for (const [i, { time, startTime, ...gc }] of recorded.entries()) {
    const { startTime: expected, ...same } = gcs[i]
    assert.deepStrictEqual(gc, same)
    assert.ok(Math.abs(startTime - expected) < 1e-6)
    assert.ok(Math.abs(time - performance.timeOrigin - startTime) < 1000)
  }

  const { identity } = recording
  assert.strictEqual(identity.pid, process.pid)
  assert.strictEqual(identity.threadId, 0)
  assert.deepStrictEqual(identity.argv, process.argv)
  assert.strictEqual(identity.nodeVersion, process.version)
  assert.strictEqual(identity.abi, Number(process.versions.modules))
  assert.strictEqual(identity.heapwatchVersion, heapwatch.version)
  assert.strictEqual(identity.host, os.hostname())
  assert.strictEqual(identity.interval, 20)
  assert.strictEqual(identity.oldSpaceLimit, stats.oldSpaceLimit)
  assert.ok(Math.abs(identity.startTime - Date.now()) < 60_000)
  assert.ok(identity.processStartTime < identity.startTime)
  recording.close()
  recording.close()
  assert.throws(() => recording.state(), { code: 'ERR_HEAPWATCH_ESTATE' })
})

test('since gives what is later and nothing else', async () => {
  const recording = openRecording(await leaveRecording())
  const samples = recording.samples()
  assert.ok(samples.length > 3)
  for (const [i, sample] of samples.entries()) {
    assert.deepStrictEqual(recording.samples({ since: sample.time }), samples.slice(i + 1))
  }
  assert.deepStrictEqual(recording.samples({ since: 0 }), samples)
  const gcs = recording.gcs()
  if (gcs.length > 0) assert.deepStrictEqual(recording.gcs({ since: gcs[0].time }), gcs.slice(1))
  assert.deepStrictEqual(recording.gcs({ since: Infinity }), [])
  recording.close()
})

test('a recording is consistent at any moment while it is written', async () => {
  const file = `${fresh('busy')}.hwrec`
  let stop
  const writer = runNode((file) => {
    require('heapwatch').watch({ interval: 10, recorder: file })
    let kept = []
    setInterval(() => {
      for (let i = 0; i < 2000; i++) kept.push(new Array(50).fill(i))
      if (kept.length > 50_000) kept = []
    }, 1)
  }, { args: [file], flags: ['--max-semi-space-size=1'], started: (child) => { stop = () => child.kill('SIGKILL') } })
  while (!fs.existsSync(file)) await sleep(5)
  const recording = openRecording(file)
  let [gcs, samples, last] = [0, 0, 0]
  for (let i = 0; i < 400; i++) {
    const state = recording.state()
    assert.ok(state.gcs >= gcs && state.samples >= samples, 'counters only grow')
    gcs = state.gcs
    samples = state.samples
    assert.ok(recording.gcs().length <= recording.state().gcs)
    const since = recording.samples({ since: last })
    for (const sample of since) {
      assert.ok(sample.time > last && sample.heapUsed > MB && sample.rss > MB)
      last = sample.time
    }
    for (const { count, min, max, p50 } of Object.values(recording.pauses())) {
      if (count > 0) assert.ok(min <= p50 && p50 <= max)
    }
    assert.strictEqual(recording.alive, true)
    await sleep(2)
  }
  assert.ok(gcs > 10 && samples > 10)
  stop()
  await writer
  // Before a watch is recorded it may have counted one or two.
  const before = recording.state().gcs - recording.gcs().length
  assert.ok(before >= 0 && before <= 3)
  assert.strictEqual(recording.alive, false)
  recording.close()
})

test('a recording is read on another thread, and then grows', async () => {
  const watch = heapwatch.watch({ interval: 20, recorder: `${fresh('load')}.hwrec` })
  await sleep(100)
  const sync = openRecording(watch.recorder)
  const recording = await heapwatch.readRecording(watch.recorder)
  const before = recording.samples()
  assert.ok(before.length > 0)
  globalThis.gc?.()
  await sleep(100)
  watch.stop()
  for (const name of ['samples', 'gcs', 'minutes', 'notes', 'pauses', 'state']) {
    assert.deepStrictEqual(recording[name](), sync[name](), name)
  }
  assert.ok(recording.samples().length > before.length)
  const peaks = recording.peaks()
  assert.strictEqual(peaks.rss, Math.max(...recording.minutes().map(({ rss }) => rss.max)))
  recording.close()
  sync.close()
  await assert.rejects(heapwatch.readRecording(fresh('missing')), { code: 'ERR_HEAPWATCH_RECORDING_NOT_FOUND' })
  await assert.rejects(heapwatch.readRecording(7), { code: 'ERR_HEAPWATCH_INVALID_OPTION_TYPE' })
})

test('the counters alone are read without the collections before them, which are read when they are asked for', async () => {
  const file = await leaveRecording()
  const [a, b] = [openRecording(file), openRecording(file)]
  const gcs = a.gcs()
  const state = b.state()
  assert.deepStrictEqual(state, a.state())
  assert.deepStrictEqual(b.gcs(), gcs)
  assert.ok(gcs.length > 0 && state.gcs >= gcs.length)
  a.close()
  b.close()
})

test('while a recording is read it can be closed and nothing else', async () => {
  const file = await leaveRecording()
  const recording = openRecording(file)
  const loading = recording.load()
  assert.throws(() => recording.samples(), { code: 'ERR_HEAPWATCH_ESTATE' })
  await assert.rejects(recording.load(), { code: 'ERR_HEAPWATCH_ESTATE' })
  recording.close()
  recording.close()
  await loading
  assert.throws(() => recording.samples(), { code: 'ERR_HEAPWATCH_ESTATE' })
})

test('a Worker may end, and a process exit, while recordings are read', async () => {
  const file = await leaveRecording()
  const end = await runNode(async (file) => {
    const { Worker } = require('node:worker_threads')
    const read = `for (let i = 0; i < 20; i++) require('./lib/recorder').openRecording(${JSON.stringify(file)}).load()`
    for (let i = 0; i < 10; i++) {
      const worker = new Worker(`${read}; require('node:worker_threads').parentPort.postMessage(0)`, { eval: true })
      await new Promise((resolve) => worker.once('message', resolve))
      await worker.terminate()
    }
    const { openRecording } = require('./lib/recorder')
    for (let i = 0; i < 20; i++) openRecording(file).load()
    process.exit(3)
  }, { args: [file] })
  assertEnd(end, 3)
  assert.strictEqual(end.stderr, '')
})

test('what is no recording is refused with a reason', async () => {
  const file = await leaveRecording()
  const bytes = fs.readFileSync(file)
  const written = (name, content) => {
    const other = fresh(name)
    fs.writeFileSync(other, content)
    return other
  }
  const withByte = (at, byte) => {
    const changed = Buffer.from(bytes)
    changed[at] = byte
    return changed
  }
  refused(fresh('missing'), 'NOT_FOUND', /there is no such file/)
  refused(path.join(file, 'below'), 'NOT_FOUND', /there is no such file/)
  refused(folder, 'FOREIGN', /not a recording/)
  refused(written('empty', ''), 'EMPTY', /empty/)
  refused(written('text', 'hello, world\n'.repeat(1000)), 'FOREIGN', /not a recording/)
  refused(written('short', bytes.subarray(0, 100)), 'TRUNCATED', /cut short/)
  refused(written('shorter', bytes.subarray(0, bytes.length - 1)), 'TRUNCATED', /cut short/)
  refused(written('future', withByte(8, 2)), 'VERSION', /version is 2, this one reads 1/)
  refused(written('damaged', withByte(100, 1)), 'DAMAGED', /damaged/)
  const pipe = fresh('pipe')
  execFileSync('mkfifo', [pipe])
  refused(pipe, 'FOREIGN', /not a recording/)
})

test("another user's recording is refused", { skip: !isRoot && 'only root can become another user' }, async () => {
  const file = await leaveRecording()
  const look = (mode) => {
    fs.chmodSync(file, mode)
    return runForResult((file, uid) => {
      const { openRecording } = require('./lib/recorder')
      process.setgid(uid)
      process.setuid(uid)
      try {
        openRecording(file)
        console.log('"opened"')
      } catch (error) {
        console.log(JSON.stringify([error.code, error.message]))
      }
    }, { args: [file, NOBODY] })
  }
  for (const mode of [0o600, 0o644]) {
    const [code, message] = await look(mode)
    assert.strictEqual(code, 'ERR_HEAPWATCH_RECORDING_DENIED')
    assert.ok(message.includes(file) && /belongs to another user/.test(message), message)
  }
})

test('what is told to listeners is noted without any', async () => {
  const file = `${fresh('notes')}.hwrec`
  const told = await runForResult((file) => {
    const { watch } = require('heapwatch')
    const options = { interval: 20, pressure: { heapLimit: 0.0001, gcLoad: false } }
    watch({ ...options, recorder: file })
    const listening = watch(options)
    listening.on('pressure', (pressure) => console.log(JSON.stringify(pressure)))
    globalThis.gc()
    setTimeout(() => process.exit(), 200)
  }, { args: [file], flags: ['--expose-gc'] })
  const recording = openRecording(file)
  const notes = recording.notes()
  assert.deepStrictEqual(notes.map(({ kind }) => kind), ['pressure'])
  const [{ time, data }] = notes
  assert.strictEqual(data.reason, 'heap-limit')
  assert.strictEqual(data.used, told.used)
  assert.strictEqual(data.limit, told.limit)
  assert.ok(Math.abs(data.ratio - told.ratio) < 1e-9)
  assert.ok(Math.abs(data.time - told.time) < 1000)
  assert.strictEqual(time, data.time)
  assert.deepStrictEqual(recording.notes({ since: time }), [])
  assert.deepStrictEqual(recording.state().active, ['heap-limit'])
  recording.close()
})

test('the end of a pressure is noted', async () => {
  const file = `${fresh('over')}.hwrec`
  assertEnd(await runNode((file) => {
    require('heapwatch').watch({ interval: 20, recorder: file, pressure: { heapLimit: 0.5, gcLoad: false } })
    let kept = []
    for (let i = 0; i < 40; i++) kept.push(new Array(128 * 1024).fill(i))
    globalThis.gc()
    kept = null
    globalThis.gc()
    setTimeout(() => {}, 100)
  }, { args: [file], flags: ['--expose-gc', '--max-old-space-size=64'] }))
  const recording = openRecording(file)
  assert.deepStrictEqual(recording.notes().map(({ kind }) => kind), ['pressure', 'pressureend'])
  const [begin, end] = recording.notes().map(({ data }) => data)
  assert.ok(begin.ratio > 0.5 && end.ratio < 0.5 && end.time > begin.time)
  assert.deepStrictEqual(recording.state().active, [])
  recording.close()
})

/* -- Requests -------------------------------------------------------------- */

test('a request is answered at the next sample', async () => {
  const watch = heapwatch.watch({ interval: 20, recorder: `${fresh('request')}.hwrec` })
  const recording = openRecording(watch.recorder, { writable: true })
  assert.strictEqual(recording.answer(), undefined)
  const ask = async (text) => {
    const number = recording.request(text)
    for (let i = 0; i < 200; i++) {
      const answer = recording.answer()
      if (answer?.number === number) return answer
      await sleep(10)
    }
    assert.fail('no answer')
  }
  const answer = await ask('ping')
  assert.strictEqual(answer.ok, true)
  assert.strictEqual(answer.text, `heapwatch ${heapwatch.version}`)
  assert.ok(Math.abs(answer.time - Date.now()) < 10_000)
  const unknown = await ask('dance now')
  assert.strictEqual(unknown.ok, false)
  assert.match(unknown.text, /there is no request "dance"/)
  assert.throws(() => recording.request('x'.repeat(2000)), { code: 'ERR_HEAPWATCH_RECORDING_TOO_LARGE' })
  assert.strictEqual((await ask('ping again')).ok, true)
  watch.stop()
  recording.close()
})

test('a recording opened for reading alone takes no request', async () => {
  const recording = openRecording(await leaveRecording())
  assert.throws(() => recording.request('ping'), { code: 'ERR_HEAPWATCH_RECORDING_IO' })
  recording.close()
})
