'use strict'

// The live pages: an HTTP server on the loopback that reads recordings.
//
//   GET /                the list of processes
//   GET /process/NAME    one of them
//   GET /events[/NAME]   what is pushed to these (server-sent events)
//   GET /assets/NAME     their scripts and styles

const http = require('node:http')
const { Follower } = require('../cli/recordings')
const { asset, names } = require('../report/assets')
const { page } = require('../report/html')
const { isOurs, refusal } = require('./access')
const { ProcessChannel, event, listChannel, listData, recordings } = require('./live')

const HOST = '127.0.0.1'
// Where a page may be found again tomorrow; if it is taken, any other.
const USUAL_PORT = 8377

const TYPES = { js: 'text/javascript', css: 'text/css' }
const HEADERS = {
  'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store'
}

const link = (name) => `<link rel="stylesheet" href="/assets/${name}">`
const script = (name) => `<script src="/assets/${name}"></script>`
const HEAD = link('uPlot.css') + link('page.css')

const LIST = page({
  title: 'heapwatch',
  head: HEAD,
  body: `<header><h1>heapwatch</h1><p>Watched processes of this user on this machine</p></header>
<main><section id="list"></section><p id="problem" class="bad" hidden></p></main>`,
  scripts: script('live.js')
})

const PROCESS = page({
  title: 'heapwatch',
  head: HEAD,
  body: `<header><p><a href="/">All processes</a></p><h1 id="name"></h1><p id="headline">reading…</p></header>
<main><p id="problem" class="bad" hidden></p>
<section id="findings"></section>
<div class="bar" id="ranges"></div>
<section id="charts"></section>
<div id="numbers"></div></main>`,
  scripts: script('uPlot.js') + script('charts.js') + script('live.js')
})

class Pages {
  #list = listChannel()
  #processes = new Map()
  #opening = new Map()
  #closed = false
  #port
  #allowed = new WeakSet()

  listening (port) {
    this.#port = port
  }

  answer (request, response) {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value)
    const reason = this.#whyNot(request)
    if (reason) return end(response, 403, `Refused: ${reason}.\n`)
    const [, first, name] = request.url.split('?')[0].split('/')
    switch (first) {
      case '': return end(response, 200, LIST, 'text/html')
      case 'process': return recordings().has(name)
        ? end(response, 200, PROCESS, 'text/html')
        : end(response, 404, 'There is no such recording, or no more.\n')
      case 'assets': return names.includes(name)
        ? end(response, 200, asset(name), TYPES[name.split('.').at(-1)])
        : end(response, 404, 'There is no such file.\n')
      case 'events': return this.#push(request, response, name).catch((error) => fail(response, error))
    }
    end(response, 404, 'There is no such page.\n')
  }

  // The table of connections is long: it is read once for each.
  #whyNot (request) {
    const reason = refusal(request, this.#port)
    if (reason) return reason
    if (this.#allowed.has(request.socket)) return
    if (!isOurs(request.socket)) return 'this is another user\'s'
    this.#allowed.add(request.socket)
  }

  async #push (request, response, name) {
    let channel = this.#list
    if (name !== undefined) {
      const found = recordings().get(name)
      if (!found) return end(response, 404, 'There is no such recording, or no more.\n')
      channel = await this.#channel(name, found.path)
      if (response.destroyed || this.#closed) {
        response.destroy()
        return this.#leave(name, channel)
      }
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    if (request.method === 'HEAD') return response.end()
    // Sooner than this a page need not try again.
    response.write('retry: 2000\n\n')
    response.write(name === undefined ? event('list', listData()) : channel.first())
    channel.add(response)
    response.on('close', () => {
      channel.remove(response)
      if (name !== undefined) this.#leave(name, channel)
    })
  }

  #leave (name, channel) {
    if (!channel.empty) return
    this.#processes.delete(name)
    channel.close()
  }

  // The recording is read on another thread, once for all who ask meanwhile.
  async #channel (name, path) {
    const there = this.#processes.get(name)
    if (there) return there
    const pending = this.#opening.get(name) ?? Follower.open(path)
    this.#opening.set(name, pending)
    try {
      const follower = await pending
      const channel = this.#processes.get(name) ?? new ProcessChannel(follower)
      this.#processes.set(name, channel)
      return channel
    } finally {
      this.#opening.delete(name)
    }
  }

  close () {
    this.#closed = true
    this.#list.close()
    for (const channel of this.#processes.values()) channel.close()
    this.#processes.clear()
  }
}

function fail (response, error) {
  if (!response.headersSent) end(response, 500, `${error.message}\n`)
  else response.destroy()
}

function end (response, status, body, type = 'text/plain') {
  response.writeHead(status, { 'content-type': `${type}; charset=utf-8` })
  response.end(response.req.method === 'HEAD' ? undefined : body)
}

/**
 * Serves the pages until closed; keeps no process alive by itself.
 *
 * @param {{ port?: number }} [options] 0 for any that is free
 * @returns {Promise<{ address: string, port: number, close: () => Promise<void> }>}
 */
async function serve ({ port } = {}) {
  const pages = new Pages()
  const server = http.createServer((request, response) => {
    try {
      pages.answer(request, response)
    } catch (error) {
      fail(response, error)
    }
  })
  server.on('clientError', (error, socket) => { if (error && socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\n\r\n') })
  const listen = (port) => new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, HOST, () => {
      server.off('error', reject)
      resolve()
    })
  })
  try {
    await listen(port ?? USUAL_PORT)
  } catch (error) {
    if (port !== undefined || error.code !== 'EADDRINUSE') throw error
    await listen(0)
  }
  const actual = server.address().port
  pages.listening(actual)
  return {
    address: `http://${HOST}:${actual}/`,
    port: actual,
    close: () => new Promise((resolve) => {
      pages.close()
      server.close(resolve)
      server.closeAllConnections()
    })
  }
}

module.exports = { serve }
