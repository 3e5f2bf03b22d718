'use strict'

// Closures: a small function keeps all that the functions beside it use.
//
// node --expose-gc examples/leaks/closures.js [--fixed]

const { fixed, payload, serve } = require('./serve')

const pending = []

function handle (id) {
  const body = payload(id)
  const size = body.length
  // V8 has one context for all closures of a call: because `check` uses `body`,
  // `report` keeps it, too.
  const check = () => body.length > 0
  check()
  // The fix: closures that live long are made where little is in scope.
  pending.push(fixed ? reporter(id, size) : function report () { return `${id}: ${size}` })
  if (fixed && pending.length > 10_000) pending.shift()
}

function reporter (id, size) {
  return () => `${id}: ${size}`
}

serve(handle)
