/* eslint-env browser */
/* global uPlot */
/* eslint new-cap: ["error", { "newIsCapExceptions": ["uPlot"] }] */

// The charts of the report and of the live pages. heapwatchCharts(element, data)
// draws what lib/report/html.js calls chartData, and returns { update(data),
// range(milliseconds) } for those that move. Drag to zoom, all charts at once;
// double click to see everything again.

'use strict'

;(function () {
  const UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

  function bytes (n) {
    if (n === null || n === undefined) return '–'
    let unit = 0
    while (Math.abs(n) >= 999.5 && unit < UNITS.length - 1) {
      n /= 1000
      unit++
    }
    return `${unit === 0 || Math.abs(n) >= 100 ? n.toFixed(0) : n.toFixed(1)} ${UNITS[unit]}`
  }

  function ms (n) {
    if (n === null || n === undefined) return '–'
    if (n >= 9999.5) return `${(n / 1000).toFixed(1)} s`
    return `${n >= 99.95 ? n.toFixed(0) : n >= 9.995 ? n.toFixed(1) : n.toFixed(2)} ms`
  }

  const percent = (n) => n === null || n === undefined ? '–' : `${(n * 100).toFixed(n * 100 < 9.95 ? 1 : 0)} %`

  const LIGHT = ['#3a5ccc', '#18794e', '#ad5700', '#c62a2f', '#8145b5', '#0b7a8f', '#7a6a00']
  const DARK = ['#849dff', '#4cc38a', '#ffa057', '#ff6369', '#bf7af0', '#4ccce6', '#e6d54a']
  const dark = window.matchMedia('(prefers-color-scheme: dark)')
  const print = window.matchMedia('print')
  const colors = () => dark.matches && !print.matches ? DARK : LIGHT
  const variable = (name) => window.getComputedStyle(document.documentElement).getPropertyValue(name).trim()

  const MARKS = { leak: '--critical', leakend: '--good', pressure: '--warning', pressureend: '--good', cause: '--info' }
  const KINDS = ['minor', 'major', 'incremental', 'weakcb']

  // Rows of labels under each other, where verdicts are near each other.
  const LABEL_ROWS = 4

  /** A line through the chart for each verdict, and on one chart its name. */
  function marksPlugin (state, named) {
    return {
      hooks: {
        draw (u) {
          const { ctx, bbox } = u
          const ratio = window.devicePixelRatio
          const right = bbox.left + bbox.width
          const ends = new Array(LABEL_ROWS).fill(-Infinity)
          ctx.save()
          ctx.beginPath()
          ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
          ctx.clip()
          ctx.font = `${11 * ratio}px system-ui, sans-serif`
          ctx.textAlign = 'left'
          ctx.textBaseline = 'alphabetic'
          for (const { time, kind, label } of state.data.marks) {
            const x = u.valToPos(time / 1000, 'x', true)
            if (x < bbox.left || x > right) continue
            ctx.strokeStyle = ctx.fillStyle = variable(MARKS[kind] || '--soft')
            ctx.lineWidth = ratio
            ctx.setLineDash([4, 3])
            ctx.beginPath()
            ctx.moveTo(x, bbox.top)
            ctx.lineTo(x, bbox.top + bbox.height)
            ctx.stroke()
            if (!named) continue
            // Right of its line if there is room, in a row that is free here.
            const width = ctx.measureText(label).width
            const from = Math.min(x + 4 * ratio, right - width - 4 * ratio)
            const row = ends.findIndex((end) => end < from)
            if (row < 0) continue
            ends[row] = from + width + 6 * ratio
            ctx.fillText(label, from, bbox.top + (12 + 14 * row) * ratio)
          }
          ctx.restore()
        }
      }
    }
  }

  // Of a limit far above everything the line would press the rest flat: it is
  // in the legend, and shown if asked for.
  const isFar = (limit, values) => limit.some(Boolean) &&
    Math.max(0, ...limit.slice(-1)) > 4 * Math.max(1, values.reduce((most, v) => Math.max(most, v || 0), 0))

  /** Of a logarithmic scale only the lines at 0.1, 1, 10 and so on. */
  const decades = (grid) => ({ ...grid, filter: (u, splits) => splits.map((v) => Number.isInteger(Math.round(Math.log10(v) * 1e6) / 1e6) ? v : null) })

  const zeroUp = (u, min, max) => [0, max > 0 ? max * 1.05 : 1]

  // Times as everywhere in heapwatch, whatever the browser's language.
  const two = (n) => String(n).padStart(2, '0')
  const clock = (date) => `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  const DAY = '{YYYY}-{MM}-{DD}'
  // Steps in seconds, the text, and what stands below where the year, the day,
  // the minute changes.
  const TIMES = [
    [86400 * 28, '{YYYY}-{MM}', null, null, null, null, null, null, 1],
    [86400, DAY, null, null, null, null, null, null, 1],
    [60, '{HH}:{mm}', `\n${DAY}`, null, `\n${DAY}`, null, null, null, 1],
    [1, '{HH}:{mm}:{ss}', `\n${DAY}`, null, `\n${DAY}`, null, null, null, 1],
    [0.001, ':{ss}.{fff}', `\n${DAY} {HH}:{mm}`, null, `\n${DAY} {HH}:{mm}`, null, '\n{HH}:{mm}', null, 1]
  ]

  /** Areas on top of each other, one for each site; the first is the lowest. */
  function sitesChart ({ names }) {
    const stepped = uPlot.paths.stepped({ align: 1 })
    const rate = (n) => n === null || n === undefined ? '–' : `${bytes(n)}/s`
    const color = (i) => i < names.length - 1 ? colors()[i] : variable('--soft')
    return {
      id: 'sites',
      title: 'Allocated then and alive at the end, by site',
      format: (n) => `${bytes(n)}/s`,
      height: 220,
      bands: names.map((name, i) => ({ series: [i + 1, i] })).slice(1),
      series: ({ sites: { rates } }) => names.map((label, i) => ({
        label,
        // The line is where the area ends; what counts is how high it is.
        value: (u, v, series, at) => rate(at === null ? null : rates[i][Math.min(at, rates[i].length - 1)]),
        stroke: () => color(i),
        fill: () => `color-mix(in srgb, ${color(i)} 45%, transparent)`,
        width: 1,
        paths: stepped,
        points: { show: false }
      })),
      data ({ sites: { time, rates } }) {
        const sum = rates[0].map(() => 0)
        const tops = rates.map((values) => values.map((value, i) => (sum[i] += value)))
        return [time, ...tops.map((values) => [...values, values.at(-1)])]
      }
    }
  }

  function charts (first) {
    const limited = first.memoryLimit.some(Boolean)
    const line = (label, index, value, more) => ({
      label, value: (u, v) => value(v), stroke: () => colors()[index], width: 1.5, spanGaps: true, points: { show: false }, ...more
    })
    const limit = (label, index, value, show) => line(label, index, value, { dash: [6, 4], width: 1, show })
    const dots = (label, index, value, size) => line(label, index, value, {
      paths: () => null, points: { show: true, size, width: 0, fill: () => colors()[index], stroke: () => colors()[index] }
    })
    return [
      {
        id: 'heap',
        title: 'Heap',
        format: bytes,
        height: 260,
        series: (d) => [
          line('after GC', 3, bytes, { width: 2, points: { show: true, size: 5, fill: () => colors()[3] } }),
          line('used', 0, bytes), line('total', 1, bytes),
          limit('limit', 4, bytes, !isFar([d.oldSpaceLimit || d.heapLimit.at(-1)], d.heapTotal))
        ],
        data (d) {
          const majors = d.gcs.kind.flatMap((kind, i) => kind === 'major' ? [i] : [])
          const joined = uPlot.join([
            [d.time, d.heapUsed, d.heapTotal, d.heapLimit.map((each) => d.oldSpaceLimit || each)],
            [d.past.time.concat(majors.map((i) => d.gcs.time[i])), d.past.heapLive.concat(majors.map((i) => d.gcs.heapAfter[i]))]
          ])
          return [joined[0], joined[4], joined[1], joined[2], joined[3]]
        }
      },
      {
        id: 'process',
        title: 'Process memory',
        format: bytes,
        height: 220,
        series: (d) => [
          line('rss', 0, bytes), line('external', 1, bytes), line('ArrayBuffers', 2, bytes),
          ...(limited ? [limit('memory limit', 4, bytes, !isFar([d.memoryLimit.at(-1)], d.rss))] : [])
        ],
        data: (d) => [d.time, d.rss, d.external, d.arrayBuffers, ...(limited ? [d.memoryLimit.map((each) => each || null)] : [])]
      },
      {
        id: 'pauses',
        title: 'GC pauses',
        format: ms,
        height: 220,
        log: true,
        series: () => KINDS.map((kind, i) => dots(kind, [0, 3, 2, 4][i], ms, kind === 'minor' ? 4 : 6)),
        data: (d) => [d.gcs.time, ...KINDS.map((kind) => d.gcs.kind.map((each, i) => each === kind ? Math.max(0.001, d.gcs.duration[i]) : null))]
      },
      {
        id: 'gcload',
        title: 'GC load',
        format: percent,
        height: 150,
        series: () => [line('time in GC', 3, percent, { fill: () => `${colors()[3]}30` })],
        data: (d) => [d.time, d.gcLoad]
      },
      {
        id: 'allocation',
        title: 'Allocation',
        format: (n) => `${bytes(n)}/s`,
        height: 150,
        series: () => [line('allocated', 0, (n) => n === null || n === undefined ? '–' : `${bytes(n)}/s`)],
        data: (d) => [d.time, d.allocationRate]
      },
      {
        id: 'loop',
        title: 'Event loop delay',
        format: ms,
        height: 150,
        series: () => [line('late by', 2, ms)],
        data: (d) => [d.time, d.loopDelay]
      },
      ...(first.sites ? [sitesChart(first.sites)] : [])
    ]
  }

  // uPlot counts in seconds.
  const inSeconds = ([time, ...values]) => [Array.from(time, (t) => t / 1000), ...values]

  window.heapwatchCharts = function (root, data) {
    const state = { data, plots: [], span: null, zoomed: false }
    const sync = uPlot.sync('heapwatch')

    function extent () {
      const end = Math.max(state.data.time.at(-1) || 0, state.data.gcs.time.at(-1) || 0) / 1000
      const begin = Math.min(state.data.time[0] ?? Infinity, state.data.gcs.time[0] ?? Infinity) / 1000
      if (!(end > 0)) return [Date.now() / 1000 - 60, Date.now() / 1000]
      const from = state.span === null ? begin : Math.max(begin, end - state.span)
      return [Math.min(from, end - 1), end]
    }

    function showAll () {
      const [min, max] = extent()
      for (const { plot } of state.plots) plot.setScale('x', { min, max })
    }

    function make (chart) {
      const figure = document.createElement('figure')
      figure.dataset.chart = chart.id
      const caption = document.createElement('figcaption')
      caption.textContent = chart.title
      if (state.plots.length === 0) {
        const hint = document.createElement('small')
        hint.className = 'hint'
        hint.textContent = 'drag to zoom, double click for all'
        caption.append(hint)
      }
      figure.append(caption)
      root.append(figure)
      const axis = { stroke: () => variable('--soft'), grid: { stroke: () => variable('--line'), width: 1 }, ticks: { stroke: () => variable('--line'), width: 1 } }
      const plot = new uPlot({
        width: figure.clientWidth,
        height: chart.height,
        cursor: { sync: { key: sync.key, setSeries: false }, drag: { x: true, y: false }, bind: { dblclick: () => () => { state.zoomed = false; showAll() } } },
        scales: {
          x: { time: true },
          y: chart.log ? { distr: 3 } : { range: zeroUp }
        },
        axes: [{ ...axis, values: TIMES, space: 70 }, { ...axis, ...(chart.log ? { grid: decades(axis.grid) } : {}), size: 76, values: (u, ticks) => ticks.map((tick) => tick === null ? '' : chart.format(tick)) }],
        bands: chart.bands,
        series: [{ label: 'time', value: (u, v) => v === null || v === undefined ? '–' : clock(new Date(v * 1000)) }, ...chart.series(state.data)],
        plugins: [marksPlugin(state, chart.id === 'heap')],
        hooks: {
          setSelect: [(u) => {
            if (u.select.width < 2) return
            state.zoomed = true
            const min = u.posToVal(u.select.left, 'x')
            const max = u.posToVal(u.select.left + u.select.width, 'x')
            for (const { plot } of state.plots) plot.setScale('x', { min, max })
          }]
        }
      }, inSeconds(chart.data(state.data)), figure)
      plot.over.dataset.points = String(plot.data[0].length)
      return { plot, figure, chart }
    }

    for (const chart of charts(data)) state.plots.push(make(chart))
    showAll()

    // The legend has the colours it began with.
    function redraw () {
      for (const { plot } of state.plots) {
        const rows = plot.root.querySelectorAll('.u-legend .u-series')
        plot.series.forEach(({ stroke }, i) => {
          const marker = rows[i]?.querySelector('.u-marker')
          if (marker && i > 0) marker.style.borderColor = stroke(plot, i)
        })
        plot.redraw(false, true)
      }
    }
    const resize = () => state.plots.forEach(({ plot, figure, chart }) => {
      if (figure.clientWidth > 0) plot.setSize({ width: figure.clientWidth, height: chart.height })
    })
    window.addEventListener('resize', resize)
    dark.addEventListener('change', redraw)
    print.addEventListener('change', redraw)

    return {
      update (next) {
        state.data = next
        for (const { plot, chart } of state.plots) {
          const { min, max } = plot.scales.x
          plot.setData(inSeconds(chart.data(next)), false)
          plot.over.dataset.points = String(plot.data[0].length)
          if (state.zoomed) plot.setScale('x', { min, max })
        }
        if (!state.zoomed) showAll()
      },
      range (milliseconds) {
        state.span = milliseconds === null ? null : milliseconds / 1000
        state.zoomed = false
        showAll()
      }
    }
  }
})()
