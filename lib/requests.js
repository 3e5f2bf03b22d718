'use strict'

// What another process may ask of a watch through its recorder's file: a word,
// and what follows a space as its argument. See docs/recorder.md.

const { version } = require('../package.json')
const { writeHeapSnapshot } = require('./heap-snapshot')

/**
 * By word. Each gets the watch and the argument and returns the answer's text,
 * or a promise of it; what it throws is the answer's text as well.
 *
 * @type {Record<string, (watch: import('./heapwatch').HeapWatch, argument: string) => string|Promise<string>>}
 */
const handlers = {
  // Whether the event loop of the watched isolate turns.
  ping: () => `heapwatch ${version}`,

  // A heap snapshot: { path, … }, and the options of writeHeapSnapshot.
  snapshot: async (watch, argument) => {
    const { path, ...options } = JSON.parse(argument)
    return JSON.stringify(await writeHeapSnapshot(path, options, { keepAlive: false }))
  }
}

async function answer (watch, request) {
  const space = request.indexOf(' ')
  const word = space < 0 ? request : request.slice(0, space)
  if (!Object.hasOwn(handlers, word)) throw new Error(`there is no request "${word}"`)
  return handlers[word](watch, space < 0 ? '' : request.slice(space + 1))
}

/** Has a request handled; the answer goes into the file. Never throws. */
function answerRequest (watch, native, number, request) {
  answer(watch, request).then(
    (text) => native.answer(number, true, String(text)),
    (error) => native.answer(number, false, String(error?.message ?? error)))
}

module.exports = { answerRequest, handlers }
