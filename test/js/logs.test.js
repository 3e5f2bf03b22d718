'use strict'

// What docs/logs.md shows of pino and winston, with a real leak in it.

const assert = require('node:assert')
const fs = require('node:fs')
const path = require('node:path')
const { describe, it } = require('node:test')
const { ROOT, assertEnd, runNode } = require('./helpers/child')

const page = fs.readFileSync(path.join(ROOT, 'docs', 'logs.md'), 'utf8')

/** The page's code for a logger, with a watch that is told sooner what it wants to know. */
function codeFor (name) {
  const code = page.split(`## ${name}\n`)[1].split('```js\n')[1].split('```')[0]
  const options = '{ gcThreshold: 100 }'
  assert.ok(code.includes(options), `the options of the watch are ${options}`)
  return code.replace(options, `{ gcThreshold: 1, interval: 50, leak: {
    evidence: 4000, minEvidence: 4000, hold: 1000, holdShare: 0, leftShare: 0, pastShare: 0 } }`)
}

// Leaks, and ends some time after it has been told so.
function leaks (code) {
  const kept = []
  const timer = setInterval(() => {
    for (let i = 0; i < 40; i++) kept.push(Array.from({ length: 100 }, (_, i) => ({ i })))
    if (kept.length % 1000 === 0) globalThis.gc()
  }, 20)
  const limit = setTimeout(process.exit, 120_000, 1)
  require('node:diagnostics_channel').subscribe('heapwatch:leak', () => setTimeout(() => {
    clearInterval(timer)
    clearTimeout(limit)
  }, 200))
  // As a module of its own would be.
  new (require('node:vm').Script)(`(function (require) {${code}\n})`).runInThisContext()(require)
}

describe('the code of docs/logs.md logs a real leak and real collections through', { concurrency: 2 }, () => {
  // Each is JSON lines by default; how they name the level and the text is theirs.
  const loggers = {
    pino: ({ level, msg }) => [level, msg],
    winston: ({ level, message }) => [level, message]
  }
  const levels = { pino: { leak: 50, gc: 40 }, winston: { leak: 'error', gc: 'warn' } }
  for (const [name, read] of Object.entries(loggers)) {
    it(name, async () => {
      const result = await runNode(leaks, { args: [codeFor(name)], flags: ['--expose-gc'] })
      assertEnd(result)
      const lines = result.stdout.trim().split('\n').map((line) => JSON.parse(line))
      const leak = lines.find(({ leak }) => leak?.metric === 'heap')
      assert.deepStrictEqual(read(leak), [levels[name].leak, 'heap is leaking'])
      assert.ok(leak.leak.rate > 0 && leak.leak.evidence.length > 0 && leak.leak.sites.length > 0, JSON.stringify(leak))
      const gcs = lines.filter(({ gc }) => gc)
      assert.ok(gcs.length > 0)
      for (const line of gcs) {
        assert.deepStrictEqual(read(line), [levels[name].gc, 'long garbage collection'])
        assert.ok(line.gc.duration >= 1 && line.gc.kind, JSON.stringify(line))
      }
    })
  }
})
