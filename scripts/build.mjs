// npm run build: src → dist (what is published) and, for scripts that run on Node without a test runner, src, test/support and bench → .build
// (Node 20 cannot run TypeScript). `--if-stale` does only what changed since the last time.
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { install } from './install.mjs'
import { ROOT, run, TOOLS } from './root.mjs'

const BUILD = join(ROOT, '.build')

/** The package, as it is published. */
export function build({ ifStale = false } = {}) {
  emit('dist', 'tsconfig.build.json', ['src'], ifStale)
  const command = join(ROOT, 'dist', 'cli', 'main.js')
  if (existsSync(command)) chmodSync(command, 0o755)
}

/** The servers, the demonstration and the benchmarks, beside a copy of the source that they import. */
export function buildSupport({ ifStale = true } = {}) {
  emit('.build/js', 'tsconfig.support.json', ['src', 'test/support', 'bench'], ifStale)
}

/** The compiled form of a TypeScript file outside src. */
export function compiled(file) {
  return join(BUILD, 'js', file.replace(/\.ts$/, '.js'))
}

function emit(target, project, sources, ifStale) {
  const folder = join(ROOT, target)
  const stamp = join(BUILD, `${target.replaceAll(/\W/g, '_')}.stamp`)
  const wanted = digest([project, 'tsconfig.json', 'package-lock.json'], sources)
  if (ifStale && existsSync(folder) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  // Beside the old one first: a compiler error leaves what was there, and a file whose source is gone is not published.
  const next = join(BUILD, `next-${process.pid}`)
  const status = run(TOOLS.tsc, ['-p', project, '--outDir', next], { stdio: ['ignore', 2, 2] })
  if (status !== 0) {
    rmSync(next, { recursive: true, force: true })
    console.error(`${project}: the compiler found errors (above); ${target} is not built`)
    process.exit(1)
  }
  rmSync(stamp, { force: true })
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(dirname(folder), { recursive: true })
  renameSync(next, folder)
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, wanted)
}

function digest(files, folders) {
  const hash = createHash('sha256')
  for (const file of [...files, ...folders.flatMap(sourcesIn)])
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(ROOT, file)))
      .update('\0')
  return hash.digest('hex')
}

function sourcesIn(folder) {
  if (!existsSync(join(ROOT, folder))) return []
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name === 'results' ? [] : sourcesIn(path)
    return entry.name.endsWith('.ts') ? [path] : []
  })
}

if (process.argv[1] !== undefined && pathToFileURL(process.argv[1]).href === import.meta.url) {
  install()
  build({ ifStale: process.argv.includes('--if-stale') })
  if (process.argv.includes('--support')) buildSupport({ ifStale: true })
}
