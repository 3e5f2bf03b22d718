'use strict'

// Chrome DevTools' own models of heap snapshots and of heap profiles, as the
// tests' reference: its loaders and models, bundled out of the package
// chrome-devtools-frontend with everything that translates texts left out. Of
// the panel that profiles are loaded in, all that shows something is left out,
// too.

const fs = require('node:fs')
const path = require('node:path')
const { pathToFileURL } = require('node:url')

const PACKAGE = path.dirname(require.resolve('chrome-devtools-frontend/package.json'))
const { version } = require('chrome-devtools-frontend/package.json')
const BUILD = path.join(__dirname, '..', '..', 'build')
const BUNDLES = {
  snapshot: path.join(BUILD, `devtools-${version}.mjs`),
  profile: path.join(BUILD, `devtools-profile-${version}.mjs`)
}
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

// Of the panel, what reads files and makes the tree of functions; for the rest
// stands a thing that can be called, made and extended, and has every property.
const KEPT = /(\/panels\/profiler\/(HeapProfileView|WritableProfileHeader|ProfileHeader)|\/models\/bindings\/FileUtils|\/models\/cpu_profile\/.*|\/core\/common\/(Object|EventTarget).*)\.ts$/
const unshown = {
  name: 'unshown',
  setup (build) {
    build.onResolve({ filter: /^\.\.?\/.*\.js$/ }, ({ path: file, resolveDir }) => {
      const source = path.resolve(resolveDir, file.replace(/\.js$/, '.ts'))
      if (KEPT.test(source)) return { path: source }
      if (source.endsWith('/models/bindings/bindings.ts')) return { path: path.dirname(source), namespace: 'bindings' }
      return { path: 'shown', namespace: 'none' }
    })
    build.onLoad({ filter: /.*/, namespace: 'bindings' }, ({ path: resolveDir }) => ({
      contents: "export * as FileUtils from './FileUtils.js'",
      resolveDir
    }))
    build.onLoad({ filter: /.*/, namespace: 'none' }, () => ({
      contents: `class Base { dispatchEventToListeners () {} }
        const any = new Proxy(function () {}, {
          get: (_, key) => key === 'prototype' ? Base.prototype : any,
          apply: () => any
        })
        // esbuild copies what a module exports, and leaves it its prototype.
        module.exports = Object.create(any)`
    }))
  }
}

// Node.js 20 has all that DevTools wants but this.
function supply () {
  Promise.withResolvers ??= function () {
    const made = {}
    made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }))
    return made
  }
}

async function bundle (file, contents, plugin) {
  supply()
  if (fs.existsSync(file)) return
  const temporary = `${file}.${process.pid}`
  fs.mkdirSync(path.dirname(file), { recursive: true })
  await require('esbuild').build({
    stdin: { contents, resolveDir: PACKAGE, loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'es2022',
    outfile: temporary,
    logLevel: 'error',
    plugins: [plugin]
  })
  fs.renameSync(temporary, file)
}

/** Loads a snapshot; resolves to DevTools' JSHeapSnapshot. */
async function load (file) {
  await bundle(BUNDLES.snapshot, `export { SecondaryInitManager } from '${WORKER}/HeapSnapshot.ts'
    export { HeapSnapshotLoader } from '${WORKER}/HeapSnapshotLoader.ts'`, untranslated)
  const { HeapSnapshotLoader, SecondaryInitManager } = await import(pathToFileURL(BUNDLES.snapshot))
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

/**
 * Loads a .heapprofile as the Memory panel does; resolves to DevTools'
 * SamplingHeapProfileModel, of the samples between two ordinals if they are
 * given.
 */
async function loadProfile (file, minOrdinal, maxOrdinal) {
  await bundle(BUNDLES.profile, "export * from './front_end/panels/profiler/HeapProfileView.ts'", unshown)
  const { SamplingHeapProfileHeader, SamplingHeapProfileModel } = await import(pathToFileURL(BUNDLES.profile))
  const header = new SamplingHeapProfileHeader(null, {
    incrementProfileUid: () => 1,
    nextProfileUid: () => 1,
    profileBeingRecorded: () => null,
    removeProfile () {}
  })
  const error = await header.loadFromFile(new File([fs.readFileSync(file)], path.basename(file)))
  if (error) throw error
  return new SamplingHeapProfileModel(header.profile, minOrdinal, maxOrdinal)
}

module.exports = { load, loadProfile }
