'use strict'

// Heap snapshots taken in a forked child: that they are whole, that the process
// does not notice, and that nothing is left of them but the file.

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, before, describe, it } = require('node:test')
const { promisify } = require('node:util')
const { analyze } = require('../..')
const { ROOT, assertEnd, runForLines, runForResult, runNode, scaled } = require('./helpers/child')

const linux = process.platform === 'linux' && process.report.getReport().header.glibcVersionRuntime !== undefined

let directory

before(() => { directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-fork-')) })
after(() => fs.rmSync(directory, { recursive: true, force: true }))

const fileOf = (name) => path.join(directory, `${name}.heapsnapshot`)
const classOf = ({ classes }, name) => classes.find((each) => each.name === name)

/** What a process must not have left in a directory. */
function drafts (in_ = directory) {
  return fs.readdirSync(in_).filter((name) => name.endsWith('.tmp'))
}

describe('a snapshot from a forked child', { skip: !linux }, () => {
  it('is whole, and has what a blocking one has', async () => {
    const result = await runForResult(async (forked, blocking) => {
      const { watch } = require('heapwatch')
      class Marker {
        constructor (i) {
          this.text = `marker ${i}`
          this.next = { i }
        }
      }
      globalThis.markers = Array.from({ length: 1234 }, (_, i) => new Marker(i))
      const watcher = watch()
      const results = []
      for (const [file, options] of [[forked, { nice: 0 }], [blocking, { blocking: true }]]) {
        const result = await watcher.writeHeapSnapshot(file, options)
        results.push({ ...result, size: require('node:fs').statSync(file).size })
      }
      console.log(JSON.stringify(results))
    }, { args: [fileOf('forked'), fileOf('blocking')] })
    const [forked, blocking] = await Promise.all(result.map(({ path }) => analyze(path)))
    for (const { bytes, size, pause, duration } of result) {
      assert.equal(bytes, size)
      assert.ok(pause > 0 && pause <= duration, `${pause} ms of ${duration} ms`)
    }
    assert.equal(classOf(forked, 'Marker').count, 1234)
    assert.equal(classOf(forked, 'Marker').retained, classOf(blocking, 'Marker').retained)
    // Taking the first has left some objects behind, and the JavaScript of the
    // blocking way makes some of its own.
    assert.ok(Math.abs(forked.nodes - blocking.nodes) < blocking.nodes * 0.02,
      `${forked.nodes} and ${blocking.nodes} nodes`)
    const counts = new Map(blocking.classes.map(({ name, count }) => [name, count]))
    const different = forked.classes.filter(({ name, count }) => count > 50 &&
      Math.abs(count - (counts.get(name) ?? 0)) > count * 0.1)
    assert.deepEqual(different, [])
  })

  it('leaves no descriptor, no child and no draft behind', async () => {
    const left = await runForResult(async (file) => {
      const fs = require('node:fs')
      const { watch } = require('heapwatch')
      const watcher = watch()
      const open = () => fs.readdirSync('/proc/self/fd').length
      const marked = () => fs.readFileSync('/proc/self/smaps', 'latin1').split('\n')
        .filter((line) => line.startsWith('VmFlags:') && line.includes(' dc')).length
      await watcher.writeHeapSnapshot(file, { nice: 0 })
      const before = { fds: open(), marked: marked() }
      for (let i = 0; i < 3; i++) await watcher.writeHeapSnapshot(file, { nice: 0 })
      const children = fs.readdirSync('/proc').filter((pid) => {
        try {
          return Number(/\) . (\d+)/.exec(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'))[1]) === process.pid
        } catch {
          return false
        }
      })
      console.log(JSON.stringify({ fds: open() - before.fds, children, before: before.marked, after: marked() }))
    }, { args: [fileOf('left')] })
    assert.equal(left.fds, 0)
    assert.deepEqual(left.children, [])
    assert.ok(left.after > 0 && left.after >= left.before * 0.8,
      `V8's memory is kept from forks again: ${left.before}, ${left.after} regions`)
    assert.deepEqual(drafts(), [])
  })

  it('is taken while requests are served and Workers collect, and none fails', async () => {
    const lines = await runForLines(async (count, directory) => {
      const http = require('node:http')
      const { Worker } = require('node:worker_threads')
      const { watch } = require('heapwatch')
      const watcher = watch({ recorder: `${directory}/recording` })
      class Marker { constructor (i) { this.i = i } }
      globalThis.markers = Array.from({ length: 1234 }, (_, i) => new Marker(i))
      const workers = [0, 1].map(() => new Worker(`
        require('heapwatch').watch()
        let kept = []
        setInterval(() => {
          for (let i = 0; i < 5000; i++) kept.push({ i, text: 'text ' + i })
          if (kept.length > 100000) kept = []
        }, 5)`, { eval: true }))
      await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('online', resolve))))
      let cache = []
      const server = http.createServer((request, response) => {
        for (let i = 0; i < 100; i++) cache.push({ url: request.url, at: [i, String(i)] })
        if (cache.length > 20_000) cache = []
        response.end(JSON.stringify(cache.slice(-10)))
      })
      await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address()
      const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
      let requests = 0
      let failed = 0
      const state = { running: true }
      const client = async () => {
        while (state.running) {
          await new Promise((resolve) => {
            http.get({ port, host: '127.0.0.1', agent, path: `/${requests++}` }, (response) => {
              response.resume().on('end', resolve)
            }).on('error', () => {
              failed++
              resolve()
            })
          })
        }
      }
      const clients = [client(), client(), client(), client()]
      for (let i = 0; i < count; i++) {
        const file = `${directory}/load-${i}.heapsnapshot`
        try {
          console.log(JSON.stringify(await watcher.writeHeapSnapshot(file, { maxPause: 2000, nice: 0 })))
        } catch (error) {
          console.log(JSON.stringify({ code: error.code, message: error.message }))
        }
      }
      state.running = false
      await Promise.all(clients)
      agent.destroy()
      server.close()
      await Promise.all(workers.map((worker) => worker.terminate()))
      console.log(JSON.stringify({ requests, failed, gcs: watcher.stats().gcs }))
    }, { args: [scaled(4, 2), directory] })
    const { requests, failed } = lines.pop()
    assert.ok(requests > 100, `${requests} requests`)
    assert.equal(failed, 0)
    // On a machine that is busy enough V8's threads never come: that is said.
    const taken = lines.filter(({ code }) => code !== 'ERR_HEAPWATCH_SNAPSHOT_PARKING')
    assert.ok(taken.length > 0)
    for (const { path: file, code, message } of taken) {
      assert.equal(code, undefined, message)
      const snapshot = await analyze(file)
      assert.equal(classOf(snapshot, 'Marker').count, 1234)
      fs.rmSync(file)
    }
  })

  it('may be of a Worker, whose end ends it', async () => {
    const results = await runForResult(async (file) => {
      const { Worker } = require('node:worker_threads')
      const source = `
        const { parentPort } = require('node:worker_threads')
        const { watch } = require('heapwatch')
        class OfWorker {}
        globalThis.kept = Array.from({ length: 77 }, () => new OfWorker())
        const watcher = watch()
        const once = () => watcher.writeHeapSnapshot(${JSON.stringify(file)}, { nice: 0 })
        once().then((result) => {
          parentPort.postMessage(result)
          once()
        }, (error) => parentPort.postMessage({ code: error.code, message: error.message }))
        setInterval(() => {}, 1000)`
      const worker = new Worker(source, { eval: true })
      const result = await new Promise((resolve) => worker.once('message', resolve))
      await new Promise((resolve) => setTimeout(resolve, 60))
      const code = await worker.terminate()
      console.log(JSON.stringify({ result, code }))
    }, { args: [fileOf('worker')] })
    assert.equal(results.result.code, undefined, results.result.message)
    assert.equal(classOf(await analyze(results.result.path), 'OfWorker').count, 77)
    assert.equal(results.code, 1)
    assert.deepEqual(drafts(), [])
  })
})

describe('a snapshot that cannot be taken', { skip: !linux }, () => {
  it('is refused with the reason, and leaves nothing', async () => {
    const codes = await runForResult(async (directory) => {
      const { watch } = require('heapwatch')
      const watcher = watch()
      const file = `${directory}/refused.heapsnapshot`
      const tries = {
        'no directory': () => watcher.writeHeapSnapshot(`${directory}/none/file`),
        'a directory': () => watcher.writeHeapSnapshot(directory),
        'no path': () => watcher.writeHeapSnapshot(),
        'an unknown option': () => watcher.writeHeapSnapshot(file, { maxpause: 1 }),
        'a wrong option': () => watcher.writeHeapSnapshot(file, { maxPause: -1 }),
        pause: () => watcher.writeHeapSnapshot(file, { maxPause: 0.001 }),
        memory: () => watcher.writeHeapSnapshot(file, { minFreeMemory: 2 ** 50 }),
        blocking: () => watcher.writeHeapSnapshot(`${directory}/none/file`, { blocking: true }),
        'a second one': () => {
          watcher.writeHeapSnapshot(file, { nice: 0 })
          return watcher.writeHeapSnapshot(`${file}2`)
        }
      }
      const codes = {}
      for (const [name, run] of Object.entries(tries)) {
        codes[name] = await run().then(() => 'taken', ({ code, message }) => `${code}: ${message}`)
      }
      console.log(JSON.stringify(codes))
    }, { args: [directory] })
    assert.match(codes['no directory'], /^ERR_HEAPWATCH_SNAPSHOT_FILE: .*\(No such file or directory\)/)
    assert.match(codes['a directory'], /^ERR_HEAPWATCH_SNAPSHOT_FILE: .*\(Is a directory\)/)
    assert.match(codes['no path'], /^ERR_HEAPWATCH_INVALID_OPTION_TYPE/)
    assert.match(codes['an unknown option'], /^ERR_HEAPWATCH_UNKNOWN_OPTION: .*maxPause/)
    assert.match(codes['a wrong option'], /^ERR_HEAPWATCH_OPTION_OUT_OF_RANGE: .*maxPause/)
    assert.match(codes.pause, /^ERR_HEAPWATCH_SNAPSHOT_PAUSE: .*MB resident/)
    assert.match(codes.memory, /^ERR_HEAPWATCH_SNAPSHOT_MEMORY: .*MB are free/)
    assert.match(codes.blocking, /^ERR_HEAPWATCH_SNAPSHOT_FILE: .*none/)
    assert.match(codes['a second one'], /^ERR_HEAPWATCH_SNAPSHOT_BUSY/)
    assert.deepEqual(drafts(), [])
    assert.ok(!fs.existsSync(fileOf('refused2')))
  })

  it('because the file grows too large is an error, and the file is gone', async () => {
    const result = await runForResult(async (file) => {
      const { watch } = require('heapwatch')
      const error = await watch().writeHeapSnapshot(file, { nice: 0 }).catch((error) => error)
      console.log(JSON.stringify({ code: error.code, message: error.message }))
    }, { args: [fileOf('limited')], wrapper: ['sh', '-c', 'ulimit -f 1000; exec "$@"', 'sh'] })
    assert.equal(result.code, 'ERR_HEAPWATCH_SNAPSHOT_FILE')
    assert.match(result.message, /\(File too large\)/)
    assert.deepEqual(drafts(), [])
    assert.ok(!fs.existsSync(fileOf('limited')))
  })

  // Kills the child that takes the snapshot, as often as it is told to.
  async function killer (file, times, signal, options) {
    const fs = require('node:fs')
    const { watch } = require('heapwatch')
    const watcher = watch()
    const killed = new Set()
    const timer = setInterval(() => {
      if (killed.size >= times) return
      for (const pid of fs.readFileSync('/proc/self/task/' + process.pid + '/children', 'latin1').split(' ').filter(Boolean)) {
        if (killed.has(pid)) continue
        killed.add(pid)
        process.kill(Number(pid), signal)
      }
    }, 2)
    const result = await watcher.writeHeapSnapshot(file, { nice: 0, ...options })
      .catch(({ code, message }) => ({ code, message }))
    clearInterval(timer)
    console.log(JSON.stringify({ ...result, killed: killed.size }))
  }

  it('because its child is killed once is tried again', async () => {
    const result = await runForResult(killer, { args: [fileOf('once'), 1, 'SIGKILL'] })
    assert.equal(result.code, undefined, result.message)
    assert.equal(result.killed, 1)
    assert.ok((await analyze(result.path)).nodes > 10_000)
  })

  it('because its child is killed each time is an error after three', async () => {
    const result = await runForResult(killer, { args: [fileOf('thrice'), 9, 'SIGSEGV'] })
    assert.equal(result.code, 'ERR_HEAPWATCH_SNAPSHOT_CRASHED')
    assert.match(result.message, /Segmentation fault, in 3 tries/)
    assert.equal(result.killed, 3)
    assert.deepEqual(drafts(), [])
  })

  it('because its child stands still is an error when the time is up', async () => {
    const result = await runForResult(killer, { args: [fileOf('late'), 1, 'SIGSTOP', { timeout: 1500 }] })
    assert.equal(result.code, 'ERR_HEAPWATCH_SNAPSHOT_TIMEOUT')
    assert.deepEqual(drafts(), [])
  })
})

describe('an end while a snapshot is taken', { skip: !linux }, () => {
  it('comes with the code it would have, at once, and leaves nothing', async () => {
    for (const delay of [0, 5, 20, 50, 100, 200, 400]) {
      const started = Date.now()
      const result = await runNode((file, delay) => {
        const { watch } = require('heapwatch')
        watch().writeHeapSnapshot(file, { nice: 0 })
        setTimeout(() => process.exit(7), delay)
      }, { args: [fileOf(`exit-${delay}`), delay] })
      assertEnd(result, 7)
      assert.ok(Date.now() - started < 20_000)
      assert.deepEqual(drafts(), [])
    }
  })

  it('by nothing else to do waits for it', async () => {
    const result = await runNode((file) => {
      require('heapwatch').watch().writeHeapSnapshot(file, { nice: 0 })
    }, { args: [fileOf('waited')] })
    assertEnd(result)
    assert.ok((await analyze(fileOf('waited'))).nodes > 10_000)
  })

  it('by a signal takes the child along, and the next snapshot clears up', async () => {
    const file = fileOf('killed')
    const result = await runNode((file) => {
      const fs = require('node:fs')
      require('heapwatch').watch().writeHeapSnapshot(file, { nice: 0 })
      setInterval(() => {
        const children = fs.readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1').trim()
        if (children === '') return
        fs.writeSync(1, children)
        process.kill(process.pid, 'SIGKILL')
      }, 2)
    }, { args: [file] })
    assertEnd(result, 'SIGKILL')
    const [draft] = drafts()
    assert.ok(draft)
    // Dead, or dead and not yet buried by whoever adopted it.
    const alive = () => {
      try {
        return !/\) [ZX] /.test(fs.readFileSync(`/proc/${result.stdout}/stat`, 'latin1'))
      } catch {
        return false
      }
    }
    for (let i = 0; i < 200 && alive(); i++) await new Promise((resolve) => setTimeout(resolve, 10))
    assert.equal(alive(), false)
    const old = Date.now() / 1000 - 3600
    fs.utimesSync(path.join(directory, draft), old, old)
    await runForResult(async (file) => {
      await require('heapwatch').watch().writeHeapSnapshot(file, { nice: 0 })
      console.log('{}')
    }, { args: [file] })
    assert.deepEqual(drafts(), [])
  })
})

describe('a snapshot is also taken', { skip: !linux }, () => {
  const MAIN = path.join(ROOT, 'lib', 'cli', 'main.js')
  const run = promisify(execFile)

  // A process that lives until it is told to end.
  async function whileRunning (options, use) {
    const ending = await runNode(() => {
      class Marker {}
      globalThis.markers = Array.from({ length: 321 }, () => new Marker())
      setInterval(() => {}, 1000)
      process.on('SIGTERM', () => process.exit(5))
      console.log('running')
    }, {
      flags: ['--require', path.join(ROOT, 'lib', 'register.js')],
      started (child) {
        child.stdout.once('data', () => use(child).finally(() => child.kill()))
      },
      ...options
    })
    assertEnd(ending, 5)
    return ending
  }

  it('by another process that asks through the recording', async () => {
    const file = fileOf('asked')
    const env = { HEAPWATCH_RECORDER: path.join(directory, 'asked.hwrec'), HEAPWATCH_INTERVAL: '50' }
    let results
    await whileRunning({ env }, async () => {
      results = await Promise.allSettled([
        run(process.execPath, [MAIN, 'snapshot', env.HEAPWATCH_RECORDER, file, '--json', '--max-pause', '2000'])])
      results.push(...await Promise.allSettled([
        run(process.execPath, [MAIN, 'snapshot', env.HEAPWATCH_RECORDER, path.join(directory, 'none', 'file')])]))
    })
    const [taken, refused] = results
    assert.equal(taken.status, 'fulfilled', taken.reason?.stderr)
    const answer = JSON.parse(taken.value.stdout)
    assert.equal(answer.path, file)
    assert.equal(answer.bytes, fs.statSync(file).size)
    assert.equal(classOf(await analyze(file), 'Marker').count, 321)
    assert.equal(refused.reason.code, 1)
    assert.match(refused.reason.stderr, /No such file or directory/)
    await assert.rejects(run(process.execPath, [MAIN, 'snapshot', env.HEAPWATCH_RECORDER]),
      (error) => error.code === 4 && /has ended/.test(error.stderr))
  })

  it('on a signal', async () => {
    const there = fs.mkdtempSync(path.join(directory, 'signal-'))
    const env = { HEAPWATCH_SNAPSHOT_SIGNAL: 'sigusr2', HEAPWATCH_SNAPSHOT_DIR: there, HEAPWATCH_LOG: 'json', HEAPWATCH_RECORDER: 'off' }
    let pid
    const { stderr } = await whileRunning({ env }, async (child) => {
      pid = child.pid
      child.kill('SIGUSR2')
      await new Promise((resolve) => child.stderr.on('data', (text) => /"snapshot"/.test(text) && resolve()))
    })
    const line = JSON.parse(stderr.split('\n').find((each) => each.includes('"snapshot"')))
    assert.equal(line.level, 'info', line.msg)
    assert.ok(line.pause > 0)
    const files = fs.readdirSync(there)
    assert.equal(files.length, 1)
    assert.match(files[0], new RegExp(`^heapwatch-${pid}\\.0-\\d{14}\\.heapsnapshot$`))
    assert.equal(classOf(await analyze(path.join(there, files[0])), 'Marker').count, 321)
  })

  it('of a leak, if there is disk enough, and no more often than allowed', async () => {
    const there = fs.mkdtempSync(path.join(directory, 'leak-'))
    const results = await runForLines(async (directory) => {
      const { LeakSnapshots } = require('./lib/leak-snapshots')
      const options = { directory, limit: 2, maxPause: 2000, minFreeMemory: 0, minFreeDisk: 0 }
      const emit = ({ leak, path, error }) => console.log(JSON.stringify({ leak, path, code: error?.code }))
      const enough = new LeakSnapshots(options, emit)
      const alive = setInterval(() => {}, 1000)
      await enough.take('first')
      await new Promise((resolve) => setTimeout(resolve, 1000))
      await enough.take('second')
      await enough.take('third')
      await new LeakSnapshots({ ...options, minFreeDisk: 2 ** 52 }, emit).take('full')
      clearInterval(alive)
    }, { args: [there] })
    assert.deepEqual(results.map(({ leak, code }) => [leak, code]),
      [['first', undefined], ['second', undefined], ['full', 'ERR_HEAPWATCH_SNAPSHOT_DISK']])
    assert.deepEqual(fs.readdirSync(there).sort(), results.slice(0, 2).map((each) => path.basename(each.path)))
  })
})
