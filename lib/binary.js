'use strict'

// Where the addon built for one Node.js lies. The loader and the build both
// ask here, so that what is built is what is looked for.

const fs = require('node:fs')
const path = require('node:path')

/** Major version. Those before lack what heapwatch is made with. */
const OLDEST_NODE = 20

const PREBUILDS = path.join(__dirname, '..', 'prebuilds')

// Of the identification that an ELF file begins with.
const ELF_64_BIT = 2
const ELF_LITTLE_ENDIAN = 1

/**
 * The path of the addon for a Node.js, by default the running one. A binary
 * fits one platform, architecture, C library and ABI (`process.versions.modules`).
 *
 * @param {{ platform?: string, arch?: string, libc?: 'glibc'|'musl'|'', abi?: string }} [target]
 * @returns {string} an absolute path; nothing need exist there
 */
function binaryPath ({
  platform = process.platform,
  arch = process.arch,
  libc = platform === 'linux' ? libcOf(process.execPath) : '',
  abi = process.versions.modules
} = {}) {
  const suffix = libc === 'musl' ? '.musl' : ''
  return path.join(PREBUILDS, `${platform}-${arch}`,
    `heapwatch.abi${abi}${suffix}.node`)
}

/**
 * The binaries that are here, for people: one line for each platform, such as
 * "linux-x64 (ABI 115, 127)"; empty if there are none.
 */
function binariesHere () {
  const list = (directory) => {
    try {
      return fs.readdirSync(directory)
    } catch {
      return []
    }
  }
  return list(PREBUILDS).sort().flatMap((platform) => {
    const abis = list(path.join(PREBUILDS, platform))
      .map((name) => /^heapwatch\.abi(\d+)(\.musl)?\.node$/.exec(name))
      .filter(Boolean)
      .map(([, abi, musl]) => musl ? `${abi} with musl` : abi)
    return abis.length > 0 ? [`${platform} (ABI ${abis.sort().join(', ')})`] : []
  })
}

// An ELF program names its dynamic loader, and so its C library, in its first
// page. `process.report` knows too, but takes milliseconds to say it. A Node.js
// that was deleted while it runs, by an upgrade, is taken for the usual one.
function libcOf (executable) {
  if (!fs.existsSync(executable)) return 'glibc'
  return read(executable, 4096).head.includes('/ld-musl-') ? 'musl' : 'glibc'
}

/**
 * Whether a file is an ELF library that ends before its own table of sections,
 * which comes last in it: an interrupted copy. Of other files, false.
 */
function isTruncated (file) {
  const { head, size } = read(file, 64)
  const isElf = head.length === 64 && head.readUInt32BE(0) === 0x7f454c46
  const [, , , , bits, order] = head
  if (!isElf || bits !== ELF_64_BIT || order !== ELF_LITTLE_ENDIAN) return false
  const offset = Number(head.readBigUInt64LE(0x28)) // e_shoff
  const length = head.readUInt16LE(0x3a) * head.readUInt16LE(0x3c) // e_shentsize, e_shnum
  return offset + length > size
}

function read (file, bytes) {
  const fd = fs.openSync(file, 'r')
  try {
    const head = Buffer.alloc(bytes)
    const length = fs.readSync(fd, head, 0, bytes, 0)
    return { head: head.subarray(0, length), size: fs.fstatSync(fd).size }
  } finally {
    fs.closeSync(fd)
  }
}

module.exports = { OLDEST_NODE, binariesHere, binaryPath, isTruncated }
