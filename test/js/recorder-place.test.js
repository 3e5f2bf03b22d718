'use strict'

// Where recordings lie, who may see them, and how many are kept.

const assert = require('node:assert')
const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const test = require('node:test')
const { assertEnd, runNode } = require('./helpers/child')

const MB = 1024 * 1024
const NOBODY = 65534
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-place-'))
test.after(() => fs.rmSync(folder, { recursive: true }))

const isRoot = process.getuid?.() === 0
const needsRoot = { skip: !isRoot && 'needs root' }
let count = 0
const fresh = (name) => path.join(folder, `${name}-${count++}`)

/** Starts a watch that records; the path, and what was said on stderr. */
async function start (recorder, { directory, ...options } = {}) {
  const end = await runNode((recorder) => {
    const { watch } = require('heapwatch')
    const watched = watch({ interval: 10, recorder })
    setTimeout(() => {
      const { samples } = watched.stats()
      console.log(JSON.stringify({ path: watched.recorder, samples, pid: process.pid }))
      process.exit()
    }, 100)
  }, { args: [recorder], env: { HEAPWATCH_DIR: directory }, ...options })
  assertEnd(end)
  return { ...JSON.parse(end.stdout), stderr: end.stderr }
}

function assertUnrecorded ({ path, samples, stderr }, reason) {
  assert.strictEqual(path, null)
  assert.ok(samples > 0, 'the watch goes on')
  assert.match(stderr, reason)
  assert.strictEqual(stderr.match(/HeapwatchWarning/g).length, 1, 'one warning')
  assert.match(stderr, /nothing is recorded/)
}

function mounted (t, options) {
  const directory = fresh('mount')
  fs.mkdirSync(directory)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory], { stdio: 'pipe' })
  } catch {
    t.skip('this process may not mount a file system')
    return undefined
  }
  t.after(() => execFileSync('umount', [directory]))
  return directory
}

test('a recording is named by process and thread, and its user alone may see it', async () => {
  const directory = path.join(fresh('private'), 'deeper')
  const { path: file, pid, stderr } = await start(true, { directory })
  assert.strictEqual(stderr, '')
  assert.strictEqual(path.dirname(file), directory)
  assert.match(path.basename(file), new RegExp(`^${pid}-0-\\d{13}\\.hwrec$`))
  assert.strictEqual(fs.statSync(directory).mode & 0o777, 0o700)
  assert.strictEqual(fs.statSync(file).mode & 0o777, 0o600)
  assert.strictEqual(fs.statSync(file).size, 4 * MB)
  assert.ok(fs.statSync(file).blocks * 512 >= 4 * MB, 'all of it is allocated')
  assert.deepStrictEqual(fs.readdirSync(directory), [path.basename(file)])
})

test('the default is a directory of the user in memory, or in /tmp', async () => {
  const { path: file } = await start(true, { directory: undefined })
  const parent = fs.existsSync('/dev/shm') ? '/dev/shm' : '/tmp'
  assert.strictEqual(path.dirname(file), path.join(parent, `heapwatch-${process.geteuid()}`))
  fs.unlinkSync(file)
})

test('the size of the file is an option', async () => {
  const { path: file } = await start({ size: 3 * MB, directory: fresh('size') })
  assert.strictEqual(fs.statSync(file).size, 3 * MB)
})

test('a path may have the process and the thread in it', async () => {
  const { path: file, pid } = await start(path.join(folder, 'at-%p-%t.bin'))
  assert.strictEqual(file, path.join(folder, `at-${pid}-0.bin`))
  assert.ok(fs.existsSync(file))
})

test('what a dead process left at a path is kept beside it', async () => {
  const file = fresh('fixed')
  assert.strictEqual((await start(file)).path, file)
  const first = fs.readFileSync(file)
  assert.strictEqual((await start(file)).path, file)
  assert.ok(fs.readFileSync(`${file}.old`).equals(first))
  assert.ok(!fs.readFileSync(file).equals(first))
})

test('a file that is no recording, or one in use, is left alone', async () => {
  const file = fresh('taken')
  fs.writeFileSync(file, 'precious')
  assertUnrecorded(await start(file), /the file exists already/)
  assert.strictEqual(fs.readFileSync(file, 'utf8'), 'precious')

  const used = fresh('used')
  const watch = require('heapwatch').watch({ recorder: used })
  const { ino } = fs.statSync(used)
  assertUnrecorded(await start(used), /the file exists already/)
  assert.strictEqual(fs.statSync(used).ino, ino)
  watch.stop()
})

test('a directory that is a symbolic link is not used', async () => {
  const [target, link] = [fresh('target'), fresh('link')]
  fs.mkdirSync(target, { mode: 0o700 })
  fs.symlinkSync(target, link)
  assertUnrecorded(await start(true, { directory: link }), /a symbolic link/)
  assert.deepStrictEqual(fs.readdirSync(target), [])
})

test('a directory open to others is not used', async () => {
  const directory = fresh('open')
  fs.mkdirSync(directory)
  fs.chmodSync(directory, 0o770)
  assertUnrecorded(await start(true, { directory }), /open to others/)
  assert.deepStrictEqual(fs.readdirSync(directory), [])
})

test("another user's directory is not used", needsRoot, async () => {
  const directory = fresh('foreign')
  fs.mkdirSync(directory, { mode: 0o700 })
  fs.chownSync(directory, NOBODY, NOBODY)
  assertUnrecorded(await start(true, { directory }), /belongs to another user/)
  assert.deepStrictEqual(fs.readdirSync(directory), [])
})

test('a read-only file system costs one warning', needsRoot, async (t) => {
  const directory = mounted(t, 'ro')
  if (directory) assertUnrecorded(await start(true, { directory: path.join(directory, 'x') }), /read-only file system/i)
  if (directory) assertUnrecorded(await start(path.join(directory, 'x')), /read-only/)
})

test('a full file system costs one warning, and no file is left there', needsRoot, async (t) => {
  const directory = mounted(t, 'size=3m,mode=0700')
  if (!directory) return
  assertUnrecorded(await start(true, { directory }), /no room/)
  assert.deepStrictEqual(fs.readdirSync(directory), [])
})

test('a directory that cannot be made costs one warning', async () => {
  const file = fresh('file')
  fs.writeFileSync(file, '')
  assertUnrecorded(await start(true, { directory: path.join(file, 'x') }), /ENOTDIR/)
})

test('of dead recordings the newest are kept, and no living one is removed', async (t) => {
  const directory = fresh('pruned')
  process.env.HEAPWATCH_DIR = directory
  t.after(() => delete process.env.HEAPWATCH_DIR)
  const living = require('heapwatch').watch({ recorder: { size: 2 * MB } })
  t.after(() => living.stop())
  const left = []
  for (let i = 0; i < 5; i++) left.push((await start({ size: 2 * MB, keep: 3 }, { directory })).path)
  // Pruned before the last was made: three, and that one.
  assert.deepStrictEqual(fs.readdirSync(directory).sort(),
    [living.recorder, ...left.slice(1)].map((file) => path.basename(file)).sort())

  // What is not ours stays; drafts of the dead go, when they are old enough.
  const kept = ['notes.txt', '1-0-100.hwrec.bak', '99-0-1000000000001.hwrec.99.new']
  for (const name of kept) fs.writeFileSync(path.join(directory, name), 'x')
  const draft = path.join(directory, '99-0-1000000000002.hwrec.99.new')
  fs.writeFileSync(draft, '')
  fs.utimesSync(draft, 0, 0)
  const last = (await start({ size: 2 * MB, keep: 0 }, { directory })).path
  assert.deepStrictEqual(fs.readdirSync(directory).sort(),
    [living.recorder, last, ...kept].map((file) => path.basename(file)).sort())

  const { listRecordings, recorderDirectory } = require('../../lib/recorder')
  assert.strictEqual(recorderDirectory(), directory)
  const broken = path.join(directory, '1-0-1000000000000.hwrec')
  fs.writeFileSync(broken, 'x')
  const list = listRecordings()
  assert.deepStrictEqual(list.map(({ path }) => path), [last, living.recorder, broken])
  assert.deepStrictEqual(list.map(({ alive }) => alive), [false, true, false])
  assert.strictEqual(list[1].pid, process.pid)
  assert.strictEqual(list[2].error.code, 'ERR_HEAPWATCH_RECORDING_FOREIGN')
})

test('dead recordings take no more than a quarter of their file system', needsRoot, async (t) => {
  const directory = mounted(t, 'size=32m,mode=0700')
  if (!directory) return
  for (let i = 0; i < 8; i++) assert.notStrictEqual((await start({ size: 2 * MB }, { directory })).path, null)
  assert.strictEqual(fs.readdirSync(directory).length, 5)
})

test('several watches of a thread have a file each', async () => {
  const directory = fresh('several')
  const watches = Array.from({ length: 5 }, () =>
    require('heapwatch').watch({ recorder: { directory, size: 2 * MB } }))
  assert.strictEqual(new Set(watches.map(({ recorder }) => recorder)).size, 5)
  assert.strictEqual(fs.readdirSync(directory).length, 5)
  for (const watch of watches) watch.stop()
})

test('wrong options are refused by name', () => {
  const { watch } = require('heapwatch')
  for (const recorder of [7, null, '', { path: 7 }, { path: 'a\0b' }, { directory: '' }, { size: '4' }]) {
    assert.throws(() => watch({ recorder }), { name: 'TypeError', code: 'ERR_HEAPWATCH_INVALID_OPTION_TYPE' })
  }
  for (const recorder of [{ size: MB }, { size: 65 * MB }, { keep: -1 }]) {
    assert.throws(() => watch({ recorder }), { name: 'RangeError', code: 'ERR_HEAPWATCH_OPTION_OUT_OF_RANGE' })
  }
  assert.throws(() => watch({ recorder: { dir: 'x' } }), { code: 'ERR_HEAPWATCH_UNKNOWN_OPTION' })
})
