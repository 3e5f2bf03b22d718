'use strict'

// Load from a process of its own: node load.js URL CONNECTIONS. Orders are
// asked for as customers do: few often, most seldom.

const autocannon = require('autocannon')

const [url, connections] = process.argv.slice(2)
const ORDERS = 60_000

const instance = autocannon({
  url,
  connections: Number(connections),
  duration: 24 * 3600,
  // What is left for the terminal view and the machine's other work.
  overallRate: 2000,
  requests: [{
    setupRequest: (request) => ({
      ...request,
      path: `/orders/${Math.floor(ORDERS * Math.random() ** 3)}`
    })
  }]
})

process.on('SIGTERM', () => {
  instance.stop()
  process.exit(0)
})
process.on('disconnect', () => process.exit(0))
