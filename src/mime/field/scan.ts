import { isUtf8 } from 'node:buffer'
import { decodeText } from '../charset/decode.ts'
import { charsetOf } from '../charset/labels.ts'
import type { Report } from '../defect.ts'
import { reportOnce } from '../encoding/coder.ts'

// Field bodies are strings of octets, one char each, already unfolded. A CR or LF that is left in one counts as a blank.
export const isBlank = (code: number): boolean => code === 32 || code === 9 || code === 13 || code === 10

export function skipBlanks(body: string, from: number): number {
  let at = from
  while (isBlank(body.charCodeAt(at))) at++
  return at
}

/** Of a long run of blanks no part is looked at twice. */
export function trimBlanks(text: string): string {
  let end = text.length
  while (end > 0 && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(skipBlanks(text, 0), end)
}

/** Past the comment (RFC 5322 §3.2.2; not recursed) or quoted-string (§3.2.4) that opens at `from`, or -1 where it does not close before `to`. */
export function skipEnclosed(body: string, from: number, to = body.length): number {
  const isQuoted = body[from] === '"'
  let depth = 1
  for (let at = from + 1; at < to; at++) {
    const character = body.charAt(at)
    if (character === '\\') at++
    else if (isQuoted ? character === '"' : character === ')' && --depth === 0) return at + 1
    else if (character === '(') depth++
  }
  return -1
}

/** The same for places of one body, -1 where none opens: once its end was searched in vain, an opener is an ordinary character. */
export function enclosedIn(body: string): (from: number) => number {
  let openers = '("'
  return (from) => {
    const opener = body.charAt(from)
    const end = opener !== '' && openers.includes(opener) ? skipEnclosed(body, from) : -1
    if (end < 0) openers = openers.replace(opener, '')
    return end
  }
}

/** Past blanks and comments. A comment that never closes takes the rest. */
export function skipCfws(body: string, from: number): number {
  let at = skipBlanks(body, from)
  while (body.charAt(at) === '(') {
    const end = skipEnclosed(body, at)
    at = end < 0 ? body.length : skipBlanks(body, end)
  }
  return at
}

/** Past what `run` matches at `from`: a sticky class of characters with `*`, so that nothing is read twice. */
export function skipRun(run: RegExp, body: string, from: number): number {
  run.lastIndex = from
  run.test(body)
  return run.lastIndex
}

/** A token (RFC 2045 §5.1), for `skipRun`. */
export const TOKEN = /[!#$%&'*+\-.\w^`{|}~]*/y

/** Passes on the first report of each code, so that one hostile field does not fill a message's list of defects. */
export function firstOfEach(report: Report): Report {
  const once = reportOnce()
  return (code, offset) => once(report, code, offset)
}

/** `\x` is `x` (RFC 5322 §3.2.1). */
export const unescape = (quoted: string): string => (quoted.includes('\\') ? quoted.replace(/\\(.)/gs, '$1') : quoted)

/** Octets of a field as text: UTF-8 (RFC 6532) when all of them are valid, else windows-1252. Reports `raw-8bit-header`. */
export const decodeOctets = (octets: string, report: Report, offset = 0): string => octetDecoder(octets, report, offset)(octets)

/** The same for pieces of a value, which is looked at once as a whole. */
export function octetDecoder(whole: string, report: Report, offset = 0): (octets: string) => string {
  const at = whole.search(/[^\0-\x7f]/)
  if (at < 0) return (octets) => octets
  report('raw-8bit-header', offset + at)
  if (isUtf8(Buffer.from(whole, 'latin1'))) return (octets) => Buffer.from(octets, 'latin1').toString('utf8')
  return (octets) => decodeText(Buffer.from(octets, 'latin1'), 'windows-1252', report)
}

/** An unstructured field's body as text (RFC 5322 §3.2.5, RFC 2047), without the blanks around it. A CR or LF inside is a space, NUL is U+FFFD. */
export function decodeUnstructured(body: string, reportAll: Report): string {
  const text = trimBlanks(body)
  if (!needsEncoding(text)) return text // printable ASCII: what nearly every field is
  const report = firstOfEach(reportAll)
  const start = skipBlanks(body, 0)
  const decode = octetDecoder(text, report, start)
  return decodeWords(text.replace(/[\r\n]/g, ' '), report, start, (octets) => decode(octets).replace(/\0/g, '\ufffd'))
}

/** Whether a reader may take part of this text for an encoded-word, or needs one to see it: it must be written as encoded-words. */
export const needsEncoding = (text: string): boolean => text.includes('=?') || /[^\t\x20-\x7e]/.test(text)

/** A charset has neither blanks nor delimiters in it, and no longer name exists: nothing is searched for its end (RFC 2047 §2). */
const OPENING = /=\?([^\0-\x20=?\x7f-\xff]{1,100})\?([BQ])\?/gi

/** A field's octets as text, encoded-words decoded (RFC 2047). Neighbours of one charset are joined before they are decoded, because senders cut
 *  characters and shift states in two; a word may touch other text or hold blanks. `offset` is where `body` begins, `decodeRaw` reads what is no word. */
export function decodeWords(body: string, report: Report, offset = 0, decodeRaw = octetDecoder(body, () => undefined)): string {
  let out = ''
  let end = 0
  let close = 0
  let word: { readonly charset: string; octets: string; readonly at: number } | undefined
  const flush = (): void => {
    if (word === undefined) return
    const { octets, charset, at } = word
    const text = decodeText(Buffer.from(octets, 'latin1'), charset, (code) => report(code, at), true)
    out += oneLine(text, ' ', () => report('encoded-line-break', at))
  }
  // In one pass: no place is searched twice for the end of a word, though 100,000 of them may have none.
  for (const { 0: opening, 1: label = '', 2: letter, index: start } of body.matchAll(OPENING)) {
    if (start < end) continue
    const from = start + opening.length
    if (close < from) close = body.indexOf('?=', from)
    if (close < 0) break
    const text = body.slice(from, close)
    if (text.includes('=?')) continue // Another word begins inside: this one was never closed.
    const at = offset + start
    const flaw = (): void => report('invalid-encoded-word', at)
    // Blanks must stand around it (RFC 2047 §5).
    if (/[^\t\n\r ]/.test(body.charAt(start - 1) + body.charAt(close + 2))) flaw()
    const octets = letter === 'B' || letter === 'b' ? base64Octets(text, flaw) : hexOctets(text, /=([0-9A-Fa-f]{2})|[_=\s?]/g, flaw)
    // A language may follow the charset (RFC 2231 §5). Two labels of one charset are one.
    const [name = ''] = label.toLowerCase().split('*', 1)
    const charset = charsetOf(name) ?? name
    // Nothing but blanks between two words is not there (RFC 2047 §6.2).
    const isNext = word !== undefined && skipBlanks(body, end) === start
    if (isNext && word?.charset === charset) word.octets += octets
    else {
      flush()
      if (!isNext) out += decodeRaw(body.slice(end, start))
      word = { charset, octets, at }
    }
    end = close + 2
  }
  flush()
  return out + decodeRaw(body.slice(end))
}

/** Node's decoder stops at the first `=`, where words joined by others go on: each quantum is decoded for itself. */
function base64Octets(text: string, flaw: () => void): string {
  const clean = text.replace(/[^A-Za-z0-9+/=]/g, '')
  const pieces = clean.split(/=+/)
  if (clean.length !== text.length || pieces.some((piece, at) => piece !== '' && (at > 0 || piece.length % 4 === 1))) flaw()
  return pieces.map((piece) => Buffer.from(piece, 'base64').toString('latin1')).join('')
}

/** Two digits that `pattern` captures are an octet and `_` is a blank; what else it finds is a flaw, and stays. */
export const hexOctets = (text: string, pattern: RegExp, flaw: () => void): string =>
  text.replace(pattern, (match: string, digits: string | undefined) => {
    if (digits !== undefined) return String.fromCharCode(Number.parseInt(digits, 16))
    if (match === '_') return ' '
    flaw()
    return match
  })

/** Decoded text never holds what could begin a line of its own in whatever it is put into; `nul` stands for NUL. */
export function oneLine(text: string, nul: '' | ' ', flaw: () => void): string {
  if (!/[\r\n\0]/.test(text)) return text
  flaw()
  return text.replaceAll('\0', nul).replace(/\r\n|[\r\n]/g, ' ')
}
