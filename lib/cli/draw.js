'use strict'

// Pieces of text for terminals of any width. Pure: columns are an argument.

const { cut } = require('./command')

const BARS = '▁▂▃▄▅▆▇█'

/**
 * The last `width` values as bars, from `low` (the least of them) to `high`
 * (the greatest). What is not a number is a gap.
 */
function sparkline (values, width, { low, high } = {}) {
  const shown = values.slice(-width)
  const known = shown.filter(Number.isFinite)
  const from = low ?? Math.min(...known)
  const span = (high ?? Math.max(...known)) - from || 1
  return shown.map((value) => {
    if (!Number.isFinite(value)) return ' '
    const level = Math.round((value - from) / span * (BARS.length - 1))
    return BARS[Math.max(0, Math.min(BARS.length - 1, level))]
  }).join('')
}

/**
 * A table that loses columns where it is too wide: those with the highest
 * `drop` first, those without never. The last column that may `stretch` takes
 * what is left, and is cut to it.
 *
 * @param {Array<{ title: string, left?: boolean, drop?: number, stretch?: boolean,
 *   cell: (row: any) => string }>} columns
 * @param {any[]} rows
 * @param {number} width
 * @returns {string[]} lines, the titles first
 */
function columnsOf (columns, rows, width) {
  const all = columns.map((column) => {
    const cells = rows.map((row) => cut(String(column.cell(row)), 500))
    const widest = Math.max(column.title.length, ...cells.map((cell) => cell.length))
    return { ...column, cells, widest, least: column.stretch ? Math.min(widest, Math.max(8, column.title.length)) : widest }
  })
  const needed = (list) => list.reduce((sum, { least }) => sum + least, 2 * (list.length - 1))
  let shown = all
  while (needed(shown) > width && shown.some(({ drop }) => drop)) {
    const most = Math.max(...shown.map(({ drop = 0 }) => drop))
    shown = shown.filter(({ drop = 0 }) => drop !== most)
  }
  const spare = width - needed(shown)
  const widths = shown.map(({ stretch, least, widest }) => stretch ? Math.min(widest, least + Math.max(0, spare)) : widest)
  const line = (cells) => cells.map((cell, i) => shown[i].left
    ? cut(cell, widths[i]).padEnd(widths[i])
    : cut(cell, widths[i]).padStart(widths[i])).join('  ').trimEnd().slice(0, width)
  return [line(shown.map(({ title }) => title)), ...rows.map((_, i) => line(shown.map(({ cells }) => cells[i])))]
}

/** Breaks a sentence into lines of at most `width`; those after the first are indented. */
function wrap (text, width, first = '', next = first) {
  const lines = []
  let line = first
  let empty = true
  for (const word of cut(text, 2000).split(' ')) {
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line)
      line = next
      empty = true
    }
    line += (empty ? '' : ' ') + word
    empty = false
  }
  lines.push(line)
  return lines.map((each) => each.slice(0, Math.max(1, width)))
}

module.exports = { columnsOf, sparkline, wrap }
