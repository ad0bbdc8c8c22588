import { isAscii, isUtf8 } from 'node:buffer'
import { EMPTY } from '../../bytes.ts'
import type { Report } from '../defect.ts'
import { joined, reportOnce } from '../encoding/coder.ts'
import type { Conversion } from './conversion.ts'
import { iso2022 } from './iso-2022.ts'
import { type Charset, charsetOf } from './labels.ts'
import { isMultiByte, multiByte } from './multi-byte.ts'
import { decodeSingleByte, extendsAscii, isSingleByte } from './single-byte.ts'
import { utf7, utf8, wholeLength, wide } from './unicode.ts'

/**
 * Octets as text. Without a label, with `us-ascii` or with one that nobody knows: UTF-8 when all of it is valid, else windows-1252. Octets
 * that mean nothing become U+FFFD; a byte order mark is dropped. Reports `unknown-charset` and `invalid-charset-octets`.
 */
export function decodeText(octets: Buffer, label: string | null, report: Report): string {
  const charset = label === null ? undefined : charsetOf(label)
  if (label !== null && charset === undefined) report('unknown-charset', 0)
  if (isAsciiBased(charset) && isAscii(octets)) return octets.toString('latin1')
  const isGuess = isGuessed(charset)
  if ((isGuess || charset === 'utf-8') && isUtf8(octets)) return withoutMark(octets.toString('utf8'))
  const { text, invalid } = conversionOf(isGuess ? 'windows-1252' : charset)(octets, true)
  if (invalid) report('invalid-charset-octets', 0)
  return withoutMark(text)
}

/**
 * Text a chunk at a time, cut anywhere: together what `decodeText` gives, but for one case. Where it has to find out whether text is UTF-8, only the
 * 64 KiB from the first octet that is not ASCII are held and looked at; if they are UTF-8, what is not UTF-8 behind them is U+FFFD and reported.
 */
export class CharsetDecoder {
  readonly #charset: Charset | undefined
  readonly #conversion: Conversion
  readonly #isUnknown: boolean
  readonly #report = reportOnce()
  #held: Buffer = EMPTY
  #begun = false

  /** `label`: as a charset parameter has it; `null` where there is none. */
  constructor(label: string | null) {
    this.#charset = label === null ? undefined : charsetOf(label)
    this.#isUnknown = label !== null && this.#charset === undefined
    this.#conversion = isGuessed(this.#charset) ? guess() : conversionOf(this.#charset)
  }

  /** What can be decided. Nothing of `chunk` itself is kept. */
  decode(chunk: Buffer, report: Report): string {
    return this.#convert(chunk, false, report)
  }

  /** What was held back. */
  end(report: Report): string {
    return this.#convert(EMPTY, true, report)
  }

  #convert(chunk: Buffer, final: boolean, report: Report): string {
    if (this.#isUnknown) this.#report(report, 'unknown-charset', 0)
    const { text, rest, invalid } = this.#conversion(joined(this.#held, chunk), final)
    this.#held = rest.length === 0 ? EMPTY : Buffer.from(rest)
    if (invalid) this.#report(report, 'invalid-charset-octets', 0)
    if (this.#begun || text === '') return text
    this.#begun = true
    return withoutMark(text)
  }
}

const withoutMark = (text: string): string => (text.startsWith('\ufeff') ? text.slice(1) : text)

const isGuessed = (charset: Charset | undefined): charset is 'us-ascii' | undefined => charset === undefined || charset === 'us-ascii'

/** ASCII octets mean ASCII characters in every place of a text. */
function isAsciiBased(charset: Charset | undefined): boolean {
  if (isGuessed(charset) || charset === 'utf-8') return true
  return isSingleByte(charset) ? extendsAscii(charset) : isMultiByte(charset)
}

function conversionOf(charset: Exclude<Charset, 'us-ascii'>): Conversion {
  if (isSingleByte(charset)) {
    return (octets) => {
      const text = decodeSingleByte(octets, charset)
      return { text, rest: EMPTY, invalid: text.includes('\ufffd') }
    }
  }
  if (isMultiByte(charset)) return multiByte(charset)
  if (charset === 'utf-8') return utf8
  if (charset === 'utf-7') return utf7()
  return charset.startsWith('utf-') ? wide(charset) : iso2022(charset)
}

const GUESS_OCTETS = 64 * 1024

/** UTF-8 or windows-1252, as the octets say. */
function guess(): Conversion {
  let decided: Conversion | undefined
  /** From the first octet that is not ASCII. */ let seen: Buffer | undefined
  let length = 0
  return (octets, final) => {
    if (decided !== undefined) return decided(octets, final)
    let start = 0
    if (seen === undefined) {
      if (isAscii(octets)) return { text: octets.toString('latin1'), rest: EMPTY, invalid: false }
      start = octets.findIndex((octet) => octet >= 0x80)
      seen = Buffer.allocUnsafe(GUESS_OCTETS)
    }
    const copied = octets.copy(seen, length, start)
    length += copied
    const before = octets.toString('latin1', 0, start)
    if (!final && length < GUESS_OCTETS) return { text: before, rest: EMPTY, invalid: false }
    const whole = seen.subarray(0, length)
    decided = isUtf8(final ? whole : whole.subarray(0, wholeLength(whole))) ? utf8 : conversionOf('windows-1252')
    const { text, rest, invalid } = decided(Buffer.concat([whole, octets.subarray(start + copied)]), final)
    seen = undefined
    return { text: before + text, rest, invalid }
  }
}
