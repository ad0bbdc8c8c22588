// npm run bench (bench/run.ts), bench:quick and bench:memory. Installs what wirepost is measured against: from npm always, the rest with --install.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { buildSupport, compiled } from './build.mjs'
import { install } from './install.mjs'
import { ROOT, run } from './root.mjs'

/** Debian's names of what is measured or compiles it. */
const PACKAGES = ['gcc', 'libc6-dev', 'pkg-config', 'libgmime-3.0-dev', 'curl', 'mpop']
const SCRIPTS = { quick: 'bench/quick.ts', memory: 'bench/path/memory.ts' }

process.env.INIT_CWD ??= process.cwd() // as npm says from where it was called
const given = process.argv.slice(2)
const args = given.filter((one) => one !== '--install')
const [first = '', ...rest] = args
install()
if (first !== 'memory') install(join(ROOT, 'bench', 'peers'))
if (args.length < given.length) installSystemPackages()
buildSupport({ ifStale: true })
if (Object.hasOwn(SCRIPTS, first)) process.exitCode = run(compiled(SCRIPTS[first]), rest)
else if (args.length > 0 || given.length === 0) process.exitCode = run(compiled('bench/run.ts'), args)

function apt(...words) {
  return spawnSync('apt-get', words, { stdio: ['ignore', 2, 2], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
}

/** What cannot be installed is missing in the tables; that is no failure. */
function installSystemPackages() {
  if (process.getuid?.() !== 0 || apt('--version').error !== undefined) {
    console.error(`only root can install with apt-get; by hand: ${PACKAGES.join(' ')}`)
    return
  }
  apt('update', '-q')
  // One by one: a package that this system does not have takes no other with it.
  for (const name of PACKAGES)
    if (apt('install', '-q', '-y', '--no-install-recommends', name).status !== 0) console.error(`${name} could not be installed`)
}
