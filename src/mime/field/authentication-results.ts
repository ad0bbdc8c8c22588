import type { Report } from '../defect.ts'
import { decodeOctets, firstOfEach, skipCfws, skipEnclosed, skipRun, unescape } from './scan.ts'

/** What a server found out about a message (RFC 8601). Anybody can write this field: trust only those whose `authservId` is your own server's. */
export interface AuthenticationResults {
  /** `null` where it is missing. */ readonly authservId: string | null
  readonly version: string | null
  /** In order; none for `none`. */ readonly results: readonly AuthenticationResult[]
}

/** Names in lower case, as is `result`; values as sent. */
export interface AuthenticationResult {
  readonly method: string
  readonly version: string | null
  /** `pass`, `fail`, `softfail`, `neutral`, `none`, `policy`, `temperror`, `permerror` or anything else. */ readonly result: string
  readonly reason: string | null
  /** `smtp.mailfrom=a@b` is ptype `smtp`, property `mailfrom`; ptype is '' where no dot stands. */ readonly properties: readonly Property[]
}

type Property = { readonly ptype: string; readonly property: string; readonly value: string }

const MAX_ITEMS = 1000
const NAME = /[^\t\n\r "();=]*/y
const VALUE = /[^\t\n\r "();]*/y

/** Reads the body of an Authentication-Results field, comments left out, up to 1,000 items. Reports `parameter-syntax` and `parameters-limit`. */
export function parseAuthenticationResults(body: string, reportAll: Report): AuthenticationResults {
  const report = firstOfEach(reportAll)
  const results: (AuthenticationResult & { reason: string | null; properties: Property[] })[] = []
  let authservId: string | null = null
  let version: string | null = null
  let expected: 'authserv-id' | 'version' | 'method' | 'property' = 'authserv-id'
  let count = 0
  for (let at = skipCfws(body, 0), end = at; at < body.length; at = skipCfws(body, end)) {
    end = at + 1
    if (body[at] === ';') {
      expected = 'method'
      continue
    }
    if (++count > MAX_ITEMS) {
      report('parameters-limit', at)
      break
    }
    const name = readName(body, at)
    const equals = skipCfws(body, name.end)
    const isItem = name.text !== '' && body[equals] === '='
    const read = readValue(body, isItem ? skipCfws(body, equals + 1) : at)
    const value = decodeOctets(read.text, report, at)
    const last = results.at(-1)
    end = Math.max(end, name.end, read.end)
    if (!isItem) {
      if (expected === 'authserv-id') authservId = value
      else if (expected === 'version') version ??= value
      else if (expected !== 'method' || value.toLowerCase() !== 'none') report('parameter-syntax', at)
      if (expected === 'authserv-id') expected = 'version'
    } else if (expected !== 'property' || last === undefined) {
      const [method = '', methodVersion = null] = name.text.split('/', 2)
      results.push({ method, version: methodVersion, result: value.toLowerCase(), reason: null, properties: [] })
      expected = 'property'
    } else if (name.text === 'reason' && last.reason === null) last.reason = value
    else {
      const dot = name.text.indexOf('.')
      last.properties.push({ ptype: name.text.slice(0, Math.max(dot, 0)), property: name.text.slice(dot + 1), value })
    }
  }
  return { authservId, version, results }
}

type Read = { readonly text: string; readonly end: number }

/** `method / version` and `ptype . property` may have blanks and comments inside. */
function readName(body: string, from: number): Read {
  let text = ''
  let end = from
  for (let next = from; next === from || /[./]/.test(body.charAt(end - 1) + body.charAt(next)); next = skipCfws(body, end)) {
    end = skipRun(NAME, body, next)
    if (end === next) break
    text += body.slice(next, end).toLowerCase()
  }
  return { text, end }
}

/** Tokens and quoted-strings in a row, such as `"a b"@x`. A quote that never closes takes the rest. */
function readValue(body: string, from: number): Read {
  let end = skipRun(VALUE, body, from)
  let text = body.slice(from, end)
  while (body[end] === '"') {
    const close = skipEnclosed(body, end)
    const next = close < 0 ? body.length : skipRun(VALUE, body, close)
    text += close < 0 ? body.slice(end + 1) : unescape(body.slice(end + 1, close - 1)) + body.slice(close, next)
    end = next
  }
  return { text, end }
}
