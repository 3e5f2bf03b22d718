'use strict'

const assert = require('node:assert')

/**
 * Asserts that collections, in the order of their ends, are apart. Or one within
 * another: on Node.js 20 V8 starts an incremental one within a major one now and
 * then, when the heap is full.
 */
function assertApart (gcs) {
  for (const [i, gc] of gcs.entries()) {
    const previous = gcs[i - 1]
    if (!previous || gc.startTime >= previous.startTime + previous.duration - 1e-3) continue
    assert.ok(gc.kind !== previous.kind && gc.startTime <= previous.startTime, JSON.stringify([previous, gc]))
  }
}

module.exports = { assertApart }
