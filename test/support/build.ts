import { spawnSync } from 'node:child_process'

/**
 * Before the first test: the command and the processes that tests start are as new as the source. While the source does not compile, tests that
 * need neither still run; `npm test` does not begin then.
 */
export function setup(): void {
  const { status } = spawnSync(process.execPath, ['scripts/build.mjs', '--if-stale', '--support'], { stdio: 'inherit' })
  if (status !== 0) console.error('the build failed: tests that start processes see what was built before')
}
