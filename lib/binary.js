'use strict'

// Where the addon built for one Node.js lies. The loader and the build both
// ask here, so that what is built is what is looked for.

const fs = require('node:fs')
const path = require('node:path')

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
  return path.join(__dirname, '..', 'prebuilds', `${platform}-${arch}`,
    `heapwatch.abi${abi}${suffix}.node`)
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

module.exports = { binaryPath, isTruncated }
