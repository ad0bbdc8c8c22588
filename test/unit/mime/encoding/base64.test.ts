import { randomBytes } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Base64Decoder, Base64Encoder, base64Length } from '../../../../src/mime/encoding/base64.ts'
import { everySplit } from '../../../support/every-split.ts'
import { cutAt, decodeChunks, type Decoded } from './decoding.ts'

/** A chunk of one octet never goes to the native decoder: what it makes of longer ones is compared to this. */
const decodePlain = (octets: Buffer): Decoded =>
  decodeChunks(
    new Base64Decoder(),
    Array.from(octets, (octet) => Buffer.of(octet)),
  )

const lines76 = (octets: Buffer): string => octets.toString('base64').replaceAll(/.{76}(?=.)/g, '$&\r\n')

test.each<[name: string, wire: string, text: string, defects: string[]]>([
  ['nothing', '', '', []],
  ['one quantum', 'SGVs', 'Hel', []],
  ['padding of one', 'SGVsbG8gV29ybGQ=', 'Hello World', []],
  ['padding of two', 'SGVsbA==\r\n', 'Hell', []],
  ['padding on a line of its own', 'SGVsbA=\r\n=\r\n', 'Hell', []],
  ['lines of any width, with blanks', 'S\r\nGV sb\tG8\ngV2\r\n9ybGQ= \r\n\r\n', 'Hello World', []],
  // question 59: padding in the middle
  ['a new quantum after padding', 'SGVsbG8=IFdvcmxk', 'Hello World', ['base64-after-padding@8']],
  ['a new block on the next line', 'SGVsbG8=\r\nIFdvcmxk', 'Hello World', ['base64-after-padding@10']],
  ['padding where none is due', 'SGVs=bG8gV29ybGQ=', 'Hello World', ['base64-after-padding@5', 'base64-padding@4']],
  ['three padded blocks', 'SGU=\r\nbGw=\r\nbyE=\r\n', 'Hello!', ['base64-after-padding@6']],
  ['padding that lacks its second half', 'SGVsbA=\r\nbyEh\r\n', 'Hello!!', ['base64-after-padding@9', 'base64-padding@9']],
  // question 60: a footer that a list appended
  ['a footer', 'SGVsbG8gV29ybGQ=\r\n\r\n_____\r\nlist mailing list', 'Hello World', ['base64-after-padding@20']],
  ['a footer of one word of odd length', 'SGVsbG8=\r\nRegards', 'Hello', ['base64-after-padding@10']],
  ['a footer with blanks before words', 'SGVsbG8=\r\n list\r\n', 'Hello', ['base64-after-padding@11']],
  // question 61: padding too long, too short, missing
  ['too much padding', 'SGVsbG8gV29ybGQ====\r\n', 'Hello World', ['base64-padding@16']],
  ['no padding', 'SGVsbG8gV29ybGQ', 'Hello World', ['base64-padding@15']],
  ['half the padding', 'SGVsbA=', 'Hell', ['base64-padding@7']],
  ['six odd bits at the end', 'SGVsbG8gV', 'Hello ', ['base64-truncated@9']],
  ['six odd bits before padding', 'SGVsb=\r\n', 'Hel', ['base64-truncated@5']],
  // question 62: junk, and the URL alphabet is junk
  ['junk', 'SG-Vs.bG8 g*V29y\r\n!bGQ=', 'Hello World', ['base64-junk@2']],
  ['URL alphabet', '-_8=SGVs', 'Hel', ['base64-after-padding@4', 'base64-junk@0', 'base64-truncated@3']],
  ['NUL and high bits', 'SG\0Vs\xc3\xa4', 'Hel', ['base64-junk@2']],
  ['only padding', '====', '', ['base64-padding@0']],
])('decodes %s, however it is chunked', (_name, wire, text, defects) => {
  for (const chunks of everySplit(wire)) expect(decodeChunks(new Base64Decoder(), chunks)).toEqual({ text, defects })
})

test('takes a line of more than 998 octets after padding for content', () => {
  const rest = randomBytes(3000)
  const wire = Buffer.from(`SGU=${rest.toString('base64')}!!!!`)
  const whole = decodePlain(wire)
  expect(whole).toEqual({ text: `He${rest.toString('latin1')}`, defects: ['base64-after-padding@4', 'base64-junk@4004'] })
  for (const size of [1, 7, 500, 998, 1002, 1003]) {
    const chunks = Array.from({ length: Math.ceil(wire.length / size) }, (_, index) => wire.subarray(index * size, (index + 1) * size))
    expect(decodeChunks(new Base64Decoder(), chunks)).toEqual(whole)
  }
})

test.each<[name: string, rest: string, text: string, defects: string[]]>([
  ['padding in it', 'QUE='.repeat(400), 'AA'.repeat(400), ['base64-after-padding@4']],
  ['half a padding in it', `${'QUFB'.repeat(300)}QQ=QUFB`, `${'AAA'.repeat(300)}AAAA`, ['base64-after-padding@4', 'base64-padding@1207']],
  ['a good line after it', `${'QUFB'.repeat(300)}\r\nQUFB`, 'AAA'.repeat(301), ['base64-after-padding@4']],
  ['a footer after it', `${'QUFB'.repeat(300)}\r\nbye bye`, 'AAA'.repeat(300), ['base64-after-padding@4']],
  ['a quantum that its line end cuts', `${'QUFB'.repeat(300)}QU\r\nFB QUFB`, 'AAA'.repeat(302), ['base64-after-padding@4']],
])('a long line after padding is content, with %s', (_name, rest, text, defects) => {
  const wire = Buffer.from(`SGU=${rest}`)
  for (const size of [1, 3, 997, 998, 1001, 1206, 5000]) {
    const chunks = Array.from({ length: Math.ceil(wire.length / size) }, (_, index) => wire.subarray(index * size, (index + 1) * size))
    expect(decodeChunks(new Base64Decoder(), chunks)).toEqual({ text: `He${text}`, defects })
  }
})

test.each<[name: string, line: string, text: string]>([
  ['996 digits', 'QUFB'.repeat(249), 'AAA'.repeat(249)],
  ['996 digits and blanks', `${'QUFB'.repeat(249)} \t`, 'AAA'.repeat(249)],
  ['996 digits with padding at the end', `${'QUFB'.repeat(248)}QQ==`, `${'AAA'.repeat(248)}A`],
  ['998 digits, which are no whole quanta', `${'QUFB'.repeat(249)}QU`, ''],
  ['1,000 digits', 'QUFB'.repeat(250), 'AAA'.repeat(250)],
  ['1,000 digits, then a blank and words', `${'QUFB'.repeat(250)} QUFB`, 'AAA'.repeat(251)],
  ['998 columns with a blank among them', `${'QUFB'.repeat(249)} Q`, ''],
  ['2,000 columns with a blank early on', `${'QUFB'.repeat(249)} ${'QUFB'.repeat(249)}`, ''],
])('after padding, judges a line of %s alike in any chunks', (_name, line, text) => {
  const wire = Buffer.from(`SGU=\r\n${line}\r\nQUFB\r\n`)
  for (const size of [1, 2, 5, 997, 1001, 1003, 1004, 1005, 1006, 1007, 3000]) {
    const chunks = Array.from({ length: Math.ceil(wire.length / size) }, (_, index) => wire.subarray(index * size, (index + 1) * size))
    expect(decodeChunks(new Base64Decoder(), chunks)).toEqual({ text: `He${text}AAA`, defects: ['base64-after-padding@6'] })
  }
})

test('the fast decoder says what the plain one says, of broken content in any chunks', () => {
  const corruption = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom('set', 'delete', 'insert'),
    text: fc.constantFrom('=', '-', '_', '==', '\r', '\n', '\r\n', ' ', 'A', '\0', '\x80', '*', '=\r\n', 'QUE='.repeat(20), ' '.repeat(998)),
  })
  fc.assert(
    fc.property(
      fc.nat({ max: 9000 }),
      fc.constantFrom(76, 60, 64, 73, 4, 1, 100_000),
      fc.constantFrom('\r\n', '\n', '\r'),
      fc.array(corruption, { maxLength: 6 }),
      fc.array(fc.nat(), { maxLength: 6 }),
      (length, width, lineEnd, corruptions, places) => {
        const digits = Buffer.from(Array.from({ length }, (_, index) => (index * 131 + (index >> 5)) & 255)).toString('base64')
        let wire = (digits.match(new RegExp(`.{1,${width}}`, 'g')) ?? []).join(lineEnd)
        for (const { at, kind, text } of corruptions) {
          const place = at % (wire.length + 1)
          wire = wire.slice(0, place) + (kind === 'delete' ? '' : text) + wire.slice(place + (kind === 'insert' ? 0 : text.length))
        }
        const octets = Buffer.from(wire, 'latin1')
        const plain = decodePlain(octets)
        expect(decodeChunks(new Base64Decoder(), [octets])).toEqual(plain)
        expect(decodeChunks(new Base64Decoder(), cutAt(octets, places))).toEqual(plain)
      },
    ),
    { numRuns: 300 },
  )
})

test('what the encoder makes comes back, in lines of 76 columns', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.array(fc.nat(), { maxLength: 4 }), (octets, places) => {
      const encoder = new Base64Encoder()
      const pieces = cutAt(Buffer.from(octets), places).map((chunk) => encoder.encode(chunk))
      const wire = Buffer.concat([...pieces, encoder.end()])
      expect(wire.toString('latin1')).toBe(lines76(Buffer.from(octets)))
      expect(wire.length).toBe(base64Length(octets.length))
    }),
  )
})

test('large content is encoded and decoded in blocks, one long line included', () => {
  const octets = randomBytes(1_000_003)
  const encoder = new Base64Encoder()
  const wire = Buffer.concat([encoder.encode(octets.subarray(0, 300_001)), encoder.encode(octets.subarray(300_001)), encoder.end()])
  expect(wire.length).toBe(base64Length(octets.length))
  expect(wire.toString('latin1')).toBe(lines76(octets))
  for (const form of [wire, Buffer.from(octets.toString('base64'))]) {
    for (const size of [form.length, 65_536, 16_001]) {
      const decoder = new Base64Decoder()
      const pieces: Buffer[] = []
      for (let at = 0; at < form.length; at += size) pieces.push(decoder.decode(form.subarray(at, at + size), expect.unreachable))
      pieces.push(decoder.end(expect.unreachable))
      expect(Buffer.concat(pieces).equals(octets)).toBe(true)
    }
  }
})
