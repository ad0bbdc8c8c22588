import { printable } from '../../bytes.ts'
import type { Report } from '../defect.ts'
import { readQuotedToken } from './media-type.ts'
import { SEMICOLON, skipCfws } from './scan.ts'

const KNOWN = new Set(['7bit', '8bit', 'binary', 'base64', 'quoted-printable', 'x-uuencode'])
const UUENCODE = new Set(['x-uue', 'uuencode', 'uue'])
/** `8-bit`, `7bits`, `8 bit`: not known to any RFC, but no secret either, and the octets stay as they are in any case. */
const IDENTITY = /^[678][ -]?bits?$/

/**
 * Reads the body of a Content-Transfer-Encoding field (RFC 2045 §6.1): `7bit`, `8bit`, `binary`, `base64`, `quoted-printable` or
 * `x-uuencode`, misspelt ones of the first two included, or what was sent instead, in lower case, which means that the octets stay as they are (§6.4). Reports `unknown-encoding`.
 */
export function parseTransferEncoding(body: string, report: Report): string {
  const { token, end } = readQuotedToken(body, 0)
  const next = skipCfws(body, end)
  // A list of encodings would have each reader pick another one: it is none.
  if (next >= body.length || body.charCodeAt(next) === SEMICOLON) {
    if (KNOWN.has(token)) return token
    if (UUENCODE.has(token)) return 'x-uuencode'
  }
  const sent = printable(body.trim(), 100).toLowerCase()
  report('unknown-encoding', 0)
  if (sent === '') return '7bit'
  return IDENTITY.test(sent) ? (sent.startsWith('8') ? '8bit' : '7bit') : sent
}
