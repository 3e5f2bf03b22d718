'use strict'

// Global variables: what the module scope holds lives as long as the process.
//
// node --expose-gc examples/leaks/global-variables.js [--fixed]

const { fixed, payload, serve } = require('./serve')

const requestLog = []

function handle (id) {
  requestLog.push({ id, body: payload(id) })
  // The fix: a bound.
  if (fixed && requestLog.length > 100) requestLog.shift()
}

serve(handle)
