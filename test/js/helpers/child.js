'use strict'

// Programs that need a process of their own: because they end it, because they
// need flags of V8, or because what they measure must not see other tests.

const assert = require('node:assert')
const { spawn } = require('node:child_process')
const path = require('node:path')

const ROOT = path.join(__dirname, '..', '..', '..')

/**
 * Starts a program; `onOutput` is called when it has printed something or has
 * ended.
 *
 * @returns {{ child: import('node:child_process').ChildProcess,
 *   output: { stdout: string, stderr: string },
 *   ended: Promise<{ code: number?, signal: string?, stdout: string, stderr: string }> }}
 */
function startProgram (command, args, { env = {}, timeout = 300_000, onOutput = () => {} } = {}) {
  const child = spawn(command, args, {
    // Where a package's name leads to itself.
    cwd: ROOT,
    env: { ...process.env, NODE_OPTIONS: undefined, NODE_TEST_CONTEXT: undefined, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout,
    killSignal: 'SIGKILL'
  })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (chunk) => {
      output[name] += chunk
      onOutput()
    })
  }
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      resolve({ code, signal, ...output })
      onOutput()
    })
  })
  return { child, output, ended }
}

/**
 * Runs a function as the program of a new Node.js, to its end. It is sent as
 * text: it sees its arguments and `require`, which knows "heapwatch", and
 * nothing of where it was written.
 *
 * @param {Function} program
 * @param {object} [options]
 * @param {any[]} [options.args] its arguments, as far as JSON can carry them
 * @param {string[]} [options.flags] of Node.js
 * @param {object} [options.env] variables to add; undefined removes one
 * @param {string[]} [options.wrapper] a command, with arguments, that is to start Node.js
 * @param {number} [options.timeout] milliseconds until it is killed
 * @param {(child: import('node:child_process').ChildProcess) => void} [options.started]
 * @returns {Promise<{ code: number?, signal: string?, stdout: string, stderr: string }>}
 */
function runNode (program, { args = [], flags = [], env, wrapper = [], timeout, started } = {}) {
  const source = `(${program})(...${JSON.stringify(args)})`
  const [command, ...rest] = [...wrapper, process.execPath, ...flags, '-e', source]
  const { child, ended } = startProgram(command, rest, { env, timeout })
  if (started) started(child)
  return ended
}

/** Asserts how a child ended: with an exit code, 0 if none is given, or a signal. */
function assertEnd ({ code, signal, stdout, stderr }, expected = 0) {
  if ((signal ?? code) === expected) return
  assert.fail(`ended with ${signal ?? `exit code ${code}`}, not ${expected}\n` +
    `stdout: ${stdout}\nstderr: ${stderr}`)
}

/** Runs a program that must end with exit code 0; returns what it printed, as JSON. */
async function runForResult (program, options) {
  const result = await runNode(program, options)
  assertEnd(result)
  return JSON.parse(result.stdout)
}

/** Runs a program that must end with exit code 0; returns the lines it printed, each as JSON. */
async function runForLines (program, options) {
  const result = await runNode(program, options)
  assertEnd(result)
  return result.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line))
}

// Builds with sanitizers are tens of times slower: they run the same tests
// with smaller numbers.
const SCALE = Number(process.env.HEAPWATCH_TEST_SCALE || 1)

/** A number of repetitions, scaled by HEAPWATCH_TEST_SCALE (above 0, up to 1). */
function scaled (count, least = 1) {
  return Math.max(least, Math.round(count * SCALE))
}

module.exports = { ROOT, assertEnd, runForLines, runForResult, runNode, scaled, startProgram }
