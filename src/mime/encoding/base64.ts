import { CR, EMPTY, LF } from '../../bytes.ts'
import type { DefectCode, Report } from '../defect.ts'
import { trimmed, type ContentDecoder, type ContentEncoder } from './coder.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const EQUALS = 0x3d
const HYPHEN = 0x2d
const UNDERSCORE = 0x5f
const PAD = 64
const BLANK = 65
const JUNK = 66
/** Octet → its six bits, or one of the classes above. */
const CLASSES = classes()

/** What may follow padding is held until its line ends, to see whether it is base64. A line longer than RFC 5322 allows is taken for content. */
const MAX_HELD_LINE = 998
const BLOCK = 64 * 1024 // strings from 128 KiB on are slow on Node 20, so the native decoder gets no more than this at once
const MIN_BLOCK = 512 // below this the call costs more than it saves
const SHORT_LINE = 64

/**
 * Base64 (RFC 2045 §6.8) octet by octet: the rules in one place. Octets outside the alphabet are skipped; padding ends a quantum wherever it
 * stands; after padding a line counts only when it is whole quanta and nothing else, because lists append footers there and some senders
 * concatenate encoded blocks; six bits without company are dropped.
 */
export class PlainBase64Decoder implements ContentDecoder {
  #offset = 0
  #bits = 0
  #digits = 0
  /** Padding was seen; below is what the current line has after it. */ #afterPadding = false
  /** A line after padding is so long that it is content, whatever padding it holds. */ #inLongLine = false
  /** Padding characters that the last quantum still lacks. */ #paddingDue = 0
  #line: Buffer = EMPTY
  #lineLength = 0
  #lineOffset = 0
  #lineBlank = false
  #lineRefused = false
  readonly #reported = new Set<DefectCode>()

  decode(chunk: Buffer, report: Report): Buffer {
    const out = Buffer.allocUnsafe(this.room(chunk.length))
    return trimmed(out, this.read(chunk, 0, chunk.length, out, 0, report))
  }

  end(report: Report): Buffer {
    const out = Buffer.allocUnsafe(this.room(0))
    let to = 0
    if (this.#afterPadding) {
      to = this.#endLine(out, 0)
    } else if (this.#digits > 0) {
      this.#report(report, this.#digits === 1 ? 'base64-truncated' : 'base64-padding', this.#offset)
      to = this.#endQuantum(out, 0)
    }
    if (this.#paddingDue > 0) this.#report(report, 'base64-padding', this.#offset)
    return trimmed(out, to)
  }

  /** At the start of a quantum, and no padding to think of. */
  get aligned(): boolean {
    return this.#digits === 0 && !this.#afterPadding && !this.#inLongLine
  }

  /** The most that `length` octets can decode to. */
  room(length: number): number {
    return Math.ceil((length + this.#lineLength) / 4) * 3 + 3
  }

  /** Somebody else decoded `length` octets, whole quanta. */
  skip(length: number): void {
    this.#offset += length
  }

  /** Decodes a range of `chunk` into `out` from `to` on; gives where it stopped writing. */
  read(chunk: Buffer, from: number, end: number, out: Buffer, to: number, report: Report): number {
    const base = this.#offset - from
    this.#offset += end - from
    for (let at = from; at < end;) {
      if (this.#afterPadding) {
        if (this.#lineRefused) {
          const lineEnd = chunk.subarray(at, end).indexOf(LF)
          if (lineEnd < 0) break
          at += lineEnd
        }
        to = this.#followPadding(chunk[at] ?? 0, base + at, out, to, report)
        at++
        continue
      }
      if (this.aligned) {
        while (at + 4 <= end) {
          const a = CLASSES[chunk[at] ?? 0] ?? JUNK
          const b = CLASSES[chunk[at + 1] ?? 0] ?? JUNK
          const c = CLASSES[chunk[at + 2] ?? 0] ?? JUNK
          const d = CLASSES[chunk[at + 3] ?? 0] ?? JUNK
          if ((a | b | c | d) > 63) break
          out[to++] = (a << 2) | (b >> 4)
          out[to++] = (b << 4) | (c >> 2)
          out[to++] = (c << 6) | d
          at += 4
        }
        if (at >= end) break
      }
      const octet = chunk[at] ?? 0
      const value = CLASSES[octet] ?? JUNK
      if (value < 64) {
        if (this.#paddingDue > 0) this.#lacksPadding(base + at, report)
        this.#bits = (this.#bits << 6) | value
        if (++this.#digits === 4) to = this.#endQuantum(out, to)
      } else if (value === PAD) {
        if (this.#paddingDue > 0) this.#paddingDue--
        else {
          // One digit is six bits of nothing; padding where none is due is no end, but what comes after it must prove itself all the same.
          if (this.#digits === 1) this.#report(report, 'base64-truncated', base + at)
          if (this.#digits === 0) this.#report(report, 'base64-padding', base + at)
          this.#paddingDue = this.#digits === 2 ? 1 : 0
          to = this.#endQuantum(out, to)
          this.#afterPadding = !this.#inLongLine
        }
      } else if (octet === LF && this.#inLongLine) {
        this.#inLongLine = false
        this.#afterPadding = this.#digits === 0
      } else if (value === JUNK) this.#report(report, 'base64-junk', base + at)
      at++
    }
    return to
  }

  #followPadding(octet: number, offset: number, out: Buffer, to: number, report: Report): number {
    const value = CLASSES[octet] ?? JUNK
    if (octet === LF) return this.#endLine(out, to)
    if (value === BLANK) {
      this.#lineBlank = true
      return to
    }
    if (value === PAD && this.#lineLength === 0) {
      if (this.#paddingDue > 0) this.#paddingDue--
      else this.#report(report, 'base64-padding', offset)
      return to
    }
    if (this.#paddingDue > 0) this.#lacksPadding(offset, report)
    this.#report(report, 'base64-after-padding', offset)
    if (value === JUNK || this.#lineBlank) {
      this.#lineRefused = true
      return to
    }
    if (this.#line.length === 0) this.#line = Buffer.allocUnsafeSlow(MAX_HELD_LINE)
    if (this.#lineLength === 0) this.#lineOffset = offset
    this.#line[this.#lineLength++] = octet
    if (this.#lineLength < MAX_HELD_LINE) return to
    const line = this.#line
    const resume = this.#offset
    this.#line = EMPTY
    this.#forgetLine()
    this.#afterPadding = false
    this.#inLongLine = true
    this.#offset = this.#lineOffset
    to = this.read(line, 0, line.length, out, to, report)
    this.#offset = resume
    return to
  }

  #endLine(out: Buffer, to: number): number {
    const line = this.#line.subarray(0, this.#lineRefused ? 0 : this.#lineLength)
    this.#forgetLine()
    if (!isWholeQuanta(line)) return to
    for (const octet of line) {
      const value = CLASSES[octet] ?? JUNK
      if (value < 64) {
        this.#bits = (this.#bits << 6) | value
        if (++this.#digits === 4) to = this.#endQuantum(out, to)
      } else to = this.#endQuantum(out, to)
    }
    return to
  }

  #forgetLine(): void {
    this.#lineLength = 0
    this.#lineBlank = false
    this.#lineRefused = false
  }

  /** Writes the whole octets that the digits so far make. */
  #endQuantum(out: Buffer, to: number): number {
    const bits = this.#bits << (6 * (4 - this.#digits))
    if (this.#digits > 1) out[to++] = bits >> 16
    if (this.#digits > 2) out[to++] = bits >> 8
    if (this.#digits > 3) out[to++] = bits
    this.#bits = 0
    this.#digits = 0
    return to
  }

  #lacksPadding(offset: number, report: Report): void {
    this.#paddingDue = 0
    this.#report(report, 'base64-padding', offset)
  }

  #report(report: Report, code: DefectCode, offset: number): void {
    if (this.#reported.has(code)) return
    this.#reported.add(code)
    report(code, offset)
  }
}

/**
 * The same, with whole lines of equal length given to the native decoder. That one also takes `-` and `_` for digits and says nothing of what
 * it skips; so it gets only stretches without these and without padding, one look a line checks where lines end, and when it gives one octet
 * less than expected the plain decoder reads the stretch again.
 */
export class Base64Decoder implements ContentDecoder {
  readonly #plain = new PlainBase64Decoder()

  decode(chunk: Buffer, report: Report): Buffer {
    const out = Buffer.allocUnsafe(this.#plain.room(chunk.length))
    const lineEnd = new NextOctet(chunk, LF)
    const obstacles = [new NextOctet(chunk, EQUALS), new NextOctet(chunk, HYPHEN), new NextOctet(chunk, UNDERSCORE)]
    let at = 0
    let to = 0
    while (at < chunk.length) {
      const line = lineEnd.from(at)
      if (this.#plain.aligned) {
        let stop = Math.min(chunk.length, at + BLOCK)
        for (const obstacle of obstacles) stop = Math.min(stop, obstacle.from(at))
        const { octets, digits } = stretch(chunk, at, stop, line)
        if (octets >= MIN_BLOCK) {
          const expected = (digits / 4) * 3
          if (out.write(chunk.toString('latin1', at, at + octets), to, 'base64') === expected) {
            this.#plain.skip(octets)
            to += expected
          } else to = this.#plain.read(chunk, at, at + octets, out, to, report)
          at += octets
          continue
        }
      }
      const end = Math.min(chunk.length, Math.max(line + 1, at + SHORT_LINE), at + BLOCK)
      to = this.#plain.read(chunk, at, end, out, to, report)
      at = end
    }
    return trimmed(out, to)
  }

  end(report: Report): Buffer {
    return this.#plain.end(report)
  }
}

/** Where an octet comes next, searched once for each place it is found at. */
class NextOctet {
  readonly #chunk: Buffer
  readonly #octet: number
  #found = -1

  constructor(chunk: Buffer, octet: number) {
    this.#chunk = chunk
    this.#octet = octet
  }

  /** Its index from `at` on, or the chunk's length. `at` never goes back. */
  from(at: number): number {
    if (this.#found < at) {
      const found = this.#chunk.indexOf(this.#octet, at)
      this.#found = found < 0 ? this.#chunk.length : found
    }
    return this.#found
  }
}

/** Octets from `at` on that look like whole quanta: part of one long line, or lines of one length. */
function stretch(chunk: Buffer, at: number, stop: number, lineEnd: number): { octets: number; digits: number } {
  if (lineEnd >= stop) {
    const digits = (stop - at) & ~3
    return { octets: digits, digits }
  }
  const width = lineEnd + 1 - at
  const digits = chunk[lineEnd - 1] === CR ? width - 2 : width - 1
  if (digits <= 0 || digits % 4 !== 0) return { octets: 0, digits: 0 }
  const beforeEnd = width - digits === 2 ? CR : undefined
  let lines = 1
  for (let end = lineEnd + width; end < stop && chunk[end] === LF; end += width) {
    if (beforeEnd !== undefined && chunk[end - 1] !== beforeEnd) break
    lines++
  }
  return { octets: lines * width, digits: lines * digits }
}

/** Digits and padding only, padding only where a quantum ends. */
function isWholeQuanta(line: Buffer): boolean {
  if (line.length % 4 !== 0) return false
  for (let at = 0; at < line.length; at += 4) {
    const third = CLASSES[line[at + 2] ?? 0] ?? JUNK
    const fourth = CLASSES[line[at + 3] ?? 0] ?? JUNK
    if ((CLASSES[line[at] ?? 0] ?? JUNK) > 63 || (CLASSES[line[at + 1] ?? 0] ?? JUNK) > 63) return false
    if (third > PAD || fourth > PAD || (third === PAD && fourth !== PAD)) return false
  }
  return true
}

function classes(): Uint8Array {
  const table = new Uint8Array(256).fill(JUNK)
  for (let value = 0; value < 64; value++) table[ALPHABET.charCodeAt(value)] = value
  table[EQUALS] = PAD
  for (const blank of ' \t\r\n') table[blank.charCodeAt(0)] = BLANK
  return table
}

const LINE_OCTETS = 57 // octets of one line of 76 columns
const LINE_DIGITS = 76
const LINE_PAIRS = LINE_DIGITS / 2 + 1

/** Base64 in lines of 76 columns. */
export class Base64Encoder implements ContentEncoder {
  readonly #allocate: (size: number) => Buffer
  /** The beginning of a line. A full line is kept too: only what follows it makes its line end. */ readonly #held = Buffer.alloc(LINE_OCTETS)
  #length = 0

  /** @param allocate memory for what comes out, at an even offset */
  constructor(allocate: (size: number) => Buffer = (size) => Buffer.allocUnsafe(size)) {
    this.#allocate = allocate
  }

  encode(chunk: Buffer): Buffer {
    const lines = Math.floor(Math.max(0, this.#length + chunk.length - 1) / LINE_OCTETS)
    const out = lines === 0 ? EMPTY : this.#allocate(lines * (LINE_DIGITS + 2))
    let from = 0
    if (lines > 0) {
      const pairs = new Uint16Array(out.buffer, out.byteOffset, out.length / 2)
      const first = this.#length === 0 ? 0 : 1
      if (first === 1) from = chunk.copy(this.#held, this.#length)
      writeLines(this.#held, 0, first, pairs, 0)
      from = writeLines(chunk, from, lines - first, pairs, first * LINE_PAIRS)
      this.#length = 0
    }
    this.#length += chunk.copy(this.#held, this.#length, from)
    return out
  }

  end(): Buffer {
    const digits = this.#held.toString('base64', 0, this.#length)
    this.#length = 0
    return Buffer.from(digits, 'latin1')
  }
}

/** Writes whole lines, two digits at a time. Strings are written half as fast again, but they and the collections that they cause take memory and time. */
function writeLines(octets: Buffer, start: number, lines: number, pairs: Uint16Array, target: number): number {
  let from = start
  let to = target
  for (let line = 0; line < lines; line++) {
    for (const end = from + LINE_OCTETS; from < end; from += 3) {
      const bits = ((octets[from] ?? 0) << 16) | ((octets[from + 1] ?? 0) << 8) | (octets[from + 2] ?? 0)
      pairs[to++] = PAIRS[bits >> 12] ?? 0
      pairs[to++] = PAIRS[bits & 0xfff] ?? 0
    }
    pairs[to++] = LINE_END
  }
  return from
}

/** Two octets as they lie in memory, whatever the order of this machine's. */
const pair = (text: string): number => new Uint16Array(Uint8Array.from(Buffer.from(text, 'latin1')).buffer)[0] ?? 0

const PAIRS = Uint16Array.from({ length: 4096 }, (_, bits) => pair(ALPHABET.charAt(bits >> 6) + ALPHABET.charAt(bits & 63)))
const LINE_END = pair('\r\n')

/** Octets that the encoder makes of `length`. */
export const base64Length = (length: number): number => (length === 0 ? 0 : Math.ceil(length / 3) * 4 + (Math.ceil(length / LINE_OCTETS) - 1) * 2)
