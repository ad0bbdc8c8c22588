// The whole of what must hold before a change is taken, and its sum on the last line. Called by .ci/run, which installs the servers.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { check } from './check.mjs'
import { install } from './install.mjs'
import { ROOT, run } from './root.mjs'
import { test } from './test.mjs'

let passed = 0
let failed = 0
// An early end (a failed install, a compiler error) is a failure too, and is counted like one.
process.on('exit', (status) => {
  if (status !== 0 && failed === 0) failed++
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed > 0 ? 1 : 0
})

install()
const checks = check()
passed += checks.passed.length
failed += checks.failed.length

const tests = test()
passed += tests.passed
failed += tests.failed

const noSlower = run(join(ROOT, 'scripts', 'bench-compare.mjs'), ['--ci']) === 0
console.log(`bench:compare: ${noSlower ? 'passed' : 'FAILED'}`)
if (noSlower) passed++
else failed++

if (existsSync(join(ROOT, 'scripts', 'start.mjs'))) {
  const ok = run(join(ROOT, 'scripts', 'start.mjs')) === 0
  console.log(`npm start: ${ok ? 'passed' : 'FAILED'}`)
  if (ok) passed++
  else failed++
}
