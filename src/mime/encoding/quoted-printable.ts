import { isAscii } from 'node:buffer'
import { CR, DOT, EMPTY, isBlank, LF, NUL, SPACE } from '../../bytes.ts'
import type { Report } from '../defect.ts'
import { joined, reportOnce, trimmed, type ContentDecoder, type ContentEncoder } from './coder.ts'

const EQUALS = 0x3d
const LETTER_F = 0x46
const FROM_REST = Buffer.from('rom ')

/** Blanks at the end of a line are no content (RFC 2045 §6.7 (3)), so they are held until something else comes. A run longer than any legal
 *  line is not what that rule is about: it is content, and nothing has to be held for it. */
const MAX_BLANKS = 998

const HEX_DIGITS = '0123456789ABCDEF'
const NOT_HEX = 255
/** Of lower case too: RFC 2045 wants capitals, and asks the reader to be generous. */
const HEX_VALUES = Uint8Array.from({ length: 256 }, (_, octet) => HEX_DIGITS.indexOf(String.fromCharCode(octet).toUpperCase()) & NOT_HEX)

/** 1 for the octets that the decoder must look at. */
const SPECIAL = Uint8Array.from({ length: 256 }, (_, octet) => Number(octet === EQUALS || octet === LF))

/** Quoted-printable (RFC 2045 §6.7). Line ends stay as they were sent; blanks before them go; `=`, blanks and a line end are a soft break; any
 *  other `=` without two hexadecimal digits stands for itself, but for one that ends the content, which is a soft break without its line. */
export class QuotedPrintableDecoder implements ContentDecoder {
  /** Undecided: an `=` and what follows it, or blanks and perhaps a CR. */ #held: Buffer = EMPTY
  /** Octets before those held. */ #offset = 0
  /** The chunk before ended within a run of blanks that is content. */ #inBlanks = false
  #has8bit = false
  readonly #report = reportOnce()

  decode(chunk: Buffer, report: Report): Buffer {
    const octets = joined(this.#held, chunk)
    this.#held = EMPTY
    const end = octets.length
    const out = Buffer.allocUnsafe(end)
    let at = 0
    let to = 0
    if (this.#inBlanks) {
      while (at < end && isBlank(octets[at])) out[to++] = octets[at++] ?? 0
      this.#inBlanks = at === end
    }
    // What was written before `floor` is not to be trimmed: it was encoded, or stands before a soft break.
    let floor = to
    if (!this.#has8bit && !isAscii(chunk)) {
      this.#has8bit = true
      report('quoted-printable-8bit', this.#offset + octets.findIndex((octet) => octet > 127))
    }
    for (;;) {
      for (; at + 4 <= end; at += 4, to += 4) {
        const a = octets[at] ?? 0
        const b = octets[at + 1] ?? 0
        const c = octets[at + 2] ?? 0
        const d = octets[at + 3] ?? 0
        if (((SPECIAL[a] ?? 0) | (SPECIAL[b] ?? 0) | (SPECIAL[c] ?? 0) | (SPECIAL[d] ?? 0)) !== 0) break
        out[to] = a
        out[to + 1] = b
        out[to + 2] = c
        out[to + 3] = d
      }
      for (; at < end && SPECIAL[octets[at] ?? 0] === 0; at++) out[to++] = octets[at] ?? 0
      if (at === end) break
      if (octets[at] === LF) {
        const cr = to > floor && out[to - 1] === CR ? 1 : 0
        to -= cr
        const blanks = blanksBefore(out, floor, to)
        if (blanks <= MAX_BLANKS) to -= blanks
        if (cr === 1) out[to++] = CR
        out[to++] = LF
        floor = to
        at++
        continue
      }
      const high = HEX_VALUES[octets[at + 1] ?? NUL] ?? NOT_HEX
      const low = HEX_VALUES[octets[at + 2] ?? NUL] ?? NOT_HEX
      if ((high | low) < 16) {
        out[to++] = (high << 4) | low
        at += 3
      } else {
        const next = afterSoftBreak(octets, at, high)
        if (next === undefined) {
          this.#held = Buffer.from(octets.subarray(at))
          floor = to
          break
        }
        if (next > 0 && isBlank(octets[at + 1])) this.#report(report, 'quoted-printable-blank', this.#offset + at)
        if (next > 0) at = next
        else {
          this.#report(report, 'quoted-printable-invalid', this.#offset + at)
          out[to++] = EQUALS
          at++
        }
      }
      floor = to
    }
    const cr = to > floor && out[to - 1] === CR ? 1 : 0
    const blanks = blanksBefore(out, floor, to - cr)
    if (blanks > MAX_BLANKS) this.#inBlanks = cr === 0
    else if (blanks > 0) {
      const length = blanks + cr
      to -= length
      at -= length
      this.#held = Buffer.from(out.subarray(to, to + length))
    }
    this.#offset += at
    return trimmed(out, to)
  }

  end(report: Report): Buffer {
    const held = this.#held
    this.#held = EMPTY
    if (held[0] === EQUALS ? held.subarray(1).every(isBlank) : held.at(-1) !== CR) return EMPTY
    if (held[0] === EQUALS) this.#report(report, 'quoted-printable-invalid', this.#offset)
    return held
  }
}

/** Where the line after a soft break begins; 0 when there is none; `undefined` when more input is needed. `at` is that of the `=`. */
function afterSoftBreak(octets: Buffer, at: number, high: number): number | undefined {
  let next = at + 1
  if (next === octets.length) return undefined
  if (high < 16) return next + 1 === octets.length ? undefined : 0
  const limit = Math.min(octets.length, next + MAX_BLANKS + 1)
  while (next < limit && isBlank(octets[next])) next++
  if (next - at - 1 > MAX_BLANKS) return 0
  if (octets[next] === CR) next++
  if (next === octets.length) return undefined
  return octets[next] === LF ? next + 1 : 0
}

function blanksBefore(out: Buffer, floor: number, end: number): number {
  let at = end
  while (at > floor && isBlank(out[at - 1])) at--
  return end - at
}

const MAX_COLUMN = 76
const LOOK_AHEAD = 5 // what the encoder must see behind an octet to decide on it: "From ", or a blank and CRLF
const HEX_OCTETS = Buffer.from(HEX_DIGITS)
/** 1 for octets that stand for themselves anywhere in a line but at its start. Blanks do where they do not end it. */
const VISIBLE = new Uint8Array(256).fill(1, 0x21, 0x7f)
VISIBLE[EQUALS] = 0

/** Quoted-printable in lines of at most 76 columns. CRLF is a line end and stays one; a lone CR or LF is encoded. "From " and a dot at the start
 *  of a line are encoded: relays change the first, and the second must never be the whole line (RFC 5321 §4.5.2). */
export class QuotedPrintableEncoder implements ContentEncoder {
  #held: Buffer = EMPTY
  #column = 0

  encode(chunk: Buffer): Buffer {
    const octets = joined(this.#held, chunk)
    return this.#write(octets, Math.max(0, octets.length - LOOK_AHEAD))
  }

  end(): Buffer {
    return this.#write(this.#held, this.#held.length)
  }

  #write(octets: Buffer, end: number): Buffer {
    // Three columns an octet, and a soft break of three after no fewer than 25 octets.
    const out = Buffer.allocUnsafe(end * 3 + Math.ceil(end / 24) * 3 + 3)
    let column = this.#column
    let to = 0
    let at = 0
    while (at < end) {
      // Most octets: visible, or a blank before something visible, where neither line start nor line end is near.
      while (column > 0 && at < end && column < MAX_COLUMN - 1) {
        const octet = octets[at] ?? 0
        if (VISIBLE[octet] !== 1 && !(octet === SPACE && VISIBLE[octets[at + 1] ?? 0] === 1)) break
        out[to++] = octet
        column++
        at++
      }
      if (at >= end) break
      const octet = octets[at] ?? 0
      if (isLineEnd(octets, at)) {
        out[to++] = CR
        out[to++] = LF
        column = 0
        at += 2
        continue
      }
      const last = at + 1 === octets.length || isLineEnd(octets, at + 1)
      let plain = VISIBLE[octet] === 1 || (isBlank(octet) && !last)
      // A line that goes on needs its last column for the `=` of a soft break.
      if (column + (plain ? 1 : 3) > (last ? MAX_COLUMN : MAX_COLUMN - 1)) {
        out[to++] = EQUALS
        out[to++] = CR
        out[to++] = LF
        column = 0
      }
      if (column === 0 && plain) plain = octet !== DOT && !(octet === LETTER_F && octets.subarray(at + 1, at + 5).equals(FROM_REST))
      if (plain) out[to++] = octet
      else {
        out[to++] = EQUALS
        out[to++] = HEX_OCTETS[octet >> 4] ?? 0
        out[to++] = HEX_OCTETS[octet & 15] ?? 0
      }
      column += plain ? 1 : 3
      at++
    }
    this.#column = column
    this.#held = Buffer.from(octets.subarray(at))
    return trimmed(out, to)
  }
}

const isLineEnd = (octets: Buffer, at: number): boolean => octets[at] === CR && octets[at + 1] === LF
