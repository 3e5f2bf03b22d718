'use strict'

// A small HTTP service as many are: it looks orders up in a cache, makes them
// up where it has none, and answers in JSON. heapwatch watches it and the
// terminal shows what it sees. `npm start` puts it under real load.
//
// node examples/http-server/server.js [--seconds N] [--connections N]

const { fork } = require('node:child_process')
const http = require('node:http')
const path = require('node:path')
const { parseArgs } = require('node:util')
const heapwatch = require('../..')
const { View } = require('./view')

const CACHE_SIZE = 20_000

// -- The service ------------------------------------------------------------

const cache = new Map()

function makeOrder (id) {
  const lines = Array.from({ length: 5 + id % 20 }, (_, i) => ({
    sku: `SKU-${(id * 31 + i) % 9973}`,
    quantity: 1 + (id + i) % 7,
    price: ((id * 7919 + i * 104729) % 10_000) / 100
  }))
  return { id, customer: `customer-${id % 5000}`, lines, created: new Date().toISOString() }
}

function getOrder (id) {
  let order = cache.get(id)
  if (order) {
    cache.delete(id)
  } else {
    order = makeOrder(id)
    if (cache.size >= CACHE_SIZE) cache.delete(cache.keys().next().value)
  }
  cache.set(id, order)
  return order
}

let requests = 0

const server = http.createServer((request, response) => {
  requests++
  const id = Number(request.url.split('/')[2]) || 0
  const order = getOrder(id)
  const total = order.lines.map((line) => line.quantity * line.price).reduce((sum, price) => sum + price, 0)
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ ...order, total }))
})

// -- The watch --------------------------------------------------------------

const { values } = parseArgs({
  options: { seconds: { type: 'string' }, connections: { type: 'string', default: '20' } }
})
const seconds = Number(values.seconds ?? (process.stdout.isTTY ? 0 : 10))

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address()
  const load = fork(path.join(__dirname, 'load.js'), [`http://127.0.0.1:${port}`, values.connections])
  const watch = heapwatch.watch({ interval: 500 })
  const view = new View(process.stdout, `http://127.0.0.1:${port}`)

  let before = { requests, time: performance.now() }
  watch.on('gc', (gc) => view.addGc(gc))
  watch.on('sample', (sample) => {
    const now = { requests, time: performance.now() }
    const rate = (now.requests - before.requests) / (now.time - before.time) * 1000
    before = now
    view.show({ sample, rate, pauses: watch.pauses(), stats: watch.stats() })
  })
  watch.on('pressure', (pressure) => view.addPressure(pressure))

  const end = () => {
    load.kill()
    watch.stop()
    view.close({ pauses: watch.pauses(), stats: watch.stats() })
    process.exit()
  }
  process.on('SIGINT', end)
  process.on('SIGTERM', end)
  load.on('exit', (code) => {
    if (code) {
      view.close()
      console.error('the load generator failed')
      process.exit(1)
    }
  })
  if (seconds > 0) setTimeout(end, seconds * 1000)
})
