import { decodeText } from '../charset/decode.ts'
import { charsetOf } from '../charset/labels.ts'
import type { Report } from '../defect.ts'
import { firstOfEach, octetDecoder, skipBlanks, trimBlanks } from './scan.ts'

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
    out += withoutLineBreaks(text, ' ', () => report('encoded-line-break', at))
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
export function withoutLineBreaks(text: string, nul: '' | ' ', flaw: () => void): string {
  if (!/[\r\n\0]/.test(text)) return text
  flaw()
  return text.replaceAll('\0', nul).replace(/\r\n|[\r\n]/g, ' ')
}
