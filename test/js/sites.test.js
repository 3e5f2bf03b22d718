'use strict'

const assert = require('node:assert')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const test = require('node:test')
const heapwatch = require('../..')
const { openRecording } = require('../../lib/recorder')
const { runForLines, runForResult } = require('./helpers/child')

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-sites-'))
test.after(() => fs.rmSync(folder, { recursive: true }))

// A detector in a hurry: what it finds is of no matter here, but when.
const HASTY = {
  evidence: 2000, minEvidence: 2000, hold: 3000, end: 1000, holdShare: 0.1, leftShare: 0, pastShare: 0, bucket: 100, minGrowth: 1e6
}

// Not to be inlined by V8, or what they allocate counts for their callers.
const NOT_INLINED = ['--max-inlined-bytecode-size=0', '--expose-gc']

// A leak among ten times as much that dies at once, with a major collection
// five times a second.
function leak (options, then) {
  const { watch: start } = require('heapwatch')
  const watch = start({ interval: 100, ...options })
  const kept = []
  function leaky () {
    kept.push({ id: kept.length, text: 'x'.repeat(500) + kept.length, list: new Array(60).fill(1) })
  }
  function churn () {
    const made = []
    for (let i = 0; i < 100; i++) made.push({ i, text: 'y'.repeat(100) + i })
    return made.length
  }
  function work () {
    for (let i = 0; i < 40; i++) {
      leaky()
      churn()
    }
  }
  const timers = [setInterval(work, 10), setInterval(() => globalThis.gc(), 200)]
  const end = () => {
    timers.forEach(clearInterval)
    watch.stop()
  }
  const send = (value) => console.log(JSON.stringify(value))
  // AddressSanitizer keeps what was freed: native memory that does grow.
  const ours = (leak) => leak.metric === 'heap'
  then({ watch, send, end, ours, timers })
}

// The source of a program that runs `then` with such a leak.
const leaking = (options, then) => Function(`(${leak})(${JSON.stringify(options)}, ${then})`) // eslint-disable-line no-new-func

test('a leak names the function that allocates what stays, first of all', async () => {
  const [event] = await runForLines(leaking({ sites: true, leak: HASTY }, ({ watch, send, end, ours }) => {
    watch.on('leak', (leak) => {
      if (!ours(leak)) return
      send(leak)
      end()
    })
  }), { flags: NOT_INLINED })
  const [site] = event.sites
  assert.strictEqual(site.functionName, 'leaky')
  assert.strictEqual(site.url, '[eval]')
  assert.ok(site.line > 1 && site.column > 1)
  assert.strictEqual(site.kind, 'application')
  assert.strictEqual(site.trend, 'growing')
  assert.strictEqual(site.offHeap, false)
  assert.ok(site.share > 0.7 && site.share <= 1, `a share of ${site.share}`)
  assert.ok(site.growthRate > event.rate / 3 && site.growthRate < event.rate * 3, `${site.growthRate} of ${event.rate} a second`)
  assert.deepStrictEqual(site.application, { functionName: 'leaky', url: '[eval]', line: site.line, column: site.column, kind: 'application' })
  const names = site.stack.filter(({ kind }) => kind === 'application').map(({ functionName }) => functionName)
  assert.deepStrictEqual(names, ['leaky', 'work'])
  assert.strictEqual(site.stack.at(-1).functionName, 'work', 'what is outside of the application is left out')
  assert.strictEqual(event.sitesState, 'sampling')
  assert.ok(event.unattributed >= 0 && event.unattributed < 0.8)
})

test("'auto' samples from the first suspicion on, and no longer when it is over", async () => {
  const [before, event, after] = await runForLines(leaking({ leak: HASTY }, ({ watch, send, end, ours, timers }) => {
    send(watch.sites())
    watch.on('leak', (leak) => {
      if (!ours(leak)) return
      send({ ...leak, suspected: watch.stats().suspected })
      // Nothing grows any more.
      clearInterval(timers[0])
      const wait = setInterval(() => {
        if (watch.sites().state === 'sampling') return
        clearInterval(wait)
        send({ ...watch.sites(), suspected: watch.stats().suspected })
        end()
      }, 200)
    })
  }), { flags: NOT_INLINED })
  assert.deepStrictEqual(before, { state: 'off', sites: [] })
  assert.strictEqual(event.sites[0].functionName, 'leaky')
  assert.deepStrictEqual(after, { state: 'off', sites: [], suspected: false })
})

test("'auto' samples from 60 % of the heap's limit on", async () => {
  const [before, after] = await runForLines(() => {
    const watch = require('heapwatch').watch({ interval: 20, leak: false })
    const kept = []
    const send = () => console.log(JSON.stringify(watch.sites().state))
    const fill = (count) => {
      for (let i = 0; i < count; i++) kept.push(new Array(128 * 1024).fill(i))
      globalThis.gc()
    }
    fill(30)
    setTimeout(() => {
      send()
      fill(12)
      setTimeout(() => {
        send()
        watch.stop()
      }, 200)
    }, 200)
  }, { flags: ['--max-old-space-size=64', '--expose-gc'] })
  assert.deepStrictEqual([before, after], ['off', 'sampling'])
})

test('sites: false never samples, and a leak says so', async () => {
  const [sites, event] = await runForLines(leaking({ sites: false, leak: HASTY }, ({ watch, send, end, ours }) => {
    send(watch.sites())
    watch.on('leak', (leak) => {
      if (!ours(leak)) return
      send(leak)
      end()
    })
  }), { flags: NOT_INLINED })
  assert.deepStrictEqual(sites, { state: 'off', sites: [] })
  assert.deepStrictEqual([event.sites, event.sitesState, event.unattributed], [[], 'off', null])
})

test('a profiler of somebody else is left alone, and used when it has gone', async () => {
  const result = await runForResult(async () => {
    const { Session } = require('node:inspector')
    const session = new Session()
    session.connect()
    const post = (method, params) => new Promise((resolve, reject) => session.post(method, params, (error, result) => error ? reject(error) : resolve(result)))
    await post('HeapProfiler.enable')
    await post('HeapProfiler.startSampling', { samplingInterval: 1024 })
    const watch = require('heapwatch').watch({ sites: true, interval: 100 })
    const kept = []
    const theirs = () => { for (let i = 0; i < 1000; i++) kept.push({ i, text: 'z'.repeat(100) + i }) }
    const states = [watch.sites().state]
    theirs()
    watch.stop()
    const { profile } = await post('HeapProfiler.stopSampling')
    const size = (node) => node.selfSize + node.children.reduce((sum, child) => sum + size(child), 0)
    const other = require('heapwatch').watch({ sites: true, interval: 100 })
    states.push(other.sites().state)
    other.stop()
    console.log(JSON.stringify({ states, bytes: size(profile.head) }))
  })
  assert.deepStrictEqual(result.states, ['in-use', 'sampling'])
  assert.ok(result.bytes > 50_000, `${result.bytes} bytes in their profile`)
})

test('whoever samples while we do, and ends it, takes nothing but the samples', async () => {
  const result = await runForResult(async () => {
    const { Session } = require('node:inspector')
    const watch = require('heapwatch').watch({ sites: { sampleInterval: 1024 }, interval: 100 })
    const session = new Session()
    session.connect()
    const post = (method, params) => new Promise((resolve) => session.post(method, params, (error, result) => resolve(error ? { error: error.message } : result)))
    const kept = []
    const fill = () => { for (let i = 0; i < 1000; i++) kept.push({ i, text: 'z'.repeat(100) + i }) }
    fill()
    const states = [watch.sites().state]
    await post('HeapProfiler.enable')
    await post('HeapProfiler.startSampling', { samplingInterval: 1024 })
    fill()
    states.push(watch.sites().state)
    await post('HeapProfiler.stopSampling')
    fill()
    states.push(watch.sites().state)
    // Theirs again, where ours was: not ours to stop.
    await post('HeapProfiler.startSampling', { samplingInterval: 1024 })
    fill()
    states.push(watch.sites().state)
    watch.stop()
    const { profile } = await post('HeapProfiler.stopSampling')
    console.log(JSON.stringify({ states, kept: kept.length, profile: profile !== undefined }))
  })
  assert.deepStrictEqual(result.states, ['sampling', 'sampling', 'off', 'off'])
  assert.ok(result.profile)
})

test('watches of one isolate share one sampling, which lasts as long as the last', async () => {
  const states = await runForResult(() => {
    const { watch } = require('heapwatch')
    const [one, two, three] = [watch({ sites: true }), watch({ sites: { sampleInterval: 4096 } }), watch({ sites: false })]
    const seen = () => [one, two, three].filter((each) => !each.stopped).map((each) => {
      const { state, sampleInterval } = each.sites()
      return [state, sampleInterval]
    })
    const states = [seen()]
    one.stop()
    states.push(seen())
    two.stop()
    states.push(seen())
    console.log(JSON.stringify(states))
  })
  const ours = ['sampling', 512 * 1024]
  assert.deepStrictEqual(states, [[ours, ours, ours], [ours, ours], [['off', null]]].map((row) =>
    row.map(([state, interval]) => [state, interval])))
})

test('code without a name, of eval or of a url of 10,000 characters is told readably', async () => {
  const { sites, url } = await runForResult(() => {
    const vm = require('node:vm')
    const watch = require('heapwatch').watch({ sites: { sampleInterval: 1024 } })
    globalThis.kept = []
    const body = '{ for (let i = 0; i < 2000; i++) kept.push({ i, text: "z".repeat(100) + i }) }'
    const url = '/srv/' + 'é😀'.repeat(3000) + '/"end".js'
    vm.runInThisContext(`(function fromFar () ${body})`, { filename: url })()
    // eslint-disable-next-line no-eval
    ;(0, eval)(`(function fromEval () ${body})()`)
    new Function(body)() // eslint-disable-line no-new-func
    console.log(JSON.stringify({ ...watch.sites({ limit: 32 }), url }))
    watch.stop()
  })
  const far = sites.find(({ functionName }) => functionName === 'fromFar')
  // V8 keeps a kilobyte of it.
  assert.ok(far.url.length > 500 && far.url.endsWith('…'))
  assert.ok(url.startsWith(far.url.slice(0, -1)), 'no part of a character is left')
  assert.ok(sites.some(({ functionName, url }) => functionName === 'fromEval' && url === ''))
  assert.ok(sites.some(({ functionName, url }) => functionName === '' && url === ''))
})

test('lines are those of the sources, where Node.js maps them', async () => {
  const generated = path.join(folder, 'bundle.js')
  // Line 4 of the source became the first of the script.
  const map = {
    version: 3, sources: ['original.ts'], names: ['leakyInSource'], mappings: 'AAGAA', file: 'bundle.js'
  }
  fs.writeFileSync(generated, 'module.exports = (kept) => { for (let i = 0; i < 2000; i++) kept.push({ i, text: "z".repeat(100) + i }) }\n' +
    `//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}\n`)
  const program = (file) => {
    const watch = require('heapwatch').watch({ sites: { sampleInterval: 1024 } })
    require(file)([])
    console.log(JSON.stringify(watch.sites().sites.find(({ url, generated }) => url.endsWith('bundle.js') || generated?.url.endsWith('bundle.js'))))
    watch.stop()
  }
  const plain = await runForResult(program, { args: [generated] })
  assert.deepStrictEqual([plain.url, plain.line, plain.generated], [generated, 1, undefined])
  const mapped = await runForResult(program, { args: [generated], flags: ['--enable-source-maps'] })
  assert.ok(mapped.url.endsWith('original.ts'))
  assert.strictEqual(mapped.line, 4)
  assert.deepStrictEqual(mapped.generated.url, generated)
  assert.strictEqual(mapped.stack[0].kind === 'native' || mapped.stack[0].line === 4, true)
})

test('Buffers are told by the sites of their wrappers, and labelled', async () => {
  const { sites } = await runForResult(() => {
    const watch = require('heapwatch').watch({ sites: { sampleInterval: 1024 } })
    const kept = []
    function buffers () {
      for (let i = 0; i < 2000; i++) kept.push(Buffer.alloc(20_000))
    }
    // A string put together is copied when its length is asked for: no Buffer.
    function pages () {
      for (let i = 0; i < 2000; i++) {
        kept.push('page '.repeat(40) + i)
        Buffer.byteLength(kept.at(-1))
      }
    }
    buffers()
    pages()
    console.log(JSON.stringify(watch.sites()))
    watch.stop()
  })
  const copies = sites.filter(({ functionName, application }) => [functionName, application?.functionName].includes('pages'))
  assert.ok(copies.length > 0 && copies.every(({ offHeap }) => !offHeap))
  const site = sites.find(({ offHeap }) => offHeap)
  assert.strictEqual(site.application.functionName, 'buffers')
  assert.ok(site.bytes < 2e6, 'their memory itself is not seen')
})

test('the timeline says what of each interval is alive, and adds up', async () => {
  const { sites, intervals, sampled } = await runForResult(async () => {
    const watch = require('heapwatch').watch({ sites: { sampleInterval: 1024 }, interval: 50 })
    const kept = []
    function burst () {
      for (let i = 0; i < 3000; i++) kept.push({ i, text: 'z'.repeat(100) + i })
    }
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
    await pause(300)
    watch.sites()
    burst()
    watch.sites()
    await pause(300)
    watch.sites()
    await pause(300)
    console.log(JSON.stringify(watch.sites({ timeline: true })))
    watch.stop()
  })
  assert.ok(intervals.length >= 3)
  intervals.forEach(({ start, end }, i) => assert.ok(end >= start && (i === 0 || start === intervals[i - 1].end)))
  assert.ok(Math.abs(intervals.reduce((sum, { bytes }) => sum + bytes, 0) - sampled) < 100)
  const site = sites.find(({ functionName }) => functionName === 'burst')
  assert.strictEqual(site.timeline.length, intervals.length)
  assert.ok(Math.max(...site.timeline) > 0.99 * site.bytes, 'all in one interval')
})

test('what heapwatch itself allocates is no site, what its listeners do is one', async () => {
  const { sites } = await runForResult(async () => {
    const watch = require('heapwatch').watch({ sites: { sampleInterval: 1024 }, interval: 20 })
    const kept = []
    watch.on('sample', function listener () {
      for (let i = 0; i < 50; i++) kept.push({ told: watch.sites({ limit: 32 }), list: new Array(100).fill(i) })
    })
    await new Promise((resolve) => setTimeout(resolve, 500))
    console.log(JSON.stringify(watch.sites({ limit: 32 })))
    watch.stop()
  })
  const lib = path.join(__dirname, '../../lib') + path.sep
  assert.deepStrictEqual(sites.filter(({ url, application }) => [url, application?.url].some((at) => at?.startsWith(lib))), [])
  const listener = sites.find(({ functionName }) => functionName === 'listener')
  assert.ok(listener.stack.every(({ url, kind }) => !url.startsWith(lib) || kind === 'library'))
})

test('wrong options and arguments are clear errors', () => {
  const wrong = [
    [{ sites: 'always' }, 'ERR_HEAPWATCH_INVALID_OPTION_TYPE', /"sites" must be 'auto', true, false or an object/],
    [{ sites: null }, 'ERR_HEAPWATCH_INVALID_OPTION_TYPE', /null/],
    [{ sites: [] }, 'ERR_HEAPWATCH_INVALID_OPTION_TYPE', /"sites"/],
    [{ sites: { sampleInterval: 0 } }, 'ERR_HEAPWATCH_OPTION_OUT_OF_RANGE', /"sites.sampleInterval" must be an integer from 1024/],
    [{ sites: { sampleInterval: 1e12 } }, 'ERR_HEAPWATCH_OPTION_OUT_OF_RANGE', /1000000000000/],
    [{ sites: { sampleInterval: '64k' } }, 'ERR_HEAPWATCH_INVALID_OPTION_TYPE', /'64k'/],
    [{ sites: { stackDepth: 0 } }, 'ERR_HEAPWATCH_OPTION_OUT_OF_RANGE', /"sites.stackDepth" must be an integer from 1 to 128/],
    [{ sites: { stackDepth: 10_000 } }, 'ERR_HEAPWATCH_OPTION_OUT_OF_RANGE', /10000/],
    [{ sites: { interval: 1 } }, 'ERR_HEAPWATCH_UNKNOWN_OPTION', /did you mean|known are/]
  ]
  for (const [options, code, message] of wrong) {
    assert.throws(() => heapwatch.watch(options), { code, message })
  }
  const watch = heapwatch.watch()
  assert.deepStrictEqual(watch.options.sites, { when: 'suspected', sampleInterval: 'auto', stackDepth: 32 })
  assert.throws(() => watch.sites({ limit: 0 }), { code: 'ERR_HEAPWATCH_OPTION_OUT_OF_RANGE' })
  assert.throws(() => watch.sites({ timeline: 1 }), { code: 'ERR_HEAPWATCH_INVALID_OPTION_TYPE' })
  watch.stop()
  assert.throws(() => watch.sites(), { code: 'ERR_HEAPWATCH_STOPPED' })
})

test('the deepest stacks and the shortest are read', async () => {
  for (const stackDepth of [1, 128]) {
    const { sites } = await runForResult((stackDepth) => {
      const watch = require('heapwatch').watch({ sites: { sampleInterval: 1024, stackDepth } })
      const kept = []
      function deep (left) {
        if (left > 0) return deep(left - 1)
        for (let i = 0; i < 2000; i++) kept.push({ i, text: 'z'.repeat(100) + i })
      }
      deep(500)
      console.log(JSON.stringify(watch.sites()))
      watch.stop()
    }, { args: [stackDepth], flags: ['--max-inlined-bytecode-size=0'] })
    // Of a stack of one frame that may be a builtin.
    const [{ functionName, stack }] = sites
    assert.ok(functionName === 'deep' || (stackDepth === 1 && stack.length === 1), functionName)
    assert.ok(stack.length <= 32)
  }
})

test('a listener of leaks alone is told when the leak is found, not at the end', async () => {
  const [told] = await runForLines(leaking({ leak: HASTY }, ({ watch, send, end, ours }) => {
    const limit = setTimeout(() => {
      send('nothing')
      end()
    }, 60_000)
    watch.on('leak', (leak) => {
      if (!ours(leak)) return
      send(leak.metric)
      clearTimeout(limit)
      end()
    })
  }), { flags: NOT_INLINED })
  assert.strictEqual(told, 'heap')
})

test('a leak leaves its sites in the recording', async () => {
  const file = path.join(folder, 'leak.hw')
  await runForLines(leaking({ leak: HASTY, recorder: file }, ({ watch, end, ours }) => {
    watch.on('leak', (leak) => ours(leak) && end())
  }), { flags: NOT_INLINED })
  const recording = openRecording(file)
  const leak = recording.notes().find(({ kind, data }) => kind === 'leak' && data.metric === 'heap')
  recording.close()
  assert.strictEqual(leak.data.sites[0].functionName, 'leaky')
})
