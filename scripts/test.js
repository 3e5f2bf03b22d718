'use strict'

// npm test [-- --node MAJOR]... [--all] [--only c|js|lint|types] [files...]
//
// Sets up, builds, and runs the tests: those of the C code, the linter, the
// types, and the JavaScript ones on the running Node.js or on those asked for.
// `--all` is every supported Node.js. Files are JavaScript tests to run alone.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { ROOT } = require('../lib/toolchain')
const { MAJORS, nodeOf, parseMajors, setup } = require('./setup')
const { SuiteRun, cSuite, nodeTest, pathOf, testFiles } = require('./suites')

const KINDS = ['c', 'js', 'lint', 'types']
// They take half of that on two cores with nothing else to do.
const TOTAL_TIMEOUT = 55 * 60_000

async function main () {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      node: { type: 'string', multiple: true, default: [] },
      all: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] }
    }
  })
  for (const kind of values.only) {
    if (!KINDS.includes(kind)) throw new Error(`--only ${kind}: must be one of ${KINDS.join(', ')}`)
  }
  const kinds = positionals.length > 0 ? ['js'] : values.only.length > 0 ? values.only : KINDS
  const majors = values.all ? MAJORS : parseMajors(values.node)
  if (majors.length === 0) majors.push(parseInt(process.versions.node, 10))

  const run = new SuiteRun({ timeout: TOTAL_TIMEOUT })
  await setup({ tests: kinds.includes('c') })
  const suites = kinds.includes('js')
    ? majors.map((major) => testOn(run, major, testFiles(positionals), majors.length))
    : []
  if (kinds.includes('c')) suites.push(run.suite(cSuite()))
  if (kinds.includes('lint')) suites.push(run.suite(lintSuite()))
  if (kinds.includes('types') && hasTypeTests()) suites.push(run.suite(typesSuite()))
  await Promise.all(suites)
  process.exitCode = run.finish()
}

// The build is a process of its own so that it, too, cannot hang the run.
async function testOn (run, major, files, builds) {
  const built = await run.suite({
    name: `build for Node ${major}`,
    counter: 'step',
    command: [process.execPath, 'scripts/build.js', '--node', String(major),
      '--jobs', String(Math.ceil(os.availableParallelism() / builds))]
  })
  if (!built) return
  const { binary, version } = await nodeOf(major)
  await run.suite({
    name: `js on Node ${version}`,
    counter: 'node',
    command: nodeTest(binary, files),
    env: pathOf(binary)
  })
}

function lintSuite () {
  return { name: 'lint', counter: 'check', command: ['node_modules/.bin/standard'] }
}

function typesSuite () {
  return { name: 'types', counter: 'check', command: ['node_modules/.bin/tsc', '-p', 'test/types'] }
}

function hasTypeTests () {
  const directory = path.join(ROOT, 'test', 'types')
  return fs.existsSync(directory) &&
    fs.readdirSync(directory).some((name) => /\.[cm]?ts$/.test(name))
}

main().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
