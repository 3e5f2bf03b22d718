'use strict'

// Whatever ends a process, what its watch recorded is there and true.

const assert = require('node:assert')
const { spawn } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const test = require('node:test')
const { openRecording } = require('../../lib/recorder')
const { Recording } = require('../../lib/native')
const { inCgroup, makeCgroup } = require('./helpers/cgroup')
const { ROOT, assertEnd, runNode, scaled } = require('./helpers/child')
const { assertApart } = require('./helpers/collections')

const MB = 1024 * 1024
// In memory, as by default.
const base = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir()
const folder = fs.mkdtempSync(path.join(base, 'heapwatch-death-'))
test.after(() => fs.rmSync(folder, { recursive: true }))

const add = (sum, n) => sum + n

function assertClose (actual, expected, what) {
  assert.ok(Math.abs(actual - expected) <= 1e-6 * Math.max(1, Math.abs(expected)), `${what}: ${actual}, not ${expected}`)
}

/**
 * Asserts that a recording is whole: what it says in one place agrees with what
 * it says in all others, and no record is missing.
 */
function assertWhole (file) {
  const recording = openRecording(file)
  const native = new Recording(file, false)
  try {
    const state = recording.state()
    const gcs = recording.gcs()
    const samples = recording.samples()
    const pauses = recording.pauses()
    assert.ok(recording.identity.pid > 0)
    assert.ok(gcs.length < 8000 && samples.length < 3600, 'short enough for all to be there')

    // Every collection: none is torn, and they add up to the counters.
    assertApart(gcs)
    for (const gc of gcs) {
      assert.ok(gc.duration >= 0 && gc.duration < 60_000, `a pause of ${gc.duration}`)
      assert.ok(gc.heapBefore > 0 && gc.heapAfter > 0 && gc.heapBefore < 4096 * MB)
      assert.ok(Math.abs(gc.time - recording.identity.timeOrigin - gc.startTime) < 60_000)
    }
    let all = 0
    for (const kind of Object.keys(pauses)) {
      const durations = gcs.filter((gc) => gc.kind === kind).map((gc) => gc.duration)
      all += pauses[kind].count
      if (pauses[kind].count !== durations.length) continue // collected before it was recorded
      assertClose(pauses[kind].total, durations.reduce(add, 0), `the pauses of ${kind}`)
      if (durations.length > 0) assertClose(pauses[kind].max, Math.max(...durations), `the longest of ${kind}`)
    }
    assert.strictEqual(all, state.gcs)
    assert.ok(state.gcs >= gcs.length && state.gcs - gcs.length <= 3, 'all collections are recorded')

    // Every sample.
    assert.ok(state.samples === samples.length || state.samples + 1 === samples.length)
    let time = 0
    for (const sample of samples) {
      assert.ok(sample.time > time)
      assert.ok(sample.heapUsed > 0 && sample.heapUsed < 4096 * MB)
      assert.ok(sample.heapTotal <= sample.heapLimit + 1024 * MB && sample.gcLoad >= 0 && sample.gcLoad <= 1)
      assert.ok(sample.rss > MB && Number.isInteger(sample.nativeContexts))
      time = sample.time
    }
    const inMinutes = recording.minutes().map((minute) => minute.samples).reduce(add, 0)
    assert.ok(inMinutes === samples.length || inMinutes + 1 === samples.length, 'each sample is in one minute')

    // Every note can be parsed and is what it says.
    const texts = native.notes()
    for (const { kind, text } of texts) {
      const note = JSON.parse(text)
      if (kind.startsWith('pressure')) assert.ok(note.ratio >= 0 && note.threshold > 0)
    }
    return { state, gcs, samples, notes: recording.notes(), alive: recording.alive, identity: recording.identity }
  } finally {
    recording.close()
    native.close()
  }
}

// Collects, samples and changes its mind about pressure all the time, and says
// on its standard output how far it is, one line of JSON each time. A line that
// arrives was written before the death.
function beBusy () {
  const heapwatch = require('heapwatch')
  const { writeSync } = require('node:fs')
  const watch = heapwatch.watch({
    interval: 10,
    recorder: true,
    pressure: { gcLoad: 0.02, gcLoadWindow: 100, release: 0.99, heapLimit: 0.01 }
  })
  let kept = []
  const work = () => {
    for (let i = 0; i < 1000; i++) kept.push({ text: 'x'.repeat(50) + i, list: new Array(20).fill(i) })
    if (kept.length > 40_000) kept = []
    const { gcs, samples } = watch.stats()
    writeSync(1, JSON.stringify({ gcs, samples, time: Date.now() }) + '\n')
    setImmediate(work)
  }
  work()
}

/**
 * Kills one busy process, one in four at any moment from its start, the others
 * at any moment from its first line; resolves to its last line, and its file.
 */
function killOne (number) {
  const directory = path.join(folder, `kill-${number}`)
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--max-semi-space-size=1', '-e', `(${beBusy})()`], {
      cwd: ROOT,
      env: { ...process.env, NODE_OPTIONS: undefined, NODE_TEST_CONTEXT: undefined, HEAPWATCH_DIR: directory },
      stdio: ['ignore', 'pipe', 'inherit']
    })
    const killIn = (ms) => setTimeout(() => child.kill('SIGKILL'), Math.random() * ms)
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      if (output === '' && number % 4 !== 0) killIn(BUSY_MS)
      output = (output + chunk).slice(-1000)
    })
    child.on('error', reject)
    if (number % 4 === 0) killIn(START_MS)
    child.on('close', (code, signal) => {
      if (signal !== 'SIGKILL') return reject(new Error(`ended with ${signal ?? code}`))
      const line = output.slice(0, output.lastIndexOf('\n')).split('\n').at(-1)
      const files = fs.existsSync(directory) ? fs.readdirSync(directory) : []
      resolve({
        last: line ? JSON.parse(line) : undefined,
        file: files.map((name) => path.join(directory, name)).find((name) => name.endsWith('.hwrec')),
        remove: () => fs.rmSync(directory, { recursive: true, force: true })
      })
    })
  })
}

// HEAPWATCH_TEST_KILLS=1000 is the whole of it; 1000 took some minutes.
const KILLS = Number(process.env.HEAPWATCH_TEST_KILLS) || scaled(60, 10)
const AT_ONCE = 3
const START_MS = 800
const BUSY_MS = 250

test(`a process that is killed at a random moment leaves a whole recording, ${KILLS} of ${KILLS}`, async (t) => {
  const met = { recorded: 0, early: 0, gcs: 0, samples: 0, notes: 0 }
  let next = 0
  const kill = async () => {
    for (let number = next++; number < KILLS; number = next++) {
      const { last, file, remove } = await killOne(number)
      if (!file) {
        // Killed before there was a recording, and so before it could say a word.
        assert.strictEqual(last, undefined)
        met.early++
        remove()
        continue
      }
      const { state, gcs, samples, notes, alive } = assertWhole(file)
      assert.strictEqual(state.state, 'running')
      assert.strictEqual(alive, false)
      if (last) {
        assert.ok(state.gcs >= last.gcs, `recorded ${state.gcs} collections of ${last.gcs}`)
        assert.ok(state.samples >= last.samples, `recorded ${state.samples} samples of ${last.samples}`)
      }
      met.recorded++
      met.gcs += gcs.length
      met.samples += samples.length
      met.notes += notes.length
      remove()
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, kill))
  assert.strictEqual(met.recorded + met.early, KILLS)
  assert.ok(met.recorded >= Math.floor(KILLS * 3 / 4), 'most are killed while they record')
  assert.ok(met.gcs > met.recorded && met.samples > met.recorded && met.notes > 0)
  t.diagnostic(JSON.stringify(met))
})

/** Runs a program that records into a file; how it ended, and the recording. */
async function record (name, program, options = {}) {
  const file = path.join(folder, `${name}.hwrec`)
  const result = await runNode(program, { ...options, args: [file] })
  return { ...result, ...assertWhole(file) }
}

test('abort() leaves all up to that moment', async () => {
  const end = await record('abort', (file) => {
    const watch = require('heapwatch').watch({ interval: 10, recorder: file })
    setTimeout(() => {
      globalThis.gc()
      require('node:fs').writeSync(1, JSON.stringify(watch.stats()))
      process.abort()
    }, 200)
  }, { flags: ['--expose-gc'] })
  assertEnd(end, 'SIGABRT')
  const stats = JSON.parse(end.stdout)
  assert.strictEqual(end.state.gcs, stats.gcs)
  assert.strictEqual(end.state.samples, stats.samples)
  assert.strictEqual(end.state.state, 'running')
  assert.strictEqual(end.gcs.at(-1).forced, true)
})

test("V8's fatal out-of-memory leaves the last collections and why", async () => {
  const end = await record('oom', (file) => {
    require('heapwatch').watch({ interval: 10, recorder: file })
    const kept = []
    // No turn of the event loop: no sample, and no JavaScript of a watch.
    for (;;) kept.push(new Array(1000).fill(kept.length))
  }, { flags: ['--max-old-space-size=64'] })
  assertEnd(end, 'SIGABRT')
  assert.match(end.stderr, /JavaScript heap out of memory/)
  const last = end.gcs.filter((gc) => gc.kind === 'major').at(-1)
  assert.ok(last.heapAfter > 0.85 * 64 * MB, `${last.heapAfter} at the end`)
  assert.strictEqual(end.samples.length, 0)
  assert.ok(end.state.heapLive > 0.85 * end.state.oldSpaceLimit)
  assert.deepStrictEqual(end.state.active, ['heap-limit'])
  const note = end.notes.find(({ kind, data }) => kind === 'pressure' && data.reason === 'heap-limit')
  assert.strictEqual(note.data.limit, 64 * MB)
  assert.ok(note.data.ratio > 0.85 && note.data.used > 0.85 * 64 * MB)
  assert.strictEqual(note.time, note.data.time)
})

test('an exit, natural or not, leaves a recording that is said to have been stopped', async () => {
  const ends = {
    natural: [(file) => { require('heapwatch').watch({ interval: 10, recorder: file }); setTimeout(() => {}, 100) }, 0],
    exit: [(file) => { require('heapwatch').watch({ interval: 10, recorder: file }); setTimeout(() => process.exit(7), 100) }, 7],
    thrown: [(file) => { require('heapwatch').watch({ interval: 10, recorder: file }); setTimeout(() => { throw new Error('it ends here') }, 100) }, 1],
    stop: [(file) => { const watch = require('heapwatch').watch({ interval: 10, recorder: file }); setTimeout(() => watch.stop(), 100) }, 0]
  }
  for (const [name, [program, code]] of Object.entries(ends)) {
    const end = await record(name, program)
    assertEnd(end, code)
    assert.strictEqual(end.state.state, 'stopped', name)
    // After stop() nobody notes how the process ends.
    assert.strictEqual(end.state.exitCode, name === 'stop' ? null : code, name)
    assert.strictEqual(end.alive, false)
    assert.ok(end.samples.length > 0)
  }
})

test('a container that the kernel kills leaves how full it was', async (t) => {
  const limit = 192 * MB
  const cgroup = makeCgroup(limit)
  if (!cgroup) return t.skip('this process may not make a memory cgroup')
  t.after(() => fs.rmdirSync(cgroup))
  const end = await record('cgroup', (file) => {
    require('heapwatch').watch({ interval: 10, recorder: file, pressure: { memoryLimit: 0.8 } })
    const kept = []
    setInterval(() => kept.push(Buffer.alloc(2 * 1024 * 1024, 1)), 5)
  }, { wrapper: inCgroup(cgroup) })
  assertEnd(end, 'SIGKILL')
  const last = end.samples.at(-1)
  assert.strictEqual(last.memoryLimit, limit)
  assert.ok(last.rss > 0.9 * limit, `rss was ${last.rss}`)
  assert.strictEqual(end.identity.memoryLimit, limit)
  assert.ok(end.state.active.includes('memory-limit'))
  assert.ok(end.notes.some(({ kind, data }) => kind === 'pressure' && data.reason === 'memory-limit'))
})

test('a Worker that is terminated leaves its own recording, and the process goes on with its', async () => {
  const directory = path.join(folder, 'workers')
  const end = await runNode(() => {
    const { watch } = require('heapwatch')
    const { Worker } = require('node:worker_threads')
    const own = watch({ interval: 10, recorder: true })
    const worker = new Worker(`
      require('heapwatch').watch({ interval: 10, recorder: true })
      require('node:worker_threads').parentPort.postMessage('recording')
      setInterval(() => { globalThis.kept = Array.from({ length: 1e4 }, (_, i) => ({ i })) }, 1)`, { eval: true })
    worker.once('message', async () => {
      await new Promise((resolve) => setTimeout(resolve, 200))
      await worker.terminate()
      const { listRecordings } = require('./lib/recorder')
      console.log(JSON.stringify({ own: own.recorder, list: listRecordings(), worker: worker.threadId }))
      process.exit()
    })
  }, { env: { HEAPWATCH_DIR: directory } })
  assertEnd(end)
  const { own, list } = JSON.parse(end.stdout)
  assert.strictEqual(list.length, 2)
  const [main, worker] = list.sort((a, b) => a.threadId - b.threadId)
  assert.strictEqual(main.path, own)
  assert.strictEqual(main.alive, true)
  assert.strictEqual(worker.threadId, 1)
  assert.strictEqual(worker.alive, false)
  assert.strictEqual(main.pid, worker.pid)
  assert.strictEqual(assertWhole(worker.path).state.state, 'stopped')
  assertWhole(main.path)
})
