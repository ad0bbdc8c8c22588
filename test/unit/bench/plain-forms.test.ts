import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  countLines,
  decodeQuotedPrintable,
  encodeBase64,
  encodeQuotedPrintable,
  findDelimiter,
  PlainDotStuffer,
  PlainDotUnstuffer,
  PlainFramer,
  TableBase64Decoder,
} from '../../../bench/micro/support/plain.ts'
import { OpenBoundaries, type Bounded } from '../../../src/mime/boundary.ts'
import { Base64Decoder, Base64Encoder } from '../../../src/mime/encoding/base64.ts'
import { QuotedPrintableDecoder, QuotedPrintableEncoder } from '../../../src/mime/encoding/quoted-printable.ts'
import { ContentFramer } from '../../../src/smtp/content.ts'
import { DotStuffer, DotUnstuffer } from '../../../src/wire/dots.ts'
import { LineSplitter } from '../../../src/wire/lines.ts'

const ignore = (): void => {}
const pieces = (...some: readonly string[]): fc.Arbitrary<Buffer> =>
  fc.array(fc.constantFrom(...some), { maxLength: 60 }).map((all) => Buffer.from(all.join(''), 'latin1'))

/** What both give for the same octets, in two chunks. */
function same(octets: fc.Arbitrary<Buffer>, fast: (chunks: Buffer[]) => Buffer, plain: (octets: Buffer) => Buffer): void {
  fc.assert(
    fc.property(octets, fc.nat(200), (whole, cut) => {
      expect(fast([whole.subarray(0, cut), whole.subarray(cut)]).toString('latin1')).toBe(plain(whole).toString('latin1'))
    }),
    { numRuns: 1000 },
  )
}

test('base64: what is measured as the plain form says the same', () => {
  same(
    fc.uint8Array({ maxLength: 3000 }).map((octets) => Buffer.from(octets)),
    (chunks) => {
      const encoder = new Base64Encoder()
      return Buffer.concat([...chunks.map((chunk) => encoder.encode(chunk)), encoder.end()])
    },
    encodeBase64,
  )
  same(
    fc.uint8Array({ maxLength: 999 }).map((octets) => encodeBase64(Buffer.from(octets.subarray(0, octets.length - (octets.length % 3))))),
    (chunks) => {
      const decoder = new Base64Decoder()
      return Buffer.concat([...chunks.map((chunk) => decoder.decode(chunk, ignore)), decoder.end(ignore)])
    },
    (octets) => new TableBase64Decoder().decode(octets),
  )
})

const encode = (chunks: readonly Buffer[]): Buffer => {
  const encoder = new QuotedPrintableEncoder()
  return Buffer.concat([...chunks.map((chunk) => encoder.encode(chunk)), encoder.end()])
}

test('quoted-printable: the encoder says what its plain form says of any octets', () => {
  const some = pieces('\r\n', '\r', '\n', ' ', '\t', '.', '=', 'From ', 'a word ', 'x', '\xfc', 'abcdefghijklmnopqrstuvwxyz'.repeat(3))
  same(some, encode, encodeQuotedPrintable)
  same(
    some.map((octets) => encode([octets])),
    (chunks) => {
      const decoder = new QuotedPrintableDecoder()
      return Buffer.concat([...chunks.map((chunk) => decoder.decode(chunk, ignore)), decoder.end(ignore)])
    },
    decodeQuotedPrintable,
  )
})

const all = (chunks: readonly Buffer[], dots: { push(chunk: Buffer): Buffer[] }): Buffer => Buffer.concat(chunks.flatMap((chunk) => dots.push(chunk)))

test('dots and content: the same', () => {
  const lines = pieces('\r\n', '.', '..', 'text').map((octets) => Buffer.concat([octets, Buffer.from('\r\n')]))
  same(
    lines,
    (chunks) => all(chunks, new DotStuffer()),
    (octets) => all([octets], new PlainDotStuffer()),
  )
  same(
    lines.map((octets) => all([octets], new DotStuffer())),
    (chunks) => all(chunks, new DotUnstuffer()),
    (octets) => all([octets], new PlainDotUnstuffer()),
  )
  const framing = { chunks: false, binary: false, eightBit: true, verify: false, maxLineOctets: 998, maxOctets: 1e9 }
  same(
    pieces('\r\n', '\n', '.', '..', 'text').map((octets) => Buffer.concat([octets, Buffer.from('\n')])),
    (chunks) => {
      const framer = new ContentFramer(framing)
      return Buffer.concat([...chunks.flatMap((chunk) => framer.push(chunk)), ...framer.end()])
    },
    (octets) => {
      const framer = new PlainFramer(true)
      return Buffer.concat([framer.push(octets), framer.end()])
    },
  )
})

test('lines: as many octets in them', () => {
  fc.assert(
    fc.property(
      pieces('\r\n', '\n', 'a', 'line').map((octets) => Buffer.concat([octets, Buffer.from('\n')])),
      (octets) => {
        const splitter = new LineSplitter(1e6)
        splitter.push(octets)
        let length = 0
        for (let line = splitter.next(); line !== undefined; line = splitter.next()) length += line.length
        expect(length).toBe(countLines(octets))
      },
    ),
  )
})

const LINES = pieces('\r\n', '\n', '--', '--b', '--bb', '--b--', '-', 'b', ' ', '\t', 'x', '\r')

/** The delimiters of a body, line by line: where each begins, and the boundary that it has. */
function delimiters(octets: Buffer, boundaries: readonly string[]): { line: number; boundary: string; close: boolean }[] {
  const found: { line: number; boundary: string; close: boolean }[] = []
  let line = 0
  const lines = octets.toString('latin1').split('\n')
  for (const [at, text] of lines.entries()) {
    const name = (at + 1 < lines.length ? text.replace(/\r$/, '') : text).replace(/[ \t]+$/, '')
    for (const boundary of boundaries) {
      if (name === `--${boundary}`) found.push({ line, boundary, close: false })
      else if (name === `--${boundary}--` && !boundaries.includes(`${boundary}--`)) found.push({ line, boundary, close: true })
    }
    line += text.length + 1
  }
  return found
}

test('the delimiter that is searched for is the first that a look at each line finds, of any open boundary', () => {
  fc.assert(
    fc.property(LINES, fc.uniqueArray(fc.constantFrom('b', 'bb', 'b--', 'x'), { maxLength: 3 }), (octets, boundaries) => {
      const open = new OpenBoundaries<Bounded>()
      for (const boundary of boundaries) open.open({ boundary })
      const { delimiter, end } = open.find(octets, 0, true, true, ignore)
      const [expected] = delimiters(octets, boundaries)
      expect(delimiter && { line: delimiter.line, boundary: delimiter.level.boundary, close: delimiter.close }).toEqual(expected ?? null)
      expect(end).toBeLessThanOrEqual(delimiter?.line ?? octets.length)
      // However much of it has come, what was called body stays body.
      for (let have = 0; have <= octets.length; have++) {
        const part = open.find(octets.subarray(0, have), 0, true, false, ignore)
        if (part.delimiter === null) expect(part.end).toBeLessThanOrEqual(end)
        else expect(part).toEqual({ end, delimiter })
      }
      if (boundaries[0] === 'bb') expect(findDelimiter(octets, 'bb')).toBe(delimiters(octets, ['bb']).some(({ close }) => !close))
    }),
    { numRuns: 2000 },
  )
})
