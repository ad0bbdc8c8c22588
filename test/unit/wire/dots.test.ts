import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { CR, DOT, LF } from '../../../src/bytes.ts'
import { DotStuffer, DotUnstuffer } from '../../../src/wire/dots.ts'
import { byOctet, everySplit } from '../../support/every-split.ts'

const ONE_CR = Buffer.from('\r')

/** DotUnstuffer octet by octet. */
class PlainDotUnstuffer {
  #state: 'line start' | 'dot' | 'dot CR' | 'inside' = 'line start'
  rest: Buffer | undefined

  push(chunk: Buffer): Buffer[] {
    const out: Buffer[] = []
    for (const [at, octet] of chunk.entries()) {
      if (this.#state === 'dot' || this.#state === 'dot CR') {
        if (octet === LF) {
          this.rest = chunk.subarray(at + 1)
          return out
        }
        if (this.#state === 'dot CR') out.push(ONE_CR)
        this.#state = octet === CR && this.#state === 'dot' ? 'dot CR' : 'inside'
        if (this.#state === 'dot CR') continue
      } else if (this.#state === 'line start' && octet === DOT) {
        this.#state = 'dot'
        continue
      }
      this.#state = octet === LF ? 'line start' : 'inside'
      out.push(Buffer.of(octet))
    }
    return out
  }
}

function unstuff(chunks: readonly Buffer[], unstuffer: { push(chunk: Buffer): Buffer[]; readonly rest: Buffer | undefined }): string {
  const out: Buffer[] = []
  for (const [at, chunk] of chunks.entries()) {
    out.push(...unstuffer.push(chunk))
    if (unstuffer.rest !== undefined)
      return `${Buffer.concat(out).toString('latin1')}|${Buffer.concat([unstuffer.rest, ...chunks.slice(at + 1)]).toString('latin1')}`
  }
  return Buffer.concat(out).toString('latin1')
}

test.each([
  ['.\r\n', '|'],
  ['a\r\n.\r\nnext', 'a\r\n|next'],
  ['..a\r\n.b\r\n...\r\n.\r\n', '.a\r\nb\r\n..\r\n|'],
  ['a\r\n.\n', 'a\r\n|'],
  ['a\n.\r\n', 'a\n|'],
  ['a\r\n.\r\r\n.\r\n', 'a\r\n\r\r\n|'],
  ['a\r\n.\rb\r\n.\r\n', 'a\r\n\rb\r\n|'],
  ['a\r\n. \r\n.\r\n', 'a\r\n \r\n|'],
  ['a.\r\n\r\n.\r\n', 'a.\r\n\r\n|'],
  ['a\r.\r\n.\r\n', 'a\r.\r\n|'],
  ['a\r\n..\r\n', 'a\r\n.\r\n'],
])('%j unstuffed is %j, however it is chunked (H51, H52)', (wire, content) => {
  for (const chunks of everySplit(wire)) expect(unstuff(chunks, new DotUnstuffer())).toBe(content)
})

const octets = fc
  .array(fc.constantFrom('\r', '\n', '\r\n', '.', '..', '\r\n.', 'a', '\r\n.\r'), { maxLength: 40 })
  .map((pieces) => Buffer.from(pieces.join(''), 'latin1'))

test('the searching unstuffer gives what the plain one gives', () => {
  fc.assert(
    fc.property(octets, fc.nat(40), (wire, cut) => {
      const cuts = [wire.subarray(0, cut), wire.subarray(cut)]
      const expected = unstuff(byOctet(wire), new PlainDotUnstuffer())
      expect(unstuff(cuts, new DotUnstuffer())).toBe(expected)
      expect(unstuff(byOctet(wire), new DotUnstuffer())).toBe(expected)
    }),
    { numRuns: 2000 },
  )
})

test('what is stuffed comes out of the unstuffer as it was, and nothing before its end ends it', () => {
  const lines = fc
    .array(fc.constantFrom('', '.', '..', '. ', '.a', 'a.', 'a'), { maxLength: 20 })
    .map((all) => Buffer.from(all.map((line) => `${line}\r\n`).join('')))
  fc.assert(
    fc.property(lines, fc.nat(60), (content, cut) => {
      const stuffer = new DotStuffer()
      const wire = Buffer.concat([...stuffer.push(content.subarray(0, cut)), ...stuffer.push(content.subarray(cut)), stuffer.end()])
      expect(unstuff([wire], new DotUnstuffer())).toBe(`${content.toString()}|`)
    }),
  )
})

test('the final dot stands on a line of its own', () => {
  for (const [content, wire] of [
    ['', '.\r\n'],
    ['a\r\n', 'a\r\n.\r\n'],
    ['a', 'a\r\n.\r\n'],
    ['.', '..\r\n.\r\n'],
  ] as const) {
    for (const chunks of everySplit(content)) {
      const stuffer = new DotStuffer()
      expect(Buffer.concat([...chunks.flatMap((chunk) => stuffer.push(chunk)), stuffer.end()]).toString()).toBe(wire)
    }
  }
})
