'use strict'

// The least that Prometheus needs, without prom-client: one route.
//
// node examples/prometheus/server.js [PORT]

const http = require('node:http')
const heapwatch = require('heapwatch')
const { contentType, metrics } = require('heapwatch/prometheus')

const watch = heapwatch.watch()

const server = http.createServer((request, response) => {
  if (request.url !== '/metrics') {
    response.writeHead(404).end()
    return
  }
  response.setHeader('Content-Type', contentType())
  response.end(metrics(watch))
})

server.listen(Number(process.argv[2] ?? 9464), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/metrics`)
})
