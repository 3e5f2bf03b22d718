'use strict'

// Every block of code in README.md, docs/ and examples/README.md runs. A block's language says how:
//
//   js, mjs   run by Node.js, in a folder where heapwatch is installed; what
//             keeps a process alive, a server say, is ended
//   ts        compiled
//   yaml      read by promtool, as rules
//   sh        each line is a command of ours (`npx heapwatch`, `npm run`, `node
//             --require heapwatch/...`), called as it stands or, if it lasts, looked up
//   text      output, which somebody saw: not run
//
// Blocks without a language are not allowed, so that none is missed.

const assert = require('node:assert')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, describe, it } = require('node:test')
const { ROOT, assertEnd } = require('./helpers/child')

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwatch-docs-'))
after(() => fs.rmSync(folder, { recursive: true }))
// As in a project that has heapwatch and what the pages speak of installed.
fs.mkdirSync(path.join(folder, 'node_modules'))
for (const name of fs.readdirSync(path.join(ROOT, 'node_modules')).filter((name) => !name.startsWith('.'))) {
  fs.symlinkSync(path.join(ROOT, 'node_modules', name), path.join(folder, 'node_modules', name))
}
fs.symlinkSync(ROOT, path.join(folder, 'node_modules', 'heapwatch'))

const LANGUAGES = ['js', 'mjs', 'sh', 'text']
const CLI = path.join(ROOT, 'lib', 'cli', 'main.js')

/** The blocks of a page: { language, code, line }, the line counted from 1. */
function blocksOf (text) {
  const blocks = []
  let open
  for (const [i, line] of text.split('\n').entries()) {
    const fence = /^```(\S*)/.exec(line)
    if (open) {
      if (fence) {
        blocks.push(open)
        open = undefined
      } else {
        open.code += `${line}\n`
      }
    } else if (fence) {
      open = { language: fence[1], code: '', line: i + 1 }
    } else if (/^ {4}\S/.test(line) && /^\s*$/.test(text.split('\n')[i - 1] ?? '')) {
      blocks.push({ language: '(indented)', code: line, line: i + 1 })
    }
  }
  return blocks
}

// A page's code need not end, and may listen to a port that is taken: it runs
// with ports of the system's choice, and is ended when it has done its work.
const ENDING = `
const { Server } = require('node:net')
const { listen } = Server.prototype
Server.prototype.listen = function (port, ...rest) {
  return listen.call(this, typeof port === 'number' ? 0 : port, ...rest)
}
process.on('uncaughtException', (error) => { console.error(error); process.exit(1) })
setTimeout(() => process.exit(), 700)
`

function runJs (name, { code, language, line }) {
  fs.writeFileSync(path.join(folder, 'ending.cjs'), ENDING)
  const file = path.join(folder, `${name.replaceAll(/\W/g, '-')}-${line}.${language === 'mjs' ? 'mjs' : 'cjs'}`)
  fs.writeFileSync(file, code)
  // Blocks with await at the top are bodies of a function.
  if (language === 'js' && /^\s*(const .* = )?await /m.test(code)) {
    fs.writeFileSync(file, `(async () => {\n${code}\n})()`)
  }
  const { status, signal, stdout, stderr } = spawnSync(process.execPath,
    ['--preserve-symlinks', '--preserve-symlinks-main', '--require', './ending.cjs', file],
    { cwd: folder, encoding: 'utf8', timeout: 60_000, env: { ...process.env, NODE_TEST_CONTEXT: undefined } })
  assertEnd({ code: status, signal, stdout, stderr })
}

/** Checks that a line of a shell means something: the command, its options and scripts exist. */
function checkCommand (line) {
  const words = line.replace(/\s+#.*$/, '').trim().replace(/^([A-Z_]+=("[^"]*"|\S*)\s+)+/, '').split(/\s+/)
  const heapwatch = words.findIndex((word, i) => word === 'heapwatch' && ['npx', undefined].includes(words[i - 1]))
  if (heapwatch >= 0) {
    const [name, ...args] = words.slice(heapwatch + 1)
    const help = spawnSync(process.execPath, [CLI, name, '--help'], { encoding: 'utf8' })
    assert.strictEqual(help.status, 0, `${line}: ${help.stderr}`)
    if (name.startsWith('-')) return
    for (const option of args.slice(0, args.includes('--') ? args.indexOf('--') : undefined)) {
      if (option.startsWith('--')) assert.ok(help.stdout.includes(option.split('=')[0]), `${line}: no ${option} in its help`)
    }
  } else if (words[0] === 'npm') {
    const { scripts } = require('../../package.json')
    const script = words[1] === 'run' ? words[2] : words[1]
    assert.ok(scripts[script] || ['install', 'pack', 'ci', 'exec'].includes(script), `${line}: no script ${script}`)
  } else if (words[0] === 'node') {
    const file = words.find((word) => /\.(js|mjs|ts)$/.test(word))
    const required = words.find((word) => word.startsWith('heapwatch/'))
    if (required) {
      const { status, stderr } = spawnSync(process.execPath, ['-e', `require('${required}')`],
        { cwd: folder, encoding: 'utf8', timeout: 60_000 })
      assert.strictEqual(status, 0, `${line}: ${stderr}`)
    } else {
      assert.ok(fs.existsSync(path.join(ROOT, file)), `${line}: no file ${file}`)
    }
  } else {
    assert.ok(['promtool', 'prometheus', 'make', 'zcat', 'cd', 'npx', 'kill', 'curl', 'docker'].includes(words[0]), `${line}: what is ${words[0]}?`)
  }
}

const pages = ['README.md', 'examples/README.md', ...fs.readdirSync(path.join(ROOT, 'docs')).filter((name) => name.endsWith('.md')).sort().map((name) => `docs/${name}`)]

for (const page of pages) {
  const text = fs.readFileSync(path.join(ROOT, page), 'utf8')
  describe(page, () => {
    for (const block of blocksOf(text)) {
      const { language, code, line } = block
      it(`line ${line}: ${language}`, { timeout: 120_000 }, () => {
        assert.ok(LANGUAGES.includes(language), `line ${line}: a block of ${language || 'no language'}; known are ${LANGUAGES.join(', ')}`)
        if (language === 'js' || language === 'mjs') runJs(page, block)
        else if (language === 'sh') code.split('\n').filter((line) => line.trim() && !line.trim().startsWith('#')).forEach(checkCommand)
      })
    }

    it('links to files that exist', () => {
      for (const [, target] of text.matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
        if (/^https?:/.test(target)) continue
        assert.ok(fs.existsSync(path.join(ROOT, path.dirname(page), target)), target)
      }
    })
  })
}
