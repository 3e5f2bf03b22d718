'use strict'

// How the commands print sizes and times for people.

/** Bytes, with the unit that gives a number below 1000. */
function bytes (n) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let unit = 0
  while (Math.abs(n) >= 999.5 && unit < units.length - 1) {
    n /= 1000
    unit++
  }
  return `${unit === 0 || Math.abs(n) >= 100 ? n.toFixed(0) : n.toFixed(1)} ${units[unit]}`
}

/** Milliseconds as milliseconds, seconds, minutes, hours or days. */
function seconds (n) {
  if (n > 0 && n < 999.5) return ms(n)
  const s = n / 1000
  if (s < 120) return `${s.toFixed(s < 10 ? 1 : 0)} s`
  if (s < 7200) return `${(s / 60).toFixed(0)} min`
  if (s < 172_800) return `${(s / 3600).toFixed(1)} h`
  return `${(s / 86_400).toFixed(1)} days`
}

/** Milliseconds as a pause: 0.42 ms, 12.5 ms, 340 ms, 2.1 s. */
function ms (n) {
  if (n >= 9999.5) return seconds(n)
  return `${n >= 99.95 ? n.toFixed(0) : n >= 9.995 ? n.toFixed(1) : n.toFixed(2)} ms`
}

/** A ratio in percent: 0.4 %, 12 %. */
function percent (ratio) {
  const n = ratio * 100
  return `${n.toFixed(n > 0 && n < 9.95 ? 1 : 0)} %`
}

module.exports = { bytes, ms, percent, seconds }
