/// <reference types="node" />

import { EventEmitter } from 'node:events'

/**
 * Thresholds of the `pressure` event. Each is a ratio above 0 and up to 1;
 * `false` turns that reason off.
 */
export interface PressureOptions {
  /** Heap live after a major GC / limit of the old space. Default 0.85. */
  heapLimit?: number | false
  /** rss / memory limit of the process, where one is set. Default 0.9. */
  memoryLimit?: number | false
  /** Share of the last `gcLoadWindow` spent in GC. Default 0.3. */
  gcLoad?: number | false
  /** Milliseconds `gcLoad` looks back, an integer from 100 to 3 600 000. Default 10 000. */
  gcLoadWindow?: number
  /**
   * An episode ends when its ratio falls below threshold × release, and only
   * then can it be told again. From 0 to 1, default 0.9.
   */
  release?: number
}

/**
 * Thresholds of the leak detector; docs/leaks.md says what each trades. Sizes
 * are bytes, times milliseconds, shares 0 to 1. The defaults are meant to be
 * left alone.
 */
export interface LeakOptions {
  /** Highest chance that a rise is chance. Default 0.01. */
  alpha?: number
  /** Least growth of the heap, external memory and ArrayBuffers. Default 2 MiB. */
  minGrowth?: number
  /** The same as a share of the size, whichever is more. Default 0.02. */
  minGrowthShare?: number
  /** Least growth of native memory. */
  minNativeGrowth?: number
  minNativeGrowthShare?: number
  /** Least growth of the number of contexts. Default 8. */
  minContexts?: number
  /** Least slope of the last half of the evidence, relative to the first. Default 0.5. */
  sustained?: number
  /** How long growth must have been watched. Default 48 000. */
  evidence?: number
  /** Once this share of the headroom is used up, `minEvidence` is enough. */
  headroomShare?: number
  minEvidence?: number
  /** How long it must have been watched, as a share of the time left to the limit. */
  leftShare?: number
  /** The same as a share of the process's past. */
  pastShare?: number
  /** Beyond this time to the limit all of `leftShare` counts, up to `wave`. */
  distant?: number
  wave?: number
  /** How long a suspicion is held before it is a verdict: a share of its evidence, and a time. */
  holdShare?: number
  hold?: number
  /** A suspicion that nothing has borne out for this long is withdrawn. */
  withdraw?: number
  fewSteady?: number
  fewUnsteady?: number
  fewRetained?: number
  fallback?: number
  fallbackHeap?: number
  fallbackGrowth?: number
  /** A leak is over when it has grown at less than `endShare` of its rate for this long. */
  end?: number
  endShare?: number
  /** Widths of the finest buckets. */
  bucket?: number
  envelope?: number
  /** Headroom assumed where no limit is known. */
  assumedHeadroom?: number
}

export interface WatchOptions {
  /** Milliseconds between samples, an integer from 10 to 3 600 000. Default 1000. */
  interval?: number
  /**
   * `gc` events only for pauses of at least this many milliseconds, from 0 to
   * 3 600 000. Default 0. Shorter ones are still counted in `pauses()`.
   */
  gcThreshold?: number
  /**
   * Samples kept in native memory, an integer from 1 to 1 000 000. Default
   * 3600. A sample takes 136 bytes, touched only as they come.
   */
  history?: number
  /** When to emit `pressure`, or `false` for never. */
  pressure?: PressureOptions | false
  /** Thresholds of the leak detector, or `false` to look for no leaks. */
  leak?: LeakOptions | false
}

/** One reading of the process. Sizes are bytes, times milliseconds. */
export interface Sample {
  /** When it was taken, since 1970. */
  time: number
  /** As in `process.memoryUsage()`. */
  heapUsed: number
  /** As in `process.memoryUsage()`. */
  heapTotal: number
  /** V8's `heap_size_limit`: the old space's limit and the young generation's reserve. */
  heapLimit: number
  /** As in `process.memoryUsage()`; of the whole process, also in a Worker. */
  rss: number
  /** As in `process.memoryUsage()`; includes `arrayBuffers`. */
  external: number
  /** As in `process.memoryUsage()`; NaN if that could not be called. */
  arrayBuffers: number
  /** V8's own structures outside of the heap: `malloced_memory`. */
  mallocedMemory: number
  /** Of `heapTotal`, what is backed by memory: `total_physical_size`. */
  physicalHeap: number
  /** Bytes of global handles in use: `used_global_handles_size`. */
  globalHandles: number
  /** Contexts alive: `number_of_native_contexts`. */
  nativeContexts: number
  /** Contexts detached and not yet collected: `number_of_detached_contexts`. */
  detachedContexts: number
  /**
   * Time the main thread of the isolate spent in GC pauses since the sample
   * before. Steps of incremental marking are not in it: V8 reports only their start.
   */
  gcTime: number
  /** `gcTime` / the time since the sample before, 0 to 1. */
  gcLoad: number
  /** Bytes a second allocated on the JS heap since the sample before. */
  allocationRate: number
  /** How late the sampling timer ran, because the event loop was busy. */
  loopDelay: number
  /** The memory limit of the process, its container's; 0 if there is none. */
  memoryLimit: number
}

/** OpenTelemetry's `v8js.gc.type`. */
export type GcKind = 'minor' | 'major' | 'incremental' | 'weakcb'

/** One garbage collection, or the start of an incremental marking. */
export interface GcEvent {
  kind: GcKind
  /** V8's name for it. */
  type:
    | 'scavenge'
    | 'minor-mark-sweep'
    | 'mark-sweep-compact'
    | 'incremental-marking'
    | 'process-weak-callbacks'
  /** Whether it was asked for (by `global.gc`, a snapshot, the inspector), not needed. */
  forced: boolean
  /** V8's `GCCallbackFlags`. */
  flags: number
  /** When it began, on the clock of `performance.now()`, in milliseconds. */
  startTime: number
  /**
   * The pause in milliseconds. For `incremental` that of the start of marking
   * alone: V8 offers nothing about the steps that follow.
   */
  duration: number
  /** Bytes of the JS heap in use before. */
  heapBefore: number
  /** Bytes of the JS heap in use after. */
  heapAfter: number
  /** `heapBefore - heapAfter`; may be negative. */
  freed: number
  /** External bytes before. */
  externalBefore: number
  /** External bytes after; what died may still count for some milliseconds. */
  externalAfter: number
}

export type PressureReason = 'heap-limit' | 'memory-limit' | 'gc-load'

/** An episode of pressure has begun. */
export interface PressureEvent {
  reason: PressureReason
  /** When, in milliseconds since 1970. */
  time: number
  /** What went over the threshold, 0 to 1. */
  ratio: number
  threshold: number
  /** Bytes: the live heap, or rss. Not with `gc-load`. */
  used?: number
  /** Bytes: the limit of the old space, or of the process. Not with `gc-load`. */
  limit?: number
}

export type LeakMetric = 'heap' | 'external' | 'arrayBuffers' | 'native' | 'contexts'

/** Steady growth. Sizes are bytes (for `contexts`, contexts), times milliseconds. */
export interface Leak {
  metric: LeakMetric
  /** When the verdict fell, since 1970. */
  time: number
  /** When the growth began, as far as the evidence goes, since 1970. */
  since: number
  /** From `since` to `time`. */
  duration: number
  /** Bytes a second, of late. */
  rate: number
  /** 90 % interval of the rate over all of the evidence. */
  rateLow: number
  rateHigh: number
  /** Over `duration`. */
  growth: number
  /** 0 to 1. */
  confidence: number
  /** Until the limit is reached at this rate; null if there is no limit. */
  timeToLimit: number | null
  /** The limit that is nearing; null if there is none. */
  limit: number | null
  /** What it rests on, surest first. */
  basis: 'collections' | 'few-collections' | 'envelope'
  shape: string
  /** The points the verdict rests on, oldest first. */
  evidence: Array<{ time: number, value: number }>
}

/** Pauses of one kind since the watch began, in milliseconds. */
export interface Pauses {
  count: number
  total: number
  min: number
  max: number
  mean: number
  /** Percentiles are at most 0.8 % off from 1 µs to 137 s; the rest is exact. */
  p50: number
  p90: number
  p99: number
  p999: number
}

/** One of V8's heap spaces, in bytes. */
export interface HeapSpace {
  name: string
  size: number
  used: number
  available: number
  physical: number
}

export interface Stats {
  /** Samples taken by the timer. */
  samples: number
  /** Samples that were due while the event loop was blocked, and were not taken. */
  missed: number
  /** Samples kept. */
  history: number
  /** GC events seen, of all kinds. */
  gcs: number
  /** Milliseconds in GC, no moment counted twice. */
  gcTime: number
  /** Bytes allocated on the JS heap. */
  allocated: number
  /** Bytes in use right after the last major GC; 0 before the first. */
  heapLive: number
  /** Bytes: `heapLimit` less what V8 reserves for the young generation. */
  oldSpaceLimit: number
  /** GC events lost because 8192 were waiting already, with the event loop blocked. */
  dropped: number
  /** GC events waiting to be emitted. */
  pending: number
  /** GC phases of the isolate whose beginning or end V8 did not report. */
  unpaired: number
  /** Bytes of native memory this watch has asked for. */
  ownBytes: number
  /** Whether something is suspected to leak, or established. */
  suspected: boolean
  /** Episodes of pressure going on. */
  pressure: PressureReason[]
}

export interface HeapWatchEvents {
  sample: [sample: Sample]
  gc: [gc: GcEvent]
  pressure: [pressure: PressureEvent]
  /** Once an episode, when it is established. */
  leak: [leak: Leak]
  /** When growth has stopped or memory has come back: the episode's last state. */
  leakend: [leak: Leak]
}

/**
 * Watches the heap of the isolate it is created in: the main thread's, or a
 * Worker's. Runs from its construction until `stop()`; never keeps a process
 * alive. Several in one isolate are independent of each other.
 *
 * Events are delivered from the event loop: `sample` when its timer fires,
 * `gc` and `pressure` in batches at most 50 ms after they happened, later if
 * the loop is blocked. What waits at `stop()` or at the exit of the process is
 * delivered then.
 */
export class HeapWatch extends EventEmitter<HeapWatchEvents> {
  /**
   * @throws TypeError `ERR_HEAPWATCH_INVALID_OPTION_TYPE`, `ERR_HEAPWATCH_UNKNOWN_OPTION`
   * @throws RangeError `ERR_HEAPWATCH_OPTION_OUT_OF_RANGE`
   */
  constructor (options?: WatchOptions)

  /** The options in force, defaults filled in. */
  readonly options: Readonly<Required<Omit<WatchOptions, 'pressure' | 'leak'>>> & {
    readonly pressure: Readonly<Required<PressureOptions>> | false
    readonly leak: Readonly<Required<LeakOptions>> | false
  }

  /** Whether `stop()` has been called. */
  readonly stopped: boolean

  /** Ends the watch. What was recorded can still be read. May be called again. */
  stop (): void
  [Symbol.dispose] (): void

  /**
   * Takes a sample now, its interval counted from the last one of the timer.
   * Neither emitted nor kept.
   * @throws Error `ERR_HEAPWATCH_STOPPED` after `stop()`
   */
  sample (): Sample

  /** The samples kept, oldest first. */
  history (): Sample[]

  /** The leaks that are established now; of a stopped watch, those at its end. */
  leaks (): Leak[]

  /**
   * Writes what the watch sees from now on into a new file, as a trace that
   * `heapwatch replay` reads. Each sample is a synchronous write of some
   * hundred bytes.
   * @throws Error of `fs.openSync`, if the file exists or cannot be made
   */
  writeTrace (path: string): void

  /** GC pauses by kind since the watch began. */
  pauses (): Record<GcKind, Pauses>

  /**
   * V8's heap spaces now.
   * @throws Error `ERR_HEAPWATCH_STOPPED` after `stop()`
   */
  spaces (): HeapSpace[]

  /** What the watch has counted, and what it costs. */
  stats (): Stats
}

/** Starts a watch: `new HeapWatch(options)`. */
export function watch (options?: WatchOptions): HeapWatch

/** What one class of a heap snapshot has. */
export interface SnapshotClass {
  name: string
  count: number
  /** Bytes of the objects themselves. */
  shallow: number
  /** Bytes that would go with all of them. */
  retained: number
  /** Of the one nearest to a root; 1e8 and more if only V8's roots reach it, -5 if nothing does. */
  distance: number
  /** Where the constructor is, from 0, if the snapshot says so. */
  script?: number
  line?: number
  column?: number
}

export interface SnapshotSummary {
  nodes: number
  edges: number
  total: number
  /** Bytes by kind; `native` has those of `typedArrays` in it. */
  statistics: {
    total: number
    native: number
    typedArrays: number
    code: number
    strings: number
    arrays: number
    system: number
  }
  /** By retained size, the largest first. */
  classes: SnapshotClass[]
  largestStrings: Array<{ id: number, shallow: number, text: string }>
  duplicateStrings: Array<{ count: number, shallow: number, retained: number, text: string }>
  nativeContexts: Array<{ id: number, name: string, shallow: number, retained: number, detached: boolean }>
}

export interface AnalyzeOptions {
  /** Strings that are listed, 20 by default. */
  limit?: number
  signal?: AbortSignal
}

/**
 * Sums a heap snapshot file up, as Chrome DevTools would, off the main thread.
 * Rejects with `ERR_HEAPWATCH_EFORMAT`, and the byte as `offset`, if the file is
 * no whole snapshot; with `ERR_HEAPWATCH_EIO` if it cannot be read.
 */
export function analyze (path: string, options?: AnalyzeOptions): Promise<SnapshotSummary>

/** The version of heapwatch. */
export const version: string
