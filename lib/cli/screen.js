'use strict'

// A full screen on a terminal: the alternate one, so that what was there before
// is there again afterwards, whatever ends the program.

const { constants } = require('node:os')

const ESC = '\x1b['
// What belongs together is shown together, by terminals that know this mode.
const BEGIN = `${ESC}?2026h`
const END = `${ESC}?2026l`

const STYLES = { bold: '1', dim: '2', red: '31', yellow: '33', green: '32', reverse: '7' }

/** A line in a style; without colours where NO_COLOR says so. */
function styled (text, style) {
  if (!style || process.env.NO_COLOR) return text
  return `${ESC}${STYLES[style]}m${text}${ESC}m`
}

const KEYS = {
  '\x1b[A': 'up',
  '\x1b[B': 'down',
  '\x1bOA': 'up',
  '\x1bOB': 'down',
  k: 'up',
  j: 'down',
  '\r': 'enter',
  '\n': 'enter',
  '\x1b[C': 'enter',
  l: 'enter',
  '\x1b': 'back',
  '\x7f': 'back',
  '\b': 'back',
  '\x1b[D': 'back',
  h: 'back',
  q: 'quit',
  Q: 'quit',
  '\x03': 'quit',
  '\x04': 'quit',
  '\x1a': 'suspend'
}

// A sequence of a key that has one, or a character.
// eslint-disable-next-line no-control-regex
const KEY = /\x1b(?:\[[\d;]*[A-Za-z~]|O[A-Za-z])?|[^\x1b]/g

class Screen {
  #out
  #in
  #shown = []
  #onKey
  #onResize
  #open = false
  #signals = {
    SIGWINCH: () => this.#redraw(),
    SIGTERM: () => this.#end('SIGTERM'),
    SIGHUP: () => this.#end('SIGHUP'),
    SIGINT: () => this.#end('SIGINT'),
    SIGCONT: () => this.#resume()
  }

  #restore = () => this.#leave()

  /**
   * @param {{ onKey: (key: string) => void, onResize: () => void }} handlers
   */
  constructor ({ onKey, onResize, output = process.stdout, input = process.stdin }) {
    this.#out = output
    this.#in = input
    this.#onKey = onKey
    this.#onResize = onResize
    for (const [name, handler] of Object.entries(this.#signals)) process.on(name, handler)
    process.on('exit', this.#restore)
    if (input.isTTY) input.on('data', this.#read)
    this.#enter()
  }

  get columns () {
    return this.#out.columns || 80
  }

  get rows () {
    return this.#out.rows || 24
  }

  // Several keys can come at once, where one is slow or they are fast.
  #read = (data) => {
    for (const [text] of data.toString().matchAll(KEY)) {
      const key = KEYS[text]
      if (key === 'suspend') this.#suspend()
      else if (key && this.#open) this.#onKey(key)
    }
  }

  #enter () {
    this.#open = true
    this.#shown = []
    if (this.#in.isTTY) this.#in.setRawMode(true).resume()
    this.#out.write(`${ESC}?1049h${ESC}?25l${ESC}2J`)
  }

  #leave () {
    if (!this.#open) return
    this.#open = false
    this.#out.write(`${ESC}?25h${ESC}?1049l`)
    if (this.#in.isTTY) this.#in.setRawMode(false)
  }

  #suspend () {
    this.#leave()
    process.kill(process.pid, 'SIGSTOP')
  }

  #resume () {
    if (!this.#open) this.#enter()
    this.#onResize()
  }

  #redraw () {
    // The terminal has moved what it showed.
    setImmediate(() => {
      if (!this.#open) return
      this.#out.write(`${ESC}2J`)
      this.#shown = []
      this.#onResize()
    })
  }

  #end (signal) {
    this.close()
    process.exitCode = signal === 'SIGINT' ? 0 : 128 + constants.signals[signal]
    process.exit()
  }

  /**
   * Shows these lines, each a text or { text, style }. One write, and of each
   * line only if it changed: nothing flickers, and little goes over the wire.
   */
  paint (lines) {
    const width = this.columns
    const wanted = lines.slice(0, this.rows).map((line) => {
      const { text, style } = typeof line === 'string' ? { text: line } : line
      return styled(text.slice(0, width), style)
    })
    let frame = ''
    for (let i = 0; i < Math.max(wanted.length, this.#shown.length); i++) {
      if (wanted[i] !== this.#shown[i]) frame += `${ESC}${i + 1};1H${wanted[i] ?? ''}${ESC}K`
    }
    this.#shown = wanted
    if (frame) this.#out.write(`${BEGIN}${frame}${END}`)
  }

  close () {
    this.#leave()
    for (const [name, handler] of Object.entries(this.#signals)) process.off(name, handler)
    process.off('exit', this.#restore)
    this.#in.off('data', this.#read)
    this.#in.pause()
  }
}

module.exports = { Screen, styled }
