'use strict'

// What V8 reserves for the young generation. `heap_size_limit` is the limit of
// the old space plus this reserve, and only the old space fills up for good.
//
// Node.js derives both from the memory of the machine or container. V8 makes
// the young generation three semi-spaces; one is the old space's default size
// divided by a ratio, rounded up to a power of two, up to a maximum. Ratios and
// maxima measured on 20.20, 22.23, 24.21 and 26.10, from 256 MB to 20 GB.

const os = require('node:os')
const v8 = require('node:v8')
const { isMainThread, resourceLimits } = require('node:worker_threads')

const MB = 1024 * 1024
const SEMI_SPACES = 3
const SMALL_OLD_MB = 256

// By ABI; `smallRatio` holds for old spaces of up to 256 MB.
const YOUNG = {
  115: { maxSemiMb: 16, ratio: 128, smallRatio: 256 },
  127: { maxSemiMb: 16, ratio: 128, smallRatio: 256 },
  137: { maxSemiMb: 64, ratio: 32, smallRatio: 256 },
  147: { maxSemiMb: 32, ratio: 64, smallRatio: 64 }
}
const LATEST = YOUNG[147]

/** The value of a V8 flag in megabytes, the last given; NaN if none is. */
function flagMb (name) {
  const given = `${process.env.NODE_OPTIONS || ''} ${process.execArgv.join(' ')}`
  const pattern = new RegExp(`(?:^|\\s)--${name.replaceAll('-', '[-_]')}[=\\s](\\d+)`, 'g')
  return Number([...given.matchAll(pattern)].at(-1)?.[1])
}

/** Megabytes of memory that Node.js sizes the heap by. */
function memoryMb () {
  const constrained = process.constrainedMemory?.() ?? 0
  const total = os.totalmem()
  return (constrained > 0 && constrained < total ? constrained : total) / MB
}

function defaultSemiMb () {
  const { maxSemiMb, ratio, smallRatio } = YOUNG[process.versions.modules] ?? LATEST
  const memory = memoryMb()
  const old = Math.min(memory / 2, memory > 15 * 1024 ? 4096 : 2048)
  const share = Math.ceil(old / (old <= SMALL_OLD_MB ? smallRatio : ratio))
  return Math.min(2 ** Math.ceil(Math.log2(share)), maxSemiMb)
}

/**
 * Bytes of this isolate's `heap_size_limit` that belong to the young
 * generation. Exact in Workers and where `--max-old-space-size` was given.
 */
function youngReserve () {
  if (!isMainThread && resourceLimits.maxYoungGenerationSizeMb > 0) {
    return resourceLimits.maxYoungGenerationSizeMb * MB
  }
  const limit = v8.getHeapStatistics().heap_size_limit
  const old = flagMb('max-old-space-size') * MB
  if (old > 0 && old < limit) return limit - old
  return (flagMb('max-semi-space-size') || defaultSemiMb()) * SEMI_SPACES * MB
}

module.exports = { youngReserve }
