// npm run check: types, lint, format. Each runs although another failed, so that one run shows everything.
import { pathToFileURL } from 'node:url'
import { install } from './install.mjs'
import { run, TOOLS } from './root.mjs'

/** The names of the checks that passed and of those that failed. */
export function check() {
  const steps = [
    ['types', TOOLS.tsc, ['-p', 'tsconfig.json', '--noEmit']],
    ['lint', TOOLS.oxlint, ['--type-aware', '--deny-warnings']],
    ['format', TOOLS.oxfmt, ['--check']],
  ]
  const passed = []
  const failed = []
  for (const [name, script, args] of steps) (run(script, args) === 0 ? passed : failed).push(name)
  for (const name of passed) console.log(`check ${name}: passed`)
  for (const name of failed) console.log(`check ${name}: FAILED`)
  if (failed.includes('format')) console.log('npm run format sets the format right')
  return { passed, failed }
}

if (process.argv[1] !== undefined && pathToFileURL(process.argv[1]).href === import.meta.url) {
  install()
  if (check().failed.length > 0) process.exitCode = 1
}
