'use strict'

// The option cause: why a leak is held, found by the watch itself.

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, before, describe, it } = require('node:test')
const { promisify } = require('node:util')
const heapwatch = require('heapwatch')
const { diagnose } = require('../../lib/report/doctor')
const { figures, readFacts } = require('../../lib/report/figures')
const { openRecording } = require('../../lib/recorder')
const { declarationLine } = require('../../lib/why')
const { ROOT, assertEnd, runForLines, runNode } = require('./helpers/child')

const MAIN = path.join(ROOT, 'lib', 'cli', 'main.js')
const supported = process.platform === 'linux' && process.report?.getReport().header.glibcVersionRuntime !== undefined
const skip = supported ? false : 'only where a process can be forked for a snapshot'

let directory

before(() => { directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-cause-test-')) })
after(() => fs.rmSync(directory, { recursive: true, force: true }))

// The article's causes, in the programs of examples/leaks.
const EXAMPLES = {
  'global-variables': ['module', /held by module variable `requestLog` \(examples\/leaks\/global-variables\.js:9\)/],
  'multiple-references': ['module', /held by module variable `sessionsByUser` \(examples\/leaks\/multiple-references\.js:11\)/],
  closures: ['module', /`report` closures .*held by module variable `pending` \(examples\/leaks\/closures\.js:9\)/],
  timers: ['timer', /held by setInterval with the callback `poll` \(timers\.js:12\)/],
  'event-listeners': ['listener', /`onRow` closures .*held by listeners of event `row` on the `EventEmitter` in module variable `database` \(examples\/leaks\/event-listeners\.js:10\)/]
}

describe('the cause of each of the examples is told, with file and line:', { skip, concurrency: 3 }, () => {
  for (const [name, [kind, words]] of Object.entries(EXAMPLES)) {
    it(name, { timeout: 240_000 }, async () => {
      const confirm = name === 'event-listeners' // of one, to save time
      const [found] = await runForLines((name, confirm) => {
        const { LeakCauses } = require('./lib/leak-causes')
        const { resolveOptions } = require('./lib/options')
        // The example ends by itself when it is told of its leak: here it goes on.
        const { HeapWatch } = require('heapwatch')
        const on = HeapWatch.prototype.on
        HeapWatch.prototype.on = function (event, listener) {
          return event === 'sample' ? on.call(this, event, listener) : this
        }
        require('node:v8').writeHeapSnapshot = () => 'none'
        process.argv.push('--seconds', '1e9')
        require(`./examples/leaks/${name}.js`)
        const { cause } = resolveOptions({ cause: { confirm, maxPause: 10_000, nice: 0, ignoreOomGroup: true } })
        const causes = new LeakCauses(cause, ({ leak, error, ...found }) => {
          console.log(JSON.stringify({ ...found, code: error?.code }))
          process.exit()
        })
        setTimeout(() => causes.find({ metric: 'heap', rate: 1e9 }), 2000)
      }, { args: [name, confirm] })
      assert.equal(found.kind, kind, found.description)
      assert.match(found.description, words)
      assert.ok(found.count > 50 && found.retained > 1e6, JSON.stringify(found))
      assert.ok(found.pauses.length === (confirm ? 3 : 2) && found.pauses.every((ms) => ms > 0 && ms < 10_000))
      assert.ok(found.path.length > 1 && found.path.every(({ name, type }) => typeof name === 'string' && type !== ''))
      assert.ok(found.grown.length > 0 && found.grown[0].bytes > 0)
    })
  }
})

describe('a watch with the option cause', { skip }, () => {
  it('tells it after the leak, records it, and leaves no file', { timeout: 240_000 }, async () => {
    const there = fs.mkdtempSync(path.join(directory, 'whole-'))
    const result = await runNode((there) => {
      const { watch } = require('heapwatch')
      const hasty = { evidence: 4000, minEvidence: 4000, hold: 1000, holdShare: 0, leftShare: 0, pastShare: 0, fallbackHeap: 4000, fallback: 4000 }
      const watcher = watch({
        interval: 100,
        leak: hasty,
        recorder: `${there}/r.hwrec`,
        cause: { directory: there, maxPause: 10_000, nice: 0, ignoreOomGroup: true }
      })
      class Session { constructor (id) { this.data = Array.from({ length: 200 }, (_, i) => ({ id, i })) } }
      globalThis.sessions = new Map() // held by nothing else
      let id = 0
      const timer = setInterval(() => {
        for (let i = 0; i < 3; i++) globalThis.sessions.set(id, new Session(id++))
        if (id % 60 === 0) globalThis.gc()
      }, 20)
      const seen = []
      watcher.on('leak', ({ metric }) => {
        if (metric !== 'native') seen.push(`leak ${metric}`) // which grows under a sanitizer
      })
      watcher.on('cause', ({ leak, error, ...cause }) => {
        if (leak.metric === 'native') return
        seen.push(`cause ${leak.metric}`)
        clearInterval(timer)
        watcher.stop()
        console.log(JSON.stringify({ seen, ...cause, code: error?.code }))
      })
    }, { args: [there], flags: ['--expose-gc'] })
    assertEnd(result)
    assert.equal(result.stderr, '')
    const found = JSON.parse(result.stdout)
    assert.deepEqual(found.seen, ['leak heap', 'cause heap'])
    assert.equal(found.kind, 'global', found.description)
    assert.match(found.description, /^[\d,]+ more `Session` objects \([\d.]+ MB\) are held by global variable `sessions`, which is a `Map`$/)
    assert.equal(found.class, 'Session')
    assert.deepEqual(fs.readdirSync(there), ['r.hwrec'])

    const recording = openRecording(path.join(there, 'r.hwrec'))
    const facts = await readFacts(recording, '')
    recording.close()
    const { data } = facts.notes.find(({ kind, data }) => kind === 'cause' && data.metric === 'heap')
    assert.equal(data.description, found.description)
    assert.equal(data.metric, 'heap')
    assert.deepEqual(data.path, found.path)
    const leaks = diagnose(facts, figures(facts)).filter(({ id }) => id === 'leak')
    const leak = leaks.find(({ evidence }) => evidence.includes(`why: ${found.description}`))
    assert.ok(leak, JSON.stringify(leaks))
    assert.ok(leak.evidence.some((line) => /^between its snapshots grew: .*Session \+/.test(line)), leak.evidence.join('\n'))
    const { stdout } = await promisify(execFile)(process.execPath, [MAIN, 'report', path.join(there, 'r.hwrec'), '--html', '-'])
    assert.ok(stdout.includes('are held by global variable `sessions`'))
  })

  it('says once why it cannot, and goes on', async () => {
    const results = await runForLines(async () => {
      const { LeakCauses } = require('./lib/leak-causes')
      const { resolveOptions } = require('./lib/options')
      const emit = ({ leak, kind, description, error }) => console.log(JSON.stringify({ leak, kind, description, code: error?.code }))
      const find = async (leak, cause) => {
        const causes = new LeakCauses(resolveOptions({ cause: { maxPause: 10_000, nice: 0, ignoreOomGroup: true, ...cause } }).cause, emit)
        const found = causes.find(leak)
        return { causes, found }
      }
      const alive = setInterval(() => {}, 1000)
      const heap = { metric: 'heap', rate: 1 }
      for (const [leak, cause] of [
        [{ metric: 'native', rate: 1 }, {}],
        [heap, { minFreeDisk: 2 ** 52 }],
        [heap, { maxPause: 0 }],
        [heap, { directory: '/nowhere/at/all' }],
        [heap, { minFreeMemory: 2 ** 52 }],
        [heap, { keep: '/nowhere/at/all' }]
      ]) await (await find(leak, cause)).found
      const { causes, found } = await find(heap, {})
      setTimeout(() => causes.over(heap), 200)
      await found
      const stopped = await find(heap, {})
      setTimeout(() => stopped.causes.stop(), 200)
      await stopped.found
      setTimeout(() => clearInterval(alive), 100)
    })
    assert.deepEqual(results.map(({ kind }) => kind), results.map(() => 'unknown'))
    for (const { description } of results) assert.match(description, /^why it leaks cannot be told: ./)
    assert.deepEqual(results.map(({ code }) => code), ['ERR_HEAPWATCH_CAUSE_NATIVE', 'ERR_HEAPWATCH_CAUSE_DISK',
      'ERR_HEAPWATCH_SNAPSHOT_PAUSE', 'ENOENT', 'ERR_HEAPWATCH_SNAPSHOT_MEMORY', 'ENOENT', 'ERR_HEAPWATCH_CAUSE_OVER'])
  })

  it('makes do with two snapshots if the leak is over before the third', async () => {
    const [found] = await runForLines(() => {
      const { LeakCauses } = require('./lib/leak-causes')
      const { resolveOptions } = require('./lib/options')
      const { cause } = resolveOptions({ cause: { maxPause: 10_000, nice: 0, ignoreOomGroup: true, maxWait: 60_000 } })
      globalThis.kept = []
      const leaking = setInterval(() => globalThis.kept.push(Array.from({ length: 1000 }, (_, i) => ({ i }))), 20)
      const causes = new LeakCauses(cause, ({ leak, error, ...found }) => {
        console.log(JSON.stringify({ ...found, code: error?.code }))
        clearInterval(leaking)
      })
      const heap = { metric: 'heap', rate: 250_000 } // some 17 s from one to the next
      causes.find(heap)
      setTimeout(() => causes.over(heap), 27_000)
    })
    assert.equal(found.kind, 'global', found.description)
    assert.equal(found.pauses.length, 2)
  })

  it('takes but two, soon, where the limit is near', async () => {
    const [found] = await runForLines(() => {
      const { LeakCauses } = require('./lib/leak-causes')
      const { resolveOptions } = require('./lib/options')
      const { cause } = resolveOptions({ cause: { maxPause: 10_000, nice: 0, ignoreOomGroup: true } })
      globalThis.kept = []
      const leaking = setInterval(() => globalThis.kept.push(Array.from({ length: 1000 }, (_, i) => ({ i }))), 20)
      new LeakCauses(cause, ({ leak, error, ...found }) => {
        console.log(JSON.stringify({ ...found, code: error?.code }))
        clearInterval(leaking)
      }).find({ metric: 'heap', rate: 1, timeToLimit: 40_000 }) // at that rate it would be ten minutes
    })
    assert.equal(found.kind, 'global', found.description)
    assert.equal(found.confirmed, undefined)
    assert.equal(found.pauses.length, 2)
  })

  for (const [what, ends] of [
    ['takes a fourth snapshot if it was something else that grew from the first to the second', 'never'],
    ['takes a fourth snapshot if it did not grow from the second to the third', 'pauses'],
    ['makes do with three that disagree if the leak is over before the fourth', 'over'],
    ['makes do with three that disagree if there can be no fourth', 'removed'],
    ['makes do with three that disagree if the fourth cannot be read', 'cut']
  ]) {
    it(what, { timeout: 240_000 }, async () => {
      const there = fs.mkdtempSync(path.join(directory, 'fourth-'))
      const [found] = await runForLines((there, ends) => {
        const heapSnapshot = require('./lib/heap-snapshot')
        const { snapshotInto } = heapSnapshot
        let taken = 0
        let idle = false
        heapSnapshot.snapshotInto = async (...args) => {
          if (taken === 1 && ends === 'pauses') idle = true
          const result = await snapshotInto(...args)
          if (++taken === 3) idle = false
          if (taken === 4 && ends === 'cut') require('node:fs').ftruncateSync(args[0], 1000)
          if (taken === 3 && ends === 'over') setTimeout(() => causes.over(heap), 1000)
          if (taken === 3 && ends === 'removed') require('node:fs').rmdirSync(there)
          return result
        }
        const { LeakCauses } = require('./lib/leak-causes')
        const { resolveOptions } = require('./lib/options')
        const { cause } = resolveOptions({ cause: { directory: there, maxPause: 10_000, nice: 0, ignoreOomGroup: true } })
        globalThis.once = []
        globalThis.always = []
        const leaking = setInterval(() => {
          const more = Array.from({ length: 1000 }, (_, i) => ({ i }))
          if (idle) return
          if (taken < 2 && ends !== 'pauses') globalThis.once.push(more)
          else globalThis.always.push(more)
        }, 20)
        const heap = { metric: 'heap', rate: 1e9 }
        const causes = new LeakCauses(cause, ({ leak, error, ...found }) => {
          console.log(JSON.stringify({ ...found, code: error?.code }))
          clearInterval(leaking)
        })
        causes.find(heap)
      }, { args: [there, ends] })
      if (ends === 'never' || ends === 'pauses') {
        assert.equal(found.description.replace(/^.* are held/, ''), ' by global variable `always`, which is an `Array`')
        assert.equal(found.confirmed, true)
        assert.equal(found.pauses.length, 4)
      } else {
        assert.equal(found.kind, 'unknown')
        assert.match(found.description, /^not the same grew .*`once`.*; then .*`always`/)
        assert.equal(found.confirmed, false)
        assert.equal(found.pauses.length, ends === 'cut' ? 4 : 3)
        assert.equal(found.code, undefined)
      }
    })
  }

  it('leaves nothing when it is killed, and no process', async () => {
    const there = fs.mkdtempSync(path.join(directory, 'killed-'))
    for (const wait of [50, 400, 9500]) {
      const result = await runNode((there, wait) => {
        const { LeakCauses } = require('./lib/leak-causes')
        const { resolveOptions } = require('./lib/options')
        const { cause } = resolveOptions({ cause: { directory: there, maxPause: 10_000, nice: 0, ignoreOomGroup: true } })
        globalThis.kept = Array.from({ length: 3e5 }, (_, i) => ({ i }))
        new LeakCauses(cause, console.log).find({ metric: 'heap', rate: 1e9 })
        setTimeout(() => process.kill(process.pid, 'SIGKILL'), wait)
      }, { args: [there, wait] })
      assertEnd(result, 'SIGKILL')
      assert.deepEqual(fs.readdirSync(there), [])
    }
    const ours = () => fs.readdirSync('/proc').filter((pid) => {
      try {
        return /^\d+$/.test(pid) && fs.readdirSync(`/proc/${pid}/fd`).some((fd) => fs.readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(there))
      } catch {
        return false
      }
    })
    for (let i = 0; i < 100 && ours().length > 0; i++) await new Promise((resolve) => setTimeout(resolve, 100))
    assert.deepEqual(ours(), [])
  })

  it('does not keep the process', async () => {
    const began = performance.now()
    assertEnd(await runNode(() => {
      const { LeakCauses } = require('./lib/leak-causes')
      const { resolveOptions } = require('./lib/options')
      new LeakCauses(resolveOptions({ cause: { ignoreOomGroup: true } }).cause, console.log).find({ metric: 'heap', rate: 1 })
      setTimeout(() => {}, 1500)
    }))
    assert.ok(performance.now() - began < 60_000)
  })
})

it('options of cause are checked', () => {
  const watch = heapwatch.watch({ cause: true })
  assert.equal(watch.options.cause.limit, 3)
  assert.equal(watch.options.cause.minGrowth, 4 * 1024 * 1024)
  watch.stop()
  for (const [cause, code] of [
    [5, 'INVALID_OPTION_TYPE'],
    [{ limit: 0 }, 'OPTION_OUT_OF_RANGE'],
    [{ minGrowth: 1 }, 'OPTION_OUT_OF_RANGE'],
    [{ keep: 5 }, 'INVALID_OPTION_TYPE'],
    [{ keeps: '.' }, 'UNKNOWN_OPTION']
  ]) assert.throws(() => heapwatch.watch({ cause }), { code: `ERR_HEAPWATCH_${code}` })
})

it('a variable is found where it is declared', () => {
  const file = path.join(directory, 'declared.js')
  fs.writeFileSync(file, [
    'const other = use(cache)', // 1
    'function inner () {', // 2
    '  const cache = 1', // 3
    '}', // 4
    'const cache = new Map()', // 5
    'export let $list = []', // 6
    'const { a, b: renamed } = cache', // 7
    'class Store {}', // 8
    'const source = { start (controller) {', // 9
    '  const chunk = 1', // 10
    '} }', // 11
    'const controller = (chunk) => chunk' // 12
  ].join('\n'))
  const lineOf = (name, within) => declarationLine(file, { name, function: within })
  assert.equal(lineOf('cache'), 5)
  assert.equal(lineOf('cache', 'inner'), 3)
  assert.equal(lineOf('$list'), 6)
  assert.equal(lineOf('renamed'), 7)
  assert.equal(lineOf('Store'), 8)
  assert.equal(lineOf('controller', 'start'), 9)
  assert.equal(lineOf('controller'), 12)
  assert.equal(lineOf('chunk', 'controller'), 12)
  assert.equal(lineOf('chunk', 'start'), 10)
  assert.equal(lineOf('missing'), undefined)
  assert.equal(lineOf('not a name'), undefined)
  assert.equal(declarationLine(path.join(directory, 'missing.js'), { name: 'x' }), undefined)
})
