'use strict'

// Event listeners: an emitter that lives long keeps every listener.
//
// node --expose-gc examples/leaks/event-listeners.js [--fixed]

const { EventEmitter } = require('node:events')
const { fixed, payload, serve } = require('./serve')

const database = new EventEmitter()
// Whoever writes this has seen the warning about a leak, and not its reason.
database.setMaxListeners(0)

function handle (id) {
  const response = { id, rows: payload(id) }
  const onRow = (row) => response.rows.push(row)
  database.on('row', onRow)
  // The fix: take it away with the request.
  if (fixed) setTimeout(() => database.off('row', onRow), 50)
}

serve(handle)
