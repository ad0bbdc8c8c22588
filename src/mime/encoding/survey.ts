import { CR, LF, NUL, SPACE, TAB } from '../../bytes.ts'

/** Octets of a line without its end (RFC 5322 §2.1.1). */
export const MAX_LINE = 998

/** What decides how octets can travel, seen in one look. */
export interface Survey {
  readonly eightBit: boolean
  readonly nul: boolean
  /** A CR or LF that is no CRLF. */ readonly bareLineEnd: boolean
  readonly longLine: boolean
  /** Relays change these: blanks at the end of a line, and "From " at its start. */ readonly fragile: boolean
  /** Octets of a quoted-printable form, soft breaks not counted exactly. */ readonly quotedLength: number
}

const FROM = Buffer.from('From ')
const EQUALS = 0x3d

export function survey(octets: Buffer): Survey {
  const length = octets.length
  let seen = 0
  let nul = false
  let bareLineEnd = false
  let longLine = false
  let fragile = false
  let escapes = 0
  for (let start = 0; start < length;) {
    const found = octets.indexOf(LF, start)
    const end = found < 0 ? length : found
    const crlf = found > start && octets[found - 1] === CR
    const lineEnd = crlf ? end - 1 : end
    if (found >= 0 && !crlf) bareLineEnd = true
    if (lineEnd - start > MAX_LINE) longLine = true
    const last = octets[lineEnd - 1]
    if (lineEnd > start && (last === SPACE || last === TAB)) fragile = true
    if (octets[start] === FROM[0] && octets.subarray(start, start + FROM.length).equals(FROM)) fragile = true
    for (let at = start; at < lineEnd; at++) {
      const octet = octets[at] ?? NUL
      seen |= octet
      if (octet >= SPACE && octet < 127 && octet !== EQUALS) continue
      if (octet === TAB) continue
      escapes++
      if (octet === NUL) nul = true
      else if (octet === CR) bareLineEnd = true
    }
    start = end + 1
  }
  return { eightBit: seen > 127, nul, bareLineEnd, longLine, fragile, quotedLength: Math.ceil(((length + 2 * escapes) * 78) / 75) }
}
