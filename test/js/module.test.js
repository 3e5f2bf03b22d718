'use strict'

const assert = require('node:assert')
const fs = require('node:fs')
const path = require('node:path')
const test = require('node:test')
const { spawnSync } = require('node:child_process')
const { ROOT } = require('./helpers/child')

const folder = fs.mkdtempSync(path.join(require('node:os').tmpdir(), 'heapwatch-module-'))
fs.mkdirSync(path.join(folder, 'node_modules'))
fs.symlinkSync(ROOT, path.join(folder, 'node_modules', 'heapwatch'))
test.after(() => fs.rmSync(folder, { recursive: true }))

function runFile (name, source) {
  const file = path.join(folder, name)
  fs.writeFileSync(file, source)
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--preserve-symlinks', file], { encoding: 'utf8' })
  assert.strictEqual(status, 0, stderr)
  return stdout.trim()
}

const { version } = require('../../package.json')

test('CommonJS gets the module by its name', () => {
  assert.strictEqual(runFile('a.cjs', `
    const heapwatch = require('heapwatch')
    const watch = heapwatch.watch()
    console.log(heapwatch.version, watch instanceof heapwatch.HeapWatch, Object.keys(heapwatch).join())`),
  `${version} true watch,HeapWatch,analyze,readRecording,version`)
})

test('ESM gets named and default exports, the same objects', () => {
  assert.strictEqual(runFile('b.mjs', `
    import heapwatch, { watch, HeapWatch, version } from 'heapwatch'
    import { createRequire } from 'node:module'
    const same = createRequire(import.meta.url)('heapwatch') === heapwatch
    console.log(version, watch() instanceof HeapWatch, heapwatch.watch === watch, same)`),
  `${version} true true true`)
})

test('nothing but the documented entry points can be required', () => {
  assert.match(runFile('c.cjs', `
    try { require('heapwatch/lib/native') } catch (error) { console.log(error.code) }`),
  /ERR_PACKAGE_PATH_NOT_EXPORTED/)
})

test('the command tells its version, its commands, and what is wrong', () => {
  const cli = (...args) => spawnSync(process.execPath, [path.join(ROOT, 'lib', 'cli', 'main.js'), ...args], { encoding: 'utf8' })
  assert.strictEqual(cli('--version').stdout.trim(), version)
  assert.match(cli('--help').stdout, /build/)
  assert.match(cli('build', '--help').stdout, /Exit codes/)
  for (const args of [[], ['bulid'], ['build', '--nonsense']]) {
    const { status, stdout, stderr } = cli(...args)
    assert.strictEqual(status, 2)
    assert.strictEqual(stdout, '')
    assert.match(stderr, /heapwatch/)
  }
})
