// npm test: everything that this machine can run; what it cannot is printed, with the reason. Arguments go to vitest
// (`npm test -- test/unit/pop3`, `npm test -- -t 'dot'`). WIREPOST_INTEROP: `required` fails when the tests against real servers cannot run or
// skip something, `off` leaves them out.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, buildSupport } from './build.mjs'
import { install } from './install.mjs'
import { ROOT, run, TOOLS } from './root.mjs'

const REPORT = join(ROOT, '.build', 'vitest.json')

/** Runs the tests. Gives the counts; `problems` says what failed beside single tests. */
export function test(args = []) {
  build({ ifStale: true })
  buildSupport({ ifStale: true })
  const mode = process.env.WIREPOST_INTEROP ?? 'auto'
  const problems = []
  const obstacle = mode === 'off' ? 'WIREPOST_INTEROP=off' : interopObstacle()
  if (obstacle !== undefined && mode === 'required') problems.push(`test/interop was skipped: ${obstacle}`)
  mkdirSync(join(ROOT, '.build'), { recursive: true })
  rmSync(REPORT, { force: true })
  const without = obstacle === undefined ? [] : ['--exclude', 'test/interop/**']
  const status = run(TOOLS.vitest, ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${REPORT}`, ...without, ...args])
  const counts = readReport(mode === 'required' && obstacle === undefined)
  problems.push(...counts.problems)
  if (status !== 0 && counts.failed === 0 && problems.length === 0) problems.push(`vitest ended with status ${status}`)
  if (obstacle !== undefined) console.log(`skipped: test/interop (${obstacle})`)
  for (const name of counts.skipped) console.log(`skipped: ${name}`)
  for (const problem of problems) console.log(`FAILED: ${problem}`)
  return { passed: counts.passed, failed: counts.failed + problems.length, skipped: counts.skipped.length }
}

/** @returns {{ passed: number, failed: number, skipped: string[], problems: string[] }} */
function readReport(interopRequired) {
  const counts = { passed: 0, failed: 0, skipped: [], problems: [] }
  if (!existsSync(REPORT)) return { ...counts, problems: ['vitest wrote no report'] }
  let interop = 0
  for (const file of JSON.parse(readFileSync(REPORT, 'utf8')).testResults) {
    const name = file.name.replaceAll('\\', '/').split('/test/').slice(1).join('/test/')
    const isInterop = name.startsWith('interop/')
    // A file that cannot be loaded has no tests that could fail.
    if (file.status === 'failed' && !file.assertionResults.some((one) => one.status === 'failed'))
      counts.problems.push(`test/${name}: ${file.message}`)
    for (const one of file.assertionResults) {
      if (one.status === 'passed') counts.passed++
      else if (one.status === 'failed') counts.failed++
      else {
        const title = `test/${name}: ${one.fullName}`
        if (isInterop && interopRequired) counts.problems.push(`${title} was skipped`)
        else if (one.status !== 'skipped' || !process.argv.some(isFilter)) counts.skipped.push(title)
      }
      if (isInterop && one.status === 'passed') interop++
    }
  }
  if (interopRequired && interop === 0) counts.problems.push('no test in test/interop passed')
  return counts
}

/** With `-t` vitest reports everything that does not match as skipped, which is nothing to tell. */
function isFilter(argument) {
  return argument === '-t' || argument.startsWith('--testNamePattern')
}

function interopObstacle() {
  if (process.platform !== 'linux') return 'the servers run on Linux only'
  if (!existsSync(join(ROOT, 'test', 'interop')) || readdirSync(join(ROOT, 'test', 'interop')).length === 0) return 'there are no such tests'
  const missing = ['dovecot', 'postfix'].filter((name) => !isInstalled(name))
  if (missing.length > 0) return `${missing.join(' and ')} not installed; .ci/run installs what is needed`
  if (process.getuid() !== 0) return 'postfix needs root'
  return undefined
}

function isInstalled(name) {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']
  return folders.some((folder) => folder !== '' && existsSync(join(folder, name)))
}

if (process.argv[1] !== undefined && pathToFileURL(process.argv[1]).href === import.meta.url) {
  install()
  if (test(process.argv.slice(2)).failed > 0) process.exitCode = 1
}
