import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatAddressList } from '../../../../src/mime/field/address.ts'
import { formatNameParameter, formatStructured, formatUnstructured } from '../../../../src/mime/field/fold.ts'
import { decodeUnstructured } from '../../../../src/mime/field/scan.ts'
import { growth, isLinear } from '../../../support/linear.ts'
import { ignore, octets, reports, unfold } from '../../../support/reports.ts'

test.each<[body: string, text: string, codes?: string[]]>([
  [' hello  world\t', 'hello  world'],
  ['', ''],
  ['=?iso-8859-1?q?=E9?=', 'é'],
  ['=?UTF-8?b?w6k=?=', 'é'],
  ['=?utf-8?q?a_b?= c', 'a b c'],
  ['=?utf-8?Q?a=E2=82?= =?utf-8?Q?=ACb?=', 'a€b'], // 67
  ['=?utf-8?Q?=E2=82?=   =?UTF-8?B?rGI=?=', '€b'],
  ['=?iso-2022-jp?B?GyRCRnw=?= =?iso-2022-jp?B?S1w4bBsoQg==?=', '日本語'],
  ['=?iso-8859-1?q?a?= =?iso-8859-2?q?=B1?=', 'aą'],
  ['=?utf-8?Q?=E2=82?= =?utf8?Q?=AC?=', '€'], // two labels of one charset
  ['=?utf-8?q?a?==?utf-8?q?b?=', 'ab', ['invalid-encoded-word']],
  ['=?utf-8?q?what=3F?= =?utf-8?q??= !', 'what? !'],
  ['=?utf-8?q?a?= b =?utf-8?q?c?=', 'a b c'],
  ['abc=?utf-8?Q?d?=efg =?utf-8?Q?h?=, i', 'abcdefg h, i', ['invalid-encoded-word']], // 68
  ['=?utf-8?Q?a b c?= d', 'a b c d', ['invalid-encoded-word']],
  ['=?utf-8?B?YWJj', '=?utf-8?B?YWJj'],
  ['=?utf-8?B?YWJj =?utf-8?B?ZGVm?=', '=?utf-8?B?YWJj def'],
  ['=?utf-8?x?abc?= =? =?utf-8?= =???= =??q?a?=', '=?utf-8?x?abc?= =? =?utf-8?= =???= =??q?a?='],
  ['=?x-nope?Q?a=E9b?= c', 'aéb c', ['unknown-charset']], // 69
  ['=?utf-8?B?YW Jj?= =?utf-8?B?YWI?= =?utf-8?B?Y===?=', 'abcab', ['invalid-encoded-word']],
  ['=?utf-8?B?YWI=Yw==?=', 'abc', ['invalid-encoded-word']],
  ['=?us-ascii*en?Q?hi_there?=', 'hi there'],
  ['=?utf-8?Q?a=0D=0ABcc:_x@y.test?=', 'a Bcc: x@y.test', ['encoded-line-break']], // 70
  ['=?utf-8?B?YQ0KAGI=?=', 'a  b', ['encoded-line-break']],
  ['=?utf-8?Q?=G1=4?=', '=G1=4', ['invalid-encoded-word']],
  ['=?utf-8?Q?=FF?=', '\ufffd', ['invalid-charset-octets']],
  [octets('café ž'), 'café ž', ['raw-8bit-header']], // 43
  ['caf\xe9 \xc5\xbe', 'café Å¾', ['raw-8bit-header']],
  [`${octets('ž')} =?utf-8?q?a?=`, 'ž a', ['raw-8bit-header']],
  ['one\rX-Injected: two', 'one X-Injected: two'], // 34
  ['a\0b', 'a\ufffdb'], // 35
])('decodes %j', (body, text, codes = []) => {
  const seen = reports()
  expect(decodeUnstructured(body, seen.report)).toBe(text)
  expect(seen.codes).toEqual(codes)
})

test('reports where', () => {
  const seen = reports()
  decodeUnstructured(' a =?x-nope?q?b?= \xe9', seen.report)
  expect(seen.offsets).toEqual([18, 3])
})

test.each<[string, (count: number) => string]>([
  ['words without an end', (count) => '=?utf-8?q?'.repeat(count)],
  ['words without an end, apart', (count) => '=?utf-8?q? '.repeat(count)],
  ['words without an end before one', (count) => `${'=?utf-8?q?a '.repeat(count)}?=`],
  ['neighbours', (count) => '=?utf-8?q?a?= '.repeat(count)],
  ['neighbours of two charsets', (count) => '=?utf-8?q?a?= =?x?q?b?= '.repeat(count)],
  ['a long word', (count) => `=?utf-8?q?${'='.repeat(10 * count)}?=`],
  ['a long charset', (count) => `=?${'x'.repeat(10 * count)}`],
  ['question marks', (count) => '?'.repeat(10 * count)],
  ['starts', (count) => '=?'.repeat(10 * count)],
])('decodes %s in linear time (M27)', (_what, make) => {
  expect(growth((body) => decodeUnstructured(body, ignore), make, 20_000)).toSatisfy(isLinear)
})

test('writes plain text as it is, folded at its blanks', () => {
  expect(formatUnstructured('Subject', 'hello world')).toBe('Subject: hello world')
  expect(formatUnstructured('Subject', '')).toBe('Subject:')
  const text = 'word '.repeat(40).trim()
  const field = formatUnstructured('Subject', text)
  expect(field.split('\r\n').every((line) => line.length <= 78)).toBe(true)
  expect(unfold(field).trim()).toBe(text)
})

test('a line with an encoded-word ends at 76, whatever stands behind the word (RFC 2047 §2)', () => {
  for (let length = 1; length < 69; length++) {
    const word = 'x'.repeat(length)
    const fields = [
      formatUnstructured('Subject', `${word} ü ${word} end of it`),
      formatAddressList('To', [
        { name: `ü ${word}`, address: 'anna@a.test' },
        { name: '', address: 'b@b.test' },
      ]),
      formatStructured('Content-Type', 'text/plain', [formatNameParameter(`ü${word}${word}`), 'x=y']),
      formatStructured('Content-Type', 'text/plain', [formatNameParameter(`ü${word}${word}`)]),
    ]
    for (const line of fields.join('\r\n').split('\r\n')) expect(line.length).toBeLessThanOrEqual(line.includes('=?') ? 76 : 78)
  }
})

test('writes no more encoded-words than it must', () => {
  expect(formatUnstructured('Subject', 'Müller and Söhne report')).toBe('Subject: =?utf-8?Q?M=C3=BCller?= and =?utf-8?B?U8O2aG5l?= report')
  expect(formatUnstructured('Subject', '日本 語')).toBe('Subject: =?utf-8?B?5pel5pysIOiqng==?=')
  expect(formatUnstructured('Subject', '=?utf-8?q?x?=')).toContain('=?utf-8?')
})

test.each(['a\rb', 'a\nBcc: x', 'a\0', '\ud800', 'x\udc00'])('refuses %j and does not repeat it (S9)', (value) => {
  expect(() => formatUnstructured('Subject', value)).toThrow(
    expect.objectContaining({ code: 'ERR_HEADER', phase: 'compose', message: expect.stringMatching(/^Subject: /) as unknown }),
  )
})

test.each(['', 'a b', 'a:', 'X\r\nBcc', 'ä', 'a'.repeat(300)])('refuses the field name %j (S9)', (name) => {
  expect(() => formatUnstructured(name, 'x')).toThrow(expect.objectContaining({ code: 'ERR_HEADER' }))
})

const pieces = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(' ', '  ', '\t', ' '.repeat(50), '=?', '?=', '=?utf-8?q?', 'é', '日本語'.repeat(30), '😀', 'x'.repeat(80), 'word', ','),
)
const text = fc
  .array(pieces, { maxLength: 12 })
  .map((list) => list.join(''))
  .filter((value) => !/[\r\n\0]/.test(value))

test('what is written is read again (M50, S10)', () => {
  fc.assert(
    fc.property(text, (value) => {
      const field = formatUnstructured('Subject', value)
      expect(field).toMatch(/^Subject:[\r\n\t\x20-\x7e]*$/)
      for (const line of field.split('\r\n').slice(1)) expect(line).toMatch(/^[ \t]+[^ \t]/)
      for (const line of field.split('\r\n')) expect(line.length).toBeLessThanOrEqual(/[^ ]{70}/.test(line) ? 998 : 78)
      expect(decodeUnstructured(unfold(field), ignore)).toBe(value)
    }),
    { seed: 20261122, numRuns: 1000 },
  )
})

test.each<[string, (count: number) => string]>([
  ['beyond ASCII', (count) => 'é日 '.repeat(count)],
  ['without blanks', (count) => 'x'.repeat(4 * count)],
  ['of blanks', (count) => ' '.repeat(4 * count)],
  ['of words', (count) => 'a '.repeat(4 * count)],
])('writes a long text %s in linear time and short lines (S10)', (_what, make) => {
  expect(growth((value) => formatUnstructured('Subject', value), make, 20_000)).toSatisfy(isLinear)
  for (const line of formatUnstructured('Subject', make(1000)).split('\r\n')) expect(line.length).toBeLessThanOrEqual(998)
})
