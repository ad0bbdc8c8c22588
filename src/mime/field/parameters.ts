import { decodeText } from '../charset/decode.ts'
import type { Report } from '../defect.ts'
import { decodeWords } from './encoded-word.ts'
import { decodeOctets, firstOfEach, skipBlanks, skipCfws, skipEnclosed, skipRun, unescape } from './scan.ts'

/** Octets as sent, quotes removed, and where they stand. `extended`: with percent signs, and perhaps a charset. */
type Value = { readonly octets: string; readonly offset: number; readonly end: number; readonly extended: boolean }

/** What was given under one name: '' is `name=`, '*' is `name*=`, and a number is `name*0=` or `name*0*=` (RFC 2231). */
type Forms = Map<string, Value>

/** The parameters of a structured field from `from` on, in order, by name in lower case (RFC 2045 §5.1, RFC 2231), read as leniently as
 *  mail needs: missing separators and quotes, comments, encoded-words and raw octets above ASCII. The first of two equal names wins; the
 *  form of RFC 2231 wins over the plain one, but for `boundary`, which is not decoded either: it is octets. Reads at most `limit`. */
export function parseParameters(body: string, from: number, reportAll: Report, limit: number): Map<string, string> {
  const values = new Map<string, string>()
  const report = firstOfEach(reportAll)
  for (const [name, forms] of readParameters(body, from, report, limit)) {
    const value = name === 'boundary' ? boundaryValue(forms, report) : decodedValue(forms, report)
    if (value !== undefined) values.set(name, value)
  }
  return values
}

const NAME = /[^\t\n\r "(,;=]*/y

function readParameters(body: string, from: number, report: Report, limit: number): Map<string, Forms> {
  const given = new Map<string, Forms>()
  let count = 0
  let isSeparated = from === 0
  for (let start = skipCfws(body, from), end = start; start < body.length; start = skipCfws(body, end)) {
    end = start + 1
    if (body[start] === ';') isSeparated = true
    if (body[start] === ';' || body[start] === ',') continue // or a comma where a semicolon was meant
    if (!isSeparated) report('parameter-syntax', start)
    isSeparated = false
    const nameEnd = skipRun(NAME, body, start)
    const name = body.slice(start, nameEnd)
    const equals = skipCfws(body, nameEnd)
    if (name === '' || body[equals] !== '=') {
      report('parameter-syntax', start)
      if (name !== '') end = nameEnd
      continue
    }
    if (++count > limit) {
      report('parameters-limit', start)
      break
    }
    const value = readValue(body, skipCfws(body, equals + 1), name, report)
    end = value.end
    if (end === value.offset) report('parameter-syntax', start)
    else add(given, name, value, start, report)
  }
  return given
}

function add(given: Map<string, Forms>, attribute: string, value: Value, offset: number, report: Report): void {
  const [, base, stars, number = '*'] = /^([^*]+)(\*(?:(0|[1-9]\d{0,8})\*?)?)?$/.exec(attribute) ?? []
  if (base === undefined) return report('parameter-syntax', offset)
  const name = decodeOctets(base, report, offset).toLowerCase()
  const form = stars === undefined ? '' : number
  const forms: Forms = given.get(name) ?? new Map()
  if (forms.has(form)) return report('duplicate-parameter', offset)
  given.set(name, forms.set(form, value))
}

// ── values ──────────────────────────────────────────────────────────────────────────────────────────────────────

const VALUE = /[^\t\n\r (,;]*/y
const FILE_NAME = /^(?:file)?name(?:$|\*)/i

function readValue(body: string, offset: number, attribute: string, report: Report): Value {
  const fileName = FILE_NAME.test(attribute)
  const extended = attribute.endsWith('*')
  if (body[offset] === '"') {
    const close = closingQuote(body, offset, fileName, report)
    return { octets: unescape(body.slice(offset + 1, close)), offset, end: Math.min(close + 1, body.length), extended }
  }
  let end = offset
  for (let next = offset; next >= 0; next = continued(body, end, fileName)) end = skipRun(VALUE, body, next)
  const octets = body.slice(offset, end)
  if (/[\t (]/.test(octets)) report('parameter-syntax', offset)
  return { octets, offset, end, extended }
}

/** A file name's parenthesis that takes longer to close is no comment: the limit keeps 1,000 of them from being searched to the end each. */
const MAX_COMMENT = 500

/** Without quotes any value may hold commas, and a file name blanks and parentheses: on to what belongs to it, or -1 when it ends here. */
function continued(body: string, from: number, fileName: boolean): number {
  if (body[from] === ',') return !fileName && isAttribute(body, skipBlanks(body, from + 1)) ? -1 : from + 1
  if (!fileName) return -1
  const at = skipBlanks(body, from)
  if (body[at] !== '(') return endsValue(body, at) ? -1 : at
  const end = skipEnclosed(body, at, Math.min(body.length, at + MAX_COMMENT))
  if (end >= 0) return endsValue(body, skipBlanks(body, end)) ? -1 : end
  const semicolon = body.indexOf(';', at)
  return semicolon < 0 ? body.length : semicolon
}

const endsValue = (body: string, at: number): boolean => at >= body.length || body[at] === ';' || isAttribute(body, at)

/** `name=`, as long as a name is, and no longer, so that a hostile field is not read again and again. */
const ATTRIBUTE = /[!#$%&'*+\-.\w^`{|}~]{1,80}[\t\n\r ]{0,8}=/y

const isAttribute = (body: string, at: number): boolean => skipRun(ATTRIBUTE, body, at) > at

/** Where it stands, or the end of the body. What nothing follows that may stand behind a value belongs to a file name. */
function closingQuote(body: string, from: number, fileName: boolean, report: Report): number {
  for (let end = skipEnclosed(body, from); end >= 0; end = skipEnclosed(body, end - 1)) {
    const next = skipBlanks(body, end)
    if (!fileName || ',('.includes(body.charAt(next)) || endsValue(body, next)) return end - 1
    report('parameter-syntax', end - 1)
  }
  report('parameter-syntax', from)
  return body.length
}

// ── decoding ────────────────────────────────────────────────────────────────────────────────────────────────────

/** What two readers could take for different boundaries is decided for the plainest form, and never decoded. */
function boundaryValue(forms: Forms, report: Report): string | undefined {
  const plain = forms.get('')
  if (plain !== undefined && forms.size > 1) report('parameter-conflict', plain.offset)
  const value = plain ?? richForm(forms, report)
  return value?.extended === true ? percentDecoded(value.octets.replace(/^[^']*'[^']*'/, ''), value.offset, report) : value?.octets
}

function decodedValue(forms: Forms, report: Report): string | undefined {
  const given = forms.get('')
  const rich = richForm(forms, report)
  const plain = given === undefined ? undefined : plainValue(given, report)
  if (rich === undefined) return plain
  let isSound = true
  const value = richValue(rich, (code, offset) => {
    if (code === 'parameter-encoding' || code === 'invalid-charset-octets') isSound = false
    report(code, offset)
  })
  if (plain === undefined) return value
  if (plain !== value) report('parameter-conflict', rich.offset)
  return isSound ? value : plain
}

/** `name*=`, or continuations from 0 up to the first that is missing (RFC 2231 §3), `%` as `%25` where pieces of both kinds meet. */
function richForm(forms: Forms, report: Report): Value | undefined {
  const whole = forms.get('*')
  if (whole !== undefined) return whole
  const pieces: Value[] = []
  for (let piece = forms.get('0'); piece !== undefined; piece = forms.get(String(pieces.length))) pieces.push(piece)
  const [first] = pieces
  if (pieces.length < forms.size - (forms.has('') ? 1 : 0)) report('parameter-gap', first?.offset ?? 0)
  if (first === undefined) return undefined
  const extended = pieces.some((piece) => piece.extended)
  const octets = pieces.map((piece) => (extended && !piece.extended ? piece.octets.replaceAll('%', '%25') : piece.octets))
  // Only the first piece can name a charset; where it does not, there is none.
  return { ...first, octets: (extended && !first.extended ? "''" : '') + octets.join(''), extended }
}

function richValue(value: Value, report: Report): string {
  const { octets, offset, extended } = value
  const [label = '', , ...rest] = octets.split("'")
  if (extended && rest.length === 0) report('parameter-encoding', offset)
  if (!extended || rest.length === 0) return plainValue(value, report)
  const decoded = Buffer.from(percentDecoded(rest.join("'"), offset, report), 'latin1')
  const text = decodeText(decoded, label || null, (code) => report(code, offset), true)
  return withoutLineBreaks(text, offset, report)
}

/** `%` and two digits are an octet; any other `%` is itself. */
function percentDecoded(text: string, offset: number, report: Report): string {
  return text.replace(/%([0-9A-Fa-f]{2})?/g, (match, digits: string | undefined) => {
    if (digits !== undefined) return String.fromCharCode(Number.parseInt(digits, 16))
    report('parameter-encoding', offset)
    return match
  })
}

function plainValue({ octets, offset }: Value, report: Report): string {
  const text = octets.includes('=?') ? decodeWords(octets, report, offset) : decodeOctets(octets, report, offset)
  if (text !== octets && octets.includes('=?')) report('encoded-word-in-parameter', offset)
  return withoutLineBreaks(text, offset, report)
}

/** A value never holds what could begin a line of its own in whatever it is put into. */
function withoutLineBreaks(text: string, offset: number, report: Report): string {
  if (!/[\r\n\0]/.test(text)) return text
  report('encoded-line-break', offset)
  return text.replaceAll('\0', '').replace(/\r\n|[\r\n]/g, ' ')
}
