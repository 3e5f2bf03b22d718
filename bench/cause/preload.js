'use strict'

// Preloaded into a program of the corpus: looks for the cause of its leak as a
// watch does once the leak is told, from the second on that corpus.js says.

const { wanted, append } = require('../../test/fixtures/corpus/output')

if (wanted) {
  const { LeakCauses } = require('../../lib/leak-causes')
  const { resolveOptions } = require('../../lib/options')
  const { from, window, left, keep } = JSON.parse(process.env.HEAPWATCH_CORPUS_CAUSE)
  const { cause } = resolveOptions({ cause: { ignoreOomGroup: true, maxPause: 10_000, nice: 0, keep } })
  const causes = new LeakCauses(cause, ({ leak, error, ...found }) => append({ ...found, code: error?.code }))
  // A rate at which enough leaks within the window.
  setTimeout(() => causes.find({ metric: 'heap', rate: cause.minGrowth / window, timeToLimit: left }), from * 1000).unref()
}
