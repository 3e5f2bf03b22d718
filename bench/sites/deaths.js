'use strict'

// npm run bench:deaths [-- --node PATH] [--deaths N] [--jobs N] [--keep DIR] [ways…]
//
// Whether a process that runs out of memory in a loop, where no timer ever runs
// again, leaves the function behind that did it: dies N times in each of four
// ways with `sites: true` and a recorder, and reads what is on disk. With --keep
// the recordings that do not name it stay in a directory.

const { execFileSync, spawn } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { openRecording } = require('../../lib/recorder')
const { pool } = require('../../test/fixtures/corpus/run')

const ADDON = path.join(__dirname, '..', '..')
const FLAGS = ['--max-old-space-size=64']
// A death takes a second or two; V8's own end now and then takes longer.
const TIMEOUT_MS = 120_000

// Each as the body of a program; `culprit` is the function to be named.
const WAYS = {
  objects: `const kept = []
    function culprit () { for (let i = 0; i < 1000; i++) kept.push({ id: kept.length, text: 'x'.repeat(100) + kept.length }) }
    while (true) culprit()`,
  array: `function culprit () { const numbers = []; while (true) numbers.push(numbers.length + 0.5) }
    culprit()`,
  parse: `const text = '[' + '{"a":[1,2,3],"b":{"c":"d"}},'.repeat(1_500_000) + '0]'
    function culprit () { return JSON.parse(text) }
    culprit()`,
  promises: `const kept = []
    async function culprit () { while (true) kept.push(await new Array(100).fill(kept.length)) }
    culprit()`
}

/** Resolves to the signal, or the code, that a program ended with. */
function die (node, way, file) {
  const source = `require(${JSON.stringify(ADDON)}).watch({ sites: true, recorder: ${JSON.stringify(file)} })\n${WAYS[way]}`
  return new Promise((resolve, reject) => {
    const child = spawn(node, [...FLAGS, '-e', source], { stdio: 'ignore' })
    const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS)
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve(signal ?? code)
    })
  })
}

/** Who is named by the newest note of sites: the culprit, another, or nobody. */
function namedBy (file) {
  const recording = openRecording(file)
  try {
    const words = recording.notes().filter(({ kind, data }) => kind === 'sites' && data.reason === 'last-words').at(-1)
    if (words === undefined) return 'nothing'
    const [site] = words.data.sites
    return site?.application?.functionName === 'culprit' ? 'right' : 'another'
  } finally {
    recording.close()
  }
}

async function main () {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      node: { type: 'string', default: process.execPath },
      deaths: { type: 'string', default: '100' },
      jobs: { type: 'string', default: '2' },
      keep: { type: 'string' }
    }
  })
  const ways = positionals.length > 0 ? positionals : Object.keys(WAYS)
  const unknown = ways.find((way) => !(way in WAYS))
  if (unknown) throw new Error(`no way to die is called ${unknown}: there are ${Object.keys(WAYS).join(', ')}`)
  if (values.keep) fs.mkdirSync(values.keep, { recursive: true })
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-deaths-'))
  const counts = Object.fromEntries(ways.map((way) => [way, { right: 0, another: 0, nothing: 0, ends: {} }]))
  try {
    await pool(Number(values.jobs), Array.from({ length: Number(values.deaths) }, (_, i) => i), async (i) => {
      const way = ways[i % ways.length]
      const file = path.join(folder, `${i}.hw`)
      const end = await die(values.node, way, file)
      const named = namedBy(file)
      counts[way][named]++
      counts[way].ends[end] = (counts[way].ends[end] ?? 0) + 1
      if (values.keep && named !== 'right') fs.copyFileSync(file, path.join(values.keep, `${way}-${i}.hwrec`))
      fs.rmSync(file)
    })
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
  console.log(execFileSync(values.node, ['--version'], { encoding: 'utf8' }).trim())
  for (const way of ways) {
    const { right, another, nothing, ends } = counts[way]
    const ended = Object.entries(ends).map(([end, count]) => `${count} by ${end}`).join(', ')
    console.log(`${way.padEnd(9)} right ${right}, another ${another}, nothing ${nothing}; ended ${ended}`)
  }
  const right = ways.reduce((sum, way) => sum + counts[way].right, 0)
  console.log(`${right} of ${values.deaths} right`)
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
