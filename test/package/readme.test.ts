import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './source.ts'

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')

test.each(['README.md', 'docs/mime.md', 'docs/smtp.md'])('the programs in %s compile against the built package', (name) => {
  const folder = join(ROOT, '.build', 'readme', name.replaceAll(/\W/g, '_'))
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const page = readFileSync(join(ROOT, name), 'utf8')
  const programs = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, program = '']) => program)
  expect(programs.length).toBeGreaterThan(1)
  for (const [index, program] of programs.entries()) writeFileSync(join(folder, `program-${index + 1}.ts`), program)
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../../tsconfig.json', include: ['*.ts'] }))
  const { stdout, status } = spawnSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder], { encoding: 'utf8' })
  expect(stdout).toBe('')
  expect(status).toBe(0)
})

test('each option that the README shows of a subcommand is one that its help has', () => {
  const shown = codeOptions(readme)
  expect(shown.size).toBe(4)
  for (const [subcommand, options] of shown) {
    const help = spawnSync(process.execPath, [join(ROOT, 'dist/cli/main.js'), subcommand, '--help'], { encoding: 'utf8' })
    expect(help.status, subcommand).toBe(0)
    for (const option of options) expect(help.stdout, subcommand).toContain(option)
  }
})

test('each test that docs/smtp.md names is there', () => {
  const named = [...readFileSync(join(ROOT, 'docs/smtp.md'), 'utf8').matchAll(/\| `(\w+\/[\w/-]+)`: (.+) \|$/gm)]
  expect(named.length).toBeGreaterThan(10)
  for (const [, file = '', name = ''] of named) expect(readFileSync(join(ROOT, 'test', `${file}.test.ts`), 'utf8'), name).toContain(name)
})

/** The options that the README shows for each subcommand, in its table and in its examples. */
function codeOptions(text: string): Map<string, Set<string>> {
  const shown = new Map<string, Set<string>>()
  for (const line of text.split('\n')) {
    const subcommand = /\bwirepost (get|send|test|parse)\b/.exec(line)?.[1]
    if (subcommand === undefined) continue
    const options = shown.get(subcommand) ?? new Set()
    for (const [option] of line.matchAll(/--[a-z][a-z-]+/g)) options.add(option)
    shown.set(subcommand, options)
  }
  return shown
}
