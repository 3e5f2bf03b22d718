'use strict'

const { askShowing, command, count, cut, print, size } = require('./command')

const HELP = `Usage: heapwatch dominators FILE [options]

The dominator tree by retained size: under each node, what would go with it.

  --id N     begin at the node with this id instead of the root
  --depth N  levels that are shown, 4 by default, 64 at most
  --top N    children of a node that are shown, 10 by default
  --least P  percent of the beginning's retained size that a node must have to
             be shown, 1 by default
  --json     one JSON object
  -h, --help this text

Exit codes: 0 done, 1 the file cannot be read, is no snapshot or has no such
id, 2 wrong options.
`

const OPTIONS = {
  id: { type: 'string', default: '0', number: [0, 2 ** 32 - 1] },
  depth: { type: 'string', default: '4', number: [0, 64] },
  top: { type: 'string', default: '10', number: [1, 1000] },
  least: { type: 'string', default: '1', number: [0, 100, false] }
}

async function work ({ json, id, depth, top, least }, [file]) {
  const answer = await askShowing('dominators', [file],
    { id, depth, limit: top, leastShare: least / 100 })
  print(json ? `${JSON.stringify(answer)}\n` : show(answer.tree, 0))
  return 0
}

function show (node, depth) {
  const indent = '  '.repeat(depth)
  const via = node.edge === undefined ? '' : `${label(node)} → `
  const name = node.name || (node.type === 'synthetic' ? '(root)' : `(${node.type})`)
  const line = `${size(node.retained).padStart(9)}  ${indent}${cut(`${via}${name}`, 90)} @${node.id}\n`
  const { count: others, retained } = node.others
  const rest = others === 0 || depth === 0
    ? ''
    : `${size(retained).padStart(9)}  ${indent}  (${count(others)} more)\n`
  return line + node.children.map((child) => show(child, depth + 1)).join('') + rest
}

function label ({ edge, edgeType }) {
  if (edgeType === 'element' || edgeType === 'hidden') return `[${edge}]`
  return edgeType === 'internal' ? `<${edge}>` : String(edge)
}

module.exports = {
  summary: 'show the dominator tree of a heap snapshot',
  run: command({ name: 'dominators', help: HELP, options: OPTIONS, files: [1, 1] }, work)
}
