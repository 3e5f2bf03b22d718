'use strict'

// Where the addon built for one Node.js lies. The loader and the build both
// ask here, so that what is built is what is looked for.

const fs = require('node:fs')
const path = require('node:path')

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
// page. `process.report` knows too, but takes milliseconds to say it.
function libcOf (executable) {
  const head = Buffer.alloc(4096)
  const fd = fs.openSync(executable, 'r')
  try {
    fs.readSync(fd, head, 0, head.length, 0)
  } finally {
    fs.closeSync(fd)
  }
  return head.includes('/ld-musl-') ? 'musl' : 'glibc'
}

module.exports = { binaryPath }
