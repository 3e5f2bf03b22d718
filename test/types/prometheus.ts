import { watch } from 'heapwatch'
import { contentType, metrics, register, type Format } from 'heapwatch/prometheus'
import { Registry } from 'prom-client'

const w = watch()
const unregister: () => void = register(w)
register(w, { registry: new Registry(), prefix: 'app_', labels: { shard: 3, zone: 'a' } })()
const text: string = metrics(w, { format: 'prometheus', labels: { zone: 'a' } })
const format: Format = 'openmetrics'
const type: string = contentType(format)
const first: number | undefined = w.pauses().minor.buckets[0]?.le

// @ts-expect-error: a watch is needed
register()
// @ts-expect-error: no such format
metrics(w, { format: 'json' })
// @ts-expect-error: labels are text and numbers
metrics(w, { labels: { a: true } })
// @ts-expect-error: not a registry
register(w, { registry: {} })

export { unregister, text, type, first }
