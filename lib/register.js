'use strict'

// node --require heapwatch/register app.js
//
// Watches a process without a change to its code; HEAPWATCH_* variables set it
// (docs/register.md). Whatever goes wrong here is one line on stderr, and the
// app goes on: so this file is written for the oldest Node.js that may be asked
// to preload it, and all that it needs is loaded where it can be caught.

try {
  require('./preload').start()
} catch (error) {
  try {
    if (require('worker_threads').isMainThread) {
      require('fs').writeSync(2, 'heapwatch: this process is not watched: ' + error.message + '\n')
    }
  } catch (nobodyToTell) {}
}
