'use strict'

// Verdicts of watches in live programs of the corpus: runs them as traces.js
// does, with default options, and collects the leak events.

const { labels, install, pool, run } = require('../../test/fixtures/corpus/run')

const RECORD = require.resolve('../../test/fixtures/corpus/record.js')

// Runs `programs`, a few at a time; resolves to what list() of trace.js gives of
// traces, with `events` and the watch's own `verdicts` in each.
async function runAll (programs, jobs, log) {
  await install()
  const results = []
  await pool(jobs, programs, async (program) => {
    const label = labels[program]
    const { events, died } = await run(program, {
      preload: RECORD,
      execArgv: label.execArgv,
      env: { HEAPWATCH_CORPUS_INTERVAL: '1000', HEAPWATCH_CORPUS_VERDICTS: '1' },
      seconds: label.seconds ?? 80
    })
    const verdicts = events.filter(({ type }) => type.startsWith('leak'))
      .map(({ t, type, metric }) => ({ t, event: type, metric }))
    const said = verdicts.map(({ event, metric, t }) => `${event} of ${metric} at ${(t / 1000).toFixed(0)} s`)
    log(`${program}: ${said.join(', ') || 'no leak'}`)
    results.push({ program, node: process.version, died, label, events, verdicts })
  })
  return results
}

module.exports = { runAll }
