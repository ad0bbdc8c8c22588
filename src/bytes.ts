import { isUtf8 } from 'node:buffer'

export const NUL = 0
export const TAB = 9
export const LF = 10
export const CR = 13
export const SPACE = 32
export const DOT = 46
export const DEL = 127

export const EMPTY: Buffer = Buffer.alloc(0)
export const CRLF: Buffer = Buffer.from('\r\n')

/** Space or tab. */
export const isBlank = (octet: number | undefined): boolean => octet === SPACE || octet === TAB

/** The same octets as a Buffer, without a copy. */
export function asBuffer(octets: Uint8Array): Buffer {
  return Buffer.isBuffer(octets) ? octets : Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength)
}

/** A server's text: UTF-8 where it is that, otherwise one character an octet. */
export const decodeText = (octets: Buffer): string => octets.toString(isUtf8(octets) ? 'utf8' : 'latin1')

const UNSAFE = /[\p{Cc}\p{Cs}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u

/** Text from a stranger, fit for one line of a log, an error message or a terminal: control characters, line and bidi marks are written
 *  as `\u{…}`, and what is longer than `limit` characters is cut (CWE-117). */
export function printable(text: string, limit = 500): string {
  let out = ''
  let count = 0
  for (const character of text) {
    if (count++ >= limit) return `${out}…`
    out += UNSAFE.test(character) ? `\\u{${character.codePointAt(0)?.toString(16)}}` : character
  }
  return out
}
