import { CR, LF, SPACE, TAB } from '../../bytes.ts'
import type { DefectCode, Report } from '../defect.ts'
import { trimmed, type ContentDecoder } from './coder.ts'

const MAX_LINE = 128 // a line of 63 octets is 85 columns, and some writers add a checksum; what is longer is cut
const GRAVE = 0x60

/**
 * uuencode (POSIX `uuencode`, historical algorithm): a `begin` line, lines that start with their length, a line of length nothing, `end`. A
 * missing `begin` is forgiven when the first line looks like content; blanks that a relay cut from the end of a line count as zeros. What
 * stands before `begin` and after `end` is not content. For every part whose encoding is x-uuencode, x-uue or uuencode.
 */
export class UuDecoder implements ContentDecoder {
  readonly #line = Buffer.allocUnsafeSlow(MAX_LINE)
  /** Octets of the line so far, those past `MAX_LINE` included. */ #length = 0
  #lineOffset = 0
  #offset = 0
  #state: 'first line' | 'before begin' | 'content' | 'after end' = 'first line'
  readonly #reported = new Set<DefectCode>()

  decode(chunk: Buffer, report: Report): Buffer {
    let out = Buffer.allocUnsafe(chunk.length + MAX_LINE)
    let to = 0
    for (let at = 0; at < chunk.length;) {
      const found = chunk.indexOf(LF, at)
      const end = found < 0 ? chunk.length : found
      if (this.#length === 0) this.#lineOffset = this.#offset + at
      if (this.#length < MAX_LINE) chunk.copy(this.#line, this.#length, at, end)
      this.#length += end - at
      at = end + 1
      if (found < 0) break
      // A line of zeros can be one octet long, when a relay cut its blanks.
      if (out.length - to < MAX_LINE) out = Buffer.concat([out.subarray(0, to)], to * 2 + MAX_LINE)
      to = this.#endLine(out, to, report)
    }
    this.#offset += chunk.length
    return trimmed(out, to)
  }

  end(report: Report): Buffer {
    const out = Buffer.allocUnsafe(MAX_LINE)
    const to = this.#length > 0 ? this.#endLine(out, 0, report) : 0
    if (this.#state === 'content' || this.#state === 'before begin') this.#invalid(this.#offset, report)
    return trimmed(out, to)
  }

  #endLine(out: Buffer, to: number, report: Report): number {
    const tooLong = this.#length > MAX_LINE
    let length = Math.min(this.#length, MAX_LINE)
    this.#length = 0
    if (!tooLong && this.#line[length - 1] === CR) length--
    if (length === 0) return to
    const line = this.#line.subarray(0, length)
    const blank = isBlank(line)
    switch (this.#state) {
      case 'first line':
      case 'before begin':
        if (blank) break
        if (isBegin(line)) this.#state = 'content'
        else {
          this.#invalid(this.#lineOffset, report)
          const begun = this.#state === 'first line' && !tooLong && isContent(line)
          this.#state = begun ? 'content' : 'before begin'
          if (begun) return decodeLine(line, out, to)
        }
        break
      case 'content':
        if (isEnd(line)) this.#state = 'after end'
        else if (!blank) {
          if (tooLong || !isContent(line)) this.#invalid(this.#lineOffset, report)
          return decodeLine(line, out, to)
        }
        break
      case 'after end':
        if (!blank) this.#invalid(this.#lineOffset, report)
        break
    }
    return to
  }

  #invalid(offset: number, report: Report): void {
    if (this.#reported.has('uuencode-invalid')) return
    this.#reported.add('uuencode-invalid')
    report('uuencode-invalid', offset)
  }
}

const BEGIN = Buffer.from('begin ')
const END = Buffer.from('end')

const isBegin = (line: Buffer): boolean => line.subarray(0, BEGIN.length).equals(BEGIN)

const isEnd = (line: Buffer): boolean => line.subarray(0, END.length).equals(END) && isBlank(line.subarray(END.length))

const isBlank = (line: Buffer): boolean => line.every((octet) => octet === SPACE || octet === TAB)

/** Octets that a line says it has. */
const declaredLength = (line: Buffer): number => ((line[0] ?? SPACE) - SPACE) & 63

/** Every character in range, and as many as the length asks for: fewer when blanks were cut, up to three more with padding or a checksum. */
function isContent(line: Buffer): boolean {
  const wanted = 1 + Math.ceil(declaredLength(line) / 3) * 4
  return (
    line.length > 0 &&
    line.length <= wanted + 3 &&
    (line.length === 1 || line.length > wanted - 4) &&
    line.every((octet) => octet >= SPACE && octet <= GRAVE)
  )
}

function decodeLine(line: Buffer, out: Buffer, to: number): number {
  const length = declaredLength(line)
  const end = to + length
  for (let at = 1; to < end; at += 4) {
    const bits = (value(line, at) << 18) | (value(line, at + 1) << 12) | (value(line, at + 2) << 6) | value(line, at + 3)
    out[to++] = bits >> 16
    if (to < end) out[to++] = bits >> 8
    if (to < end) out[to++] = bits
  }
  return end
}

const value = (line: Buffer, at: number): number => ((line[at] ?? SPACE) - SPACE) & 63
