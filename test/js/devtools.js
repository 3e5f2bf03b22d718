'use strict'

// Chrome DevTools' own model of heap snapshots, as the tests' reference: its
// loader and model, bundled out of the package chrome-devtools-frontend with
// everything that translates texts left out.

const fs = require('node:fs')
const path = require('node:path')
const { pathToFileURL } = require('node:url')

const PACKAGE = path.dirname(require.resolve('chrome-devtools-frontend/package.json'))
const { version } = require('chrome-devtools-frontend/package.json')
const BUNDLE = path.join(__dirname, '..', '..', 'build', `devtools-${version}.mjs`)
const WORKER = './front_end/entrypoints/heap_snapshot_worker'

const untranslated = {
  name: 'untranslated',
  setup (build) {
    build.onResolve({ filter: /\/i18n\/i18n\.js$/ }, () => ({ path: 'i18n', namespace: 'none' }))
    build.onLoad({ filter: /.*/, namespace: 'none' }, () => ({
      contents: `const any = new Proxy({}, { get: () => () => '' })
        export const i18n = any, TimeUtilities = any, ByteUtilities = any,
          DevToolsLocale = any, NumberFormatter = any`
    }))
    // The sources are TypeScript, and import each other as what they become.
    build.onResolve({ filter: /^\.\.?\/.*\.js$/ }, ({ path: file, resolveDir }) => {
      const source = path.resolve(resolveDir, file.replace(/\.js$/, '.ts'))
      return fs.existsSync(source) ? { path: source } : undefined
    })
  }
}

async function bundle () {
  if (fs.existsSync(BUNDLE)) return
  const temporary = `${BUNDLE}.${process.pid}`
  fs.mkdirSync(path.dirname(BUNDLE), { recursive: true })
  await require('esbuild').build({
    stdin: {
      contents: `export { SecondaryInitManager } from '${WORKER}/HeapSnapshot.ts'
        export { HeapSnapshotLoader } from '${WORKER}/HeapSnapshotLoader.ts'`,
      resolveDir: PACKAGE,
      loader: 'ts'
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'es2022',
    outfile: temporary,
    logLevel: 'error',
    plugins: [untranslated]
  })
  fs.renameSync(temporary, BUNDLE)
}

/** Loads a snapshot; resolves to DevTools' JSHeapSnapshot. */
async function load (file) {
  // Node.js 20 has all that DevTools wants but this.
  Promise.withResolvers ??= function () {
    const made = {}
    made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }))
    return made
  }
  await bundle()
  const { HeapSnapshotLoader, SecondaryInitManager } = await import(pathToFileURL(BUNDLE))
  const loader = new HeapSnapshotLoader({ sendEvent () {} })
  for await (const chunk of fs.createReadStream(file, { encoding: 'utf8', highWaterMark: 1 << 20 })) {
    loader.write(chunk)
  }
  loader.close()
  const { port1, port2 } = new MessageChannel()
  const manager = new SecondaryInitManager(port2)
  // It warns of nodes that nothing reaches, which every snapshot has.
  const { warn } = console
  console.warn = () => {}
  try {
    return await loader.buildSnapshot(port1, manager)
  } finally {
    console.warn = warn
    port1.close()
    port2.close()
  }
}

module.exports = { load }
