import { isAscii, isUtf8 } from 'node:buffer'
import { asBuffer, CR, DEL, DOT, EMPTY, isBlank, LF, NUL, SPACE, TAB } from '../bytes.ts'
import { MailError } from '../errors.ts'
import type { ComposeOptions, Content } from './draft.ts'
import { Base64Encoder, base64Length } from './encoding/base64.ts'
import type { ContentEncoder } from './encoding/coder.ts'
import { QuotedPrintableEncoder } from './encoding/quoted-printable.ts'
import { hasLoneSurrogate } from './field/fold.ts'

export type Transport = NonNullable<ComposeOptions['transport']>
export type TransferEncoding = '7bit' | '8bit' | 'binary' | 'quoted-printable' | 'base64'

/** Content on its way out. */
export interface Outgoing {
  /** What it travels in. */ readonly encoding: TransferEncoding
  /** Of text; `null` when nobody knows. */ readonly charset: 'us-ascii' | 'utf-8' | null
  readonly source: Buffer | AsyncIterable<Uint8Array>
  /** Octets before the encoding, as far as the source knows. */ readonly size: number | undefined
}

export const isIdentity = (encoding: TransferEncoding): boolean => encoding !== 'base64' && encoding !== 'quoted-printable'

export const contentError = (message: string, cause?: unknown): MailError => new MailError('ERR_CONTENT', message, { phase: 'compose', cause })

/** Chooses how content travels. A string is text: CRLF line ends, and the plainest encoding that arrives unchanged. Octets and streams are
 *  base64, because nothing else brings lone CR and LF through every relay; over BINARYMIME they need no encoding. `whole` content is not
 *  encoded if the transport can carry it so. */
export function prepareContent(content: Content, size: number | undefined, transport: Transport, whole = false): Outgoing {
  if (size !== undefined && !(Number.isSafeInteger(size) && size >= 0)) throw contentError('size: a whole number of octets')
  const opaque = transport === 'binary' ? 'binary' : 'base64'
  if (typeof content === 'string' || content instanceof Uint8Array) {
    const isText = typeof content === 'string'
    if (isText && hasLoneSurrogate(content)) throw contentError('text holds half a surrogate pair, which UTF-8 cannot write')
    const source = isText ? Buffer.from(content.replace(/\r\n|\r|\n/g, '\r\n'), 'utf8') : asBuffer(content)
    if (!isText && size !== undefined && size !== source.length) throw contentError(`content of ${source.length} octets that says it has ${size}`)
    const encoding = isText || whole ? readableEncoding(source, transport, whole, isText) : opaque
    return { encoding, charset: isAscii(source) ? 'us-ascii' : isUtf8(source) ? 'utf-8' : null, source, size: source.length }
  }
  if (typeof content?.[Symbol.asyncIterator] !== 'function') throw contentError('content: a string, octets or a stream; nothing is opened by name')
  return { encoding: opaque, charset: 'utf-8', source: content, size }
}

const MAX_LINE = 998 // octets without the line end (RFC 5322 §2.1.1)
const FROM = Buffer.from('From ')
const EQUALS = 0x3d

/** What the octets are legal in as they are, or else an encoding (RFC 2045 §6). `whole` content must arrive octet for octet; what relays are known
 *  to change in text (blanks at the end of a line, "From " at its start, and a dot that is all of it: RFC 2049 §3) is encoded too, but for BINARYMIME,
 *  which has no such relays. */
function readableEncoding(octets: Buffer, transport: Transport, whole: boolean, isText: boolean): TransferEncoding {
  let bareLineEnd = false // a CR or LF that is no CRLF
  let longLine = false
  let fragile = false
  let escapes = 0
  for (let start = 0, found = 0; found >= 0; start = found + 1) {
    found = octets.indexOf(LF, start)
    const crlf = found > start && octets[found - 1] === CR
    const end = found < 0 ? octets.length : crlf ? found - 1 : found
    if (found >= 0 && !crlf) bareLineEnd = true
    if (end - start > MAX_LINE) longLine = true
    if (end > start && isBlank(octets[end - 1])) fragile = true
    if (end - start === 1 && octets[start] === DOT) fragile = true
    if (octets[start] === FROM[0] && octets.subarray(start, start + FROM.length).equals(FROM)) fragile = true
    for (let at = start; at < end; at++) {
      const octet = octets[at] ?? NUL
      if ((octet >= SPACE && octet < DEL && octet !== EQUALS) || octet === TAB) continue
      escapes++
      if (octet === CR) bareLineEnd = true
    }
  }
  const isPlain = !octets.includes(NUL) && !longLine && !(whole ? bareLineEnd : fragile && transport !== 'binary')
  if (isPlain && isAscii(octets)) return '7bit'
  if (isPlain && transport !== '7bit') return '8bit'
  if (transport === 'binary') return 'binary'
  // Soft line breaks are not counted exactly.
  const quotedLength = Math.ceil(((octets.length + 2 * escapes) * 78) / 75)
  return isText && quotedLength <= base64Length(octets.length) ? 'quoted-printable' : 'base64'
}

const IDENTITY: ContentEncoder = { encode: (chunk) => Buffer.from(chunk), end: () => EMPTY }

export function createEncoder(encoding: TransferEncoding, allocate: (size: number) => Buffer): ContentEncoder {
  if (encoding === 'base64') return new Base64Encoder(allocate)
  return encoding === 'quoted-printable' ? new QuotedPrintableEncoder() : IDENTITY
}

/** Octets in pieces, what an encoding makes of one being below 128 KiB. */
export function* blocks(octets: Buffer, encoding: TransferEncoding): Generator<Buffer, void, undefined> {
  const size = (isIdentity(encoding) ? 64 : 32) * 1024
  for (let at = 0; at < octets.length; at += size) yield octets.subarray(at, at + size)
}

/** Octets after the encoding; `NaN` for a stream that does not know. */
export function encodedSize({ encoding, source, size = Number.NaN }: Outgoing): number {
  if (encoding === 'base64') return base64Length(size)
  if (encoding !== 'quoted-printable' || !Buffer.isBuffer(source)) return size
  const encoder = new QuotedPrintableEncoder()
  let length = 0
  for (const block of blocks(source, encoding)) length += encoder.encode(block).length
  return length + encoder.end().length
}
