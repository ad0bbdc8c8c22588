import { decodeText } from '../charset/decode.ts'
import { charsetOf } from '../charset/labels.ts'
import type { Report } from '../defect.ts'
import { octetDecoder, skipBlanks } from './scan.ts'

/** A charset has neither blanks nor delimiters in it, and no longer name exists: nothing is searched for its end (RFC 2047 §2). */
const OPENING = /=\?([^\0-\x20=?\x7f-\xff]{1,100})\?([BQ])\?/gi

/** Neighbours of one charset, as one. */
type EncodedWord = { readonly charset: string; octets: string; readonly offset: number }

/**
 * A field's octets as text, encoded-words decoded (RFC 2047). Neighbours of one charset are joined before they are decoded, because senders cut
 * characters and shift states in two; a word may touch other text or hold blanks. `offset` is where `body` begins, `decodeRaw` reads what is no word.
 */
export function decodeWords(body: string, report: Report, offset = 0, decodeRaw = octetDecoder(body, () => undefined)): string {
  let out = ''
  let end = 0
  let close = 0
  let word: EncodedWord | undefined
  const flush = (): void => {
    if (word !== undefined) out += wordText(word, report)
  }
  // In one pass: no place is searched twice for the end of a word, though 100,000 of them may have none.
  for (const { 0: opening, 1: label = '', 2: letter, index: start } of body.matchAll(OPENING)) {
    if (start < end) continue
    const from = start + opening.length
    if (close < from) close = body.indexOf('?=', from)
    if (close < 0) break
    const text = body.slice(from, close)
    if (text.includes('=?')) continue // Another word begins inside: this one was never closed.
    // Blanks must stand around it (RFC 2047 §5).
    if (/[^\t\n\r ]/.test(body.charAt(start - 1) + body.charAt(close + 2))) report('invalid-encoded-word', offset + start)
    const octets = (letter === 'B' || letter === 'b' ? base64Octets : quotedOctets)(text, report, offset + start)
    // A language may follow the charset (RFC 2231 §5). Two labels of one charset are one.
    const [name = ''] = label.toLowerCase().split('*', 1)
    const charset = charsetOf(name) ?? name
    // Nothing but blanks between two words is not there (RFC 2047 §6.2).
    const isNext = word !== undefined && skipBlanks(body, end) === start
    if (isNext && word?.charset === charset) word.octets += octets
    else {
      flush()
      if (!isNext) out += decodeRaw(body.slice(end, start))
      word = { charset, octets, offset: offset + start }
    }
    end = close + 2
  }
  flush()
  return out + decodeRaw(body.slice(end))
}

function quotedOctets(text: string, report: Report, offset: number): string {
  return text.replace(/=([0-9A-Fa-f]{2})|[_=\s?]/g, (match: string, digits: string | undefined) => {
    if (digits !== undefined) return String.fromCharCode(Number.parseInt(digits, 16))
    if (match === '_') return ' '
    report('invalid-encoded-word', offset)
    return match
  })
}

/** Node's decoder stops at the first `=`, where words joined by others go on: each quantum is decoded for itself. */
function base64Octets(text: string, report: Report, offset: number): string {
  const clean = text.replace(/[^A-Za-z0-9+/=]/g, '')
  const pieces = clean.split(/=+/)
  if (clean.length !== text.length || pieces.some((piece, at) => piece !== '' && (at > 0 || piece.length % 4 === 1)))
    report('invalid-encoded-word', offset)
  return pieces.map((piece) => Buffer.from(piece, 'base64').toString('latin1')).join('')
}

function wordText({ octets, charset, offset }: EncodedWord, report: Report): string {
  const text = decodeText(Buffer.from(octets, 'latin1'), charset, (code) => report(code, offset), true)
  if (!/[\r\n\0]/.test(text)) return text
  report('encoded-line-break', offset) // which could make a line of its own
  return text.replace(/\r\n|[\r\n\0]/g, ' ')
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────

const FRAME = 12 // `=?utf-8?B?` and `?=`
const MAX_WORD = 73 // of the 75 in RFC 2047 §2, so that a parameter's quote and semicolon fit behind it on a line of 76

/** What a Q word may hold as it is, in a phrase as well (RFC 2047 §5 (3)). */
const Q_SAFE = /^[A-Za-z0-9!*+\-/]$/

/** Text as encoded-words in UTF-8, by B or Q, whichever is shorter, no character cut. The first fits in `room` if it can. */
export function encodeWords(text: string, room = MAX_WORD): string[] {
  const quoted = Array.from(text, quotedCharacter)
  const isQuoted = quoted.reduce((sum, piece) => sum + piece.length, 0) <= Math.ceil(Buffer.byteLength(text) / 3) * 4
  const words: string[] = []
  let word = ''
  let size = 0
  let limit = Math.min(room, MAX_WORD) - FRAME
  for (const character of isQuoted ? quoted : text) {
    const length = isQuoted ? character.length : Buffer.byteLength(character)
    size += length
    if (word !== '' && (isQuoted ? size : Math.ceil(size / 3) * 4) > limit) {
      words.push(word)
      word = ''
      size = length
      limit = MAX_WORD - FRAME
    }
    word += character
  }
  if (word !== '') words.push(word)
  return words.map((piece) => (isQuoted ? `=?utf-8?Q?${piece}?=` : `=?utf-8?B?${Buffer.from(piece).toString('base64')}?=`))
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
