'use strict'

const fs = require('node:fs')
const { diagnose } = require('../report/doctor')
const { figures } = require('../report/figures')
const { reportText } = require('../report/text')
const { command, print } = require('./command')
const { EXIT_CODES, failure, load } = require('./recordings')

const HELP = `Usage: heapwatch report FILE|PID [options]

What happened to a process, alive or dead: findings, each with what it rests on
and what to do, the worst first; then the figures. PID.THREAD is one of its
Workers.

  --html OUT  an HTML file with charts instead, which needs nothing else; - for
              stdout
  --json      { identity, findings, figures, pauses, path } as one JSON object
  -h, --help  this text

${EXIT_CODES}`

const OPTIONS = { html: { type: 'string' } }

async function work ({ html, json }, [given]) {
  const facts = await load(given, { all: html !== undefined })
  const numbers = figures(facts)
  const findings = diagnose(facts, numbers)
  if (html !== undefined) {
    const { reportHtml } = require('../report/html')
    save(html, reportHtml(facts, numbers, findings))
  } else if (json) {
    const { identity, alive, state, pauses, path } = facts
    print(`${JSON.stringify({ path, alive, state: state.state, identity, findings, figures: numbers, pauses })}\n`)
  } else {
    print(reportText(facts, numbers, findings, process.stdout.columns || 80))
  }
  return 0
}

function save (file, text) {
  if (file === '-') return print(text)
  try {
    fs.writeFileSync(file, text)
  } catch (error) {
    throw failure(`the report cannot be written: ${error.message}`, 1)
  }
  process.stderr.write(`${file}\n`)
}

module.exports = {
  summary: 'say what happened to a process, and make a page of it',
  run: command({ name: 'report', help: HELP, options: OPTIONS, files: [1, 1] }, work)
}
