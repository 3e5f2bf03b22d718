'use strict'

// A small HTTP service as many are: it looks orders up in a cache, makes them
// up where it has none, and answers in JSON. And as many do, it leaks: see
// remember(). It knows nothing of heapwatch. `npm start` runs it watched.
//
// node examples/http-server/server.js [--seconds N] [--connections N] [--no-leak]

const { fork } = require('node:child_process')
const http = require('node:http')
const path = require('node:path')
const { parseArgs } = require('node:util')

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '0' },
    connections: { type: 'string', default: '20' },
    'no-leak': { type: 'boolean', default: false }
  }
})

// -- The service ------------------------------------------------------------

const CACHE_SIZE = 5000
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

// Meant for a retry within some seconds, and kept for ever.
const answered = new Map()

function remember (request, answer) {
  const key = `${request.url}-${process.hrtime.bigint()}`
  answered.set(key, { answer, at: new Date(), headers: { ...request.headers } })
}

let requests = 0

const server = http.createServer((request, response) => {
  requests++
  const id = Number(request.url.split('/')[2]) || 0
  const order = getOrder(id)
  const total = order.lines.map((line) => line.quantity * line.price).reduce((sum, price) => sum + price, 0)
  const answer = JSON.stringify({ ...order, total })
  if (!values['no-leak']) remember(request, answer)
  response.setHeader('content-type', 'application/json')
  response.end(answer)
})

// -- Its customers ----------------------------------------------------------

server.listen(0, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${server.address().port}`
  console.log(`serving orders at ${url}`)
  // A process of its own, with no flags of ours: it is not what is watched.
  const load = fork(path.join(__dirname, 'load.js'), [url, values.connections], { execArgv: [] })
  const end = (code) => {
    load.kill()
    process.exit(code)
  }
  process.on('SIGINT', () => end(0))
  process.on('SIGTERM', () => end(0))
  load.on('exit', (code) => {
    if (!code) return
    console.error('the load generator failed')
    end(1)
  })
  setInterval(() => {
    console.log(`${(requests / 5).toFixed(0)} requests/s`)
    requests = 0
  }, 5000)
  if (Number(values.seconds) > 0) setTimeout(end, Number(values.seconds) * 1000, 0)
})
