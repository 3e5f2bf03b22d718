'use strict'

// Finds what a build of the addon needs: compiler, make and Python, node-gyp,
// and the headers of the Node.js it is for. Nothing here downloads from a
// website: a Node.js that is not on this machine comes from the npm registry.

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const ROOT = path.join(__dirname, '..')
const BUILD = path.join(ROOT, 'build')

/**
 * Runs a program to its end.
 *
 * @returns {Promise<string>} all it printed
 * @throws {Error} when it fails, with all it printed in the message
 */
function run (command, args, { cwd = ROOT, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    let output = ''
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (chunk) => { output += chunk })
    child.stderr.on('data', (chunk) => { output += chunk })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(output)
      reject(new Error(`${[command, ...args].join(' ')}\n` +
        `ended with ${signal ?? `exit code ${code}`} and printed:\n${output.trimEnd()}`))
    })
  })
}

/**
 * Holds a lock on a file of `build/` while `fn` runs, against other processes
 * doing the same thing in this tree. The lock belongs to the open file, so the
 * kernel drops it however this process ends. Without flock(1), no lock.
 */
async function withLock (name, fn) {
  fs.mkdirSync(BUILD, { recursive: true })
  const fd = fs.openSync(path.join(BUILD, `.${name}.lock`), 'w')
  try {
    await new Promise((resolve) => {
      spawn('flock', ['3'], { stdio: ['ignore', 'ignore', 'ignore', fd] })
        .on('error', resolve)
        .on('close', resolve)
    })
    return await fn()
  } finally {
    fs.closeSync(fd)
  }
}

/** The path of a program on PATH, or undefined. */
function which (name) {
  for (const directory of (process.env.PATH ?? '').split(path.delimiter)) {
    const file = path.join(directory, name)
    try {
      fs.accessSync(file, fs.constants.X_OK)
      if (fs.statSync(file).isFile()) return file
    } catch {}
  }
}

// Debian's compilers for other architectures, by Node.js' names.
const CROSS = { arm64: 'aarch64-linux-gnu' }

/** Variables that make a build one for another architecture; none for this one. */
function crossCompilers (arch) {
  if (!arch) return {}
  const prefix = CROSS[arch]
  if (!prefix) throw new Error(`There is no compiler for ${arch} here; known: ${Object.keys(CROSS).join(', ')}`)
  const [CC, CXX, AR] = ['gcc', 'g++', 'ar'].map((tool) => `${prefix}-${tool}`)
  return { CC, CXX, LINK: CXX, AR, CC_target: CC, CXX_target: CXX }
}

/**
 * The build tools that are not on this machine.
 *
 * @param {string} [arch] another architecture to compile for
 * @returns {string[]} names of Debian packages, empty when all is there
 */
function missingTools (arch) {
  const { CC = 'cc', CXX = 'g++', PYTHON, npm_config_python: configured } = process.env
  const missing = []
  if (!which(CC.split(' ')[0]) || !which(CXX.split(' ')[0])) missing.push('g++')
  if (arch && !which(crossCompilers(arch).CXX)) missing.push(`g++-${CROSS[arch]}`)
  if (!which('make')) missing.push('make')
  if (!PYTHON && !configured && !which('python3')) missing.push('python3')
  return missing
}

/** The command that installs Debian packages, or what does so elsewhere. */
function installCommand (packages) {
  if (process.platform === 'darwin') return 'xcode-select --install'
  if (which('apk')) return `apk add ${packages.join(' ')}`
  return `apt-get update && apt-get install -y ${packages.join(' ')}`
}

/**
 * The path of node-gyp's program: the one installed beside heapwatch, else the
 * one inside npm.
 */
function findNodeGyp () {
  const npm = [
    process.env.npm_execpath,
    which('npm'),
    path.join(path.dirname(fs.realpathSync(process.execPath)),
      '../lib/node_modules/npm/bin/npm-cli.js')
  ].filter((file) => file && fs.existsSync(file)).map((file) => fs.realpathSync(file))
  for (const start of [ROOT, ...npm]) {
    try {
      return require.resolve('node-gyp/bin/node-gyp.js', { paths: [start] })
    } catch {}
  }
  throw new Error('node-gyp is missing. Install it with: npm install --save-dev node-gyp')
}

/** How to start npm: the one that started us, else the one on PATH. */
function npmCommand () {
  const script = process.env.npm_execpath
  if (/\bnpm-cli\.c?js$/.test(script ?? '') && fs.existsSync(script)) {
    return [process.execPath, script]
  }
  const npm = which('npm')
  if (!npm) throw new Error('npm is missing: it comes with Node.js, and must be on PATH')
  return [npm]
}

/** The ABI that the headers under `directory` are for, or undefined. */
function headersAbi (directory) {
  const include = path.join(directory, 'include', 'node')
  try {
    fs.accessSync(path.join(include, 'node.h'))
    fs.accessSync(path.join(include, 'common.gypi'))
    const text = fs.readFileSync(path.join(include, 'node_version.h'), 'utf8')
    return /^#define NODE_MODULE_VERSION (\d+)/m.exec(text)?.[1]
  } catch {}
}

/** The version of Node.js that the headers under `directory` are for. */
function headersVersion (directory) {
  const text = fs.readFileSync(path.join(directory, 'include', 'node', 'node_version.h'), 'utf8')
  return ['MAJOR', 'MINOR', 'PATCH'].map((name) =>
    new RegExp(`^#define NODE_${name}_VERSION (\\d+)`, 'm').exec(text)[1]).join('.')
}

/**
 * Finds the headers of a Node.js: those given, those beside its program, the
 * distribution's, and at last those in the npm package of that version.
 *
 * @param {{ version: string, abi: string, binary: string }} node
 * @param {string} [given] a directory with `include/node`; no other is tried
 * @returns {Promise<string>} a directory with `include/node`
 */
async function findHeaders (node, given) {
  if (given) {
    const abi = headersAbi(given)
    if (abi === node.abi) return path.resolve(given)
    throw new Error(abi
      ? `The headers in ${given} are for ABI ${abi}; Node.js ${node.version} has ABI ${node.abi}`
      : `No headers of Node.js in ${path.join(given, 'include', 'node')}`)
  }
  const beside = path.join(path.dirname(fs.realpathSync(node.binary)), '..')
  for (const directory of [beside, '/usr']) {
    if (headersAbi(directory) === node.abi) return directory
  }
  const fetched = await fetchNode(node.version)
  const abi = headersAbi(fetched.headers)
  if (abi === node.abi) return fetched.headers
  throw new Error(`The headers in ${fetched.headers} are for ABI ${abi}; ` +
    `Node.js ${node.version} has ABI ${node.abi}. Give a directory with its include/node`)
}

/**
 * Installs a Node.js, its program and its headers, into `build/node-v<major>`
 * from the npm package of its platform, once: what is there already is used.
 *
 * @param {number|string} version a major version, or an exact one: then that
 *   is tried first, and the newest of its major next
 * @param {(line: string) => void} [log]
 * @param {string} [arch] another architecture than this one's
 * @returns {Promise<{ binary: string, headers: string }>}
 */
async function fetchNode (version, log = () => {}, arch = process.arch) {
  const major = parseInt(version, 10)
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const name = `node-${platform}-${arch}`
  const own = arch === process.arch
  const folder = `node-v${major}${own ? '' : `-${arch}`}`
  const target = path.join(BUILD, folder)
  const headers = path.join(target, 'node_modules', name)
  const binary = path.join(headers, 'bin', 'node')
  await withLock(folder, async () => {
    if (fs.existsSync(target)) return
    // Installed aside and then renamed, so that what is there is whole.
    const partial = `${target}.partial`
    const specs = new Set([version, major].map((wanted) => `${name}@${wanted}`))
    for (const spec of specs) {
      log(`installing ${spec} from the npm registry`)
      fs.rmSync(partial, { recursive: true, force: true })
      fs.mkdirSync(partial)
      try {
        const [command, ...args] = npmCommand()
        await run(command, [...args, 'install', '--no-save', '--no-audit', '--no-fund',
          '--ignore-scripts', ...(own ? [] : ['--force', `--os=${platform}`, `--cpu=${arch}`]),
          '--prefix', partial, spec])
        fs.renameSync(partial, target)
        return
      } catch (error) {
        if (spec === [...specs].pop()) throw error
      }
    }
  })
  return { binary, headers }
}

module.exports = {
  BUILD,
  ROOT,
  crossCompilers,
  fetchNode,
  findHeaders,
  findNodeGyp,
  headersAbi,
  headersVersion,
  installCommand,
  missingTools,
  npmCommand,
  run,
  which,
  withLock
}
