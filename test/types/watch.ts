// Compiled, never run: what TypeScript must accept and what it must refuse.

import heapwatch = require('../..')
import { watch, HeapWatch, version, type GcEvent, type Sample, type PressureEvent, type Leak, type Site, type Sites } from '../..'

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
  const site: Site | undefined = leak.sites[0]
  // @ts-expect-error: null where none of the application's functions is known
  site.application.line.toFixed()
  return [exact.rate, exact.evidence[0]?.value, site?.stack[0]?.kind === 'native', leak.sitesState === 'in-use']
}).on('leakend', (leak: Leak) => leak.metric === 'heap')
const leaks: Leak[] = w.leaks()
w.writeTrace('trace.jsonl')
watch({ leak: false }).stop()
watch({ leak: { minGrowth: 1e6 } }).stop()

watch({ sites: 'auto' }).stop()
watch({ sites: { sampleInterval: 65536, stackDepth: 16 } }).stop()
// @ts-expect-error: no such setting
watch({ sites: { interval: 1 } })
// @ts-expect-error: only 'auto'
watch({ sites: 'always' })
const sites: Sites = w.sites({ limit: 3, timeline: true })
// @ts-expect-error: only while sampling
sites.since.toFixed()
const depth: number | false = w.options.sites === false ? false : w.options.sites.stackDepth
w.writeHeapProfile('app.heapprofile')

const major: number = w.pauses().major.p99
const spaces: string[] = w.spaces().map((space) => space.name)
const used: number[] = w.history().map((sample) => sample.heapUsed)
const dropped: number = w.stats().dropped
const threshold = w.options.pressure === false ? false : w.options.pressure.heapLimit
const stopped: boolean = w.stopped
w.sample().loopDelay.toFixed()
const pause: Promise<number> = w.writeHeapSnapshot('a.heapsnapshot', { maxPause: 50 }).then((result) => result.pause)
// @ts-expect-error: unknown option
w.writeHeapSnapshot('a.heapsnapshot', { pause: 50 })
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

export { pause, leaks, sites, depth, same, never, text, major, spaces, used, dropped, threshold, stopped }
