'use strict'

// npm run build [-- --node MAJOR|all] [--sanitize] [--jobs N]
//
// Builds the addon for the running Node.js, or for others.

const os = require('node:os')
const { parseArgs } = require('node:util')
const { build } = require('../lib/build')
const { nodeOf, parseMajors, setup } = require('./setup')

async function main () {
  const { values } = parseArgs({
    options: {
      node: { type: 'string', multiple: true, default: [] },
      sanitize: { type: 'boolean', default: false },
      jobs: { type: 'string' }
    }
  })
  const majors = parseMajors(values.node)
  if (majors.length === 0) majors.push(parseInt(process.versions.node, 10))

  await setup()
  // Each build is one chain of work; together they keep the CPUs busy.
  const jobs = Number(values.jobs ?? Math.ceil(os.availableParallelism() / majors.length))
  await Promise.all(majors.map(async (major) => {
    const { binary, headers } = await nodeOf(major)
    await build({
      nodeBinary: binary, headers, sanitize: values.sanitize, jobs, log: console.log
    })
  }))
}

main().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
