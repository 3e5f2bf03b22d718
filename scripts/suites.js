'use strict'

// Runs test suites, each a program of its own, a few at a time; prints one
// line for each and everything that a failed one printed; counts their tests.

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { BUILD, ROOT } = require('../lib/toolchain')

const MINUTE = 60_000

/** A suite that has not ended by then hangs, and is killed with all it started. */
const SUITE_TIMEOUT = 25 * MINUTE

// How many tests passed, failed and were skipped, as each kind of suite says it.
const COUNTERS = {
  // `[  PASSED  ] 4 test(s).`, once per program
  cmocka (output) {
    const sum = (word) => [...output.matchAll(
      new RegExp(`^\\[\\s+${word}\\s+\\] (?:tests: )?(\\d+) test\\(s\\)`, 'gm'))]
      .reduce((total, match) => total + Number(match[1]), 0)
    return { passed: sum('PASSED'), failed: sum('FAILED'), skipped: sum('SKIPPED') }
  },
  // `ℹ pass 4`, the last time it says so
  node (output) {
    const last = (word) =>
      Number([...output.matchAll(new RegExp(`^ℹ ${word} (\\d+)$`, 'gm'))].pop()?.[1] ?? 0)
    return {
      passed: last('pass'),
      failed: last('fail') + last('cancelled'),
      skipped: last('skipped') + last('todo')
    }
  },
  // A check that passes or fails as a whole.
  check: () => ({ passed: 1, failed: 0, skipped: 0 }),
  // A step that counts only when it fails.
  step: () => ({ passed: 0, failed: 0, skipped: 0 })
}

/**
 * A run of suites: at most `concurrency` at once, in the order given.
 *
 *     const run = new SuiteRun()
 *     await run.suite({ name: 'lint', counter: 'check', command: [...] })
 *     process.exitCode = run.finish()
 */
class SuiteRun {
  constructor ({ concurrency = os.availableParallelism(), timeout = Infinity } = {}) {
    this.total = { passed: 0, failed: 0, skipped: 0 }
    this.free = concurrency
    this.waiting = []
    this.running = new Set()
    this.deadline = Date.now() + timeout
    // Suites lead process groups of their own, which a terminal's ^C misses.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.once(signal, () => {
        for (const child of this.running) killGroup(child)
        process.exit(1)
      })
    }
  }

  /**
   * Runs one suite when its turn comes.
   *
   * @param {object} suite
   * @param {string} suite.name
   * @param {string[]} suite.command
   * @param {object} [suite.env] variables to add
   * @param {keyof COUNTERS} suite.counter how its tests are counted
   * @param {() => { reason: string, details: string }|undefined} [suite.inspect]
   *   finds a failure that the suite's exit code does not show
   * @returns {Promise<boolean>} whether it passed
   */
  async suite (suite) {
    if (this.free > 0) this.free--
    else await new Promise((resolve) => this.waiting.push(resolve))
    try {
      return await this.#run(suite)
    } finally {
      if (this.waiting.length > 0) this.waiting.shift()()
      else this.free++
    }
  }

  async #run ({ name, command, env, counter, inspect = () => {} }) {
    const started = Date.now()
    const limit = Math.max(0, Math.min(SUITE_TIMEOUT, this.deadline - started))
    const { output, ending } = await this.#spawn(name, command, env, limit)
    const counts = COUNTERS[counter](output)
    const found = inspect()
    const ranNone = counter !== 'step' && counts.passed + counts.failed + counts.skipped === 0
    const problem = found?.reason ?? ending ?? (ranNone ? 'ran no tests' : undefined)
    if (problem && counts.failed === 0) {
      // What crashed, hung or would not start has no count of its own failure.
      counts.failed = 1
      if (counter === 'check') counts.passed = 0
    }
    for (const key of Object.keys(counts)) this.total[key] += counts[key]

    const failed = counts.failed > 0
    const tests = ['node', 'cmocka'].includes(counter) || failed
      ? ` ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`
      : ''
    const seconds = ((Date.now() - started) / 1000).toFixed(1)
    if (failed) {
      const text = [output, found?.details ?? ''].join('\n').trimEnd()
      console.log(`\n---- ${name}: ${command.join(' ')}\n${text}\n----`)
    }
    console.log(`${failed ? 'FAIL' : 'ok  '}  ${name.padEnd(24)} ${seconds.padStart(6)} s ${tests}` +
      (problem ? ` (${problem})` : ''))
    return !failed
  }

  // The output goes to a file, not a pipe: a process that outlives its suite
  // would hold a pipe open, and the file is there to look at while it runs. It
  // is opened for reading at once, as another run may put its own in its place.
  async #spawn (name, [command, ...args], env, limit) {
    const log = path.join(BUILD, 'logs', `${name.replaceAll(/[^\w.]+/g, '-')}.txt`)
    fs.mkdirSync(path.dirname(log), { recursive: true })
    fs.rmSync(log, { force: true })
    const writer = fs.openSync(log, 'a')
    const reader = fs.openSync(log, 'r')
    const child = spawn(command, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', writer, writer],
      detached: true
    })
    fs.closeSync(writer)
    this.running.add(child)
    let hung = false
    const timer = setTimeout(() => {
      hung = true
      killGroup(child)
    }, limit)
    const ending = await new Promise((resolve) => {
      child.on('error', (error) => resolve(error.message))
      child.on('exit', (code, signal) => resolve(
        hung
          ? `hung: killed after ${Math.round(limit / 1000)} s`
          : signal ?? (code === 0 ? undefined : `exit code ${code}`)))
    })
    clearTimeout(timer)
    killGroup(child)
    this.running.delete(child)
    const output = fs.readFileSync(reader, 'utf8')
    fs.closeSync(reader)
    return { output, ending }
  }

  /** Prints the sum and returns the exit code: 1 on a failure or without tests. */
  finish () {
    const { passed, failed, skipped } = this.total
    console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`)
    return failed > 0 || passed === 0 ? 1 : 0
  }
}

function killGroup (child) {
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {}
}

/** The suite of the C tests, which make builds and runs. */
function cSuite ({ sanitize = false } = {}) {
  return {
    name: sanitize ? 'c, sanitized' : 'c',
    counter: 'cmocka',
    command: ['make', '-C', 'test/c', `-j${os.availableParallelism()}`, 'check',
      ...(sanitize ? ['SAN=1'] : [])]
  }
}

/** The program and arguments that run JavaScript tests on a Node.js. */
function nodeTest (binary, files, args = []) {
  // One file at a time: tests that compare times and sizes need a CPU, and
  // suites of several Node.js run beside each other already.
  return [binary, ...args, '--test', '--test-concurrency=1', '--test-reporter=spec',
    `--test-timeout=${10 * MINUTE}`, ...files]
}

/** The JavaScript test files, or those given. */
function testFiles (given = []) {
  if (given.length > 0) return given.map((file) => path.resolve(file))
  const directory = path.join(ROOT, 'test', 'js')
  if (!fs.existsSync(directory)) return []
  return fs.readdirSync(directory).filter((name) => name.endsWith('.test.js')).sort()
    .map((name) => path.join(directory, name))
}

/** Variables with which `node` means this one for whatever a test starts. */
function pathOf (binary) {
  return { PATH: path.dirname(binary) + path.delimiter + process.env.PATH }
}

module.exports = { SuiteRun, cSuite, nodeTest, pathOf, testFiles }
