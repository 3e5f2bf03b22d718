#!/usr/bin/env node
'use strict'

// The command heapwatch. Each command is a file beside this one that exports
// `summary`, one line for the list, and `run(args)`, which resolves to the
// exit code: 0 done, 1 failed, 2 called wrongly.

const COMMANDS = [
  'build',
  'run',
  'ps',
  'top',
  'stat',
  'report',
  'web',
  'export',
  'snapshot',
  'replay',
  'summary',
  'diff',
  'retainers',
  'dominators',
  'why'
]

function usage () {
  const lines = COMMANDS.map((name) => `  ${name.padEnd(10)} ${require(`./${name}`).summary}`)
  return `Usage: heapwatch COMMAND [options]\n\n${lines.join('\n')}\n\nheapwatch COMMAND --help tells more.\n`
}

async function main ([name, ...args]) {
  if (name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(usage())
    return 0
  }
  if (name === '--version') {
    process.stdout.write(`${require('../../package.json').version}\n`)
    return 0
  }
  if (!COMMANDS.includes(name)) {
    const problem = name === undefined ? '' : `heapwatch: there is no command "${name}"\n\n`
    process.stderr.write(problem + usage())
    return 2
  }
  return require(`./${name}`).run(args)
}

// Whoever reads may have seen enough, as `head` has: that is no failure.
process.stdout.on('error', (error) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

main(process.argv.slice(2)).then((code) => {
  process.exitCode = code
}, (error) => {
  if (error.code === 'EPIPE') return
  process.stderr.write(`heapwatch: ${error.message}\n`)
  process.exitCode = error.exitCode ?? 1
})
