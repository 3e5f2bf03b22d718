'use strict'

// npm run binaries [-- --arch x64|arm64] [--node MAJOR|all] [--jobs N] [--check]
//
// The binaries that go into the package: for each supported Node.js on Linux
// with glibc, x64 and arm64, from the headers in npm's node-linux-* packages.
// Strips them and fails if one needs a newer system than Node.js itself does.
// `npm pack` runs this. --check only looks at what is there.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { binaryPath } = require('../lib/binary')
const { build } = require('../lib/build')
const { ROOT, crossCompilers, fetchNode, headersAbi } = require('../lib/toolchain')
const { parseMajors, setup } = require('./setup')

const ARCHES = ['x64', 'arm64']

// The newest symbols a binary may need. Node.js 20 to 26 need GLIBC_2.28 and
// GLIBCXX_3.4.21 themselves (Debian 10, RHEL 8, Ubuntu 18.10).
const NEWEST = { GLIBC: '2.28', GLIBCXX: '3.4.21', CXXABI: '1.3.11' }

async function main () {
  const { values } = parseArgs({
    options: {
      arch: { type: 'string', multiple: true, default: ARCHES },
      node: { type: 'string', multiple: true, default: ['all'] },
      jobs: { type: 'string', default: String(os.availableParallelism()) },
      check: { type: 'boolean', default: false }
    }
  })
  for (const arch of values.arch) {
    if (!ARCHES.includes(arch)) throw new Error(`--arch ${arch}: must be one of ${ARCHES.join(', ')}`)
  }
  const majors = parseMajors(values.node)
  await setup({ arches: values.arch })
  const files = []
  for (const arch of values.arch) {
    for (const major of majors) {
      // The npm package's headers also for the Node.js that runs this: the same
      // binaries come out wherever they are built.
      const { headers } = await fetchNode(major, console.log, arch)
      if (values.check) files.push(binaryPath({ arch, abi: headersAbi(headers), libc: 'glibc' }))
      else files.push(await make({ headers, arch, jobs: Number(values.jobs) }))
    }
  }
  const needed = files.map((file) => ({ file, needs: check(file) }))
  for (const { file, needs } of needed) {
    const { size } = fs.statSync(file)
    console.log(`${path.relative(ROOT, file)}  ${size} bytes, needs ${needs.join(', ')}`)
  }
}

async function make ({ headers, arch, jobs }) {
  const cross = arch === process.arch ? undefined : arch
  const { path: file } = await build({
    ...(cross ? { arch: cross } : { nodeBinary: path.join(headers, 'bin', 'node') }),
    headers,
    jobs,
    log: console.log
  })
  // Into another file and then renamed: who loads it sees a whole one.
  const stripped = `${file}.stripped`
  execFileSync(tool('strip', cross), ['--strip-unneeded', '-o', stripped, file])
  fs.renameSync(stripped, file)
  return file
}

function tool (name, cross) {
  return cross ? crossCompilers(cross).AR.replace(/ar$/, name) : name
}

const parts = (version) => version.split('.').map(Number)

function isNewer (a, b) {
  const [x, y] = [parts(a), parts(b)]
  const i = x.findIndex((part, i) => part !== (y[i] ?? 0))
  return i >= 0 && x[i] > (y[i] ?? 0)
}

/** The newest version of each library's symbols that a binary needs. */
function check (file) {
  if (!fs.existsSync(file)) throw new Error(`There is no ${file}: build it with "npm run binaries"`)
  const needs = {}
  // objdump reads the dynamic section of every architecture.
  const text = execFileSync('objdump', ['-p', file], { encoding: 'utf8' })
  for (const [, library, version] of text.matchAll(/ (GLIBC|GLIBCXX|CXXABI)_([\d.]+)$/gm)) {
    if (!needs[library] || isNewer(version, needs[library])) needs[library] = version
  }
  if (!needs.GLIBC) throw new Error(`${file} needs no glibc: is it for Linux?`)
  for (const [library, version] of Object.entries(needs)) {
    if (isNewer(version, NEWEST[library])) {
      throw new Error(`${file} needs ${library}_${version}; ${library}_${NEWEST[library]} is the newest allowed`)
    }
  }
  return Object.entries(needs).map(([library, version]) => `${library}_${version}`)
}

main().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
