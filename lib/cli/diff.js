'use strict'

const { askShowing, command, count, print, size, table } = require('./command')

const HELP = `Usage: heapwatch diff OLDER NEWER [NEWEST] [options]

Compares snapshots of one process by class, as Chrome DevTools' Comparison
does: objects that are new, that are gone, and their sizes. Of three, the first
and the last are compared, and the classes that grew in both steps come first:
what fills up once grows in one of them, what leaks grows in both.

  --top N    rows of each table, 20 by default; --json has all classes
  --json     one JSON object
  -h, --help this text

Exit codes: 0 done, 1 a file cannot be read or is no snapshot, 2 wrong options.
`

const OPTIONS = { top: { type: 'string', default: '20', number: [0, 1e6] } }

async function work ({ json, top }, files) {
  const diff = await askShowing('diff', files)
  print(json ? `${JSON.stringify(diff)}\n` : show(diff, top))
  return 0
}

function show ({ classes, grown }, top) {
  const parts = []
  if (grown) {
    parts.push(grown.length === 0
      ? 'No class grew in both steps.\n'
      : table(['grew in both steps', 'first', 'bytes', 'then', 'bytes'], grown.slice(0, top).map(
        ({ name, steps: [one, two] }) => [name, ...delta(one), ...delta(two)])))
  }
  parts.push(classes.length === 0
    ? 'Nothing differs.\n'
    : table(['class', 'new', 'gone', 'delta', 'allocated', 'freed', 'delta'], classes.slice(0, top).map(row)))
  return parts.join('\n')
}

function delta ({ added, removed, addedSize, removedSize }) {
  return [signed(added - removed, count), signed(addedSize - removedSize, size)]
}

function row (entry) {
  const [objects, bytes] = delta(entry)
  return [entry.name, count(entry.added), count(entry.removed), objects,
    size(entry.addedSize), size(entry.removedSize), bytes]
}

function signed (number, format) {
  return `${number > 0 ? '+' : ''}${format(number)}`
}

module.exports = {
  summary: 'compare two or three heap snapshots',
  run: command({ name: 'diff', help: HELP, options: OPTIONS, files: [2, 3] }, work)
}
