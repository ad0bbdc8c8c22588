import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { safeFileName, uniqueFileName } from '../../../src/mime/file-name.ts'
import { growth, isLinear } from '../../support/linear.ts'

test.each([
  ['report.pdf', 'report.pdf'],
  ['žluť 日本.txt', 'žluť 日本.txt'],
  ['../../etc/passwd', 'passwd'],
  ['..\\..\\x', 'x'],
  ['C:\\dir\\evil.txt', 'evil.txt'],
  ['C:x', 'x'],
  ['\\\\host\\share', 'share'],
  ['/abs', 'abs'],
  ['a/b/', 'b'],
  ['file:///x', 'x'],
  ['%2e%2e%2f', '%2e%2e%2f'],
  ['nul\0in.txt', 'nulin.txt'],
  ['a\r\nb', 'ab'],
  ['\x1b[31mx', '[31mx'],
  ['exe.\u202efdp', 'exe.fdp'],
  ['a\u200b\ufeff\u2066b', 'ab'],
  ['\ud800a', 'a'],
  ['cafe\u0301', 'caf\u00e9'],
  ['a<b>:"|?*c', 'a_b______c'],
  ['x::$DATA', 'x'],
  ['x.txt:stream', 'x.txt_stream'],
  ['x.', 'x'],
  ['x . .', 'x'],
  ['  x ', 'x'],
  ['.htaccess', '_.htaccess'],
  ['-rf', '_-rf'],
  ['~', '_~'],
  ['CON', '_CON'],
  ['con.txt', '_con.txt'],
  ['Aux .tar.gz', '_Aux .tar.gz'],
  ['LPT¹', '_LPT¹'],
  ['com0.x', '_com0.x'],
  [`con${' '.repeat(300)}x.txt`, '_con.txt'],
  [`nul${' '.repeat(300)}x`, '_nul'],
  [`-${'x'.repeat(300)}.pdf`, `_-${'x'.repeat(194)}.pdf`],
  ['console.txt', 'console.txt'],
  ['', 'unnamed'],
  ['..', 'unnamed'],
  ['/', 'unnamed'],
  [' \u3000. ', 'unnamed'],
  [`${'x'.repeat(300)}.pdf`, `${'x'.repeat(196)}.pdf`],
  [`${'😀'.repeat(100)}.txt`, `${'😀'.repeat(49)}.txt`],
  [`a.${'b'.repeat(300)}`, `a.${'b'.repeat(198)}`],
])('%j becomes %j (M44)', (name, safe) => {
  expect(safeFileName(name)).toBe(safe)
})

test('what is safe stays as it is, fits, and is one piece of a path', () => {
  const unit = fc.oneof(
    fc.constantFrom('/', '\\', '.', ' ', ':', '-', '~', 'con', 'é', '😀', '\u0301', '\u202e', '\u3000', '$DATA', '::', 'x'.repeat(60)),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }),
  )
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 20 }), (pieces) => {
      const safe = safeFileName(pieces.join(''))
      expect(safeFileName(safe)).toBe(safe)
      expect(Buffer.byteLength(safe)).toBeLessThanOrEqual(200)
      expect(safe).not.toMatch(/[<>:"|?*\\/\p{Cc}\p{Cf}\p{Cs}]|^[.~\s-]|[.\s]$|^$/u)
    }),
    { seed: 20261122, numRuns: 3000 },
  )
})

test.each<[string, (count: number) => string]>([
  ['steps up', (count) => '../'.repeat(count)],
  ['dots', (count) => `${'.'.repeat(count)}x`],
  ['blanks', (count) => `a${' '.repeat(count)}b`],
  ['marks', (count) => `a${'\u0301'.repeat(count)}`],
])('takes %s in linear time', (_what, make) => {
  expect(growth(safeFileName, make, 200_000)).toSatisfy(isLinear)
})

test('names that some file system takes for one are told apart', () => {
  const taken = new Set<string>()
  const names = ['a.txt', 'A.TXT', 'a.txt', 'a (2).txt', 'caf\u00e9', 'cafe\u0301', 'STRASSE', 'straße', 'b']
  expect(names.map((name) => uniqueFileName(name, taken))).toEqual([
    'a.txt',
    'A (2).TXT',
    'a (3).txt',
    'a (2) (2).txt',
    'caf\u00e9',
    'cafe\u0301 (2)',
    'STRASSE',
    'straße (2)',
    'b',
  ])
})

test('10,000 equal names are unique, short enough and quick', () => {
  const taken = new Set<string>()
  const name = `${'x'.repeat(196)}.txt`
  const unique = Array.from({ length: 10_000 }, () => uniqueFileName(name, taken))
  expect(new Set(unique).size).toBe(10_000)
  expect(unique.every((one) => one.length <= 200 && one.endsWith('.txt'))).toBe(true)
})
