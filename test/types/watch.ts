// Compiled, never run: what TypeScript must accept and what it must refuse.

import heapwatch = require('../..')
import { watch, HeapWatch, version, type GcEvent, type Sample, type PressureEvent, type Leak } from '../..'

const w: HeapWatch = watch({ interval: 500, gcThreshold: 1.5, history: 60 })
const same: HeapWatch = new heapwatch.HeapWatch({ pressure: { heapLimit: 0.8, gcLoad: false } })
const never: HeapWatch = new HeapWatch({ pressure: false })
const text: string = version

w.on('gc', (gc) => {
  const exact: GcEvent = gc
  const kind: 'minor' | 'major' | 'incremental' | 'weakcb' = gc.kind
  const ms: number = gc.duration
  // @ts-expect-error: no such field
  gc.pause.toFixed()
  return [exact, kind, ms]
})
  .once('sample', (sample: Sample) => sample.heapUsed + sample.arrayBuffers)
  .on('pressure', (pressure: PressureEvent) => {
    // @ts-expect-error: not with gc-load
    pressure.used.toFixed()
    return pressure.reason === 'heap-limit'
  })

w.on('leak', (leak) => {
  const exact: Leak = leak
  // @ts-expect-error: null without a limit
  leak.timeToLimit.toFixed()
  return [exact.rate, exact.evidence[0]?.value]
}).on('leakend', (leak: Leak) => leak.metric === 'heap')
const leaks: Leak[] = w.leaks()
w.writeTrace('trace.jsonl')
watch({ leak: false }).stop()
watch({ leak: { minGrowth: 1e6 } }).stop()

const major: number = w.pauses().major.p99
const spaces: string[] = w.spaces().map((space) => space.name)
const used: number[] = w.history().map((sample) => sample.heapUsed)
const dropped: number = w.stats().dropped
const threshold = w.options.pressure === false ? false : w.options.pressure.heapLimit
const stopped: boolean = w.stopped
w.sample().loopDelay.toFixed()
w.stop()
w[Symbol.dispose]()

// @ts-expect-error: unknown option
watch({ intervall: 5 })
// @ts-expect-error: wrong type
watch({ interval: '1s' })
// @ts-expect-error: wrong type
watch({ pressure: true })
// @ts-expect-error: read-only
w.options = {}
// @ts-expect-error: no such event
w.on('samples', () => {})
// @ts-expect-error: wrong listener
w.on('sample', (sample: GcEvent) => sample)

export { leaks, same, never, text, major, spaces, used, dropped, threshold, stopped }
