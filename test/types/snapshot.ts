import { analyze, type SnapshotClass, type SnapshotSummary } from 'heapwatch'

const summary: Promise<SnapshotSummary> = analyze('a.heapsnapshot')
const largest: Promise<SnapshotClass | undefined> =
  analyze('a.heapsnapshot', { limit: 5, signal: AbortSignal.timeout(1000) }).then(({ classes }) => classes[0])

// @ts-expect-error: the path is missing
analyze()
// @ts-expect-error: unknown option
analyze('a.heapsnapshot', { limits: 5 })

export { summary, largest }
