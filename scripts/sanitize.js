'use strict'

// npm run sanitize:c
// npm run sanitize:js [-- --node MAJOR|all] [files...]
//
// The C tests, or the JavaScript ones with an addon built for it, under
// AddressSanitizer, LeakSanitizer and UBSan. Node.js itself is not built with
// them: their runtime is preloaded, which works on every supported version.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { build } = require('../lib/build')
const { BUILD } = require('../lib/toolchain')
const { nodeOf, parseMajors, setup } = require('./setup')
const { SuiteRun, cSuite, nodeTest, pathOf, testFiles } = require('./suites')

const REPORTS = path.join(BUILD, 'sanitizer-reports')

// Sanitized code runs several times slower, and so do the loops of tests that
// have a size: they multiply it by this.
const TEST_SCALE = '0.1'

async function main () {
  const { values, positionals: [what, ...files] } = parseArgs({
    allowPositionals: true,
    options: { node: { type: 'string', multiple: true, default: [] } }
  })
  if (!['c', 'js'].includes(what)) throw new Error('Usage: node scripts/sanitize.js c|js')
  const majors = parseMajors(values.node)
  if (majors.length === 0) majors.push(parseInt(process.versions.node, 10))

  await setup({ tests: what === 'c' })
  const run = new SuiteRun()
  if (what === 'c') await run.suite(cSuite({ sanitize: true }))
  else await Promise.all(majors.map((major) => testOn(run, major, testFiles(files))))
  process.exitCode = run.finish()
}

async function testOn (run, major, files) {
  const { binary, headers, version } = await nodeOf(major)
  const addon = await build({ nodeBinary: binary, headers, sanitize: true, log: console.log })
  const reports = path.join(REPORTS, `node-${version}`)
  fs.rmSync(reports, { recursive: true, force: true })
  fs.mkdirSync(reports, { recursive: true })
  fs.chmodSync(reports, 0o777) // tests become other users, too
  await run.suite({
    name: `js, sanitized, on ${version}`,
    counter: 'node',
    command: nodeTest(binary, files),
    env: {
      ...pathOf(binary),
      ...sanitizerEnv(reports),
      HEAPWATCH_BINARY: addon.path,
      HEAPWATCH_TEST_SCALE: process.env.HEAPWATCH_TEST_SCALE ?? TEST_SCALE
    },
    inspect: () => readReports(reports)
  })
}

// Reports go to files, one a process: tests start processes whose output they
// keep to themselves, and a report there counts like any other.
function sanitizerEnv (reports) {
  const library = execFileSync(process.env.CC ?? 'cc', ['-print-file-name=libasan.so'],
    { encoding: 'utf8' }).trim()
  const common = 'abort_on_error=1:halt_on_error=1:print_stacktrace=1:print_legend=0'
  return {
    LD_PRELOAD: library,
    ASAN_OPTIONS: `${common}:detect_leaks=1:malloc_context_size=12:` +
      `allocator_may_return_null=1:log_path=${reports}/asan`,
    UBSAN_OPTIONS: `${common}:log_path=${reports}/ubsan`,
    // Node.js leaves some of its own memory behind. A leak changes no exit
    // code, then; those that are ours are found in the reports. (Errors abort,
    // and so need no exit code.)
    LSAN_OPTIONS: 'exitcode=0'
  }
}

// Every report is a failure, except of leaks that are not ours. The same
// leak in many processes is one.
function readReports (directory) {
  const failures = new Map()
  for (const name of fs.readdirSync(directory)) {
    const text = fs.readFileSync(path.join(directory, name), 'utf8')
    const parts = text.includes('LeakSanitizer: detected memory leaks')
      ? text.split('\n\n').filter(isOurLeak)
      : [text]
    for (const part of parts) {
      const key = part.replaceAll(/0x[0-9a-f]+|\d+ (byte|object)|==\d+==/g, '')
      if (!failures.has(key)) failures.set(key, `${name}:\n${part.trim()}`)
    }
  }
  if (failures.size === 0) return
  return {
    reason: `${failures.size} different sanitizer reports, in ${directory}`,
    details: [...failures.values()].join('\n\n')
  }
}

// Ours is what our code allocated, or had Node-API allocate for it. What V8
// allocates for its heap's bookkeeping while it does what we asked belongs to
// that heap, which nobody takes apart when a process exits.
function isOurLeak (part) {
  if (!/^(Direct|Indirect) leak/m.test(part)) return false
  const frames = part.split('\n').filter((line) => /^ +#\d/.test(line))
  const ours = frames.findIndex((frame) => / \.\.\/src\/|heapwatch[^/]*\.node\+/.test(frame))
  return ours >= 0 && !frames.slice(0, ours).some((frame) => frame.includes('v8::internal::'))
}

main().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
