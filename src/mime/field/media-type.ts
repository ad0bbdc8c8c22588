import type { Report } from '../defect.ts'
import { parseParameters } from './parameters.ts'
import { QUOTE, skipCfws, skipToken } from './scan.ts'

/** A content type (RFC 2045 §5.1). */
export interface MediaType {
  /** Lower case; `text/plain` when the field is not usable (RFC 2045 §5.2). */ readonly type: string
  /** Decoded, by name in lower case; `boundary` is octets, one character each. */ readonly parameters: ReadonlyMap<string, string>
  readonly valid: boolean
}

/** Reads the body of a Content-Type field. Reports `invalid-content-type` and what `parseParameters` reports. */
export function parseMediaType(body: string, report: Report, limit = 1000): MediaType {
  const start = skipCfws(body, 0)
  const typeEnd = skipToken(body, start)
  const slash = skipCfws(body, typeEnd)
  const subtype = skipCfws(body, slash + 1)
  const end = skipToken(body, subtype)
  if (typeEnd > start && body[slash] === '/' && end > subtype) {
    const type = `${body.slice(start, typeEnd)}/${body.slice(subtype, end)}`.toLowerCase()
    return { type, parameters: parseParameters(body, end, report, limit), valid: true }
  }
  report('invalid-content-type', start)
  // Without a type everything from the first semicolon on may still say which charset was meant.
  const semicolon = body.indexOf(';')
  return { type: 'text/plain', parameters: parseParameters(body, semicolon < 0 ? body.length : semicolon, report, limit), valid: false }
}

/** A disposition's or an encoding's name: a token, alone or in quotes. Where it ends, and what it is. */
export function readQuotedToken(body: string, from: number): { token: string; end: number } {
  const start = skipCfws(body, from)
  const quoted = body.charCodeAt(start) === QUOTE
  const begin = quoted ? start + 1 : start
  const end = skipToken(body, begin)
  return { token: body.slice(begin, end).toLowerCase(), end: quoted && body.charCodeAt(end) === QUOTE ? end + 1 : end }
}
