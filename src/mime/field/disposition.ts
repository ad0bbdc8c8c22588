import type { Report } from '../defect.ts'
import { readQuotedToken } from './media-type.ts'
import { parseParameters } from './parameters.ts'
import { EQUALS, skipCfws } from './scan.ts'

/** A content disposition (RFC 2183). */
export interface Disposition {
  /** Lower case, or null when there is none to be read. */ readonly disposition: string | null
  readonly parameters: ReadonlyMap<string, string>
}

/** Reads the body of a Content-Disposition field. Reports `invalid-disposition` and what `parseParameters` reports. */
export function parseDisposition(body: string, report: Report, limit = 1000): Disposition {
  const { token, end } = readQuotedToken(body, 0)
  const next = skipCfws(body, end)
  // `filename=x` without a disposition before it.
  if (token !== '' && body.charCodeAt(next) !== EQUALS) return { disposition: token, parameters: parseParameters(body, next, report, limit) }
  report('invalid-disposition', 0)
  return { disposition: null, parameters: parseParameters(body, 0, report, limit) }
}
