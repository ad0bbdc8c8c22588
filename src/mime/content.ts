import { isAscii, isUtf8 } from 'node:buffer'
import { asBuffer } from '../bytes.ts'
import { MailError } from '../errors.ts'
import type { ComposeOptions, Content } from './draft.ts'
import { Base64Encoder, base64Length } from './encoding/base64.ts'
import type { ContentEncoder } from './encoding/encoder.ts'
import { QuotedPrintableEncoder } from './encoding/quoted-printable.ts'
import { survey } from './encoding/survey.ts'

export type Transport = NonNullable<ComposeOptions['transport']>
export type TransferEncoding = '7bit' | '8bit' | 'binary' | 'quoted-printable' | 'base64'

/** Content on its way out, and the encoding it travels in: octets in memory, or a stream with the length it declares. */
export type Outgoing =
  | { readonly encoding: TransferEncoding; readonly octets: Buffer }
  | { readonly encoding: TransferEncoding; readonly stream: AsyncIterable<Uint8Array>; readonly declared: number | undefined }

export interface Prepared {
  readonly outgoing: Outgoing
  /** Of text; `null` when nobody knows. */
  readonly charset: 'us-ascii' | 'utf-8' | null
}

export function contentError(message: string, cause?: unknown): MailError {
  return new MailError('ERR_CONTENT', message, { phase: 'compose', cause })
}

/**
 * Chooses how content travels. A string is text: CRLF line ends, and the plainest encoding that arrives unchanged. Octets and streams are
 * base64, because nothing else brings lone CR and LF through every relay; over BINARYMIME they need no encoding.
 * @param whole the content must not be encoded; `undefined` comes back when the transport cannot carry it so
 */
export function prepareContent(content: Content, size: number | undefined, transport: Transport, whole = false): Prepared | undefined {
  if (size !== undefined && !(Number.isSafeInteger(size) && size >= 0)) throw contentError('size: a whole number of octets')
  if (typeof content === 'string') {
    const octets = Buffer.from(content.replace(/\r\n|\r|\n/g, '\r\n'), 'utf8')
    const encoding = whole ? plainEncoding(octets, transport) : textEncoding(octets, transport)
    return encoding && { outgoing: { encoding, octets }, charset: isAscii(octets) ? 'us-ascii' : 'utf-8' }
  }
  const encoding = transport === 'binary' ? 'binary' : 'base64'
  if (content instanceof Uint8Array) {
    const octets = asBuffer(content)
    if (size !== undefined && size !== octets.length) throw contentError(`content of ${octets.length} octets that says it has ${size}`)
    const chosen = whole ? plainEncoding(octets, transport) : encoding
    return chosen && { outgoing: { encoding: chosen, octets }, charset: isAscii(octets) ? 'us-ascii' : isUtf8(octets) ? 'utf-8' : null }
  }
  if (!isAsyncIterable(content)) throw contentError('content is a string, octets or an async iterable of octets; nothing is opened by name')
  if (whole && encoding === 'base64') return undefined
  return { outgoing: { encoding, stream: content, declared: size }, charset: 'utf-8' }
}

/** What text travels in (RFC 2045 §6). What relays are known to change is encoded, but for BINARYMIME, which has no such relays. */
function textEncoding(octets: Buffer, transport: Transport): TransferEncoding {
  const seen = survey(octets)
  if (!seen.nul && !seen.longLine && (!seen.fragile || transport === 'binary')) {
    if (!seen.eightBit) return '7bit'
    if (transport !== '7bit') return '8bit'
  }
  if (transport === 'binary') return 'binary'
  return seen.quotedLength <= base64Length(octets.length) ? 'quoted-printable' : 'base64'
}

/** The identity encoding that these octets are legal in. */
function plainEncoding(octets: Buffer, transport: Transport): TransferEncoding | undefined {
  const seen = survey(octets)
  if (seen.nul || seen.longLine || seen.bareLineEnd) return transport === 'binary' ? 'binary' : undefined
  if (!seen.eightBit) return '7bit'
  return transport === '7bit' ? undefined : '8bit'
}

export function createEncoder(encoding: TransferEncoding): ContentEncoder | null {
  if (encoding === 'base64') return new Base64Encoder()
  return encoding === 'quoted-printable' ? new QuotedPrintableEncoder('text') : null
}

/** Octets that an encoder is given at once, so that what it makes stays below 128 KiB. */
export function blockSize(encoding: TransferEncoding): number {
  return encoding === 'quoted-printable' ? 32 * 1024 : encoding === 'base64' ? 24 * 1024 : 64 * 1024
}

/** Octets after the encoding, or `undefined` for a stream that does not know. */
export function encodedSize(outgoing: Outgoing): number | undefined {
  const length = 'octets' in outgoing ? outgoing.octets.length : outgoing.declared
  if (length === undefined) return undefined
  if (outgoing.encoding === 'base64') return base64Length(length)
  if (outgoing.encoding !== 'quoted-printable' || !('octets' in outgoing)) return length
  const encoder = new QuotedPrintableEncoder('text')
  const block = blockSize('quoted-printable')
  let size = 0
  for (let at = 0; at < length; at += block) size += encoder.encode(outgoing.octets.subarray(at, at + block)).length
  return size + encoder.end().length
}

function isAsyncIterable(content: unknown): content is AsyncIterable<Uint8Array> {
  return typeof content === 'object' && content !== null && Symbol.asyncIterator in content && typeof content[Symbol.asyncIterator] === 'function'
}
