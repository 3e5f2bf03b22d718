'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, before, describe, it } = require('node:test')
const { promisify } = require('node:util')
const { causeText } = require('../../lib/describe')
const { explain } = require('../../lib/why')
const { ask } = require('../../lib/snapshot')

const run = promisify(execFile)
const MAIN = path.join(__dirname, '..', '..', 'lib', 'cli', 'main.js')
const FIXTURE = path.join(__dirname, '..', 'fixtures', 'causes.js')

// What each program must be said to have: the cause's kind, the words, and
// what names it.
const EXPECTED = {
  global: ['global', 'global variable `leaked`, which is an `Array`', { name: 'leaked' }],
  module: ['module', 'module variable `cache` (causes.js), which is a `Map`', { name: 'cache', url: FIXTURE }],
  closure: ['closure', /^variable `previous` of the closure `link` \(causes\.js:\d+\) in module variable `chain` \(causes\.js\)$/,
    { name: 'chain', url: FIXTURE }],
  timer: ['timer', /^setInterval with the callback `poll` \(causes\.js:\d+\)$/, {}],
  listener: ['listener',
    'listeners of event `tick` on the `EventEmitter` in module variable `bus` (causes.js)', { name: 'bus', url: FIXTURE }],
  target: ['listener', /^listeners of event `tick` on the `EventTarget` in module variable `target`/, { name: 'target', url: FIXTURE }],
  promise: ['promise', /^a promise that is not settled, reached from module variable `waiting`/,
    { name: 'waiting', url: FIXTURE }],
  async: ['async-context', /^an AsyncLocalStorage's store,.* kept by a `Timeout`/, {}],
  symbol: ['global', 'property `Symbol(acme.sessions)` of the global object, which is an `Array`', { name: 'Symbol(acme.sessions)' }],
  bound: ['timer', /^setInterval with the callback bound `touch` \(causes\.js:\d+\)$/, {}],
  process: ['listener', 'listeners of event `tick` on the `process`', { kind: 'global' }],
  static: ['module', /^property `all` of `Session` \(causes\.js:\d+\), which is a `Set`$/, { name: 'all', url: FIXTURE }]
}

// Of what grows, which need not be the sessions themselves.
const GROWS = {
  ...EXPECTED,
  signal: ['listener', 'listeners of event `abort` on signals of `AbortSignal.any()` or `AbortSignal.timeout()`', {}, /^(AbortSignal|EventTarget)$/],
  mark: ['global', 'global variable `performance`, which keeps what `performance.mark()` makes until `performance.clearMarks()`', {}, /^PerformanceMark$/],
  evaluated: ['module', 'module variable `compiled` (causes.js), which is a `Map`', { name: 'compiled', url: FIXTURE }],
  nested: ['module', 'module variable `registry` (causes.js), which is an `Object`, in its `tenants.active`', { name: 'registry', url: FIXTURE }],
  awaited: ['promise', 'a promise that is not settled but waits for event `signed` on the `EventEmitter` in module variable `bus` (causes.js)', { name: 'bus', url: FIXTURE }, /^(Session|Generator)$/],
  made: ['global', 'global variable `fromText`, which is a `Map`', { name: 'fromText' }, /^Made$/],
  socket: ['closure', /^variable `plain` of the closure `metered` \(causes\.js:\d+\) reached from a timer$/, {}],
  inner: ['module', 'module variable `hub` (causes.js), which is an `Object`, in its `all`', { name: 'hub', url: FIXTURE }]
}

let directory

before(() => { directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-retainers-')) })
after(() => fs.rmSync(directory, { recursive: true, force: true }))

async function snapshotOf (cause) {
  const file = path.join(directory, `${cause}-a.heapsnapshot`)
  if (!fs.existsSync(file)) await run(process.execPath, [FIXTURE, cause, path.join(directory, cause)])
  return file
}

describe('the cause is named from a snapshot of a program that has it', () => {
  for (const [cause, [kind, words, anchor]] of Object.entries(EXPECTED)) {
    it(cause, async () => {
      const { count, samples, causes } = await ask('retainers', [await snapshotOf(cause)], { target: 'Session' })
      assert.equal(count, 500)
      assert.equal(samples, 200)
      const [first] = causes
      // The first or last of a list may be held by something else besides.
      assert.ok(first.samples >= 195, JSON.stringify(causes.map(({ samples, heldBy }) => [samples, heldBy])))
      assert.equal(first.kind, kind, first.heldBy)
      if (typeof words === 'string') assert.equal(first.heldBy, words)
      else assert.match(first.heldBy, words)
      for (const [key, value] of Object.entries(anchor)) assert.equal(first.anchor[key], value)
      assert.equal(first.path.at(-1).name, 'Session')
    })
  }
})

describe('why names what grows and what holds it', () => {
  for (const [cause, [kind, words, anchor, named = /^Session$/]] of Object.entries(GROWS)) {
    it(cause, async () => {
      const older = await snapshotOf(cause)
      const why = await ask('why', [older, older.replace('-a.', '-b.')])
      assert.equal(why.leaks, true)
      assert.ok(why.growth > 5e5)
      assert.match(why.class, named)
      assert.ok(why.count[1] - why.count[0] >= 2900, why.count.join())
      assert.equal(why.kind, kind, why.heldBy)
      if (typeof words === 'string') assert.equal(why.heldBy, words)
      else assert.match(why.heldBy, words)
      for (const [key, value] of Object.entries(anchor)) assert.equal(why.anchor[key], value)
    })
  }

  it('what else holds it, if letting go of one would not do', async () => {
    const older = await snapshotOf('both')
    const why = await explain([older, older.replace('-a.', '-b.')])
    const held = (name, type) => RegExp(`^module variable \`${name}\` \\(\\S*causes\\.js:\\d+\\), which is an? \`${type}\`$`)
    assert.match(why.heldBy, held('recent', 'Array'))
    assert.match(why.also.heldBy, held('cache', 'Map'))
    assert.equal(why.also.anchor.name, 'cache')
    assert.match(why.description, /^3,000 more `Session` objects .* held by .*`recent`.*, and by .*`cache`/)
    assert.equal((await ask('why', ['module', 'module'].map((cause, i) => path.join(directory, `${cause}-${'ab'[i]}.heapsnapshot`)))).also, undefined)
  })

  it('the WeakMap that has them for a key', async () => {
    const older = await snapshotOf('weak')
    const why = await explain([older, older.replace('-a.', '-b.')])
    assert.match(why.heldBy, /^module variable `shutdown` /)
    assert.equal(why.weakMap.anchor.name, 'byServer')
    assert.equal(why.weakMap.kind, 'module')
    assert.equal(why.kind, 'module')
    assert.match(why.description, /^3,000 more `Session` objects .* held by the WeakMap in module variable `byServer` \(\S+:\d+\), for keys that are held by module variable `shutdown` \(\S+:\d+\), which is an/)
  })

  it('what holds the keys, if it is they that leak', async () => {
    const older = await snapshotOf('keys')
    const why = await explain([older, older.replace('-a.', '-b.')])
    assert.equal(why.kind, 'global')
    assert.equal(why.weakMap, undefined)
    assert.match(why.description, /^3,000 more `Object` objects with `Session` .* held by global variable `visitors`, which is an `Array`$/)
  })

  it('many properties of the global object, each with a name of its own', async () => {
    const older = await snapshotOf('names')
    const why = await explain([older, older.replace('-a.', '-b.')])
    assert.equal(why.kind, 'global')
    assert.equal(why.heldBy, 'properties of the global object')
    assert.match(why.description, /^3,000 more `Session` objects .* held by properties of the global object, such as `reply_\w+`$/)
  })

  it('not a timer that is over', async () => {
    const older = await snapshotOf('fired')
    const why = await explain([older, older.replace('-a.', '-b.')])
    assert.equal(why.kind, 'global')
    assert.match(why.heldBy, /^global variable `noted`, which is a `Map`$/)
    assert.equal(why.also, undefined)
  })

  it('who waits for a timer of node:timers/promises', async () => {
    const older = await snapshotOf('turns')
    const why = await explain([older, older.replace('-a.', '-b.')])
    assert.equal(why.kind, 'timer')
    assert.equal(why.suspended.name, 'autosave')
    assert.match(why.description, /^3,000 more `Timeout` objects with suspended calls of `autosave` \(causes\.js:\d+\) .* held by setInterval with the callback .* \(node:timers\/promises:\d+\)/)
  })

  it('listeners of events that have names of their own', async () => {
    const older = await snapshotOf('events')
    const why = await explain([older, older.replace('-a.', '-b.')])
    assert.equal(why.kind, 'listener')
    assert.match(why.heldBy, /^listeners of many events on the `EventEmitter` in module variable `bus` \(\S*causes\.js:\d+\)$/)
    assert.match(why.description, /, such as `settled:\d+`$/)
  })

  it('what a timer of a library leads to', async () => {
    const older = await snapshotOf('patience')
    const why = await explain([older, older.replace('-a.', '-b.')])
    assert.equal(why.kind, 'timer')
    assert.match(why.heldBy, /^setTimeout with the callback `timeoutCallback` \(async\/timeout\.js:\d+\), which leads to `onAnswer` \(causes\.js:\d+\)$/)
  })

  it('and only perhaps what names nothing of the program\'s own', async () => {
    const older = await snapshotOf('foreign')
    const why = await explain([older, older.replace('-a.', '-b.')])
    assert.equal(why.kind, 'unknown')
    assert.equal(why.heldBy, undefined)
    assert.equal(why.perhaps.kind, 'timer')
    assert.match(why.description, /held by something that cannot be told, perhaps setTimeout with the callback `timeoutCallback` \(async\/timeout\.js:\d+\)$/)
  })

  it('the variable of a closure that leads to a list of closures', async () => {
    const older = await snapshotOf('lazy')
    const why = await explain([older, older.replace('-a.', '-b.')])
    assert.equal(why.kind, 'closure')
    assert.match(why.heldBy, /^variable `first` of the closure `(add|progress)` \(causes\.js:\d+\) reached from module variable `follower` /)
  })

  it('calls that wait, where they queue', async () => {
    const older = await snapshotOf('queue')
    const why = await explain([older, older.replace('-a.', '-b.')])
    assert.equal(why.kind, 'promise')
    assert.equal(why.suspended.name, 'submit')
  })

  it('calls that wait in a queue of the module', async () => {
    const older = await snapshotOf('lock')
    const [, newer, newest] = ['a', 'b', 'c'].map((step) => older.replace('-a.', `-${step}.`))
    const why = await explain([older, newer, newest])
    assert.equal(why.kind, 'promise', why.description)
    assert.equal(why.confirmed, true)
    assert.match(why.suspended.name, /^(write|update)$/)
    assert.match(why.heldBy, /^module variable `lock` .*, which is a `Lock`, in its `#waiting`$/)
  })

  it('modules that are loaded again and again', async () => {
    const older = await snapshotOf('reloaded')
    const why = await explain([older, older.replace('-a.', '-b.')])
    assert.equal(why.kind, 'module', why.description)
    assert.match(why.description, /^3,000 more `Module` objects .* are held by module variable `(module|require)` \(\S*causes\.js/)
  })

  it('calls that wait among others of Node.js', async () => {
    const older = await snapshotOf('imported')
    const why = await explain([older, older.replace('-a.', '-b.')])
    assert.equal(why.kind, 'promise', why.description)
    assert.equal(why.suspended?.name, 'quote', why.description)
  })

  it('calls that wait for an object of a library', async () => {
    const older = await snapshotOf('subject')
    const why = await explain([older, older.replace('-a.', '-b.')])
    assert.equal(why.kind, 'promise', why.description)
    assert.equal(why.suspended.name, 'book')
    assert.match(why.description, /^3,000 more `SafeSubscriber` objects with suspended calls of `book` .* held by module variable `confirmed`/)
  })

  it('listeners of component-emitter', async () => {
    const older = await snapshotOf('components')
    const why = await explain([older, older.replace('-a.', '-b.')])
    assert.equal(why.kind, 'listener', why.description)
    assert.match(why.heldBy, /^listeners of event `reconnect` on the `Emitter` in module variable `manager` /)
  })

  it('the listeners of an open channel', async () => {
    const older = await snapshotOf('ports')
    const why = await explain([older, older.replace('-a.', '-b.')])
    assert.equal(why.kind, 'listener')
    assert.match(why.description, /^\d+ more `MessagePort` objects with `Session` .* held by listeners of event `message` on the `BroadcastChannel` reached from an open handle$/)
  })

  it('the event of an open port that has listeners of several', async () => {
    const older = await snapshotOf('replies')
    const why = await explain([older, older.replace('-a.', '-b.')])
    assert.equal(why.kind, 'listener', why.description)
    assert.match(why.heldBy, /^listeners of event `close` on the `MessagePort`, which is an open handle$/)
  })

  it('the variable, where one timer holds all besides', async () => {
    const older = await snapshotOf('published')
    const why = await explain([older, older.replace('-a.', '-b.')])
    assert.equal(why.kind, 'promise', why.description)
    assert.equal(why.suspended.name, 'complete')
    assert.match(why.heldBy, /^module variable `articles` /)
  })

  it('and says that it does not know, of what Node.js alone holds', async () => {
    const older = await snapshotOf('channel')
    const why = await explain([older, older.replace('-a.', '-b.')])
    assert.equal(why.leaks, true)
    assert.equal(why.kind, 'unknown')
    assert.equal(why.heldBy, undefined)
    assert.match(why.description, /^3,000 more .* held by something that cannot be told, perhaps module variable `channels` \(node:diagnostics_channel\)/)
  })

  it('contexts, whatever holds them', async () => {
    const older = await snapshotOf('context')
    const why = await ask('why', [older, older.replace('-a.', '-b.')])
    assert.equal(why.contexts, 30)
    assert.equal(why.kind, 'context')
    assert.equal(why.heldBy, 'module variable `sandboxes` (causes.js), which is an `Array`')
    assert.match(causeText(why), /^30 more contexts of `vm` \([\d.]+ MB\) are held by module variable `sandboxes`/)
  })

  it('of three snapshots, what both steps say', async () => {
    const older = await snapshotOf('listener')
    const [, newer, newest] = ['a', 'b', 'c'].map((step) => older.replace('-a.', `-${step}.`))
    const why = await explain([older, newer, newest])
    assert.equal(why.confirmed, true)
    assert.deepEqual(why.count, [500, 6000])
    assert.match(why.heldBy, /^listeners of event `tick` /)
    assert.match(why.description, /^5,500 more `onTick` closures /)

    const once = await explain([older, newer, newer])
    assert.equal(once.leaks, false)
    assert.equal(once.confirmed, false)
    const late = await explain([older, older, newer])
    assert.equal(late.kind, 'unknown')
    assert.equal(late.heldBy, undefined)
    assert.match(late.description, /^not the same grew .*: nothing that a count explains grew.*; then 3,000 more `onTick` closures/)
    assert.deepEqual(late.steps.map(({ leaks }) => leaks), [false, true])
  })

  it('and that nothing does, of traffic that leaves as much as it found', async () => {
    const older = await snapshotOf('none')
    const newer = older.replace('-a.', '-b.')
    const { classes } = await ask('diff', [older, newer])
    assert.ok(classes.find(({ name }) => name === 'Session').added >= 390)
    assert.deepEqual((await ask('why', [older, newer])).leaks, false)
  })

  it('by its exit code, too', async () => {
    const older = await snapshotOf('listener')
    const newer = older.replace('-a.', '-b.')
    await assert.rejects(run(process.execPath, [MAIN, 'why', older, newer]), {
      code: 3,
      stdout: /^3,000 more `onTick` closures with `Session` \([\d.]+ [kM]B\) are held by listeners of event `tick` .* in module variable `bus`/
    })
    const { stdout } = await run(process.execPath, [MAIN, 'why', older, older])
    assert.match(stdout, /^Nothing that a count explains grew/)
    await assert.rejects(run(process.execPath, [MAIN, 'why', older]), { code: 2 })
  })
})

it('a path is a chain of edges from a root to the object', async () => {
  const file = await snapshotOf('module')
  const { first } = await ask('retainers', [file], { target: 'Session' })
  const { count, paths } = await ask('retainers', [file], { target: `@${first.id}` })
  assert.equal(count, 1)
  assert.ok(paths.length > 0)
  for (const { whole, steps } of paths) {
    assert.ok(whole)
    assert.equal(steps[0].edge, undefined)
    assert.equal(steps.at(-1).id, first.id)
    for (const step of steps.slice(1)) assert.ok(step.edge !== undefined && step.id > 0)
  }
  assert.deepEqual(paths.map(({ steps }) => steps.length), paths.map(({ steps }) => steps.length).sort((a, b) => a - b))
})

it('the command tells it, and that there is no such class', async () => {
  const file = await snapshotOf('listener')
  const { stdout } = await run(process.execPath, [MAIN, 'retainers', file, 'Session'])
  assert.match(stdout, /^500 objects, .*\n\n2?00 of 200 held by listeners of event `tick` .*\[listener\]$/m)
  assert.match(stdout, /^Shortest path from a root to Session @\d+:$/m)
  await assert.rejects(run(process.execPath, [MAIN, 'retainers', file, 'Nonsense']),
    { code: 1, stderr: /the snapshot has no such object or class/ })
  await assert.rejects(run(process.execPath, [MAIN, 'retainers', file]), { code: 2 })
})
