import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { DEFECTS, isAmbiguous } from '../../../src/mime/defect.ts'
import { sourceFiles } from '../../package/source.ts'

const page = readFileSync(new URL('../../../docs/defects.md', import.meta.url), 'utf8')

test('docs/defects.md is what its script makes of the source', () => {
  const script = fileURLToPath(new URL('../../../scripts/defects.mjs', import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' })
  expect(stdout + stderr).toBe('')
  expect(status).toBe(0)
})

test('docs/defects.md has a row for every code, with what the source says of it and a meaning', () => {
  const rows = [...page.matchAll(/^\| `([a-z0-9-]+)` \| (note|warning|serious) \| (|yes) \| (.+) \|$/gm)]
  const told = rows.map(([, code, severity, ambiguous]) => ({ code, severity, ambiguous: ambiguous === 'yes' }))
  expect(told).toEqual(Object.entries(DEFECTS).map(([code, { severity, ambiguous }]) => ({ code, severity, ambiguous })))
  for (const [, code, , , meaning] of rows) expect(meaning, code).toMatch(/^\S.{20,}\.$/)
})

test('every code is reported somewhere in the source', () => {
  const source = sourceFiles('src/mime')
    .filter(({ path }) => path !== 'src/mime/defect.ts')
    .map(({ text }) => text)
    .join('\n')
  expect(Object.keys(DEFECTS).filter((code) => !source.includes(`'${code}'`))).toEqual([])
})

test('codes that nobody knows are not ambiguous', () => {
  expect(isAmbiguous('bare-cr')).toBe(true)
  expect(isAmbiguous('bare-lf')).toBe(false)
  expect(isAmbiguous('toString')).toBe(false)
})
