'use strict'

const { askShowing, command, count, cut, print, size } = require('./command')
const { showPath } = require('./path')

const HELP = `Usage: heapwatch why OLDER NEWER [options]

What leaks between two snapshots of one process, and what holds it. Follows
the growth down both dominator trees to where the number of objects grows, and
asks the newest of them what holds them. Take the snapshots far enough apart:
less than 150 kB of growth is taken for none.

  --json     one JSON object
  -h, --help this text

Exit codes: 0 nothing leaks, 1 a file cannot be read or is no snapshot, 2 wrong
options, 3 something leaks.
`

const LEAKS = 3

async function work ({ json }, files) {
  const why = await askShowing('why', files)
  print(json ? `${JSON.stringify(why)}\n` : show(why))
  return why.leaks ? LEAKS : 0
}

function show (why) {
  if (!why.leaks) return `Nothing that a count explains grows: ${size(why.growth)} in all.\n`
  const { count: [before, now], retained, item, itemType, class: payload } = why
  const kind = itemType === 'closure' ? 'closures' : 'objects'
  const content = payload === item ? '' : ` with \`${cut(payload, 60)}\``
  const what = `${count(now - before)} more \`${cut(item, 60) || '(anonymous)'}\` ${kind}${content} ` +
    `(${size(retained[1] - retained[0])})`
  if (why.heldBy === undefined) {
    return `${what} are held by something that cannot be told. All growth: ${size(why.growth)}.\n`
  }
  return `${what} are held by ${cut(why.heldBy, 300)} [${why.kind}]\n` +
    `${why.agree} of the ${why.samples} newest say so. All growth: ${size(why.growth)}. The way to one of them:\n` +
    showPath(why.path)
}

module.exports = {
  summary: 'say what leaks between two heap snapshots, and why',
  run: command({ name: 'why', help: HELP, files: [2, 2] }, work)
}
