'use strict'

// What the commands that read snapshots have in common: their options, a
// progress line on stderr, and tables for people.

const { parseArgs } = require('node:util')
const { ask } = require('../snapshot')

const COMMON = {
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false }
}

/**
 * Makes a command's `run`.
 *
 * @param {object} about
 * @param {string} about.name
 * @param {string} about.help the whole text of --help
 * @param {object} [about.options] as parseArgs wants them, besides --json and --help
 * @param {[number, number]} about.files how many arguments it takes
 * @param {(values: object, files: string[]) => Promise<number>} work resolves to the exit code
 */
function command ({ name, help, options = {}, files: [least, most] }, work) {
  return async function run (args) {
    let parsed
    try {
      parsed = parseArgs({ args, options: { ...COMMON, ...options }, allowPositionals: true })
      if (parsed.values.help) {
        process.stdout.write(help)
        return 0
      }
      const count = parsed.positionals.length
      if (count < least || count > most) {
        throw new Error(count < least ? 'an argument is missing' : 'too many arguments')
      }
      for (const [key, { number }] of Object.entries(options)) {
        if (number && parsed.values[key] !== undefined) parsed.values[key] = toNumber(key, parsed.values[key], number)
      }
    } catch (error) {
      process.stderr.write(`heapwatch ${name}: ${error.message}\n\n${help}`)
      return 2
    }
    return work(parsed.values, parsed.positionals)
  }
}

function toNumber (key, text, [least, most, whole = true]) {
  const number = Number(text)
  if (text.trim() === '' || !(number >= least && number <= most) || (whole && !Number.isInteger(number))) {
    throw new Error(`--${key} must be a ${whole ? 'whole ' : ''}number from ${least} to ${most}; received "${text}"`)
  }
  return number
}

/** Asks as lib/snapshot.js does; on a terminal, shows how far it is. */
async function askShowing (question, paths, settings) {
  if (!process.stderr.isTTY) return ask(question, paths, settings)
  let shown = 0
  const onProgress = (stage, percent) => {
    const line = `${stage}${percent > 0 ? ` ${percent} %` : ''}`
    process.stderr.write(`\r${line.padEnd(shown)}`)
    shown = line.length
  }
  try {
    return await ask(question, paths, settings, { onProgress })
  } finally {
    if (shown > 0) process.stderr.write(`\r${' '.repeat(shown)}\r`)
  }
}

function print (text) {
  process.stdout.write(text)
}

/** A size in bytes for people: 1,234 bytes is "1.2 kB". */
function size (bytes) {
  const sign = bytes < 0 ? '-' : ''
  let value = Math.abs(bytes)
  if (value < 1000) return `${sign}${value} B`
  for (const unit of ['kB', 'MB', 'GB', 'TB']) {
    value /= 1000
    if (value < 999.95 || unit === 'TB') return `${sign}${value.toFixed(1)} ${unit}`
  }
}

function count (number) {
  return number.toLocaleString('en-US')
}

/**
 * Lays rows out under their titles. The first column is text, to the left, and
 * cut to what is left of `width`; the others are numbers.
 */
function table (titles, rows, width = process.stdout.columns || 100) {
  const widths = titles.map((title, i) =>
    rows.reduce((most, row) => Math.max(most, row[i].length), title.length))
  const others = widths.slice(1).reduce((sum, each) => sum + each + 2, 0)
  widths[0] = Math.max(20, Math.min(widths[0], width - others))
  const line = ([first, ...rest]) =>
    [cut(first, widths[0]).padEnd(widths[0]), ...rest.map((cell, i) => cell.padStart(widths[i + 1]))]
      .join('  ').trimEnd()
  return [titles, ...rows].map(line).join('\n') + '\n'
}

function cut (text, width) {
  // Control characters in names and strings must not reach a terminal.
  // eslint-disable-next-line no-control-regex
  const plain = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ')
  return plain.length > width ? `${plain.slice(0, width - 1)}…` : plain
}

module.exports = { askShowing, command, count, cut, print, size, table, toNumber }
