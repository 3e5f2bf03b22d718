'use strict'

const { count, cut } = require('./command')

const STEPS = 16

/**
 * Lays a path of the answers out, a line a step. A long way is a chain of the
 * same again and again: its ends say what it is.
 */
function showPath (path) {
  const half = STEPS >> 1
  const lines = path.map((step, i) => `  ${i === 0 ? '' : `${label(step)} → `}${describe(step)}\n`)
  const left = lines.length - STEPS + (path.find(({ skipped }) => skipped)?.skipped ?? 0)
  return lines.length <= STEPS
    ? lines.join('')
    : [...lines.slice(0, half), `  … ${count(left)} more …\n`, ...lines.slice(-half)].join('')
}

function label ({ edge, edgeType }) {
  if (edgeType === 'element' || edgeType === 'hidden') return `[${edge}]`
  if (edgeType === 'internal') return `<${cut(edge, 60)}>`
  return edgeType === 'property' ? `.${cut(edge, 60)}` : cut(edge, 60)
}

function describe ({ id, name, type, url, line }) {
  const place = url === undefined ? '' : ` (${url}${line === undefined ? '' : `:${line}`})`
  return `${cut(name, 60) || `(${type})`} @${id}${cut(place, 120)}`
}

module.exports = { describe, showPath }
