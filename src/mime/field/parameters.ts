import { decodeText } from '../charset/decode.ts'
import type { Report } from '../defect.ts'
import { decodeWords } from './encoded-word.ts'
import {
  BACKSLASH,
  COMMA,
  decodeOctets,
  EQUALS,
  firstOfEach,
  indexOf8bit,
  isBlank,
  isTokenCode,
  OPEN,
  QUOTE,
  SEMICOLON,
  skipBlanks,
  skipCfws,
  skipComment,
  unescape,
} from './scan.ts'

export { formatNameParameter, formatParameter, formatStructured } from './parameter-format.ts'

/** What was given under one name: '' is `name=`, '*' is `name*=`, and a number is `name*0=` or `name*0*=` (RFC 2231). */
type Forms = Map<string, Value>

/** Octets as sent, quotes removed. */
interface Value {
  readonly octets: string
  readonly offset: number
  /** With percent signs, and perhaps a charset. */ readonly extended: boolean
}

/**
 * The parameters of a structured field from `from` on, in order, by name in lower case (RFC 2045 §5.1, RFC 2231), read as leniently as
 * mail needs: missing separators and quotes, comments, encoded-words and raw octets above ASCII. The first of two equal names wins; the
 * form of RFC 2231 wins over the plain one, but for `boundary`, which is not decoded either: it is octets. Reads at most `limit`.
 */
export function parseParameters(body: string, from: number, reportAll: Report, limit: number): Map<string, string> {
  const values = new Map<string, string>()
  const report = firstOfEach(reportAll)
  const given = readParameters(body, from, report, limit)
  for (const [name, forms] of given) {
    const value = name === 'boundary' ? boundaryValue(forms, report) : decodedValue(forms, report)
    if (value !== undefined) values.set(name, value)
  }
  return values
}

function readParameters(body: string, from: number, report: Report, limit: number): Map<string, Forms> {
  const given = new Map<string, Forms>()
  let count = 0
  let at = from
  for (;;) {
    at = skipSeparators(body, at)
    if (at >= body.length) return given
    const start = at
    at = skipName(body, at)
    const name = body.slice(start, at)
    let next = skipCfws(body, at)
    if (name === '' || body.charCodeAt(next) !== EQUALS) {
      report('parameter-syntax', start)
      at = name === '' ? at + 1 : next
      continue
    }
    if (++count > limit) {
      report('parameters-limit', start)
      return given
    }
    next = skipCfws(body, next + 1)
    const read = readValue(body, next, isFileName(name), report)
    at = read.end
    if (read.quoted || read.octets !== '') add(given, name, { octets: read.octets, offset: next, extended: name.endsWith('*') }, start, report)
    else report('parameter-syntax', start)
  }
}

/** Blanks, comments, semicolons, and commas where a semicolon was meant. */
function skipSeparators(body: string, from: number): number {
  let at = skipCfws(body, from)
  for (let code = body.charCodeAt(at); code === SEMICOLON || code === COMMA; code = body.charCodeAt(at)) at = skipCfws(body, at + 1)
  return at
}

function skipName(body: string, from: number): number {
  let at = from
  for (; at < body.length; at++) {
    const code = body.charCodeAt(at)
    if (code === EQUALS || code === SEMICOLON || code === COMMA || code === OPEN || code === QUOTE || isBlank(code)) break
  }
  return at
}

const isFileName = (name: string): boolean => /^(?:file)?name(?:$|\*)/i.test(name)

// ── values ──────────────────────────────────────────────────────────────────────────────────────────────────────

type ReadValue = { readonly octets: string; readonly end: number; readonly quoted: boolean }

function readValue(body: string, from: number, fileName: boolean, report: Report): ReadValue {
  if (body.charCodeAt(from) === QUOTE) return readQuoted(body, from, fileName, report)
  let at = from
  while (at < body.length) {
    const code = body.charCodeAt(at)
    if (code === SEMICOLON) break
    if (code === OPEN || isBlank(code)) {
      const next = fileName ? continued(body, at) : -1
      if (next < 0) break
      at = next
    } else if (code === COMMA && !fileName && isAttribute(body, skipBlanks(body, at + 1))) break
    else at++
  }
  let end = at
  while (end > from && isBlank(body.charCodeAt(end - 1))) end--
  const octets = body.slice(from, end)
  if (/[\t (]/.test(octets)) report('parameter-syntax', from)
  return { octets, end: at, quoted: false }
}

/** A file name's parenthesis that takes longer to close is no comment: the limit keeps 1,000 of them from being searched to the end each. */
const MAX_COMMENT = 500

/** A file name without quotes may hold blanks and parentheses: on to what belongs to it, or -1 when the value ends here. */
function continued(body: string, from: number): number {
  const at = skipBlanks(body, from)
  if (body.charCodeAt(at) === OPEN) {
    const end = skipComment(body, at, Math.min(body.length, at + MAX_COMMENT))
    if (end < 0) {
      const semicolon = body.indexOf(';', at)
      return semicolon < 0 ? body.length : semicolon
    }
    const after = skipBlanks(body, end)
    return after >= body.length || body.charCodeAt(after) === SEMICOLON || isAttribute(body, after) ? -1 : end
  }
  if (at >= body.length || body.charCodeAt(at) === SEMICOLON || isAttribute(body, at)) return -1
  return at
}

/** Whether `name=` stands here. Looks no further than a name is long, so that a hostile field is not read again and again. */
function isAttribute(body: string, from: number): boolean {
  let at = from
  while (at < from + 80 && isTokenCode(body.charCodeAt(at))) at++
  if (at === from) return false
  return body.charCodeAt(skipBlanks(body.slice(at, at + 8), 0) + at) === EQUALS
}

function readQuoted(body: string, from: number, fileName: boolean, report: Report): ReadValue {
  let at = from + 1
  for (; at < body.length; at++) {
    const code = body.charCodeAt(at)
    if (code === BACKSLASH) at++
    else if (code === QUOTE) {
      if (!fileName || closes(body, at + 1)) return { octets: unescape(body.slice(from + 1, at)), end: at + 1, quoted: true }
      report('parameter-syntax', at) // a quote that belongs to the name
    }
  }
  report('parameter-syntax', from)
  return { octets: unescape(body.slice(from + 1)), end: body.length, quoted: true }
}

function closes(body: string, from: number): boolean {
  const at = skipBlanks(body, from)
  const code = body.charCodeAt(at)
  return at >= body.length || code === SEMICOLON || code === COMMA || code === OPEN || isAttribute(body, at)
}

// ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────

function add(given: Map<string, Forms>, attribute: string, value: Value, offset: number, report: Report): void {
  const star = attribute.indexOf('*')
  const base = star < 0 ? attribute : attribute.slice(0, star)
  const name = indexOf8bit(base) < 0 ? base.toLowerCase() : decodeOctets(base, report, offset)
  const suffix = star < 0 ? undefined : /^\*(?:(0|[1-9]\d{0,8})\*?)?$/.exec(attribute.slice(star))
  if (name === '' || suffix === null) return report('parameter-syntax', offset)
  const form = suffix === undefined ? '' : (suffix[1] ?? '*')
  const forms: Forms = given.get(name) ?? new Map()
  if (forms.has(form)) return report('duplicate-parameter', offset)
  given.set(name, forms.set(form, value))
}

// ── decoding ────────────────────────────────────────────────────────────────────────────────────────────────────

/** What two readers could take for different boundaries is decided for the plainest form, and never decoded. */
function boundaryValue(forms: Forms, report: Report): string | undefined {
  const plain = forms.get('')
  if (plain !== undefined) {
    if (forms.size > 1) report('parameter-conflict', plain.offset)
    return plain.octets
  }
  const rich = richForm(forms, report)
  if (rich === undefined || !rich.extended) return rich?.octets
  return percentDecoded(rich.octets.replace(/^[^']*'[^']*'/, ''), () => report('parameter-encoding', rich.offset))
}

function decodedValue(forms: Forms, report: Report): string | undefined {
  const given = forms.get('')
  const rich = richForm(forms, report)
  const plain = given === undefined ? undefined : plainValue(given, report)
  if (rich === undefined) return plain
  const { value, sound } = rich.extended ? extendedValue(rich, report) : { value: plainValue(rich, report), sound: true }
  if (plain === undefined) return value
  if (plain !== value) report('parameter-conflict', rich.offset)
  return sound ? value : plain
}

/** `name*=`, or continuations from 0 up to the first that is missing (RFC 2231 §3), `%` as `%25` where pieces of both kinds meet. */
function richForm(forms: Forms, report: Report): Value | undefined {
  const whole = forms.get('*')
  if (whole !== undefined) return whole
  const pieces: Value[] = []
  for (let piece = forms.get('0'); piece !== undefined; piece = forms.get(String(pieces.length))) pieces.push(piece)
  const [first] = pieces
  const count = forms.size - (forms.has('') ? 1 : 0)
  if (pieces.length < count) report('parameter-gap', first?.offset ?? 0)
  if (first === undefined) return undefined
  if (!pieces.some((piece) => piece.extended)) return { ...first, octets: pieces.map((piece) => piece.octets).join('') }
  const octets = pieces.map((piece) => (piece.extended ? piece.octets : piece.octets.replaceAll('%', '%25')))
  // Only the first piece can name a charset; where it does not, there is none.
  return { octets: (first.extended ? '' : "''") + octets.join(''), offset: first.offset, extended: true }
}

function extendedValue(value: Value, report: Report): { value: string; sound: boolean } {
  const { octets, offset } = value
  const first = octets.indexOf("'")
  const second = first < 0 ? -1 : octets.indexOf("'", first + 1)
  if (second < 0) {
    report('parameter-encoding', offset)
    return { value: plainValue(value, report), sound: false }
  }
  let sound = true
  const bad = (): void => {
    sound = false
    report('parameter-encoding', offset)
  }
  const decoded = Buffer.from(percentDecoded(octets.slice(second + 1), bad), 'latin1')
  const charset = first === 0 ? null : octets.slice(0, first)
  const text = decodeText(decoded, charset, (code) => {
    if (code === 'invalid-charset-octets') sound = false
    report(code, offset)
  })
  return { value: withoutLineBreaks(text, offset, report), sound }
}

/** `%` and two digits are an octet; any other `%` is itself. */
function percentDecoded(text: string, bad: () => void): string {
  if (!text.includes('%')) return text
  let broken = false
  const decoded = text.replace(/%([0-9A-Fa-f]{2})?/g, (match, digits: string | undefined) => {
    if (digits !== undefined) return String.fromCharCode(Number.parseInt(digits, 16))
    broken = true
    return match
  })
  if (broken) bad()
  return decoded
}

function plainValue({ octets, offset }: Value, report: Report): string {
  if (!octets.includes('=?')) return withoutLineBreaks(decodeOctets(octets, report, offset), offset, report)
  const text = decodeWords(octets, report, offset)
  if (text !== octets) report('encoded-word-in-parameter', offset)
  return withoutLineBreaks(text, offset, report)
}

/** A value never holds what could begin a line of its own in whatever it is put into. */
function withoutLineBreaks(text: string, offset: number, report: Report): string {
  if (!/[\r\n\0]/.test(text)) return text
  report('encoded-line-break', offset)
  return text.replaceAll('\0', '').replace(/\r\n|[\r\n]/g, ' ')
}
