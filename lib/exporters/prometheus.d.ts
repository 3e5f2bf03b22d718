import type { HeapWatch } from '../index'

/** What heapwatch needs of a `Registry` of prom-client, 14 or 15. */
export interface RegistryLike {
  registerMetric (metric: any): void
  getSingleMetric (name: string): unknown
  removeSingleMetric (name: string): void
}

export interface MetricsOptions {
  /** What every name begins with: `heapwatch_` if nothing is given. */
  prefix?: string
  /**
   * Labels of every sample. Names that begin with `__` and those that the
   * metrics use themselves (kind, le, metric, node_version, reason, space,
   * version) are refused.
   */
  labels?: Record<string, string | number>
}

export interface RegisterOptions extends MetricsOptions {
  /** prom-client's global one if none is given. */
  registry?: RegistryLike
}

export type Format = 'openmetrics' | 'prometheus'

/**
 * Adds the metrics of a watch to a registry of prom-client. They are read when
 * it is scraped. Returns what takes them out again.
 *
 * Watches can share a registry if their labels or prefixes differ. A stopped
 * watch keeps its counters and histograms, loses its gauges, and has
 * `heapwatch_running` 0.
 *
 * @throws Error `ERR_HEAPWATCH_ALREADY_REGISTERED`, `ERR_HEAPWATCH_REGISTRY`,
 *   `ERR_HEAPWATCH_NO_PROM_CLIENT`; nothing has been added then
 */
export function register (watch: HeapWatch, options?: RegisterOptions): () => void

/**
 * The metrics of a watch as text, without prom-client: OpenMetrics 1.0, or
 * Prometheus' own format 0.0.4. Never throws because of the watch.
 */
export function metrics (watch: HeapWatch, options?: MetricsOptions & { format?: Format }): string

/** The `Content-Type` of what `metrics` returns, by default of OpenMetrics. */
export function contentType (format?: Format): string
