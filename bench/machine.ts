// What was measured on what: the parts of a report that are not figures.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import type { Family } from './family.ts'

export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  /** 'v20.20.2' */ readonly node: string
}

/** `node` is the one that is measured. */
export function machine(node: string): Machine {
  const { stdout, error } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  if (error !== undefined) throw new Error(`${node} is no Node: ${error.message}`)
  const [first] = cpus()
  return {
    processor: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release().split('-')[0]}`,
    node: stdout.trim(),
  }
}

/** Names and versions of what wirepost was compared with: npm's from the peers' package file, others as they say themselves. */
export function versions(families: readonly Family[]): Map<string, string> {
  const { dependencies }: { readonly dependencies: Record<string, string> } = JSON.parse(readFileSync(join('bench', 'peers', 'package.json'), 'utf8'))
  const found = new Map(Object.entries(dependencies))
  for (const { workloads } of families) {
    for (const { name, version } of workloads.flatMap(({ subjects }) => subjects)) {
      const told = version?.()
      if (told !== undefined) found.set(name.split(' (')[0] ?? name, told)
    }
  }
  return found
}
