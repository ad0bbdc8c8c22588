import { isAscii, isUtf8 } from 'node:buffer'
import { TextDecoder } from 'node:util'
import { EMPTY } from '../../bytes.ts'
import type { Report } from '../defect.ts'
import { KoreanDecoding } from './korean.ts'
import { type Charset, charsetOf } from './labels.ts'
import { decodeSingleByte, isSingleByte, type SingleByteCharset } from './single-byte.ts'
import { type Decoding, Utf16Decoding, Utf32Decoding, Utf7Decoding } from './unicode.ts'

/** ASCII octets that no multi-byte character ends in or shifts state by: after one of these a decoder holds nothing. */
const FIRST_TRAIL = 0x30
/** How much unlabelled text is looked at before UTF-8 or windows-1252 is settled for a stream. */
const GUESS_OCTETS = 65536

/**
 * Octets as text. Without a label, with `us-ascii` or with one that nobody knows: UTF-8 when all of it is valid, else windows-1252. Octets
 * that mean nothing become U+FFFD; a byte order mark is dropped. Reports `unknown-charset` and `invalid-charset-octets`.
 */
export function decodeText(octets: Buffer, label: string | null, report: Report): string {
  const charset = label === null ? undefined : charsetOf(label)
  if (label !== null && charset === undefined) report('unknown-charset', 0)
  if (octets.length === 0) return ''
  if (isAsciiBased(charset) && isAscii(octets)) return octets.toString('latin1')
  if (charset === undefined || charset === 'us-ascii') {
    if (isUtf8(octets)) return withoutMark(octets.toString('utf8'))
    return decodeSingleByte(octets, 'windows-1252')
  }
  if (charset === 'utf-8' && isUtf8(octets)) return withoutMark(octets.toString('utf8'))
  if (isSingleByte(charset)) return checked(decodeSingleByte(octets, charset), report)
  const decoding = decodingOf(charset)
  return withoutMark(checked(decoding.decode(octets) + decoding.end(), report))
}

/** The same for text that arrives in chunks, whatever the chunks. Guesses from the first 64 KiB after the first octet that is not ASCII. */
export class CharsetDecoder {
  readonly #report: Report
  readonly #asciiBased: boolean
  readonly #decoding: Decoding
  /** Nothing is held back: a chunk of ASCII may take the short way. */
  #clean = true
  #invalid = false
  #start = true

  constructor(label: string | null, report: Report) {
    const charset = label === null ? undefined : charsetOf(label)
    if (label !== null && charset === undefined) report('unknown-charset', 0)
    this.#report = report
    this.#asciiBased = isAsciiBased(charset)
    this.#decoding = decodingOf(charset)
  }

  decode(chunk: Buffer): string {
    if (chunk.length === 0) return ''
    if (this.#clean && this.#asciiBased && isAscii(chunk)) {
      this.#start = false
      return chunk.toString('latin1')
    }
    const text = this.#decoding.decode(chunk)
    this.#clean = this.#asciiBased && !(this.#decoding instanceof GuessDecoding) && (chunk.at(-1) ?? 0) < FIRST_TRAIL
    return this.#checked(text)
  }

  end(): string {
    return this.#checked(this.#decoding.end())
  }

  #checked(text: string): string {
    if (text === '') return text
    if (!this.#invalid && text.includes('\ufffd')) {
      this.#invalid = true
      this.#report('invalid-charset-octets', 0)
    }
    if (!this.#start) return text
    this.#start = false
    return withoutMark(text)
  }
}

function checked(text: string, report: Report): string {
  if (text.includes('\ufffd')) report('invalid-charset-octets', 0)
  return text
}

function withoutMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text
}

function isAsciiBased(charset: Charset | undefined): boolean {
  return charset === undefined || !(charset.startsWith('utf-16') || charset.startsWith('utf-32') || charset === 'utf-7' || charset === 'iso-2022-jp')
}

function decodingOf(charset: Charset | undefined): Decoding {
  if (charset === undefined || charset === 'us-ascii') return new GuessDecoding()
  if (isSingleByte(charset)) return new SingleByteDecoding(charset)
  if (charset === 'euc-kr') return new KoreanDecoding()
  if (charset === 'utf-7') return new Utf7Decoding()
  if (charset === 'utf-16') return new Utf16Decoding(undefined)
  if (charset === 'utf-16le' || charset === 'utf-16be') return new Utf16Decoding(charset)
  if (charset.startsWith('utf-32')) return new Utf32Decoding(charset === 'utf-32le')
  return new NodeDecoding(charset)
}

class SingleByteDecoding implements Decoding {
  readonly #charset: SingleByteCharset

  constructor(charset: SingleByteCharset) {
    this.#charset = charset
  }

  decode(chunk: Buffer): string {
    return decodeSingleByte(chunk, this.#charset)
  }

  end(): string {
    return ''
  }
}

/** The charsets that Node knows and gets right, but for three control characters of shift_jis. */
class NodeDecoding implements Decoding {
  readonly #decoder: TextDecoder
  readonly #turned: boolean

  constructor(charset: string) {
    this.#decoder = new TextDecoder(charset, { ignoreBOM: true })
    this.#turned = charset === 'shift_jis' && new TextDecoder(charset).decode(Uint8Array.of(0x7f)) === '\x1a'
  }

  decode(chunk: Buffer): string {
    return this.#straight(this.#decoder.decode(chunk, { stream: true }))
  }

  end(): string {
    return this.#straight(this.#decoder.decode())
  }

  /** ICU takes shift_jis for a code page of the mainframe, where 1A, 1C and 7F have changed places. */
  #straight(text: string): string {
    if (!this.#turned || !(text.includes('\x1a') || text.includes('\x1c') || text.includes('\x7f'))) return text
    return text.replace(/\p{Cc}/gu, (control) => (control === '\x1a' ? '\x7f' : control === '\x1c' ? '\x1a' : control === '\x7f' ? '\x1c' : control))
  }
}

/** UTF-8 if what was seen is, else windows-1252. */
class GuessDecoding implements Decoding {
  #held: Buffer[] = []
  #heldLength = 0
  #settled: Decoding | undefined

  decode(chunk: Buffer): string {
    if (this.#settled !== undefined) return this.#settled.decode(chunk)
    if (this.#heldLength === 0 && isAscii(chunk)) return chunk.toString('latin1')
    const from = this.#heldLength > 0 ? 0 : chunk.findIndex((octet) => octet >= 0x80)
    const to = Math.min(chunk.length, from + GUESS_OCTETS - this.#heldLength)
    this.#held.push(Buffer.from(chunk.subarray(from, to)))
    this.#heldLength += to - from
    const head = chunk.toString('latin1', 0, from)
    if (this.#heldLength < GUESS_OCTETS) return head
    return head + this.#settle() + (to < chunk.length ? this.decode(chunk.subarray(to)) : '')
  }

  end(): string {
    return this.#settled === undefined ? this.#settle() + this.end() : this.#settled.end()
  }

  #settle(): string {
    const seen = Buffer.concat(this.#held)
    this.#held = [EMPTY]
    this.#settled = isUtf8(wholeCharacters(seen)) ? new NodeDecoding('utf-8') : new SingleByteDecoding('windows-1252')
    return this.#settled.decode(seen)
  }
}

/** Without a character that the end cuts, when there may be more to come. */
function wholeCharacters(octets: Buffer): Buffer {
  if (octets.length < GUESS_OCTETS) return octets
  for (let back = 1; back <= 3; back++) {
    const octet = octets[octets.length - back] ?? 0
    if (octet >= 0xc0) return octets.subarray(0, octets.length - back)
    if (octet < 0x80) break
  }
  return octets
}
