'use strict'

// Verdicts of watches in live programs of the corpus: runs them as traces.js
// does, with default options, and collects the leak events.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { labels, install, pool, run } = require('../../test/fixtures/corpus/run')

const RECORD = path.join(__dirname, '../../test/fixtures/corpus/record.js')

// Runs `programs`, a few at a time; resolves to what trace.js lists of traces,
// with the watch's own `verdicts` in each. The files are in a temporary folder
// that goes with this process.
async function runAll (programs, jobs, log) {
  await install()
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-bench-'))
  process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }))
  const results = []
  await pool(jobs, programs, async (program) => {
    const label = labels[program]
    const file = path.join(folder, `${path.basename(program)}.jsonl`)
    const ended = await run(program, {
      preload: RECORD,
      execArgv: label.execArgv,
      env: {
        HEAPWATCH_CORPUS_OUT: file,
        HEAPWATCH_CORPUS_THREAD: label.thread ?? 'main',
        HEAPWATCH_CORPUS_INTERVAL: '1000',
        HEAPWATCH_CORPUS_VERDICTS: '1'
      },
      seconds: label.seconds ?? 80
    })
    const verdicts = fs.readFileSync(file, 'utf8').split('\n')
      .filter((line) => line.includes('"type":"leak'))
      .map((line) => JSON.parse(line))
      .map(({ t, type, metric }) => ({ t, event: type, metric }))
    log(`${program}: ${verdicts.map(({ event, metric, t }) => `${event} ${metric} at ${(t / 1000).toFixed(0)} s`).join(', ') || 'no leak'}`)
    results.push({ program, node: process.version, died: ended.signal !== 'SIGKILL', file, label, verdicts })
  })
  return results
}

module.exports = { runAll }
