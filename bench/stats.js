'use strict'

// Medians and quartiles: of few noisy numbers nothing else says enough.

/** The value below which a share of the values lies, interpolated. */
function quantile (values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  const position = (sorted.length - 1) * share
  const below = Math.floor(position)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below)
}

const median = (values) => quantile(values, 0.5)

/** @returns {{ median: number, low: number, high: number, n: number }} with the quartiles */
function summary (values) {
  return {
    median: median(values),
    low: quantile(values, 0.25),
    high: quantile(values, 0.75),
    n: values.length
  }
}

/**
 * Where the median lies with 95 % confidence: by ranks, whatever the values'
 * distribution.
 *
 * @returns {[number, number]}
 */
function medianInterval (values) {
  const sorted = [...values].sort((a, b) => a - b)
  const half = 0.98 * Math.sqrt(sorted.length)
  const at = (position) => sorted[Math.max(0, Math.min(sorted.length - 1, Math.round(position)))]
  return [at(sorted.length / 2 - half), at(sorted.length / 2 + half - 1)]
}

/** A list turned so that each round begins elsewhere, every other one backwards. */
function rotated (list, round) {
  const by = round % list.length
  const turned = [...list.slice(by), ...list.slice(0, by)]
  return round % 2 === 0 ? turned : turned.reverse()
}

module.exports = { median, medianInterval, rotated, summary }
