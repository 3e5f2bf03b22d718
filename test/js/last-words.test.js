'use strict'

// What a process whose heap fills leaves behind of its allocation sites.

const assert = require('node:assert')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const test = require('node:test')
const { openRecording } = require('../../lib/recorder')
const { assertEnd, runForLines, runNode } = require('./helpers/child')

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-words-'))
test.after(() => fs.rmSync(folder, { recursive: true }))

// Not to be inlined by V8, or what they allocate counts for their callers.
const NOT_INLINED = ['--max-inlined-bytecode-size=0', '--expose-gc']
const SMALL = ['--max-old-space-size=64', ...NOT_INLINED]

// The last notes of sites that a process left behind.
function lastWords (file) {
  const recording = openRecording(file)
  try {
    return recording.notes().filter(({ kind }) => kind === 'sites').map(({ data }) => data)
  } finally {
    recording.close()
  }
}

// Ways to run out of memory with no timer ever running again.
const DEATHS = {
  'a loop that makes objects': (recorder) => {
    require('heapwatch').watch({ sites: true, recorder })
    const kept = []
    function culprit () {
      kept.push({ id: kept.length, text: 'x'.repeat(100) + kept.length })
    }
    while (true) culprit()
  },
  'an array that grows': (recorder) => {
    require('heapwatch').watch({ sites: true, recorder })
    function culprit () {
      const numbers = []
      while (true) numbers.push(numbers.length + 0.5)
    }
    culprit()
  },
  'one giant JSON.parse': (recorder) => {
    require('heapwatch').watch({ sites: true, recorder })
    const text = '[' + '{"a":[1,2,3],"b":{"c":"d"}},'.repeat(1_500_000) + '0]'
    function culprit () {
      return JSON.parse(text)
    }
    culprit()
  },
  'promises that never leave their queue': (recorder) => {
    require('heapwatch').watch({ sites: true, recorder })
    const kept = []
    async function culprit () {
      while (true) kept.push(await new Array(100).fill(kept.length))
    }
    culprit()
  }
}

for (const [name, program] of Object.entries(DEATHS)) {
  test(`last words: ${name} leaves its function in the recording`, async () => {
    const file = path.join(folder, `${name.replaceAll(/\W/g, '-')}.hw`)
    const result = await runNode(program, { args: [file], flags: SMALL })
    assertEnd(result, 'SIGABRT')
    assert.match(result.stderr, /JavaScript heap out of memory/)
    const notes = lastWords(file)
    assert.strictEqual(notes.at(-1).reason, 'last-words')
    const [site] = notes.at(-1).sites
    assert.strictEqual(site.application.functionName, 'culprit', JSON.stringify(site))
    assert.ok(site.bytes > 20e6)
  })
}

test("last words with 'auto': sampling begins at 60 % of the limit, in the loop", async () => {
  const file = path.join(folder, 'auto.hw')
  const result = await runNode((recorder) => {
    require('heapwatch').watch({ recorder })
    const kept = []
    function culprit () {
      kept.push({ id: kept.length, text: 'x'.repeat(100) + kept.length })
    }
    while (true) culprit()
  }, { args: [file], flags: ['--max-old-space-size=320', ...NOT_INLINED] })
  assertEnd(result, 'SIGABRT')
  const [site] = lastWords(file).at(-1).sites
  assert.strictEqual(site.application.functionName, 'culprit')
})

test('a Worker at its heap limit ends as without us', async () => {
  // On Node.js 24 V8 now and then ends the whole process, without heapwatch as
  // well, in 5 to 28 % and with it in 8 to 30 %, on the same days; without, in 75 %
  // where nothing is inlined, and so that is not asked for here. Another try must
  // show that it need not.
  for (let tries = 0, code; code === undefined; tries++) {
    assert.ok(tries < 12, 'each time the whole process ended')
    const file = path.join(folder, `worker-${tries}.hw`)
    const result = await runNode(async (recorder) => {
      const { Worker } = require('node:worker_threads')
      const worker = new Worker(`
        require('heapwatch').watch({ sites: true, recorder: ${JSON.stringify(recorder)} })
        const kept = []
        function culprit () { kept.push({ id: kept.length, text: 'x'.repeat(100) + kept.length }) }
        while (true) culprit()`, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 64 } })
      worker.on('error', ({ code }) => console.log(JSON.stringify(code)))
    }, { args: [file] })
    for (const { sites } of lastWords(file)) assert.strictEqual(sites[0].application.url, '[worker eval]')
    if (result.signal === 'SIGABRT' && /^FATAL ERROR: Reached heap limit/m.test(result.stderr)) continue
    assertEnd(result)
    code = JSON.parse(result.stdout)
    assert.strictEqual(code, 'ERR_WORKER_OUT_OF_MEMORY')
  }
})

test('a snapshot that Node.js was told to write near the limit is written', async () => {
  const here = fs.mkdtempSync(path.join(folder, 'snapshot-'))
  const result = await runNode((here) => {
    process.chdir(here)
    require('heapwatch').watch({ sites: true, recorder: 'words.hw' })
    const kept = []
    while (true) kept.push({ id: kept.length, text: 'x'.repeat(100) + kept.length })
  }, { args: [here], flags: ['--max-old-space-size=64', '--heapsnapshot-near-heap-limit=1'] })
  assertEnd(result, 'SIGABRT')
  assert.ok(fs.readdirSync(here).some((name) => name.endsWith('.heapsnapshot')), fs.readdirSync(here).join())
  assert.ok(lastWords(path.join(here, 'words.hw')).length > 0)
})

test('pressure of the heap limit leaves the sites of that moment in the recording', async () => {
  const file = path.join(folder, 'pressure.hw')
  await runForLines((recorder) => {
    const watch = require('heapwatch').watch({ interval: 20, recorder, sites: true })
    const kept = []
    function culprit () {
      kept.push(new Array(128 * 1024).fill(kept.length))
    }
    const timer = setInterval(() => {
      culprit()
      if (kept.length < 108) return // 87 % of the limit
      clearInterval(timer)
      globalThis.gc()
      setTimeout(() => watch.stop(), 300)
    }, 5)
  }, { args: [file], flags: ['--max-old-space-size=128', ...NOT_INLINED] })
  const pressure = lastWords(file).find(({ reason }) => reason === 'pressure')
  assert.strictEqual(pressure.sites[0].application.functionName, 'culprit')
  assert.ok(pressure.heapUsed > 50e6 && pressure.unattributed < 0.3)
})
