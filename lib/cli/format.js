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

/** Milliseconds as seconds, minutes, hours or days. */
function seconds (ms) {
  const s = ms / 1000
  if (s < 120) return `${s.toFixed(s < 10 ? 1 : 0)} s`
  if (s < 7200) return `${(s / 60).toFixed(0)} min`
  if (s < 172_800) return `${(s / 3600).toFixed(1)} h`
  return `${(s / 86_400).toFixed(1)} days`
}

module.exports = { bytes, seconds }
