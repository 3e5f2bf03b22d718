'use strict'

// Some lines at the bottom of a terminal that another program writes to.
//
// The terminal itself keeps them apart (as apt does with its progress bar): its
// scrolling region ends above our lines, so whatever the app prints scrolls
// there. Each of our writes is one write that saves the cursor, draws and
// restores it; the kernel does not mix two writes. The region is set anew with
// each of them, since an app may clear or reset the terminal.

const { styled } = require('./screen')

const ESC = '\x1b['
const SAVE = '\x1b7'
const RESTORE = '\x1b8'
const DOWN = '\x1bD' // one line, in the same column, scrolling at the bottom
// Less than this would leave the app too little.
const LEAST_ROWS = 8
const LEAST_COLUMNS = 16

class Region {
  #out
  #height
  #rows = 0 // of the terminal when the region was made; 0 while there is none

  constructor (output, height) {
    this.#out = output
    this.#height = height
  }

  /** Whether this output is a terminal that has room. */
  static fits (output) {
    return Boolean(output.isTTY) && process.env.TERM !== 'dumb' &&
      output.rows >= LEAST_ROWS && output.columns >= LEAST_COLUMNS
  }

  get columns () {
    return this.#out.columns
  }

  /** Shows as many lines as the region is high: texts, or { text, style }. */
  paint (lines) {
    if (!Region.fits(this.#out)) {
      this.close()
      return
    }
    const { rows, columns } = this.#out
    const top = rows - this.#height
    let frame = ''
    if (this.#rows !== rows) {
      frame += this.#remove()
      // Makes room where the cursor is too far down, and leaves it otherwise.
      frame += DOWN.repeat(this.#height) + `${ESC}${this.#height}A`
      this.#rows = rows
    }
    frame += `${SAVE}${ESC}1;${top}r`
    for (let i = 0; i < this.#height; i++) {
      const line = lines[i] ?? ''
      const { text, style } = typeof line === 'string' ? { text: line } : line
      frame += `${ESC}${top + 1 + i};1H${ESC}m${styled(text.slice(0, columns), style)}${ESC}K`
    }
    this.#out.write(frame + RESTORE)
  }

  #remove () {
    if (this.#rows === 0) return ''
    let frame = `${SAVE}${ESC}r`
    for (let i = 0; i < this.#height; i++) frame += `${ESC}${this.#rows - i};1H${ESC}K`
    this.#rows = 0
    return frame + RESTORE
  }

  /** Gives the lines back. */
  close () {
    const frame = this.#remove()
    if (frame) this.#out.write(frame)
  }
}

module.exports = { Region }
