'use strict'

// A server with a large heap in a process of its own, and its only client:
// what benchmarks of snapshots have in common.

const { spawn } = require('node:child_process')
const http = require('node:http')
const { median } = require('./stats')

/** Fills the heap of this process with small objects; returns what holds them. */
function fillHeap (megabytes) {
  const kept = new Map()
  while (process.memoryUsage().heapUsed < megabytes * 1e6) {
    for (let i = 0; i < 1000; i++) {
      const id = kept.size
      kept.set(id, { id, name: `customer ${id}`, lines: [{ sku: id, quantity: id % 7 }, { sku: id + 1, price: id + 0.5 }] })
    }
  }
  return kept
}

/** Serves with a handler; the process that started this one is told the port. */
function listen (handle) {
  const server = http.createServer(handle)
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
}

/** Starts a script as server; what is asked of it is sent with send(). */
function startServer (script, megabytes) {
  return spawn(process.execPath, ['--max-old-space-size=4096', script, '--serve', String(megabytes)],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}

/** Requests one after another; returns their latencies since the last call. */
function client (port) {
  const agent = new http.Agent({ keepAlive: true })
  let latencies = []
  let failed = 0
  let stopped = false
  const next = () => {
    if (stopped) return
    const start = performance.now()
    const then = () => {
      latencies.push(performance.now() - start)
      setTimeout(next, 1)
    }
    http.get({ port, host: '127.0.0.1', agent }, (response) => response.resume().on('end', then))
      .on('error', () => {
        failed++
        then()
      })
  }
  next()
  return {
    take () {
      const taken = { latencies, failed }
      latencies = []
      failed = 0
      return taken
    },
    stop () {
      stopped = true
      agent.destroy()
    }
  }
}

/** The next message of a process. */
const message = (child) => new Promise((resolve, reject) => {
  child.once('message', resolve)
  child.once('exit', (code, signal) => reject(new Error(`the server ended: ${signal ?? code}`)))
})

/** Median, least and most of a field of all rows. */
function spread (rows, field, scale = 1, digits = 1) {
  const values = rows.map((row) => row[field] / scale)
  const show = (value) => value.toFixed(digits)
  return `${show(median(values))} (${show(Math.min(...values))}–${show(Math.max(...values))})`
}

module.exports = { client, fillHeap, listen, message, spread, startServer }
