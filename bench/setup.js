'use strict'

// What the benchmark needs beside heapwatch itself, for one Node.js: its own
// small addon, and the packages it is compared with, each installed and built
// in a folder of its own under build/bench. What is there is used again.

const fs = require('node:fs')
const path = require('node:path')
const { execFileSync } = require('node:child_process')
const { build, nodeGyp } = require('../lib/build')
const { BUILD, ROOT, findHeaders, npmCommand, run, withLock } = require('../lib/toolchain')
const { nodeOf } = require('../scripts/setup')
const { PEERS } = require('./watchers')

/**
 * Makes everything ready for one Node.js.
 *
 * @param {number} major
 * @param {object} options
 * @param {boolean} options.withPeers whether packages are to be installed, too
 * @param {Record<string, { version: string }>} [options.packages] which
 * @param {(line: string) => void} options.log
 * @returns {Promise<{ version: string, binary: string, addon: string,
 *   peers: { name: string, directory: string, version: string, problem?: string }[] }>}
 */
async function prepare (major, { withPeers, packages = PEERS, log }) {
  const node = await nodeOf(major)
  const abi = execFileSync(node.binary, ['-p', 'process.versions.modules'], { encoding: 'utf8' }).trim()
  await build({ nodeBinary: node.binary, headers: node.headers, jobs: 2, log })
  const headers = await findHeaders({ ...node, abi }, node.headers)
  const directory = path.join(BUILD, 'bench', `abi${abi}`)
  return withLock(`bench-abi${abi}`, async () => {
    const addon = await buildAddon(directory, headers)
    const peers = []
    for (const [name, { version }] of withPeers ? Object.entries(packages) : []) {
      peers.push(await preparePeer(name, version, { ...node, directory, headers }, log))
    }
    return { version: node.version, binary: node.binary, addon, peers }
  })
}

async function buildAddon (directory, headers) {
  const stage = path.join(directory, 'native')
  fs.mkdirSync(stage, { recursive: true })
  for (const file of ['binding.gyp', 'bench.cc']) {
    fs.copyFileSync(path.join(__dirname, 'native', file), path.join(stage, file))
  }
  await nodeGyp(stage, ['configure', 'build', `--nodedir=${headers}`])
  return path.join(stage, 'build', 'Release', 'bench.node')
}

// A package that cannot be installed or built is remembered as such.
async function preparePeer (name, version, node, log) {
  const prefix = path.join(node.directory, name.replace('/', '__'))
  const directory = path.join(prefix, 'node_modules', name)
  const resultFile = path.join(prefix, 'result.json')
  if (fs.existsSync(resultFile)) return JSON.parse(fs.readFileSync(resultFile, 'utf8'))

  log(`installing ${name}@${version} for Node.js ${node.version}`)
  fs.rmSync(prefix, { recursive: true, force: true })
  fs.mkdirSync(prefix, { recursive: true })
  const result = { name, version, directory }
  try {
    const [command, ...args] = npmCommand()
    await run(command, [...args, 'install', '--no-save', '--no-audit', '--no-fund',
      '--ignore-scripts', '--prefix', prefix, `${name}@${version}`], { cwd: prefix })
    await buildPeer(directory, node)
  } catch (error) {
    result.problem = reasonOf(error.message)
    fs.writeFileSync(path.join(prefix, 'error.txt'), error.message)
  }
  fs.writeFileSync(resultFile, JSON.stringify(result))
  return result
}

// As its own install script does, but from source and with these headers: what
// would be downloaded is not what is compared.
async function buildPeer (directory, { binary, headers }) {
  const { scripts } = JSON.parse(fs.readFileSync(path.join(directory, 'package.json'), 'utf8'))
  const env = {
    ...process.env,
    PATH: path.dirname(binary) + path.delimiter + process.env.PATH,
    npm_config_nodedir: headers,
    npm_config_build_from_source: 'true'
  }
  if (scripts?.install) {
    const [command, ...args] = npmCommand()
    // npm's program is a script in any case; the Node.js asked for must run it.
    const npm = args.length > 0 ? args : [fs.realpathSync(command)]
    await run(binary, [...npm, 'run', 'install'], { cwd: directory, env })
  } else if (fs.existsSync(path.join(directory, 'binding.gyp'))) {
    await nodeGyp(directory, ['rebuild', `--nodedir=${headers}`])
  }
}

/** The line of a build's output that says why it failed. */
function reasonOf (output) {
  const lines = output.split('\n').map((line) => line.trim())
  const line = lines.find((text) => /\berror: /.test(text)) ??
    lines.find((text) => /\b[A-Z]\w*Error: /.test(text)) ?? lines.at(-1)
  return line.replace(/^.*?\b(?:error|\w*Error): /, '').replaceAll(ROOT + path.sep, '').slice(0, 140)
}

module.exports = { prepare, reasonOf }
