'use strict'

// npm pack, npm publish
//
// Puts what the pages need of uPlot into lib/, with its licence: the package
// then has no dependency that a watch does not need. And binding.gyp into src/,
// where no package manager takes it for a reason to build.

const fs = require('node:fs')
const path = require('node:path')

const SOURCE = path.dirname(require.resolve('uplot/package.json'))
const TARGET = path.join(__dirname, '..', 'lib', 'report', 'vendor')

fs.mkdirSync(TARGET, { recursive: true })
for (const name of ['dist/uPlot.iife.min.js', 'dist/uPlot.min.css', 'LICENSE']) {
  const target = name === 'LICENSE' ? 'uPlot.LICENSE' : path.basename(name)
  fs.copyFileSync(path.join(SOURCE, name), path.join(TARGET, target))
}

const ROOT = path.join(__dirname, '..')
fs.copyFileSync(path.join(ROOT, 'binding.gyp'), path.join(ROOT, 'src', 'binding.gyp'))
