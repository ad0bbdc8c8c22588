// The plain forms: what each fast path of src would be without it. They say the same in the fewest ideas, for well-formed input given whole.
// Nothing is imported, so that they run beside any source.

const TAB = 9
const LF = 10
const CR = 13
const SPACE = 32
const DOT = 46
const EQUALS = 0x3d
const HYPHEN = 0x2d
const DOT_OCTET = Buffer.from('.')
const isBlank = (octet: number | undefined): boolean => octet === SPACE || octet === TAB
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const SIX_BITS = Int8Array.from({ length: 256 }, (_, octet) => ALPHABET.indexOf(String.fromCharCode(octet)))

/** Whether a line is a delimiter: each line is looked at. */
export function findDelimiter(octets: Buffer, boundary: string): boolean {
  for (let line = 0; line < octets.length;) {
    const found = octets.indexOf(LF, line)
    const next = found === -1 ? octets.length : found + 1
    if (octets[line] === HYPHEN && octets[line + 1] === HYPHEN) {
      let end = next
      if (found !== -1) end -= octets[found - 1] === CR ? 2 : 1
      while (isBlank(octets[end - 1])) end--
      if (octets.toString('latin1', line + 2, end) === boundary) return true
    }
    line = next
  }
  return false
}

/** Digit by digit, in one table. */
export class TableBase64Decoder {
  #bits = 0
  #digits = 0

  decode(chunk: Buffer): Buffer {
    const out = Buffer.allocUnsafe(Math.ceil(chunk.length / 4) * 3 + 3)
    let to = 0
    for (const octet of chunk) {
      const value = SIX_BITS[octet] ?? -1
      if (value < 0) continue
      this.#bits = (this.#bits << 6) | value
      if (++this.#digits < 4) continue
      out[to++] = this.#bits >> 16
      out[to++] = this.#bits >> 8
      out[to++] = this.#bits
      this.#bits = 0
      this.#digits = 0
    }
    return out.subarray(0, to)
  }
}

/** Line by line, by Node. */
export function encodeBase64(octets: Buffer): Buffer {
  const lines: string[] = []
  for (let at = 0; at < octets.length; at += 57) lines.push(octets.toString('base64', at, at + 57))
  return Buffer.from(lines.join('\r\n'), 'latin1')
}

const hexValue = (octet: number | undefined): number => Number.parseInt(String.fromCharCode(octet ?? 0), 16)

/** Octet by octet. */
export function decodeQuotedPrintable(octets: Buffer): Buffer {
  const out = Buffer.allocUnsafe(octets.length)
  let to = 0
  let floor = 0
  for (let at = 0; at < octets.length; at++) {
    const octet = octets[at] ?? 0
    if (octet === EQUALS) {
      if (octets[at + 1] === CR && octets[at + 2] === LF) at += 2
      else {
        out[to++] = (hexValue(octets[at + 1]) << 4) | hexValue(octets[at + 2])
        at += 2
      }
      floor = to
    } else if (octet === CR && octets[at + 1] === LF) {
      while (to > floor && isBlank(out[to - 1])) to--
      out[to++] = CR
    } else out[to++] = octet
  }
  return out.subarray(0, to)
}

const HEX = Buffer.from('0123456789ABCDEF')

/** Octet by octet. */
export function encodeQuotedPrintable(octets: Buffer): Buffer {
  const out = Buffer.allocUnsafe(octets.length * 4 + 3)
  let to = 0
  let column = 0
  for (let at = 0; at < octets.length; at++) {
    const octet = octets[at] ?? 0
    if (octet === CR && octets[at + 1] === LF) {
      out[to++] = CR
      out[to++] = LF
      column = 0
      at++
      continue
    }
    const isLast = at + 1 === octets.length || (octets[at + 1] === CR && octets[at + 2] === LF)
    let isPlain = isBlank(octet) ? !isLast : octet > SPACE && octet < 127 && octet !== EQUALS
    if (column + (isPlain ? 1 : 3) > (isLast ? 76 : 75)) {
      out[to++] = EQUALS
      out[to++] = CR
      out[to++] = LF
      column = 0
    }
    if (column === 0 && (octet === DOT || (octet === 0x46 && octets.toString('latin1', at, at + 5) === 'From '))) isPlain = false
    if (isPlain) out[to++] = octet
    else {
      out[to++] = EQUALS
      out[to++] = HEX[octet >> 4] ?? 0
      out[to++] = HEX[octet & 15] ?? 0
    }
    column += isPlain ? 1 : 3
  }
  return out.subarray(0, to)
}

/** Octet by octet, without the search for the next dot line: the plain form of STYLE. */
export class PlainDotUnstuffer {
  #state: 'line start' | 'dot' | 'inside' = 'line start'

  push(chunk: Buffer): Buffer[] {
    const views: Buffer[] = []
    let from = 0
    for (let at = 0; at < chunk.length; at++) {
      const octet = chunk[at]
      if (this.#state === 'line start' && octet === DOT) {
        if (at > from) views.push(chunk.subarray(from, at))
        from = at + 1
        this.#state = 'dot'
      } else if (octet === LF) this.#state = 'line start'
      else this.#state = 'inside'
    }
    if (chunk.length > from) views.push(chunk.subarray(from))
    return views
  }
}

/** Octet by octet. */
export class PlainDotStuffer {
  #isLineStart = true

  push(chunk: Buffer): Buffer[] {
    const views: Buffer[] = []
    let from = 0
    for (let at = 0; at < chunk.length; at++) {
      const octet = chunk[at]
      if (octet === DOT && this.#isLineStart) {
        if (at > from) views.push(chunk.subarray(from, at))
        views.push(DOT_OCTET)
        from = at
      }
      this.#isLineStart = octet === LF
    }
    views.push(chunk.subarray(from))
    return views
  }
}

/** Content repaired and dot-stuffed octet by octet, into a copy. */
export class PlainFramer {
  readonly #dots: boolean
  #last = LF

  constructor(dots: boolean) {
    this.#dots = dots
  }

  push(chunk: Buffer): Buffer {
    const out = Buffer.allocUnsafe(2 * chunk.length)
    let to = 0
    for (const octet of chunk) {
      if (octet === 0) throw new Error('NUL')
      if (octet === LF && this.#last !== CR) out[to++] = CR
      if (octet === DOT && this.#last === LF && this.#dots) out[to++] = DOT
      out[to++] = octet
      this.#last = octet
    }
    return out.subarray(0, to)
  }

  end(): Buffer {
    return this.#dots ? Buffer.from('.\r\n') : Buffer.alloc(0)
  }
}

/** Lines, looked for octet by octet. */
export function countLines(chunk: Buffer): number {
  let lines = 0
  let from = 0
  for (let at = 0; at < chunk.length; at++) {
    if (chunk[at] !== LF) continue
    lines += chunk.subarray(from, chunk[at - 1] === CR ? at - 1 : at).length
    from = at + 1
  }
  return lines
}
