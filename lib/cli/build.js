'use strict'

const { parseArgs } = require('node:util')
const { build } = require('../build')

const HELP = `Usage: heapwatch build [--headers DIR]

Compiles the addon in place for the Node.js that runs this command. Needs
Python 3, make and a C++ compiler.

  --headers DIR  the folder with include/node/node.h of this Node.js
  --help         this text

Exit codes: 0 built, 1 failed, 2 wrong options.
`

async function run (args) {
  let values
  try {
    values = parseArgs({
      args,
      options: { headers: { type: 'string' }, help: { type: 'boolean', short: 'h' } }
    }).values
  } catch (error) {
    process.stderr.write(`heapwatch build: ${error.message}\n`)
    return 2
  }
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  const { path } = await build({ headers: values.headers, log: (line) => process.stderr.write(`${line}\n`) })
  process.stdout.write(`${path}\n`)
  return 0
}

module.exports = { summary: 'compile the addon for this Node.js', run }
