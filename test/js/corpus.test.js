'use strict'

const assert = require('node:assert')
const fs = require('node:fs')
const path = require('node:path')
const test = require('node:test')
const zlib = require('node:zlib')

const FIXTURES = path.join(__dirname, '../fixtures')
const CORPUS = path.join(FIXTURES, 'corpus')
const TRACES = path.join(FIXTURES, 'traces')

const json = (file) => JSON.parse(fs.readFileSync(file, 'utf8'))
const labels = json(path.join(CORPUS, 'labels.json'))

test('every program of the corpus has a label, and every label a program', () => {
  const programs = ['healthy', 'leaks'].flatMap((kind) => fs.readdirSync(path.join(CORPUS, kind))
    .map((file) => `${kind}/${path.basename(file, '.js')}`))
  assert.deepStrictEqual(Object.keys(labels).sort(), programs.sort())
  for (const [name, { leak }] of Object.entries(labels)) assert.strictEqual(leak, name.startsWith('leaks/'), name)
})

test('labels name the lines that are marked in the programs, and no others', () => {
  for (const [name, { leak, sites }] of Object.entries(labels)) {
    const lines = fs.readFileSync(path.join(CORPUS, `${name}.js`), 'utf8').split('\n')
    const marked = lines.flatMap((line, i) => line.includes('// leak: ') ? [`${name}.js:${i + 1}`] : [])
    assert.deepStrictEqual(sites ?? [], marked, name)
    assert.strictEqual(marked.length > 0, leak, `${name}: ${marked.length} marked lines`)
  }
})

test('every label was confirmed by forced collections', () => {
  const validation = json(path.join(CORPUS, 'validation.json'))
  for (const [name, { leak, metric }] of Object.entries(labels)) {
    assert.ok(validation[name]?.confirmed, name)
    assert.strictEqual(validation[name].leak, leak, name)
    assert.strictEqual(validation[name].metric, metric, name)
  }
})

test('every program has a trace, and traces are whole and in order of time', () => {
  const index = json(path.join(TRACES, 'index.json'))
  assert.deepStrictEqual(Object.keys(index).sort(), fs.readdirSync(TRACES).filter((file) => file.endsWith('.gz')).sort())
  const recorded = new Set(Object.values(index).map(({ program }) => program))
  assert.deepStrictEqual(Object.keys(labels).filter((name) => !recorded.has(name)), [])
  for (const [file, { node, seconds }] of Object.entries(index)) {
    const [meta, ...events] = zlib.gunzipSync(fs.readFileSync(path.join(TRACES, file))).toString()
      .trim().split('\n').map((line) => JSON.parse(line))
    assert.strictEqual(meta.type, 'meta', file)
    assert.strictEqual(meta.node, node, file)
    assert.ok(meta.oldLimit > 0 && meta.oldLimit < meta.heapLimit, file)
    for (let i = 1; i < events.length; i++) assert.ok(events[i].t >= events[i - 1].t, `${file}: event ${i}`)
    const samples = events.filter(({ type }) => type === 'sample')
    assert.ok(samples.length > seconds, `${file}: ${samples.length} samples in ${seconds} s`)
  }
})
