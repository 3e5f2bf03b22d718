'use strict'

// Timers: an interval that is not cleared keeps its callback, and what that
// uses, for good.
//
// node --expose-gc examples/leaks/timers.js [--fixed]

const { fixed, payload, serve } = require('./serve')

function handle (id) {
  const job = { id, data: payload(id), attempts: 0 }
  const timer = setInterval(function poll () {
    job.attempts++
    // The fix: an end.
    if (fixed && job.attempts >= 3) clearInterval(timer)
  }, 200)
}

serve(handle)
