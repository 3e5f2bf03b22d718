'use strict'

// Chromium for the tests of pages: Debian's, driven by playwright-core.

const { installed } = require('./install')

const { program, whyNone } = installed(['chromium', 'chromium-browser', 'google-chrome'], 'chromium')

function chromium () {
  return require('playwright-core').chromium.launch({
    executablePath: program,
    // Its sandbox needs more than containers and root have; the pages are ours.
    args: ['--no-sandbox'],
    // Of a run with sanitizers: they are for Node.js.
    env: { ...process.env, LD_PRELOAD: '' }
  })
}

module.exports = { chromium, whyNone }
