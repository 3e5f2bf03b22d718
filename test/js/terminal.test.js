'use strict'

// `run` and `top` on a real terminal.

const { after, afterEach, describe, it } = require('node:test')
const assert = require('node:assert')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Terminal, sleep, whyNone } = require('./helpers/terminal')

const HEAPWATCH = `'${process.execPath}' lib/cli/main.js`
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-terminal-'))
fs.chmodSync(directory, 0o700)
after(() => fs.rmSync(directory, { recursive: true }))

const env = { HEAPWATCH_DIR: directory, ...(process.env.HEAPWATCH_BINARY ? { HEAPWATCH_BINARY: process.env.HEAPWATCH_BINARY } : {}) }

function app (name, program) {
  const file = path.join(directory, `${name}.js`)
  fs.writeFileSync(file, `(${program})()\n`)
  return file
}

// Prints a line now and then, and collects garbage.
const talk = app('talk', () => {
  let n = 0
  setInterval(() => { for (let i = 0; i < 30_000; i++) Object.assign({}, { i }) }, 5)
  setInterval(() => console.log(`line ${++n}`), 100)
})

async function withTerminal (options, use) {
  const terminal = new Terminal({ ...options, env })
  try {
    await terminal.ready()
    await use(terminal)
  } finally {
    terminal.close()
  }
}

const ruleAt = (lines) => lines.findIndex((line) => line.startsWith('── heapwatch'))
const numbers = (lines) => lines.filter((line) => /^line \d+$/.test(line)).map((line) => Number(line.slice(5)))

describe('heapwatch run on a terminal', { skip: whyNone }, () => {
  it('keeps its lines at the bottom while the app prints above, and gives them back', () => withTerminal({ rows: 20 }, async (terminal) => {
    terminal.type(`${HEAPWATCH} run --interval 100 ${talk}`)
    const lines = await terminal.until((lines) => ruleAt(lines) === 17 && numbers(lines).some((n) => n > 40), 'a full screen of lines')
    assert.match(lines[18], /^heap \d.* · rss \d/)
    assert.strictEqual(lines[19], 'no leak, no pressure')
    const seen = numbers(lines)
    assert.ok(seen.length >= 14, lines.join('\n'))
    // What scrolls is whole and in order.
    seen.forEach((n, i) => assert.strictEqual(n, seen[0] + i))
    terminal.key('C-c')
    const end = await terminal.until((lines) => lines.some((line) => line === '$') && lines.join('\n').includes('ended by SIGINT'), 'the summary')
    assert.strictEqual(ruleAt(end), -1)
    assert.match(end.join('\n'), /──── heapwatch ─+\nnode talk\.js \(process \d+\) was ended by SIGINT after/)
    // The whole screen scrolls again.
    terminal.type('seq 100')
    await terminal.until((lines) => lines.at(-2) === '100' && lines.at(-1).startsWith('$'), 'the shell at the last line')
  }))

  it('follows the size of the terminal', () => withTerminal({}, async (terminal) => {
    terminal.type(`${HEAPWATCH} run --interval 100 ${talk}`)
    await terminal.until((lines) => ruleAt(lines) === 21, 'its lines at the bottom')
    terminal.resize(40, 12)
    const small = await terminal.until((lines) => lines.length === 12 && ruleAt(lines) === 9 && lines[10].startsWith('heap'), 'its lines at the new bottom')
    assert.ok(small.every((line) => line.length <= 40))
    terminal.resize(20, 12)
    await terminal.until((lines) => lines[9].startsWith('──') && lines[10].startsWith('heap'), 'its lines in 20 columns')
    terminal.resize(100, 30)
    await terminal.until((lines) => lines.length === 30 && ruleAt(lines) === 27 && lines[28].startsWith('heap'), 'its lines at the bottom again')
    // Too low for both: the app has it all.
    terminal.resize(80, 6)
    await terminal.until((lines) => lines.length === 6 && numbers(lines).length >= 5, 'nothing but the app')
    terminal.key('C-c')
    await terminal.until((lines) => lines.some((line) => line === '$'), 'the shell')
  }))

  it('stops and goes on with its app', () => withTerminal({ rows: 20 }, async (terminal) => {
    terminal.type(`${HEAPWATCH} run --interval 100 ${talk}`)
    await terminal.until((lines) => ruleAt(lines) === 17 && numbers(lines).length > 3, 'lines')
    terminal.key('C-z')
    await terminal.until((lines) => ruleAt(lines) === -1 && lines.some((line) => line === '$'), 'the shell, with the lines given back')
    const before = Math.max(...numbers(terminal.lines()))
    await sleep(500)
    assert.strictEqual(Math.max(...numbers(terminal.lines())), before, 'the app is stopped')
    terminal.type('fg')
    await terminal.until((lines) => ruleAt(lines) === 17 && Math.max(...numbers(lines)) > before, 'its lines again')
    terminal.key('C-c')
    await terminal.until((lines) => lines.join('\n').includes('ended by SIGINT'), 'the summary')
  }))

  it('sends one interrupt to the app, not two', () => withTerminal({}, async (terminal) => {
    const file = app('count', () => {
      let n = 0
      process.on('SIGINT', () => {
        n++
        setTimeout(() => process.exit(40 + n), 500)
      })
      console.log('ready')
      setInterval(() => {}, 1000)
    })
    terminal.type(`${HEAPWATCH} run ${file}; echo code $?`)
    await terminal.until((lines) => lines.includes('ready') && ruleAt(lines) > 0, 'the app')
    terminal.key('C-c')
    await terminal.until((lines) => lines.includes('code 41'), 'its exit code')
  }))

  it('sums up in 80 columns where the terminal does not know its size', () => withTerminal({}, async (terminal) => {
    const file = app('brief', () => setTimeout(() => {}, 200))
    terminal.type(`stty cols 0 rows 0; ${HEAPWATCH} run ${file}; stty cols 80 rows 24; echo code $?`)
    const lines = await terminal.until((lines) => lines.some((line) => line.startsWith('code ')), 'its end')
    assert.match(lines.join('\n'), /^node brief\.js \(process \d+\) exited/m)
  }))

  it('leaves the terminal to an app with --no-status', () => withTerminal({}, async (terminal) => {
    terminal.type(`${HEAPWATCH} run --no-status --interval 100 ${talk}`)
    const lines = await terminal.until((lines) => numbers(lines).length > 10, 'lines')
    assert.strictEqual(ruleAt(lines), -1)
    terminal.key('C-c')
    await terminal.until((lines) => lines.join('\n').includes('ended by SIGINT'), 'the summary')
  }))
})

describe('heapwatch top on a terminal', { skip: whyNone }, () => {
  let started = 0
  const pids = []
  afterEach(() => {
    for (const pid of pids.splice(0)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {} // it has ended
    }
  })
  const start = async (terminal) => {
    // After the prompt if the screen was cleared meanwhile.
    const line = new RegExp(`^(?:\\$ )?start ${++started}: (\\d+)$`)
    terminal.type(`HEAPWATCH_INTERVAL=100 '${process.execPath}' --require ./lib/register.js ${talk} > /dev/null 2>&1 & echo "start ${started}: $!"`)
    const lines = await terminal.until((lines) => lines.some((text) => line.test(text)), 'the pid')
    const pid = Number(line.exec(lines.find((text) => line.test(text)))[1])
    pids.push(pid)
    const recording = new RegExp(`^${pid}\\b.*\\.hwrec$`)
    for (const end = Date.now() + 30_000; !fs.readdirSync(directory).some((name) => recording.test(name));) {
      assert.ok(Date.now() < end, `never saw the recording of ${pid}: ${fs.readdirSync(directory)}`)
      await sleep(20)
    }
    return pid
  }

  it('fits 120, 80 and 20 columns, follows the size, and leaves no trace', () => withTerminal({}, async (terminal) => {
    const pid = await start(terminal)
    await sleep(1000)
    terminal.type(`${HEAPWATCH} top ${pid} --interval 0.2`)
    const at80 = await terminal.until((lines) => /^heap used +\d/.test(lines[3]) && lines.some((line) => line.startsWith('minor')), 'the view')
    assert.match(at80[0], new RegExp(`^${pid} {2}node talk\\.js +up [\\d.]+ m?s$`))
    assert.strictEqual(at80[0].length, 80)
    assert.strictEqual(terminal.flag('alternate_on'), '1')
    assert.strictEqual(terminal.flag('cursor_flag'), '0')
    // The values of one column end in one column.
    const ends = at80.slice(2, 10).map((line) => /^.{12} *\S+ \S+/.exec(line)?.[0].length).filter((length) => length === 22)
    assert.ok(ends.length >= 6, at80.join('\n'))
    terminal.resize(20, 24)
    const at20 = await terminal.until((lines) => /^heap used +[\d.]+ [kM]B$/.test(lines[3]) && lines[3].length === 20, 'the narrow view')
    assert.ok(at20.every((line) => line.length <= 20), at20.join('\n'))
    assert.ok(at20.some((line) => /^minor +[\d.]+ ms$/.test(line)), at20.join('\n'))
    terminal.resize(120, 24)
    await terminal.until((lines) => lines[0].length === 120 && /[▁▂▃▄▅▆▇█]{8}/.test(lines[3]), 'the wide view')
    const one = terminal.lines().slice(1).join('\n')
    await terminal.until((lines) => lines.slice(1).join('\n') !== one, 'that it moves')
    terminal.key('q')
    await terminal.until((lines) => lines.some((line) => line.includes(`top ${pid}`)) && lines.filter(Boolean).at(-1) === '$', 'what was there before, and the prompt')
    assert.strictEqual(terminal.flag('alternate_on'), '0')
    assert.strictEqual(terminal.flag('cursor_flag'), '1')
    // Keys are shown again: the terminal is not raw.
    terminal.type(`stty -a | grep -o -- ' -*echo ' ; kill ${pid}`)
    await terminal.until((lines) => lines.some((line) => line === ' echo'), 'an echoing terminal')
  }))

  it('offers the list, opens what is chosen, and says when it has died', () => withTerminal({}, async (terminal) => {
    const one = await start(terminal)
    terminal.type('clear')
    const other = await start(terminal)
    await sleep(1000)
    terminal.type(`${HEAPWATCH} top --interval 0.2`)
    const list = await terminal.until((lines) => lines[0].includes('PID') && lines.some((line) => line.includes(String(one))), 'the list')
    const at = (pid) => list.findIndex((line) => new RegExp(`^ *${pid} `).test(line))
    assert.ok(at(other) < at(one), 'the newest first')
    terminal.key(...Array(at(one) - 1).fill('Down'), 'Enter')
    await terminal.until((lines) => lines[0].startsWith(`${one}  node talk.js`), 'the view')
    process.kill(one, 'SIGKILL')
    await terminal.until((lines) => /died after/.test(lines[0]), 'that it died')
    terminal.key('Escape')
    await terminal.until((lines) => lines[0].includes('PID'), 'the list again')
    terminal.key('C-c')
    await terminal.until((lines) => lines.filter(Boolean).at(-1) === '$', 'the shell')
    process.kill(other, 'SIGKILL')
  }))

  it('gives the terminal back when it is killed', () => withTerminal({}, async (terminal) => {
    const pid = await start(terminal)
    await sleep(1000)
    terminal.type(`${HEAPWATCH} top ${pid} & echo $! > ${directory}/top.pid; fg; echo code $?`)
    await terminal.until((lines) => lines[0].startsWith(`${pid}  node`), 'the view')
    process.kill(Number(fs.readFileSync(path.join(directory, 'top.pid'), 'utf8')), 'SIGTERM')
    await terminal.until((lines) => lines.some((line) => line === 'code 143'), 'the exit code')
    assert.strictEqual(terminal.flag('alternate_on'), '0')
    assert.strictEqual(terminal.flag('cursor_flag'), '1')
    process.kill(pid, 'SIGKILL')
  }))
})
