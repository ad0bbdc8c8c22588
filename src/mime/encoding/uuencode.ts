import { CR, LF, SPACE } from '../../bytes.ts'
import type { Report } from '../defect.ts'
import { reportOnce, trimmed, type ContentDecoder } from './coder.ts'

const MAX_LINE = 128 // a line of 63 octets is 85 columns, and some writers add a checksum; what is longer is cut

/** uuencode (POSIX `uuencode`, historical algorithm): a `begin` line, lines that start with their length, a line of length nothing, `end`. A
 *  missing `begin` is forgiven when the first line looks like content; blanks that a relay cut from the end of a line count as zeros. What
 *  stands before `begin` and after `end`, another file included, is not content. */
export class UuDecoder implements ContentDecoder {
  readonly #line = Buffer.allocUnsafeSlow(MAX_LINE)
  /** Octets of the line so far, those past `MAX_LINE` included. */ #length = 0
  #lineOffset = 0
  #offset = 0
  #state: 'first line' | 'before begin' | 'content' | 'after end' = 'first line'
  readonly #report = reportOnce()

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
    const to = this.#endLine(out, 0, report)
    if (this.#state === 'content' || this.#state === 'before begin') this.#report(report, 'uuencode-invalid', this.#offset)
    return trimmed(out, to)
  }

  #endLine(out: Buffer, to: number, report: Report): number {
    const tooLong = this.#length > MAX_LINE
    const crlf = !tooLong && this.#line[this.#length - 1] === CR
    const line = this.#line.subarray(0, crlf ? this.#length - 1 : this.#length)
    const text = line.toString('latin1')
    const legal = !tooLong && isContent(line, text)
    this.#length = 0
    if (!tooLong && BLANK.test(text)) return to
    if (this.#state === 'content' ? END.test(text) : this.#state !== 'after end' && BEGIN.test(text)) {
      this.#state = this.#state === 'content' ? 'after end' : 'content'
      return to
    }
    if (this.#state !== 'content' || !legal) this.#report(report, 'uuencode-invalid', this.#lineOffset)
    if (this.#state === 'first line') this.#state = legal ? 'content' : 'before begin'
    if (this.#state !== 'content') return to
    const end = to + value(line, 0) // a line begins with the number of its octets
    for (let at = 1; to < end; at += 4) {
      const bits = (value(line, at) << 18) | (value(line, at + 1) << 12) | (value(line, at + 2) << 6) | value(line, at + 3)
      out[to++] = bits >> 16
      if (to < end) out[to++] = bits >> 8
      if (to < end) out[to++] = bits
    }
    return end
  }
}

const BEGIN = /^begin [0-7]{3,}(?: |$)/
const END = /^end[ \t]*$/
const BLANK = /^[ \t]*$/
const CHARACTERS = /^[ -`]+$/

/** Every character in range, and as many as the length asks for: fewer when blanks were cut, up to three more with padding or a checksum. */
function isContent(line: Buffer, text: string): boolean {
  const wanted = 1 + Math.ceil(value(line, 0) / 3) * 4
  return line.length <= wanted + 3 && (line.length === 1 || line.length > wanted - 4) && CHARACTERS.test(text)
}

const value = (line: Buffer, at: number): number => ((line[at] ?? SPACE) - SPACE) & 63
