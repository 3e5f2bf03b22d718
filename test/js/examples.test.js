'use strict'

// The examples do what they say they do.

const assert = require('node:assert')
const { execFileSync } = require('node:child_process')
const { EventEmitter, once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { describe, it } = require('node:test')
const autocannon = require('autocannon')
const { ROOT, assertEnd, scaled, startProgram } = require('./helpers/child')

/**
 * Starts an example; `file` is relative to examples/.
 *
 * @returns {{ output: { stdout: string, stderr: string },
 *   until: (pattern: RegExp, name?: 'stdout'|'stderr') => Promise<RegExpExecArray>,
 *   end: (signal?: string) => Promise<object> }} what it prints; waits until
 *   that matches; waits for its end, if need be after a signal
 */
function startExample (file, { args = [], flags = [], env, timeout } = {}) {
  const news = new EventEmitter()
  const { child, output, ended } = startProgram(process.execPath, [...flags, path.resolve(ROOT, 'examples', file), ...args],
    { env, timeout, onOutput: () => news.emit('news') })
  const until = async (pattern, name = 'stdout') => {
    const signal = AbortSignal.timeout(240_000)
    for (;;) {
      const match = pattern.exec(output[name])
      if (match) return match
      if (child.exitCode !== null || child.signalCode) assert.fail(`${file} has ended without ${pattern}: ${JSON.stringify(output)}`)
      await once(news, 'news', { signal }).catch(() => assert.fail(`${file} did not print ${pattern}: ${JSON.stringify(output)}`))
    }
  }
  const end = (signal) => {
    if (signal) child.kill(signal)
    return ended
  }
  return { output, until, end }
}

/** Runs an example to its end. */
const runExample = (file, options) => startExample(file, options).end()

/** Asks for `url` so many times a second, for a new `path` each time. */
function load (t, url, rate, path) {
  const instance = autocannon({
    url,
    connections: 6,
    overallRate: rate,
    duration: 3600,
    requests: [{ setupRequest: (request) => ({ ...request, path: path() }) }]
  })
  const failed = { errors: 0, non2xx: 0 }
  instance.on('reqError', () => failed.errors++)
  instance.on('response', (client, status) => { if (status !== 200) failed.non2xx++ })
  const stop = () => instance.stop()
  t.after(stop)
  return { failed, stop }
}

/** Does `fn` until it gives something; for so long at most. */
async function eventually (fn, what, timeout = 60_000) {
  const deadline = Date.now() + timeout
  for (;;) {
    const found = await fn()
    if (found) return found
    assert.ok(Date.now() < deadline, `not within ${timeout / 1000} s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

const scrape = async (url) => (await fetch(url)).text()

describe('examples/leaks: each cause is caught and named, and its fix does not leak:', { concurrency: 2 }, () => {
  const named = {
    'global-variables': /held by module variable `requestLog` \(examples\/leaks\/global-variables\.js:9\)/,
    'multiple-references': /held by module variable `sessionsByUser` \(examples\/leaks\/multiple-references\.js:11\)/,
    closures: /`report` closures .* held by module variable `pending` \(examples\/leaks\/closures\.js:9\)/,
    // Timeouts hold each other and what they were made in: any of the two says where.
    timers: /(`Timeout` objects .* held by variable `timer` of function `handle`|held by setInterval with the callback `poll`) \((examples\/leaks\/)?timers\.js/,
    'event-listeners': /`onRow` closures .* held by listeners of event `row` on the `EventEmitter` in module variable `database` \(examples\/leaks\/event-listeners\.js:10\)/
  }
  it('has a test for each', () => {
    const files = fs.readdirSync(path.join(ROOT, 'examples', 'leaks')).filter((name) => name !== 'serve.js').sort()
    assert.deepStrictEqual(files, Object.keys(named).map((name) => `${name}.js`).sort())
  })
  for (const [name, pattern] of Object.entries(named)) {
    it(name, async () => {
      const result = await runExample(`leaks/${name}.js`, { flags: ['--expose-gc'], args: ['--seconds', '120'] })
      assertEnd(result)
      assert.match(result.stdout, /^heap leaks \d+ kB a second/)
      assert.match(result.stdout, pattern)
    })
  }
  it('the fixed ones', async () => {
    await Promise.all(Object.keys(named).map(async (name) => {
      const result = await runExample(`leaks/${name}.js`, { flags: ['--expose-gc'], args: ['--fixed', '--seconds', '12'] })
      assertEnd(result)
      assert.strictEqual(result.stdout, 'no leak in 12 seconds\n', name)
    }))
  })
})

// With the options of production: they take about a minute to be sure.
describe('servers under load, whose leak is found with default options:', { concurrency: 4 }, () => {
  const ports = ['--port', '0']
  // As in a small container. With less room to the limit it is told sooner.
  const flags = ['--max-old-space-size=200']

  it('express, with pino and prom-client', async (t) => {
    const leaking = startExample('express/server.js', { flags, args: ports })
    const fixed = startExample('express/server.js', { flags, args: [...ports, '--fixed'] })
    t.after(() => Promise.all([leaking, fixed].map(({ end }) => end('SIGKILL'))))
    const [url, fixedUrl] = await Promise.all([leaking, fixed].map(async ({ until }) => JSON.parse(await until(/^.*"listening".*$/m)).url))
    const customer = () => `/quotes/customer${Math.floor(Math.random() * 300)}`
    const loads = [load(t, url, 300, customer), load(t, fixedUrl, 100, customer)]

    const { leak, level, msg, pid } = JSON.parse(await leaking.until(/^.*"leak":.*$/m))
    assert.deepStrictEqual({ level, msg, metric: leak.metric }, { level: 50, msg: 'heap is leaking', metric: 'heap' })
    assert.ok(pid > 0 && leak.rate > 100_000, JSON.stringify(leak))
    const [{ application, ...site }] = leak.sites
    assert.strictEqual((application ?? site).url.replace(/^file:\/\//, ''), path.join(ROOT, 'examples', 'express', 'server.js'))

    const text = await scrape(`${url}/metrics`)
    assert.match(text, /^heapwatch_leak_active\{metric="heap"\} 1$/m)
    assert.match(text, /^http_request_duration_seconds_count\{route="\/quotes\/:customer",status="200"\} [1-9]\d{3,}$/m)
    const fixedText = await scrape(`${fixedUrl}/metrics`)
    assert.match(fixedText, /^heapwatch_leak_active\{metric="heap"\} 0$/m)
    assert.match(fixedText, /^http_request_duration_seconds_count\{.*status="200"\} [1-9]\d{3,}$/m)
    for (const { failed } of loads) assert.deepStrictEqual(failed, { errors: 0, non2xx: 0 })
    assert.doesNotMatch(fixed.output.stdout, /"leak":/)

    // They end while they are asked.
    for (const { end } of [leaking, fixed]) assertEnd(await end('SIGTERM'))
  })

  it('a cluster, of which one worker leaks, is told so and replaced', async (t) => {
    const slow = scaled(10) < 10 // under a sanitizer
    const { until, end, output } = startExample('cluster/server.js', { flags, args: [...ports, '--metrics-port', '0', '--grace', slow ? '40' : '5'] })
    t.after(() => end('SIGKILL'))
    const [, metrics] = await until(/^metrics of all at (\S+)$/m)
    const workers = await Promise.all([1, 2, 3].map(async (id) => {
      const [, pid, url] = await until(new RegExp(`^worker ${id} \\(pid (\\d+)\\) serves (\\S+)$`, 'm'))
      return { id, pid, url }
    }))
    // Ports of the system's choice are shared, too.
    assert.strictEqual(new Set(workers.map(({ url }) => url)).size, 1)
    assert.strictEqual(new Set(workers.map(({ pid }) => pid)).size, 3)
    load(t, workers[0].url, slow ? 150 : 500, () => `/?${Math.random()}`)

    const [line] = await until(/^worker \d+ leaks \d+ kB\/s.*$/m)
    assert.match(line, /^worker 2 leaks \d+ kB\/s at \S+ \(.*examples\/cluster\/server\.js:\d+\)$/)
    const text = await scrape(metrics)
    for (const { id } of workers) {
      assert.match(text, new RegExp(`^heapwatch_running\\{worker="${id}"\\} 1$`, 'm'))
      assert.match(text, new RegExp(`^heapwatch_leak_active\\{worker="${id}",metric="heap"\\} ${id === 2 ? 1 : 0}$`, 'm'))
      assert.match(text, new RegExp(`^heapwatch_heap_used_bytes\\{worker="${id}"\\} [1-9]\\d*$`, 'm'))
    }

    await until(/^worker 4 takes the place of worker 2$/m)
    await until(/^worker 2 has ended$/m)
    const after = await eventually(async () => {
      const text = await scrape(metrics)
      return /^heapwatch_running\{worker="4"\} 1$/m.test(text) && text
    }, 'metrics of worker 4')
    assert.doesNotMatch(after, /worker="2"/)
    const served = await eventually(async () => {
      const { headers } = await fetch(workers[0].url, { headers: { connection: 'close' } })
      return headers.get('x-worker') === '4'
    }, 'an answer of worker 4')
    assert.ok(served)
    assert.strictEqual(output.stderr, '')
  })

  it('http-server, which knows nothing of heapwatch', async (t) => {
    const { until, end } = startExample('http-server/server.js', {
      flags: [...flags, '--require', 'heapwatch/register'],
      args: ['--connections', '5'],
      env: { HEAPWATCH_LOG: 'json', HEAPWATCH_RECORDER: 'off' }
    })
    t.after(() => end('SIGKILL'))
    const leak = JSON.parse(await until(/^.*"event":"leak".*$/m, 'stderr'))
    assert.deepStrictEqual([leak.name, leak.metric], ['heapwatch', 'heap'])
    const [{ application, ...site }] = leak.sites
    assert.match((application ?? site).url, /examples\/http-server\/server\.js$/)
    assertEnd(await end('SIGTERM'))
  })

  it('TypeScript with source maps, whose leak is told by the lines of the .ts files', async (t) => {
    const folder = path.join(ROOT, 'examples', 'typescript')
    // In the tree, where the package's name leads to itself; of this Node.js, as
    // others may be at it, too.
    const out = path.join(ROOT, 'build', 'examples', `typescript-abi${process.versions.modules}`)
    fs.rmSync(out, { recursive: true, force: true })
    execFileSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', folder, '--outDir', out])
    const options = { flags: [...flags, '--enable-source-maps'], args: ports }
    const leaking = startExample(path.join(out, 'server.js'), options)
    const fixed = startExample(path.join(out, 'server.js'), { ...options, args: [...ports, '--fixed'] })
    t.after(() => Promise.all([leaking, fixed].map(({ end }) => end('SIGKILL'))))
    for (const [{ until }, rate] of [[leaking, 300], [fixed, 100]]) {
      const [, url] = await until(/^listening at (\S+)$/m)
      load(t, url, rate, () => `/?${Math.random()}`)
    }

    await leaking.until(/^heap leaks \d+ kB\/s\n {2}.*$/m)
    const [, share, name, file, line, compiled, compiledLine] =
      await leaking.until(/^ {2}(\d+) % at (\S+) \((\S+):(\d+)\), compiled to (\S+):(\d+)$/m)
    assert.ok(Number(share) >= 50, leaking.output.stdout)
    // What allocates the sessions, or what it has been inlined into.
    const source = file.replace(/^file:\/\//, '')
    assert.ok(['sessions.ts', 'server.ts'].map((name) => path.join(folder, name)).includes(source), file)
    const textOf = (file, line) => fs.readFileSync(file, 'utf8').split('\n')[line - 1]
    assert.match(textOf(source, line), /function answer|visit \(|create \(|new Session|Array\.from|constructor/)
    assert.strictEqual(path.dirname(compiled.replace(/^file:\/\//, '')), out)
    assert.notStrictEqual(line, compiledLine)
    assert.ok(name.length > 0)
    assert.doesNotMatch(fixed.output.stdout, /leaks/)
  })
})

it('examples/prometheus/server.js is scraped', async (t) => {
  const { until, end } = startExample('prometheus/server.js', { args: ['0'] })
  t.after(() => end('SIGKILL'))
  const [url] = await until(/^http:\S+\/metrics$/m)
  assert.match(await scrape(url), /^heapwatch_running 1$/m)
  assert.strictEqual((await fetch(url.replace('metrics', ''))).status, 404)
})
