'use strict'

const { askShowing, command, count, cut, print, size, table } = require('./command')

const HELP = `Usage: heapwatch summary FILE [options]

What a heap snapshot holds, by class as in Chrome DevTools' Summary: number,
shallow and retained size, and the shortest distance from a root. Also bytes
by kind, the largest and the duplicate strings, and the contexts.

  --top N    rows of each table, 20 by default; --json has all classes
  --json     one JSON object
  --nodes    a line a node instead: id, shallow size, retained size, the id of
             its dominator, distance
  -h, --help this text

Exit codes: 0 done, 1 the file cannot be read or is no snapshot, 2 wrong options.
`

const OPTIONS = {
  top: { type: 'string', default: '20', number: [0, 1e6] },
  nodes: { type: 'boolean', default: false }
}

async function work ({ json, nodes, top }, [file]) {
  if (nodes) {
    await askShowing('nodes', [file], { fd: 1 })
    return 0
  }
  const summary = await askShowing('summary', [file], { limit: top })
  print(json ? `${JSON.stringify(summary)}\n` : show(summary, top))
  return 0
}

function show (summary, top) {
  const { statistics: kinds, classes } = summary
  const parts = [
    `${count(summary.nodes)} nodes, ${count(summary.edges)} edges, ${size(summary.total)}\n`,
    table(['kind', 'bytes'], [
      ['code', kinds.code], ['strings', kinds.strings], ['arrays', kinds.arrays],
      ['typed arrays', kinds.typedArrays], ['other native memory', kinds.native - kinds.typedArrays],
      ['system', kinds.system]
    ].map(([name, bytes]) => [name, size(bytes)])),
    table(['class', 'count', 'shallow', 'retained', 'distance'], classes.slice(0, top).map(row)),
    strings('largest string', summary.largestStrings, (s) => [size(s.shallow)], ['bytes']),
    strings('duplicate string', summary.duplicateStrings, (s) => [count(s.count), size(s.retained)],
      ['count', 'retained']),
    table(['context', 'id', 'retained'], summary.nativeContexts.map(({ name, id, retained, detached }) =>
      [`${name}${detached && !name.startsWith('Detached') ? ' (detached)' : ''}`, `@${id}`, size(retained)]))
  ]
  return parts.filter((part) => part !== '').join('\n')
}

function row ({ name, count: objects, shallow, retained, distance }) {
  const far = distance < 0 || distance >= 1e8 ? '-' : String(distance)
  return [name, count(objects), size(shallow), size(retained), far]
}

function strings (title, list, cells, titles) {
  if (list.length === 0) return ''
  return table([title, ...titles], list.map((string) =>
    [JSON.stringify(cut(string.text, 60)), ...cells(string)]))
}

module.exports = {
  summary: 'sum a heap snapshot up by class',
  run: command({ name: 'summary', help: HELP, options: OPTIONS, files: [1, 1] }, work)
}
