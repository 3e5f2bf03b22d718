/* eslint-env browser */
/* global heapwatchCharts */

// The live pages: the list of processes, and one of them.

'use strict'

;(function () {
  const name = window.location.pathname.split('/')[2]
  const byId = (id) => document.getElementById(id)

  function problem (text) {
    byId('problem').hidden = !text
    byId('problem').textContent = text || ''
  }

  function connect (handlers) {
    const source = new window.EventSource(name ? `/events/${name}` : '/events')
    for (const [kind, handle] of Object.entries(handlers)) {
      source.addEventListener(kind, ({ data }) => {
        problem('')
        handle(JSON.parse(data))
      })
    }
    source.addEventListener('problem', ({ data }) => problem(JSON.parse(data).message))
    source.addEventListener('error', () => {
      problem(source.readyState === 2
        ? 'This recording is gone.'
        : 'heapwatch does not answer; trying again. Start it with: heapwatch web')
    })
  }

  function element (tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties)
    made.append(...children)
    return made
  }

  const UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

  function bytes (n) {
    let unit = 0
    while (n >= 999.5 && unit < UNITS.length - 1) {
      n /= 1000
      unit++
    }
    return `${unit === 0 || n >= 100 ? n.toFixed(0) : n.toFixed(1)} ${UNITS[unit]}`
  }

  function duration (ms) {
    const s = ms / 1000
    if (s < 120) return `${s.toFixed(0)} s`
    if (s < 7200) return `${(s / 60).toFixed(0)} min`
    if (s < 172800) return `${(s / 3600).toFixed(1)} h`
    return `${(s / 86400).toFixed(1)} days`
  }

  function showList (rows) {
    const cell = (text, className = '') => element('td', { className, textContent: text })
    const table = element('table', {},
      element('thead', {}, element('tr', {}, ...['process', 'command', 'state', 'for', 'heap', 'of limit', 'rss', 'GC', 'verdict']
        .map((title, i) => element('th', { textContent: title, className: [1, 2, 8].includes(i) ? 'text' : '' })))),
      element('tbody', {}, ...rows.map((row) => {
        const id = row.threadId > 0 ? `${row.pid}.${row.threadId}` : String(row.pid)
        if (row.error) return element('tr', { className: 'dead' }, cell(id), element('td', { colSpan: 8, className: 'text long', textContent: row.error }))
        const { sample } = row
        const bad = row.verdict !== 'ok'
        const until = row.alive ? Date.now() : row.time
        const line = element('tr', { className: row.alive ? '' : 'dead' },
          element('td', {}, element('a', { href: `/process/${row.name}`, textContent: id })),
          cell(row.command, 'text long'),
          cell(row.alive ? 'alive' : row.state === 'stopped' ? 'ended' : 'died', 'text'),
          cell(duration(until - row.startTime)),
          cell(sample ? bytes(sample.heapUsed) : '–'),
          cell(sample ? `${(sample.heapUsed / (row.oldSpaceLimit || sample.heapLimit) * 100).toFixed(1)} %` : '–'),
          cell(sample ? bytes(sample.rss) : '–'),
          cell(sample ? `${(sample.gcLoad * 100).toFixed(1)} %` : '–'),
          cell(row.verdict, `text long${bad ? ' bad' : ''}`))
        line.dataset.pid = row.pid
        return line
      })))
    const empty = element('p', { textContent: 'No process is watched. Start one with: heapwatch run app.js' })
    byId('list').replaceChildren(rows.length > 0 ? table : empty)
  }

  // As much as a recording keeps.
  const SAMPLES = 12000
  const GCS = 8192

  function append (all, more) {
    for (const [key, values] of Object.entries(more)) {
      if (!Array.isArray(values)) continue
      const most = key === 'marks' ? 1000 : SAMPLES
      all[key] = all[key].concat(values).slice(-most)
    }
    for (const key of Object.keys(all.gcs)) all.gcs[key] = all.gcs[key].concat(more.gcs[key]).slice(-GCS)
    return all
  }

  function showProcess () {
    let charts
    let data
    const judge = ({ headline, findings, figures, alive }) => {
      byId('headline').textContent = headline
      if (findings !== undefined) byId('findings').innerHTML = findings
      byId('numbers').innerHTML = figures
      document.body.dataset.alive = alive
    }
    connect({
      all (message) {
        data = message.chart
        document.title = `${message.name ?? name} – heapwatch`
        byId('name').textContent = data.command
        judge(message)
        if (charts) charts.update(data)
        else charts = heapwatchCharts(byId('charts'), data)
      },
      more (message) {
        data = append(data, message.chart)
        judge(message)
        charts.update(data)
      }
    })
    const ranges = [['5 min', 300000], ['1 h', 3600000], ['all', null]]
    const buttons = ranges.map(([text, span]) => element('button', {
      textContent: text,
      onclick (event) {
        charts.range(span)
        for (const button of buttons) button.ariaPressed = String(button === event.target)
      }
    }))
    buttons.at(-1).ariaPressed = 'true'
    byId('ranges').append(...buttons)
  }

  if (name) showProcess()
  else connect({ list: showList })
})()
