'use strict'

const { askShowing, command, count, cut, print, size } = require('./command')

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
const STEPS = 16

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
    return `${of}held by ${cut(heldBy, 300)} [${kind}]\n${steps(path)}`
  })
  parts.push(...paths.map(({ steps: path }, i) =>
    `${i === 0 ? 'Shortest path from a root' : 'Next'}${objects === 1 ? '' : ` to ${describe(first)}`}:\n${steps(path)}`))
  return `${what}\n\n${parts.join('\n')}`
}

// A long way is a chain of the same again and again: its ends say what it is.
function steps (path) {
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

module.exports = {
  summary: 'say what holds an object or the objects of a class',
  run: command({ name: 'retainers', help: HELP, options: OPTIONS, files: [2, 2] }, work)
}
