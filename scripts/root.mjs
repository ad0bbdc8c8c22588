import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the checkout. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

/** Where the development tools start. Run with this Node, so that neither PATH nor a shell matters. */
export const TOOLS = {
  tsc: join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'),
  oxlint: join(ROOT, 'node_modules', 'oxlint', 'bin', 'oxlint'),
  oxfmt: join(ROOT, 'node_modules', 'oxfmt', 'bin', 'oxfmt'),
  vitest: join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'),
}

/** Runs a script with this Node and gives its exit status. */
export function run(script, args = [], { stdio = 'inherit', env = process.env } = {}) {
  const { status, error } = spawnSync(process.execPath, [script, ...args], { cwd: ROOT, stdio, env })
  if (error !== undefined) throw error
  return status ?? 1
}
