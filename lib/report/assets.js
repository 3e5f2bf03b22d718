'use strict'

// Files that pages are made of. uPlot is in the package as vendor/ (scripts/
// vendor.js puts it there when the package is packed), in a clone it comes from
// node_modules.

const fs = require('node:fs')
const path = require('node:path')

const VENDOR = path.join(__dirname, 'vendor')

function uplot (name) {
  const vendored = path.join(VENDOR, name)
  if (fs.existsSync(vendored)) return fs.readFileSync(vendored, 'utf8')
  return fs.readFileSync(require.resolve(`uplot/dist/${name}`), 'utf8')
}

const ours = (name) => () => fs.readFileSync(path.join(__dirname, name), 'utf8')

const SOURCES = {
  'uPlot.js': () => uplot('uPlot.iife.min.js'),
  'uPlot.css': () => uplot('uPlot.min.css'),
  'charts.js': ours('charts.browser.js'),
  'live.js': ours('live.browser.js'),
  'page.css': ours('page.css')
}

/** The text of one of these, read once. */
function asset (name) {
  const source = SOURCES[name]
  if (typeof source === 'function') SOURCES[name] = source()
  return SOURCES[name]
}

module.exports = { asset, names: Object.keys(SOURCES) }
