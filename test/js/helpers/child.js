'use strict'

// Runs real Node.js processes and tells how they ended.

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const HEAPWATCH = path.join(__dirname, '..', '..', '..')

/**
 * Runs `script` with the Node.js that runs this test. In the script,
 * `heapwatch` is the package and `send(value)` adds a value to `sent`.
 *
 * @param {string|Function} script source text; of a function, its body
 * @param {{ flags?: string[], env?: object, wrapper?: string[], timeout?: number,
 *   require?: boolean }} [options] `wrapper` is a command to run Node.js with;
 *   `require: false` leaves `heapwatch` to the script
 * @returns {Promise<{ code: number|null, signal: string|null, stdout: string, stderr: string, sent: any[] }>}
 */
function run (script, { flags = [], env = {}, wrapper = [], timeout = 120_000, require = true } = {}) {
  const body = typeof script === 'function' ? `;(${script})()` : script
  const prelude = `
    const send = (value) => require('node:fs').writeSync(3, JSON.stringify(value) + '\\n')
    ${require ? `const heapwatch = require(${JSON.stringify(HEAPWATCH)})` : ''}`
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-test-'))
  const file = path.join(folder, 'script.js')
  fs.writeFileSync(file, `${prelude}\n${body}\n`)
  const [command, ...args] = [...wrapper, process.execPath, ...flags, file]
  const child = spawn(command, args, {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe']
  })
  const text = ['', '', '', '']
  for (const fd of [1, 2, 3]) child.stdio[fd].setEncoding('utf8').on('data', (chunk) => { text[fd] += chunk })
  const timer = setTimeout(() => child.kill('SIGKILL'), timeout)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      fs.rmSync(folder, { recursive: true, force: true })
      const sent = text[3].split('\n').filter(Boolean).map((line) => JSON.parse(line))
      resolve({ code, signal, stdout: text[1], stderr: text[2], sent })
    })
  })
}

module.exports = { run, HEAPWATCH }
