import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { QuotedPrintableDecoder, QuotedPrintableEncoder } from '../../../../src/mime/encoding/quoted-printable.ts'
import { everySplit } from '../../../support/every-split.ts'
import { cutAt, decodeChunks } from './decoding.ts'

test.each<[name: string, wire: string, text: string, defects: string[]]>([
  ['nothing', '', '', []],
  ['plain text', 'abc def\r\nghi', 'abc def\r\nghi', []],
  ['octets', 'c=C3=A1=3D=00', 'c\xc3\xa1=\0', []],
  ['lower case', 'c=c3=a1', 'c\xc3\xa1', []],
  ['a soft break', 'abc=\r\ndef', 'abcdef', []],
  ['a soft break of one LF', 'abc=\ndef', 'abcdef', []],
  ['a soft break with blanks after it', 'abc= \t\r\ndef', 'abcdef', ['quoted-printable-blank@3']],
  ['blanks before a soft break', 'abc \t=\r\n\r\ndef', 'abc \t\r\ndef', []],
  ['two soft breaks', 'abc =\r\n=\r\n def', 'abc  def', []],
  ['line ends as they were', 'a\r\nb\nc\rd', 'a\r\nb\nc\rd', []],
  ['blanks before a line end', 'a \t\r\nb\t \n \r\n', 'a\r\nb\n\r\n', []],
  ['blanks that were encoded before a line end', 'a=20 \r\nb =09\n', 'a \r\nb \t\n', []],
  ['blanks before a lone CR', 'a \rb \r', 'a \rb \r', []],
  ['an encoded CR before LF', 'a =0D\nb', 'a \r\nb', []],
  ['blanks at the end', 'abc \t', 'abc', []],
  ['= at the end', 'abc=', 'abc', []],
  ['= and blanks at the end', 'abc =  ', 'abc ', []],
  // question 63, M10
  ['one digit', 'a=4 b', 'a=4 b', ['quoted-printable-invalid@1']],
  ['one digit at the end', 'a=4', 'a=4', ['quoted-printable-invalid@1']],
  ['no digits', 'a=XY=4G', 'a=XY=4G', ['quoted-printable-invalid@1']],
  ['= before =', 'h ==41 =', 'h =A ', ['quoted-printable-invalid@2']],
  ['= before a lone CR', 'a=\rb', 'a=\rb', ['quoted-printable-invalid@1']],
  ['= and a lone CR at the end', 'a= \r', 'a= \r', ['quoted-printable-invalid@1']],
  ['= before two CRs', 'a=\r\r\nb', 'a=\r\r\nb', ['quoted-printable-invalid@1']],
  ['octets with the high bit', 'a\xe4\r\n\xf6', 'a\xe4\r\n\xf6', ['quoted-printable-8bit@1']],
  [
    'all of that',
    'a=4 b=XY c=c3=a1 d= \r\ne=  \r\nf\t \t\r\ng=3D=\r\nh ==41 =',
    'a=4 b=XY c\xc3\xa1 d\x65f\r\ng=h =A ',
    ['quoted-printable-blank@18', 'quoted-printable-invalid@1'],
  ],
])('decodes %s, however it is chunked', (_name, wire, text, defects) => {
  for (const chunks of everySplit(wire)) expect(decodeChunks(new QuotedPrintableDecoder(), chunks)).toEqual({ text, defects })
})

test.each([
  ['998 blanks at the end of a line are padding', 998, true],
  ['999 are content', 999, false],
  ['and so are ten million', 10_000_000, false],
])('%s', (_name, count, padding) => {
  const blanks = ' '.repeat(count)
  const long = count > 10_000
  for (const [wire, text] of [
    [`a${blanks}\r\nb`, padding ? 'a\r\nb' : `a${blanks}\r\nb`],
    [`a${blanks}b`, `a${blanks}b`],
    [`a=${blanks}\r\nb`, padding ? 'ab' : `a=${blanks}\r\nb`],
  ] as const) {
    const octets = Buffer.from(wire)
    for (const size of long ? [65_536, octets.length] : [1, 97, 500, 999, 1000, 1001, octets.length]) {
      const chunks = Array.from({ length: Math.ceil(octets.length / size) }, (_, index) => octets.subarray(index * size, (index + 1) * size))
      expect(decodeChunks(new QuotedPrintableDecoder(), chunks).text === text).toBe(true)
    }
  }
})

/** The rules in one expression: what the decoder is compared to. */
const decodePlain = (wire: string): string =>
  wire.replaceAll(/=([0-9A-F]{2})|=[ \t]{0,998}(?:\r?\n|$)|(?<![ \t])[ \t]{1,998}(?=\r?\n|$)/gi, (_, digits: string | undefined) =>
    digits === undefined ? '' : String.fromCharCode(Number.parseInt(digits, 16)),
  )

test('says what the plain rules say of any octets, in any chunks', () => {
  const token = fc.constantFrom('=', '==', '=4', '=41', '=0D', '=20', ' ', '\t', '\r', '\n', '\r\n', 'a', 'From ', '.', '\xff', '\0', ' '.repeat(600))
  fc.assert(
    fc.property(fc.array(token, { maxLength: 40 }), fc.array(fc.nat(), { maxLength: 8 }), (tokens, places) => {
      const octets = Buffer.from(tokens.join(''), 'latin1')
      const whole = decodeChunks(new QuotedPrintableDecoder(), [octets])
      expect(whole.text).toBe(decodePlain(tokens.join('')))
      expect(decodeChunks(new QuotedPrintableDecoder(), cutAt(octets, places))).toEqual(whole)
      expect(
        decodeChunks(
          new QuotedPrintableDecoder(),
          Array.from(octets, (octet) => Buffer.of(octet)),
        ),
      ).toEqual(whole)
    }),
    { numRuns: 500 },
  )
})

function encode(chunks: readonly Buffer[]): string {
  const encoder = new QuotedPrintableEncoder()
  return Buffer.concat([...chunks.map((chunk) => encoder.encode(chunk)), encoder.end()]).toString('latin1')
}

test.each([
  ['line ends', 'a\r\nb', 'a\r\nb'],
  ['lone CR and LF', 'a\rb\nc\r\r\n\n', 'a=0Db=0Ac=0D\r\n=0A'],
  ['a CR at the end', 'a\r', 'a=0D'],
  ['blanks at the end of a line', 'a \r\nb\t', 'a=20\r\nb=09'],
  ['blanks only', ' \t \r\n\t', ' \t=20\r\n=09'],
  ['"From " at the start of a line', 'From me\r\nFrom', '=46rom me\r\nFrom'],
  ['"From " at the start of a soft line', `${'x'.repeat(75)}From me`, `${'x'.repeat(75)}=\r\n=46rom me`],
  ['a dot at the start of a line', '.\r\n.a\r\na.', '=2E\r\n=2Ea\r\na.'],
  ['equals signs, controls and the high bit', '=\0\x7f\xe4', '=3D=00=7F=E4'],
  ['76 columns', 'x'.repeat(76), 'x'.repeat(76)],
  ['77 columns', 'x'.repeat(77), `${'x'.repeat(75)}=\r\nxx`],
  ['76 columns and a line end', `${'x'.repeat(76)}\r\n`, `${'x'.repeat(76)}\r\n`],
  ['an octet that would cross the last column', `${'x'.repeat(73)}\xe4x`, `${'x'.repeat(73)}=\r\n=E4x`],
])('encodes %s, however it is chunked', (_name, octets, wire) => {
  for (const chunks of everySplit(octets)) expect(encode(chunks)).toBe(wire)
})

test('what the encoder makes is legal and comes back', () => {
  const tokens = ['=', ' ', '\t', '\r\n', 'a', 'From ', '.', '\xff', '\0', 'x'.repeat(74), ' '.repeat(75), '\xe4'.repeat(25), '\r', '\n']
  const octet = fc.nat({ max: 255 }).map((code) => String.fromCharCode(code))
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constantFrom(...tokens), octet), { maxLength: 40 }), fc.array(fc.nat(), { maxLength: 4 }), (pieces, places) => {
      const octets = Buffer.from(pieces.join(''), 'latin1')
      const wire = encode(cutAt(octets, places))
      expect(wire).toBe(encode([octets]))
      for (const line of wire.split('\r\n')) {
        expect(line.length).toBeLessThanOrEqual(76)
        expect(line).toMatch(/^(?!From |\.)[\t -~]*$/)
        expect(line).not.toMatch(/[ \t]$/)
      }
      expect(decodeChunks(new QuotedPrintableDecoder(), [Buffer.from(wire, 'latin1')])).toEqual({ text: octets.toString('latin1'), defects: [] })
    }),
    { numRuns: 300 },
  )
})
