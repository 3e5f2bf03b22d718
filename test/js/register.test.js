'use strict'

// heapwatch/register in processes that know nothing of it.

const { describe, it } = require('node:test')
const assert = require('node:assert')
const { spawn } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { ROOT, assertEnd, runNode } = require('./helpers/child')

const REQUIRE = { flags: ['--require', 'heapwatch/register'] }
// Every pause is worth a line, once a second.
const CHATTY = { HEAPWATCH_GC_THRESHOLD: '0', HEAPWATCH_RECORDER: '0' }

const logged = (stderr) => stderr.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))

function collect () {
  globalThis.gc()
  setTimeout(() => console.log('done'), 100)
}

describe('heapwatch/register watches', () => {
  const ways = {
    '--require': { flags: ['--require', 'heapwatch/register'] },
    '--import': { flags: ['--import', 'heapwatch/register'] },
    NODE_OPTIONS: { env: { NODE_OPTIONS: '--require heapwatch/register' } }
  }
  for (const [name, { flags = [], env = {} }] of Object.entries(ways)) {
    it(`by ${name}, with its findings as JSON lines on stderr`, async () => {
      const result = await runNode(collect, { flags: ['--expose-gc', ...flags], env: { ...CHATTY, ...env } })
      assertEnd(result)
      assert.strictEqual(result.stdout, 'done\n')
      const [line] = logged(result.stderr)
      assert.strictEqual(line.event, 'gc')
      assert.strictEqual(line.name, 'heapwatch')
      assert.strictEqual(line.threadId, 0)
      assert.ok(line.duration > 0 && line.pid > 0 && /paused for/.test(line.msg), JSON.stringify(line))
    })
  }

  it('once, when it is preloaded twice', async () => {
    const result = await runNode(collect, {
      flags: ['--expose-gc', '--require', 'heapwatch/register', '--import', 'heapwatch/register'],
      env: { ...CHATTY, NODE_OPTIONS: '--require heapwatch/register' }
    })
    assertEnd(result)
    assert.strictEqual(logged(result.stderr).length, 1, result.stderr)
  })

  it('Workers, forked processes and cluster workers', async () => {
    const result = await runNode(() => {
      const { fork } = require('node:child_process')
      const cluster = require('node:cluster')
      const { once } = require('node:events')
      const fs = require('node:fs')
      const { Worker } = require('node:worker_threads')
      const source = 'globalThis.gc(); setTimeout(() => {}, 100)'
      const file = `/tmp/heapwatch-test-${process.pid}.js`
      fs.writeFileSync(file, source)
      const main = async () => {
        await once(new Worker(source, { eval: true }), 'exit')
        await once(fork(file), 'exit')
        // Not the program itself, which came as -e.
        const execArgv = process.execArgv.slice(0, process.execArgv.indexOf('-e'))
        cluster.setupPrimary({ exec: file, execArgv })
        const worker = cluster.fork()
        await once(worker, 'online')
        worker.disconnect()
        await once(worker, 'exit')
        fs.unlinkSync(file)
        console.log(process.pid)
      }
      main()
    }, { ...REQUIRE, flags: ['--expose-gc', ...REQUIRE.flags], env: CHATTY })
    assertEnd(result)
    const lines = logged(result.stderr)
    const pid = Number(result.stdout)
    assert.ok(lines.some((line) => line.pid === pid && line.threadId > 0), 'the Worker')
    const others = new Set(lines.map((line) => line.pid).filter((each) => each !== pid))
    assert.strictEqual(others.size, 2, result.stderr)
  })

  it('no Worker where HEAPWATCH_WORKERS is off', async () => {
    const result = await runNode(() => {
      const { Worker } = require('node:worker_threads')
      // eslint-disable-next-line no-new
      new Worker('globalThis.gc(); setTimeout(() => {}, 100)', { eval: true })
    }, { flags: ['--expose-gc', ...REQUIRE.flags], env: { ...CHATTY, HEAPWATCH_WORKERS: 'off' } })
    assertEnd(result)
    assert.deepStrictEqual(logged(result.stderr).filter(({ threadId }) => threadId > 0), [])
  })
})

describe('heapwatch/register tells of', () => {
  it('pressure, at once and without the app listening to anything', async () => {
    const result = await runNode(() => {
      const kept = []
      const timer = setInterval(() => {
        for (let i = 0; i < 20_000; i++) kept.push({ i, list: [i, i] })
        if (process.memoryUsage().heapUsed < 93e6) return
        globalThis.gc()
        if (process.memoryUsage().heapUsed > 92e6) clearInterval(timer)
      }, 5)
    }, { flags: ['--max-old-space-size=100', '--expose-gc', ...REQUIRE.flags], env: { HEAPWATCH_GC_THRESHOLD: 'off', HEAPWATCH_INTERVAL: '50', HEAPWATCH_RECORDER: '0' } })
    assertEnd(result)
    const pressure = logged(result.stderr).find(({ event }) => event === 'pressure')
    assert.match(pressure.msg, /\d+ %/)
    assert.strictEqual(pressure.level, 'warn')
  })

  it('a leak, in one line without its points', { timeout: 240_000 }, async () => {
    const result = await runNode(() => {
      const kept = []
      // 6 MB a second in a heap of 200 MB: a verdict within half a minute.
      setInterval(() => {
        for (let i = 0; i < 1000; i++) kept.push({ i, list: [i, i, i] })
        for (let i = 0; i < 20_000; i++) Object.assign({}, { i, list: [i] })
      }, 20)
      setTimeout(() => process.exit(5), 100_000).unref()
      // The app's own watch, which listens to nothing else, hears of it as well;
      // each with a sample of its own, which may be the later one.
      require('heapwatch').watch().on('leak', () => setTimeout(() => process.exit(4), 5000))
    }, { flags: ['--max-old-space-size=200', '--max-semi-space-size=1', ...REQUIRE.flags], env: { HEAPWATCH_RECORDER: '0' } })
    assertEnd(result, 4)
    const leak = logged(result.stderr).find(({ event }) => event === 'leak')
    assert.strictEqual(leak.metric, 'heap')
    assert.match(leak.msg, /^the heap is leaking [\d.]+ [kM]B\/s: /)
    assert.strictEqual(leak.evidence, undefined)
    assert.ok(leak.confidence > 0.5 && leak.rate > 1e5)
  })
})

describe('HEAPWATCH_* variables', () => {
  const idle = (env) => runNode(() => setTimeout(() => { process.exitCode = 9 }, 20), { ...REQUIRE, env: { HEAPWATCH_RECORDER: '0', ...env } })

  it('with values that are not allowed are each one line, and the app goes on', async () => {
    const result = await idle({
      HEAPWATCH_INTERVAL: '5',
      HEAPWATCH_GC_THRESHOLD: 'long',
      HEAPWATCH_LOG: 'xml',
      HEAPWATCH_WORKERS: '2',
      HEAPWATCH_HISTORY: '1.5',
      HEAPWATCH_INTERVALL: '500'
    })
    assertEnd(result, 9)
    const lines = result.stderr.trimEnd().split('\n')
    assert.strictEqual(lines.length, 6, result.stderr)
    for (const line of lines) assert.match(line, /^heapwatch: /)
    assert.match(result.stderr, /HEAPWATCH_INTERVAL: .* from 10 to 3600000; received 5; 1000 is used/)
    assert.match(result.stderr, /HEAPWATCH_GC_THRESHOLD must be milliseconds from 0 to 3600000, or off; received "long"; 100 is used/)
    assert.match(result.stderr, /HEAPWATCH_INTERVALL: did you mean HEAPWATCH_INTERVAL\?/)
  })

  it('that are empty are as good as none', async () => {
    const result = await idle({ HEAPWATCH_INTERVAL: '', HEAPWATCH_LOG: '', HEAPWATCH_GC_THRESHOLD: '' })
    assertEnd(result, 9)
    assert.strictEqual(result.stderr, '')
  })

  it('switch it off, so that not even the addon is loaded', async () => {
    const result = await idle({ HEAPWATCH_ENABLED: 'off', HEAPWATCH_BINARY: '/nonexistent', HEAPWATCH_INTERVAL: '1' })
    assertEnd(result, 9)
    assert.strictEqual(result.stderr, '')
  })
})

describe('an app is not changed by heapwatch/register', () => {
  it('when the addon cannot be loaded: one line, the main thread\'s', async () => {
    const result = await runNode(() => {
      const { Worker } = require('node:worker_threads')
      new Worker('', { eval: true }).on('exit', () => process.exit(7))
    }, { ...REQUIRE, env: { HEAPWATCH_BINARY: '/nonexistent/heapwatch.node' } })
    assertEnd(result, 7)
    const lines = result.stderr.trimEnd().split('\n')
    assert.strictEqual(lines.length, 1, result.stderr)
    assert.match(lines[0], /^heapwatch: this process is not watched: .*\/nonexistent\/heapwatch\.node/)
  })

  it('in its exit codes, its last words and its streams', async () => {
    const programs = [
      [() => { process.exitCode = 11 }, 11],
      [() => process.exit(12), 12],
      [() => { throw new Error('last words') }, 1],
      [() => process.kill(process.pid, 'SIGTERM'), 'SIGTERM'],
      [() => process.abort(), 'SIGABRT'],
      [() => { process.stdout.write('out'); process.stderr.write('err') }, 0]
    ]
    for (const [program, expected] of programs) {
      const plain = await runNode(program)
      const watched = await runNode(program, { ...REQUIRE, env: { HEAPWATCH_GC_THRESHOLD: 'off', HEAPWATCH_RECORDER: '0' } })
      assertEnd(watched, expected)
      const stackless = (text) => text.replaceAll(/0x[0-9a-f]+|^ +\d+: .*$|\[\d+\]/gm, '')
      assert.strictEqual(stackless(watched.stdout), stackless(plain.stdout))
      assert.strictEqual(stackless(watched.stderr), stackless(plain.stderr))
    }
  })

  it('when nobody reads its stderr and that is full: it is not blocked, and no line is torn', async () => {
    const full = (stdio) => new Promise((resolve, reject) => {
      const child = spawn(process.execPath, ['--expose-gc', '--require', 'heapwatch/register', '-e', `(${() => {
        const { gcText } = require('./lib/describe')
        const { LineWriter } = require('./lib/line-writer')
        const writer = new LineWriter(2)
        const line = JSON.stringify({ text: gcText({ type: 'x'.repeat(900), duration: 1, heapBefore: 1, heapAfter: 1 }) })
        for (let i = 0; i < 2000; i++) writer.write(line)
        // From here on there is room again.
        process.stdout.write(String(writer.dropped))
        setInterval(() => writer.write(line), 10)
        setTimeout(() => process.exit(0), 1000)
      }})()`], { cwd: ROOT, stdio: ['ignore', 'pipe', stdio], env: { ...process.env, NODE_TEST_CONTEXT: undefined, HEAPWATCH_RECORDER: '0' } })
      let stderr = ''
      child.stdout.once('data', (dropped) => {
        child.stderr?.setEncoding('utf8').on('data', (chunk) => { stderr += chunk })
        child.on('close', (code) => resolve({ code, dropped: Number(dropped), stderr }))
      })
      child.on('error', reject)
      setTimeout(() => child.kill('SIGKILL'), 60_000).unref()
    })
    const { code, dropped, stderr } = await full('pipe')
    assert.strictEqual(code, 0)
    assert.ok(dropped > 500, `${dropped}`)
    const lines = stderr.split('\n').filter(Boolean)
    assert.ok(lines.length > 100, `${lines.length}`)
    for (const line of lines) JSON.parse(line)
  })

  it('when its stderr is a pipe that is full, or closed', async () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-'))
    const run = (redirection) => new Promise((resolve) => {
      const program = 'globalThis.gc(); setTimeout(() => process.exit(6), 300)'
      const child = spawn('bash', ['-c',
        `mkfifo ${directory}/fifo; exec 3<>${directory}/fifo; head -c 65536 /dev/zero >&3; ` +
        `"$0" --expose-gc --require heapwatch/register -e '${program}' ${redirection}; echo $?; rm ${directory}/fifo`, process.execPath],
      { cwd: ROOT, env: { ...process.env, ...CHATTY } })
      let stdout = ''
      child.stdout.on('data', (chunk) => { stdout += chunk })
      child.on('close', () => resolve(stdout.trim()))
      setTimeout(() => child.kill('SIGKILL'), 60_000).unref()
    })
    try {
      assert.strictEqual(await run('2>&3'), '6')
      assert.strictEqual(await run('2>&-'), '6')
      assert.strictEqual(await run('2> >(exec true)'), '6')
      assert.strictEqual(await run('2>/dev/full'), '6')
    } finally {
      fs.rmSync(directory, { recursive: true })
    }
  })
})
