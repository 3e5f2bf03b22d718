'use strict'

// A real terminal to look at: tmux, with a server of its own.

const { execFileSync, spawnSync } = require('node:child_process')
const { ROOT } = require('./child')
const { installed } = require('./install')

const { whyNone } = installed(['tmux'], 'tmux')

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

class Terminal {
  #socket = `heapwatch-test-${process.pid}-${Math.random().toString(36).slice(2)}`

  constructor ({ columns = 80, rows = 24, env = {} } = {}) {
    const variables = Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`])
    this.#tmux('-f', '/dev/null', 'new-session', '-d', '-x', String(columns), '-y', String(rows), ...variables, '-c', ROOT,
      'exec sh')
    // Whoever runs it, the prompt is one.
    this.type("PS1='$ '; clear")
  }

  /** Waits for the shell: what is typed before it reads is seen twice, or not at all. */
  async ready () {
    await this.until((lines) => lines[0] === '$' && lines.slice(1).every((line) => line === ''), 'the prompt')
  }

  #tmux (...args) {
    return execFileSync('tmux', ['-L', this.#socket, ...args], { encoding: 'utf8', env: { ...process.env, TMUX: undefined, NODE_TEST_CONTEXT: undefined } })
  }

  type (text) {
    this.#tmux('send-keys', '-l', text)
    this.key('Enter')
  }

  /** Several names are sent at once. */
  key (...names) {
    this.#tmux('send-keys', ...names)
  }

  resize (columns, rows) {
    this.#tmux('resize-window', '-x', String(columns), '-y', String(rows))
  }

  /** The lines there are to see. */
  lines () {
    return this.#tmux('capture-pane', '-p').replace(/\n$/, '').split('\n')
  }

  /** Whether the alternate screen is on, the cursor is shown, and so on. */
  flag (name) {
    return this.#tmux('display-message', '-p', `#{${name}}`).trim()
  }

  /** Waits until what is to see satisfies; resolves to the lines. */
  async until (condition, what, timeout = 30_000) {
    const end = Date.now() + timeout
    for (;;) {
      const lines = this.lines()
      if (condition(lines)) return lines
      if (Date.now() > end) throw new Error(`never saw ${what}:\n${lines.join('\n')}`)
      await sleep(100)
    }
  }

  close () {
    spawnSync('tmux', ['-L', this.#socket, 'kill-server'])
  }
}

module.exports = { Terminal, sleep, whyNone }
