'use strict'

// The commands that read recordings, on recordings of real processes.

const { after, before, describe, it } = require('node:test')
const assert = require('node:assert')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { ROOT } = require('./helpers/child')

const MAIN = path.join(ROOT, 'lib', 'cli', 'main.js')
const READERS = ['report', 'stat', 'top', 'export']

let directory
const children = []

/** Starts a watched process; resolves to it once it has been sampled. */
async function watched (program, flags = []) {
  const child = spawn(process.execPath, [...flags, '--require', path.join(ROOT, 'lib', 'register.js'), '-e', `(${program})()`], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, HEAPWATCH_DIR: directory, HEAPWATCH_INTERVAL: '50', HEAPWATCH_LOG: 'off' }
  })
  children.push(child)
  child.stdout.setEncoding('utf8')
  await once(child.stdout, 'data')
  return child
}

// Works, collects, and says that it does once there are some samples.
function busy () {
  const kept = []
  setInterval(() => {
    for (let i = 0; i < 200; i++) kept.push({ i })
    for (let i = 0; i < 30_000; i++) Object.assign({}, { i })
  }, 5)
  setTimeout(() => {
    globalThis.gc()
    console.log('ready')
  }, 500)
}

/** Runs heapwatch; resolves to { code, stdout, stderr }. */
function heapwatch (args, { env = {}, close = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, HEAPWATCH_DIR: directory, ...env }
    })
    const output = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (chunk) => { output[name] += chunk })
    if (close) child.stdout.once('data', () => child.stdout.destroy())
    const timer = setTimeout(() => child.kill('SIGKILL'), 60_000)
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code: code ?? signal, ...output })
    })
  })
}

async function answer (...args) {
  const { code, stdout, stderr } = await heapwatch(args)
  assert.strictEqual(code, 0, stderr)
  return stdout
}

const recordingOf = ({ pid }) => path.join(directory, fs.readdirSync(directory).find((name) => name.startsWith(`${pid}-`)))

let alive, dead, file

before(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-commands-'))
  fs.chmodSync(directory, 0o700)
  alive = await watched(busy, ['--expose-gc'])
  dead = await watched(busy, ['--expose-gc'])
  dead.kill('SIGKILL')
  await once(dead, 'exit')
  file = recordingOf(dead)
})

after(() => {
  for (const child of children) child.kill('SIGKILL')
  fs.rmSync(directory, { recursive: true })
})

describe('heapwatch ps', () => {
  it('lists the living and the dead', async () => {
    const rows = JSON.parse(await answer('ps', '--json'))
    const [one, other] = [alive, dead].map(({ pid }) => rows.find((row) => row.pid === pid))
    assert.strictEqual(one.alive, true)
    assert.ok(one.sample.rss > one.sample.heapUsed && one.sample.heapUsed > 1e6)
    assert.strictEqual(other.alive, false)
    assert.strictEqual(other.verdict, 'killed or crashed')
    const text = await answer('ps')
    assert.match(text, new RegExp(`^ *${alive.pid} +alive .* MB .* ok `, 'm'))
    assert.match(text, new RegExp(`^ *${dead.pid} +died .*killed or crashed`, 'm'))
    assert.doesNotMatch(await answer('ps', '--alive'), /died/)
  })

  it('says so where there is none, and what to do', async () => {
    const { code, stdout } = await heapwatch(['ps'], { env: { HEAPWATCH_DIR: path.join(directory, 'none') } })
    assert.strictEqual(code, 0)
    assert.match(stdout, /No process is watched\. Start one with: heapwatch run/)
  })

  it('lists a file that is damaged with what is wrong with it', async () => {
    const broken = path.join(directory, '99999-0-1700000000000.hwrec')
    fs.writeFileSync(broken, 'not a recording', { mode: 0o600 })
    try {
      const row = JSON.parse(await answer('ps', '--json')).find(({ pid }) => pid === 99999)
      assert.ok(row.error.length > 10)
      assert.match(await answer('ps'), /99999 +unreadable/)
    } finally {
      fs.unlinkSync(broken)
    }
  })
})

describe('heapwatch stat', () => {
  it('prints lines of a living process, that move', async () => {
    const lines = (await answer('stat', String(alive.pid), '200ms', '4', '--json')).trim().split('\n').map((line) => JSON.parse(line))
    assert.strictEqual(lines.length, 4)
    for (let i = 1; i < 4; i++) assert.ok(lines[i].time > lines[i - 1].time)
    assert.ok(lines.slice(1).some(({ minor }) => minor > 0))
    assert.ok(lines.every(({ heapUsed, rss, gcLoad }) => heapUsed > 0 && rss > 0 && gcLoad >= 0 && gcLoad <= 1))
  })

  it('in columns under titles, each as wide', async () => {
    const [titles, ...rows] = (await answer('stat', String(alive.pid), '0.1', '3')).trimEnd().split('\n')
    assert.match(titles, /HEAP +LIVE +TOTAL +LIM% +RSS/)
    assert.strictEqual(rows.length, 3)
    for (const row of rows) assert.strictEqual(row.length, titles.length)
  })

  it('ends with the process it watches', async () => {
    const short = await watched(busy, ['--expose-gc'])
    setTimeout(() => short.kill(), 500)
    const { code, stderr } = await heapwatch(['stat', String(short.pid), '0.1'])
    assert.strictEqual(code, 0)
    assert.match(stderr, /has ended/)
  })

  it('refuses intervals and counts that are none', async () => {
    for (const args of [['0'], ['fast'], ['1', '0'], ['1', 'x'], ['-1']]) {
      const { code, stderr } = await heapwatch(['stat', String(alive.pid), ...args])
      assert.strictEqual(code, 2, args.join(' '))
      assert.ok(stderr.startsWith('heapwatch'), stderr)
    }
  })
})

describe('heapwatch report', () => {
  it('tells of the living and of the dead, by pid and by file', async () => {
    assert.match(await answer('report', String(alive.pid)), /alive\n[^]*GC pauses +count/)
    for (const which of [String(dead.pid), file]) {
      assert.match(await answer('report', which), /killed or crashed\n[^]*No leak was found|leak[^]*Recording: /)
    }
  })

  it('as JSON', async () => {
    const report = JSON.parse(await answer('report', file, '--json'))
    assert.strictEqual(report.identity.pid, dead.pid)
    assert.ok(report.findings.some(({ id }) => id === 'killed'))
    assert.ok(report.figures.gcs > 0 && report.pauses.minor.count > 0)
  })

  it('as one HTML file that loads nothing', async () => {
    const out = path.join(directory, 'report.html')
    const { code } = await heapwatch(['report', file, '--html', out])
    assert.strictEqual(code, 0)
    const html = fs.readFileSync(out, 'utf8')
    assert.match(html, /^<!doctype html>/)
    assert.doesNotMatch(html, /<(script|link|img)[^>]+(src|href)=["'](?!data:)/)
    assert.strictEqual(await answer('report', file, '--html', '-').then((text) => text.length > 50_000), true)
  })

  it('says why a page cannot be written', async () => {
    const { code, stderr } = await heapwatch(['report', file, '--html', path.join(directory, 'none', 'x.html')])
    assert.strictEqual(code, 1)
    assert.match(stderr, /^heapwatch: the report cannot be written: ENOENT/)
  })
})

describe('heapwatch export', () => {
  it('writes what heapwatch replay reads without a complaint', async () => {
    const trace = path.join(directory, 'trace.jsonl')
    fs.writeFileSync(trace, await answer('export', file))
    const { code, stdout, stderr } = await heapwatch(['replay', trace])
    assert.strictEqual(code, 0)
    assert.strictEqual(stderr, '')
    assert.match(stdout, /no leak|leaking/)
  })

  it('has everything: as many samples and collections as the report counts', async () => {
    const records = (await answer('export', file)).trim().split('\n').map((line) => JSON.parse(line))
    const report = JSON.parse(await answer('report', file, '--json'))
    const count = (type) => records.filter((record) => record.type === type).length
    assert.strictEqual(records[0].type, 'meta')
    assert.strictEqual(records[0].identity.pid, dead.pid)
    assert.strictEqual(count('gc'), report.figures.gcs)
    assert.ok(count('sample') >= 5 && count('minute') >= 1 && count('pauses') >= 2)
    const times = records.filter(({ t }) => t !== undefined).map(({ t }) => t)
    assert.deepStrictEqual(times, [...times].sort((a, b) => a - b))
  })

  it('as CSV: as many cells in each line, and only what is asked for', async () => {
    const lines = (await answer('export', file, '--format', 'csv', '--only', 'sample,gc')).trim().split('\r\n')
    const columns = lines[0].split(',')
    assert.deepStrictEqual(columns.slice(0, 2), ['type', 'time'])
    assert.ok(columns.includes('heapUsed') && columns.includes('duration'))
    for (const line of lines.slice(1)) {
      assert.strictEqual(line.split(',').length, columns.length)
      assert.match(line, /^(sample|gc),/)
    }
  })
})

describe('heapwatch top without a terminal', () => {
  it('prints lines, until its process ends', async () => {
    const short = await watched(busy, ['--expose-gc'])
    setTimeout(() => short.kill(), 600)
    const { code, stdout } = await heapwatch(['top', String(short.pid), '--interval', '0.1'])
    assert.strictEqual(code, 0)
    assert.ok(stdout.trim().split('\n').length >= 3, stdout)
  })
})

describe('what cannot be read is said in one line, with its own exit code', () => {
  const cases = {
    'no such process': [() => '4194305', 4, /no recording of process 4194305; heapwatch ps/],
    'no such thread': [() => `${dead.pid}.77`, 4, /thread 77 of process/],
    'no such file': [() => path.join(directory, 'nothing.hwrec'), 4, /nothing\.hwrec/],
    'a file that is none of ours': [() => MAIN, 5, /main\.js/],
    'a directory': [() => directory, 5, /heapwatch-commands/],
    'an empty file': [() => made('empty.hwrec', ''), 5, /empty\.hwrec.* empty/],
    'a truncated file': [() => made('short.hwrec', fs.readFileSync(file).subarray(0, 100_000)), 5, /short\.hwrec.*cut short/],
    'a file of a future version': [() => made('future.hwrec', ofVersion(99)), 6, /future\.hwrec.*version/]
  }

  function made (name, content) {
    const where = path.join(directory, name)
    fs.writeFileSync(where, content, { mode: 0o600 })
    return where
  }

  // Where the version is, docs/recorder.md says.
  function ofVersion (version) {
    const bytes = fs.readFileSync(file)
    bytes.writeUInt32LE(version, 8)
    return bytes
  }

  for (const [what, [which, expected, message]] of Object.entries(cases)) {
    it(what, async () => {
      for (const command of READERS) {
        const { code, stdout, stderr } = await heapwatch([command, which()])
        assert.strictEqual(code, expected, `${command}: ${stderr}`)
        assert.strictEqual(stdout, '')
        assert.match(stderr, message)
        assert.strictEqual(stderr.trimEnd().split('\n').length, 1, stderr)
      }
    })
  }

  it('a file of another user', { skip: process.getuid() !== 0 && 'only root can make one' }, async () => {
    const where = made('theirs.hwrec', fs.readFileSync(file))
    fs.chmodSync(directory, 0o711)
    const run = await new Promise((resolve) => {
      const { PATH, HEAPWATCH_BINARY, LD_PRELOAD } = process.env
      const env = { PATH, HEAPWATCH_BINARY, LD_PRELOAD, ASAN_OPTIONS: 'detect_leaks=0' }
      const child = spawn(process.execPath, [MAIN, 'report', where], { cwd: '/', uid: 65534, gid: 65534, env })
      let stderr = ''
      child.stderr.on('data', (chunk) => { stderr += chunk })
      child.on('error', (error) => resolve({ error }))
      child.on('close', (code) => resolve({ code, stderr }))
    })
    fs.chmodSync(directory, 0o700)
    assert.strictEqual(run.code, 7, run.stderr)
    assert.match(run.stderr, /theirs\.hwrec/)
  })

  it('of a process that writes it meanwhile, reads are whole all the same', async () => {
    for (let i = 0; i < 10; i++) {
      const records = (await answer('export', String(alive.pid))).trim().split('\n').map((line) => JSON.parse(line))
      assert.ok(records.length > 50)
    }
  })
})

describe('each command', () => {
  const all = ['run', 'ps', 'top', 'stat', 'report', 'web', 'export']

  it('is listed, and has help that names its exit codes', async () => {
    const list = await answer('--help')
    for (const name of all) {
      assert.match(list, new RegExp(`^ {2}${name} +\\w`, 'm'))
      const help = await answer(name, '--help')
      assert.match(help, new RegExp(`^Usage: heapwatch ${name}`))
      assert.match(help, /Exit codes: /)
      assert.match(help, /--json/)
      for (const line of help.split('\n')) assert.ok(line.length <= 80, line)
    }
  })

  it('refuses flags that it does not know', async () => {
    for (const name of all) {
      const { code, stderr } = await heapwatch([name, '--colour'])
      assert.strictEqual(code, 2)
      assert.match(stderr, new RegExp(`^heapwatch ${name}: Unknown option '--colour'`))
    }
  })

  it('ends quietly when its reader has seen enough', async () => {
    for (const args of [['export', file], ['stat', String(alive.pid), '10ms'], ['top', String(alive.pid), '--interval', '0.1']]) {
      const { code, stderr } = await heapwatch(args, { close: true })
      assert.strictEqual(code, 0, args[0])
      assert.strictEqual(stderr, '')
    }
  })
})
