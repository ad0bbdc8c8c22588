import { isAscii } from 'node:buffer'
import { CR, DEL, DOT, LF, NUL, SPACE, TAB } from '../../bytes.ts'

/** Octets of a line without its end (RFC 5322 §2.1.1). */
export const MAX_LINE = 998

/** What decides how octets can travel, seen in one look. */
export interface Survey {
  readonly eightBit: boolean
  readonly nul: boolean
  /** A CR or LF that is no CRLF. */ readonly bareLineEnd: boolean
  readonly longLine: boolean
  /** Relays change these: blanks at the end of a line, "From " at its start, and a dot that is all of it (RFC 2049 §3). */ readonly fragile: boolean
  /** Octets of a quoted-printable form, soft breaks not counted exactly. */ readonly quotedLength: number
}

const FROM = Buffer.from('From ')
const EQUALS = 0x3d

export function survey(octets: Buffer): Survey {
  let bareLineEnd = false
  let longLine = false
  let fragile = false
  let escapes = 0
  for (let start = 0, found = 0; found >= 0; start = found + 1) {
    found = octets.indexOf(LF, start)
    const crlf = found > start && octets[found - 1] === CR
    const end = found < 0 ? octets.length : crlf ? found - 1 : found
    if (found >= 0 && !crlf) bareLineEnd = true
    if (end - start > MAX_LINE) longLine = true
    const last = end > start ? octets[end - 1] : undefined
    if (last === SPACE || last === TAB) fragile = true
    if (end - start === 1 && octets[start] === DOT) fragile = true
    if (octets[start] === FROM[0] && octets.subarray(start, start + FROM.length).equals(FROM)) fragile = true
    for (let at = start; at < end; at++) {
      const octet = octets[at] ?? NUL
      if ((octet >= SPACE && octet < DEL && octet !== EQUALS) || octet === TAB) continue
      escapes++
      if (octet === CR) bareLineEnd = true
    }
  }
  const quotedLength = Math.ceil(((octets.length + 2 * escapes) * 78) / 75)
  return { eightBit: !isAscii(octets), nul: octets.includes(NUL), bareLineEnd, longLine, fragile, quotedLength }
}
