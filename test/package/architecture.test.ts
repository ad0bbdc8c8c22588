import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Micro } from '../../bench/micro/support/micro.ts'
import { ROOT } from './source.ts'

const text = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8')
const rows = text
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| where'))
  .map((line) => line.split('|').map((cell) => cell.trim()))

test('docs/architecture.md names files, tests and benchmarks that are there', async () => {
  const files = readdirSync(join(ROOT, 'bench/micro')).filter((name) => name.endsWith('.ts'))
  const modules: { micros: readonly Micro[] }[] = await Promise.all(files.map((name) => import(join(ROOT, 'bench/micro', name))))
  const benchmarks = new Set(modules.flatMap(({ micros }) => micros.filter(({ plainly }) => plainly !== undefined).map(({ name }) => name)))
  expect(rows.length).toBeGreaterThan(15)
  for (const [, where = '', , , compared = '', benchmark = ''] of rows) {
    expect(benchmarks).toContain(benchmark.replaceAll('`', ''))
    if (where !== '') expect(existsSync(join(ROOT, 'src', where.replaceAll('`', ''))), where).toBe(true)
    if (compared === '') continue
    const [, file = '', name = ''] = /^`([\w/-]+)`: (.+)$/.exec(compared) ?? []
    expect(readFileSync(join(ROOT, 'test', `${file}.test.ts`), 'utf8')).toContain(`'${name}'`)
  }
  for (const [, name = ''] of text.matchAll(/\(`([a-z][^`]+, [^`]+)`\)/g)) expect(benchmarks).toContain(name)
})

test('every benchmark has a name of its own', async () => {
  const files = readdirSync(join(ROOT, 'bench/micro')).filter((name) => name.endsWith('.ts'))
  const modules: { micros: readonly Micro[] }[] = await Promise.all(files.map((name) => import(join(ROOT, 'bench/micro', name))))
  const names = modules.flatMap(({ micros }) => micros.map(({ name }) => name))
  expect(new Set(names).size).toBe(names.length)
})
