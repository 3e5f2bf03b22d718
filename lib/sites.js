'use strict'

// Allocation sites, as JavaScript sees them. Reading and ranking is native and
// gives JSON text; here lines are led back to the sources they were made of,
// where Node.js runs with --enable-source-maps.

const { findSourceMap } = require('node:module')
const { fileURLToPath } = require('node:url')

// How a watch's option becomes the numbers of the native side.
const MODES = { suspected: 1, always: 2 }

/** The native options of `sites`, as lib/options.js has resolved them. */
function nativeOptions (sites) {
  if (sites === false) return { sitesMode: 0, sampleInterval: 0, stackDepth: 0 }
  const { when, sampleInterval, stackDepth } = sites
  return { sitesMode: MODES[when], sampleInterval: sampleInterval === 'auto' ? 0 : sampleInterval, stackDepth }
}

/** The source map of a script, or undefined. Never throws. */
function sourceMapOf (url) {
  try {
    return findSourceMap(url) ?? (url.startsWith('file:') ? findSourceMap(fileURLToPath(url)) : undefined)
  } catch {
    return undefined
  }
}

/**
 * A frame, or the place in the source it was compiled from, with the place in
 * the script that runs as `generated`.
 */
function original (frame) {
  const { url, line, column } = frame
  if (url === '' || line < 1 || url.startsWith('node:')) return frame
  const entry = sourceMapOf(url)?.findEntry(line - 1, Math.max(0, column - 1))
  if (!entry?.originalSource) return frame
  return {
    ...frame,
    functionName: entry.name || frame.functionName,
    url: entry.originalSource,
    line: entry.originalLine + 1,
    column: entry.originalColumn + 1,
    generated: { url, line, column }
  }
}

function mapped (site) {
  return {
    ...original(site),
    application: site.application && original(site.application),
    stack: site.stack.map(original)
  }
}

/** What the native side wrote, with original lines where there are any. */
function parseSites (text) {
  const read = JSON.parse(text)
  if (process.sourceMapsEnabled) {
    read.sites = read.sites.map(mapped)
  }
  return read
}

module.exports = { nativeOptions, parseSites }
