'use strict'

// Prints what was measured, as tables in Markdown: readable in a terminal, and
// what bench/README.md shows. Every figure is a median, with the quartiles.

const { medianInterval, summary } = require('./stats')

function table (header, rows) {
  const widths = header.map((text, i) => Math.max(text.length, ...rows.map((row) => row[i].length)))
  const line = (cells) => `| ${cells.map((text, i) => i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i])).join(' | ')} |`
  const rule = `|${widths.map((width, i) => i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`).join('|')}|`
  console.log([line(header), rule, ...rows.map(line)].join('\n') + '\n')
}

function spread (values, digits = 0) {
  const { median, low, high } = summary(values)
  const show = (value) => value.toFixed(digits)
  return `${show(median)} (${show(low)} … ${show(high)})`
}

const ratios = (above, below) => above.map((value, i) => value / below[i])
const differences = (values, base) => values.map((value, i) => value - base[i])
const inMicroseconds = (values) => values.map((value) => value / 1000)

/** Where the median lies with 95 % confidence. */
const interval = (values, digits = 4) =>
  medianInterval(values).map((value) => value.toFixed(digits)).join(' … ')

function printMissed (result, versions) {
  console.log('Collections missed, of those that --trace-gc shows\n')
  table(['', 'minor', 'major'], Object.entries(result).map(([name, one]) => {
    const label = versions[name] ? `${name} ${versions[name]}` : name
    if (one.problem) return [label, 'unusable:', one.problem]
    const { traced, reported } = one
    // Some know only the sum.
    if (reported.all !== undefined) {
      return [label, `${traced.minor + traced.major - reported.all} of ${traced.minor + traced.major}`, '(in all)']
    }
    const of = (kind) => {
      if (reported[kind] === undefined) return `all ${traced[kind]}`
      const missing = traced[kind] - reported[kind]
      return missing < 0 ? `${-missing} too many` : `${missing} of ${traced[kind]}`
    }
    return [label, of('minor'), of('major')]
  }))
}

function printThroughput (result) {
  console.log('Throughput of the GC-heavy workload, compared with bare in the same round\n')
  table(['', 'by wall time', 'by CPU time'], Object.entries(result).map(([name, { wall, cpu }]) => name === 'bare'
    ? [name, `${spread(wall)} ms`, `${spread(cpu)} ms`]
    : [name, spread(ratios(result.bare.wall, wall), 4), spread(ratios(result.bare.cpu, cpu), 4)]))
}

function printAlternate (result) {
  console.log('Throughput with a watch and no listeners, on and off by turns in one process, by CPU time\n')
  const labels = { usual: "Node.js's own young generation", heavy: 'young generation of 1 MB' }
  table(['', 'ratio', '95 % interval of the median', 'quartets of blocks'], Object.entries(labels).map(([mode, label]) => {
    const { bare, heapwatch } = result[mode]
    const ratio = ratios(bare, heapwatch)
    return [label, spread(ratio, 4), interval(ratio), String(bare.length)]
  }))
}

function printInstructions ({ gcs, perGc, perSample, work, share }) {
  console.log('Instructions inside heapwatch\'s callbacks, those of V8 and Node.js that they call included\n')
  table(['', 'instructions', 'of'], [
    ['a collection', perGc.toFixed(0), `${gcs} collections`],
    ['a sample', perSample.toFixed(0), ''],
    ['all collections, share of the work', `${(share * 100).toFixed(4)} %`, `${(work / 1e6).toFixed(0)} million`]
  ])
}

function printHook (result) {
  console.log('One GC hook in place, prologue and epilogue together, ns\n')
  const labels = {
    minimal: 'two clock reads, two heap statistics',
    heapwatch: 'heapwatch',
    listener: 'heapwatch, gc listener',
    recorder: 'heapwatch, recorder'
  }
  const net = (mode, name) => differences(result[mode][name], result[mode].none)
  const rows = Object.entries(labels).map(([name, label]) => [label,
    ...['forced', 'working'].map((mode) => spread(net(mode, name)))])
  rows.push(['ratio heapwatch / minimal', ...['forced', 'working'].map((mode) =>
    spread(ratios(net(mode, 'heapwatch'), net(mode, 'minimal')), 2))])
  rows.push(['recorder on / off, difference', ...['forced', 'working'].map((mode) =>
    spread(differences(result[mode].recorder, result[mode].heapwatch)))])
  rows.push(['95 % interval of that median', ...['forced', 'working'].map((mode) =>
    interval(differences(result[mode].recorder, result[mode].heapwatch), 0))])
  table(['', 'small forced scavenges', 'collections of the workload'], rows)
}

function printDelivery (result) {
  console.log('CPU time of the main thread per collection, delivery included, µs above bare\n')
  table(['', 'at once', 'one every few ms', 'reported'], Object.keys(result.dense)
    .filter((name) => name !== 'bare')
    .map((name) => {
      const { dense: { [name]: dense }, paced: { [name]: paced } } = result
      const reported = name === 'minimal' ? '' : `${dense.seen + paced.seen} of ${dense.gcs + paced.gcs}`
      return [name, spread(inMicroseconds(dense.extra), 2), spread(inMicroseconds(paced.extra), 2), reported]
    }))
}

function printSamples ({ alone, samples, collections }) {
  const waking = { memoryUsage: 'a timer that calls process.memoryUsage()', both: 'and v8.getHeapStatistics()', heapwatch: 'a watch' }
  console.log('CPU time of each sample of a process that does nothing else, being woken for it included, µs\n')
  table(['', 'µs', 'ratio', '95 % interval of the median'], Object.entries(waking).map(([way, label]) => {
    const ratio = ratios(alone[way], alone.memoryUsage)
    return [label, spread(inMicroseconds(alone[way]), 1), spread(ratio, 2), interval(ratio, 2)]
  }))

  console.log('One sample of fifty at a time, against the calls that it replaces, less the timer of these\n')
  const labels = {
    memoryUsage: 'process.memoryUsage()',
    both: 'and v8.getHeapStatistics()',
    heapwatch: 'heapwatch, one sample'
  }
  const rows = Object.entries(labels).map(([way, label]) => [label,
    spread(inMicroseconds(samples[way].cpu), 2), spread(samples[way].heap), String(samples[way].count)])
  rows.push(['ratio to process.memoryUsage()', spread(ratios(samples.heapwatch.cpu, samples.memoryUsage.cpu), 2), '', ''])
  table(['', 'CPU time, µs', 'JS heap, bytes', 'calls'], rows)

  const { bytes, gcs } = collections
  console.log(`JS heap allocated for each of ${gcs} collections, bytes above bare\n`)
  table(['', 'bytes'], Object.keys(bytes).filter((name) => name !== 'bare')
    .map((name) => [name, ((bytes[name] - bytes.bare) / gcs).toFixed(1)]))
}

function printRecorder ({ read, report, samples, polled }) {
  console.log('The recorder\n')
  table(['', 'median (quartiles)'], [
    ['one sample, recorder off, µs', spread(inMicroseconds(samples.off), 2)],
    ['one sample, recorder on, µs', spread(inMicroseconds(samples.on), 2)],
    ['difference, µs', spread(inMicroseconds(differences(samples.on, samples.off)), 2)],
    ['a full file read to objects, the first time, ms', read.first.toFixed(1)],
    ['and again, ms', spread(read.later, 1)],
    ['heapwatch report of it, beyond node -e 0, ms', spread(differences(report.text, report.node))],
    ['with --html', spread(differences(report.html, report.node))],
    [`CPU time of a process polled at 10 Hz / of the same when not, ${polled.alone.length} pairs`, spread(ratios(polled.polled, polled.alone), 4)],
    ['95 % interval of that median', interval(ratios(polled.polled, polled.alone))]
  ])
}

/** Prints the result of one Node.js. */
function print (result, machine) {
  console.log(`## Node.js ${result.node}\n`)
  console.log(`${machine.cpus} CPUs (${machine.model}), ${machine.platform}, load ${result.load.toFixed(1)}, ` +
    `${result.rounds} rounds; medians, with the quartiles.\n`)
  const versions = Object.fromEntries(result.peers.map(({ name, version }) => [name, version]))
  if (result.missed) printMissed(result.missed, versions)
  if (result.throughput) printThroughput(result.throughput)
  if (result.alternate) printAlternate(result.alternate)
  if (result.instructions) printInstructions(result.instructions)
  if (result.hook) printHook(result.hook)
  if (result.delivery) printDelivery(result.delivery)
  if (result.samples) printSamples(result.samples)
  if (result.recorder) printRecorder(result.recorder)
}

module.exports = { print }
