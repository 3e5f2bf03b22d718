'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, before, describe, it } = require('node:test')
const { promisify } = require('node:util')
const { Worker } = require('node:worker_threads')
const { analyze } = require('../..')
const { ask } = require('../../lib/snapshot')
const devtools = require('./devtools')
const { classNumbers, devtoolsClasses, devtoolsLines, devtoolsStatistics, keyOf, nodeLines } = require('./helpers/snapshot-numbers')

const run = promisify(execFile)
const MAIN = path.join(__dirname, '..', '..', 'lib', 'cli', 'main.js')
const FIXTURE = path.join(__dirname, '..', 'fixtures', 'heap.js')

let directory
let files
let reference

before(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-snapshot-'))
  const prefix = path.join(directory, 'heap')
  await run(process.execPath, [FIXTURE, prefix])
  files = ['a', 'b', 'c'].map((step) => `${prefix}-${step}.heapsnapshot`)
  reference = []
  for (const file of files.slice(0, 2)) reference.push(await devtools.load(file))
})

after(() => fs.rmSync(directory, { recursive: true, force: true }))

describe('every number is the one that DevTools has', () => {
  it('of each node: id, shallow and retained size, dominator, distance', async () => {
    for (const [i, snapshot] of reference.entries()) {
      const lines = await nodeLines(files[i])
      assert.equal(lines.length, snapshot.nodeCount)
      let at = 0
      for (const { line, what } of devtoolsLines(snapshot)) assert.equal(lines[at++], line, what)
    }
  })

  it('of each class: name, place, count, sizes, distance', async () => {
    for (const [i, snapshot] of reference.entries()) {
      const summary = await ask('summary', [files[i]])
      const actual = classNumbers(summary)
      assert.equal(summary.classes.length, actual.size)
      assert.deepEqual(actual, devtoolsClasses(snapshot))
      assert.ok(actual.has(',{name, mail}'))
    }
  })

  it('of each kind, and in total', async () => {
    for (const [i, snapshot] of reference.entries()) {
      const { nodes, edges, total, statistics } = await ask('summary', [files[i]])
      assert.equal(nodes, snapshot.nodeCount)
      assert.equal(edges, snapshot.containmentEdges.length / 3)
      assert.equal(total, snapshot.getStatistics().total)
      assert.deepEqual(statistics, devtoolsStatistics(snapshot))
    }
  })

  it('of duplicate strings', async () => {
    const [snapshot] = reference
    const { duplicateStrings } = await ask('summary', [files[0]], { limit: 1e6 })
    const expected = snapshot.getDuplicateStrings()
    const sum = (list) => list.map(({ count, shallow, retained }) => `${count} ${shallow} ${retained}`).sort()
    assert.ok(expected.length > 50)
    assert.deepEqual(sum(duplicateStrings), sum(expected.map((group) =>
      ({ count: group.count, shallow: group.totalSelfSize, retained: group.totalRetainedSize }))))
  })

  it('of a comparison', async () => {
    const [older, newer] = reference
    const { classes } = await ask('diff', files.slice(0, 2))
    const expected = newer.calculateSnapshotDiff('a', older.aggregatesForDiff(newer.interfaceDefinitions()))
    const actual = classes.map((c) => [keyOf(c), [c.added, c.removed, c.addedSize, c.removedSize]])
    assert.ok(classes.length > 10)
    assert.deepEqual(new Map(actual.sort()), new Map(Object.entries(expected).map(([key, d]) =>
      [key, [d.addedCount, d.removedCount, d.addedSize, d.removedSize]]).sort()))
  })
})

it('of three snapshots, what grew in both steps is told', async () => {
  const { grown } = await ask('diff', files)
  const names = grown.map(({ name }) => name)
  // Of { a, b, n } only n is no small integer, which snapshots leave out.
  assert.ok(names.includes('{n}'), names.join())
  assert.ok(!names.includes('Promise'))
  for (const { steps } of grown) {
    assert.equal(steps.length, 2)
    for (const { added, removed } of steps) assert.ok(added > removed)
  }
})

it('the dominator tree begins at the root and its children retain no more than it', async () => {
  const { total, tree } = await ask('dominators', [files[0]], { limit: 5, depth: 3, leastShare: 0 })
  assert.equal(tree.retained, reference[0].rootNode().retainedSize())
  assert.equal(total, reference[0].totalSize)
  let depth = 0
  for (let node = tree; node; node = node.children[0], depth++) {
    const below = node.children.reduce((sum, child) => sum + child.retained, node.others.retained)
    assert.equal(node.shallow + below, node.retained)
  }
  assert.equal(depth, 4)
})

it('analyze answers while the main thread goes on', async () => {
  let ticks = 0
  const timer = setInterval(() => { ticks++ }, 1)
  const { classes } = await analyze(files[0])
  clearInterval(timer)
  assert.ok(classes.some(({ name }) => name === 'Session'))
  assert.ok(ticks > 5, `${ticks} ticks`)
})

it('a truncated file is an error that names the byte', async () => {
  const cut = path.join(directory, 'cut.heapsnapshot')
  const whole = fs.readFileSync(files[0])
  for (const length of [0, 100, 5000, whole.length >> 1, whole.length - 3]) {
    fs.writeFileSync(cut, whole.subarray(0, length))
    await assert.rejects(analyze(cut), ({ code, offset, message }) => {
      assert.equal(code, 'ERR_HEAPWATCH_EFORMAT')
      assert.ok(offset >= 0 && offset <= length)
      assert.ok(message.includes(`byte ${offset}`) && message.includes(cut))
      return true
    })
  }
})

it('a file that is not there is an error that names it', async () => {
  await assert.rejects(analyze('/nowhere.heapsnapshot'),
    { code: 'ERR_HEAPWATCH_EIO', message: '/nowhere.heapsnapshot: No such file or directory' })
  await assert.rejects(analyze(directory), { code: 'ERR_HEAPWATCH_EIO' })
  await assert.rejects(analyze(), TypeError)
})

it('an analysis can be cancelled', async () => {
  const controller = new AbortController()
  const answer = analyze(files[0], { signal: controller.signal })
  controller.abort()
  await assert.rejects(answer, { code: 'ERR_HEAPWATCH_ECANCELED' })
})

it('a Worker may be terminated while it analyses', async () => {
  for (let i = 0; i < 5; i++) {
    const worker = new Worker(`
      const { analyze } = require(${JSON.stringify(path.join(__dirname, '..', '..'))})
      const { parentPort } = require('node:worker_threads')
      analyze(${JSON.stringify(files[0])})
      parentPort.postMessage('started')`, { eval: true })
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    await worker.terminate()
  }
})

describe('the commands', () => {
  const heapwatch = (...args) => run(process.execPath, [MAIN, ...args], { maxBuffer: 1 << 28 })

  it('print tables for people and JSON for programs', async () => {
    const { stdout: people, stderr } = await heapwatch('summary', files[0], '--top', '100')
    assert.match(people, /^class +count +shallow +retained +distance$/m)
    assert.match(people, /^Session +2,000 /m)
    assert.equal(stderr, '')
    const { stdout: json } = await heapwatch('summary', files[0], '--json')
    assert.equal(JSON.parse(json).nodes, reference[0].nodeCount)
    const { stdout: diff } = await heapwatch('diff', ...files)
    assert.match(diff, /^grew in both steps /m)
    const { stdout: tree } = await heapwatch('dominators', files[0])
    assert.match(tree, /^ +[\d.]+ MB {2}\(root\) @1$/m)
  })

  it('write a line for each node', async () => {
    const { stdout } = await heapwatch('summary', files[0], '--nodes')
    assert.deepEqual(stdout.trimEnd().split('\n'), await nodeLines(files[0]))
  })

  it('end quietly when their reader does', async () => {
    for (const args of ['--nodes', '--json']) {
      const { stderr } = await run('bash', ['-c', 'set -o pipefail; "$@" | head -c 10 > /dev/null', '-',
        process.execPath, MAIN, 'summary', files[0], args])
      assert.equal(stderr, '')
    }
  })

  it('exit with 1 for what cannot be read and 2 for what is wrong', async () => {
    await assert.rejects(heapwatch('summary', '/nowhere'), { code: 1, stderr: /nowhere: No such file/ })
    await assert.rejects(heapwatch('summary', FIXTURE), { code: 1, stderr: /is no whole heap snapshot.*byte 0/ })
    await assert.rejects(heapwatch('dominators', files[0], '--id', '4000000001'), { code: 1, stderr: /no such object/ })
    for (const args of [['summary'], ['diff', files[0]], ['summary', files[0], '--top', 'x'], ['summary', '--nonsense']]) {
      await assert.rejects(heapwatch(...args), { code: 2, stderr: /Usage: heapwatch/ })
    }
  })

  it('explain themselves', async () => {
    for (const name of ['summary', 'diff', 'dominators']) {
      const { stdout } = await heapwatch(name, '--help')
      assert.match(stdout, new RegExp(`^Usage: heapwatch ${name} .*Exit codes: `, 's'))
    }
  })
})
