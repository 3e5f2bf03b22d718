'use strict'

const fs = require('node:fs')
const path = require('node:path')

/**
 * Makes a real memory cgroup of a size, where this process may: of version 1 or
 * 2. Undefined where it may not. Whoever gets one removes the folder.
 */
function makeCgroup (bytes) {
  if (process.platform !== 'linux') return
  const own = fs.readFileSync('/proc/self/cgroup', 'utf8')
  const name = `heapwatch-test-${process.pid}`
  for (const [root, file] of [
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
    [`/sys/fs/cgroup${own.match(/^0::(.*)$/m)?.[1] ?? ''}`, 'memory.max']
  ]) {
    const folder = path.join(root, name)
    try {
      fs.mkdirSync(folder)
      fs.writeFileSync(path.join(folder, file), String(bytes))
      return folder
    } catch {
      if (fs.existsSync(folder)) fs.rmdirSync(folder)
    }
  }
}

/** The command that starts another inside a cgroup. */
function inCgroup (folder) {
  return ['sh', '-c', `echo $$ > ${folder}/cgroup.procs && exec "$0" "$@"`]
}

module.exports = { inCgroup, makeCgroup }
