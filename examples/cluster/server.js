'use strict'

// A cluster of workers, each with a watch of its own. The primary answers for
// all: one /metrics with each worker's series, and one place that acts when a
// worker leaks.
//
// npm install heapwatch prom-client
// node examples/cluster/server.js [--port 3000] [--metrics-port 9464] [--workers 3] [--grace 15]
// npx autocannon -d 120 -R 600 http://127.0.0.1:3000/            # some load
// curl http://127.0.0.1:9464/metrics
//
// Worker 2 runs a new release, which leaks. When its watch says so, /metrics has
// heapwatch_leak_active{worker="2"} 1 and 0 of the others, and after a time of
// grace, long enough to be scraped, the primary puts another in its place.

const cluster = require('node:cluster')
const http = require('node:http')
const { parseArgs } = require('node:util')
const promClient = require('prom-client')
const heapwatch = require('heapwatch')
const prometheus = require('heapwatch/prometheus')

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '3000' },
    'metrics-port': { type: 'string', default: '9464' },
    workers: { type: 'string', default: '3' },
    grace: { type: 'string', default: '15' }
  }
})

const CANARY = 2

if (cluster.isPrimary) primary()
else worker()

function primary () {
  for (let i = 1; i <= Number(values.workers); i++) cluster.fork({ RELEASE: i === CANARY ? 'new' : 'old' })

  cluster.on('message', (worker, { leak, url }) => {
    if (url) console.log(`worker ${worker.id} (pid ${worker.process.pid}) serves ${url}`)
    if (!leak) return
    const [site] = leak.sites
    console.log(`worker ${worker.id} leaks ${Math.round(leak.rate / 1000)} kB/s` +
      (site ? ` at ${site.functionName || '(anonymous)'} (${site.url}:${site.line})` : ''))
    setTimeout(replace, values.grace * 1000, worker)
  })

  cluster.on('exit', (worker) => {
    console.log(`worker ${worker.id} has ended`)
    if (!worker.exitedAfterDisconnect) cluster.fork({ RELEASE: 'old' })
  })

  // First the new one, then the end of the old: it answers what it has begun.
  function replace (worker) {
    const next = cluster.fork({ RELEASE: 'old' })
    next.once('listening', () => {
      console.log(`worker ${next.id} takes the place of worker ${worker.id}`)
      worker.disconnect()
    })
  }

  // Asks each worker for its metrics. The label `worker` keeps them apart; what
  // has no such label would be added up.
  const metrics = new promClient.AggregatorRegistry()
  http.createServer(async (request, response) => {
    try {
      const text = await metrics.clusterMetrics()
      response.setHeader('Content-Type', metrics.contentType)
      response.end(text)
    } catch (error) {
      response.writeHead(503).end(`${error.message}\n`)
    }
  }).listen(Number(values['metrics-port']), '127.0.0.1', function () {
    console.log(`metrics of all at http://127.0.0.1:${this.address().port}/metrics`)
  })
}

function worker () {
  const { id } = cluster.worker
  const watch = heapwatch.watch()
  prometheus.register(watch, { registry: promClient.register, labels: { worker: id } })
  // It answers when the primary asks for metrics.
  new promClient.AggregatorRegistry() // eslint-disable-line no-new

  watch.on('leak', ({ evidence, ...leak }) => process.send({ leak }))

  // What the new release keeps of each request, for statistics that nobody reads.
  const visits = []
  function record (request) {
    visits.push({ url: request.url, at: new Date(), headers: { ...request.headers }, timings: new Array(500).fill(0) })
  }

  const server = http.createServer(function answer (request, response) {
    if (process.env.RELEASE === 'new') record(request)
    response.setHeader('X-Worker', id)
    response.end(`hello from worker ${id}\n`)
  })
  server.listen(Number(values.port), '127.0.0.1', () => {
    process.send({ url: `http://127.0.0.1:${server.address().port}` })
  })
  // By then the server takes no more connections. The watch keeps no process
  // alive: when those that are busy are closed as well, this one ends.
  cluster.worker.once('disconnect', () => {
    setTimeout(() => server.closeAllConnections(), 1000).unref()
  })
}
