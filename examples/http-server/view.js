'use strict'

// What the watch sees, on a terminal: redrawn in place, or as plain lines
// where there is no terminal.

const BARS = '▁▂▃▄▅▆▇█'
const KINDS = ['minor', 'major', 'incremental']
const RECENT = 6

function bytes (n) {
  const units = ['B', 'kB', 'MB', 'GB']
  let unit = 0
  while (Math.abs(n) >= 1000 && unit < units.length - 1) {
    n /= 1000
    unit++
  }
  return `${unit === 0 ? n : n.toFixed(n < 10 ? 2 : 1)} ${units[unit]}`
}

function ms (n) {
  return n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2)
}

function percent (ratio) {
  return `${(ratio * 100).toFixed(1)} %`
}

/** The last `width` values as bars between the least and the greatest. */
function sparkline (values, width) {
  const shown = values.slice(-width)
  const low = Math.min(...shown)
  const span = Math.max(...shown) - low || 1
  return shown.map((value) => BARS[Math.round((value - low) / span * (BARS.length - 1))]).join('')
}

function pauseTable (pauses) {
  const columns = ['count', 'mean', 'p50', 'p90', 'p99', 'max', 'total']
  const row = (name, cells) => `  ${name.padEnd(13)}${cells.map((cell) => String(cell).padStart(9)).join('')}`
  const seen = KINDS.filter((kind) => pauses[kind].count > 0)
  return [
    row('GC pauses, ms', columns),
    ...seen.map((kind) => row(kind, columns.map((column) =>
      column === 'count' ? pauses[kind].count : ms(pauses[kind][column])))),
    ...(seen.length === 0 ? ['  none yet'] : [])
  ]
}

function gcLine (gc) {
  return `  ${(gc.startTime / 1000).toFixed(2).padStart(8)} s  ${gc.type.padEnd(20)}` +
    `${ms(gc.duration).padStart(7)} ms   ${bytes(gc.heapBefore)} -> ${bytes(gc.heapAfter)}`
}

class View {
  #out
  #title
  #live
  #series = { heapUsed: [], rss: [], gcLoad: [] }
  #gcs = []
  #pressure
  #lines = 0

  constructor (out, title) {
    this.#out = out
    this.#title = title
    this.#live = Boolean(out.isTTY)
    if (this.#live) out.write('\x1b[?25l\x1b[2J')
  }

  addGc (gc) {
    this.#gcs.push(gc)
    if (this.#gcs.length > RECENT) this.#gcs.shift()
  }

  addPressure (pressure) {
    this.#pressure = pressure
  }

  show ({ sample, rate, pauses, stats }) {
    for (const [name, values] of Object.entries(this.#series)) {
      values.push(sample[name])
      if (values.length > 500) values.shift()
    }
    if (this.#live) this.#draw(sample, rate, pauses, stats)
    else this.#print(sample, rate)
  }

  #draw (sample, rate, pauses, stats) {
    const width = Math.max(10, Math.min(60, this.#out.columns - 34))
    const row = (name, value, series) =>
      `  ${name.padEnd(13)}${value.padStart(13)}  ${series ? sparkline(series, width) : ''}`
    const limit = stats.oldSpaceLimit
    this.#paint([
      `heapwatch  ${this.#title}  ${rate.toFixed(0)} requests/s  (Ctrl-C ends)`,
      '',
      row('heap used', bytes(sample.heapUsed), this.#series.heapUsed),
      row('rss', bytes(sample.rss), this.#series.rss),
      row('GC load', percent(sample.gcLoad), this.#series.gcLoad),
      row('heap live', stats.heapLive ? bytes(stats.heapLive) : 'no major GC') +
        (stats.heapLive ? `${percent(stats.heapLive / limit)} of ${bytes(limit)}` : ''),
      row('allocating', `${bytes(sample.allocationRate)}/s`),
      row('loop delay', `${ms(sample.loopDelay)} ms`),
      row('pressure', stats.pressure.join(', ') || 'none'),
      '',
      ...pauseTable(pauses),
      '',
      '  last collections',
      ...this.#gcs.map(gcLine)
    ])
  }

  // One write a frame, each line cleared to its end and the rest below: no
  // flicker, and nothing of a longer frame is left.
  #paint (lines) {
    const height = (this.#out.rows || 24) - 1
    const width = this.#out.columns || 80
    const frame = lines.slice(0, height).map((line) => `${line.slice(0, width)}\x1b[K`)
    this.#out.write(`\x1b[H${frame.join('\n')}\n\x1b[J`)
  }

  #print (sample, rate) {
    if (this.#lines++ % 20 === 0) {
      this.#out.write(`${['requests/s', 'heap used', 'rss', 'allocating', 'GC load', 'loop delay']
        .map((name) => name.padStart(12)).join('')}\n`)
    }
    const cells = [rate.toFixed(0), bytes(sample.heapUsed), bytes(sample.rss),
      `${bytes(sample.allocationRate)}/s`, percent(sample.gcLoad), `${ms(sample.loopDelay)} ms`]
    this.#out.write(`${cells.map((cell) => cell.padStart(12)).join('')}\n`)
  }

  /** Leaves the terminal as it was; with a last reading, says what was seen. */
  close (last) {
    if (this.#live) this.#out.write('\x1b[?25h')
    if (!last) return
    const { pauses, stats } = last
    const lines = [
      '',
      `${stats.gcs} garbage collections took ${ms(stats.gcTime)} ms; ` +
        `${bytes(stats.allocated)} were allocated. GC events lost: ${stats.dropped}.`,
      ...(this.#pressure ? [`Under pressure: ${this.#pressure.reason}.`] : []),
      ...(this.#live ? [] : ['', ...pauseTable(pauses), '', '  last collections', ...this.#gcs.map(gcLine)])
    ]
    this.#out.write(`${lines.join('\n')}\n`)
  }
}

module.exports = { View }
