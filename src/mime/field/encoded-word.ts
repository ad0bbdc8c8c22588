import { isUtf8 } from 'node:buffer'
import { decodeText } from '../charset/decode.ts'
import { charsetOf } from '../charset/labels.ts'
import type { Report } from '../defect.ts'
import { octetDecoder, skipBlanks } from './scan.ts'

/** A charset has neither blanks nor delimiters in it, and no longer name exists: nothing is searched for its end (RFC 2047 §2). */
const OPENING = /=\?([^\0-\x20=?\x7f-\xff]{1,100})\?([BQ])\?/gi

type EncodedWord = { readonly charset: string; readonly isBase64: boolean; readonly text: string; readonly start: number; readonly end: number }

/**
 * A field's octets as text, encoded-words decoded (RFC 2047). Neighbours of one charset are joined before they are decoded, because
 * senders cut characters and shift states in two; a word may touch other text or hold blanks; what is no word stays as it is. CR, LF and NUL
 * that come out of a word become spaces, or a word could make a line of its own. `offset` is where `body` begins, `decodeRaw` reads what
 * is no word.
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
      // Blanks must stand around it (RFC 2047 §5).
      if (/[^\t\n\r ]/.test(body.charAt(word.start - 1) + body.charAt(word.end))) report('invalid-encoded-word', offset + word.start)
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
  for (const { 0: opening, 1: label = '', 2: letter, index } of body.matchAll(OPENING)) {
    if (index < (words.at(-1)?.end ?? 0)) continue
    const from = index + opening.length
    if (close < from) close = body.indexOf('?=', from)
    if (close < 0) break
    const text = body.slice(from, close)
    if (text.includes('=?')) continue // Another word begins inside: this one was never closed.
    // A language may follow the charset (RFC 2231 §5). Two labels of one charset are one.
    const [name = ''] = label.toLowerCase().split('*', 1)
    words.push({ charset: charsetOf(name) ?? name, isBase64: letter === 'B' || letter === 'b', text, start: index, end: close + 2 })
  }
  return words
}

function wordOctets({ text, isBase64 }: EncodedWord, report: Report, offset: number): string {
  if (isBase64) return base64Octets(text, report, offset)
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
  const quoted = Array.from(text, quotedCharacter)
  const length = quoted.reduce((sum, piece) => sum + piece.length, 0)
  const isQuoted = length <= Math.ceil(Buffer.byteLength(text) / 3) * 4
  const words: string[] = []
  let piece = ''
  let size = 0
  let limit = Math.min(room, MAX_WORD) - FRAME
  const flush = (): void => {
    if (piece !== '') words.push(isQuoted ? `=?utf-8?Q?${piece}?=` : `=?utf-8?B?${Buffer.from(piece).toString('base64')}?=`)
  }
  for (const character of isQuoted ? quoted : text) {
    size += isQuoted ? character.length : Buffer.byteLength(character)
    if (piece !== '' && (isQuoted ? size : Math.ceil(size / 3) * 4) > limit) {
      flush()
      piece = ''
      size = isQuoted ? character.length : Buffer.byteLength(character)
      limit = MAX_WORD - FRAME
    }
    piece += character
  }
  flush()
  return words
}

function quotedCharacter(character: string): string {
  if (character === ' ') return '_'
  return Q_SAFE.test(character) ? character : percentEncoded(character).replaceAll('%', '=')
}

/** The octets of a character in UTF-8, each as `%` and two digits. */
export const percentEncoded = (character: string): string =>
  Buffer.from(character).reduce((text, octet) => `${text}%${octet.toString(16).toUpperCase().padStart(2, '0')}`, '')

/** Whether a reader may take part of this text for an encoded-word, or needs one to see it: it must be written as encoded-words. */
export const needsEncoding = (text: string): boolean => text.includes('=?') || /[^\t\x20-\x7e]/.test(text)
