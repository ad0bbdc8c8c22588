import { decodeText } from '../charset/decode.ts'
import type { Report } from '../defect.ts'
import { decodeOctets, decodeWords, firstOfEach, hexOctets, skipBlanks, skipCfws, skipEnclosed, skipRun, unescape, oneLine } from './scan.ts'

/** Octets as sent, quotes removed, and where they stand. `extended`: with percent signs, and perhaps a charset. */
type Value = { readonly octets: string; readonly offset: number; readonly end: number; readonly extended: boolean }

/** What was given under one name: '' is `name=`, '*' is `name*=`, and a number is `name*0=` or `name*0*=` (RFC 2231). */
type Forms = Map<string, Value>

/** The parameters of a structured field from `from` on, in order, by name in lower case (RFC 2045 §5.1, RFC 2231), read as leniently as
 *  mail needs: missing separators and quotes, comments, encoded-words and raw octets above ASCII. The first of two equal names wins; the
 *  form of RFC 2231 wins over the plain one, but for `boundary`, which is not decoded either: it is octets. Reads at most `limit`. */
export function parseParameters(body: string, from: number, reportAll: Report, limit: number): Map<string, string> {
  const report = firstOfEach(reportAll)
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
    const attribute = body.slice(start, nameEnd)
    const equals = skipCfws(body, nameEnd)
    const hasValue = nameEnd > start && body[equals] === '='
    if (hasValue && ++count > limit) {
      report('parameters-limit', start)
      break
    }
    const value = hasValue ? readValue(body, skipCfws(body, equals + 1), attribute, report) : undefined
    end = value?.end ?? Math.max(end, nameEnd)
    const [, base, stars, number = '*'] = ATTRIBUTE.exec(attribute) ?? []
    if (value === undefined || end === value.offset || base === undefined) {
      report('parameter-syntax', start)
      continue
    }
    const name = decodeOctets(base, report, start).toLowerCase()
    const form = stars === undefined ? '' : number
    const forms: Forms = given.get(name) ?? new Map()
    if (forms.has(form)) report('duplicate-parameter', start)
    else given.set(name, forms.set(form, value))
  }
  const values = new Map<string, string>()
  for (const [name, forms] of given) {
    const value = name === 'boundary' ? boundaryValue(forms, report) : decodedValue(forms, report)
    if (value !== undefined) values.set(name, value)
  }
  return values
}

const NAME = /[^\t\n\r "(,;=]*/y
const ATTRIBUTE = /^([^*]+)(\*(?:(0|[1-9]\d{0,8})\*?)?)?$/

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
const NAME_AND_EQUALS = /[!#$%&'*+\-.\w^`{|}~]{1,80}[\t\n\r ]{0,8}=/y

const isAttribute = (body: string, at: number): boolean => skipRun(NAME_AND_EQUALS, body, at) > at

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

/** What two readers could take for different boundaries is decided for the plainest form, and never decoded. */
function boundaryValue(forms: Forms, report: Report): string | undefined {
  const plain = forms.get('')
  if (plain !== undefined && forms.size > 1) report('parameter-conflict', plain.offset)
  const value = plain ?? richForm(forms, report)
  if (value?.extended !== true) return value?.octets
  return percentDecoded(value.octets.replace(/^[^']*'[^']*'/, ''), value.offset, report)
}

function decodedValue(forms: Forms, report: Report): string | undefined {
  const given = forms.get('')
  const rich = richForm(forms, report)
  const plain = given && textOf(given, report)
  if (rich === undefined) return plain
  let isSound = true
  const value = textOf(rich, (code, offset) => {
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

function textOf({ octets, offset, extended }: Value, report: Report): string {
  const [label = '', , ...rest] = extended ? octets.split("'") : []
  let text: string
  if (rest.length > 0) {
    const decoded = Buffer.from(percentDecoded(rest.join("'"), offset, report), 'latin1')
    text = decodeText(decoded, label || null, (code) => report(code, offset), true)
  } else {
    if (extended) report('parameter-encoding', offset)
    text = octets.includes('=?') ? decodeWords(octets, report, offset) : decodeOctets(octets, report, offset)
    if (text !== octets && octets.includes('=?')) report('encoded-word-in-parameter', offset)
  }
  return oneLine(text, '', () => report('encoded-line-break', offset))
}

/** `%` and two digits are an octet; any other `%` is itself. */
const percentDecoded = (text: string, offset: number, report: Report): string =>
  hexOctets(text, /%([0-9A-Fa-f]{2})?/g, () => report('parameter-encoding', offset))
