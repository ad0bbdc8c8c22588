import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseMediaType } from '../../../../src/mime/field/content-fields.ts'
import { formatNameParameter, formatParameter, formatStructured } from '../../../../src/mime/field/fold.ts'
import { parseParameters } from '../../../../src/mime/field/parameters.ts'
import { growth, isLinear } from '../../../support/linear.ts'
import { ignore, octets, reports, unfold } from '../../../support/reports.ts'

test.each<[about: string, body: string, values: Record<string, string>, codes?: string[]]>([
  ['a token', 'charset=utf-8', { charset: 'utf-8' }],
  ['names in any case', 'CharSet=UTF-8', { charset: 'UTF-8' }],
  ['a quoted-string', 'name="a \\"b\\" \\\\ c"', { name: 'a "b" \\ c' }],
  ['blanks and comments anywhere (45)', ' (a;b) ; (c) charset = (d) "utf-8" (e)', { charset: 'utf-8' }],
  ['a comment after a token', 'charset=us-ascii (Plain text)', { charset: 'us-ascii' }],
  ['a missing semicolon (45)', 'charset=utf-8 format=flowed', { charset: 'utf-8', format: 'flowed' }, ['parameter-syntax']],
  ['a comma instead of a semicolon (45)', 'charset=utf-8, name=x', { charset: 'utf-8', name: 'x' }, ['parameter-syntax']],
  ['empty parameters (46)', ';;; = ;; name="v";', { name: 'v' }, ['parameter-syntax']],
  ['a boundary without the quotes it needs (15)', 'boundary=_a=b:c/d?e_; x=y', { boundary: '_a=b:c/d?e_', x: 'y' }],
  ['apostrophes as they are (16)', "boundary='foo'", { boundary: "'foo'" }],
  ['a missing end quote (17)', 'boundary="foo; x=y', { boundary: 'foo; x=y' }, ['parameter-syntax']],
  ['an empty quoted value', 'boundary=""', { boundary: '' }],
  ['nothing after the equals sign', 'name=; x=y', { x: 'y' }, ['parameter-syntax']],
  ['a pure name', 'attachment; x=y', { x: 'y' }, ['parameter-syntax']],
  ['the first of two (48)', 'filename=one; filename=two', { filename: 'one' }, ['duplicate-parameter']],
  ['continuations in any order (18)', 'b*1=o; b*0=fo', { b: 'foo' }],
  ['continuations up to a gap (51)', 'f*1=b; f*0=a; f*3=d', { f: 'ab' }, ['parameter-gap']],
  ['no continuation without a first', 'f*1=b', {}, ['parameter-gap']],
  ['the first of two equal pieces (51)', 'f*0=a; f*0=x; f*1=b', { f: 'ab' }, ['duplicate-parameter']],
  ['numbers that are none (51)', 'f*0=a; f*01=b; f*1a=c; f**=d; f*-1=e', { f: 'a' }, ['parameter-syntax']],
  ['a number beyond all bounds', 'f*0=a; f*999999999=b; f*4294967296=c', { f: 'a' }, ['parameter-syntax', 'parameter-gap']],
  ['a charset and a language', "t*=iso-8859-1'en-us'%A3%20rates", { t: '£ rates' }],
  ['plain and encoded pieces', "t*0*=us-ascii'en'a%20; t*1*=%2A%2a; t*2=\"it's 100%25\"", { t: "a **it's 100%25" }],
  ['a character cut by pieces (52)', "f*0*=utf-8''%E2%82; f*1*=%AC.txt", { f: '€.txt' }],
  ['shift states cut by pieces (52)', "f*0*=iso-2022-jp''%1B%24BF%7C; f*1*=K%5C%1B%28B", { f: '日本' }],
  ['broken percent signs (53)', "f*=utf-8''a%ZZb%4", { f: 'a%ZZb%4' }, ['parameter-encoding']],
  ['no apostrophes (53)', 'f*=noquotes.txt', { f: 'noquotes.txt' }, ['parameter-encoding']],
  ['quotes around an extended value (53)', 'f*="utf-8\'\'q%20x.txt"', { f: 'q x.txt' }],
  ['no charset name (54)', "f*=''a%C5%BE.txt", { f: 'až.txt' }],
  ['an unknown charset (54)', "f*=x-nope''a%E9.txt", { f: 'aé.txt' }, ['unknown-charset']],
  ['a charset that is a path (M45)', "f*=../x''a", { f: 'a' }, ['unknown-charset']],
  ['an encoded-word in quotes (55)', 'filename="=?utf-8?B?xb5sdcWlLnR4dA==?="', { filename: 'žluť.txt' }, ['encoded-word-in-parameter']],
  ['two encoded-words (55)', 'filename="=?utf-8?Q?=C5=BElu?= =?utf-8?Q?=C5=A5.txt?="', { filename: 'žluť.txt' }, ['encoded-word-in-parameter']],
  ['an encoded-word in an extended value (55)', 'f*="=?utf-8?Q?=C5=BE?="', { f: 'ž' }, ['parameter-encoding', 'encoded-word-in-parameter']],
  ['encoded-words in continuations', 'f*0="=?utf-8?Q?=C5"; f*1="=BE?="', { f: 'ž' }, ['encoded-word-in-parameter']],
  ['raw UTF-8 (56)', octets('filename="žluť.txt"'), { filename: 'žluť.txt' }, ['raw-8bit-header']],
  ['raw octets that are no UTF-8', 'filename="caf\xe9"', { filename: 'café' }, ['raw-8bit-header']],
  ['the extended form before the plain one (49)', "f=plain.txt; f*=utf-8''st%C3%A1r.txt", { f: 'stár.txt' }, ['parameter-conflict']],
  ['both forms alike (49)', "f=a; f*=utf-8''a", { f: 'a' }],
  ['the plain one where the extended one is broken (49)', "f=plain; f*=utf-8''%FF", { f: 'plain' }, ['invalid-charset-octets', 'parameter-conflict']],
  ['the plain boundary before any other (M6)', "boundary=a; boundary*=utf-8''b; boundary*0=c", { boundary: 'a' }, ['parameter-conflict']],
  ['a boundary in pieces (18)', 'boundary*0=fo; boundary*1=o', { boundary: 'foo' }],
  ['a boundary never decoded (M6)', 'boundary="=?utf-8?Q?x?="', { boundary: '=?utf-8?Q?x?=' }],
  ['a boundary as octets', octets('boundary="é"'), { boundary: 'Ã©' }],
  ['NUL dropped and line breaks replaced (M44)', 'f="nul\0in"; g*=utf-8\'\'a%0D%0ABcc:%00x', { f: 'nulin', g: 'a Bcc:x' }, ['encoded-line-break']],
  ['a file name without quotes', 'filename=my report (1).pdf; x=y', { filename: 'my report (1).pdf', x: 'y' }, ['parameter-syntax']],
  ['a comment after a file name', 'filename=a.txt (a comment); x=y', { filename: 'a.txt', x: 'y' }],
  ['a file name before another parameter', 'filename=a.txt size=3', { filename: 'a.txt', size: '3' }, ['parameter-syntax']],
  [
    'encoded-words without quotes',
    'name==?utf-8?B?w6E=?= =?utf-8?Q?=C3=A9?=.gif',
    { name: 'áé.gif' },
    ['parameter-syntax', 'invalid-encoded-word', 'encoded-word-in-parameter'],
  ],
  ['encoded-words of two charsets in one name (55)', 'f="=?utf-8?Q?=C3=A1?= =?iso-8859-1?B?6Q==?="', { f: 'áé' }, ['encoded-word-in-parameter']],
  [
    'shift states cut by encoded-words (67)',
    'f="=?iso-2022-jp?B?GyRCRnw=?= =?ISO-2022-JP?B?S1w4bBsoQg==?="',
    { f: '日本語' },
    ['encoded-word-in-parameter'],
  ],
  ['a charset that is only half decoded (58)', 'charset=3D"utf-8"; x=y', { charset: '3D"utf-8"', x: 'y' }],
  ['a comma inside a value', 'x=a,b, c=d; filename=a,b=c.txt', { x: 'a,b', c: 'd', filename: 'a,b=c.txt' }, ['parameter-syntax']],
  ['a comma at the end', 'x=a, ; filename=b,', { x: 'a,', filename: 'b,' }],
  ['quotes inside a file name', 'filename="my "best" file.pdf"; x=y', { filename: 'my "best" file.pdf', x: 'y' }, ['parameter-syntax']],
  ['a Windows path that nobody escaped, as everybody does', 'filename="C:\\dir\\x.txt"', { filename: 'C:dirx.txt' }],
  ['a Windows path', 'filename="C:\\\\dir\\\\x.txt"', { filename: 'C:\\dir\\x.txt' }],
  [
    'names of object members (M46)',
    '__proto__=a; constructor=b',
    Object.fromEntries([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]),
  ],
  ['an unclosed comment', 'a=b (c=d; e=f', { a: 'b' }],
])('reads %s', (_about, body, values, codes = []) => {
  const seen = reports()
  expect([...parseParameters(body, 0, seen.report, 1000)]).toEqual(Object.entries(values))
  expect(seen.codes).toEqual(codes)
})

test('reads no more than the limit', () => {
  const seen = reports()
  const body = Array.from({ length: 1001 }, (_, at) => `p${at}=x`).join(';')
  expect(parseParameters(body, 0, seen.report, 1000).size).toBe(1000)
  expect(seen.codes).toEqual(['parameters-limit'])
})

test.each<[string, (count: number) => string]>([
  ['semicolons', (count) => ';'.repeat(count)],
  ['parameters', (count) => Array.from({ length: count }, (_, at) => `p${at}=x`).join(';')],
  ['continuations', (count) => Array.from({ length: count }, (_, at) => `f*${at}=x`).join(';')],
  ['words without a value', (count) => 'a '.repeat(count)],
  ['parentheses', (count) => '('.repeat(count)],
  ['parentheses in a file name', (count) => `filename=${'(a '.repeat(count)}`],
  ['quotes in a file name', (count) => `filename="${'"a '.repeat(count)}`],
  ['blanks in a file name', (count) => `filename=a${' b'.repeat(count)}`],
  ['backslashes', (count) => `a="${'\\'.repeat(count)}`],
  ['percent signs', (count) => `a*=utf-8''${'%25'.repeat(count)}`],
  ['encoded-words', (count) => `a="${'=?utf-8?q?'.repeat(count)}"`],
])('reads %s in linear time (M24, M25)', (_what, make) => {
  expect(growth((body) => parseParameters(body, 0, ignore, 1_000_000), make, 20_000)).toSatisfy(isLinear)
})

test.each([
  ['charset', 'utf-8', ['charset=utf-8']],
  ['filename', 'a b.txt', ['filename="a b.txt"']],
  ['filename', 'a"b\\c', ['filename="a\\"b\\\\c"']],
  ['filename', '', ['filename=""']],
  ['filename', 'é.txt', ["filename*=UTF-8''%C3%A9.txt"]],
  ['filename', '=?utf-8?q?x?=', ["filename*=UTF-8''%3D%3Futf-8%3Fq%3Fx%3F%3D"]],
  ['filename', '€'.repeat(8), ["filename*0*=UTF-8''%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC", 'filename*1*=%E2%82%AC%E2%82%AC']],
])('writes %s %s', (name, value, pieces) => {
  expect(formatParameter(name, value)).toEqual(pieces)
})

test('writes a name for readers without RFC 2231', () => {
  expect(formatNameParameter('a.txt')).toBe('name=a.txt')
  expect(formatNameParameter('a*.txt')).toBe('name="a*.txt"') // Python takes the asterisk for RFC 2231's
  expect(formatNameParameter('é.txt')).toBe('name="=?utf-8?B?w6kudHh0?="')
})

test('folds before parameters', () => {
  expect(formatStructured('Content-Type', 'text/plain', ['charset=utf-8', `name="${'x'.repeat(60)}"`])).toBe(
    `Content-Type: text/plain; charset=utf-8;\r\n name="${'x'.repeat(60)}"`,
  )
})

test.each(['a\rb', 'a\nb', 'a\0b', '\ud800'])('refuses the value %j (S9)', (value) => {
  for (const write of [() => formatParameter('filename', value), () => formatNameParameter(value)]) {
    expect(write).toThrow(expect.objectContaining({ code: 'ERR_HEADER' }))
  }
})

test.each(['', 'a b', 'a*', 'é', 'a=b'])('refuses the parameter name %j', (name) => {
  expect(() => formatParameter(name, 'x')).toThrow(expect.objectContaining({ code: 'ERR_HEADER' }))
})

const text = fc.string({ unit: 'binary', maxLength: 300 }).filter((value) => !/[\r\n\0]/.test(value))

test('what is written is read again (M50)', () => {
  fc.assert(
    fc.property(
      text,
      fc.string({ unit: 'grapheme', maxLength: 60 }).filter((value) => !/[\r\n\0]/.test(value)),
      (value, title) => {
        const field = formatStructured('Content-Type', 'application/octet-stream', [
          ...formatParameter('filename', value),
          ...formatParameter('title', title),
        ])
        expect(field).toMatch(/^[\r\n\x20-\x7e]*$/)
        for (const line of field.split('\r\n')) expect(line.length).toBeLessThanOrEqual(78)
        const seen = reports()
        const read = parseMediaType(unfold(field), seen.report)
        expect([...read.parameters]).toEqual([
          ['filename', value],
          ['title', title],
        ])
        expect(seen.codes.filter((code) => code !== 'invalid-charset-octets')).toEqual([])
      },
    ),
    { seed: 20261122, numRuns: 500 },
  )
})

test('a name in encoded-words is read again', () => {
  fc.assert(
    fc.property(text, (value) => {
      const field = formatStructured('Content-Type', 'text/plain', [formatNameParameter(value), 'charset=utf-8'])
      for (const line of field.split('\r\n')) expect(line.length).toBeLessThanOrEqual(line.includes('=?') ? 76 : 78)
      expect(parseMediaType(unfold(field), ignore).parameters).toEqual(
        new Map([
          ['name', value],
          ['charset', 'utf-8'],
        ]),
      )
    }),
    { seed: 20261122, numRuns: 500 },
  )
})
