import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { CR, DOT, LF } from '../../../src/bytes.ts'
import { BLOCK_OCTETS, blocks, ContentFramer, Gathering, measure, Outflow, type Framing } from '../../../src/smtp/content.ts'
import { everySplit } from '../../support/every-split.ts'

const DATA: Framing = { chunks: false, binary: false, eightBit: true, verify: false, maxLineOctets: 998, maxOctets: Infinity }

/** What a server stores, octet by octet and all at once: each lone CR and LF as CRLF, and one at the end. */
function stored(content: Buffer): number[] {
  const repaired: number[] = []
  for (const [at, octet] of content.entries()) {
    if (octet === LF && content[at - 1] === CR) continue
    if (octet === CR || octet === LF) repaired.push(CR, LF)
    else repaired.push(octet)
  }
  if (repaired.length > 0 && repaired.at(-1) !== LF) repaired.push(CR, LF)
  return repaired
}

/** The same as ContentFramer for DATA: what must come out. */
function plainly(content: Buffer): Buffer {
  const repaired = stored(content)
  const wire: number[] = []
  for (const [at, octet] of repaired.entries()) {
    if (octet === DOT && (at === 0 || repaired[at - 1] === LF)) wire.push(DOT)
    wire.push(octet)
  }
  return Buffer.from([...wire, DOT, CR, LF])
}

function framed(chunks: readonly Buffer[], framing = DATA): { wire: Buffer; last: Buffer; octets: number } {
  const framer = new ContentFramer(framing)
  const views = chunks.flatMap((chunk) => framer.push(chunk))
  const end = framer.end()
  return { wire: Buffer.concat([...views, ...end]), last: end.at(-1) ?? Buffer.alloc(0), octets: framer.octets }
}

const SMUGGLERS = [
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
] as const

test.each(SMUGGLERS)('S12: %j is CRLF only and ends once, however it is chunked', (content) => {
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
      expect(framed(cut(octets, cuts)).wire.equals(plainly(octets))).toBe(true)
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

const CHUNKS: Framing = { ...DATA, chunks: true }
const VERIFY: Framing = { ...DATA, verify: true }
const refusal = expect.objectContaining({ code: 'ERR_CONTENT', phase: 'content', transient: false })

/** Cuts anywhere, a few octets at a time. */
function cut(octets: Buffer, lengths: Iterator<number>): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < octets.length;) {
    const length = lengths.next().value ?? 1
    pieces.push(octets.subarray(at, at + length))
    at += length
  }
  return pieces
}

test.each(SMUGGLERS)('S12: %j by BDAT is what the server of DATA would store, however it is chunked (RFC 3030 §2)', (content) => {
  const expected = Buffer.from(stored(Buffer.from(content))).toString('latin1')
  for (const chunks of everySplit(content)) {
    const { wire, octets } = framed(chunks, CHUNKS)
    expect(wire.toString('latin1')).toBe(expected)
    expect(octets).toBe(expected.length)
  }
  expect(measure(Buffer.from(content), CHUNKS)).toBe(measure(Buffer.from(content), DATA))
})

test.each([...SMUGGLERS, 'a', 'a\r\n', 'a\r\n\r\n', '\r\n\r\n', '..\r\n.\r\n', 'a\r\nb'])(
  "S12: lineEnds 'verify' lets %j pass as it is or not at all, however it is chunked",
  (content) => {
    const isWhole = content === Buffer.from(stored(Buffer.from(content))).toString('latin1')
    for (const framing of [VERIFY, { ...VERIFY, chunks: true }]) {
      for (const chunks of everySplit(content)) {
        if (isWhole) expect(framed(chunks, framing)).toEqual(framed(chunks, { ...framing, verify: false }))
        else expect(() => framed(chunks, framing), JSON.stringify(chunks.map(String))).toThrow(refusal)
      }
    }
  },
)

test('verify, BDAT and DATA agree for any content and any chunks', () => {
  const pieces = fc.array(fc.constantFrom('\r', '\n', '\r\n', '\r\n', '\r\n', '.', '..', 'a', 'text', '\xff', '\r\n.\r\n'), { maxLength: 20 })
  fc.assert(
    fc.property(pieces, fc.infiniteStream(fc.nat(7)), (content, cuts) => {
      const octets = Buffer.from(content.join(''), 'latin1')
      const expected = Buffer.from(stored(octets))
      const chunks = cut(octets, cuts)
      expect(framed(chunks, CHUNKS).wire.equals(expected)).toBe(true)
      const verified = (): Buffer => framed(chunks, { ...CHUNKS, verify: true }).wire
      if (expected.equals(octets)) expect(verified().equals(octets)).toBe(true)
      else expect(verified).toThrow(refusal)
    }),
    { numRuns: 2000, seed: 20261122 },
  )
})

test('binary content is not looked at: what goes in comes out, in the same memory (RFC 3030 §3)', () => {
  const binary: Framing = { ...CHUNKS, binary: true, eightBit: false, verify: true, maxLineOctets: 1 }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.infiniteStream(fc.nat(7)), (given, cuts) => {
      const octets = Buffer.from(given)
      const { wire, octets: count } = framed(cut(octets, cuts), binary)
      expect(wire.equals(octets)).toBe(true)
      expect(count).toBe(octets.length)
      expect(measure(octets, binary)).toBe(octets.length)
    }),
    { seed: 20261122 },
  )
  for (const content of SMUGGLERS) for (const chunks of everySplit(content)) expect(framed(chunks, binary).wire.toString()).toBe(content)
  const chunk = Buffer.from('\0\r\n.\n\xff', 'latin1')
  expect(new ContentFramer(binary).push(chunk)).toEqual([chunk])
  expect(new ContentFramer(binary).push(chunk)[0]?.buffer).toBe(chunk.buffer)
})

test('octets above 127 are refused where they may not be, wherever they stand', () => {
  for (const framing of [DATA, CHUNKS, VERIFY]) {
    for (const chunks of everySplit('ab\r\nc\xfcd\r\n')) {
      expect(() => framed(chunks, { ...framing, eightBit: false })).toThrow(refusal)
      expect(() => framed(chunks, framing)).not.toThrow()
    }
    expect(() => measure(Buffer.of(0x80), { ...framing, eightBit: false })).toThrow(refusal)
    expect(() => measure(Buffer.from('\x7f\r\n'), { ...framing, eightBit: false })).not.toThrow()
  }
})

test.each([
  ['998 octets, the default', 998],
  ['any other limit', 3],
])('a line of %s passes and one more does not, wherever the chunks end (RFC 5321 §4.5.3.1.6)', (_name, maxLineOctets) => {
  const just = 'x'.repeat(maxLineOctets)
  for (const framing of [
    { ...DATA, maxLineOctets },
    { ...CHUNKS, maxLineOctets },
  ]) {
    for (const [content, fits] of [
      [`${just}\r\n`, true],
      [`${just}x\r\n`, false],
      [just, true],
      [`${just}x`, false],
      [`a\r\n${just}\r\nb\r\n`, true],
      [`a\r\n${just}x\r\nb\r\n`, false],
      [`${just}\n${just}\r${just}`, true],
      [`${just}\n${just}x\r${just}`, false],
      [`a\r${just}x`, false],
    ] as const) {
      const octets = Buffer.from(content)
      const splits = [
        1,
        2,
        octets.length - 3,
        octets.length - 2,
        octets.length - 1,
        maxLineOctets - 1,
        maxLineOctets,
        maxLineOctets + 1,
        maxLineOctets + 2,
      ]
      for (const at of splits) {
        const pieces = [octets.subarray(0, at), Buffer.alloc(0), octets.subarray(at)]
        if (fits) expect(() => framed(pieces, framing)).not.toThrow()
        else expect(() => framed(pieces, framing)).toThrow(refusal)
      }
      if (fits)
        expect(() =>
          framed(
            Array.from(octets, (octet) => Buffer.of(octet)),
            framing,
          ),
        ).not.toThrow()
      else
        expect(() =>
          framed(
            Array.from(octets, (octet) => Buffer.of(octet)),
            framing,
          ),
        ).toThrow(refusal)
    }
    // The dot of transparency is not counted (RFC 5321 §4.5.3.1.6).
    expect(() => framed([Buffer.from(`.${just.slice(1)}\r\n`)], framing)).not.toThrow()
  }
})

test('a long line is found before more of it is kept, and content in memory is measured in blocks', () => {
  const framer = new ContentFramer(DATA)
  framer.push(Buffer.alloc(900, 'x'))
  expect(() => framer.push(Buffer.alloc(99, 'x'))).toThrow(refusal)
  const lines = Buffer.from(`${'x'.repeat(998)}\r\n`.repeat(200))
  expect(measure(lines, VERIFY)).toBe(lines.length)
  const odd = Buffer.from(`${'x'.repeat(997)}\n`.repeat(200)) // line ends on the borders of blocks and off them
  expect(measure(odd, DATA)).toBe(200 * 999)
  expect(() => measure(odd, VERIFY)).toThrow(refusal)
})

test('content that is more than it may be is refused before the chunk that crosses the limit leaves, the line end that it lacks counted', () => {
  for (const [content, maxOctets, fits] of [
    ['0123456\r\n', 9, true],
    ['0123456\r\n', 8, false],
    ['0123456', 9, true],
    ['0123456', 8, false],
    ['0123\n6', 9, true],
    ['0123\n6', 8, false],
  ] as const) {
    for (const chunks of everySplit(content)) {
      if (fits) expect(framed(chunks, { ...CHUNKS, maxOctets }).octets).toBe(9)
      else expect(() => framed(chunks, { ...CHUNKS, maxOctets })).toThrow(expect.objectContaining({ code: 'ERR_LIMIT', phase: 'content' }))
    }
  }
})

test('what is gathered leaves once; the outflow writes a block at once and the rest at the next turn of the event loop', async () => {
  const gathering = new Gathering()
  expect(gathering.add([Buffer.from('ab'), Buffer.from('c')])).toBe(3)
  expect(Buffer.concat(gathering.take()).toString()).toBe('abc')
  expect([gathering.octets, gathering.take()]).toEqual([0, []])
  const written: number[] = []
  const outflow = new Outflow(async (views) => void written.push(Buffer.concat(views).length))
  outflow.add([Buffer.alloc(10)])
  outflow.add([Buffer.alloc(5)])
  expect(written).toEqual([])
  await new Promise<void>((resolve) => {
    setImmediate(resolve)
  })
  expect(written).toEqual([15])
  outflow.add([Buffer.alloc(BLOCK_OCTETS)])
  expect(written).toEqual([15, BLOCK_OCTETS])
  outflow.flush()
  expect(written).toHaveLength(2)
  await outflow.settled
})
