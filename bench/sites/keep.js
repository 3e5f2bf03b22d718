'use strict'

// A heap that is sampled: functions of several scripts, called by several
// others, that keep what they allocate until there are so many live samples.

const vm = require('node:vm')

const SCRIPTS = 20
const FUNCTIONS = 25 // of each script
const CALLERS = 8

/** Functions that allocate, each at a place of its own. */
function allocators () {
  return Array.from({ length: SCRIPTS }, (_, script) => {
    const source = Array.from({ length: FUNCTIONS }, (_, i) =>
      `function allocate${i} (kept, n) {\n  for (let k = 0; k < n; k++) kept.push({ a: k, b: [k, ${i}], c: ${script} })\n}`).join('\n\n')
    const names = Array.from({ length: FUNCTIONS }, (_, i) => `allocate${i}`)
    return vm.runInThisContext(`${source}\n;[${names.join(', ')}]`, { filename: `/app/lib/module-${script}.js` })
  }).flat()
}

/** Ways to them: what calls a function of the application tells sites apart. */
function callers () {
  const names = Array.from({ length: CALLERS }, (_, i) => `caller${i}`)
  const source = names.map((name) => `function ${name} (f, kept, n) {\n  f(kept, n)\n}`).join('\n\n')
  return vm.runInThisContext(`${source}\n;[${names.join(', ')}]`, { filename: '/app/routes.js' })
}

/**
 * Keeps objects until `count` says that there are `samples` live samples.
 *
 * @param {number} samples
 * @param {() => number} count
 * @returns {object[]} what must be kept
 */
function keep (samples, count) {
  const kept = []
  const functions = allocators()
  const ways = callers()
  for (let i = 0; i % functions.length !== 0 || count() < samples; i++) {
    const list = []
    ways[i % ways.length](functions[i % functions.length], list, 5)
    kept.push(list)
  }
  return kept
}

module.exports = { keep }
