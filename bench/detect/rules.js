'use strict'

// Four rules that people use today to decide that a process leaks, each from a
// trace { meta, samples, gcs } to the time in ms at which it first says so, or
// null. All look at the heap only, as they do where they are used. Samples are
// one second apart, heapwatch's default and a common choice.

// memwatch: the heap after full collections has grown five times in a row.
function fiveGrowths ({ gcs }) {
  const majors = gcs.filter((gc) => gc.kind === 'major')
  let growths = 0
  for (let i = 1; i < majors.length; i++) {
    growths = majors[i].heapAfter > majors[i - 1].heapAfter ? growths + 1 : 0
    if (growths === 5) return majors[i].t
  }
  return null
}

// A straight line through heapUsed by least squares: rising, and explaining
// more than 70 % of the variance of the last 30 seconds.
function slope ({ samples }) {
  const window = 30
  for (let end = window; end <= samples.length; end++) {
    const points = samples.slice(end - window, end)
    const line = leastSquares(points.map(({ t, heapUsed }) => [t, heapUsed]))
    if (line.slope > 0 && line.r2 > 0.7) return points.at(-1).t
  }
  return null
}

function leastSquares (points) {
  const n = points.length
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / n
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / n
  let xx = 0
  let xy = 0
  let yy = 0
  for (const [x, y] of points) {
    xx += (x - meanX) ** 2
    xy += (x - meanX) * (y - meanY)
    yy += (y - meanY) ** 2
  }
  return { slope: xy / xx, r2: yy === 0 ? 0 : xy ** 2 / (xx * yy) }
}

// heapUsed has risen in ten readings in a row.
function rising ({ samples }) {
  let rises = 0
  for (let i = 1; i < samples.length; i++) {
    rises = samples[i].heapUsed > samples[i - 1].heapUsed ? rises + 1 : 0
    if (rises === 10) return samples[i].t
  }
  return null
}

// heapUsed is over 80 % of the limit.
function nearLimit ({ meta, samples }) {
  return samples.find((sample) => sample.heapUsed > 0.8 * meta.heapLimit)?.t ?? null
}

module.exports = {
  'five growths after full GC': fiveGrowths,
  'slope of heapUsed, r² > 0.7': slope,
  'ten rising samples in a row': rising,
  'heapUsed over 80 % of limit': nearLimit
}
