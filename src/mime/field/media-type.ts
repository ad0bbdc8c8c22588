import type { Report } from '../defect.ts'
import { parseParameters } from './parameters.ts'
import { QUOTE, skipCfws, skipToken } from './scan.ts'

/** A content type (RFC 2045 §5.1). */
export interface MediaType {
  /** Lower case; `text/plain` when the field is not usable (RFC 2045 §5.2). */ readonly type: string
  /** Decoded, by name in lower case; `boundary` is octets, one character each. */ readonly parameters: ReadonlyMap<string, string>
  readonly valid: boolean
}

const SLASH = 47

/** Reads the body of a Content-Type field. Reports `invalid-content-type` and what `parseParameters` reports. */
export function parseMediaType(body: string, report: Report, limit = 1000): MediaType {
  const start = skipCfws(body, 0)
  const typeEnd = skipToken(body, start)
  const slash = skipCfws(body, typeEnd)
  if (typeEnd > start && body.charCodeAt(slash) === SLASH) {
    const subtypeStart = skipCfws(body, slash + 1)
    const subtypeEnd = skipToken(body, subtypeStart)
    if (subtypeEnd > subtypeStart) {
      const type = `${body.slice(start, typeEnd)}/${body.slice(subtypeStart, subtypeEnd)}`.toLowerCase()
      return { type, parameters: parameters(body, subtypeEnd, report, limit), valid: true }
    }
  }
  report('invalid-content-type', start)
  // Without a type everything from the first semicolon on may still say which charset was meant.
  const semicolon = body.indexOf(';')
  return { type: 'text/plain', parameters: semicolon < 0 ? new Map() : parameters(body, semicolon, report, limit), valid: false }
}

function parameters(body: string, from: number, report: Report, limit: number): ReadonlyMap<string, string> {
  const at = skipCfws(body, from)
  return at >= body.length ? new Map<string, string>() : parseParameters(body, at, report, limit)
}

/** A disposition's or an encoding's name: a token, alone or in quotes. Where it ends, and what it is. */
export function readQuotedToken(body: string, from: number): { token: string; end: number } {
  const start = skipCfws(body, from)
  const quoted = body.charCodeAt(start) === QUOTE
  const begin = quoted ? start + 1 : start
  const end = skipToken(body, begin)
  return { token: body.slice(begin, end).toLowerCase(), end: quoted && body.charCodeAt(end) === QUOTE ? end + 1 : end }
}
