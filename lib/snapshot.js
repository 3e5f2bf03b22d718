'use strict'

// Heap snapshots, read and answered in C on a thread of libuv's pool.

const { invalidType, outOfRange } = require('./errors')
const { analyzeSnapshots } = require('./native')

// Of the bytes shared with the thread: see src/napi/snapshot.c.
const SHARED_BYTES = 64
const CANCEL = 0
const PERCENT = 1
const STAGE = 2

const POLL_INTERVAL = 100

/**
 * Asks one question of one or more snapshots.
 *
 * @param {string} question 'summary', 'nodes', 'diff', 'dominators', 'retainers' or
 *   'why'
 * @param {string[]} paths the files, the oldest first
 * @param {object} [settings] of the question; `limit` for lists of objects
 * @param {{ onProgress?: (stage: string, percent: number) => void, signal?: AbortSignal }} [watch]
 * @returns {Promise<object | undefined>} the answer; of 'nodes' nothing, its
 *   lines go to the descriptor `settings.fd`
 */
async function ask (question, paths, settings = {}, { onProgress, signal } = {}) {
  signal?.throwIfAborted()
  const shared = new Uint8Array(SHARED_BYTES)
  const answer = new Promise((resolve, reject) => {
    const done = (error, value) => error ? reject(error) : resolve(value)
    analyzeSnapshots(question, paths, { limit: 20, ...settings }, shared, done)
  })
  const cancel = () => { shared[CANCEL] = 1 }
  signal?.addEventListener('abort', cancel)
  const timer = onProgress && setInterval(() => onProgress(...progress(shared)), POLL_INTERVAL)
  try {
    const json = await answer
    return json.length > 0 ? JSON.parse(json) : undefined
  } finally {
    clearInterval(timer)
    signal?.removeEventListener('abort', cancel)
  }
}

function progress (shared) {
  const end = shared.indexOf(0, STAGE)
  return [Buffer.from(shared.subarray(STAGE, end)).toString('latin1'), shared[PERCENT]]
}

/**
 * Reads a heap snapshot and sums it up as Chrome DevTools would: bytes by
 * class and by kind, the largest and the duplicate strings, the contexts. The
 * work is done off the main thread.
 *
 * @param {string} path a .heapsnapshot file, whole
 * @param {object} [options]
 * @param {number} [options.limit] strings that are listed, 20 by default
 * @param {AbortSignal} [options.signal]
 * @returns {Promise<object>}
 */
async function analyze (path, { limit = 20, signal } = {}) {
  if (typeof path !== 'string') throw invalidType('path', path, 'a string')
  if (typeof limit !== 'number') throw invalidType('limit', limit, 'a number')
  if (!Number.isInteger(limit) || limit < 0 || limit > 1e6) {
    throw outOfRange('limit', limit, 'a whole number from 0 to 1000000')
  }
  return ask('summary', [path], { limit }, { signal })
}

module.exports = { analyze, ask }
