'use strict'

// Builds the addon for one Node.js, where the loader will look for it.
//
// node-gyp has one fixed folder for its output, and this project builds for
// several Node.js at once. So each ABI has a folder of its own,
// `build/abi<n>[-<arch>][-sanitize]`, that looks like a project to node-gyp: a
// copy of binding.gyp and of node-addon-api, and a link to the sources. Make works
// there, so that a second build compiles what has changed and nothing else.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { OLDEST_NODE, binaryPath } = require('./binary')
const {
  BUILD, ROOT, crossCompilers, findHeaders, findNodeGyp, headersAbi, headersVersion, installCommand,
  missingTools, npmCommand, run, withLock
} = require('./toolchain')

const { version: VERSION, devDependencies } = require('../package.json')

// Of node-addon-api, where it is not installed: what package.json asks for.
const ADDON_API = devDependencies['node-addon-api']

/**
 * Builds the addon in place.
 *
 * @param {object} [options]
 * @param {string} [options.nodeBinary] the Node.js to build for, by default the running one
 * @param {string} [options.headers] a directory with its `include/node`, by default found
 * @param {string} [options.arch] another architecture to compile for, on Linux: its
 *   Node.js cannot be asked, so the headers must be given
 * @param {boolean} [options.sanitize] with AddressSanitizer and UBSan; the result
 *   stays in `build/`, for HEAPWATCH_BINARY to name
 * @param {number} [options.jobs] how many compilers run at once
 * @param {(line: string) => void} [options.log]
 * @returns {Promise<{ path: string, version: string, abi: string, changed: boolean }>}
 * @throws {Error} that says what is missing and the command that mends it, or
 *   carries the compiler's output
 */
async function build ({
  nodeBinary = process.execPath, headers, arch, sanitize = false, jobs = 1, log = () => {}
} = {}) {
  const missing = missingTools(arch)
  if (missing.length > 0) {
    throw new Error('Building heapwatch needs a C++ compiler, make and Python 3; missing here: ' +
      `${missing.join(', ')}. Install with: ${installCommand(missing)}`)
  }
  const node = arch ? describeHeaders(headers, arch) : describe(nodeBinary)
  if (parseInt(node.version, 10) < OLDEST_NODE) {
    throw new Error(`heapwatch needs Node.js ${OLDEST_NODE} or newer; this is ${node.version}`)
  }
  const nodeDir = arch ? path.resolve(headers) : await findHeaders(node, headers)
  const name = `abi${node.abi}${arch ? `-${arch}` : ''}${sanitize ? '-sanitize' : ''}`
  const stage = path.join(BUILD, name)
  const target = sanitize ? path.join(stage, 'heapwatch.node') : node.path

  return withLock(name, async () => {
    await configure(stage, { nodeDir, arch, sanitize }, log)
    log(`building for Node.js ${node.version} (ABI ${node.abi}${arch ? `, ${arch}` : ''})`)
    await nodeGyp(stage, ['build', `--nodedir=${nodeDir}`, `--jobs=${jobs}`], crossCompilers(arch))
    const changed = publish(path.join(stage, 'build', 'Release', 'heapwatch.node'), target)
    log(`${changed ? 'built' : 'up to date'}: ${path.relative(process.cwd(), target)}`)
    return { path: target, version: node.version, abi: node.abi, changed }
  })
}

// The Node.js in question says itself what it is and where it would look.
function describe (binary) {
  const script = `const { binaryPath } = require(${JSON.stringify(path.join(__dirname, 'binary.js'))})
    console.log(JSON.stringify({ version: process.versions.node,
      abi: process.versions.modules, binary: process.execPath, path: binaryPath() }))`
  const { NODE_OPTIONS, ...env } = process.env
  return JSON.parse(execFileSync(binary, ['-e', script], { env, encoding: 'utf8' }))
}

// Where the Node.js cannot be run, its headers say what it is.
function describeHeaders (headers, arch) {
  const abi = headersAbi(headers)
  if (!abi) throw new Error(`No headers of Node.js in ${path.join(headers, 'include', 'node')}`)
  return { version: headersVersion(headers), abi, path: binaryPath({ arch, abi, libc: 'glibc' }) }
}

// binding.gyp takes its build settings from this package. Nothing needs it at
// run time, so it does not come with heapwatch: it is fetched for a build.
async function findAddonApi (log) {
  const name = 'node-addon-api'
  const resolve = (directory) =>
    path.dirname(require.resolve(`${name}/package.json`, { paths: [directory] }))
  const target = path.join(BUILD, name)
  try {
    return resolve(ROOT)
  } catch {}
  try {
    return resolve(target)
  } catch {}
  log(`fetching ${name} with npm`)
  fs.mkdirSync(target, { recursive: true })
  const [command, ...args] = npmCommand()
  try {
    await run(command, [...args, 'install', '--no-save', '--no-audit', '--no-fund',
      '--ignore-scripts', '--prefix', target, `${name}@${ADDON_API}`], { cwd: target })
  } catch (error) {
    throw new Error(`${error.message}\n${name} is missing. Install it with: npm install ${name}`)
  }
  return resolve(target)
}

// The package has it in src/ (scripts/vendor.js): yarn 1 would build what has
// one in its root, at each installation.
function readGyp () {
  const file = path.join(ROOT, 'binding.gyp')
  return fs.readFileSync(fs.existsSync(file) ? file : path.join(ROOT, 'src', 'binding.gyp'), 'utf8')
}

// Makefiles are written again only when something they are made from is
// another: node-gyp itself would do so each time.
async function configure (stage, { nodeDir, arch, sanitize }, log) {
  const gyp = readGyp()
  const addonApi = await findAddonApi(log)
  const stampFile = path.join(stage, 'configured.json')
  const stamp = JSON.stringify({
    gyp,
    version: VERSION,
    nodeDir,
    arch,
    nodeGyp: findNodeGyp(),
    addonApi: [addonApi, require(path.join(addonApi, 'package.json')).version],
    node: process.version,
    root: ROOT
  })
  if (read(stampFile) === stamp) return

  log(`configuring with the headers in ${path.join(nodeDir, 'include', 'node')}`)
  fs.rmSync(stage, { recursive: true, force: true })
  fs.mkdirSync(stage, { recursive: true })
  fs.writeFileSync(path.join(stage, 'binding.gyp'), gyp)
  fs.symlinkSync(path.join('..', '..', 'src'), path.join(stage, 'src'))
  // A copy: gyp writes makefiles for what lies outside the folder outside of
  // it, too, where those of other ABIs would meet them.
  fs.cpSync(addonApi, path.join(stage, 'node_modules', 'node-addon-api'), { recursive: true })
  await nodeGyp(stage, ['configure', `--nodedir=${nodeDir}`, ...(arch ? [`--arch=${arch}`] : []),
    '--', `-Dhw_sanitize=${sanitize ? 1 : 0}`, `-Dhw_version=${VERSION}`], crossCompilers(arch))
  fs.writeFileSync(stampFile, stamp)
}

/**
 * Runs node-gyp in a folder with a binding.gyp.
 *
 * @param {string} stage the folder
 * @param {string[]} args its command and options
 * @param {object} [variables] of the environment, to add
 */
async function nodeGyp (stage, args, variables) {
  // npm hands its settings down as variables, which node-gyp ranks above its
  // own arguments: a `nodedir` in someone's .npmrc would win over ours.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) =>
    !/^npm_(config|package_config_node_gyp)_/i.test(name) || /_python$/i.test(name)))
  delete env.NODE_OPTIONS
  // binding.gyp asks `node` where node-addon-api is.
  env.PATH = path.dirname(process.execPath) + path.delimiter + env.PATH
  await run(process.execPath, [findNodeGyp(), ...args], { cwd: stage, env: { ...env, ...variables } })
}

// A process that loads the addon while it is replaced must see the old file or
// the new one, whole; and one it has loaded must not change under it.
function publish (built, target) {
  const bytes = fs.readFileSync(built)
  if (read(target, null)?.equals(bytes)) return false
  fs.mkdirSync(path.dirname(target), { recursive: true })
  const temporary = `${target}.${process.pid}.tmp`
  fs.writeFileSync(temporary, bytes)
  fs.renameSync(temporary, target)
  return true
}

function read (file, encoding = 'utf8') {
  try {
    return fs.readFileSync(file, encoding)
  } catch {}
}

module.exports = { build, nodeGyp }
