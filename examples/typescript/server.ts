// A service in TypeScript. Compiled with source maps and run with
// --enable-source-maps, its leak is told with lines of the .ts files.
//
// npm install heapwatch; npm install --save-dev typescript @types/node
// npx tsc -p examples/typescript
// node --enable-source-maps examples/typescript/dist/server.js [--port 3000] [--fixed]
// npx autocannon -d 120 -R 400 http://127.0.0.1:3000/            # some load
//
// It leaks: sessions of customers who never come back have no end. --fixed gives
// them one.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { watch, type LeakEvent, type Site } from 'heapwatch'
import { MemoryStore, type SessionStore } from './sessions.js'

const { values } = parseArgs({
  options: { port: { type: 'string', default: '3000' }, fixed: { type: 'boolean', default: false } }
})

const place = ({ functionName, url, line, generated }: Site): string =>
  `${functionName || '(anonymous)'} (${url}:${line})${generated ? `, compiled to ${generated.url}:${generated.line}` : ''}`

watch().on('leak', ({ metric, rate, sites }: LeakEvent) => {
  console.log(`${metric} leaks ${Math.round(rate / 1000)} kB/s`)
  for (const site of sites) console.log(`  ${Math.round(site.share * 100)} % at ${place(site)}`)
})

const sessions: SessionStore = new MemoryStore(values.fixed ? 5000 : Infinity)
let customers = 0

const server = createServer(function answer (request, response) {
  // Who comes without a cookie is new. Load generators always are.
  const id = /session=(\w+)/.exec(request.headers.cookie ?? '')?.[1] ?? `customer${customers++}`
  const session = sessions.visit(id, { path: request.url ?? '', at: new Date(), headers: { ...request.headers } })
  response.setHeader('Set-Cookie', `session=${id}`)
  response.end(`${session.visits.length} of ${sessions.size}\n`)
})

server.listen(Number(values.port), '127.0.0.1', () => {
  console.log(`listening at http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
