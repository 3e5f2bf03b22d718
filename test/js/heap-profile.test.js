'use strict'

// Files of what is sampled, as others read them.

const assert = require('node:assert')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const test = require('node:test')
const zlib = require('node:zlib')
const { Profile } = require('pprof-format')
const heapwatch = require('../..')
const devtools = require('./devtools')
const { runForLines } = require('./helpers/child')

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-profile-'))
test.after(() => fs.rmSync(folder, { recursive: true }))

// Not to be inlined by V8, or what they allocate counts for their callers.
const NOT_INLINED = ['--max-inlined-bytecode-size=0', '--expose-gc']

/** Files of what two functions keep, in each format, one after the other. */
async function profiles () {
  const files = ['read.heapprofile', 'read.pb.gz'].map((name) => path.join(folder, name))
  const [{ sites }] = await runForLines((files) => {
    const watch = require('heapwatch').watch({ sites: { sampleInterval: 1024 } })
    const kept = []
    function makeTexts () {
      for (let i = 0; i < 4000; i++) kept.push({ i, text: 'z'.repeat(100) + i })
    }
    function makeLists (n) {
      for (let i = 0; i < n; i++) kept.push([i, [i], [[i]]])
    }
    makeTexts()
    makeLists(4000)
    globalThis.gc()
    for (const file of files) watch.writeHeapProfile(file)
    console.log(JSON.stringify(watch.sites({ limit: 32 })))
    watch.stop()
  }, { args: [files], flags: NOT_INLINED })
  return { files, sites }
}

/** Own bytes of each function of the program. */
function sizesOf (list) {
  const sizes = {}
  for (const [name, bytes] of list) {
    if (name.startsWith('make')) sizes[name] = (sizes[name] ?? 0) + bytes
  }
  return sizes
}

/** A program that is Go's pprof, where there is one. */
const pprof = [['go', 'tool', 'pprof'], ['pprof']].find(([command, ...args]) =>
  /-proto\b/.test(spawnSync(command, [...args, '-help'], { encoding: 'utf8' }).stderr ?? ''))

test('DevTools and pprof read the same sizes of each function as watch.sites() tells', async (t) => {
  const { files: [heapprofile, gzipped], sites } = await profiles()
  const model = await devtools.loadProfile(heapprofile)
  const nodes = []
  const walk = (node) => { nodes.push(node); node.children.forEach(walk) }
  walk(model.root)
  const own = sizesOf(nodes.map(({ functionName, self }) => [functionName, self]))
  assert.deepStrictEqual(Object.keys(own).sort(), ['makeLists', 'makeTexts'])
  const node = nodes.find(({ functionName }) => functionName === 'makeTexts')
  assert.ok(node.total > node.self, 'repeat and push were called by it')
  assert.strictEqual(model.total, nodes.reduce((sum, { self }) => sum + self, 0))
  // Of these, all samples have ordinals, and ordinals choose them by time.
  assert.ok(Math.abs((await devtools.loadProfile(heapprofile, 1, Infinity)).total / model.total - 1) < 0.05)

  // What V8's own functions allocate counts for their caller there.
  for (const name of Object.keys(own)) {
    const site = sites.find(({ functionName }) => functionName === name)
    const { total, lineNumber, columnNumber } = nodes.find(({ functionName }) => functionName === name)
    assert.ok(Math.abs(site.bytes / total - 1) < 0.05, `${name}: ${site.bytes} and ${total}`)
    assert.deepStrictEqual([lineNumber + 1, columnNumber + 1], [site.line, site.column])
  }

  const { sample, location, function: functions, stringTable: { strings } } = Profile.decode(zlib.gunzipSync(fs.readFileSync(gzipped)))
  const nameOf = (id) => {
    const { functionId } = location.find((each) => each.id === id).line[0]
    return strings[Number(functions.find((each) => each.id === functionId).name)]
  }
  assert.deepStrictEqual(sizesOf(sample.map(({ locationId, value }) => [nameOf(locationId[0]), Number(value[1])])), own)

  await t.test('by Go\'s own program', { skip: pprof === undefined && 'there is no pprof here' }, () => {
    const [command, ...args] = pprof
    const { status, stdout, stderr } = spawnSync(command, [...args, '-top', '-unit=B', '-nodefraction=0', gzipped], { encoding: 'utf8' })
    assert.strictEqual(status, 0, stderr)
    assert.match(stdout, /^Type: inuse_space$/m)
    const rows = [...stdout.matchAll(/^ *([\d.]+)B? .*%\s+(\S+)/gm)].map(([, bytes, name]) => [name, Number(bytes)])
    assert.deepStrictEqual(sizesOf(rows), own)
  })
})

test('heap profiles hold all that is sampled, for DevTools and for pprof', async () => {
  const files = ['app.heapprofile', 'app.pb.gz'].map((name) => path.join(folder, name))
  await runForLines((files) => {
    const watch = require('heapwatch').watch({ sites: { sampleInterval: 1024 } })
    const kept = []
    function keeper () {
      for (let i = 0; i < 3000; i++) kept.push({ i, text: 'z'.repeat(100) + i })
    }
    keeper()
    globalThis.gc()
    for (const file of files) watch.writeHeapProfile(file)
    watch.stop()
  }, { args: [files], flags: NOT_INLINED })

  const profile = JSON.parse(fs.readFileSync(files[0], 'utf8'))
  const nodes = []
  const walk = (node) => { nodes.push(node); node.children.forEach(walk) }
  walk(profile.head)
  assert.strictEqual(profile.head.callFrame.functionName, '(root)')
  const bytes = (list, of) => list.reduce((sum, each) => sum + each[of], 0)
  // V8 scales each sample by itself, and those of one size in one place together.
  assert.ok(Math.abs(bytes(nodes, 'selfSize') / bytes(profile.samples, 'size') - 1) < 0.05)
  assert.ok(profile.samples.every(({ nodeId, ordinal }) => ordinal > 0 && nodes.some(({ id }) => id === nodeId)))
  const keeper = nodes.find(({ callFrame }) => callFrame.functionName === 'keeper')
  assert.strictEqual(keeper.callFrame.url, '[eval]')
  assert.ok(keeper.callFrame.lineNumber > 0, 'counted from 0')

  // Datadog's decoder, made of pprof's own profile.proto.
  const pprof = Profile.decode(zlib.gunzipSync(fs.readFileSync(files[1])))
  const strings = pprof.stringTable.strings
  const text = (index) => strings[Number(index)]
  assert.strictEqual(strings[0], '')
  assert.deepStrictEqual(pprof.sampleType.map(({ type, unit }) => [text(type), text(unit)]),
    [['inuse_objects', 'count'], ['inuse_space', 'bytes']])
  assert.strictEqual(text(pprof.defaultSampleType), 'inuse_space')
  assert.deepStrictEqual([text(pprof.periodType.type), Number(pprof.period)], ['space', 1024])
  const total = pprof.sample.reduce((sum, { value }) => sum + Number(value[1]), 0)
  assert.ok(Math.abs(total / bytes(nodes, 'selfSize') - 1) < 0.05)
  const functions = new Map(pprof.function.map((each) => [Number(each.id), each]))
  const locations = new Map(pprof.location.map(({ id, line }) => [Number(id), functions.get(Number(line[0].functionId))]))
  const heaviest = pprof.sample.sort((a, b) => Number(b.value[1]) - Number(a.value[1]))[0]
  const found = heaviest.locationId.map((id) => locations.get(Number(id))).find(({ name }) => text(name) === 'keeper')
  assert.strictEqual(text(found.filename), '[eval]')
  assert.strictEqual(Number(found.startLine), keeper.callFrame.lineNumber + 1)
})

test('a heap profile that cannot be written says why', () => {
  const watch = heapwatch.watch({ sites: true })
  assert.throws(() => watch.writeHeapProfile('/nonexistent/a.heapprofile'), { code: 'ENOENT' })
  assert.throws(() => watch.writeHeapProfile('profile.json'), { code: 'ERR_HEAPWATCH_INVALID_OPTION_TYPE', message: /\.heapprofile or \.pb\.gz/ })
  if (process.platform === 'linux') {
    const full = path.join(folder, 'full.pb.gz')
    fs.symlinkSync('/dev/full', full)
    assert.throws(() => watch.writeHeapProfile(full), { code: 'ENOSPC' })
    fs.mkdirSync(path.join(folder, 'd.heapprofile'))
    assert.throws(() => watch.writeHeapProfile(path.join(folder, 'd.heapprofile')), { code: 'EISDIR' })
  }
  assert.strictEqual(watch.sites().state, 'sampling', 'nothing is lost by it')
  watch.stop()
  const without = heapwatch.watch({ sites: false })
  assert.throws(() => without.writeHeapProfile(path.join(folder, 'none.pb.gz')), { code: 'ERR_HEAPWATCH_NOT_SAMPLING', message: /"sites" is false/ })
  assert.ok(!fs.existsSync(path.join(folder, 'none.pb.gz')))
  without.stop()
})
