'use strict'

// What is published on diagnostics channels, and what is not even made.

const assert = require('node:assert')
const { describe, it } = require('node:test')
const { runForResult } = require('./helpers/child')

const GC = { flags: ['--expose-gc'] }

describe('a subscriber', () => {
  it('gets the events of all watches, with the watch, and no listener is needed', async () => {
    const result = await runForResult(async () => {
      const { subscribe } = require('node:diagnostics_channel')
      const { watch } = require('heapwatch')
      const seen = { gc: [], sample: [] }
      for (const name of ['gc', 'sample']) {
        subscribe(`heapwatch:${name}`, (message, channel) => seen[name].push({ ...message, channel }))
      }
      const watches = [watch({ interval: 10 }), watch({ interval: 10 })]
      globalThis.gc()
      await new Promise((resolve) => setTimeout(resolve, 200))
      const of = (name, i) => seen[name].filter((message) => message.watch === watches[i])
      console.log(JSON.stringify({
        majors: [0, 1].map((i) => of('gc', i).filter(({ gc }) => gc.kind === 'major' && gc.duration > 0).length),
        samples: [0, 1].map((i) => of('sample', i).filter(({ sample }) => sample.heapUsed > 0).length),
        channels: [...new Set([...seen.gc, ...seen.sample].map(({ channel }) => channel))],
        listeners: watches.map((each) => each.eventNames().length)
      }))
      process.exit()
    }, GC)
    assert.deepStrictEqual(result.majors, [1, 1])
    assert.ok(result.samples.every((count) => count >= 5), JSON.stringify(result.samples))
    assert.deepStrictEqual(result.channels, ['heapwatch:gc', 'heapwatch:sample'])
    assert.deepStrictEqual(result.listeners, [0, 0])
  })

  for (const [how, subscribe] of Object.entries({
    'diagnostics_channel.subscribe': (listener) => require('node:diagnostics_channel').subscribe('heapwatch:gc', listener),
    'channel.subscribe': (listener) => require('node:diagnostics_channel').channel('heapwatch:gc').subscribe(listener)
  })) {
    it(`that comes while the watch runs misses nothing from then on: ${how}`, async () => {
      const result = await runForResult(async (source) => {
        const channels = require('node:diagnostics_channel')
        const { watch } = require('heapwatch')
        const watcher = watch({ interval: 3_600_000 })
        const turn = () => new Promise((resolve) => setTimeout(resolve, 100))
        const counts = []
        let count = 0
        const listener = ({ gc }) => { if (gc.kind === 'major') count++ }
        globalThis.gc()
        await turn()
        // eslint-disable-next-line no-eval
        eval(source)(listener)
        for (let i = 0; i < 3; i++) globalThis.gc()
        await turn()
        counts.push(count)
        counts.push(channels.unsubscribe('heapwatch:gc', listener))
        globalThis.gc()
        await turn()
        counts.push(count, watcher.stats().pending)
        console.log(JSON.stringify(counts))
      }, { ...GC, args: [String(subscribe)] })
      assert.deepStrictEqual(result, [3, true, 3, 0])
    })
  }

  it('is told of pressure and of leaks, a listener beside it too', async () => {
    const result = await runForResult(async () => {
      const { subscribe } = require('node:diagnostics_channel')
      const { watch } = require('heapwatch')
      const seen = []
      for (const name of ['pressure', 'leak']) {
        subscribe(`heapwatch:${name}`, (message) => seen.push([`channel ${name}`, message[name]]))
      }
      const watcher = watch({
        interval: 20,
        pressure: { gcLoad: false, memoryLimit: false, heapLimit: 0.3 },
        // As little evidence as will do: what is tested is who is told.
        leak: { evidence: 1000, minEvidence: 500, hold: 100, holdShare: 0, leftShare: 0, pastShare: 0, bucket: 20, envelope: 100, minGrowth: 1000, alpha: 0.05 }
      })
      watcher.on('pressure', (event) => seen.push(['listener pressure', event]))
      watcher.on('leak', (event) => seen.push(['listener leak', event]))
      const kept = []
      const deadline = Date.now() + 60_000
      const have = (name) => seen.some(([how]) => how === `channel ${name}`)
      while (!(have('pressure') && have('leak')) && Date.now() < deadline) {
        for (let i = 0; i < 2000; i++) kept.push({ i })
        globalThis.gc()
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      watcher.stop()
      console.log(JSON.stringify(seen.map(([how, event]) => [how, event.metric ?? event.reason])))
    }, { flags: ['--expose-gc', '--max-old-space-size=64'] })
    for (const [name, what] of [['pressure', 'heap-limit'], ['leak', 'heap']]) {
      const channel = result.filter(([how, which]) => how === `channel ${name}` && which === what)
      const listener = result.filter(([how, which]) => how === `listener ${name}` && which === what)
      assert.ok(channel.length >= 1, JSON.stringify(result))
      assert.strictEqual(channel.length, listener.length)
    }
  })

  it('that throws takes nothing from the listeners of the watch', async () => {
    const result = await runForResult(async () => {
      const { subscribe } = require('node:diagnostics_channel')
      const { watch } = require('heapwatch')
      const errors = []
      process.on('uncaughtException', (error) => errors.push(error.message))
      subscribe('heapwatch:gc', () => { throw new Error('of the subscriber') })
      let told = 0
      watch().on('gc', ({ kind }) => { if (kind === 'major') told++ })
      globalThis.gc()
      await new Promise((resolve) => setTimeout(resolve, 200))
      console.log(JSON.stringify({ errors: [...new Set(errors)], told }))
      process.exit()
    }, GC)
    assert.deepStrictEqual(result, { errors: ['of the subscriber'], told: 1 })
  })

  it('gets what waits when a watch is stopped, and nothing after', async () => {
    const result = await runForResult(async () => {
      const { subscribe } = require('node:diagnostics_channel')
      const { watch } = require('heapwatch')
      let count = 0
      subscribe('heapwatch:gc', ({ gc }) => { if (gc.kind === 'major') count++ })
      const watcher = watch()
      globalThis.gc()
      watcher.stop()
      const counts = [count]
      globalThis.gc()
      await new Promise((resolve) => setTimeout(resolve, 100))
      console.log(JSON.stringify([...counts, count]))
    }, GC)
    assert.deepStrictEqual(result, [1, 1])
  })

  it('in a Worker hears of the watches of that Worker alone', async () => {
    const result = await runForResult(async () => {
      const { Worker } = require('node:worker_threads')
      const { subscribe } = require('node:diagnostics_channel')
      const watcher = require('heapwatch').watch()
      let main = 0
      subscribe('heapwatch:gc', (message) => { main += message.watch === watcher && message.gc.kind === 'major' })
      const worker = new Worker(`
        const { subscribe } = require('node:diagnostics_channel')
        const watcher = require('heapwatch').watch()
        let count = 0
        subscribe('heapwatch:gc', (message) => { count += message.watch === watcher && message.gc.kind === 'major' })
        globalThis.gc()
        setTimeout(() => require('node:worker_threads').parentPort.postMessage(count), 200)`, { eval: true })
      const count = await new Promise((resolve) => worker.once('message', resolve))
      await worker.terminate()
      console.log(JSON.stringify({ main, count }))
      process.exit()
    }, GC)
    assert.deepStrictEqual(result, { main: 0, count: 1 })
  })
})

it('with no subscriber and no listener nothing is kept, built or called', async () => {
  const result = await runForResult(async () => {
    const { watch } = require('heapwatch')
    const { channel } = require('node:diagnostics_channel')
    channel('heapwatch:gc') // to have the channel is not to subscribe
    const watcher = watch({ interval: 10 })
    // Before each piece of JavaScript that Node-API starts there is a hook.
    const { createHook } = require('node:async_hooks')
    let calls = 0
    const types = new Map()
    createHook({
      init (id, type) { types.set(id, type) },
      before (id) { if (types.get(id) === 'HEAPWATCH') calls++ }
    }).enable()
    const later = watch({ interval: 10 })
    for (let i = 0; i < 5; i++) globalThis.gc()
    await new Promise((resolve) => setTimeout(resolve, 200))
    const quiet = { calls, pending: later.stats().pending, samples: later.stats().samples >= 5 }
    const listener = () => {}
    channel('heapwatch:sample').subscribe(listener)
    await new Promise((resolve) => setTimeout(resolve, 200))
    const busy = calls
    channel('heapwatch:sample').unsubscribe(listener)
    await new Promise((resolve) => setTimeout(resolve, 50))
    const settled = calls
    await new Promise((resolve) => setTimeout(resolve, 200))
    console.log(JSON.stringify({ quiet, busy: busy >= 5, after: calls - settled }))
    watcher.stop()
    later.stop()
  }, GC)
  assert.deepStrictEqual(result, { quiet: { calls: 0, pending: 0, samples: true }, busy: true, after: 0 })
})
