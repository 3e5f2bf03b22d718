'use strict'

// npm run bench:detect -- [--live] [--late SECONDS] [--json FILE] [--jobs N] [--node MAJOR] [names…]
//
// Judges heapwatch's leak detector, with its default options, and four rules in
// use today over the corpus of test/fixtures: its recorded traces, of every
// Node.js or of one; with --live the programs themselves, run now on this one.
// Names, whole or in part, choose programs. With --late the first seconds of each
// trace are left out, as if the watch had come so late.
//
//   found       leaking programs that were announced, after the leak began
//   right       of these, announced with the metric of the label
//   false       healthy programs that were announced, at any time, and leaks
//               announced before they began
//   standing    of the false ones, those still announced at the end
//   time        from the leak's beginning to its announcement
//   headroom    share of what was left until the heap's limit that was used up
//               by then, for those leaks that reached their limit

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { select } = require('../../test/fixtures/corpus/run')
const rules = require('./rules')
const { arrange, headroomUsed, list, read } = require('./trace')
const { runAll } = require('./live')

const ROOT = path.join(__dirname, '../..')

// Names by which a leak of the label's metric may rightly be called: a context
// is heap too, and a Buffer external memory.
const NAMES = { heap: ['heap'], contexts: ['contexts', 'heap'], arrayBuffers: ['arrayBuffers', 'external'], external: ['external', 'arrayBuffers'], native: ['native'] }

// Builds the replay of traces, the detector's own C code as a program, unless it
// is up to date; gives its path.
function buildReplay () {
  execFileSync('make', ['-s', '-C', path.join(ROOT, 'test/c'), 'replay'])
  return path.join(ROOT, 'build/c/replay')
}

// What heapwatch says of a trace's events: { t, event, metric } of each verdict.
// Samples are as far apart as with default options.
function replay (program, { meta, samples, gcs }) {
  const events = [meta, ...[...samples, ...gcs].sort((a, b) => a.t - b.t)]
  const input = events.map((event) => JSON.stringify(event) + '\n').join('')
  const printed = execFileSync(program, [], { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'inherit'] })
  return printed.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line))
}

// What a watch sees that comes `late` milliseconds after the program.
function seenFrom (events, late) {
  return events.filter(({ t, type }) => type === 'meta' || t >= late)
}

// What a rule that only ever says "leak" has said.
function said (t) {
  return t === null ? [] : [{ t, event: 'leak', metric: 'heap' }]
}

// How verdicts on one trace are to be judged by its label.
function judge (verdicts, { label, died }, trace) {
  const begins = (label.begins ?? 0) * 1000
  const leaks = verdicts.filter(({ event }) => event === 'leak')
  const after = leaks.find(({ t }) => t >= begins)
  const early = label.leak ? leaks.some(({ t }) => t < begins) : leaks.length > 0
  const ended = new Set(verdicts.filter(({ event }) => event === 'leakend').map(({ metric }) => metric))
  const found = label.leak && after !== undefined
  return {
    found,
    right: found && leaks.some(({ t, metric }) => t >= begins && NAMES[label.metric].includes(metric)),
    alarm: early,
    standing: early && !label.leak && leaks.some(({ metric }) => !ended.has(metric)),
    seconds: found ? (after.t - begins) / 1000 : undefined,
    // A leak that reaches its limit unannounced has used up all of it.
    headroom: label.leak && died ? (found ? headroomUsed(trace, begins, after.t) : 1) : undefined
  }
}

function quantile (values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted.length === 0 ? null : sorted[Math.ceil(share * sorted.length) - 1]
}

// One row of the table from the judgements of one rule.
function summarize (judged) {
  const of = (key) => judged.filter((each) => each[key]).map((each) => each.name)
  const leaks = judged.filter(({ label }) => label.leak)
  const numbers = (key) => judged.map((each) => each[key]).filter((value) => value !== undefined)
  return {
    leaks: leaks.length,
    healthy: judged.length - leaks.length,
    found: of('found').length,
    right: of('right').length,
    alarms: of('alarm').length,
    standing: of('standing').length,
    seconds: { median: quantile(numbers('seconds'), 0.5), p90: quantile(numbers('seconds'), 0.9), max: quantile(numbers('seconds'), 1) },
    headroom: { median: quantile(numbers('headroom'), 0.5), max: quantile(numbers('headroom'), 1) },
    missed: leaks.filter(({ found }) => !found).map(({ name }) => name),
    alarmed: of('alarm')
  }
}

const percent = (share) => share === null ? '-' : `${(share * 100).toFixed(0)} %`
const whole = (value) => value === null ? '-' : value.toFixed(0)

function print (table) {
  const rows = [['rule', 'found', 'right', 'false', 'standing', 'time s: median', 'p90', 'max', 'headroom: median', 'max']]
  for (const [rule, row] of Object.entries(table)) {
    rows.push([
      rule,
      `${row.found} of ${row.leaks} (${percent(row.found / row.leaks)})`,
      String(row.right),
      `${row.alarms} of ${row.healthy}`,
      String(row.standing),
      whole(row.seconds.median), whole(row.seconds.p90), whole(row.seconds.max),
      percent(row.headroom.median), percent(row.headroom.max)
    ])
  }
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  for (const row of rows) {
    console.log(row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join('  '))
  }
}

async function main () {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      live: { type: 'boolean', default: false },
      late: { type: 'string', default: '0' },
      json: { type: 'string' },
      jobs: { type: 'string', default: '6' },
      node: { type: 'string' }
    }
  })
  const late = Number(values.late) * 1000
  if (!(late >= 0)) throw new Error(`--late ${values.late}: must be seconds, from 0 on`)
  const programs = select(positionals)
  const traces = values.live
    ? await runAll(programs, Number(values.jobs), (line) => process.stderr.write(line + '\n'))
    : list().filter(({ node, program }) => programs.includes(program) && node.startsWith(`v${values.node ?? ''}`))
  const program = values.live ? null : buildReplay()
  const judged = { heapwatch: [], ...Object.fromEntries(Object.keys(rules).map((name) => [name, []])) }
  for (const each of traces) {
    const trace = arrange(seenFrom(each.events ?? read(each.file), late), 900)
    const verdicts = { heapwatch: each.verdicts ?? replay(program, trace) }
    for (const [name, rule] of Object.entries(rules)) verdicts[name] = said(rule(trace))
    for (const [name, list] of Object.entries(verdicts)) {
      judged[name].push({ name: `${each.program} on ${each.node}`, label: each.label, ...judge(list, each, trace) })
    }
  }
  const table = Object.fromEntries(Object.entries(judged).map(([name, list]) => [name, summarize(list)]))
  const versions = [...new Set(traces.map(({ node }) => node))].sort()
  console.log(`${values.live ? 'live programs' : `${traces.length} traces`} of the corpus, Node.js ${versions.join(', ')}\n`)
  print(table)
  for (const [what, key] of [['Missed', 'missed'], ['Falsely announced', 'alarmed']]) {
    if (table.heapwatch[key].length > 0) console.log(`\n${what} by heapwatch: ${table.heapwatch[key].join(', ')}`)
  }
  if (values.json) fs.writeFileSync(values.json, JSON.stringify(table, null, 2) + '\n')
}

main()
