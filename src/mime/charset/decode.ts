import { isAscii, isUtf8 } from 'node:buffer'
import { TextDecoder } from 'node:util'
import type { Report } from '../defect.ts'
import { decodeKorean } from './korean.ts'
import { type Charset, charsetOf } from './labels.ts'
import { decodeSingleByte, isSingleByte } from './single-byte.ts'
import { decodeUtf16, decodeUtf32, decodeUtf7 } from './unicode.ts'

/**
 * Octets as text. Without a label, with `us-ascii` or with one that nobody knows: UTF-8 when all of it is valid, else windows-1252. Octets
 * that mean nothing become U+FFFD; a byte order mark is dropped. Reports `unknown-charset` and `invalid-charset-octets`.
 */
export function decodeText(octets: Buffer, label: string | null, report: Report): string {
  const charset = label === null ? undefined : charsetOf(label)
  if (label !== null && charset === undefined) report('unknown-charset', 0)
  if (isAsciiBased(charset) && isAscii(octets)) return octets.toString('latin1')
  const isGuess = charset === undefined || charset === 'us-ascii'
  if ((isGuess || charset === 'utf-8') && isUtf8(octets)) return withoutMark(octets.toString('utf8'))
  const text = decodeAs(octets, isGuess ? 'windows-1252' : charset)
  if (text.includes('\ufffd')) report('invalid-charset-octets', 0)
  return withoutMark(text)
}

const withoutMark = (text: string): string => (text.startsWith('\ufeff') ? text.slice(1) : text)

function isAsciiBased(charset: Charset | undefined): boolean {
  return charset === undefined || !(charset.startsWith('utf-16') || charset.startsWith('utf-32') || charset === 'utf-7' || charset === 'iso-2022-jp')
}

function decodeAs(octets: Buffer, charset: Charset): string {
  if (isSingleByte(charset)) return decodeSingleByte(octets, charset)
  if (charset === 'euc-kr') return decodeKorean(octets)
  if (charset === 'utf-7') return decodeUtf7(octets)
  if (charset === 'utf-16' || charset === 'utf-16le' || charset === 'utf-16be') return decodeUtf16(octets, charset)
  if (charset.startsWith('utf-32')) return decodeUtf32(octets, charset === 'utf-32le')
  const text = new TextDecoder(charset, { ignoreBOM: true }).decode(octets)
  return charset === 'shift_jis' && new TextDecoder(charset).decode(Uint8Array.of(0x7f)) === '\x1a' ? straight(text) : text
}

/** ICU takes shift_jis for a code page of the mainframe, where 1A, 1C and 7F have changed places. */
function straight(text: string): string {
  return text.replace(/\p{Cc}/gu, (control) => (control === '\x1a' ? '\x7f' : control === '\x1c' ? '\x1a' : control === '\x7f' ? '\x1c' : control))
}
