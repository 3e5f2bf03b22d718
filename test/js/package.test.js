'use strict'

// What is packed works where nothing else of the repository is.

const { describe, it } = require('node:test')
const assert = require('node:assert')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { npmCommand } = require('../../lib/toolchain')
const { ROOT } = require('./helpers/child')

function run (command, args, options) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 120_000, ...options })
  assert.strictEqual(status, 0, `${command} ${args.join(' ')}: ${stderr}`)
  return stdout
}

describe('the packed package', () => {
  it('watches by preloading, and makes pages with charts, with no other package there', () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-package-'))
    try {
      const [npm, ...first] = npmCommand()
      // The scripts of `npm pack` also build the binaries of eight Node.js, which
      // `npm run test:package` looks at. Here the one that runs will do.
      run(process.execPath, [path.join(ROOT, 'scripts', 'vendor.js')])
      const [{ filename }] = JSON.parse(run(npm, [...first, 'pack', '--json', '--silent', '--ignore-scripts', '--pack-destination', directory], { cwd: ROOT }))
      const modules = path.join(directory, 'node_modules')
      fs.mkdirSync(modules)
      run('tar', ['-xzf', path.join(directory, filename), '-C', modules])
      fs.renameSync(path.join(modules, 'package'), path.join(modules, 'heapwatch'))
      const { dependencies = {} } = JSON.parse(fs.readFileSync(path.join(modules, 'heapwatch', 'package.json')))
      assert.deepStrictEqual(dependencies, {})

      const recordings = path.join(directory, 'recordings')
      fs.mkdirSync(recordings, { mode: 0o700 })
      const env = { ...process.env, NODE_TEST_CONTEXT: undefined, HEAPWATCH_DIR: recordings, HEAPWATCH_INTERVAL: '20', HEAPWATCH_LOG: 'off' }
      run(process.execPath, ['--require', 'heapwatch/register', '-e', 'setTimeout(() => {}, 300)'], { cwd: directory, env })
      const [recording] = fs.readdirSync(recordings)
      const html = run(process.execPath, [path.join(modules, 'heapwatch', 'lib', 'cli', 'main.js'), 'report', path.join(recordings, recording), '--html', '-'], { cwd: directory, env })
      assert.match(html, /var uPlot=/)
      assert.match(html, /heapwatchCharts/)
    } finally {
      fs.rmSync(directory, { recursive: true })
    }
  })
})
