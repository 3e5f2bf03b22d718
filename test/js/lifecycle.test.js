'use strict'

// What a watch does from its start to its collection, as an app sees it.

const { describe, it } = require('node:test')
const assert = require('node:assert')
const { assertEnd, runForResult, runNode, scaled } = require('./helpers/child')

const RING = 8192
const GC = { flags: ['--expose-gc'] }

describe('watches', () => {
  it('are started and stopped 100,000 times without growth of rss', async (t) => {
    const count = scaled(100_000, 2000)
    const sizes = await runForResult(async (count) => {
      const { watch } = require('heapwatch')
      const settle = async () => {
        for (let i = 0; i < 5; i++) {
          globalThis.gc()
          await new Promise((resolve) => setTimeout(resolve, 10))
        }
        return process.memoryUsage.rss()
      }
      const run = async (count) => {
        for (let i = 0; i < count; i++) {
          const watcher = watch({ interval: 1000 })
          if (i % 10 === 0) watcher.on('gc', () => {})
          watcher.stop()
          // The loop closes the handles, as it would in an app.
          if (i % 50 === 0) await new Promise(setImmediate)
        }
      }
      // By then V8 and malloc have nearly all the pages that they take for this.
      await run(count / 2)
      const sizes = [await settle()]
      for (let part = 0; part < 2; part++) {
        await run(count / 2)
        sizes.push(await settle())
      }
      console.log(JSON.stringify(sizes))
    }, {
      // V8 enlarges the young generation by what has survived in all.
      flags: ['--expose-gc', '--max-semi-space-size=1'], args: [count], timeout: 590_000
    })
    t.diagnostic(`rss after ${count / 2}, ${count} and ${count * 3 / 2}: ${sizes}`)
    // It goes up and down by some MB, and now and then by 20; what is lost with
    // each watch is lost in both halves. 160 bytes a watch are too many.
    const grown = Math.min(sizes[1] - sizes[0], sizes[2] - sizes[1])
    assert.ok(grown < 8 * 1024 * 1024, `rss: ${sizes}`)
  })

  it('go on when dropped while they run, and are collected once stopped', async () => {
    const result = await runForResult(async () => {
      const { watch } = require('heapwatch')
      const until = async (condition) => {
        for (let i = 0; !condition() && i < 2000; i++) {
          globalThis.gc()
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
        return condition()
      }
      let samples = 0
      let finalized = 0
      const registry = new FinalizationRegistry(() => finalized++)
      // Functions of their own: this one, which waits, would keep what it
      // has in its registers.
      const drop = () => {
        const watcher = watch({ interval: 10 })
        watcher.on('sample', () => samples++)
        registry.register(watcher)
        return new WeakRef(watcher)
      }
      const startAndStop = () => {
        const watcher = watch({ interval: 10 })
        watcher.on('gc', () => {})
        registry.register(watcher)
        watcher.stop()
      }
      const stop = (reference) => reference.deref().stop()
      const dropped = drop()
      for (let i = 0; i < 10; i++) startAndStop()
      const emitted = await until(() => samples >= 5)
      const collected = await until(() => finalized === 10)
      const alive = dropped.deref() !== undefined
      stop(dropped)
      const gone = await until(() => finalized === 11)
      console.log(JSON.stringify({ emitted, collected, alive, gone }))
    }, GC)
    assert.deepStrictEqual(result, { emitted: true, collected: true, alive: true, gone: true })
  })

  it('of one isolate each see all collections, with thresholds of their own', async () => {
    const { events, counts } = await runForResult(async () => {
      const { watch } = require('heapwatch')
      const thresholds = [0, 0, 0.4, 5, 3_600_000]
      const watchers = thresholds.map((gcThreshold) => watch({ gcThreshold }))
      const events = watchers.map((watcher) => {
        const list = []
        watcher.on('gc', (event) => list.push(event))
        return list
      })
      const late = watch()
      const kept = []
      for (let round = 0; round < 20; round++) {
        for (let i = 0; i < 3000; i++) kept.push({ round, i })
        globalThis.gc({ type: 'minor' })
        if (round % 5 === 0) globalThis.gc()
        // Stopping one is nothing to the others.
        if (round === 10) late.stop()
      }
      for (const watcher of watchers) watcher.stop()
      console.log(JSON.stringify({ events, counts: watchers.map((watcher) => watcher.stats().gcs) }))
    }, GC)
    const [all, same, ...filtered] = events
    assert.ok(all.length >= 24)
    assert.deepStrictEqual(same, all)
    for (const [i, threshold] of [0.4, 5, 3_600_000].entries()) {
      assert.deepStrictEqual(filtered[i], all.filter(({ duration }) => duration >= threshold))
    }
    assert.deepStrictEqual(counts, Array(5).fill(all.length))
  })

  it('are started and stopped in listeners of others', async () => {
    const counts = await runForResult(async () => {
      const { watch } = require('heapwatch')
      const counts = { first: 0, second: 0, third: 0 }
      const first = watch({ interval: 10 })
      const second = watch({ interval: 10 })
      second.on('gc', () => counts.second++)
      first.once('gc', () => {
        counts.first++
        second.stop()
        const third = watch({ interval: 10 })
        third.on('sample', () => {
          counts.third++
          third.stop()
          first.stop()
        })
      })
      globalThis.gc()
      const keepAlive = setInterval(() => {
        if (first.stopped) {
          clearInterval(keepAlive)
          console.log(JSON.stringify(counts))
        }
      }, 5)
    }, GC)
    assert.strictEqual(counts.first, 1)
    assert.ok(counts.second >= 1)
    assert.strictEqual(counts.third, 1)
  })
})

describe('a batch of events', () => {
  // Five collections in one batch, and what a listener does in the first.
  const batch = (act) => runNode(async (act) => {
    const { writeSync } = require('node:fs')
    const { watch } = require('heapwatch')
    const watcher = watch()
    const log = []
    // eslint-disable-next-line no-new-func
    const run = Function('watcher', 'log', act)
    watcher.on('gc', ({ forced, type }) => {
      if (!forced || type !== 'mark-sweep-compact') return
      log.push('gc')
      if (log.length === 1) run(watcher, log)
    })
    process.on('exit', () => writeSync(1, JSON.stringify(log)))
    for (let i = 0; i < 5; i++) globalThis.gc()
    const keepAlive = setInterval(() => log.length >= 5 && clearInterval(keepAlive), 5)
  }, { ...GC, args: [act] })
  const gcs = (count) => Array(count).fill('gc')

  it('is delivered whole by a stop() in its midst, and nothing after it', async () => {
    const result = await batch('watcher.stop(); log.push("stopped")')
    assertEnd(result)
    assert.deepStrictEqual(JSON.parse(result.stdout), [...gcs(5), 'stopped'])
  })

  it('is delivered whole before a process.exit() in its midst', async () => {
    const result = await batch('process.exit(5)')
    assertEnd(result, 5)
    assert.deepStrictEqual(JSON.parse(result.stdout), gcs(5))
  })

  it('goes on after a listener that threw, when the exception is handled', async () => {
    const result = await batch(`
      process.on("uncaughtException", ({ message }) => log.push(message))
      throw new Error("meant")`)
    assertEnd(result)
    assert.deepStrictEqual(JSON.parse(result.stdout), ['gc', 'meant', ...gcs(4)])
  })

  it('ends the process as any emitter does when a listener throws, and is delivered whole', async () => {
    const result = await batch('throw new Error("meant")')
    assertEnd(result, 1)
    assert.deepStrictEqual(JSON.parse(result.stdout), gcs(5))
    // The stack leads to the listener.
    assert.match(result.stderr, /Error: meant\n\s+at eval/)
    assert.match(result.stderr, /at HeapWatch\.<anonymous> \(\[eval\]/)
  })
})

describe('a watch whose listeners throw', () => {
  it('goes on with every later event of each kind', async () => {
    const { thrown, seen } = await runForResult(() => {
      const { watch } = require('heapwatch')
      const watcher = watch({ interval: 10, pressure: { heapLimit: 1e-6 } })
      const thrown = { sample: 0, gc: 0, pressure: 0 }
      const seen = { sample: 0, gc: 0, pressure: 0 }
      process.on('uncaughtException', ({ message }) => thrown[message]++)
      for (const name of Object.keys(seen)) {
        watcher.on(name, () => {
          seen[name]++
          throw new Error(name)
        })
      }
      globalThis.gc()
      const keepAlive = setInterval(() => {
        globalThis.gc()
        if (seen.sample < 5 || seen.gc < 10 || seen.pressure < 1) return
        clearInterval(keepAlive)
        for (const name of Object.keys(seen)) watcher.removeAllListeners(name)
        watcher.stop()
        console.log(JSON.stringify({ thrown, seen }))
      }, 5)
    }, GC)
    assert.deepStrictEqual(thrown, seen)
  })
})

describe('listeners', () => {
  it('are added and removed in every way of an EventEmitter', async () => {
    const result = await runForResult(async () => {
      const { once, on } = require('node:events')
      const { watch } = require('heapwatch')
      const watcher = watch({ interval: 10 })
      const until = async (condition) => {
        while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
      }
      const pending = () => {
        for (let i = 0; i < 2; i++) globalThis.gc()
        return watcher.stats().pending > 0
      }
      const keepAlive = setInterval(() => {}, 1000)
      const result = { none: pending() }

      let count = 0
      const listener = () => count++
      watcher.on('gc', listener)
      result.on = pending()
      watcher.off('gc', listener)
      result.off = pending()
      watcher.prependListener('gc', listener)
      result.prependListener = pending()
      watcher.removeAllListeners('gc')
      result.removeAllListeners = pending()
      watcher.addListener('gc', listener).removeAllListeners()
      result.removedAll = pending()

      watcher.prependOnceListener('gc', listener)
      result.prependOnceListener = pending()
      await until(() => count > 0)
      result.onlyOnce = count === 1 && watcher.listenerCount('gc') === 0 && !pending()

      const [sample] = await once(watcher, 'sample')
      result.once = sample.heapUsed > 0 && watcher.listenerCount('sample') === 0
      let samples = 0
      for await (const [{ heapUsed }] of on(watcher, 'sample')) {
        if (heapUsed > 0 && ++samples === 3) break
      }
      result.iterator = samples === 3 && watcher.listenerCount('sample') === 0
      watcher.stop()
      clearInterval(keepAlive)
      console.log(JSON.stringify(result))
    }, GC)
    assert.deepStrictEqual(result, {
      none: false,
      on: true,
      off: false,
      prependListener: true,
      removeAllListeners: false,
      removedAll: false,
      prependOnceListener: true,
      onlyOnce: true,
      once: true,
      iterator: true
    })
  })

  it('are what makes the watch run JavaScript: without them it runs none', async () => {
    const result = await runForResult(async () => {
      const { createHook } = require('node:async_hooks')
      const { watch } = require('heapwatch')
      const ids = new Set()
      let calls = 0
      createHook({
        init: (id, type) => { if (type === 'HEAPWATCH') ids.add(id) },
        before: (id) => { if (ids.has(id)) calls++ }
      }).enable()
      const watcher = watch({ interval: 10, pressure: { heapLimit: 1e-6 } })
      const until = async (condition) => {
        while (!condition()) {
          globalThis.gc()
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
      }
      await until(() => watcher.stats().samples >= 10)
      const without = calls
      watcher.on('sample', () => {})
      await until(() => calls > without)
      watcher.stop()
      console.log(JSON.stringify({ ids: ids.size, without, gcs: watcher.stats().gcs }))
    }, GC)
    assert.strictEqual(result.ids, 1)
    assert.strictEqual(result.without, 0)
    assert.ok(result.gcs >= 3)
  })

  it('leave AsyncLocalStorage and async_hooks whole', async () => {
    const result = await runForResult(async () => {
      const { AsyncLocalStorage, executionAsyncId } = require('node:async_hooks')
      const { watch } = require('heapwatch')
      const storage = new AsyncLocalStorage()
      const outside = storage.getStore() ?? null
      const seen = { samples: 0, listener: new Set(), timer: new Set(), ids: new Set() }
      const watcher = storage.run('watch', () => watch({ interval: 10 }))
      watcher.on('sample', () => {
        seen.samples++
        seen.listener.add(storage.getStore() ?? null)
        seen.ids.add(executionAsyncId())
        storage.run('inner', () => {})
      })
      await storage.run('app', async () => {
        for (let i = 0; i < 1000 && seen.samples < 5; i++) {
          globalThis.gc()
          await new Promise((resolve) => setTimeout(resolve, 5))
          seen.timer.add(storage.getStore())
        }
      })
      watcher.stop()
      console.log(JSON.stringify({
        outside,
        after: storage.getStore() ?? null,
        listener: [...seen.listener],
        timer: [...seen.timer],
        ids: seen.ids.size
      }))
    }, GC)
    // A listener is called in the context in which its watch was started.
    assert.deepStrictEqual(result,
      { outside: null, after: null, listener: ['watch'], timer: ['app'], ids: 1 })
  })
})

describe('a blocked event loop', () => {
  const block = (count) => runForResult(async (count) => {
    const { watch } = require('heapwatch')
    const watcher = watch({ interval: 10 })
    const events = []
    watcher.on('gc', (event) => events.push(event))
    const before = watcher.stats().gcs
    for (let i = 0; i < count; i++) globalThis.gc({ type: 'minor' })
    const { gcs, pending, dropped } = watcher.stats()
    const early = events.length
    const keepAlive = setInterval(() => {
      if (events.length === 0) return
      clearInterval(keepAlive)
      const { dropped: end } = watcher.stats()
      watcher.stop()
      const starts = events.map(({ startTime }) => startTime)
      const sorted = starts.every((start, i) => i === 0 || start > starts[i - 1])
      console.log(JSON.stringify({
        made: gcs - before, pending, dropped, end, early, sorted, delivered: events.length
      }))
    }, 5)
  }, { ...GC, args: [count] })

  it('delays events, and loses none of as many as the ring holds', async () => {
    const count = 2000
    const result = await block(count)
    assert.ok(result.made >= count)
    assert.strictEqual(result.early, 0)
    assert.strictEqual(result.pending, result.made)
    assert.strictEqual(result.dropped, 0)
    assert.strictEqual(result.end, 0)
    assert.ok(result.delivered >= result.made)
    assert.ok(result.sorted)
  })

  it('beyond that loses the oldest, and stats().dropped is their exact number', async () => {
    const result = await block(RING + 500)
    assert.ok(result.made > RING)
    assert.strictEqual(result.pending, RING)
    assert.strictEqual(result.dropped, result.made - RING)
    assert.ok(result.sorted)
  })
})

describe('the end of a scope', () => {
  it('stops a watch: Symbol.dispose is stop', () => {
    const { watch } = require('heapwatch')
    const watcher = watch()
    watcher[Symbol.dispose]()
    assert.strictEqual(watcher.stopped, true)
    watcher[Symbol.dispose]()
  })

  it('stops a watch that was declared with using', async (t) => {
    const [major] = process.versions.node.split('.')
    if (major < 24) return t.skip('this Node.js does not know "using"')
    // eslint-disable-next-line no-new-func
    const stopped = Function('watch', `
      let outer
      {
        using watcher = watch()
        outer = watcher
        if (watcher.stopped) return null
      }
      return outer.stopped`)(require('heapwatch').watch)
    assert.strictEqual(stopped, true)
  })
})
