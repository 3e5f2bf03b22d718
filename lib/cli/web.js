'use strict'

const { command, print } = require('./command')

const HELP = `Usage: heapwatch web [options]

Serves charts of every watched process of this user, live, in a browser: a list,
and one page a process. Only this machine and this user are let in. Reads
recordings; asks no process anything. Runs until it is interrupted.

  --port N   at this port, 0 for any that is free; 8377 by default, or another
             if that is taken
  --json     the address as { "address": …, "port": … }
  -h, --help this text

Exit codes: 0 interrupted, 1 the port cannot be had, 2 wrong options.
`

const OPTIONS = { port: { type: 'string', number: [0, 65535] } }

async function work ({ port, json }) {
  const { serve } = require('../web/server')
  const server = await serve({ port })
  print(json ? `${JSON.stringify({ address: server.address, port: server.port })}\n` : `${server.address}\n`)
  await new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, resolve)
  })
  await server.close()
  return 0
}

module.exports = {
  summary: 'serve live charts to a browser on this machine',
  run: command({ name: 'web', help: HELP, options: OPTIONS, files: [0, 0] }, work)
}
