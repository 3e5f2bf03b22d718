'use strict'

// npm run bench:cause [-- --node PATH] [--jobs N] [--keep DIR] [--unseen | names…]
//
// Whether the cause of a leak that is told is the right one. Runs each program
// of the corpus whose leak is in the heap, and once it has built what it has to
// build looks for the cause as a watch does: three copy-on-write snapshots, a
// window of its label apart, compared in another process. What is left out is
// only the detector, which would take minutes.
//
// --unseen takes the programs of test/fixtures/corpus/unseen instead, which
// others wrote who did not know the rules.
//
// Right is a cause whose kind is one that the label allows and whose
// description names the holder of the label; anything else that claims to know
// is wrong. Exit code 1 if fewer than 90 % are right, or more than 5 % wrong.
// With --keep the snapshots stay in a directory, one for each program.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')
const traces = require('../../test/fixtures/traces/index.json')
const { install, labels, pool, run, select } = require('../../test/fixtures/corpus/run')

const LEAST_RIGHT = 0.9
const MOST_WRONG = 0.05

// For the snapshots and their analysis on a busy machine.
const PATIENCE = 180

/** 'right', 'wrong' or 'unknown'. */
function judge ({ kind, description }, { cause, also = [], holder }) {
  if (kind === 'unknown') return 'unknown'
  return [cause, ...also].includes(kind) && holder.some((name) => description.includes(name)) ? 'right' : 'wrong'
}

async function find (name, node, keep) {
  const { begins = 0, from, window, execArgv } = labels[name]
  const folder = keep && path.join(keep, name)
  if (folder) fs.mkdirSync(folder, { recursive: true })
  // How long it lives is known from its traces: a watch foretells it.
  const ends = Object.values(traces).filter(({ program, died }) => program === name && died).map(({ seconds }) => seconds)
  const left = ends.length > 0 ? (Math.min(...ends) - from) * 1000 : undefined
  const setting = { from: begins + from, window, left, keep: folder }
  const { events } = await run(name, {
    node,
    execArgv,
    preload: path.join(__dirname, 'preload.js'),
    seconds: setting.from + 3 * window + PATIENCE,
    until: (events) => events.length > 0,
    env: { HEAPWATCH_CORPUS_CAUSE: JSON.stringify(setting) }
  })
  return events[0]
}

async function main () {
  const { values: { node, jobs, keep, unseen }, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      node: { type: 'string', default: process.execPath },
      jobs: { type: 'string', default: '2' },
      keep: { type: 'string' },
      unseen: { type: 'boolean', default: false }
    }
  })
  const names = select(unseen ? ['unseen/'] : positionals)
    .filter((name) => labels[name].leak && labels[name].metric !== 'native')
  await install(names)
  console.log(execFileSync(node, ['--version'], { encoding: 'utf8' }).trim())
  const counts = { right: 0, unknown: 0, wrong: 0 }
  await pool(Number(jobs), names, async (name) => {
    const found = await find(name, node, keep && path.resolve(keep)).catch((error) =>
      ({ kind: 'unknown', description: error.message }))
    const verdict = judge(found, labels[name])
    counts[verdict]++
    console.log(`${verdict.padEnd(8)}${name.padEnd(28)} ${found.kind}: ${found.description}`)
  })
  const { right, unknown, wrong } = counts
  console.log(`${names.length} leaks: ${right} right, ${unknown} unknown, ${wrong} wrong`)
  if (right < LEAST_RIGHT * names.length || wrong > MOST_WRONG * names.length) process.exitCode = 1
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
