'use strict'

// npm start [-- options of the example]
//
// Sets up, builds, and shows a small HTTP server under load that leaks, and is
// caught at it.

const { spawn } = require('node:child_process')
const path = require('node:path')
const { build } = require('../lib/build')
const { ROOT } = require('../lib/toolchain')
const { setup } = require('./setup')

// Small, so that one sees within minutes what else takes days.
const HEAP_MB = 192
// Where nobody can press Ctrl-C.
const SECONDS = 60

async function main () {
  await setup()
  await build({ log: console.log })
  const args = process.argv.slice(2)
  if (!process.stdin.isTTY && !args.includes('--seconds')) args.push('--seconds', String(SECONDS))
  console.log('A server that leaks, under load. heapwatch says so within a minute.\nCtrl-C ends it, and so does its heap limit.')
  const child = spawn(process.execPath, [
    path.join(ROOT, 'lib', 'cli', 'main.js'), 'run', '--web', '--interval', '500', '--',
    `--max-old-space-size=${HEAP_MB}`, path.join(ROOT, 'examples', 'http-server', 'server.js'), ...args
  ], { stdio: 'inherit' })
  // The terminal sends the signal to both; the example decides how it ends.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  child.on('exit', (code, signal) => { process.exitCode = signal ? 1 : code })
}

main().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
