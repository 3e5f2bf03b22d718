'use strict'

// npm run test:package [-- --tarball FILE]
//
// Makes the tarball as it would be published and tests it. Takes some minutes
// the first time: eight builds, four Node.js for arm64, package managers.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { ROOT, npmCommand, run } = require('../lib/toolchain')
const { setup } = require('./setup')
const { SuiteRun, nodeTest } = require('./suites')

async function main () {
  const { values } = parseArgs({ options: { tarball: { type: 'string' } } })
  await setup({ arches: ['arm64'] })
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-pack-'))
  try {
    const tarball = values.tarball ? path.resolve(values.tarball) : await pack(directory)
    const tests = new SuiteRun()
    await tests.suite({
      name: 'package',
      counter: 'node',
      command: nodeTest(process.execPath, [path.join(ROOT, 'test', 'package', 'package.test.js')]),
      env: { HEAPWATCH_TARBALL: tarball }
    })
    process.exitCode = tests.finish()
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

async function pack (directory) {
  console.log('packing (npm pack)')
  const [command, ...args] = npmCommand()
  await run(command, [...args, 'pack', '--pack-destination', directory])
  const [name] = fs.readdirSync(directory)
  console.log(`${name}: ${fs.statSync(path.join(directory, name)).size} bytes`)
  return path.join(directory, name)
}

main().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
