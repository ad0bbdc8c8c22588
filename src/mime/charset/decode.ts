import { isAscii, isUtf8 } from 'node:buffer'
import { EMPTY } from '../../bytes.ts'
import type { Report } from '../defect.ts'
import { joined, reportOnce } from '../encoding/coder.ts'
import { type Conversion, converted, extendsAscii, isSingleByte, singleByte, utf7, utf8, wholeLength, wide } from './conversion.ts'
import { type Charset, charsetOf } from './labels.ts'
import { isMultiByte, iso2022, multiByte } from './multi-byte.ts'

/** Octets as text. Without a label, with `us-ascii` or with one that nobody knows: UTF-8 when all of it is valid, else windows-1252. Octets
 *  that mean nothing become U+FFFD; a byte order mark is dropped, but in a field (`isField`), where UTF-8 has none: there it is a character.
 *  Reports `unknown-charset` and `invalid-charset-octets`. */
export function decodeText(octets: Buffer, label: string | null, report: Report, isField = false): string {
  const known = label === null ? 'us-ascii' : charsetOf(label)
  if (known === undefined) report('unknown-charset', 0)
  const charset = known ?? 'us-ascii'
  const isUnicode = charset === 'us-ascii' || charset === 'utf-8'
  if ((isUnicode || extendsAscii(charset) || isMultiByte(charset)) && isAscii(octets)) return octets.toString('latin1')
  if (isUnicode && isUtf8(octets)) return isField ? octets.toString('utf8') : withoutMark(octets.toString('utf8'))
  const { text, invalid } = conversionOf(charset === 'us-ascii' ? 'windows-1252' : charset)(octets, true)
  if (invalid) report('invalid-charset-octets', 0)
  return withoutMark(text)
}

/** Text a chunk at a time, cut anywhere: together what `decodeText` gives, but for one case. Where it has to find out whether text is UTF-8, only the
 *  64 KiB from the first octet that is not ASCII are held and looked at; if they are UTF-8, what is not UTF-8 behind them is U+FFFD and reported. */
export class CharsetDecoder {
  readonly #conversion: Conversion
  readonly #isUnknown: boolean
  readonly #report = reportOnce()
  #held: Buffer = EMPTY
  #begun = false

  /** `label`: as a charset parameter has it; `null` where there is none. */
  constructor(label: string | null) {
    const charset = label === null ? 'us-ascii' : charsetOf(label)
    this.#isUnknown = charset === undefined
    this.#conversion = conversionOf(charset ?? 'us-ascii')
  }

  /** What can be decided. Nothing of `chunk` itself is kept. */
  decode(chunk: Buffer, report: Report, final = false): string {
    if (this.#isUnknown) this.#report(report, 'unknown-charset', 0)
    const { text, rest, invalid } = this.#conversion(joined(this.#held, chunk), final)
    this.#held = Buffer.from(rest)
    if (invalid) this.#report(report, 'invalid-charset-octets', 0)
    if (this.#begun || text === '') return text
    this.#begun = true
    return withoutMark(text)
  }

  /** What was held back. */
  end(report: Report): string {
    return this.decode(EMPTY, report, true)
  }
}

const withoutMark = (text: string): string => (text.startsWith('\ufeff') ? text.slice(1) : text)

function conversionOf(charset: Charset): Conversion {
  if (isSingleByte(charset)) return singleByte(charset)
  if (isMultiByte(charset)) return multiByte(charset)
  if (charset === 'us-ascii') return guess()
  if (charset === 'utf-8') return utf8
  if (charset === 'utf-7') return utf7()
  return charset.startsWith('utf-') ? wide(charset) : iso2022(charset)
}

const GUESS_OCTETS = 64 * 1024

/** UTF-8 or windows-1252, as the octets say. */
function guess(): Conversion {
  let decided: Conversion | undefined
  /** From the first octet that is not ASCII: held here, so that the smallest chunks are copied once. */ let seen: Buffer | undefined
  let length = 0
  return (octets, final) => {
    if (decided !== undefined) return decided(octets, final)
    if (seen === undefined && isAscii(octets)) return converted(octets.toString('latin1'))
    const start = seen === undefined ? octets.findIndex((octet) => octet >= 0x80) : 0
    seen ??= Buffer.allocUnsafe(GUESS_OCTETS)
    const copied = octets.copy(seen, length, start)
    length += copied
    const before = octets.toString('latin1', 0, start)
    if (!final && length < GUESS_OCTETS) return converted(before)
    const whole = seen.subarray(0, length)
    decided = isUtf8(final ? whole : whole.subarray(0, wholeLength(whole))) ? utf8 : singleByte('windows-1252')
    const { text, rest, invalid } = decided(Buffer.concat([whole, octets.subarray(start + copied)]), final)
    seen = undefined
    return { text: before + text, rest, invalid }
  }
}
