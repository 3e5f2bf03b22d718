'use strict'

// The option snapshotOnLeak: a heap snapshot of each leak, when it is told.

const fs = require('node:fs')
const path = require('node:path')
const v8 = require('node:v8')
const { snapshotName, writeHeapSnapshot } = require('./heap-snapshot')

// A file takes up to this many times the heap in use.
const FILE_PER_HEAP = 2

class LeakSnapshots {
  #options
  #emit
  #taken = 0

  /**
   * @param {object} options those of snapshotOnLeak
   * @param {(result: object) => void} emit is told of each snapshot, or of why
   *   there is none
   */
  constructor (options, emit) {
    this.#options = options
    this.#emit = emit
  }

  /** Takes one, unless there have been enough. Never throws. */
  async take (leak) {
    const { directory, limit, minFreeDisk, ...options } = this.#options
    if (this.#taken >= limit) return
    this.#taken++
    let result
    try {
      await checkDisk(directory, minFreeDisk)
      const file = path.join(directory, snapshotName())
      result = await writeHeapSnapshot(file, options, { keepAlive: false })
    } catch (error) {
      result = { error }
    }
    this.#emit({ leak, ...result })
  }
}

async function checkDisk (directory, least) {
  const { bavail, bsize } = await fs.promises.statfs(directory)
  const need = least + FILE_PER_HEAP * v8.getHeapStatistics().used_heap_size
  const free = bavail * bsize
  if (free >= need) return
  const error = new Error(`no snapshot is taken: ${Math.round(free / 1e6)} MB are free in ${directory}, ` +
    `${Math.round(need / 1e6)} MB are needed`)
  error.code = 'ERR_HEAPWATCH_SNAPSHOT_DISK'
  throw error
}

module.exports = { LeakSnapshots }
