'use strict'

// What is pushed to the pages: one poll a second of each recording that
// somebody looks at, however many do. Reads files; asks no process anything.

const { listRecordings } = require('../recorder')
const { describe } = require('../cli/ps')
const { diagnose } = require('../report/doctor')
const { figures } = require('../report/figures')
const { chartData, figuresHtml, findingsHtml, headline } = require('../report/html')

const EVERY = 1000
// A page that does not read is cut off, and may come again.
const MOST_WAITING = 4 << 20

/** The name of a recording in addresses: nothing of it reaches the file system. */
function nameOf ({ pid, threadId, startTime }) {
  return `${pid}-${threadId}-${startTime}`
}

/** The recordings by name. */
function recordings () {
  return new Map(listRecordings().filter(({ error }) => !error).map((each) => [nameOf(each), each]))
}

function listData () {
  return listRecordings().map((each) => ({ name: each.error ? null : nameOf(each), ...describe(each) }))
}

/** Pages that look at the same thing, and what they are told. */
class Channel {
  #pages = new Set()
  #timer
  #look

  /** @param {() => string|undefined} look the message there is, called each second */
  constructor (look) {
    this.#look = look
  }

  get empty () {
    return this.#pages.size === 0
  }

  add (response) {
    this.#pages.add(response)
    this.#timer ??= setInterval(() => this.#tick(), EVERY).unref()
  }

  remove (response) {
    this.#pages.delete(response)
    if (!this.empty) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #tick () {
    let message
    try {
      message = this.#look()
    } catch (error) {
      message = event('problem', { message: error.message })
    }
    for (const page of this.#pages) {
      if (page.writableLength > MOST_WAITING) page.destroy()
      // A comment keeps what is between from closing the connection.
      else page.write(message ?? ': nothing new\n\n')
    }
  }

  close () {
    clearInterval(this.#timer)
    for (const page of this.#pages) page.end()
    this.#pages.clear()
  }
}

function event (name, data) {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}

/** The list of processes, whenever it has changed. */
function listChannel () {
  let before
  return new Channel(() => {
    const now = event('list', listData())
    if (now === before) return
    before = now
    return now
  })
}

/** One process: what has come since the last look. */
class ProcessChannel extends Channel {
  #follower
  #findings

  constructor (follower) {
    super(() => this.#news())
    this.#follower = follower
  }

  /** Everything, for a page that has nothing yet. */
  first () {
    const facts = this.#follower.poll().facts()
    return event('all', { chart: chartData(facts), ...this.#judge(facts) })
  }

  #news () {
    const follower = this.#follower.poll()
    const { samples, gcs, notes } = follower.fresh
    if (samples.length === 0 && gcs.length === 0 && notes.length === 0 && follower.alive === this.wasAlive) return
    const judged = this.#judge(follower.facts())
    const { findings } = judged
    if (findings === this.#findings) delete judged.findings
    this.#findings = findings
    return event('more', { chart: chartData({ identity: follower.identity, samples, minutes: [], gcs, notes }), ...judged })
  }

  #judge (facts) {
    const numbers = figures(facts)
    this.wasAlive = facts.alive
    return {
      alive: facts.alive,
      headline: headline(facts, numbers),
      findings: findingsHtml(diagnose(facts, numbers)),
      figures: figuresHtml(facts, numbers)
    }
  }

  close () {
    super.close()
    this.#follower.close()
  }
}

module.exports = { ProcessChannel, event, listChannel, listData, recordings }
