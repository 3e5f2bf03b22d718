'use strict'

// What it takes to sum a heap snapshot up: heapwatch, Chrome DevTools' own
// code, and memlab if it is installed (npm i --no-save memlab).
//
//   node bench/snapshot.js [--objects N,N...] [--runs N] [--file FILE]...
//
// Takes a snapshot of a process with that many objects (some 900 bytes of file
// each) on the Node.js that runs it, or uses FILEs; then runs each tool in a
// process of its own, by turns, and prints the median of wall time, CPU time
// and peak memory, the least and the most in brackets, and how many times less
// heapwatch takes. Each tool must find as many nodes and bytes as the others.

const { execFileSync, spawn } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')

const USAGE = path.join(__dirname, 'usage.js')
const SNAPSHOT = path.join(__dirname, '..', 'lib', 'snapshot')
const DEVTOOLS = path.join(__dirname, '..', 'test', 'js', 'devtools.js')
const HEAP = '--max-old-space-size=12000'

const PROGRAM = `
class Order {
  constructor (i) {
    this.id = i
    this.customer = { name: 'customer ' + i, city: 'city' + i % 1000 }
    this.lines = [{ sku: i, quantity: i % 7 }, { sku: i + 1, quantity: 2.5 + i }]
    this.note = 'note ' + i
  }
}
const [file, objects] = process.argv.slice(1)
const map = new Map()
const list = []
for (let i = 0; i < Number(objects); i++) {
  const order = new Order(i)
  map.set(i, order)
  if (i % 4 === 0) list.push(() => order)
  if (i % 10 === 0) list.push(new Set([order]))
}
globalThis.kept = [map, list]
require('node:v8').writeHeapSnapshot(file)`

// Each prints `nodes total` as its last line.
const TOOLS = {
  heapwatch: (file) => ['-e', `
    const { ask } = require(${JSON.stringify(SNAPSHOT)})
    ask('summary', [${JSON.stringify(file)}]).then(({ nodes, total }) => console.log(nodes, total))`],
  'Chrome DevTools': (file) => [HEAP, '-e', `
    require(${JSON.stringify(DEVTOOLS)}).load(${JSON.stringify(file)}).then((snapshot) => {
      snapshot.aggregatesWithFilter({})
      console.log(snapshot.nodeCount, snapshot.totalSize)
    })`],
  memlab: (file) => [HEAP, '-e', `
    require('@memlab/heap-analysis').getFullHeapFromFile(${JSON.stringify(file)}).then((heap) => {
      console.log(heap.nodes.length, heap.nodes.get(0).retainedSize)
    })`]
}

function measure (args) {
  return new Promise((resolve, reject) => {
    const start = process.hrtime.bigint()
    const child = spawn(process.execPath, ['-r', USAGE, ...args],
      { cwd: path.join(__dirname, '..'), stdio: ['ignore', 'pipe', 'inherit', 'pipe'] })
    let output = ''
    let usage = ''
    child.stdout.on('data', (data) => { output += data })
    child.stdio[3].on('data', (data) => { usage += data })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code !== 0) return reject(new Error(`exit code ${code}`))
      const wall = Number(process.hrtime.bigint() - start) / 1e9
      resolve({ wall, ...JSON.parse(usage), answer: output.trim().split('\n').pop() })
    })
  })
}

function spread (values, digits) {
  const sorted = [...values].sort((a, b) => a - b)
  const show = (value) => value.toFixed(digits)
  return { median: sorted[sorted.length >> 1], text: `${show(sorted[sorted.length >> 1])} (${show(sorted[0])}–${show(sorted.at(-1))})` }
}

async function compare (file, runs) {
  const { size } = fs.statSync(file)
  console.log(`\n${(size / 1e6).toFixed(0)} MB`)
  const names = Object.keys(TOOLS).filter((name) => name !== 'memlab' || installed('@memlab/heap-analysis'))
  const taken = Object.fromEntries(names.map((name) => [name, []]))
  for (let run = 0; run < runs; run++) {
    for (const name of names) taken[name].push(await measure(TOOLS[name](file)))
  }
  let ours
  for (const name of names) {
    const wall = spread(taken[name].map((t) => t.wall), 2)
    const cpu = spread(taken[name].map((t) => t.cpu), 2)
    const rss = spread(taken[name].map((t) => t.rss / 1e6), 0)
    ours ??= { wall, cpu, rss }
    const times = [wall.median / ours.wall.median, cpu.median / ours.cpu.median, rss.median / ours.rss.median]
    console.log(`${name.padEnd(16)} wall ${wall.text} s  CPU ${cpu.text} s  peak ${rss.text} MB` +
      `${name === 'heapwatch' ? '' : `  that is ${times.map((t) => `${t.toFixed(1)}×`).join(', ')}`}` +
      `  [${taken[name][0].answer}]`)
  }
}

function installed (name) {
  try {
    return require.resolve(name) !== ''
  } catch {
    return false
  }
}

async function main () {
  const { values } = parseArgs({
    options: {
      objects: { type: 'string', default: '55000,220000' },
      runs: { type: 'string', default: '5' },
      file: { type: 'string', multiple: true, default: [] }
    }
  })
  console.log(`Node.js ${process.version}, ${os.cpus()[0].model.trim()}, ${os.availableParallelism()} cores`)
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-bench-'))
  try {
    const files = [...values.file]
    for (const objects of files.length > 0 ? [] : values.objects.split(',')) {
      const file = path.join(directory, `${objects}.heapsnapshot`)
      execFileSync(process.execPath, [HEAP, '-e', PROGRAM, file, objects])
      files.push(file)
    }
    for (const file of files) await compare(path.resolve(file), Number(values.runs))
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

main().catch((error) => {
  console.error(error.message)
  process.exitCode = 1
})
