'use strict'

const { askShowing, command, count, cut, print, size } = require('./command')
const { describe, showPath } = require('./path')

const HELP = `Usage: heapwatch retainers FILE ID|CLASS [options]

What holds an object, or the objects of a class: in the program's own words
where the snapshot shows it (a module's variable, a global, a closure, a timer,
the listeners of an event, a promise, an AsyncLocalStorage), and the shortest
paths from the roots. Of a class up to 200 objects are looked at.

  --top N    causes and paths that are shown, 3 by default
  --json     one JSON object
  -h, --help this text

Exit codes: 0 done, 1 the file cannot be read, is no snapshot or has no such
object or class, 2 wrong options.
`

const OPTIONS = { top: { type: 'string', default: '3', number: [1, 200] } }

async function work ({ json, top }, [file, target]) {
  const answer = await askShowing('retainers', [file], { target, limit: top })
  print(json ? `${JSON.stringify(answer)}\n` : show(answer))
  return 0
}

function show ({ count: objects, shallow, first, samples, causes, paths }) {
  const what = objects === 1
    ? `${describe(first)}, ${size(first.retained)} retained`
    : `${count(objects)} objects, ${size(shallow)}`
  const parts = causes.map(({ kind, samples: held, heldBy, path }) => {
    const of = samples === 1 ? '' : `${held} of ${samples} `
    return `${of}held by ${cut(heldBy, 300)} [${kind}]\n${showPath(path)}`
  })
  parts.push(...paths.map(({ steps: path }, i) =>
    `${i === 0 ? 'Shortest path from a root' : 'Next'}${objects === 1 ? '' : ` to ${describe(first)}`}:\n${showPath(path)}`))
  return `${what}\n\n${parts.join('\n')}`
}

module.exports = {
  summary: 'say what holds an object or the objects of a class',
  run: command({ name: 'retainers', help: HELP, options: OPTIONS, files: [2, 2] }, work)
}
