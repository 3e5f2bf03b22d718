'use strict'

// Samples and collections, made of the numbers that C hands over.

// Numbers of one sample and one GC event.
const SAMPLE_LENGTH = 17
const GC_LENGTH = 8

const GC_TYPES = {
  1: { kind: 'minor', type: 'scavenge' },
  2: { kind: 'minor', type: 'minor-mark-sweep' },
  4: { kind: 'major', type: 'mark-sweep-compact' },
  8: { kind: 'incremental', type: 'incremental-marking' },
  16: { kind: 'weakcb', type: 'process-weak-callbacks' }
}
const FORCED = 1 << 2
const MAJOR = 4

// In the order of HW_SAMPLE_MAP in src/core/hw_monitor.h.
function readSample (n, i) {
  return {
    time: n[i],
    heapUsed: n[i + 1],
    heapTotal: n[i + 2],
    heapLimit: n[i + 3],
    rss: n[i + 4],
    external: n[i + 5],
    arrayBuffers: n[i + 6],
    mallocedMemory: n[i + 7],
    physicalHeap: n[i + 8],
    globalHandles: n[i + 9],
    nativeContexts: n[i + 10],
    detachedContexts: n[i + 11],
    gcTime: n[i + 12],
    gcLoad: n[i + 13],
    allocationRate: n[i + 14],
    loopDelay: n[i + 15],
    memoryLimit: n[i + 16]
  }
}

function readGc (n, i) {
  const { kind, type } = GC_TYPES[n[i]]
  const flags = n[i + 1]
  return {
    kind,
    type,
    forced: (flags & FORCED) !== 0,
    flags,
    startTime: n[i + 2],
    duration: n[i + 3],
    heapBefore: n[i + 4],
    heapAfter: n[i + 5],
    freed: n[i + 4] - n[i + 5],
    externalBefore: n[i + 6],
    externalAfter: n[i + 7]
  }
}

// In the order of the numbers.
const SAMPLE_FIELDS = Object.keys(readSample([], 0))

module.exports = { GC_LENGTH, MAJOR, SAMPLE_FIELDS, SAMPLE_LENGTH, readGc, readSample }
