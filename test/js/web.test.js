'use strict'

// The pages: who is let in, and what a browser makes of them.

const { after, before, describe, it } = require('node:test')
const assert = require('node:assert')
const { execFileSync, spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const os = require('node:os')
const path = require('node:path')
const { ROOT } = require('./helpers/child')
const { chromium, whyNone } = require('./helpers/browser')

const MAIN = path.join(ROOT, 'lib', 'cli', 'main.js')

let directory, leaking, server, port
const children = []

function start (args, env = {}) {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, HEAPWATCH_DIR: directory, HEAPWATCH_INTERVAL: '200', HEAPWATCH_LOG: 'off', ...env }
  })
  child.stdout.setEncoding('utf8')
  children.push(child)
  return child
}

before(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-web-'))
  fs.chmodSync(directory, 0o700)
  const program = path.join(directory, 'leaking.js')
  fs.writeFileSync(program, `(${() => {
    const kept = []
    setInterval(() => {
      for (let i = 0; i < 300; i++) kept.push({ i, list: [i, i, i] })
      for (let i = 0; i < 20_000; i++) Object.assign({}, { i, list: [i] })
    }, 20)
    setTimeout(() => console.log('ready'), 1000)
  }})()`)
  leaking = start(['--max-old-space-size=400', '--max-semi-space-size=1', '--require', './lib/register.js', program])
  await once(leaking.stdout, 'data')
  server = start([MAIN, 'web', '--port', '0', '--json'])
  port = JSON.parse((await once(server.stdout, 'data'))[0]).port
})

after(() => {
  for (const child of children) child.kill('SIGKILL')
  fs.rmSync(directory, { recursive: true })
})

/** Asks as any program may: with headers of its choice. */
function ask (where, headers = {}, method = 'GET') {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path: where, method, headers, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk) => { body += chunk })
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }))
    })
    request.on('error', reject).end()
  })
}

/** The first events that are pushed at an address. */
function events (where, count) {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path: where, agent: false }, (response) => {
      const found = []
      let text = ''
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const match = /^event: (\w+)\ndata: (.*)$/.exec(text.slice(0, end))
          if (match) found.push({ event: match[1], data: JSON.parse(match[2]) })
          text = text.slice(end + 2)
        }
        if (found.length >= count) {
          request.destroy()
          resolve(found.slice(0, count))
        }
      })
    })
    request.on('error', reject)
  })
}

const nameOfLeaking = async () => (await events('/events', 1))[0].data.find(({ pid }) => pid === leaking.pid).name

describe('heapwatch web lets in', () => {
  it('this machine\'s names, and answers with no other origin\'s leave', async () => {
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`]) {
      const { status, headers } = await ask('/', { host })
      assert.strictEqual(status, 200, host)
      assert.strictEqual(headers['access-control-allow-origin'], undefined)
      assert.match(headers['content-security-policy'], /default-src 'none'/)
      assert.strictEqual(headers['cache-control'], 'no-store')
    }
  })

  it('no foreign Host, as DNS rebinding brings it', async () => {
    for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1', `127.0.0.1:${port + 1}`, `127.0.0.1.evil.example:${port}`]) {
      for (const where of ['/', '/events', '/assets/charts.js']) {
        const { status, body } = await ask(where, { host })
        assert.strictEqual(status, 403, `${host} ${where}`)
        assert.doesNotMatch(body, /pid/)
      }
    }
  })

  it('no page of another origin or site', async () => {
    const own = { host: `127.0.0.1:${port}` }
    assert.strictEqual((await ask('/', { ...own, origin: 'http://evil.example' })).status, 403)
    assert.strictEqual((await ask('/', { ...own, origin: 'null' })).status, 403)
    assert.strictEqual((await ask('/', { ...own, origin: `http://127.0.0.1:${port}` })).status, 200)
    assert.strictEqual((await ask('/events', { ...own, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' })).status, 403)
    // A link to it may be followed.
    assert.strictEqual((await ask('/', { ...own, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' })).status, 200)
  })

  it('nobody who wants to change anything, and no name that is a path', async () => {
    assert.strictEqual((await ask('/', {}, 'POST')).status, 403)
    assert.strictEqual((await ask('/', {}, 'HEAD')).status, 200)
    for (const where of ['/process/..%2f..%2fetc%2fpasswd', '/events/../../etc/passwd', '/assets/../page.css', '/assets/constructor', '/process/', '/x']) {
      assert.strictEqual((await ask(where)).status, 404, where)
    }
  })

  it('no other machine: it listens on the loopback alone', async () => {
    const others = Object.values(os.networkInterfaces()).flat().filter(({ internal, family }) => !internal && family === 'IPv4')
    for (const { address } of others) {
      await assert.rejects(new Promise((resolve, reject) => {
        http.get({ host: address, port, agent: false }, resolve).on('error', reject)
      }), { code: 'ECONNREFUSED' })
    }
  })

  it('no other user of this machine', { skip: process.getuid() !== 0 && 'only root can be somebody else' }, () => {
    const script = `require('http').get({ host: '127.0.0.1', port: ${port}, path: '/events' }, (r) => { console.log(r.statusCode); process.exit() })`
    const ask = (uid) => execFileSync(process.execPath, ['-e', script], { cwd: '/', uid, gid: uid, env: {}, encoding: 'utf8' }).trim()
    assert.strictEqual(ask(65534), '403')
    assert.strictEqual(ask(0), '200')
  })
})

describe('heapwatch web pushes', () => {
  it('the list, and then what has changed', async () => {
    const [first, second] = await events('/events', 2)
    const of = ({ data }) => data.find(({ pid }) => pid === leaking.pid)
    assert.strictEqual(of(first).alive, true)
    assert.ok(of(second).sample.time > of(first).sample.time)
  })

  it('all of a process, and then what is new: no sample twice, none left out', async () => {
    const [all, ...more] = await events(`/events/${await nameOfLeaking()}`, 5)
    assert.strictEqual(all.event, 'all')
    assert.ok(all.data.chart.time.length >= 4)
    const times = [all, ...more].flatMap(({ data }) => data.chart.time)
    const { stdout } = spawnSync(process.execPath, [MAIN, 'export', String(leaking.pid), '--only', 'sample'], { encoding: 'utf8', env: { ...process.env, HEAPWATCH_DIR: directory } })
    const recorded = stdout.trim().split('\n').map((line) => JSON.parse(line).time)
    assert.deepStrictEqual(times, recorded.filter((time) => time <= times.at(-1)))
    const gcs = more.flatMap(({ data }) => data.chart.gcs.time)
    assert.ok(gcs.length > 0)
    assert.ok(gcs.every((time) => time > all.data.chart.gcs.time.at(-1)))
  })
})

describe('in a browser', { skip: whyNone }, () => {
  let browser

  before(async () => { browser = await chromium() })
  after(() => browser?.close())

  /** A page that must not complain, and load nothing from elsewhere. */
  async function open (address, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1000, height: 800 }, ...options })
    const page = await context.newPage()
    const complaints = []
    page.on('console', (message) => {
      // Of our own looking at the pixels.
      if (message.text().includes('willReadFrequently')) return
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => {
      const { protocol, host } = new URL(request.url())
      if (!['file:', 'data:'].includes(protocol) && host !== `127.0.0.1:${port}`) complaints.push(`asked for ${request.url()}`)
    })
    await page.goto(address)
    return { page, complaints, close: () => context.close() }
  }

  /** How many pixels of each chart are drawn, and the points it has. */
  const charts = (page) => page.$$eval('figure', (figures) => Object.fromEntries(figures.map((figure) => {
    const canvas = figure.querySelector('canvas')
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    const colors = new Set()
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) colors.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2])
    return [figure.dataset.chart, { colors: colors.size, points: Number(figure.querySelector('.u-over').dataset.points) }]
  })))

  const CHARTS = ['heap', 'process', 'pauses', 'gcload', 'allocation', 'loop']

  it('the live page draws every chart, and they move', async () => {
    const { page, complaints, close } = await open(`http://127.0.0.1:${port}/`)
    await page.click(`tr[data-pid="${leaking.pid}"] a`)
    await page.waitForSelector('figure[data-chart=loop] canvas')
    // As long as it takes: a busy machine sends, and draws, late.
    const drawn = async (enough) => {
      let now = await charts(page)
      for (let tries = 0; tries < 60 && !Object.entries(now).every(enough); tries++) {
        await page.waitForTimeout(500)
        now = await charts(page)
      }
      return now
    }
    const before = await drawn(([, { colors, points }]) => colors > 3 && points > 3)
    assert.deepStrictEqual(Object.keys(before), CHARTS)
    for (const [name, { colors, points }] of Object.entries(before)) assert.ok(colors > 3 && points > 3, `${name}: ${colors} ${points}`)
    const later = await drawn(([name, { points }]) => points > before[name].points)
    for (const name of CHARTS) assert.ok(later[name].points > before[name].points, name)
    assert.match(await page.textContent('#headline'), /alive/)
    // Zoomed in, it stays where it is while data comes. Where a chart is on the page is asked anew for each
    // move: a verdict that comes meanwhile pushes all of them down.
    const over = page.locator('figure[data-chart=heap] .u-over')
    const { width } = await over.boundingBox()
    const labels = () => page.$$eval('figure[data-chart=gcload] canvas', ([canvas]) => canvas.toDataURL())
    await over.hover({ position: { x: width * 0.2, y: 50 } })
    await page.mouse.down()
    await over.hover({ position: { x: width * 0.4, y: 55 } })
    await over.hover({ position: { x: width * 0.5, y: 60 } })
    await page.mouse.up()
    await page.mouse.move(0, 0)
    await page.waitForTimeout(300)
    const zoomed = await labels()
    await page.waitForTimeout(2500)
    assert.strictEqual(await labels(), zoomed, 'zoomed, all charts stay')
    await over.dblclick({ position: { x: 100, y: 50 } })
    for (let tries = 0; tries < 30 && await labels() === zoomed; tries++) await page.waitForTimeout(300)
    assert.notStrictEqual(await labels(), zoomed, 'a double click shows all')
    assert.deepStrictEqual(complaints, [])
    await close()
  })

  it('a process that dies is shown as dead', async () => {
    const child = start(['--require', './lib/register.js', path.join(directory, 'leaking.js')])
    await once(child.stdout, 'data')
    const { page, complaints, close } = await open(`http://127.0.0.1:${port}/`)
    await page.click(`tr[data-pid="${child.pid}"] a`)
    await page.waitForSelector('body[data-alive=true]')
    child.kill('SIGKILL')
    await page.waitForSelector('body[data-alive=false]')
    assert.match(await page.textContent('#headline'), /killed or crashed/)
    assert.deepStrictEqual(complaints, [])
    await close()
  })

  it('the report draws every chart from its file alone, in the dark, in the light and on paper', async () => {
    const file = path.join(directory, 'report.html')
    assert.strictEqual(spawnSync(process.execPath, [MAIN, 'report', String(leaking.pid), '--html', file], { env: { ...process.env, HEAPWATCH_DIR: directory } }).status, 0)
    const { page, complaints, close } = await open(`file://${file}`, { colorScheme: 'dark', offline: true })
    const paper = () => page.$eval('body', (body) => window.getComputedStyle(body).backgroundColor) // eslint-disable-line no-undef
    const drawn = await charts(page)
    assert.deepStrictEqual(Object.keys(drawn), CHARTS)
    for (const [name, { colors, points }] of Object.entries(drawn)) assert.ok(colors > 3 && points > 3, name)
    assert.ok((await page.$$('#findings article')).length > 0)
    assert.strictEqual(await paper(), 'rgb(22, 24, 28)')
    const inTheDark = await page.$$eval('canvas', (all) => all.map((canvas) => canvas.toDataURL()))
    await page.emulateMedia({ colorScheme: 'light' })
    assert.strictEqual(await paper(), 'rgb(255, 255, 255)')
    await page.waitForTimeout(200)
    const inTheLight = await page.$$eval('canvas', (all) => all.map((canvas) => canvas.toDataURL()))
    inTheLight.forEach((image, i) => assert.notStrictEqual(image, inTheDark[i], 'drawn in other colours'))
    // On paper it is dark on light whatever the screen is.
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
    assert.strictEqual(await paper(), 'rgb(255, 255, 255)')
    assert.ok((await page.pdf()).length > 10_000)
    assert.deepStrictEqual(complaints, [])
    await close()
  })

  it('the report stacks what each site allocated and is alive over time', async () => {
    const program = path.join(directory, 'dying.js')
    const recording = path.join(directory, 'dying.hw')
    fs.writeFileSync(program, `(${(heapwatch, recorder) => {
      require(heapwatch).watch({ interval: 100, sites: { sampleInterval: 16384 }, recorder })
      const kept = []
      function culprit () {
        for (let i = 0; i < 2000; i++) kept.push({ i, list: [i, i, i, i, i, i, i, i] })
      }
      setInterval(culprit, 10)
    }})(${JSON.stringify(ROOT)}, ${JSON.stringify(recording)})`)
    assert.strictEqual(spawnSync(process.execPath, ['--max-old-space-size=64', program]).signal, 'SIGABRT')
    const file = path.join(directory, 'dying.html')
    assert.strictEqual(spawnSync(process.execPath, [MAIN, 'report', recording, '--html', file]).status, 0)
    const { page, complaints, close } = await open(`file://${file}`)
    assert.ok((await charts(page)).sites.colors > 3)
    const legend = await page.textContent('figure[data-chart=sites] .u-legend')
    assert.match(legend, /culprit \(.*dying\.js:\d+/)
    assert.match(legend, /all others/)
    assert.deepStrictEqual(complaints, [])
    await close()
  })

  it('what a command line says is text, not markup', async () => {
    const child = start(['--require', './lib/register.js', path.join(directory, 'leaking.js'), '</script><script>window.evil = 1</script><img src=x onerror="window.evil=1">'])
    await once(child.stdout, 'data')
    const file = path.join(directory, 'evil.html')
    spawnSync(process.execPath, [MAIN, 'report', String(child.pid), '--html', file], { env: { ...process.env, HEAPWATCH_DIR: directory } })
    for (const address of [`file://${file}`, `http://127.0.0.1:${port}/`]) {
      const { page, complaints, close } = await open(address)
      await page.waitForTimeout(500)
      assert.strictEqual(await page.evaluate('window.evil'), undefined)
      assert.ok((await page.textContent('body')).includes('window.evil'))
      assert.deepStrictEqual(complaints, [])
      await close()
    }
    child.kill('SIGKILL')
  })
})
