'use strict'

// What the report finds in recordings of real programs, and of their ends.

const { describe, it } = require('node:test')
const assert = require('node:assert')
const { diagnose, verdict } = require('../../lib/report/doctor')
const { figures } = require('../../lib/report/figures')
const { reportText } = require('../../lib/report/text')
const { summaryLines } = require('../../lib/report/summary')
const { factsOf } = require('./helpers/recordings')

const LEAK = 'ajv-schemas.node22.jsonl.gz'
const HEALTHY = 'lru-fast.node22.jsonl.gz'
const ids = (facts) => diagnose(facts).map(({ id }) => id)
const found = (facts, id) => diagnose(facts).find((finding) => finding.id === id)

/** The facts with their last moments changed, as a process that is gone. */
function dead (name, change) {
  const facts = factsOf(name, { alive: false })
  const last = facts.samples.at(-1)
  Object.assign(last, change(facts))
  return facts
}

describe('the doctor finds', () => {
  it('a leak, with its rate, since when, and the time of its limit', () => {
    const { severity, finding, evidence, advice } = found(factsOf(LEAK), 'leak')
    assert.strictEqual(severity, 'critical')
    assert.match(finding, /^The heap is leaking [\d.]+ kB\/s: [\d.]+ MB in \d+ (s|min); [\d.]+ h to the limit of 4\.3 GB\.$/)
    assert.match(evidence.join('\n'), /since 2026-01-05 .*\n.*confidence 0\.\d\d.*\n.*limit is reached at 2026-01-05/)
    assert.match(advice.join('\n'), /heapwatch why OLDER NEWER/)
  })

  it('the line that allocates what leaks, where that is known', () => {
    const facts = factsOf(LEAK)
    const site = { functionName: 'compile', url: 'file:///srv/app/schemas.js', line: 12, column: 5, bytes: 9e6, growthRate: 1e5, share: 0.8, stack: [] }
    facts.notes.find(({ kind }) => kind === 'leak').data.sites = [site]
    const { sites, advice } = found(facts, 'leak')
    assert.deepStrictEqual(sites, [site])
    assert.match(advice[0], /compile \(\/srv\/app\/schemas\.js:12:5\)/)
    assert.match(reportText(facts, figures(facts), diagnose(facts), 100), /80 % {2}100 kB\/s {2}compile \(\/srv\/app\/schemas\.js:12:5\)/)
  })

  it('the lines that became known later, and those of a death without a verdict', () => {
    const site = (functionName, trend) => ({ functionName, url: '/srv/node_modules/lru/index.js', line: 3, column: 1, bytes: 1e6, growthRate: 1e5, share: 0.5, trend, application: { functionName: 'remember', url: '/srv/app.js', line: 7, column: 2 }, stack: [] })
    const note = { time: Date.UTC(2026, 0, 5, 13), kind: 'sites', data: { state: 'sampling', sites: [site('churner', 'churn'), site('set', 'growing')] } }
    const facts = factsOf(LEAK)
    facts.notes.push(note)
    assert.deepStrictEqual(found(facts, 'leak').sites.map(({ functionName }) => functionName), ['set'])
    assert.match(found(facts, 'leak').advice[0], /Look at what remember \(\/srv\/app\.js:7:2\) allocates/)
    assert.match(reportText(facts, figures(facts), diagnose(facts), 100), /remember \(\/srv\/app\.js:7:2\), in set/)
    const gone = dead(HEALTHY, ({ identity }) => ({ heapUsed: identity.oldSpaceLimit }))
    gone.notes = [note]
    assert.strictEqual(found(gone, 'out-of-memory').sites.length, 1)
    assert.match(summaryLines(gone, { code: null, signal: 'SIGABRT' }, 80).join('\n'), /at remember \(\/srv\/app\.js:7:2\)\n/)
  })

  it('the metric that leaks, and gives advice for that', () => {
    const buffers = found(factsOf('buffers-uploads.node22.jsonl.gz'), 'leak')
    assert.match(buffers.finding, /^Memory of ArrayBuffers is leaking/)
    assert.match(buffers.advice[0], /Buffers/)
    const contexts = found(factsOf('vm-contexts.node22.jsonl.gz'), 'leak')
    assert.ok(contexts, 'contexts leak')
  })

  it('no leak in a cache, and says what that rests on', () => {
    const facts = factsOf(HEALTHY)
    assert.deepStrictEqual(ids(facts), ['no-leak'])
    const { severity, evidence } = diagnose(facts)[0]
    assert.strictEqual(severity, 'good')
    assert.match(evidence[0], /after the last \d+ major collections/)
  })

  it('that it cannot tell, where hardly anything was recorded', () => {
    const facts = factsOf(HEALTHY)
    facts.gcs = facts.gcs.filter(({ kind }) => kind === 'minor')
    assert.match(found(facts, 'no-leak').finding, /too briefly, or collected too seldom/)
    assert.strictEqual(found(facts, 'no-leak').severity, 'info')
  })

  it('nothing amiss in a recording of nothing', () => {
    const none = factsOf(HEALTHY, { samples: [], gcs: [], notes: [], minutes: [] })
    none.state = { state: 'running', time: none.identity.startTime, sample: null }
    none.pauses = Object.fromEntries(Object.keys(none.pauses).map((kind) => [kind, { count: 0, total: 0, max: 0 }]))
    assert.deepStrictEqual(ids(none), ['no-leak'])
    assert.match(reportText(none, figures(none), diagnose(none), 80), /0 collections/)
    const damaged = { ...none, identity: {}, alive: false }
    assert.ok(reportText(damaged, figures(damaged), diagnose(damaged), 20).length > 0)
  })

  it('death of the heap limit', () => {
    const facts = dead(LEAK, ({ identity }) => ({ heapUsed: identity.oldSpaceLimit * 0.97 }))
    const [first] = diagnose(facts)
    assert.strictEqual(first.id, 'out-of-memory')
    assert.match(first.evidence.join('\n'), /97 %/)
    assert.ok(ids(facts).includes('leak'))
    assert.ok(!ids(facts).includes('killed'))
  })

  it('death of the container\'s limit, told apart from that of the heap', () => {
    const facts = dead(LEAK, () => ({ rss: 505e6, memoryLimit: 512e6 }))
    assert.strictEqual(diagnose(facts)[0].id, 'container-kill')
    assert.match(diagnose(facts)[0].finding, /most likely/)
  })

  it('death without want of memory, and no death at a proper end', () => {
    const facts = dead(HEALTHY, () => ({}))
    assert.ok(ids(facts).includes('killed'))
    facts.state.state = 'stopped'
    assert.deepStrictEqual(ids(facts), ['no-leak'])
  })

  it('a heap limit above the container\'s, with the flag to set', () => {
    const facts = factsOf(HEALTHY)
    for (const sample of facts.samples) sample.memoryLimit = 512 * 2 ** 20
    assert.match(found(facts, 'limits').advice[0], /--max-old-space-size=384/)
  })

  it('time spent in collecting, with what to do about it', () => {
    const facts = factsOf(HEALTHY)
    for (const sample of facts.samples.slice(-30)) Object.assign(sample, { gcTime: 240, gcLoad: 0.48 })
    const { severity, evidence, advice } = found(facts, 'gc-load')
    assert.strictEqual(severity, 'warning')
    assert.match(evidence[0], /4\d % of the ten seconds/)
    assert.match(advice[0], /--max-semi-space-size|--max-old-space-size/)
  })

  it('memory outside of V8', () => {
    const facts = factsOf(HEALTHY)
    facts.samples.forEach((sample, i) => { sample.rss = sample.heapTotal + sample.external + 100e6 + i * 2e6 })
    assert.ok(found(facts, 'native'), ids(facts).join())
  })

  it('long pauses and a blocked event loop', () => {
    const facts = factsOf(HEALTHY)
    facts.pauses.major.max = 1500
    facts.samples[10].loopDelay = 2100
    assert.strictEqual(found(facts, 'long-pauses').severity, 'warning')
    assert.match(found(facts, 'event-loop').finding, /2100 ms/)
  })
})

describe('reports', () => {
  const facts = factsOf(LEAK)
  const findings = diagnose(facts)

  for (const width of [20, 40, 80, 200]) {
    it(`fit ${width} columns, but for the path`, () => {
      const lines = reportText(facts, figures(facts), findings, width).split('\n')
      for (const line of lines.filter((line) => !line.includes(facts.path))) assert.ok(line.length <= width, line)
      const summary = summaryLines(facts, { code: 0, signal: null }, width)
      for (const line of summary.filter((line) => !line.includes(facts.path))) assert.ok(line.length <= width, line)
      assert.ok(width < 80 || summary.length <= 22, 'one screen')
    })
  }

  it('have no control characters of what they show', () => {
    const evil = factsOf(LEAK)
    evil.identity.argv = ['/usr/bin/node', '/srv/\x1b]0;title\x07\x1b[2J.js']
    evil.notes.find(({ kind }) => kind === 'leak').data.sites = [{ functionName: '\x1b[31mred', url: 'a\nb', line: 1, column: 1 }]
    const text = reportText(evil, figures(evil), diagnose(evil), 80)
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f]/)
  })

  it('have one word for a list', () => {
    assert.strictEqual(verdict(facts), 'leak: heap')
    assert.strictEqual(verdict({ state: { state: 'running' }, alive: true }), 'ok')
    assert.strictEqual(verdict({ state: { state: 'running' }, alive: false }), 'killed or crashed')
    assert.strictEqual(verdict({ state: { state: 'stopped' }, alive: false }), 'ok')
  })
})
