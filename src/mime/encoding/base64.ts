import { CR, EMPTY, LF } from '../../bytes.ts'
import type { Report } from '../defect.ts'
import { joined, reportOnce, trimmed, type ContentDecoder, type ContentEncoder } from './coder.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const EQUALS = 0x3d
const PAD = 64
const BLANK = 65
const JUNK = 66
/** Octet → its six bits, or one of the classes above. */
const CLASSES = Uint8Array.from({ length: 256 }, (_, octet) => {
  const place = `${ALPHABET}= \t\r\n`.indexOf(String.fromCharCode(octet))
  return place < 0 ? JUNK : Math.min(place, BLANK)
})

/** A line after padding is held until it ends, to see whether it is base64. One longer than RFC 5322 allows is judged by its beginning. */
const MAX_HELD_LINE = 1000
const BLOCK = 64 * 1024 // strings from 128 KiB on are slow on Node 20, so the native decoder gets no more than this at once
const MIN_STRETCH = 512 // below this the call costs more than it saves
const SHORT_LINE = 64

/** Base64 (RFC 2045 §6.8). Octets outside the alphabet are skipped; padding ends a quantum wherever it stands; after padding a line counts only when
 *  it is whole quanta and nothing else, because lists append footers there and some senders concatenate encoded blocks; six bits without company are
 *  dropped.
 *
 *  Whole lines of equal length go to the native decoder. That one also takes `-` and `_` for digits and says nothing of what it skips; so it gets
 *  only stretches without these and without padding, one look a line checks where lines end, and when it gives one octet less than expected the
 *  stretch is read again, octet by octet as all others. */
export class Base64Decoder implements ContentDecoder {
  #state: 'content' | 'after padding' | 'after blank' | 'undecided line' | 'accepted line' | 'refused line' = 'content'
  #offset = 0
  #bits = 0
  #digits = 0
  /** Padding characters that the last quantum still lacks. */ #paddingDue = 0
  #line: Buffer = EMPTY
  #lineLength = 0
  readonly #report = reportOnce()

  decode(chunk: Buffer, report: Report): Buffer {
    const out = Buffer.allocUnsafe(Math.ceil((chunk.length + this.#lineLength) / 4) * 3 + 3)
    let to = 0
    for (let at = 0; at < chunk.length; at += BLOCK) to = this.#decodeBlock(chunk.subarray(at, at + BLOCK), out, to, report)
    return trimmed(out, to)
  }

  end(report: Report): Buffer {
    const out = Buffer.allocUnsafe(MAX_HELD_LINE)
    let to = 0
    if (this.#state === 'undecided line') to = this.#judgeLine(out, 0, report)
    if (this.#digits > 0) {
      this.#report(report, this.#digits === 1 ? 'base64-truncated' : 'base64-padding', this.#offset)
      to = this.#endQuantum(out, to)
    }
    if (this.#paddingDue > 0) this.#report(report, 'base64-padding', this.#offset)
    return trimmed(out, to)
  }

  #decodeBlock(block: Buffer, out: Buffer, to: number, report: Report): number {
    let clear = block.length
    for (const obstacle of '=-_') {
      const found = block.subarray(0, clear).indexOf(obstacle)
      if (found >= 0) clear = found
    }
    let at = 0
    while (at < clear) {
      const found = block.indexOf(LF, at)
      const lineEnd = found < 0 ? block.length : found
      const { octets, digits } = this.#digits === 0 && this.#state === 'content' ? stretch(block, at, clear, lineEnd) : NOTHING
      if (octets < MIN_STRETCH) {
        const end = Math.min(block.length, Math.max(lineEnd + 1, at + SHORT_LINE))
        to = this.#read(block, at, end, out, to, report)
        at = end
        continue
      }
      const expected = (digits / 4) * 3
      if (out.write(block.toString('latin1', at, at + octets), to, 'base64') === expected) {
        this.#offset += octets
        to += expected
      } else to = this.#read(block, at, at + octets, out, to, report)
      at += octets
    }
    return this.#read(block, at, block.length, out, to, report)
  }

  /** Decodes a range of `chunk` into `out` from `to` on; gives where it stopped writing. */
  #read(chunk: Buffer, from: number, end: number, out: Buffer, to: number, report: Report): number {
    const base = this.#offset - from
    for (let at = from; at < end;) {
      if (this.#state === 'undecided line' || this.#state === 'refused line') {
        const found = chunk.subarray(at, end).indexOf(LF)
        let stop = found < 0 ? end : at + found
        if (this.#state === 'undecided line') {
          stop = Math.min(stop, at + MAX_HELD_LINE - this.#lineLength)
          this.#lineLength += chunk.copy(this.#line, this.#lineLength, at, stop)
          this.#offset = base + stop
          if (found >= 0 || this.#lineLength === MAX_HELD_LINE) to = this.#judgeLine(out, to, report)
        } else if (found >= 0) this.#state = 'after padding'
        at = stop
        continue
      }
      // At the start of a quantum, and no padding to think of.
      if (this.#digits === 0 && this.#state === 'content') {
        for (; at + 4 <= end; at += 4) {
          const a = CLASSES[chunk[at] ?? 0] ?? JUNK
          const b = CLASSES[chunk[at + 1] ?? 0] ?? JUNK
          const c = CLASSES[chunk[at + 2] ?? 0] ?? JUNK
          const d = CLASSES[chunk[at + 3] ?? 0] ?? JUNK
          if ((a | b | c | d) > 63) break
          out[to++] = (a << 2) | (b >> 4)
          out[to++] = (b << 4) | (c >> 2)
          out[to++] = (c << 6) | d
        }
        if (at >= end) break
      }
      const octet = chunk[at] ?? 0
      const value = CLASSES[octet] ?? JUNK
      const afterPadding = this.#state === 'after padding' || this.#state === 'after blank'
      if (value === BLANK) {
        if (octet !== LF) {
          if (afterPadding) this.#state = 'after blank'
        } else if (this.#state !== 'content') this.#state = this.#digits > 0 ? 'content' : 'after padding'
      } else if (value === PAD) {
        if (this.#paddingDue > 0) this.#paddingDue--
        else {
          // One digit is six bits of nothing; padding where none is due is no end, but what comes after it must prove itself all the same.
          if (this.#digits === 1) this.#report(report, 'base64-truncated', base + at)
          if (this.#digits === 0) this.#report(report, 'base64-padding', base + at)
          this.#paddingDue = this.#digits === 2 ? 1 : 0
          to = this.#endQuantum(out, to)
          if (this.#state === 'content') this.#state = 'after padding'
        }
      } else if (value === JUNK && !afterPadding) this.#report(report, 'base64-junk', base + at)
      else {
        if (this.#paddingDue > 0) this.#report(report, 'base64-padding', base + at)
        this.#paddingDue = 0
        if (afterPadding) {
          this.#report(report, 'base64-after-padding', base + at)
          if (this.#line.length === 0) this.#line = Buffer.allocUnsafeSlow(MAX_HELD_LINE)
          this.#state = value === JUNK || this.#state === 'after blank' ? 'refused line' : 'undecided line'
          continue
        }
        this.#bits = (this.#bits << 6) | value
        if (++this.#digits === 4) to = this.#endQuantum(out, to)
      }
      at++
    }
    this.#offset = base + end
    return to
  }

  /** Decodes the held line or gives it up. In one that is accepted, padding is nothing to stop at. */
  #judgeLine(out: Buffer, to: number, report: Report): number {
    const length = this.#lineLength
    this.#lineLength = 0
    this.#state = isBase64(this.#line.subarray(0, length)) ? 'accepted line' : 'refused line'
    if (this.#state === 'refused line') return to
    this.#offset -= length
    return this.#read(this.#line, 0, length, out, to, report)
  }

  #endQuantum(out: Buffer, to: number): number {
    const bits = this.#bits << (6 * (4 - this.#digits))
    if (this.#digits > 1) out[to++] = bits >> 16
    if (this.#digits > 2) out[to++] = bits >> 8
    if (this.#digits > 3) out[to++] = bits
    this.#bits = 0
    this.#digits = 0
    return to
  }
}

const NOTHING = { octets: 0, digits: 0 }

/** Octets from `at` on that look like whole quanta: part of one long line, or lines of one length. */
function stretch(block: Buffer, at: number, stop: number, lineEnd: number): { octets: number; digits: number } {
  if (lineEnd >= stop) {
    const digits = (stop - at) & ~3
    return { octets: digits, digits }
  }
  const width = lineEnd + 1 - at
  const crlf = block[lineEnd - 1] === CR
  const digits = crlf ? width - 2 : width - 1
  if (digits <= 0 || digits % 4 !== 0) return NOTHING
  let lines = 1
  for (let end = lineEnd + width; end < stop && block[end] === LF; end += width) {
    if (crlf && block[end - 1] !== CR) break
    lines++
  }
  return { octets: lines * width, digits: lines * digits }
}

/** Digits and padding only; on a line held to its end, padding only where a quantum ends, and blanks after it. */
function isBase64(line: Buffer): boolean {
  const whole = line.length < MAX_HELD_LINE
  let end = line.length
  if (whole) while (CLASSES[line[end - 1] ?? 0] === BLANK) end--
  for (let at = 0; at < end; at++) {
    const value = CLASSES[line[at] ?? 0] ?? JUNK
    if (value > PAD || (whole && value === PAD && (at % 4 < 2 || (at % 4 === 2 && line[at + 1] !== EQUALS)))) return false
  }
  return !whole || end % 4 === 0
}

const LINE_OCTETS = 57 // octets of one line of 76 columns
const LINE_LENGTH = 78 // of that line, CRLF included

/** Two octets as they lie in memory, whatever the order of this machine's. */
const pair = (text: string): number => new Uint16Array(Uint8Array.from(Buffer.from(text, 'latin1')).buffer)[0] ?? 0

const PAIRS = Uint16Array.from({ length: 4096 }, (_, bits) => pair(ALPHABET.charAt(bits >> 6) + ALPHABET.charAt(bits & 63)))
const LINE_END = pair('\r\n')

/** Base64 in lines of 76 columns, written two digits at a time. Strings are written half as fast again, but they and the collections that they
 *  cause take memory and time. */
export class Base64Encoder implements ContentEncoder {
  readonly #allocate: (size: number) => Buffer
  /** The beginning of a line. A full line is kept too: only what follows it makes its line end. */ #held: Buffer = EMPTY

  /** @param allocate memory for what comes out, at an even offset */
  constructor(allocate: (size: number) => Buffer = (size) => Buffer.allocUnsafe(size)) {
    this.#allocate = allocate
  }

  encode(chunk: Buffer): Buffer {
    const lines = Math.floor(Math.max(0, this.#held.length + chunk.length - 1) / LINE_OCTETS)
    if (lines === 0) {
      this.#held = Buffer.concat([this.#held, chunk])
      return EMPTY
    }
    const out = this.#allocate(lines * LINE_LENGTH)
    const pairs = new Uint16Array(out.buffer, out.byteOffset, out.length / 2)
    // The line that was begun is put together; the others are read where they are.
    const rest = LINE_OCTETS - this.#held.length
    writeLines(joined(this.#held, chunk.subarray(0, rest)), 0, pairs.subarray(0, LINE_LENGTH / 2))
    const end = writeLines(chunk, rest, pairs.subarray(LINE_LENGTH / 2))
    this.#held = Buffer.from(chunk.subarray(end))
    return out
  }

  end(): Buffer {
    const digits = this.#held.toString('base64')
    this.#held = EMPTY
    return Buffer.from(digits, 'latin1')
  }
}

/** Fills `pairs` with lines made of `octets` from `from` on; gives where it stopped reading. */
function writeLines(octets: Buffer, from: number, pairs: Uint16Array): number {
  for (let to = 0; to < pairs.length;) {
    for (const end = from + LINE_OCTETS; from < end; from += 3) {
      const bits = ((octets[from] ?? 0) << 16) | ((octets[from + 1] ?? 0) << 8) | (octets[from + 2] ?? 0)
      pairs[to++] = PAIRS[bits >> 12] ?? 0
      pairs[to++] = PAIRS[bits & 0xfff] ?? 0
    }
    pairs[to++] = LINE_END
  }
  return from
}

/** Octets that the encoder makes of `length`. */
export const base64Length = (length: number): number => (length === 0 ? 0 : Math.ceil(length / 3) * 4 + (Math.ceil(length / LINE_OCTETS) - 1) * 2)
