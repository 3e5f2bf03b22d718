'use strict'

// What the programs beside this file have in common: a service that is asked a
// hundred times a second, watched by heapwatch. When heapwatch says that it
// leaks, two snapshots tell why; `--fixed` runs the same service without its
// mistake.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const v8 = require('node:v8')
const heapwatch = require('heapwatch')

// An example should end in seconds. These need less evidence than the defaults,
// which wait for about a minute, and would be too nervous for production.
const HASTY = { evidence: 4000, minEvidence: 4000, hold: 1000, holdShare: 0, leftShare: 0, pastShare: 0, fallbackHeap: 4000, fallback: 4000 }

const { values: { fixed, seconds } } = parseArgs({
  options: { fixed: { type: 'boolean', default: false }, seconds: { type: 'string', default: '30' } }
})

/**
 * Serves until heapwatch finds a leak, or for half a minute.
 *
 * @param {(id: number) => void} handle answers one request
 */
function serve (handle) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-example-'))
  const snapshot = (name) => v8.writeHeapSnapshot(path.join(folder, name))
  const watch = heapwatch.watch({ interval: 100, leak: HASTY })
  const start = Date.now()
  let id = 0
  let before

  const end = (message) => {
    watch.stop()
    console.log(message)
    fs.rmSync(folder, { recursive: true })
    process.exit()
  }

  // Driven by the watch's own timer: the snapshots have no others than those of
  // the service.
  watch.on('sample', () => {
    for (let i = 0; i < 10; i++) handle(id++)
    // A service with more to do would have been collected by itself.
    if (id % 500 === 0) globalThis.gc?.()
    const passed = (Date.now() - start) / 1000
    if (!before && passed > 2) before = snapshot('before.heapsnapshot')
    if (passed > seconds) end(`no leak in ${seconds} seconds`)
  })
  watch.on('leak', (leak) => {
    if (leak.metric !== 'heap' || !before) return
    console.log(`heap leaks ${Math.round(leak.rate / 1000)} kB a second; why:\n`)
    const cli = path.join(__dirname, '..', '..', 'lib', 'cli', 'main.js')
    const files = [before, snapshot('after.heapsnapshot')]
    end(spawnSync(process.execPath, [cli, 'why', ...files], { encoding: 'utf8' }).stdout)
  })
  // A watch keeps no process alive; its service does.
  new MessageChannel().port1.ref()
}

/** Some data as a request brings it, some 30 kB of it. */
function payload (id) {
  return Array.from({ length: 250 }, (_, i) => ({ id, i, text: `item ${i} of ${id}` }))
}

module.exports = { fixed, payload, serve }
