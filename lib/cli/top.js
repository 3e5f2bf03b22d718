'use strict'

const { listRecordings } = require('../recorder')
const { command } = require('./command')
const { EXIT_CODES, Follower, failure, find } = require('./recordings')
const { describe, listLines } = require('./ps')
const { Screen } = require('./screen')
const { lines } = require('./stat')
const { fullView } = require('./view')

const HELP = `Usage: heapwatch top [PID] [options]

A watched process, live: its heap, rss, GC and what is wrong, redrawn as it
changes. Without PID, the processes there are to choose from. PID.THREAD is one
of its Workers, and a file does as well. Asks the process nothing.

  ↑ ↓ Enter  choose       Esc  back to the list       q  quit

  --interval S  seconds between two looks, 1 by default, from 0.1 to 3600
  -h, --help    this text

Where the output is no terminal: lines, as those of heapwatch stat; with --json
one JSON object a line.

${EXIT_CODES}`

const OPTIONS = { interval: { type: 'string', default: '1', number: [0.1, 3600, false] } }

async function work ({ interval, json }, [given]) {
  const every = interval * 1000
  if (json || !process.stdout.isTTY || process.env.TERM === 'dumb') {
    const follower = new Follower(find(given ?? only()))
    try {
      await lines(follower, { every, json })
    } finally {
      follower.close()
    }
    return 0
  }
  const alive = given === undefined ? listRecordings().filter((each) => each.alive) : []
  await new Top(given === undefined ? (alive.length === 1 ? alive[0].path : undefined) : find(given), every).done
  return 0
}

// Without a terminal nobody can choose.
function only () {
  const alive = listRecordings().filter((each) => each.alive)
  if (alive.length === 1) return alive[0].path
  throw failure(alive.length === 0
    ? 'no watched process is alive; heapwatch ps lists those that were'
    : `${alive.length} watched processes are alive: name one of ${alive.map(({ pid }) => pid).join(', ')}`, 4)
}

class Top {
  #screen
  #every
  #timer
  #follower // of the process that is shown; none in the list
  #rows = []
  #selected = 0
  #problem = ''
  #finish

  constructor (path, every) {
    this.done = new Promise((resolve, reject) => { this.#finish = { resolve, reject } })
    this.#every = every
    // What is wrong with the file is said before the screen is taken.
    if (path) this.#follower = new Follower(path)
    this.#screen = new Screen({ onKey: (key) => this.#key(key), onResize: () => this.#paint() })
    this.#look()
    this.#timer = setInterval(() => this.#look(), every)
  }

  // Whatever goes wrong leaves the terminal as it was.
  #safely (action) {
    try {
      action()
    } catch (error) {
      this.#close()
      this.#finish.reject(error)
    }
  }

  #look () {
    this.#safely(() => {
      if (this.#follower) this.#follower.poll()
      else this.#list()
      this.#draw()
    })
  }

  #list () {
    const selected = this.#rows[this.#selected]?.path
    this.#rows = listRecordings().map(describe)
    const again = this.#rows.findIndex(({ path }) => path === selected)
    this.#selected = Math.max(0, again >= 0 ? again : Math.min(this.#selected, this.#rows.length - 1))
  }

  #paint () {
    this.#safely(() => this.#draw())
  }

  #draw () {
    const { columns, rows } = this.#screen
    const now = Date.now()
    this.#screen.paint(this.#follower
      ? fullView(this.#follower, { columns, rows, now, keys: 'Esc list   q quit' })
      : this.#listView(columns, rows, now))
  }

  #listView (columns, rows, now) {
    if (this.#rows.length === 0) return ['No process is watched.', 'Start one with:', '  heapwatch run app.js']
    const [titles, ...all] = listLines(this.#rows, columns, now)
    // A window of the list that has the chosen line in it.
    const room = Math.max(1, rows - 3)
    const from = Math.max(0, Math.min(this.#selected - (room >> 1), all.length - room))
    const shown = all.slice(from, from + room).map((text, i) => from + i === this.#selected
      ? { text: text.padEnd(columns), style: 'reverse' }
      : text)
    while (shown.length < room) shown.push('')
    const problem = this.#problem && { text: this.#problem, style: 'red' }
    return [{ text: titles, style: 'bold' }, ...shown, '', problem || { text: '↑ ↓ Enter   q quit', style: 'dim' }]
  }

  #key (key) {
    this.#problem = ''
    if (key === 'quit') {
      this.#close()
      this.#finish.resolve()
      return
    }
    if (this.#follower) {
      if (key === 'back') {
        this.#follower.close()
        this.#follower = undefined
      }
    } else if (key === 'up' || key === 'down') {
      const next = this.#selected + (key === 'up' ? -1 : 1)
      this.#selected = Math.max(0, Math.min(next, this.#rows.length - 1))
      this.#paint()
      return
    } else if (key === 'enter' && this.#rows.length > 0) {
      try {
        this.#follower = new Follower(this.#rows[this.#selected].path)
      } catch (error) {
        this.#problem = error.message
      }
    } else if (key === 'back') {
      return
    }
    this.#look()
  }

  #close () {
    clearInterval(this.#timer)
    this.#screen.close()
    this.#follower?.close()
    this.#follower = undefined
  }
}

module.exports = {
  summary: 'watch a process live, full screen',
  run: command({ name: 'top', help: HELP, options: OPTIONS, files: [0, 1] }, work)
}
