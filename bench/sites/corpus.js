'use strict'

// npm run bench:sites [-- --node PATH] [--jobs N] [--seconds N] [--always] [--json FILE] [names…]
//
// Whether the sites of a leak are the right ones: runs the programs of the
// corpus that leak on the heap until the leak is announced, or for as long as
// their label says, and holds the sites against the lines that the label names.
// With --always sampling is on from the start; --seconds is the most that a
// program gets, whatever its label says; --json keeps the sites, and judges
// what such a file holds if it is there already.
//
// A site is right if the innermost function of the application on its stack, or
// its caller, is the one that such a line belongs to: the innermost around it,
// and where that begins in the line, also the next, which makes it there.
// common.js, which makes the corpus's data and load, stands for a library and for
// the network, and lies where libraries do.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const acorn = require('acorn')
const { labels, commandLine, enter, install, pool, readTable, run } = require('../../test/fixtures/corpus/run')

const CORPUS = path.join(__dirname, '..', '..', 'test', 'fixtures', 'corpus')
const SECONDS = 80

/** The functions of a file that hold `line`, innermost first, as places in the source. */
function functionsAround (file, line) {
  const source = fs.readFileSync(file, 'utf8')
  const found = []
  const visit = (node) => {
    if (typeof node?.type !== 'string' || line < node.loc.start.line || line > node.loc.end.line) return
    if (/Function/.test(node.type)) found.unshift(node.loc)
    for (const value of Object.values(node)) [value].flat().forEach(visit)
  }
  visit(acorn.parse(source, { ecmaVersion: 'latest', locations: true, allowHashBang: true, allowReturnOutsideFunction: true }))
  return found
}

/** Whether a site names one of the labelled lines. */
function isRight (site, lines) {
  const frames = [...site.stack, ...(site.inferred ? [site.application] : [])]
    .filter(({ kind }) => kind === 'application').slice(0, 2)
  return lines.some((label) => {
    const [name, line] = label.split(':')
    const file = path.join(CORPUS, name)
    const around = functionsAround(file, Number(line))
    const within = around.findIndex(({ start }) => start.line < Number(line))
    const holders = within === -1 ? around : around.slice(0, within + 1)
    // At the top of a file the function is the module's own.
    const begins = [...holders.map(({ start }) => start.line), ...(within === -1 ? [1] : [])]
    return frames.some((frame) => frame.url.endsWith(file) && begins.includes(frame.line))
  })
}

const isLeak = ({ type, metric }) => type === 'leak' && metric === 'heap'

/** Runs a program: { announced, sites } of its leak, or of the last that was asked for. */
async function sitesOf (name, { node, seconds, always }) {
  const label = labels[name]
  const { events } = await run(name, {
    node,
    preload: path.join(CORPUS, 'sites.js'),
    seconds: Math.min(label.seconds ?? SECONDS, seconds),
    execArgv: label.execArgv,
    env: { HEAPWATCH_CORPUS_SITES: always ? 'always' : 'auto' },
    until: (events) => events.some(isLeak)
  })
  const leak = events.find(isLeak)
  const told = leak ?? events.findLast(({ type, state }) => type === 'sites' && state === 'sampling')
  return { announced: leak !== undefined, sites: told?.sites ?? [] }
}

function nameOf ({ functionName, url, application }) {
  const caller = application && `${path.basename(application.url)}:${application.line}`
  return `${functionName || '(anonymous)'} ${path.basename(url)}${caller ? ` < ${caller}` : ''}`
}

async function main () {
  const { node, jobs, names, seconds, always, json } = commandLine(2, {
    seconds: { type: 'string', default: 'Infinity' },
    always: { type: 'boolean', default: false },
    json: { type: 'string' }
  })
  await install()
  fs.copyFileSync(path.join(CORPUS, 'common.js'), path.join(CORPUS, 'node_modules', 'heapwatch-corpus-common.js'))
  console.log(execFileSync(node, ['--version'], { encoding: 'utf8' }).trim())
  const leaks = names.filter((name) => labels[name].leak && labels[name].metric === 'heap')
  const counts = { announced: 0, sampled: 0, first: 0, three: 0 }
  const known = json === undefined ? {} : readTable(json)
  await pool(jobs, leaks, async (name) => {
    const told = known[name] ?? await sitesOf(name, { node, seconds: Number(seconds), always }).catch((error) => {
      console.log(`${name}: ${error.message}`)
      return { announced: false, sites: [] }
    })
    if (json !== undefined) enter(json, name, told)
    const { announced, sites } = told
    const place = sites.findIndex((site) => isRight(site, labels[name].sites)) + 1
    if (announced) counts.announced++
    if (sites.length > 0) counts.sampled++
    if (place === 1) counts.first++
    if (place >= 1 && place <= 3) counts.three++
    console.log(`${place || '-'} ${announced ? 'leak ' : '     '} ${name.padEnd(28)} ${sites.slice(0, 3).map(nameOf).join(', ')}`)
  })
  console.log(`${leaks.length} leaks, ${counts.announced} announced, ${counts.sampled} with sites; ` +
    `right one first: ${counts.first}, among three: ${counts.three}`)
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
