import { printable } from '../../bytes.ts'
import type { Report } from '../defect.ts'
import { parseParameters } from './parameters.ts'
import { skipBlanks, skipCfws, skipRun, TOKEN } from './scan.ts'

/** A content type (RFC 2045 §5.1). */
export interface MediaType {
  /** Lower case; `text/plain` when the field is not usable (RFC 2045 §5.2). */ readonly type: string
  /** Decoded, by name in lower case; `boundary` is octets, one character each. */ readonly parameters: ReadonlyMap<string, string>
  readonly valid: boolean
}

/** Reads the body of a Content-Type field. Reports `invalid-content-type`, `content-type-syntax` and what `parseParameters` reports. */
export function parseMediaType(body: string, report: Report, limit = 1000): MediaType {
  const start = skipCfws(body, 0)
  const typeEnd = skipRun(TOKEN, body, start)
  const slash = skipCfws(body, typeEnd)
  const subtype = skipCfws(body, slash + 1)
  const end = skipRun(TOKEN, body, subtype)
  const valid = typeEnd > start && body[slash] === '/' && end > subtype
  const isPlain = start === skipBlanks(body, 0) && subtype === typeEnd + 1 && ';'.includes(body.charAt(skipBlanks(body, end)))
  if (!valid) report('invalid-content-type', start)
  else if (!isPlain) report('content-type-syntax', end)
  // Without a type everything from the first semicolon on may still say which charset was meant.
  const parameters = parseParameters(body, valid ? end : body.search(/;|$/), report, limit)
  return { type: valid ? `${body.slice(start, typeEnd)}/${body.slice(subtype, end)}`.toLowerCase() : 'text/plain', parameters, valid }
}

/** A content disposition (RFC 2183). */
export interface Disposition {
  /** Lower case, or null when there is none to be read. */ readonly disposition: string | null
  readonly parameters: ReadonlyMap<string, string>
}

/** Reads the body of a Content-Disposition field. Reports `invalid-disposition` and what `parseParameters` reports. */
export function parseDisposition(body: string, report: Report, limit = 1000): Disposition {
  const { token, next } = readQuotedToken(body)
  // `filename=x` without a disposition before it.
  const isMissing = token === '' || body[next] === '='
  if (isMissing) report('invalid-disposition', 0)
  return { disposition: isMissing ? null : token, parameters: parseParameters(body, isMissing ? 0 : next, report, limit) }
}

/** A disposition's or an encoding's name, a token, alone or in quotes, and where what follows begins. */
function readQuotedToken(body: string): { token: string; next: number } {
  const start = skipCfws(body, 0)
  const begin = body[start] === '"' ? start + 1 : start
  const end = skipRun(TOKEN, body, begin)
  return { token: body.slice(begin, end).toLowerCase(), next: skipCfws(body, begin > start && body[end] === '"' ? end + 1 : end) }
}

const KNOWN = new Set(['7bit', '8bit', 'binary', 'base64', 'quoted-printable', 'x-uuencode'])
/** `8-bit`, `7bits`, `8 bit`: not known to any RFC, but no secret either, and the octets stay as they are in any case. */
const IDENTITY = /^[678][ -]?bits?$/

/** A content-transfer-encoding (RFC 2045 §6.1) in lower case; one that is not known means identity (§6.4). Reports `unknown-encoding`. */
export function parseTransferEncoding(body: string, report: Report): string {
  const { token, next } = readQuotedToken(body)
  // A list of encodings would have each reader pick another one: it is none.
  const isAlone = next >= body.length || body[next] === ';'
  if (isAlone && KNOWN.has(token)) return token
  if (isAlone && /^(?:x-uue|uuencode|uue)$/.test(token)) return 'x-uuencode'
  report('unknown-encoding', 0)
  const sent = printable(body.trim(), 100).toLowerCase()
  return IDENTITY.test(sent) || sent === '' ? (sent.startsWith('8') ? '8bit' : '7bit') : sent
}
