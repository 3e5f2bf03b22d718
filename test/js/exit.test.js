'use strict'

// Ways to end a process or a Worker, at each step of a watch's life. It must
// end as it would without the watch: with the same exit code, by no signal but
// the one sent, and no later.

const { describe, it } = require('node:test')
const assert = require('node:assert')
const { assertEnd, runForResult, runNode } = require('./helpers/child')

const STEPS = ['created', 'sampling', 'in a sample listener', 'in a gc listener',
  'in a pressure listener', 'with events waiting', 'between two batches', 'stopping', 'stopped',
  'in an exit handler']

// Brings a watch to the step, says so and ends. In a Worker it is the function
// of that, and takes its arguments from there.
function program (step, ending) {
  const { writeSync } = require('node:fs')
  const { parentPort } = require('node:worker_threads')
  const { watch } = require('heapwatch')

  const keepAlive = setInterval(() => {}, 10)
  let reached = false
  function end () {
    if (reached) return
    reached = true
    clearInterval(keepAlive)
    if (parentPort) parentPort.postMessage('reached')
    else writeSync(1, 'reached')
    if (ending === 'process.exit()') process.exit(7)
    if (ending === 'an uncaught exception') throw new Error('meant')
    if (ending === 'SIGTERM') process.kill(process.pid, 'SIGTERM')
    // What arrives from another thread, arrives in this moment.
    if (ending === 'SIGTERM' || ending === 'terminate()') while (true);
  }
  function start () {
    const watcher = watch({ interval: 10, pressure: { heapLimit: 1e-6 }, sites: true })
    for (const name of ['sample', 'gc', 'pressure']) watcher.on(name, () => {})
    return watcher
  }

  const steps = {
    created: () => {
      watch()
      end()
    },
    sampling: () => {
      const watcher = start()
      setInterval(() => watcher.stats().samples >= 2 && end(), 1).unref()
    },
    'in a sample listener': () => start().on('sample', end),
    'in a gc listener': () => {
      start().on('gc', end)
      globalThis.gc()
    },
    'in a pressure listener': () => {
      start().on('pressure', end)
      globalThis.gc()
    },
    'with events waiting': () => {
      start()
      globalThis.gc()
      end()
    },
    'between two batches': () => {
      start().once('gc', () => setImmediate(() => {
        globalThis.gc()
        end()
      }))
      globalThis.gc()
    },
    stopping: () => {
      const watcher = start()
      globalThis.gc()
      watcher.stop()
      end()
    },
    stopped: () => {
      start().stop()
      setTimeout(end, 20)
    },
    'in an exit handler': () => {
      start()
      globalThis.gc()
      process.on('exit', end)
      clearInterval(keepAlive)
    }
  }
  steps[step]()
}

describe('a process with a watch', { concurrency: 2 }, () => {
  const ends = {
    'by itself': 0, 'process.exit()': 7, 'an uncaught exception': 1, SIGTERM: 'SIGTERM'
  }
  for (const [ending, expected] of Object.entries(ends)) {
    for (const step of STEPS) {
      it(`ends as it should: ${ending}, ${step}`, async () => {
        const result = await runNode(program, { args: [step, ending], flags: ['--expose-gc'] })
        assertEnd(result, expected)
        assert.strictEqual(result.stdout, 'reached')
        assert.strictEqual(/Error: meant/.test(result.stderr), ending === 'an uncaught exception')
      })
    }
  }
})

describe('a Worker with a watch', { concurrency: 2 }, () => {
  const ends = {
    'by itself': [0, null],
    'process.exit()': [7, null],
    'an uncaught exception': [1, 'meant'],
    'terminate()': [1, null]
  }
  for (const [ending, [code, error]] of Object.entries(ends)) {
    it(`ends as it should at each step: ${ending}`, async () => {
      const results = await runForResult(async (source, steps, ending) => {
        const { Worker } = require('node:worker_threads')
        const run = (source) => new Promise((resolve) => {
          const worker = new Worker(source, { eval: true })
          const result = { reached: false, error: null }
          worker.on('message', () => {
            result.reached = true
            if (ending === 'terminate()') worker.terminate()
          })
          worker.on('error', ({ message }) => { result.error = message })
          worker.on('exit', (code) => resolve({ ...result, code }))
        })
        const results = {}
        for (const step of steps) {
          results[step] = await run(`(${source})(...${JSON.stringify([step, ending])})`)
        }
        results.bare = await run('process.on("exit", () => { throw new Error("meant") })')
        console.log(JSON.stringify(results))
      }, { args: [String(program), STEPS, ending], flags: ['--expose-gc'] })
      for (const step of STEPS) {
        const expected = { step, reached: true, error, code }
        if (step === 'in an exit handler') {
          // A message from there may come too late, and what code an exception
          // gives there is up to Node.js's version.
          expected.reached = results[step].reached
          if (error) expected.code = results.bare.code
        }
        assert.deepStrictEqual({ step, ...results[step] }, expected)
      }
    })
  }
})

// What an idle program does that is watched, and is not to wait for anything:
// the loop ends without the timers that sample in an hour and deliver in 50 ms.
function idle () {
  const { writeSync } = require('node:fs')
  const { watch } = require('heapwatch')
  const order = []
  const watcher = watch({ interval: 3_600_000 })
  watcher.on('gc', ({ forced }) => forced && order.push('gc'))
  process.on('beforeExit', () => order.push('beforeExit'))
  process.on('exit', () => {
    order.push('exit')
    writeSync(1, JSON.stringify(order))
  })
  globalThis.gc()
}

describe('a running watch', () => {
  it('keeps no process alive, not even for the events that wait', async () => {
    const order = await runForResult(idle, { flags: ['--expose-gc'] })
    assert.deepStrictEqual(order, ['beforeExit', 'gc', 'exit'])
  })

  it('keeps no Worker alive, not even for the events that wait', async () => {
    const order = await runForResult((source) => {
      const { Worker } = require('node:worker_threads')
      new Worker(source, { eval: true }).on('error', (error) => { throw error })
    }, { args: [`(${idle})()`], flags: ['--expose-gc'] })
    assert.deepStrictEqual(order, ['beforeExit', 'gc', 'exit'])
  })

  for (const ending of ['process.exit()', 'an uncaught exception']) {
    it(`hands over what waits before an exit by ${ending}`, async () => {
      const result = await runNode((ending) => {
        const { watch } = require('heapwatch')
        let count = 0
        const watchers = [watch(), watch({ gcThreshold: 0 })]
        for (const watcher of watchers) {
          watcher.on('gc', ({ forced }) => { if (forced) count++ })
        }
        process.on('exit', () => require('node:fs').writeSync(1, String(count)))
        for (let i = 0; i < 3; i++) globalThis.gc()
        if (ending === 'process.exit()') process.exit(1)
        throw new Error('meant')
      }, { args: [ending], flags: ['--expose-gc'] })
      assertEnd(result, 1)
      assert.strictEqual(result.stdout, '6')
    })
  }

  it('ends as the app does although nothing can be fetched any more', async () => {
    const result = await runNode(() => {
      const { Watch } = require('./lib/native')
      require('heapwatch').watch({ recorder: '/dev/null/none' }).on('gc', () => {})
      Watch.prototype.takeGcs = Watch.prototype.exiting = () => { throw new Error('broken') }
      process.exitCode = 3
    }, { timeout: 60_000 })
    assertEnd(result, 3)
  })

  it('delivers what waits at the exit although listeners throw, also to other watches', async () => {
    const result = await runNode(() => {
      const { writeSync } = require('node:fs')
      const { watch } = require('heapwatch')
      // No collection of the loading of heapwatch may come between the two.
      const [thrower, other] = [watch(), watch()]
      globalThis.gc()
      thrower.on('gc', () => {
        writeSync(1, 't')
        throw new Error('meant')
      })
      other.on('gc', () => writeSync(1, 's'))
      for (let i = 0; i < 5; i++) globalThis.gc()
    }, { flags: ['--expose-gc'] })
    assert.strictEqual(result.signal, null)
    assert.match(result.stderr, /Error: meant/)
    assert.notStrictEqual(result.code, 0)
    const [thrown, seen] = ['t', 's'].map((letter) => result.stdout.split(letter).length - 1)
    assert.ok(seen >= 5 && thrown === seen, result.stdout)
  })
})
