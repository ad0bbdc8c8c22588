import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { CR, DOT, LF } from '../../../src/bytes.ts'
import { BLOCK_OCTETS, blocks, ContentFramer, measure, type Framing } from '../../../src/smtp/content.ts'
import { everySplit } from '../../support/every-split.ts'

const DATA: Framing = { chunks: false, binary: false, eightBit: true, verify: false, maxLineOctets: 998 }

/** The same as ContentFramer for DATA, octet by octet and all at once: what must come out. */
function plainly(content: Buffer): Buffer {
  const repaired: number[] = []
  for (const [at, octet] of content.entries()) {
    if (octet === LF && content[at - 1] === CR) continue
    if (octet === CR || octet === LF) repaired.push(CR, LF)
    else repaired.push(octet)
  }
  if (repaired.length > 0 && repaired.at(-1) !== LF) repaired.push(CR, LF)
  const wire: number[] = []
  for (const [at, octet] of repaired.entries()) {
    if (octet === DOT && (at === 0 || repaired[at - 1] === LF)) wire.push(DOT)
    wire.push(octet)
  }
  return Buffer.from([...wire, DOT, CR, LF])
}

function framed(chunks: readonly Buffer[]): { wire: Buffer; last: Buffer; octets: number } {
  const framer = new ContentFramer(DATA)
  const views = chunks.flatMap((chunk) => framer.push(chunk))
  const end = framer.end()
  return { wire: Buffer.concat([...views, ...end]), last: end.at(-1) ?? Buffer.alloc(0), octets: framer.octets }
}

test.each([
  '',
  '.',
  '..',
  '\r',
  '\n',
  '\r\n',
  '.\r\n',
  '\n.\n',
  '\r.\r',
  '\n.\r\n',
  '\r\n.\n',
  '\r.\r\n',
  '\r\n.\r',
  '\n.\r',
  '\r\r\n.\r\r\n',
  '\r\n.\r\r\n',
  '\r\r\n.\r\n',
  'a\r\n.\r\nb',
  '.a\r\n..b\r\n.\r\n',
  'last line\r\n.',
  'a\r\n\r',
  'Subject: x\n\nline\n.\nMAIL FROM:<e@e>\n',
])('S12: %j is CRLF only and ends once, however it is chunked', (content) => {
  const expected = plainly(Buffer.from(content))
  for (const chunks of everySplit(content)) {
    const { wire, last, octets } = framed(chunks)
    expect(wire.toString('latin1')).toBe(expected.toString('latin1'))
    // In one piece, with the line end before it (quirk 27).
    if (content !== '') expect(last.toString()).toBe('\r\n.\r\n')
    expect(octets).toBe(measure(Buffer.from(content), DATA))
  }
  const text = expected.toString('latin1')
  expect(text).not.toMatch(/\r(?!\n)|(?<!\r)\n/)
  expect(text.indexOf('\r\n.\r\n') < 0 || text.indexOf('\r\n.\r\n') === text.length - 5).toBe(true)
})

test('S12: the searching form gives what the plain one gives, for any content and any chunks', () => {
  const pieces = fc.array(fc.constantFrom('\r', '\n', '\r\n', '.', '..', 'a', 'text', '\xff', '\r\n.\r\n'), { maxLength: 60 })
  fc.assert(
    fc.property(pieces, fc.infiniteStream(fc.nat(7)), (content, cuts) => {
      const octets = Buffer.from(content.join(''), 'latin1')
      const chunks: Buffer[] = []
      for (let at = 0; at < octets.length;) {
        const length = cuts.next().value ?? 1
        chunks.push(octets.subarray(at, at + length))
        at += length
      }
      expect(framed(chunks).wire.equals(plainly(octets))).toBe(true)
      expect(framed([octets]).wire.equals(plainly(octets))).toBe(true)
    }),
    { numRuns: 2000 },
  )
})

test('NUL is refused wherever it stands (S12)', () => {
  for (const content of ['\0', 'a\r\n\0.\r\n', 'a\0']) {
    for (const chunks of everySplit(content)) expect(() => framed(chunks)).toThrow(expect.objectContaining({ code: 'ERR_CONTENT' }))
    expect(() => measure(Buffer.from(content), DATA)).toThrow(expect.objectContaining({ code: 'ERR_CONTENT' }))
  }
})

test('where nothing changes, views of the same memory pass through', () => {
  const chunk = Buffer.from('0123456789\r\n'.repeat(1000))
  const [view, ...rest] = new ContentFramer(DATA).push(chunk)
  expect(rest).toEqual([])
  expect(view?.buffer).toBe(chunk.buffer)
  expect(view?.length).toBe(chunk.length - 2)
})

test('content full of repairs stays a short list', () => {
  expect(new ContentFramer(DATA).push(Buffer.from('.\n'.repeat(20_000))).length).toBeLessThan(10)
})

test('the size of content in memory is that of what the server stores', () => {
  const anyLine = { ...DATA, maxLineOctets: Infinity }
  expect(measure(Buffer.from('a\n.\nü'), DATA)).toBe(10)
  expect(measure(Buffer.alloc(0), DATA)).toBe(0)
  expect(measure(Buffer.alloc(3 * BLOCK_OCTETS, 'x'), anyLine)).toBe(3 * BLOCK_OCTETS + 2)
  expect([...blocks(Buffer.alloc(2 * BLOCK_OCTETS + 1))].map(({ length }) => length)).toEqual([BLOCK_OCTETS, BLOCK_OCTETS, 1])
})
