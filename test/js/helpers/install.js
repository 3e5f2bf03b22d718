'use strict'

// Programs that some tests look through: installed where that can be done.

const { spawnSync } = require('node:child_process')
const { which } = require('../../../lib/toolchain')

/**
 * The path of the first of these programs that there is, if need be after
 * installing the package that has it; undefined, and why, if there is none.
 *
 * @param {string[]} names
 * @param {string} name of the package of Debian
 * @returns {{ program: string|undefined, whyNone: string|false }} the second is
 *   what `skip` of a test takes
 */
function installed (names, name) {
  const find = () => names.map((each) => which(each)).find(Boolean)
  const command = `apt-get install -y --no-install-recommends ${name}`
  if (!find() && process.getuid?.() === 0 && which('apt-get')) {
    const { LD_PRELOAD, ...env } = process.env // what sanitizers have in there hangs gpg
    spawnSync('sh', ['-c', `apt-get -qq update; ${command}`], {
      env: { ...env, DEBIAN_FRONTEND: 'noninteractive' }, timeout: 300_000
    })
  }
  const program = find()
  return { program, whyNone: !program && `needs ${name}, as root: ${command}` }
}

module.exports = { installed }
