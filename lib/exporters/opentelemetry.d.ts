import type { HeapWatch } from '../index'

/** What heapwatch needs of a `Meter` of `@opentelemetry/api`. */
export interface MeterLike {
  createHistogram (name: string, options?: any): any
  createObservableCounter (name: string, options?: any): any
  createObservableGauge (name: string, options?: any): any
  createObservableUpDownCounter (name: string, options?: any): any
  addBatchObservableCallback (callback: any, observables: any[]): void
  removeBatchObservableCallback (callback: any, observables: any[]): void
}

/** What heapwatch needs of a `Logger` of `@opentelemetry/api-logs`. */
export interface LoggerLike {
  emit (record: any): void
}

export interface InstrumentOptions {
  /** Where the metrics go. */
  meter?: MeterLike
  /** Makes the meter if none is given; without it, OpenTelemetry's global one does. */
  meterProvider?: { getMeter (name: string, version?: string): MeterLike }
  /** Gets a record of each `leak` and `leakend`. Without a logger there are none. */
  logger?: LoggerLike
  /** Makes the logger if none is given. */
  loggerProvider?: { getLogger (name: string, version?: string): LoggerLike }
  /** Of every measurement and record. */
  attributes?: Record<string, string | number | boolean>
}

/**
 * Gives the metrics of a watch to a meter, with the names of OpenTelemetry's
 * semantic conventions for V8 and `heapwatch.*`. Returns what ends it.
 *
 * Adds a `gc` listener: with `gcThreshold`, `v8js.gc.duration` lacks the shorter
 * pauses, which `heapwatch.gc.count` counts.
 *
 * @throws Error `ERR_HEAPWATCH_NO_OPENTELEMETRY`; what the meter throws
 */
export function instrument (watch: HeapWatch, options?: InstrumentOptions): () => void
