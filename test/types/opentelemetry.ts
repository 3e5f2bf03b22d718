import { watch } from 'heapwatch'
import { instrument } from 'heapwatch/opentelemetry'
import { metrics } from '@opentelemetry/api'
import { logs } from '@opentelemetry/api-logs'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { LoggerProvider } from '@opentelemetry/sdk-logs'

const w = watch()
const end: () => void = instrument(w)
instrument(w, { meter: metrics.getMeter('app'), logger: logs.getLogger('app'), attributes: { role: 'api' } })()
instrument(w, { meterProvider: new MeterProvider(), loggerProvider: new LoggerProvider() })

// @ts-expect-error: a watch is needed
instrument()
// @ts-expect-error: no such option
instrument(w, { metre: metrics.getMeter('app') })
// @ts-expect-error: not a meter
instrument(w, { meter: {} })

export { end }
