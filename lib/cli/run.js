'use strict'

// Starts an app watched, and shows it. The app has the terminal: its stdin,
// stdout and stderr are this process's own, which writes nothing but the lines
// at the bottom, and at the end the summary, to stderr.

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { leakEndText, leakText, pressureText, siteText } = require('../describe')
const { listRecordings } = require('../recorder')
const { diagnose } = require('../report/doctor')
const { figures, readFacts } = require('../report/figures')
const { endText, summaryLines } = require('../report/summary')
const { toNumber } = require('./command')
const { Follower, open } = require('./recordings')
const { Region } = require('./region')
const { statusLines } = require('./view')

const HELP = `Usage: heapwatch run [options] APP.js [ARGS...]
       heapwatch run [options] -- [NODE OPTIONS] APP.js [ARGS...]

Starts the app watched, and shows its memory in the last lines of the terminal
while it prints above them; at its end, a summary. Its input, output and
signals are its own. Where stderr is no terminal, what is found comes there as
lines.

  --interval MS  milliseconds between samples, 1000 by default
  --web          serve charts on this machine as well, see heapwatch web
  --port N       at this port
  --no-status    no lines at the bottom: for apps that take the whole screen
  -o, --output FILE  the summary, and lines where there are any, into this file
  --json         the summary as one JSON object
  -h, --help     this text

Exit codes: those of the app; if a signal ended it, so it ends heapwatch, but
128 + its number where a core would be dumped. 2 wrong options, 1 if it could
not be started.
`

const OPTIONS = {
  interval: { type: 'string' },
  web: { type: 'boolean', default: false },
  port: { type: 'string' },
  status: { type: 'boolean', default: true },
  output: { type: 'string', short: 'o' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false }
}

const REGISTER = path.join(__dirname, '..', 'register.js')
const STATUS_LINES = 3
const LOOK_EVERY = 500
// They go to whoever is meant; the terminal's own go to both by themselves.
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2']
const TERMINALS = ['SIGINT', 'SIGQUIT']
const CORE = ['SIGQUIT', 'SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV', 'SIGXCPU', 'SIGXFSZ', 'SIGSYS']

async function run (args) {
  let values, app
  try {
    ({ values, app } = split(args))
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (app.length === 0) throw new Error('name the app to start')
    if (values.interval !== undefined) toNumber('interval', values.interval, [10, 3_600_000])
    if (values.port !== undefined) values.port = toNumber('port', values.port, [0, 65535])
  } catch (error) {
    process.stderr.write(`heapwatch run: ${error.message}\n\n${HELP}`)
    return 2
  }
  return new Run(values, app).ended
}

/** Our options end where the app begins; what follows is not looked at. */
function split (args) {
  // Node.js 20 knows --no-… only from 20.17 on; written out it is an option.
  const ours = { ...OPTIONS, 'no-status': { type: 'boolean', default: false } }
  const { tokens } = parseArgs({ args, options: ours, strict: false, tokens: true })
  const first = tokens.find(({ kind }) => kind !== 'option')
  const at = first === undefined ? args.length : first.index
  const { values } = parseArgs({ args: args.slice(0, at), options: ours })
  if (values['no-status']) values.status = false
  return { values, app: args.slice(first?.kind === 'option-terminator' ? at + 1 : at) }
}

/** Whether what the terminal sends, it sends to this process as well. */
function inForeground () {
  try {
    // After the name in parentheses: state, ppid, pgrp, session, tty, tpgid.
    const stat = fs.readFileSync('/proc/self/stat', 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return Number(fields[5]) > 0 && fields[2] === fields[5]
  } catch {
    return Boolean(process.stdin.isTTY)
  }
}

function environment ({ interval }) {
  const env = { ...process.env }
  delete env.HEAPWATCH_ENABLED
  // A path is as good as the usual place.
  if (!env.HEAPWATCH_RECORDER?.includes('/')) delete env.HEAPWATCH_RECORDER
  env.HEAPWATCH_LOG ??= 'off'
  if (interval !== undefined) env.HEAPWATCH_INTERVAL = interval
  return env
}

class Run {
  #values
  #child
  #out // of the summary and of lines
  #region
  #follower
  #told = 0 // notes that have been told, up to this time
  #note = ''
  #problem
  #handlers = {}
  #web

  constructor (values, app) {
    this.#values = values
    this.#out = values.output === undefined ? process.stderr : fs.createWriteStream(values.output)
    this.#out.on('error', () => {})
    if (values.status && values.output === undefined && Region.fits(process.stderr)) {
      this.#region = new Region(process.stderr, STATUS_LINES)
    }
    this.ended = this.#run(app)
  }

  async #run (app) {
    if (this.#values.web || this.#values.port !== undefined) await this.#serve()
    this.#child = spawn(process.execPath, ['--require', REGISTER, ...app], { stdio: 'inherit', env: environment(this.#values) })
    this.#handle()
    const ending = new Promise((resolve) => {
      this.#child.on('error', (error) => resolve({ code: 1, signal: null, error }))
      this.#child.on('exit', (code, signal) => resolve({ code, signal }))
    })
    const timer = setInterval(() => this.#look(), LOOK_EVERY)
    this.#look()
    const end = await ending
    clearInterval(timer)
    await this.#close(end)
    return this.#end(end)
  }

  async #serve () {
    const { serve } = require('../web/server')
    try {
      this.#web = await serve({ port: this.#values.port })
      this.#note = this.#web.address
      if (!this.#region) this.#say(`charts at ${this.#web.address}`)
    } catch (error) {
      this.#say(`no charts: ${error.message}`)
    }
  }

  #handle () {
    const on = (signal, handler) => {
      this.#handlers[signal] = handler
      process.on(signal, handler)
    }
    for (const signal of FORWARDED) on(signal, () => this.#child.kill(signal))
    for (const signal of TERMINALS) on(signal, () => { if (!inForeground()) this.#child.kill(signal) })
    on('SIGWINCH', () => this.#show())
    if (!this.#region) return
    on('SIGTSTP', () => {
      this.#region.close()
      process.kill(process.pid, 'SIGSTOP')
    })
    on('SIGCONT', () => this.#show())
  }

  #look () {
    try {
      if (this.#follower) this.#follower.poll()
      else this.#find()
    } catch (error) {
      this.#problem = error.message
    }
    this.#show()
    if (!this.#region) this.#tell()
  }

  #find () {
    const own = process.env.HEAPWATCH_RECORDER
    const file = own?.includes('/')
      ? path.resolve(own.replaceAll('%p', this.#child.pid).replaceAll('%t', '0'))
      : listRecordings().find(({ pid, threadId, alive }) => alive && pid === this.#child.pid && threadId === 0)?.path
    if (file && fs.existsSync(file)) this.#follower = new Follower(file)
  }

  #show () {
    if (!this.#region) return
    const columns = this.#region.columns
    this.#region.paint(this.#follower
      ? statusLines(this.#follower, { columns, now: Date.now(), note: this.#note })
      : ['──'.padEnd(columns, '─').slice(0, columns), `heapwatch: ${this.#problem ?? 'starting'}`])
  }

  /** Verdicts as lines, where there is no region to show them. */
  #tell () {
    const fresh = (this.#follower?.notes ?? []).filter(({ time }) => time > this.#told)
    for (const { time, kind, data } of fresh) {
      this.#told = time
      if (kind === 'leak') this.#say(`${leakText(data)}${data.sites?.length > 0 ? `; most of it from ${siteText(data.sites[0])}` : ''}`)
      if (kind === 'leakend') this.#say(leakEndText(data))
      if (kind === 'pressure') this.#say(pressureText(data))
    }
  }

  #say (text) {
    this.#out.write(`heapwatch: ${text}\n`)
  }

  async #close (end) {
    for (const [signal, handler] of Object.entries(this.#handlers)) process.off(signal, handler)
    this.#region?.close()
    await this.#web?.close()
    const last = await this.#last()
    if (end.error) this.#say(`the app cannot be started: ${end.error.message}`)
    else if (this.#values.json) this.#out.write(`${JSON.stringify(summaryObject(last, end))}\n`)
    else if (last) this.#out.write(`\n${summaryLines(last, end, process.stderr.columns || 80).join('\n')}\n`)
    else this.#say(`the app ${endText(end)}; there is no recording of it${this.#problem ? `: ${this.#problem}` : ''}`)
    if (this.#values.output !== undefined) await new Promise((resolve) => this.#out.end(resolve))
  }

  /** All of the recording, after the end; nothing if there is none. */
  async #last () {
    try {
      if (!this.#follower) {
        // It may have lived too short to be seen alive.
        const found = listRecordings().find(({ pid, startTime }) => pid === this.#child.pid && Date.now() - startTime < 86_400_000)
        if (!found) return
        this.#follower = new Follower(found.path)
      }
      const { path } = this.#follower
      this.#follower.close()
      const recording = open(path)
      try {
        return await readFacts(recording, path)
      } finally {
        recording.close()
      }
    } catch (error) {
      this.#problem = error.message
    }
  }

  /** Ends as the app did. */
  #end ({ code, signal }) {
    if (signal === null) return code
    if (CORE.includes(signal)) return 128 + os.constants.signals[signal]
    process.kill(process.pid, signal)
    // Signals arrive a moment later; this is for those that do not end us.
    return new Promise((resolve) => setTimeout(resolve, 1000, 128 + os.constants.signals[signal]))
  }
}

function summaryObject (facts, { code, signal }) {
  if (!facts) return { code, signal, path: null }
  const { path, identity, pauses } = facts
  return { code, signal, path, identity, findings: diagnose(facts), figures: figures(facts), pauses }
}

module.exports = { summary: 'start an app watched, and show its memory', run }
