'use strict'

// What `why` finds between snapshots, completed by what is not in them: the
// line on which a variable is declared is in its source, if that is on this
// machine.

const fs = require('node:fs')
const path = require('node:path')
const { fileURLToPath } = require('node:url')
const { isDeepStrictEqual } = require('node:util')
const { causeText, tellingPart } = require('./describe')
const { ask } = require('./snapshot')

const LARGEST_SOURCE = 8 << 20

/**
 * Asks why, and adds `description`, and to the anchor its `line`.
 *
 * Of three snapshots, what the second and the third say is confirmed if the first
 * and the second say it as well; of four also if those do, whatever there was
 * from the second to the third. What is not confirmed is not known.
 *
 * @param {string[]} paths of two to four snapshots, the oldest first
 * @param {(question: string, paths: string[]) => Promise<object>} [how] to ask
 */
async function explain (paths, how = ask) {
  const steps = []
  for (let i = paths.length - 1; i > 0; i--) {
    steps.unshift(await explainStep(paths.slice(i - 1, i + 1), how))
    const last = steps.at(-1)
    if (paths.length === 2) return last
    if (steps.length === 1) continue
    const whole = agreement(steps[0], last)
    if (whole) return whole
    if (!last.leaks) break
  }
  const [before, last] = steps.slice(-2)
  return { ...disagreement(before, last), confirmed: false, steps }
}

function agreement (first, second) {
  if (first.leaks !== second.leaks || !isSameKind(first.kind, second.kind) || !isSameHolder(first, second)) return undefined
  const whole = { ...second, growth: first.growth + second.growth }
  const same = second.leaks && first.item === second.item && first.itemType === second.itemType
  for (const key of same ? ['count', 'retained'] : []) whole[key] = [first[key][0], second[key][1]]
  return { ...whole, description: causeText(whole), confirmed: true }
}

// Whether what a variable holds are calls that wait is told by what has grown, of
// which there may have been too little in the first step.
const OF_VARIABLES = ['module', 'collection', 'promise']

function isSameKind (first, second) {
  return first === second || (OF_VARIABLES.includes(first) && OF_VARIABLES.includes(second))
}

// In the same words; or by the same variable, which can hold by several ways.
function isSameHolder (first, second) {
  return first.heldBy === second.heldBy ||
    (first.anchor?.name !== undefined && isDeepStrictEqual(first.anchor, second.anchor) && isDeepStrictEqual(first.owner, second.owner))
}

// One that leaks in the first step only has grown once, as caches do.
function disagreement (first, second) {
  if (!second.leaks) return second
  const { kind, heldBy, perhaps, example, weakMap, also, anchor, owner, path, ...rest } = second
  return {
    ...rest,
    kind: 'unknown',
    description: `not the same grew from the first snapshot to the second and on to the third: ${first.description}; then ${second.description}`
  }
}

async function explainStep (paths, how) {
  const why = await how('why', paths)
  const { anchor, owner, weakMap, also, path: way = [] } = why
  for (const [each, told] of [[anchor, why], [owner, why], [weakMap?.anchor, weakMap], [also?.anchor, also]]) {
    if (!each?.url || each.name === undefined) continue // a module's exports have no name
    const file = fileOf(each.url)
    const line = file && declarationLine(file, each)
    if (line) each.line = line
    told.heldBy = withPlace(told.heldBy, each, file)
  }
  if (weakMap) weakMap.heldBy = weakMap.heldBy.replace(/, which is a `WeakMap`$/, '')
  if (anchor?.line && way.length > 0) way[0].line ??= anchor.line
  return { ...why, description: causeText(why) }
}

/** The file of a script's URL, or undefined if it has none. */
function fileOf (url) {
  try {
    if (url.startsWith('file:')) return fileURLToPath(url)
  } catch {}
  return path.isAbsolute(url) ? url : undefined
}

// The phrase has a part of the file's name: here it gets the way to it, and the line.
function withPlace (heldBy, { name, url, line }, file) {
  const short = `(${tellingPart(url)})`
  const variable = `\`${name}\``
  const at = heldBy.indexOf(short, Math.max(0, heldBy.lastIndexOf(variable)))
  if (at < 0) return heldBy
  const place = `(${file ? shown(file) : short.slice(1, -1)}${line ? `:${line}` : ''})`
  return heldBy.slice(0, at) + place + heldBy.slice(at + short.length)
}

function shown (file) {
  const below = path.relative(process.cwd(), file)
  return below.startsWith('..') || below.length > file.length ? file : below
}

/**
 * The line, from 1, on which a source declares a variable, or undefined: the
 * least indented declaration of that name; of a function's variable the line of
 * the function's own name if it is a parameter there, else the first after it.
 */
function declarationLine (file, { name, function: within }) {
  let lines
  try {
    if (fs.statSync(file).size > LARGEST_SOURCE) return undefined
    lines = fs.readFileSync(file, 'utf8').split('\n')
  } catch {
    return undefined
  }
  if (!/^[\w$]+$/.test(name)) return undefined
  const word = `(?<![\\w$.])${name.replaceAll('$', '\\$')}(?![\\w$])`
  const declared = new RegExp(`^(\\s*)(?:export\\s+)?(?:default\\s+)?(?:const|let|var|import|class|(?:async\\s+)?function)\\b[^=;]*?${word}`)
  let begin = 0
  if (within && /^[\w$]+$/.test(within)) {
    const head = `(?<![\\w$.])${within.replaceAll('$', '\\$')}\\s*(?:\\(|=|:)`
    begin = Math.max(0, lines.findIndex((line) => new RegExp(head).test(line)))
    if (new RegExp(`${head}[^)]*${word}`).test(lines[begin])) return begin + 1
  }
  let best
  for (let i = begin; i < lines.length; i++) {
    const match = declared.exec(lines[i])
    if (!match) continue
    if (within !== undefined) return i + 1
    if (best === undefined || match[1].length < best.indent) best = { line: i + 1, indent: match[1].length }
  }
  return best?.line
}

module.exports = { declarationLine, explain }
