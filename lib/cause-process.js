'use strict'

// Started by leak-causes.js, in a process of its own: compares the snapshots
// that are open as descriptors from 3 on, and prints what it finds as JSON. Its
// arguments are the least priority to take and how many snapshots there are.
//
// It ends when its stdin does, which is when the process that it works for
// ends, and it is the first that the kernel kills when memory runs out.

const fs = require('node:fs')
const os = require('node:os')

try {
  os.setPriority(Math.max(os.getPriority(), Number(process.argv[2])))
  fs.writeFileSync('/proc/self/oom_score_adj', '1000')
} catch {} // then it is only less polite

process.stdin.on('end', () => process.exit(1)).on('error', () => process.exit(1)).resume()

async function work () {
  const { ask } = require('./snapshot')
  const { explain } = require('./why')
  const files = Array.from({ length: Number(process.argv[3]) }, (_, i) => `/proc/self/fd/${3 + i}`)
  const { leaks, growth, heldBy, example, item, itemType, agree, samples, anchor, owner, weakMap, also, steps, ...found } = await explain(files)
  const { classes } = await ask('diff', files.slice(-3))
  return {
    kind: 'unknown',
    class: '',
    ...found,
    ...(weakMap && { weakMap: weakMap.heldBy }),
    ...(also && { also: { kind: also.kind, heldBy: also.heldBy } }),
    path: (found.path ?? []).map(({ edge, name, type, url, line }) => ({ edge, name, type, url, line })),
    count: leaks ? found.count[1] - found.count[0] : 0,
    retained: leaks ? found.retained[1] - found.retained[0] : 0,
    grown: grownOf(classes)
  }
}

const GROWN = 8

/** The classes that have grown most. */
function grownOf (classes) {
  const growth = ({ addedSize, removedSize }) => addedSize - removedSize
  return classes.filter((each) => growth(each) > 0).sort((a, b) => growth(b) - growth(a)).slice(0, GROWN)
    .map((each) => ({ name: each.name.slice(0, 100), added: each.added - each.removed, bytes: growth(each) }))
}

work().catch((error) => ({ error: String(error.message) })).then((answer) => {
  fs.writeSync(1, JSON.stringify(answer))
  process.exit(0)
})
