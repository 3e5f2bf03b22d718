'use strict'

// npm start [-- options of the example]
//
// Sets up, builds, and shows a small HTTP server under load being watched.

const { spawn } = require('node:child_process')
const path = require('node:path')
const { build } = require('../lib/build')
const { setup } = require('./setup')

async function main () {
  await setup()
  await build({ log: console.log })
  const server = path.join(__dirname, '..', 'examples', 'http-server', 'server.js')
  const child = spawn(process.execPath, [server, ...process.argv.slice(2)], { stdio: 'inherit' })
  // The terminal sends the signal to both; the example decides how it ends.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  child.on('exit', (code, signal) => { process.exitCode = signal ? 1 : code })
}

main().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
