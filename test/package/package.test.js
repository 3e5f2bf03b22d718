'use strict'

// The package as people get it: packed, installed into an empty project by the
// package managers they use, and run where there is no compiler.
//
// Run by `npm run test:package`, which makes the tarball and names it in
// HEAPWATCH_TARBALL.

const assert = require('node:assert')
const { execFile, execFileSync, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, before, describe, it } = require('node:test')
const { promisify } = require('node:util')
const { BUILD, ROOT, fetchNode, npmCommand, which } = require('../../lib/toolchain')
const { MAJORS, programOf } = require('../../scripts/setup')

const TARBALL = process.env.HEAPWATCH_TARBALL
const ABIS = { 20: 115, 22: 127, 24: 137, 26: 147 }
const MINUTE = 60_000

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-package-'))
// Node.js and the few programs that package managers start; no compiler, make
// or Python.
const bin = path.join(root, 'bin')
fs.mkdirSync(bin)
for (const name of ['sh', 'env', 'uname', 'ldd', 'getconf', 'ps']) {
  if (which(name)) fs.symlinkSync(which(name), path.join(bin, name))
}
fs.symlinkSync(process.execPath, path.join(bin, 'node'))
after(() => fs.rmSync(root, { recursive: true, force: true }))

const BARE = {
  HOME: root,
  PATH: bin,
  npm_config_cache: path.join(root, 'npm-cache'),
  npm_config_registry: execFileSync(npmCommand()[0], [...npmCommand().slice(1), 'config', 'get', 'registry'], { encoding: 'utf8' }).trim(),
  ...Object.fromEntries(['npm_config_cafile', 'NODE_EXTRA_CA_CERTS', 'HTTPS_PROXY', 'https_proxy', 'NO_PROXY', 'no_proxy']
    .filter((name) => process.env[name]).map((name) => [name, process.env[name]]))
}

function project (name, files = {}) {
  const directory = path.join(root, name)
  fs.mkdirSync(directory)
  const all = { 'package.json': JSON.stringify({ name, version: '1.0.0', private: true }), ...files }
  for (const [file, text] of Object.entries(all)) fs.writeFileSync(path.join(directory, file), text)
  return directory
}

/** Runs a command in a project; returns its output, throws with it if it fails. */
async function run (cwd, command, args, env = {}) {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args,
      { cwd, env: { ...BARE, ...env }, timeout: 5 * MINUTE, maxBuffer: 64e6 })
    return stdout + stderr
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')}: ${error.message}\n${error.stdout}\n${error.stderr}`)
  }
}

const npm = (cwd, ...args) => run(cwd, npmCommand()[0], [...npmCommand().slice(1), ...args])

/** Watches a few real collections; prints what it saw. */
const WATCHES = `
  const heapwatch = require('heapwatch')
  const watch = heapwatch.watch({ interval: 20 })
  const gcs = []
  let samples = 0
  watch.on('gc', (gc) => gcs.push(gc)).on('sample', () => samples++)
  for (let i = 0; i < 200; i++) Array.from({ length: 20000 }, (_, i) => ({ i }))
  setTimeout(() => {
    watch.stop()
    const { metrics } = require('heapwatch/prometheus')
    console.log(JSON.stringify({
      version: heapwatch.version, abi: process.versions.modules, arch: process.arch, gcs: gcs.length, samples,
      counted: watch.stats().gcs, metrics: metrics(watch).includes('heapwatch_running 0')
    }))
  }, 300)`

function assertWatches (text, { abi, arch = process.arch, version = require('../../package.json').version }) {
  const seen = JSON.parse(text)
  assert.strictEqual(seen.version, version)
  assert.strictEqual(seen.abi, String(abi))
  assert.strictEqual(seen.arch, arch)
  assert.ok(seen.gcs > 0 && seen.gcs === seen.counted, text)
  assert.ok(seen.samples > 0 && seen.metrics, text)
}

const ABI = process.versions.modules

describe('the tarball', () => {
  let files
  before(() => {
    files = execFileSync('tar', ['-tzf', TARBALL], { encoding: 'utf8' }).trim().split('\n')
      .map((name) => name.replace('package/', ''))
  })

  it('has a binary for each supported ABI, on x64 and arm64, and its licence', () => {
    for (const arch of ['x64', 'arm64']) {
      for (const abi of Object.values(ABIS)) assert.ok(files.includes(`prebuilds/linux-${arch}/heapwatch.abi${abi}.node`), `${arch} ${abi}`)
    }
    for (const name of ['LICENSE', 'README.md', 'CHANGELOG.md', 'package.json', 'src/binding.gyp']) assert.ok(files.includes(name), name)
  })

  it('has nothing that only development needs', () => {
    for (const name of files) {
      assert.match(name, /^(lib|src|prebuilds|docs)\/|^(LICENSE|README\.md|CHANGELOG\.md|package\.json)$/)
      assert.doesNotMatch(name, /\.(o|d|log|tgz|heapsnapshot|tmp|partial)$|\.tmp\b/)
    }
  })

  it('is at most 2 MB', (t) => {
    const { size } = fs.statSync(TARBALL)
    t.diagnostic(`${size} bytes, ${files.length} files`)
    assert.ok(size <= 2e6, `${size} bytes`)
  })
})

describe('installed into an empty project, with no compiler on PATH, it works:', () => {
  let installed
  before(async () => {
    installed = project('npm')
    await npm(installed, 'install', TARBALL)
  })

  it('it brings no other package and runs no script', () => {
    assert.deepStrictEqual(fs.readdirSync(path.join(installed, 'node_modules')).filter((name) => !name.startsWith('.')), ['heapwatch'])
    const { hasInstallScript } = JSON.parse(fs.readFileSync(path.join(installed, 'package-lock.json'))).packages['node_modules/heapwatch']
    assert.strictEqual(hasInstallScript, undefined)
  })

  for (const major of MAJORS) {
    it(`on Node.js ${major}`, async () => {
      const binary = major === parseInt(process.versions.node, 10) ? process.execPath : (await fetchNode(major)).binary
      assertWatches(await run(installed, binary, ['-e', WATCHES]), { abi: ABIS[major] })
    })

    it(`on Node.js ${major} for arm64, emulated`, async (t) => {
      let qemu
      const libraries = '/usr/aarch64-linux-gnu'
      try {
        qemu = await programOf('qemu-user-static', 'usr/bin/qemu-aarch64-static')
        assert.ok(fs.existsSync(libraries), `no ${libraries}: install libstdc++6-arm64-cross`)
      } catch (error) {
        return t.skip(error.message.split('\n')[0])
      }
      const { binary } = await fetchNode(major, undefined, 'arm64')
      assertWatches(await run(installed, qemu, ['-L', libraries, binary, '-e', WATCHES]), { abi: ABIS[major], arch: 'arm64' })
    })
  }

  it('pages have all they are made of', async () => {
    const text = await run(installed, process.execPath, ['-e', `
      const { asset, names } = require('./node_modules/heapwatch/lib/report/assets.js')
      console.log(names.filter((name) => asset(name).length > 100).length === names.length)`])
    assert.strictEqual(text.trim(), 'true')
  })

  it('the command does', async () => {
    const text = await npm(installed, 'exec', '--offline', '--', 'heapwatch', '--version')
    assert.match(text, new RegExp(`^${require('../../package.json').version}$`, 'm'))
  })

  it('ESM and CommonJS get each entry point', async () => {
    for (const name of ['heapwatch', 'heapwatch/prometheus', 'heapwatch/opentelemetry']) {
      fs.writeFileSync(path.join(installed, 'a.mjs'), `
        import * as esm from '${name}'
        import { createRequire } from 'node:module'
        const cjs = createRequire(import.meta.url)('${name}')
        for (const key of Object.keys(cjs)) if (esm[key] !== cjs[key]) throw new Error(key)
        console.log(Object.keys(cjs).length)`)
      assert.ok(Number(await run(installed, process.execPath, ['a.mjs'])) > 0)
    }
  })

  it('TypeScript finds the types, from CommonJS, ESM and bundlers\' resolution', async () => {
    const source = `
      import { watch, type Sample } from 'heapwatch'
      import { metrics } from 'heapwatch/prometheus'
      import { instrument } from 'heapwatch/opentelemetry'
      const sample: Sample = watch().sample()
      const text: string = metrics(watch())
      const end: () => void = instrument(watch())
      // @ts-expect-error: types are there, and this is wrong
      const wrong: string = sample.heapUsed
      export { text, end, wrong }`
    for (const name of ['a.cts', 'a.mts', 'a.ts']) fs.writeFileSync(path.join(installed, name), source)
    const types = path.join(ROOT, 'node_modules', '@types')
    const tsc = path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
    const common = ['--noEmit', '--strict', '--target', 'es2022', '--typeRoots', types, '--types', 'node']
    await run(installed, process.execPath, [tsc, ...common, '--module', 'nodenext', 'a.cts', 'a.mts'])
    await run(installed, process.execPath, [tsc, ...common, '--module', 'esnext', '--moduleResolution', 'bundler', 'a.ts'])
  })
})

describe('without install scripts it works just as well:', () => {
  it('npm install --ignore-scripts', async () => {
    const directory = project('ignore-scripts')
    await npm(directory, 'install', '--ignore-scripts', TARBALL)
    assertWatches(await run(directory, process.execPath, ['-e', WATCHES]), { abi: ABI })
  })

  /** A package manager from the registry, once for all runs. */
  async function manager (t, name, version, script) {
    const directory = path.join(BUILD, 'package-managers', `${name.replaceAll('/', '-')}-${version}`)
    if (!fs.existsSync(path.join(directory, 'node_modules'))) {
      fs.mkdirSync(directory, { recursive: true })
      try {
        const [command, ...args] = npmCommand()
        await promisify(execFile)(command, [...args, 'install', '--no-save', '--ignore-scripts', '--force', '--prefix', directory, `${name}@${version}`], { cwd: directory })
      } catch (error) {
        fs.rmSync(directory, { recursive: true, force: true })
        t.skip(`${name}@${version} cannot be installed: ${error.message.split('\n')[0]}`)
        return
      }
    }
    return path.join(directory, 'node_modules', name, script)
  }

  const MANAGERS = [
    // npm 12 runs no package's scripts unless it is told to.
    { name: 'npm', version: '12', script: 'bin/npm-cli.js', args: ['install', TARBALL], least: 22 },
    { name: 'pnpm', version: '10', script: 'bin/pnpm.cjs', args: ['add', TARBALL] },
    { name: 'yarn', version: '1', script: 'bin/yarn.js', args: ['add', `file:${TARBALL}`] },
    // Its default keeps packages zipped (Plug'n'Play).
    { name: '@yarnpkg/cli-dist', version: '4', script: 'bin/yarn.js', args: ['add', `heapwatch@file:${TARBALL}`], pnp: true }
  ]
  for (const { name, version, script, args, least = 20, pnp } of MANAGERS) {
    it(`${name} ${version}`, async (t) => {
      const file = await manager(t, name, version, script)
      if (!file) return
      // A Node.js that this package manager itself runs on.
      const major = parseInt(process.versions.node, 10)
      const binary = major >= least ? process.execPath : (await fetchNode(least)).binary
      const directory = project(`${name.replaceAll('/', '-')}-${version}`, pnp
        ? { 'yarn.lock': '', '.yarnrc.yml': `npmRegistryServer: ${JSON.stringify(BARE.npm_config_registry)}\nunsafeHttpWhitelist: ['*']\nenableTelemetry: false\nenableGlobalCache: false\n` }
        : {})
      await run(directory, binary, [file, ...args])
      const start = pnp ? [file, 'node', '-e', WATCHES] : ['-e', WATCHES]
      const env = { PATH: `${path.dirname(binary)}${path.delimiter}${bin}` }
      const text = await run(directory, binary, start, env)
      assertWatches(text.split('\n').find((line) => line.startsWith('{')), { abi: ABIS[parseInt(execFileSync(binary, ['-p', 'process.versions.node'], { encoding: 'utf8' }))] })
    })
  }

  it('a bundle of esbuild with heapwatch external', async () => {
    const directory = project('bundle', { 'app.js': WATCHES })
    await npm(directory, 'install', TARBALL)
    const esbuild = path.join(ROOT, 'node_modules', 'esbuild', 'bin', 'esbuild')
    await run(directory, esbuild, ['app.js', '--bundle', '--platform=node', '--external:heapwatch', '--outfile=out/app.js'])
    assertWatches(await run(directory, process.execPath, ['out/app.js']), { abi: ABI })
  })

  it('a bundle with heapwatch in it, when HEAPWATCH_BINARY names the addon', async () => {
    const directory = project('bundled', { 'app.js': WATCHES })
    await npm(directory, 'install', TARBALL)
    const esbuild = path.join(ROOT, 'node_modules', 'esbuild', 'bin', 'esbuild')
    await run(directory, esbuild, ['app.js', '--bundle', '--platform=node', '--external:prom-client', '--outfile=out/app.js'])
    const addon = path.join(directory, 'node_modules', 'heapwatch', 'prebuilds', `linux-${process.arch}`, `heapwatch.abi${ABI}.node`)
    fs.copyFileSync(addon, path.join(directory, 'out', 'heapwatch.node'))
    fs.rmSync(path.join(directory, 'node_modules'), { recursive: true })
    assertWatches(await run(directory, process.execPath, ['out/app.js'],
      { HEAPWATCH_BINARY: path.join(directory, 'out', 'heapwatch.node') }), { abi: ABI })
  })
})

describe('where no binary fits', () => {
  let directory
  before(async () => {
    directory = project('build')
    await npm(directory, 'install', TARBALL)
  })
  const prebuilds = () => path.join(directory, 'node_modules', 'heapwatch', 'prebuilds', `linux-${process.arch}`)

  // Stays for the tests after it: they build what has been compiled already.
  const version = '99.1.2'

  it('as it is of an older heapwatch: one error names both versions and the command; and the command mends it', async () => {
    // The package goes to another version; its binary stays behind.
    const file = path.join(directory, 'node_modules', 'heapwatch', 'package.json')
    const text = fs.readFileSync(file, 'utf8')
    const { version: before } = JSON.parse(text)
    fs.writeFileSync(file, text.replace(`"version": "${before}"`, `"version": "${version}"`))
    const { stderr, status } = spawnSync(process.execPath, ['-e', WATCHES], { cwd: directory, env: BARE, encoding: 'utf8' })
    assert.strictEqual(status, 1)
    const message = /Error: (heapwatch cannot use its binary.*)/.exec(stderr)[1]
    for (const part of [`built for heapwatch ${before}, this is heapwatch ${version}`, `heapwatch.abi${ABI}.node`, process.version,
      'npx heapwatch build']) assert.ok(message.includes(part), `${part}: ${message}`)
    assert.match(stderr, /ERR_HEAPWATCH_STALE_BINARY/)

    const [command, ...args] = npmCommand()
    await run(directory, command, [...args, 'exec', '--', 'heapwatch', 'build'], { PATH: process.env.PATH })
    assertWatches(await run(directory, process.execPath, ['-e', WATCHES]), { abi: ABI, version })
  })

  it('one error names the platform, the ABI, what is there and the command; and the command mends it', async () => {
    fs.rmSync(path.join(prebuilds(), `heapwatch.abi${ABI}.node`))
    const { stderr, status } = spawnSync(process.execPath, ['-e', WATCHES], { cwd: directory, env: BARE, encoding: 'utf8' })
    assert.strictEqual(status, 1)
    const message = /Error: (heapwatch has no binary.*)/.exec(stderr)[1]
    for (const part of [process.version, `ABI ${ABI}`, `linux-${process.arch}`, 'There are binaries for linux-arm64 (ABI 115, 127, 137, 147)',
      'npx heapwatch build']) assert.ok(message.includes(part), `${part}: ${message}`)

    // Without a compiler the command says what to install.
    const without = spawnSync(process.execPath, ['node_modules/heapwatch/lib/cli/main.js', 'build'], { cwd: directory, env: BARE, encoding: 'utf8' })
    assert.strictEqual(without.status, 1)
    assert.match(without.stderr, /missing here: g\+\+, make, python3\. Install with: /)

    const [command, ...args] = npmCommand()
    await run(directory, command, [...args, 'exec', '--', 'heapwatch', 'build'], { PATH: process.env.PATH })
    assertWatches(await run(directory, process.execPath, ['-e', WATCHES]), { abi: ABI, version })
  })

  it('a Node.js that is too old is told so', async (t) => {
    let binary
    try {
      binary = (await fetchNode(18)).binary
    } catch (error) {
      return t.skip(`no Node.js 18: ${error.message.split('\n')[0]}`)
    }
    const { stderr, status } = spawnSync(binary, ['-e', 'require("heapwatch")'], { cwd: directory, env: BARE, encoding: 'utf8' })
    assert.strictEqual(status, 1)
    assert.match(stderr, /ERR_HEAPWATCH_NO_BINARY/)
    assert.match(stderr, /Node\.js v18\.\S+ \(ABI 108\).*heapwatch needs Node\.js 20 or newer/)
    const built = spawnSync(binary, ['node_modules/heapwatch/lib/cli/main.js', 'build'], { cwd: directory, env: { ...BARE, PATH: process.env.PATH }, encoding: 'utf8' })
    assert.strictEqual(built.status, 1)
    assert.match(built.stderr, /needs Node\.js 20 or newer/)
  })
})
