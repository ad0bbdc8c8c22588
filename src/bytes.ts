export const NUL = 0
export const TAB = 9
export const LF = 10
export const CR = 13
export const SPACE = 32
export const DOT = 46
export const DEL = 127

export const EMPTY: Buffer = Buffer.alloc(0)
export const CRLF: Buffer = Buffer.from('\r\n')

/** The same octets as a Buffer, without a copy. */
export function asBuffer(octets: Uint8Array): Buffer {
  return Buffer.isBuffer(octets) ? octets : Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength)
}

/**
 * Text from a stranger, fit for one line of a log, an error message or a terminal: control characters, line and bidi marks are written
 * as `\u{…}`, and what is longer than `limit` characters is cut (CWE-117).
 */
export function printable(text: string, limit = 500): string {
  let out = ''
  let count = 0
  for (const character of text) {
    if (count++ >= limit) return `${out}…`
    const code = character.codePointAt(0) ?? 0
    out += isUnsafe(code) ? `\\u{${code.toString(16)}}` : character
  }
  return out
}

function isUnsafe(code: number): boolean {
  return (
    code < 0x20 ||
    (code >= 0x7f && code < 0xa0) ||
    code === 0x61c ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202e) ||
    (code >= 0x2060 && code <= 0x2069) ||
    code === 0xfeff ||
    (code >= 0xd800 && code <= 0xdfff)
  )
}
