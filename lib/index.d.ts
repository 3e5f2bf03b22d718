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
  /**
   * Highest chance that a rise is chance, divided by the number of such windows
   * the process has lived through. Lower: fewer false alarms in noisy processes,
   * but more major GCs needed. Default 0.01.
   */
  alpha?: number
  /**
   * Major GCs that a sure verdict needs. Lower: earlier, and more often wrong.
   * Default 6.
   */
  minPoints?: number
  /** The same for the lowest samples of each few seconds. Default 10. */
  minEnvelopePoints?: number
  /**
   * Least growth of heap, external memory and ArrayBuffers. Lower: slower leaks
   * are found sooner, slow warm-ups too. Bytes. Default 2 MiB.
   */
  minGrowth?: number
  /**
   * The same as a share of the size; whichever is more counts. From 0 to 1.
   * Default 0.02.
   */
  minGrowthShare?: number
  /**
   * Least growth of native memory, whose noise is the allocator's. Bytes.
   * Default 16 MiB.
   */
  minNativeGrowth?: number
  /**
   * The same as a share of rss; whichever is more counts. From 0 to 1. Default
   * 0.15.
   */
  minNativeGrowthShare?: number
  /** Least growth of the number of contexts. Default 8. */
  minContexts?: number
  /**
   * Least slope of the evidence's last half, relative to its first. Higher:
   * caches that fill are told apart earlier, leaks that come in bursts are lost.
   * Default 0.5.
   */
  sustained?: number
  /**
   * How long growth must have been watched. Lower: faster verdicts; each warm-up
   * or cache that takes as long to fill is an alarm. Milliseconds. Default 42
   * 000.
   */
  evidence?: number
  /**
   * Once growth has used up this share of the headroom it began with,
   * `minEvidence` is enough. Lower: earlier warnings of a heap that fills in a
   * minute, and of one that only fills. From 0 to 1. Default 0.3.
   */
  headroomShare?: number
  /** How long growth must have been watched then. Milliseconds. Default 15 000. */
  minEvidence?: number
  /**
   * Growth must also have been watched for this share of the time left to the
   * limit. Higher: later, and surer, where there is time. From 0 to 1. Default
   * 0.1.
   */
  leftShare?: number
  /**
   * But for no more than this share of the process's past. Higher: bursts of a
   * process that has run for long are forgiven. From 0 to 1. Default 0.1.
   */
  pastShare?: number
  /**
   * Beyond this time to the limit `evidence` grows in proportion to it: what
   * fills slowly looks like a leak for long. 0 leaves `evidence` as it is.
   * Milliseconds. Default 8 h.
   */
  far?: number
  /**
   * Beyond this time to the limit all of `leftShare` counts, whatever the past:
   * a day's wave of traffic is no leak. Milliseconds. Default 24 h.
   */
  distant?: number
  /** The most that this asks for. Milliseconds. Default 36 h. */
  wave?: number
  /**
   * A suspicion is held for this share of its evidence before it is a verdict.
   * Higher: later, surer. Default 0.1.
   */
  holdShare?: number
  /** And at least for so long. Milliseconds. Default 8000. */
  hold?: number
  /**
   * A suspicion that nothing has borne out for this long, or a quarter of its
   * evidence, is withdrawn. Lower: leaks with pauses are lost. Milliseconds.
   * Default 12 000.
   */
  withdraw?: number
  /**
   * With fewer major GCs than `minPoints` the last interval must have risen at
   * this share, or more, of the rate before. Lower: more leaks of quiet
   * processes, more caches that fill. Default 0.75.
   */
  fewSteady?: number
  /** And at no more than this multiple of it. Default 3. */
  fewUnsteady?: number
  /**
   * And of what came between the last two, this share must have outlived the
   * last; twice that for each GC fewer still. Lower: as for `fewSteady`. Default
   * 0.06.
   */
  fewRetained?: number
  /**
   * Without even those, how long the lowest samples of each few seconds must
   * have risen. Lower: garbage that waits for its collection is taken for a
   * leak. Milliseconds. Default 40 000.
   */
  fallback?: number
  /** The same for the heap, where all garbage is. Milliseconds. Default 5 min. */
  fallbackHeap?: number
  /** How many times the least amount such growth must be. Default 2. */
  fallbackGrowth?: number
  /**
   * Where of all that came before the last major GC this share outlived it, the
   * heap needs no more time than the others. Default 0.8.
   */
  fallbackRetained?: number
  /**
   * A leak is over when for this long, or half of its evidence, it grows at less
   * than `endShare` of its rate. Lower: leaks with pauses are told again and
   * again. Milliseconds. Default 30 000.
   */
  end?: number
  /** See `end`. From 0 to 1. Default 0.2. */
  endShare?: number
  /**
   * Width of the finest buckets in which major GCs are kept. Milliseconds.
   * Default 1000.
   */
  bucket?: number
  /** The same of samples. Milliseconds. Default 3000. */
  envelope?: number
  /**
   * Room taken for granted where no limit is known; it serves patience only.
   * Lower: earlier verdicts there. Bytes. Default 2 GiB.
   */
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
  /**
   * When allocation sites are sampled: from the first suspicion of a leak or
   * 60 % of the heap's limit on (`'auto'`, the default), always (`true`, or an
   * object with settings), or never.
   */
  sites?: 'auto' | boolean | SitesOptions
  /**
   * Writes all that the watch learns into a file in shared memory, which other
   * processes read and which is still there when this one has died. `true`: in
   * this user's directory; a string: the path of the file. Default `false`.
   */
  recorder?: boolean | string | RecorderOptions
  /**
   * Takes a heap snapshot of each leak, without stopping, and emits `snapshot`.
   * Default `false`.
   */
  snapshotOnLeak?: boolean | LeakSnapshotOptions
  /**
   * Finds out why a leak is held, from heap snapshots that are taken without
   * stopping and thrown away, and emits `cause`. Default `false`.
   */
  cause?: boolean | CauseOptions
}

/** How the cause of a leak is looked for; docs/snapshots.md says what it costs. */
export interface CauseOptions {
  /**
   * Whether a third snapshot must confirm what two say. If it does not, a fourth
   * is taken, whose step must be as one of the others, or it is `unknown`. Default
   * `true`. If the leak is over before it, or it cannot be taken, or the limit
   * will be reached too soon, two do.
   */
  confirm?: boolean
  /** Leaks that are looked into in the life of the watch, an integer from 1 to 1000. Default 3. */
  limit?: number
  /**
   * Bytes that must leak from one snapshot to the next, at the rate of the leak, an
   * integer from 262 144. Lower: sooner, and less sure. Default 4 MiB.
   */
  minGrowth?: number
  /** Milliseconds to wait for that, at most, an integer of at least 1000. Default 600 000. */
  maxWait?: number
  /** As in HeapSnapshotOptions, for each of them. */
  maxPause?: number
  /** Milliseconds that comparing them may take, an integer of at least 1000. Default 600 000. */
  timeout?: number
  /** Scheduling priority of what is started, 0 (that of the process) to 19. Default 19, the lowest. */
  nice?: number
  /** Bytes of memory to leave free, for the snapshots and for the analysis. Default 0. */
  minFreeMemory?: number
  /** Bytes of disk to leave free besides twice the heap. Default 256 MiB. */
  minFreeDisk?: number
  /** As in HeapSnapshotOptions. */
  ignoreOomGroup?: boolean
  /** Where the files are that have no name. Default `os.tmpdir()`. */
  directory?: string
  /** A directory in which to keep the snapshots. Default: they are not kept. */
  keep?: string
}

export type CauseKind =
  | 'global'
  | 'module'
  | 'closure'
  | 'timer'
  | 'listener'
  | 'collection'
  | 'promise'
  | 'async-context'
  | 'context'
  | 'unknown'

/** A step of the way from what holds to what is held. */
export interface CauseStep {
  /** Of the step before; the first has none. */
  edge?: string | number
  /** Of the node. */
  name: string
  /** V8's type of it, such as `object`. */
  type: string
  /** Where a function is, or a variable declared. */
  url?: string
  /** From 1. */
  line?: number
}

/** Why what leaks is held. */
export interface Cause {
  leak: LeakEvent
  kind: CauseKind
  /** One sentence; of `unknown` why it cannot be told. */
  description: string
  path: CauseStep[]
  /** What holds the WeakMap of which it is values, as the description has it. */
  weakMap?: string
  /** What else holds all of it: the description names both. */
  also?: { kind: CauseKind, heldBy: string }
  /** Of kind `unknown`: what holds it, if that names nothing the program's author would know. */
  perhaps?: { kind: CauseKind, heldBy: string }
  /** What grows, or what of the program's own it holds; "" if that is not known. */
  class: string
  /** How many more there were in the last snapshot than in the first. */
  count: number
  /** How many more bytes they hold. */
  retained: number
  /** Whether a third snapshot has confirmed it; not there if there were but two. */
  confirmed?: boolean
  /** How many of what grew are contexts of `vm`. */
  contexts?: number
  /** What grew is one thing whose own size grows, not a count. */
  single?: boolean
  /** The function of which most of what grew are suspended calls. */
  suspended?: { name: string, url?: string, line?: number, column?: number }
  /** The classes that grew most from the first to the last. */
  grown?: Array<{ name: string, added: number, bytes: number }>
  /** Milliseconds that the thread stood still for each snapshot. */
  pauses?: number[]
  /** Why no cause was looked for, or found: `ERR_HEAPWATCH_CAUSE_*` or `ERR_HEAPWATCH_SNAPSHOT_*`. */
  error?: Error
}

/** Snapshots that are taken of leaks. */
export interface LeakSnapshotOptions {
  /** The directory of the files. Default `.`. */
  directory?: string
  /** How many in the life of the watch, an integer from 1 to 1000. Default 3. */
  limit?: number
  /** As in HeapSnapshotOptions. */
  maxPause?: number
  /** As in HeapSnapshotOptions. */
  minFreeMemory?: number
  /** Bytes of disk to leave free besides twice the heap. Default 1 GiB. */
  minFreeDisk?: number
}

/** A snapshot that was taken of a leak, or `error`: why there is none. */
export interface LeakSnapshot extends Partial<HeapSnapshotResult> {
  leak: Leak
  error?: Error
}

/** Settings of V8's sampling heap profiler. Sampling is on from the start. */
export interface SitesOptions {
  /**
   * Bytes allocated for each sample, on average, an integer from 1024 to 2^30.
   * Default 524 288. With `'auto'` it is 65 536 to 524 288, as fits how much
   * the process allocates.
   */
  sampleInterval?: number
  /** Frames of each stack, an integer from 1 to 128. Default 32. */
  stackDepth?: number
}

/** Whose code a function is: by its url, in node_modules, "node:", or V8's. */
export type FrameKind = 'application' | 'library' | 'internal' | 'native'

/** A function on a stack. V8 tells where it begins, not which of its lines ran. */
export interface Frame {
  /** "" if it has no name. */
  functionName: string
  /** Of its script; "" for code without a name, such as that of `eval`. */
  url: string
  /** Where the function begins, from 1; 0 if that is unknown. */
  line: number
  column: number
  kind: FrameKind
  /** With --enable-source-maps: where it is in the script that runs. */
  generated?: { url: string, line: number, column: number }
}

/** A place that allocates. Sizes are bytes, estimated from samples. */
export interface Site extends Frame {
  /** Of what was allocated here and is alive. */
  bytes: number
  /** Objects of it. */
  count: number
  /** Bytes a second by which that grows; negative if it shrinks. */
  growthRate: number
  /** Of the growth of all sites, 0 to 1. */
  share: number
  /** How evenly the bytes are spread over the time of sampling, 0 to 1. */
  spread: number
  /** `churn`: only young objects; `level`: only old ones, or no more than before. */
  trend: 'growing' | 'churn' | 'level'
  /** Whether these are Buffers or ArrayBuffers, whose memory is not on the heap. */
  offHeap: boolean
  /** The innermost function of the application; the site itself if it is one. */
  application: Frame | null
  /** `application` is not on the stack, but called the same way: see docs/sites.md. */
  inferred: boolean
  /** Innermost first, up to the outermost function of the application. */
  stack: Frame[]
  /** With `timeline`: live bytes by the interval they were allocated in. */
  timeline?: number[]
}

/** Whether sites are sampled; `in-use`: another tool has V8's only profiler. */
export type SitesState = 'sampling' | 'off' | 'in-use'

/** The sites of this moment, the likeliest leak first. */
export interface Sites {
  state: SitesState
  sites: Site[]
  /** The rest only while sampling. Milliseconds since 1970. */
  time?: number
  /** When sampling began. */
  since?: number
  sampleInterval?: number
  stackDepth?: number
  /** Major collections since. */
  collections?: number
  /** Bytes of the heap after the last of them. */
  heapUsed?: number
  /** Bytes of what was sampled and is alive. */
  sampled?: number
  /** Share of the heap that no site accounts for: allocated before, mostly. 0 to 1. */
  unattributed?: number
  /** With `timeline`: what each value of a site's timeline is of. */
  intervals?: Array<{ start: number, end: number, bytes: number }>
}

export interface SitesQuery {
  /** Sites at most, 1 to 32. Default 10. */
  limit?: number
  /** With the bytes of each interval that are alive. */
  timeline?: boolean
}

/** Where a watch records; docs/recorder.md describes the file. */
export interface RecorderOptions {
  /**
   * The file, in which `%p` becomes the process id and `%t` the thread's. A
   * recording of a dead process under that name is renamed to end in `.old`.
   */
  path?: string
  /** The directory for a file named by process, thread and time, if there is no `path`. */
  directory?: string
  /** Bytes of the file, an integer from 2 MiB to 64 MiB. Default 4 MiB. */
  size?: number
  /** How many recordings of dead processes are left in the directory, from 0 to 10 000. Default 16. */
  keep?: number
}

export interface HeapSnapshotOptions {
  /**
   * `true`: as `v8.writeHeapSnapshot()` does, standing still until it is
   * written. Works everywhere; the other options have no meaning. Never done
   * unless asked for. Default `false`.
   */
  blocking?: boolean
  /**
   * Milliseconds that the process may stand still. A larger one is expected, at
   * 8 ms for 100 MB resident: refused. Default 200.
   */
  maxPause?: number
  /** Milliseconds the child may take, an integer of at least 1000. Default 600 000. */
  timeout?: number
  /** Scheduling priority of the child, 0 (that of the process) to 19. Default 19, the lowest. */
  nice?: number
  /** Bytes of memory to leave free besides what the snapshot may take. Default 0. */
  minFreeMemory?: number
  /**
   * Whether to try it where running out of memory would kill the whole control
   * group, the process too. Default `false`.
   */
  ignoreOomGroup?: boolean
}

export interface HeapSnapshotResult {
  /** The file, absolute. */
  path: string
  bytes: number
  /** Milliseconds that the thread stood still, measured. */
  pause: number
  /** Milliseconds it took in all. */
  duration: number
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

/** A leak as the event tells it: with the places that allocate what stays. */
export interface LeakEvent extends Leak {
  /** Up to five, the likeliest first; none if they are not sampled. */
  sites: Site[]
  sitesState: SitesState
  /** Share of the heap that no site accounts for; null if none are sampled. */
  unattributed: number | null
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
  /**
   * How many pauses took at most `le` milliseconds: bounds from 0.05 to 10 000
   * and Infinity, every pause counted, exact.
   */
  buckets: Array<{ le: number, count: number }>
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
  leak: [leak: LeakEvent]
  /** When growth has stopped or memory has come back: the episode's last state. */
  leakend: [leak: Leak]
  /** Of the option `cause`: once for each leak that was looked into. */
  cause: [cause: Cause]
  /** Of the option `snapshotOnLeak`. */
  snapshot: [snapshot: LeakSnapshot]
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
  readonly options: Readonly<Required<Omit<WatchOptions, 'pressure' | 'leak' | 'sites' | 'recorder'>>> & {
    readonly pressure: Readonly<Required<PressureOptions>> | false
    readonly leak: Readonly<Required<LeakOptions>> | false
    readonly sites: Readonly<{
      when: 'suspected' | 'always'
      sampleInterval: number | 'auto'
      stackDepth: number
    }> | false
    readonly recorder: Readonly<RecorderOptions> | false
  }

  /** The path of the file that is recorded into; null if there is none. */
  readonly recorder: string | null

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
   * The places that allocate what is alive, the likeliest leak first.
   * @throws Error `ERR_HEAPWATCH_STOPPED` after `stop()`
   */
  sites (query?: SitesQuery): Sites

  /**
   * Writes all that is sampled and alive into a file: for Chrome DevTools if
   * `path` ends in .heapprofile, for pprof, Pyroscope and others if in .pb.gz.
   * @throws Error `ERR_HEAPWATCH_NOT_SAMPLING`, or of `fs.writeFileSync`
   */
  writeHeapProfile (path: string): void

  /**
   * Writes what the watch sees from now on into a new file, as a trace that
   * `heapwatch replay` reads, in place of the trace before, if any. Every GC is
   * in it, whatever `gcThreshold` is. Each sample is a synchronous write of some
   * hundred bytes.
   * @throws Error of `fs.openSync`, if the file exists or cannot be made
   */
  writeTrace (path: string): void

  /**
   * Takes a heap snapshot of this isolate and gives it the name `path`, in
   * place of a file that has it, once it is whole. The process is forked: it
   * stands still for milliseconds, and the snapshot is of that moment. Linux
   * with glibc only. docs/snapshots.md says what it costs. The process stays
   * until it is done. One at a time in a process.
   * @throws Error (the promise is rejected) ERR_HEAPWATCH_SNAPSHOT_*, saying why it was refused or failed
   */
  writeHeapSnapshot (path: string, options?: HeapSnapshotOptions): Promise<HeapSnapshotResult>

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
/** A collection of a recording. */
export interface RecordedGc extends GcEvent {
  /** When it began, since 1970. */
  time: number
}

export interface RecordedRange {
  min: number
  max: number
  mean: number
}

/** A minute of a recording; the figures are as in samples. */
export interface RecordedMinute {
  /** When it began, since 1970. */
  time: number
  samples: number
  gcs: number
  gcTime: number
  /** The longest pause in it, in milliseconds. */
  maxPause: number
  /** The heap after the last major collection, in bytes. */
  heapLive: number
  heapLimit: number
  memoryLimit: number
  heapTotal: number
  allocationRate: number
  maxAllocationRate: number
  loopDelay: number
  maxLoopDelay: number
  heapUsed: RecordedRange
  rss: RecordedRange
  external: RecordedRange
  arrayBuffers: RecordedRange
}

/** What a watch had counted. */
export interface RecordedState {
  /** When, since 1970. */
  time: number
  /** `stopped` if the watch was stopped or the process exited by itself. */
  state: 'running' | 'stopped'
  exitCode: number | null
  gcs: number
  samples: number
  missed: number
  dropped: number
  gcTime: number
  allocated: number
  /** The heap after the last major collection, in bytes. */
  heapLive: number
  oldSpaceLimit: number
  /** The pressure that there is. */
  active: PressureReason[]
  leaking: LeakMetric[]
  suspected: boolean
  /** The last sample. */
  sample: Sample | null
}

/** A leak, its end, pressure, its end, a cause, sites: `data` is the event. */
export interface RecordedNote {
  time: number
  kind: 'leak' | 'leakend' | 'cause' | 'pressure' | 'pressureend' | 'sites' | 'timeline'
  data: any
}

/** A recorder's file. What the methods give is as of each call. */
export interface Recording {
  readonly path: string
  /** Who is recorded; `{}` if that is damaged. */
  readonly identity: Readonly<Record<string, any>>
  /** Whether the watch that records still runs. */
  readonly alive: boolean
  state (): RecordedState
  /** Those later than `since`, milliseconds since 1970; the oldest first. */
  samples (query?: { since?: number }): Sample[]
  minutes (query?: { since?: number }): RecordedMinute[]
  gcs (query?: { since?: number }): RecordedGc[]
  notes (query?: { since?: number }): RecordedNote[]
  pauses (): Record<GcKind, Pauses>
  /** Closes the file; may be called again. */
  close (): void
}

/**
 * Opens a recorder's file, of a process alive or dead, and reads it on a thread
 * of libuv's pool. The methods of the recording then read what is new.
 *
 * Rejects with `ERR_HEAPWATCH_RECORDING_*`.
 */
export function readRecording (path: string): Promise<Recording>

export const version: string
