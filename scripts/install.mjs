// Installs the development tree when the lock file says something else than what was installed last. It runs before node_modules exists, so it
// may import nothing but Node. Lifecycle hooks such as `pretest` are skipped under ignore-scripts=true: every script that needs the tree calls this.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ROOT } from './root.mjs'

/** Runs `npm ci` in a folder with a lock file if it is needed. Ends the process when it fails. */
export function install(folder = ROOT) {
  const stamp = join(folder, 'node_modules', '.wirepost-installed')
  const wanted = stampFor(readFileSync(join(folder, 'package-lock.json')))
  if (read(stamp) === wanted) return
  console.error(`installing ${folder === ROOT ? 'the development tree' : 'what wirepost is measured against'} (npm ci) …`)
  const { status, error } = npm(folder, ['ci', '--include=dev', '--ignore-scripts'])
  if (error !== undefined) console.error(`npm could not be started: ${error.message}. Is npm installed and in PATH?`)
  if (status !== 0) {
    console.error('npm ci failed; its own message is above. Nothing was built or tested.')
    process.exit(1)
  }
  writeFileSync(stamp, wanted)
}

// Some packages bring one binary for each platform, so a tree belongs to a platform as much as to a lock file.
function stampFor(lock) {
  const digest = createHash('sha256').update(lock).digest('hex')
  return `${digest} ${process.version} ${process.platform} ${process.arch}\n`
}

/** npm's output goes to standard error, so that standard output stays that of the script that called. */
function npm(cwd, args) {
  const stdio = ['ignore', 2, 2]
  const cli = process.env.npm_execpath
  if (cli !== undefined && basename(cli) === 'npm-cli.js') return spawnSync(process.execPath, [cli, ...args], { cwd, stdio })
  // npm is a .cmd file on Windows, which only a shell can start; the arguments are all our own.
  return spawnSync('npm', args, { cwd, stdio, shell: process.platform === 'win32' })
}

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

if (process.argv[1] !== undefined && pathToFileURL(process.argv[1]).href === import.meta.url) install()
