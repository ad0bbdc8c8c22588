import { isUtf8 } from 'node:buffer'
import { decodeText } from '../charset/decode.ts'
import type { Report } from '../defect.ts'
import { octetDecoder, skipBlanks } from './scan.ts'

/** Longer names of charsets do not exist; the limit keeps a hostile one from being searched for its end (RFC 2047 §2 allows 75 for all). */
const MAX_CHARSET = 100

interface EncodedWord {
  readonly charset: string
  readonly encoding: 'B' | 'Q'
  readonly text: string
  readonly start: number
  /** Index after the closing `?=`. */ readonly end: number
}

/**
 * A field's octets as text, encoded-words decoded (RFC 2047). Neighbours of one charset are joined before they are decoded, because
 * senders cut characters in two; a word may touch other text or hold blanks; what is no word stays as it is. CR, LF and NUL that come out of
 * a word become spaces, or a word could make a line of its own. `whole` is the value that `body` is part of (it decides how raw octets
 * are read), `offset` where it begins.
 */
export function decodeWords(body: string, report: Report, offset = 0, decodeRaw = octetDecoder(body)): string {
  const words = findWords(body)
  let out = ''
  let copied = 0
  for (let at = 0; at < words.length;) {
    const first = words[at]
    if (first === undefined) break
    // Nothing but blanks between two words is not there (RFC 2047 §6.2).
    if (copied === 0 || skipBlanks(body, copied) < first.start) out += decodeRaw(body.slice(copied, first.start))
    const octets: string[] = []
    for (let word: EncodedWord | undefined = first; word?.charset === first.charset; word = words[at]) {
      if (octets.length > 0 && skipBlanks(body, copied) < word.start) break
      octets.push(wordOctets(word, report, offset + word.start))
      copied = word.end
      at++
    }
    out += wordText(octets.join(''), first.charset, report, offset + first.start)
  }
  return out + decodeRaw(body.slice(copied))
}

/** In one pass: no place is searched twice for the end of a word, though 100,000 of them may have none. */
function findWords(body: string): EncodedWord[] {
  const words: EncodedWord[] = []
  let close = 0
  for (let start = body.indexOf('=?'); start >= 0; start = body.indexOf('=?', Math.max(start + 2, words.at(-1)?.end ?? 0))) {
    let at = start + 2
    const limit = at + MAX_CHARSET
    while (at < limit && isCharsetCode(body.charCodeAt(at))) at++
    const letter = body.charCodeAt(at + 1) | 32
    if (at === start + 2 || body[at] !== '?' || body[at + 2] !== '?' || (letter !== 98 && letter !== 113)) continue
    if (close < at + 3) close = body.indexOf('?=', at + 3)
    if (close < 0) break
    const text = body.slice(at + 3, close)
    if (text.includes('=?')) continue // Another word begins inside: this one was never closed.
    // A language may follow the charset (RFC 2231 §5).
    const charset = body
      .slice(start + 2, at)
      .toLowerCase()
      .replace(/\*.*/, '')
    words.push({ charset, encoding: letter === 98 ? 'B' : 'Q', text, start, end: close + 2 })
  }
  return words
}

/** Anything but blanks, control characters and the delimiters. */
const isCharsetCode = (code: number): boolean => code > 32 && code < 127 && code !== 63 && code !== 61

function wordOctets(word: EncodedWord, report: Report, offset: number): string {
  const { text } = word
  if (word.encoding === 'B') return base64Octets(text, report, offset)
  let lenient = false
  const octets = text.replace(/=([0-9A-Fa-f]{2})|[_=\s?]/g, (match: string, digits: string | undefined) => {
    if (digits !== undefined) return String.fromCharCode(Number.parseInt(digits, 16))
    if (match === '_') return ' '
    lenient = true
    return match
  })
  if (lenient) report('invalid-encoded-word', offset)
  return octets
}

/** Node's decoder stops at the first `=`, where words joined by others go on: each quantum is decoded for itself. */
function base64Octets(text: string, report: Report, offset: number): string {
  const clean = text.replace(/[^A-Za-z0-9+/=]/g, '')
  const pieces = clean.split(/=+/)
  if (clean.length !== text.length || pieces.some((piece, at) => piece !== '' && (at > 0 || piece.length % 4 === 1)))
    report('invalid-encoded-word', offset)
  return pieces.map((piece) => Buffer.from(piece, 'base64').toString('latin1')).join('')
}

function wordText(octets: string, charset: string, report: Report, offset: number): string {
  const buffer = Buffer.from(octets, 'latin1')
  const isPlain = charset === 'utf-8' && isUtf8(buffer) // a mark at the start is a character here
  const text = isPlain ? buffer.toString('utf8') : decodeText(buffer, charset, (code) => report(code, offset))
  if (!/[\r\n\0]/.test(text)) return text
  report('encoded-line-break', offset)
  return text.replace(/\r\n|[\r\n\0]/g, ' ')
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────

const FRAME = 12 // `=?utf-8?B?` and `?=`
const MAX_WORD = 75

/** What a Q word may hold as it is, in a phrase as well (RFC 2047 §5 (3)). */
const Q_SAFE = /^[A-Za-z0-9!*+\-/]$/

/**
 * Text as encoded-words of at most 75 characters, in UTF-8, by B or Q, whichever is shorter; no character is cut in two. The first fits in
 * `room`, if anything does.
 */
export function encodeWords(text: string, room = MAX_WORD): string[] {
  let quoted = 0
  for (const character of text) quoted += qLength(character)
  const encoding = quoted <= Math.ceil(Buffer.byteLength(text) / 3) * 4 ? 'Q' : 'B'
  const words: string[] = []
  let piece = ''
  let size = 0
  let limit = Math.min(room, MAX_WORD) - FRAME
  for (const character of text) {
    const length = encoding === 'Q' ? qLength(character) : Buffer.byteLength(character)
    const total = encoding === 'Q' ? size + length : Math.ceil((size + length) / 3) * 4
    if (total > limit && piece !== '') {
      words.push(encodeWord(piece, encoding))
      piece = ''
      size = 0
      limit = MAX_WORD - FRAME
    }
    piece += character
    size += length
  }
  if (piece !== '') words.push(encodeWord(piece, encoding))
  return words
}

function encodeWord(text: string, encoding: 'B' | 'Q'): string {
  const octets = Buffer.from(text)
  if (encoding === 'B') return `=?utf-8?B?${octets.toString('base64')}?=`
  let out = ''
  for (const octet of octets) {
    const character = String.fromCharCode(octet)
    out += octet === 32 ? '_' : Q_SAFE.test(character) ? character : `=${octet.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return `=?utf-8?Q?${out}?=`
}

const qLength = (character: string): number => (character === ' ' || Q_SAFE.test(character) ? 1 : 3 * Buffer.byteLength(character))

/** Whether a reader may take part of this text for an encoded-word, or needs one to see it: it must be written as encoded-words. */
export const needsEncoding = (text: string): boolean => text.includes('=?') || /[^\t\x20-\x7e]/.test(text)
