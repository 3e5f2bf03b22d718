'use strict'

// Finds and loads the addon, and explains what to do when it cannot.

const fs = require('node:fs')
const path = require('node:path')
const { performance } = require('node:perf_hooks')
const { OLDEST_NODE, binariesHere, binaryPath, isTruncated } = require('./binary')
const { unusableBinary } = require('./errors')
const { version } = require('../package.json')

const BUILD_COMMAND = 'npx heapwatch build'

function describeHost () {
  return `Node.js ${process.version} (ABI ${process.versions.modules}) on ${process.platform}-${process.arch}`
}

function missing (file) {
  const here = binariesHere()
  const major = parseInt(process.versions.node, 10)
  return unusableBinary('ERR_HEAPWATCH_NO_BINARY',
    `heapwatch has no binary for ${describeHost()}: there is no file ${file}. ` +
    `${here.length > 0 ? `There are binaries for ${here.join(', ')}. ` : ''}` +
    (major < OLDEST_NODE
      ? `heapwatch needs Node.js ${OLDEST_NODE} or newer.`
      : `Build one with: ${BUILD_COMMAND}`))
}

// What a load can fail with and keep its own code; all else is a broken binary.
const MISFITS = ['ERR_HEAPWATCH_ABI', 'ERR_HEAPWATCH_STALE_BINARY']

function broken (file, cause) {
  const code = MISFITS.includes(cause.code) ? cause.code : 'ERR_HEAPWATCH_BROKEN_BINARY'
  return unusableBinary(code,
    `heapwatch cannot use its binary ${file} in ${describeHost()}: ${cause.message}. ` +
    `Build one that fits with: ${BUILD_COMMAND}` +
    // A build goes to the package's own place, which is not looked at then.
    (process.env.HEAPWATCH_BINARY ? ', and let HEAPWATCH_BINARY name that one or nothing' : ''), cause)
}

// A binary and lib/ belong together: one from before an upgrade loads, too, and
// would fail at whatever option it does not know. The first ones told no version.
function checkVersion ({ heapwatchVersion }) {
  if (heapwatchVersion === version) return
  const built = heapwatchVersion ? `heapwatch ${heapwatchVersion}` : 'an older heapwatch'
  throw Object.assign(new Error(`the binary was built for ${built}, this is heapwatch ${version}`),
    { code: 'ERR_HEAPWATCH_STALE_BINARY' })
}

function load () {
  const file = path.resolve(process.env.HEAPWATCH_BINARY || binaryPath())
  if (!fs.existsSync(file)) throw missing(file)
  try {
    // The system's loader maps what the file claims to hold, and touching what
    // it does not hold kills the process.
    if (isTruncated(file)) throw new Error('the file is not complete')
    // Not require(), which runs a file of any other name as JavaScript.
    const addon = { exports: {} }
    process.dlopen(addon, path.toNamespacedPath(file))
    if (!addon.exports.Watch) throw new Error('the file is another addon')
    checkVersion(addon.exports)
    return addon.exports
  } catch (error) {
    throw broken(file, error)
  }
}

// When performance.now() was 0, on the clock of process.hrtime(), in ns. Both
// read the same clock a moment apart: the shortest moment of a few is best.
function timeOrigin () {
  let best
  for (let i = 0; i < 5; i++) {
    const before = Number(process.hrtime.bigint())
    const now = performance.now() * 1e6
    const after = Number(process.hrtime.bigint())
    if (!best || after - before < best.took) {
      best = { took: after - before, origin: (before + after) / 2 - now }
    }
  }
  return best.origin
}

const binding = load()
const clockOrigin = timeOrigin()
// The numbers of samples and GC events cross in here, with no object made.
const transfer = new Float64Array(binding.transferLength)
binding.setup(process, transfer, clockOrigin, __dirname + path.sep)

const {
  Watch, Recording, isRecording, Replay, analyzeSnapshots, takeSnapshot, cancelSnapshot,
  sampleFields, leakDefaults, writeNow
} = binding

module.exports = {
  Watch,
  Recording,
  isRecording,
  Replay,
  analyzeSnapshots,
  takeSnapshot,
  cancelSnapshot,
  sampleFields,
  leakDefaults,
  transfer,
  clockOrigin,
  writeNow
}
