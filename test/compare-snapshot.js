'use strict'

// node test/compare-snapshot.js FILE...
//
// Holds what heapwatch says of heap snapshots against DevTools' own code, of
// every node, every class and every kind: for files of any version and browser.
// Exit code 1 if anything differs.

const { isDeepStrictEqual } = require('node:util')
const { ask } = require('../lib/snapshot')
const devtools = require('./js/devtools')
const { classNumbers, devtoolsClasses, devtoolsLines, devtoolsStatistics, nodeLines } = require('./js/helpers/snapshot-numbers')

async function compare (file) {
  const snapshot = await devtools.load(file)
  const lines = await nodeLines(file)
  let nodes = Math.abs(lines.length - snapshot.nodeCount)
  let at = 0
  for (const { line, what } of devtoolsLines(snapshot)) {
    if (lines[at++] === line) continue
    nodes++
    if (nodes <= 5) console.log(`  ${what}: ${lines[at - 1]} here, ${line} in DevTools`)
  }
  const summary = await ask('summary', [file])
  const ours = classNumbers(summary)
  const theirs = devtoolsClasses(snapshot)
  const classes = [...new Set([...ours.keys(), ...theirs.keys()])]
    .filter((key) => !isDeepStrictEqual(ours.get(key), theirs.get(key)))
  for (const key of classes.slice(0, 5)) console.log(`  ${key}:`, ours.get(key), 'here,', theirs.get(key), 'in DevTools')
  const statistics = isDeepStrictEqual(summary.statistics, devtoolsStatistics(snapshot))
  if (!statistics) console.log('  statistics:', summary.statistics, 'here,', devtoolsStatistics(snapshot), 'in DevTools')
  console.log(`${file}: ${lines.length} nodes, ${nodes} different; ${theirs.size} classes, ${classes.length} different; ` +
    `statistics ${statistics ? 'the same' : 'different'}`)
  return nodes === 0 && classes.length === 0 && statistics
}

async function main (files) {
  if (files.length === 0) throw new Error('Usage: node test/compare-snapshot.js FILE...')
  for (const file of files) {
    if (!await compare(file)) process.exitCode = 1
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message)
  process.exitCode = 1
})
