'use strict'

// Lines on a file descriptor of the app's, for whom nobody may be reading.

const { writeNow } = require('./native')

// What may wait for a reader that is slow.
const MOST_WAITING = 64 * 1024

/**
 * Writes whole lines, or drops whole lines, and never waits. What does not fit
 * now goes out before the next line; a closed descriptor is no error.
 */
class LineWriter {
  #fd
  #waiting = Buffer.alloc(0)
  #dropped = 0

  constructor (fd) {
    this.#fd = fd
  }

  /** Lines that were dropped since too much was waiting. */
  get dropped () {
    return this.#dropped
  }

  write (line) {
    const bytes = Buffer.from(`${line}\n`)
    this.#flush()
    if (this.#waiting.length + bytes.length > MOST_WAITING) this.#dropped++
    else this.#waiting = Buffer.concat([this.#waiting, bytes])
    this.#flush()
  }

  #flush () {
    while (this.#waiting.length > 0) {
      const written = writeNow(this.#fd, this.#waiting)
      if (written === 0) return
      this.#waiting = this.#waiting.subarray(written < 0 ? this.#waiting.length : written)
    }
  }
}

module.exports = { LineWriter }
