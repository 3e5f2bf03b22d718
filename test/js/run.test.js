'use strict'

// heapwatch run: the app's input, output, signals and exit code are its own.

const { after, describe, it } = require('node:test')
const assert = require('node:assert')
const { spawn } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { openRecording } = require('../../lib/recorder')
const { ROOT } = require('./helpers/child')

const MAIN = path.join(ROOT, 'lib', 'cli', 'main.js')
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-run-'))
fs.chmodSync(directory, 0o700)
after(() => fs.rmSync(directory, { recursive: true }))

function app (name, program) {
  const file = path.join(directory, `${name}.js`)
  fs.writeFileSync(file, `(${program})()\n`)
  return file
}

/** Runs an app through heapwatch run; resolves to how that ended. */
function run (args, { input, onOutput } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, 'run', ...args], {
      cwd: directory,
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, HEAPWATCH_DIR: directory, HEAPWATCH_INTERVAL: undefined }
    })
    const output = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr']) {
      child[name].setEncoding('utf8').on('data', (chunk) => {
        output[name] += chunk
        onOutput?.(child, output)
      })
    }
    child.stdin.end(input)
    const timer = setTimeout(() => child.kill('SIGKILL'), 60_000)
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code, signal, ...output })
    })
  })
}

const summaryAt = ({ stderr }) => stderr.indexOf('\n──── heapwatch')

describe('heapwatch run passes on', () => {
  it('input, output and arguments, to the byte', async () => {
    const echo = app('echo', () => {
      process.stdout.write(JSON.stringify(process.argv.slice(2)) + '\n')
      process.stderr.write('to stderr')
      process.stdin.pipe(process.stdout)
    })
    const input = '\x00\x1b[31m é\r\n'.repeat(10_000)
    const result = await run([echo, '--json', '-o', 'x', '--', '--help'], { input })
    assert.strictEqual(result.code, 0)
    assert.strictEqual(result.stdout, '["--json","-o","x","--","--help"]\n' + input)
    assert.strictEqual(result.stderr.slice(0, summaryAt(result)), 'to stderr')
  })

  it('exit codes', async () => {
    for (const code of [0, 1, 3, 255]) {
      const file = app(`exit${code}`, `() => process.exit(${code})`)
      const result = await run([file])
      assert.strictEqual(result.code, code)
      assert.match(result.stderr, new RegExp(`exit${code}\\.js \\(process \\d+\\) exited with code ${code} after`))
    }
    const thrown = await run([app('throw', () => { throw new Error('last words') })])
    assert.strictEqual(thrown.code, 1)
    assert.match(thrown.stderr, /Error: last words/)
  })

  it('the signal that ended the app, and 128 + its number where that would dump a core', async () => {
    const killed = await run([app('killed', () => process.kill(process.pid, 'SIGKILL'))])
    assert.strictEqual(killed.signal, 'SIGKILL')
    assert.match(killed.stderr, /was ended by SIGKILL/)
    const aborted = await run([app('aborted', () => process.abort())])
    assert.strictEqual(aborted.code, 128 + os.constants.signals.SIGABRT)
    assert.match(aborted.stderr, /was ended by SIGABRT/)
  })

  it('an app that goes on, recorded, when it is killed itself', async () => {
    const file = app('orphan', () => {
      process.on('SIGTERM', () => process.exit())
      setInterval(() => {}, 1000)
      console.log(process.pid)
    })
    let killed = false
    const result = await run([file], {
      onOutput (child, { stdout }) {
        if (killed || !stdout.includes('\n')) return
        killed = true
        child.kill('SIGKILL')
        // It holds the pipes that run() waits for.
        setTimeout(() => process.kill(Number(stdout), 'SIGTERM'), 500)
      }
    })
    assert.strictEqual(result.signal, 'SIGKILL')
    const name = fs.readdirSync(directory).find((name) => name.startsWith(`${Number(result.stdout)}-`))
    const recording = openRecording(path.join(directory, name))
    assert.deepStrictEqual([recording.state().state, recording.state().exitCode], ['stopped', 0])
    recording.close()
  })

  it('signals to the app, which decides', async () => {
    const file = app('graceful', () => {
      const names = ['SIGTERM', 'SIGHUP', 'SIGUSR2', 'SIGINT']
      for (const name of names) process.on(name, () => console.log(name))
      process.on('SIGTERM', () => process.exit(17))
      setInterval(() => {}, 1000)
      console.log('ready')
    })
    const sent = new Set()
    const result = await run([file], {
      // Each when the one before has come back.
      onOutput (child, { stdout }) {
        const order = ['ready', 'SIGUSR2', 'SIGHUP', 'SIGTERM']
        for (let i = 0; i + 1 < order.length; i++) {
          if (!stdout.includes(order[i]) || sent.has(order[i + 1])) continue
          sent.add(order[i + 1])
          child.kill(order[i + 1])
        }
      }
    })
    assert.strictEqual(result.stdout, 'ready\nSIGUSR2\nSIGHUP\nSIGTERM\n')
    assert.strictEqual(result.code, 17)
  })

  it('options of Node.js after --', async () => {
    const file = app('limit', () => console.log(process.execArgv.includes('--max-old-space-size=64')))
    assert.strictEqual((await run(['--', '--max-old-space-size=64', file])).stdout, 'true\n')
  })

  it('the message of Node.js for an app that is not there', async () => {
    const { code, stderr } = await run(['nothing.js'])
    assert.strictEqual(code, 1)
    assert.match(stderr, /Cannot find module/)
  })
})

describe('heapwatch run', () => {
  it('tells what it found and where the recording is, on one screen', async () => {
    const file = app('garbage', () => {
      setInterval(() => { for (let i = 0; i < 50_000; i++) Object.assign({}, { i }) }, 5)
      setTimeout(() => process.exit(0), 2000)
    })
    const result = await run(['--interval', '100', file])
    const summary = result.stderr.slice(summaryAt(result)).trim().split('\n')
    assert.ok(summary.length <= 20, result.stderr)
    assert.match(result.stderr, /\d+ collections took .* the longest \d/)
    const recording = /heapwatch report (.*\.hwrec)$/m.exec(result.stderr)[1]
    assert.ok(fs.statSync(recording).size > 0)
  })

  it('can put the summary elsewhere, and as JSON', async () => {
    const file = app('short', () => setTimeout(() => process.exit(4), 300))
    const out = path.join(directory, 'summary.json')
    const result = await run(['-o', out, '--json', file])
    assert.strictEqual(result.code, 4)
    assert.strictEqual(result.stderr, '')
    const summary = JSON.parse(fs.readFileSync(out, 'utf8'))
    assert.strictEqual(summary.code, 4)
    assert.ok(summary.identity.argv[1].endsWith('short.js') && summary.path.startsWith(directory))
  })

  it('tells of death of the heap limit', async () => {
    const file = app('oom', () => {
      const kept = []
      setInterval(() => { for (let i = 0; i < 30_000; i++) kept.push({ i, list: [i] }) }, 1)
    })
    const result = await run(['--interval', '50', '--', '--max-old-space-size=64', file])
    assert.strictEqual(result.code, 134)
    assert.match(result.stderr.slice(summaryAt(result)), /It died of its heap limit/)
  })

  it('serves charts with --web and says where', async () => {
    const file = app('web', () => setTimeout(() => process.exit(0), 1500))
    let answer
    const result = await run(['--web', '--port', '0', file], {
      onOutput (child, { stderr }) {
        const address = /charts at (http:\S+)/.exec(stderr)?.[1]
        answer ??= address && fetch(address).then((response) => response.text())
      }
    })
    assert.match(await answer, /<title>heapwatch/)
    assert.strictEqual(result.code, 0)
  })

  it('says how it is called', async () => {
    for (const [args, message] of [
      [[], /name the app/], [['--interval', '5', 'x.js'], /--interval must be a whole number from 10/],
      [['--port', 'x', 'x.js'], /--port/], [['--foo', 'x.js'], /Unknown option '--foo'/]
    ]) {
      const { code, stderr } = await run(args)
      assert.strictEqual(code, 2)
      assert.match(stderr, message)
    }
  })
})
