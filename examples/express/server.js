'use strict'

// A service made with express, watched as in production: leaks, pressure and
// long collections go to pino's log, metrics to prom-client's registry beside
// those that the service has anyway.
//
// npm install heapwatch express pino prom-client
// node examples/express/server.js [--port 3000] [--fixed]
// npx autocannon -d 120 -R 400 'http://127.0.0.1:3000/quotes/x'   # some load
// curl http://127.0.0.1:3000/metrics
//
// It leaks, see quote(). Under that load it takes about a minute until the log
// says so, with the function that allocates what stays. --fixed does not leak.

const { parseArgs } = require('node:util')
const express = require('express')
const pino = require('pino')
const promClient = require('prom-client')
const heapwatch = require('heapwatch')
const prometheus = require('heapwatch/prometheus')

const { values: { port, fixed } } = parseArgs({
  options: { port: { type: 'string', default: '3000' }, fixed: { type: 'boolean', default: false } }
})

// -- The watch ----------------------------------------------------------------

const log = pino()
// Each collection is counted; listeners hear of those that a customer feels.
const watch = heapwatch.watch({ gcThreshold: 100 })

watch.on('leak', ({ evidence, ...leak }) => log.error({ leak }, 'heap is leaking'))
watch.on('leakend', ({ evidence, ...leak }) => log.info({ leak }, 'leak is over'))
watch.on('pressure', (pressure) => log.warn({ pressure }, 'memory is tight'))
watch.on('gc', (gc) => log.warn({ gc }, 'long garbage collection'))

prometheus.register(watch, { registry: promClient.register })

const durations = new promClient.Histogram({
  name: 'http_request_duration_seconds',
  help: 'Time to answer a request.',
  labelNames: ['route', 'status']
})

// -- The service --------------------------------------------------------------

const quotes = new Map()

/** A price for a customer, worked out once. */
function quote (customer, time) {
  // The leak: with the time in it, no key is ever asked for again. The fix is a
  // key that is, and a bound, as there may be any number of customers.
  const key = fixed ? customer : `${customer} at ${time}`
  const known = quotes.get(key)
  if (known) return known
  const items = Array.from({ length: 100 }, (_, i) => ({ sku: `SKU-${i}`, price: (time * (i + 1)) % 1000 / 10 }))
  const made = { customer, items, total: items.reduce((sum, { price }) => sum + price, 0) }
  quotes.set(key, made)
  if (fixed && quotes.size > 1000) quotes.delete(quotes.keys().next().value)
  return made
}

const app = express()

app.use((request, response, next) => {
  const end = durations.startTimer()
  response.on('finish', () => end({ route: request.route?.path ?? 'none', status: response.statusCode }))
  next()
})

app.get('/quotes/:customer', (request, response) => {
  const { customer, total } = quote(request.params.customer, performance.now())
  response.json({ customer, total })
})

app.get('/metrics', async (request, response) => {
  response.type(promClient.register.contentType).send(await promClient.register.metrics())
})

const server = app.listen(Number(port), '127.0.0.1', (error) => {
  if (error) throw error
  log.info({ url: `http://127.0.0.1:${server.address().port}` }, 'listening')
})

// A watch keeps no process alive: only the server has to be closed.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    watch.stop()
    server.close()
    // Clients that keep their connections busy get a moment.
    setTimeout(() => server.closeAllConnections(), 1000).unref()
  })
}
