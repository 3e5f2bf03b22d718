'use strict'

// The numbers of a heap snapshot, heapwatch's and DevTools' own, in one form.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { ask } = require('../../../lib/snapshot')

const keyOf = ({ name, script, line, column }) =>
  `${script === undefined ? '' : `${script},${line},${column}`},${name}`

/** Of each node a line "id shallow retained dominatorId distance", by heapwatch. */
async function nodeLines (file) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-nodes-'))
  const target = path.join(directory, 'nodes')
  const fd = fs.openSync(target, 'w')
  try {
    await ask('nodes', [file], { fd })
    return fs.readFileSync(target, 'latin1').trimEnd().split('\n')
  } finally {
    fs.closeSync(fd)
    fs.rmSync(directory, { recursive: true })
  }
}

/** The same lines by DevTools, each with the node's type and name. */
function * devtoolsLines (snapshot) {
  const node = snapshot.createNode(0)
  const dominator = snapshot.createNode(0)
  for (let i = 0; i < snapshot.nodeCount; i++) {
    dominator.nodeIndex = node.dominatorIndex()
    yield {
      line: `${node.id()} ${node.selfSize()} ${node.retainedSize()} ${dominator.id()} ${node.distance()}`,
      what: `${node.type()} ${node.name()}`
    }
    node.nodeIndex = node.nextNodeIndex()
  }
}

/** A Map of { count, shallow, retained, distance } by class, of heapwatch's summary. */
const classNumbers = ({ classes }) => new Map(classes.map((c) => [keyOf(c),
  { count: c.count, shallow: c.shallow, retained: c.retained, distance: c.distance }]).sort())

/** The same Map by DevTools. */
const devtoolsClasses = (snapshot) => new Map(Object.entries(snapshot.aggregatesWithFilter({})).map(([key, c]) =>
  [key, { count: c.count, shallow: c.self, retained: c.maxRet, distance: c.distance }]).sort())

/** The statistics of heapwatch's summary, by DevTools. */
function devtoolsStatistics (snapshot) {
  const { native, v8heap, total } = snapshot.getStatistics()
  return {
    total,
    native: native.total,
    typedArrays: native.typedArrays,
    code: v8heap.code,
    strings: v8heap.strings,
    arrays: v8heap.jsArrays,
    system: v8heap.system
  }
}

module.exports = { classNumbers, devtoolsClasses, devtoolsLines, devtoolsStatistics, keyOf, nodeLines }
