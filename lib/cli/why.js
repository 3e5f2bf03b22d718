'use strict'

const { explain } = require('../why')
const { askShowing, command, cut, print, size } = require('./command')
const { showPath } = require('./path')

const HELP = `Usage: heapwatch why OLDEST NEWER [NEWEST] [options]

What leaks between two or three snapshots of one process, and what holds it.
Follows the growth down the dominator trees to where the number of objects
grows, and asks the newest of them what holds them. Take the snapshots far
enough apart: less than 150 kB of growth is taken for none. With three, what
grows must be the same from the first to the second and on to the third.

  --json     one JSON object
  -h, --help this text

Exit codes: 0 nothing leaks, 1 a file cannot be read or is no snapshot, 2 wrong
options, 3 something leaks.
`

const LEAKS = 3

async function work ({ json }, files) {
  const why = await explain(files, askShowing)
  print(json ? `${JSON.stringify(why)}\n` : show(why))
  return why.leaks ? LEAKS : 0
}

function show (why) {
  const text = cut(why.description, 1000)
  const sentence = text.charAt(0).toUpperCase() + text.slice(1)
  if (!why.leaks) return `${sentence}.\n`
  if (why.heldBy === undefined) return `${sentence}. All growth: ${size(why.growth)}.\n`
  return `${sentence} [${why.kind}]\n` +
    `${why.agree} of the ${why.samples} newest say so${why.confirmed ? ', and in both steps' : ''}. All growth: ${size(why.growth)}. The way to one of them:\n` +
    showPath(why.path)
}

module.exports = {
  summary: 'say what leaks between two heap snapshots, and why',
  run: command({ name: 'why', help: HELP, files: [2, 3] }, work)
}
