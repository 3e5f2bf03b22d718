'use strict'

// What a fresh clone needs before anything else works, on a Debian with only
// Node.js and npm: npm packages, a compiler, and for the C tests the headers
// of cmocka and libuv. Installs what is missing where it may, and otherwise
// says the command. With all in place it needs no network.

const { execFileSync, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { BUILD, ROOT, fetchNode, installCommand, missingTools, npmCommand, run, which, withLock } =
  require('../lib/toolchain')

/** The Node.js majors that heapwatch is built for and tested on. */
const MAJORS = [20, 22, 24, 26]

const log = (line) => console.log(line)

/**
 * Installs what is missing. Ends the process with the command to run when
 * that is up to its user.
 *
 * @param {{ tests?: boolean, arches?: string[] }} [needs] `tests`: what the C tests
 *   need, too; `arches`: compilers for these
 */
async function setup ({ tests = false, arches = [] } = {}) {
  try {
    await withLock('setup', async () => {
      await installPackages(missingPackages(tests, arches))
      await installModules()
    })
  } catch (error) {
    console.error(error.message)
    process.exit(1)
  }
}

async function installModules () {
  const modified = (file) =>
    fs.statSync(path.join(ROOT, file), { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (modified('node_modules/.package-lock.json') >= modified('package-lock.json')) return
  log('installing npm packages (npm ci)')
  const [command, ...args] = npmCommand()
  await run(command, [...args, 'ci'])
}

async function installPackages (missing) {
  if (missing.length === 0) return
  const command = installCommand(missing)
  if (!which('apt-get') || !asRoot()) {
    throw new Error(`Missing here: ${missing.join(', ')}. Install, as root, with:\n  ${command}`)
  }
  log(`installing with apt-get: ${missing.join(' ')}`)
  // One unreachable source among several fails an update that brought what is
  // needed; the installation shows whether it did.
  const update = await apt('update').catch((error) => error)
  try {
    await apt('install', '-y', '--no-install-recommends', ...missing)
  } catch (error) {
    throw new Error(`${update.message ?? ''}\n${error.message}\nInstall with:\n  ${command}`.trim())
  }
}

// What to put before a command for it to run as root; undefined if that is up
// to the user.
function asRoot () {
  if (process.getuid() === 0) return []
  if (which('sudo') && spawnSync('sudo', ['-n', 'true']).status === 0) return ['sudo', '-n']
}

function apt (...args) {
  const [program, ...rest] = [...asRoot(), 'env', 'DEBIAN_FRONTEND=noninteractive',
    'apt-get', '-qq', '-o', 'DPkg::Lock::Timeout=300', ...args]
  return run(program, rest)
}

/**
 * A program from a Debian package: the one on PATH, else one unpacked into
 * `build/<package>/`, where it disturbs nothing and starts no service.
 *
 * @param {string} name of the package
 * @param {string} program its path in the package
 * @returns {Promise<string>} the path of the program
 * @throws {Error} that says why it cannot be had
 */
async function programOf (name, program) {
  const installed = which(path.basename(program))
  if (installed) return installed
  const target = path.join(BUILD, name)
  await withLock(`deb-${name}`, async () => {
    if (fs.existsSync(target)) return
    if (!which('apt-get') || !which('dpkg-deb')) {
      throw new Error(`${path.basename(program)} is not on PATH, and there is no apt-get to get it with`)
    }
    const partial = `${target}.partial`
    fs.rmSync(partial, { recursive: true, force: true })
    fs.mkdirSync(partial)
    const download = () => run('apt-get', ['-qq', 'download', name], { cwd: partial })
    await download().catch(async (error) => {
      if (!asRoot()) throw error
      await apt('update').catch(() => {})
      await download()
    })
    const [archive] = fs.readdirSync(partial).filter((file) => file.endsWith('.deb'))
    await run('dpkg-deb', ['-x', path.join(partial, archive), partial])
    fs.rmSync(path.join(partial, archive))
    fs.renameSync(partial, target)
  })
  return path.join(target, program)
}

function missingPackages (tests, arches) {
  const others = arches.filter((arch) => arch !== process.arch)
  const missing = [...new Set([...missingTools(), ...others.flatMap((arch) => missingTools(arch))])]
  if (tests) {
    if (!which('pkg-config')) missing.push('pkg-config')
    for (const [library, name] of [['cmocka', 'libcmocka-dev'], ['libuv', 'libuv1-dev']]) {
      if (spawnSync('pkg-config', ['--exists', library]).status !== 0) missing.push(name)
    }
  }
  return missing
}

/**
 * The Node.js of a major version: the running one if it is that, else one from
 * the npm registry, kept in `build/`.
 *
 * @returns {Promise<{ binary: string, headers: string|undefined, version: string }>}
 */
async function nodeOf (major) {
  if (major === parseInt(process.versions.node, 10)) {
    return { binary: process.execPath, version: process.versions.node }
  }
  const { binary, headers } = await fetchNode(major, log)
  const version = execFileSync(binary, ['-p', 'process.versions.node'], { encoding: 'utf8' })
  return { binary, headers, version: version.trim() }
}

/** Reads `--node` values: majors as numbers, all of them for `all`. */
function parseMajors (values) {
  if (values.includes('all')) return MAJORS
  return values.map((value) => {
    const major = Number(value)
    if (!MAJORS.includes(major)) {
      console.error(`--node ${value}: must be one of ${MAJORS.join(', ')}, all`)
      process.exit(1)
    }
    return major
  })
}

module.exports = { MAJORS, nodeOf, parseMajors, programOf, setup }
