'use strict'

// Finding and refusing the addon. Each load is in a process of its own, which
// must end as it would without heapwatch: a binary that does not fit is an
// error that says how to mend it, never a crash.

const { after, describe, it } = require('node:test')
const assert = require('node:assert')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { binaryPath } = require('../../lib/binary')
const { build } = require('../../lib/build')
const { BUILD } = require('../../lib/toolchain')
const { ROOT, runForResult } = require('./helpers/child')

const BINARY = path.resolve(process.env.HEAPWATCH_BINARY || binaryPath())
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-binary-'))
after(() => fs.rmSync(directory, { recursive: true }))

/** A file in the temporary directory; returns its path. */
function file (name, content) {
  const target = path.join(directory, name)
  fs.writeFileSync(target, content)
  return target
}

/** What comes of loading heapwatch with that HEAPWATCH_BINARY. */
function load (binary, root = ROOT) {
  return runForResult((root) => {
    let result
    try {
      const watch = require(root).watch()
      const { heapUsed } = watch.sample()
      watch.stop()
      const { sharedObjects } = process.report.getReport()
      result = { heapUsed, sharedObjects }
    } catch ({ name, code, message, cause }) {
      result = { name, code, message, cause: cause?.message }
    }
    console.log(JSON.stringify(result))
  }, { args: [root], env: { HEAPWATCH_BINARY: binary } })
}

/** Asserts an error that says which file, which Node.js, and what to do. */
function assertExplains (error, code, binary) {
  assert.strictEqual(error.code, code, JSON.stringify(error))
  for (const part of [binary, `Node.js ${process.version}`, `ABI ${process.versions.modules}`,
    `${process.platform}-${process.arch}`, 'npx heapwatch build']) {
    assert.ok(error.message.includes(part), `"${part}" is not in: ${error.message}`)
  }
}

/** A binary for another Node.js: { file, abi }, or undefined if none can be had. */
async function foreignBinary () {
  const own = process.versions.modules
  const built = fs.existsSync(path.dirname(binaryPath())) ? fs.readdirSync(path.dirname(binaryPath())) : []
  const [name, abi] = built
    .map((name) => /^heapwatch\.abi(\d+)\.node$/.exec(name) ?? [])
    .find(([, abi]) => abi && abi !== own) ?? []
  if (name) return { file: path.join(path.dirname(binaryPath()), name), abi }
  // Where the tests of all versions run, their Node.js are here.
  for (const major of [22, 24]) {
    const headers = path.join(BUILD, `node-v${major}`, 'node_modules', `node-${process.platform}-${process.arch}`)
    const nodeBinary = path.join(headers, 'bin', 'node')
    if (!fs.existsSync(nodeBinary) || process.version.startsWith(`v${major}.`)) continue
    const { path: file, abi } = await build({ nodeBinary, headers })
    return { file, abi }
  }
}

describe('HEAPWATCH_BINARY', () => {
  it('is loaded in place of the binary that comes with the package', async () => {
    const copy = file('copy.node', fs.readFileSync(BINARY))
    const result = await load(copy)
    assert.ok(result.heapUsed > 0, JSON.stringify(result))
    assert.ok(result.sharedObjects.includes(copy))
  })

  it('may be relative to the working directory', async () => {
    const copy = file('relative.node', fs.readFileSync(BINARY))
    const result = await load(path.relative(ROOT, copy))
    assert.ok(result.heapUsed > 0, JSON.stringify(result))
    assert.ok(result.sharedObjects.includes(copy))
  })

  it('is an addon whatever the name of its file', async () => {
    const result = await load(file('addon.bin', fs.readFileSync(BINARY)))
    assert.ok(result.heapUsed > 0, JSON.stringify(result))
  })

  it('is never run as JavaScript', async () => {
    const script = file('script.js', 'console.log("ran")'.padEnd(10_000))
    assertExplains(await load(script), 'ERR_HEAPWATCH_BROKEN_BINARY', script)
  })
})

describe('a missing binary', () => {
  it('is an error that names the file HEAPWATCH_BINARY led to', async () => {
    const nowhere = path.join(directory, 'nowhere.node')
    assertExplains(await load(nowhere), 'ERR_HEAPWATCH_NO_BINARY', nowhere)
  })

  it('is an error that names the place in the package where it was looked for', async () => {
    const root = path.join(directory, 'heapwatch')
    fs.cpSync(path.join(ROOT, 'lib'), path.join(root, 'lib'), { recursive: true })
    fs.copyFileSync(path.join(ROOT, 'package.json'), path.join(root, 'package.json'))
    const expected = path.join(root, path.relative(ROOT, binaryPath()))
    assertExplains(await load(undefined, root), 'ERR_HEAPWATCH_NO_BINARY', expected)
  })
})

describe('a broken binary is an error that carries its cause:', () => {
  const whole = fs.readFileSync(BINARY)
  const garbage = Buffer.alloc(50_000, 'garbage ')
  const cases = {
    'an empty file': '',
    'a text file': 'This is not an addon.\n'.repeat(1000),
    garbage,
    'a file of one page': whole.subarray(0, 4096),
    'a file cut in the middle': whole.subarray(0, whole.length >> 1),
    'a file that lacks its last byte': whole.subarray(0, whole.length - 1),
    'a header and garbage': Buffer.concat([whole.subarray(0, 64), garbage]).subarray(0, 10_000)
  }
  for (const [name, content] of Object.entries(cases)) {
    it(name, async () => {
      const broken = file(`${name.replaceAll(' ', '-')}.node`, content)
      const error = await load(broken)
      assertExplains(error, 'ERR_HEAPWATCH_BROKEN_BINARY', broken)
      assert.ok(error.cause.length > 0 && error.message.includes(error.cause), JSON.stringify(error))
    })
  }

  it('a directory', async () => {
    assertExplains(await load(directory), 'ERR_HEAPWATCH_BROKEN_BINARY', directory)
  })

  it('in a Worker, whose error leaves the process alone', async () => {
    const broken = file('worker.node', 'This is not an addon.\n'.repeat(1000))
    const error = await runForResult(() => {
      const { Worker } = require('node:worker_threads')
      new Worker('require("heapwatch")', { eval: true }).on('error', ({ code, message }) => {
        console.log(JSON.stringify({ code, message, cause: message }))
      })
    }, { env: { HEAPWATCH_BINARY: broken } })
    assertExplains(error, 'ERR_HEAPWATCH_BROKEN_BINARY', broken)
  })
})

describe('a binary of another ABI', () => {
  it('is refused with an error that names both ABIs', async (t) => {
    const foreign = await foreignBinary()
    if (!foreign) return t.skip('no other Node.js here to build for')
    const error = await load(foreign.file)
    assertExplains(error, 'ERR_HEAPWATCH_ABI', foreign.file)
    assert.match(error.message, new RegExp(`\\bABI ${foreign.abi}\\b`))
  })

  it('is refused also when symbols are resolved at once', async (t) => {
    const foreign = await foreignBinary()
    if (!foreign) return t.skip('no other Node.js here to build for')
    const error = await runForResult(() => {
      try {
        require('heapwatch')
      } catch ({ code, message }) {
        console.log(JSON.stringify({ code, message }))
      }
    }, { env: { HEAPWATCH_BINARY: foreign.file, LD_BIND_NOW: '1' } })
    // The system may find a symbol missing before the addon can say why.
    assert.match(error.code, /^ERR_HEAPWATCH_(ABI|BROKEN_BINARY)$/)
    assertExplains(error, error.code, foreign.file)
  })

  it('leaves the process as it was: garbage is collected, and the right binary loads', async (t) => {
    const foreign = await foreignBinary()
    if (!foreign) return t.skip('no other Node.js here to build for')
    const result = await runForResult(async (foreign, own) => {
      const { Worker } = require('node:worker_threads')
      process.env.HEAPWATCH_BINARY = foreign
      const codes = []
      const refused = () => {
        try {
          require('heapwatch')
        } catch (error) {
          codes.push(error.code)
        }
      }
      refused()
      globalThis.gc()
      refused()
      await new Promise((resolve) => {
        new Worker('require("heapwatch")', { eval: true, env: process.env })
          .on('error', (error) => codes.push(error.code))
          .on('exit', resolve)
      })
      globalThis.gc()
      process.env.HEAPWATCH_BINARY = own
      const watch = require('heapwatch').watch()
      globalThis.gc()
      console.log(JSON.stringify({ codes, gcs: watch.stats().gcs }))
    }, { args: [foreign.file, BINARY], flags: ['--expose-gc'] })
    assert.deepStrictEqual(result.codes, Array(3).fill('ERR_HEAPWATCH_ABI'))
    assert.ok(result.gcs >= 1)
  })
})

describe('a binary of another version of heapwatch', () => {
  const { version } = require('../../package.json')
  const whole = fs.readFileSync(BINARY)

  /** A real binary, with every `text` that ends as a string in C replaced by one as long. */
  function changed (name, text, other) {
    assert.strictEqual(text.length, other.length)
    const copy = Buffer.from(whole)
    let count = 0
    for (let i = copy.indexOf(`${text}\0`); i >= 0; i = copy.indexOf(`${text}\0`, i + 1), count++) copy.write(other, i)
    assert.ok(count > 0, `"${text}" is not in ${BINARY}`)
    return file(name, copy)
  }
  const other = version.replace(/\d/, (digit) => (Number(digit) + 1) % 10)

  it('is refused with an error that names both versions', async () => {
    const stale = changed('stale.node', version, other)
    const error = await load(stale)
    assertExplains(error, 'ERR_HEAPWATCH_STALE_BINARY', stale)
    assert.ok(error.message.includes(`built for heapwatch ${other}, this is heapwatch ${version}.`), error.message)
    assert.match(error.message, /and let HEAPWATCH_BINARY name that one or nothing$/)
  })

  it('that tells none is refused as well', async () => {
    const stale = changed('older.node', 'heapwatchVersion', 'heapwatchVerslon')
    const error = await load(stale)
    assertExplains(error, 'ERR_HEAPWATCH_STALE_BINARY', stale)
    assert.ok(error.message.includes(`built for an older heapwatch, this is heapwatch ${version}.`), error.message)
  })

  it('in its place in the package is refused, too, and the command that mends it needs no addon', async () => {
    const root = path.join(directory, 'upgraded')
    fs.cpSync(path.join(ROOT, 'lib'), path.join(root, 'lib'), { recursive: true })
    fs.copyFileSync(path.join(ROOT, 'package.json'), path.join(root, 'package.json'))
    const place = path.join(root, path.relative(ROOT, binaryPath()))
    fs.mkdirSync(path.dirname(place), { recursive: true })
    fs.copyFileSync(changed('before.node', version, other), place)
    const error = await load(undefined, root)
    assertExplains(error, 'ERR_HEAPWATCH_STALE_BINARY', place)
    assert.match(error.message, /npx heapwatch build$/)
    // That it mends it is tested with the package (test/package).
    const { status, stdout } = spawnSync(process.execPath, [path.join(root, 'lib', 'cli', 'main.js'), 'build', '--help'], { encoding: 'utf8' })
    assert.strictEqual(status, 0)
    assert.match(stdout, /^Usage: heapwatch build/)
  })

  it('leaves the process as it was: garbage is collected, and the right binary loads', async () => {
    const result = await runForResult((stale, own) => {
      process.env.HEAPWATCH_BINARY = stale
      const codes = []
      for (let i = 0; i < 2; i++) {
        try {
          require('heapwatch')
        } catch (error) {
          codes.push(error.code)
        }
        globalThis.gc()
      }
      process.env.HEAPWATCH_BINARY = own
      const watch = require('heapwatch').watch()
      globalThis.gc()
      console.log(JSON.stringify({ codes, gcs: watch.stats().gcs }))
    }, { args: [changed('again.node', version, other), BINARY], flags: ['--expose-gc'] })
    assert.deepStrictEqual(result.codes, Array(2).fill('ERR_HEAPWATCH_STALE_BINARY'))
    assert.ok(result.gcs >= 1)
  })
})
