'use strict'

// npm run soak:snapshots [-- --node MAJOR|all] [--count N] [--only SCENARIO...]
//
// Takes N heap snapshots, one after another, of a process that serves requests
// and allocates, in each scenario. Each must arrive whole (it is read, and the
// objects of one class are counted) or fail with an error of its own; no
// request may fail, and no child, descriptor or draft may be left at the end.
//
//   load       nothing more
//   workers    two Workers collect garbage all the time
//   worker     a Worker takes the snapshots, of itself
//   inspector  a debugger is connected
//   limit      old space is full to nine tenths
//   kill       the child is killed at a random moment of every other snapshot

const { fork } = require('node:child_process')
const fs = require('node:fs')
const http = require('node:http')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { build } = require('../../lib/build')
const { nodeOf, parseMajors, setup } = require('../../scripts/setup')

const SCENARIOS = ['load', 'workers', 'worker', 'inspector', 'limit', 'kill']
const FLAGS = {
  limit: ['--max-old-space-size=128'],
  inspector: ['--inspect=127.0.0.1:0']
}
const MARKERS = 1234
const CLIENTS = 4
// Longest that one snapshot may take before it counts as hung.
const HUNG_MS = 120_000

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Sends requests until stop(), which returns how many there were and how many failed. */
function startClients (port) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS })
  const counts = { requests: 0, failed: 0 }
  const state = { running: true }
  const one = () => new Promise((resolve) => {
    const fail = () => {
      counts.failed++
      resolve()
    }
    counts.requests++
    http.get({ port, host: '127.0.0.1', agent }, (response) => {
      response.on('error', fail).on('end', resolve).resume()
    }).on('error', fail)
  })
  const clients = Array.from({ length: CLIENTS }, async () => {
    while (state.running) {
      await one()
      await sleep(2)
    }
  })
  return async () => {
    state.running = false
    await Promise.all(clients)
    agent.destroy()
    return counts
  }
}

/** Connects to the inspector that a process has announced on standard error. */
async function attach (child, errors) {
  while (!/ws:\/\/\S+/.test(errors())) await sleep(20)
  const url = new URL(/ws:\/\/\S+/.exec(errors())[0].replace('ws:', 'http:'))
  const request = http.get(url, {
    headers: { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'aGVhcHdhdGNoIHNvYWsgIQ==' }
  })
  return new Promise((resolve, reject) => {
    request.once('upgrade', (response, socket) => {
      socket.on('error', () => {}).resume()
      resolve(socket)
    }).once('error', reject)
  })
}

/** Kills whatever children a process has, once, at a random moment. */
async function killChild (pid) {
  await sleep(Math.random() * 400)
  try {
    const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
    for (const each of children) process.kill(Number(each), 'SIGKILL')
    return children.length
  } catch {
    return 0
  }
}

/** Reads a snapshot and removes it; returns what is wrong with it, if anything. */
async function problemOf ({ file, bytes }) {
  const { analyze } = require('../..')
  try {
    if (fs.statSync(file).size !== bytes) return `${fs.statSync(file).size} bytes, not ${bytes}`
    const { classes } = await analyze(file)
    const count = classes.find(({ name }) => name === 'Marker')?.count
    if (count !== undefined && count !== MARKERS) return `${count} of ${MARKERS} objects`
    return count === undefined ? 'no objects of the class' : undefined
  } catch (error) {
    return error.message
  } finally {
    fs.rmSync(file, { force: true })
  }
}

async function soak (binary, scenario, count) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-soak-'))
  const child = fork(path.join(__dirname, 'snapshot-server.js'), [scenario, String(count), directory],
    { execPath: binary, execArgv: FLAGS[scenario] ?? [], stdio: ['ignore', 'inherit', 'pipe', 'ipc'] })
  let errors = ''
  child.stderr.on('data', (chunk) => { errors += chunk })
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)))
  const message = async () => {
    let timer
    const hung = new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`nothing for ${HUNG_MS / 1000} s`)), HUNG_MS)
    })
    const died = ended.then((end) => { throw new Error(`it ended with ${end}: ${errors}`) })
    const heard = new Promise((resolve) => child.once('message', resolve))
    return Promise.race([heard, hung, died]).finally(() => clearTimeout(timer))
  }
  const result = { whole: 0, refused: {}, broken: [], killed: 0, pauses: [], left: [] }
  let socket
  try {
    const { port } = await message()
    if (scenario === 'inspector') socket = await attach(child, () => errors)
    const stop = startClients(port)
    child.send('begin')
    for (let i = 0; i < count; i++) {
      const killing = scenario === 'kill' && i % 2 === 0 ? killChild(child.pid) : 0
      const { taken, failed } = await message()
      result.killed += await killing
      if (failed) {
        result.refused[failed.code ?? failed.message] = (result.refused[failed.code ?? failed.message] ?? 0) + 1
      } else {
        const problem = await problemOf(taken)
        if (problem === undefined) result.whole++
        else result.broken.push(problem)
        result.pauses.push([taken.pause, taken.rss])
      }
      // After the last, what it knows of itself is the answer.
      const heard = i === count - 1 ? message() : undefined
      child.send('next')
      if (heard) result.end = (await heard).end
    }
    Object.assign(result, await stop())
    child.send('end')
    socket?.destroy() // a process waits for its debugger to go
    result.exit = await ended
    result.left = fs.readdirSync(directory).filter((name) => name !== 'recording')
  } finally {
    socket?.destroy()
    child.kill('SIGKILL')
    fs.rmSync(directory, { recursive: true, force: true })
  }
  return result
}

/** What must not be, in words. */
function complaints (scenario, count, { whole, refused, broken, end, failed, exit, left }) {
  const found = [...broken]
  for (const code of Object.keys(refused)) {
    if (!/^ERR_HEAPWATCH_SNAPSHOT_/.test(code)) found.push(`an error that is not heapwatch's: ${code}`)
  }
  const all = whole + broken.length + Object.values(refused).reduce((sum, n) => sum + n, 0)
  if (all !== count) found.push(`${all} answers of ${count}`)
  if (failed > 0) found.push(`${failed} requests failed`)
  if (end.descriptors > 0) found.push(`${end.descriptors} descriptors left`)
  if (end.children.length > 0) found.push(`children left: ${end.children}`)
  if (exit !== 0) found.push(`ended with ${exit}`)
  if (left.length > 0) found.push(`files left: ${left}`)
  return found
}

function line (scenario, count, result) {
  const pauses = result.pauses.map(([pause]) => pause).sort((a, b) => a - b)
  const share = result.pauses.map(([pause, rss]) => pause / (rss / 1e8)).sort((a, b) => a - b)
  const middle = (values) => values.length > 0 ? values[values.length >> 1].toFixed(1) : '-'
  const refused = Object.entries(result.refused).map(([code, n]) => `${n} ${code}`).join(', ')
  return `${scenario.padEnd(10)} ${result.whole} of ${count} whole${refused ? `, ${refused}` : ''}` +
    `${result.killed ? `, ${result.killed} children killed` : ''}; ${result.requests} requests, ${result.failed} failed; ` +
    `${result.end.gcs} collections; pause ${middle(pauses)} ms, at most ${pauses.at(-1)?.toFixed(1)}, ${middle(share)} for 100 MB resident`
}

async function main () {
  const { values } = parseArgs({
    options: {
      node: { type: 'string', multiple: true, default: [] },
      count: { type: 'string', default: '200' },
      only: { type: 'string', multiple: true, default: [] }
    }
  })
  const count = Number(values.count)
  if (!Number.isInteger(count) || count < 1) throw new Error(`--count ${values.count}: must be a whole number above 0`)
  for (const name of values.only) {
    if (!SCENARIOS.includes(name)) throw new Error(`--only ${name}: must be one of ${SCENARIOS.join(', ')}`)
  }
  const majors = parseMajors(values.node)
  if (majors.length === 0) majors.push(parseInt(process.versions.node, 10))
  await setup()
  await build({ log: () => {} }) // this process reads the snapshots
  for (const major of majors) {
    const { binary, headers, version } = await nodeOf(major)
    await build({ nodeBinary: binary, headers, log: () => {} })
    console.log(`Node.js ${version}`)
    for (const scenario of SCENARIOS.filter((name) => values.only.length === 0 || values.only.includes(name))) {
      try {
        const result = await soak(binary, scenario, count)
        console.log(line(scenario, count, result))
        for (const complaint of complaints(scenario, count, result)) {
          process.exitCode = 1
          console.log(`  FAILED: ${complaint}`)
        }
      } catch (error) {
        process.exitCode = 1
        console.log(`${scenario.padEnd(10)} FAILED: ${error.message}`)
      }
    }
  }
}

main().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
