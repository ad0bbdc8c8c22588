import { printable } from '../../bytes.ts'
import { MailError } from '../../errors.ts'
import { needsEncoding, skipBlanks, skipRun, TOKEN, trimBlanks } from './scan.ts'

const LINE = 78 // RFC 5322 §2.1.1: should and must. A line with an encoded-word has its own limit (RFC 2047 §2).
const WORD_LINE = 76
const MAX_LINE = 998
const LEAST_ROOM = 30 // room in which a word is worth beginning on the line under way

/** A header that cannot be written as the caller wants it. Names the field, never the whole value. */
export function headerError(name: string, what: string): MailError {
  return new MailError('ERR_HEADER', `${printable(name, 60)}: ${what}`, { phase: 'compose' })
}

/** Refuses what is no text, could end a line, or cannot be written in UTF-8. */
export function checkFieldText(name: string, text: string): void {
  if (typeof text !== 'string') throw headerError(name, 'the value is not text')
  if (/[\r\n\0]/.test(text)) throw headerError(name, 'the value holds a line break or NUL')
  if (hasLoneSurrogate(text)) throw headerError(name, 'the value holds half a surrogate pair')
}

export const hasLoneSurrogate = (text: string): boolean => /\p{Surrogate}/u.test(text)

/** Stays in one piece, or becomes encoded-words; a fold may come before its blanks, and where there are none it continues what is there. */
export type Word = { readonly text: string; readonly blanks?: string; readonly encoded?: boolean }

/** One field without its final line end, folded at blanks that are there anyway (RFC 5322 §2.2.3), so that unfolding gives the same value. */
export function writeField(name: string, words: Iterable<string | Word>): string {
  if (name.length > 200) throw headerError(name, 'a field name of more than 200 characters')
  // RFC 5322 §3.6.8.
  if (!/^[\x21-\x39\x3b-\x7e]+$/.test(name)) throw headerError(name, 'a field name holds printable ASCII without blanks and colons, and is not empty')
  const pieces = [`${name}:`]
  let column = name.length + 1
  let limit = LINE // of the line under way
  const write = (text: string, folded: boolean): void => {
    if (folded) {
      pieces.push('\r\n')
      column = 0
      limit = LINE
    }
    pieces.push(text)
    column += text.length
    if (text.includes('=?')) limit = WORD_LINE
    if (column > MAX_LINE) throw headerError(name, `a word of more than ${MAX_LINE - 2} characters cannot be written on one line`)
  }
  for (const word of words) {
    const { text, blanks = ' ', encoded = false }: Word = typeof word === 'string' ? { text: word } : word
    const isFirst = pieces.length === 1
    if (encoded) {
      const isLate = column + blanks.length > WORD_LINE - LEAST_ROOM && !isFirst
      const room = Math.max(LEAST_ROOM, WORD_LINE - (isLate ? 0 : column) - blanks.length)
      for (const [at, piece] of encodeWords(text, room).entries()) {
        const before = at === 0 ? blanks : ' '
        write(before + piece, at > 0 || isLate || column + before.length + piece.length > WORD_LINE)
      }
    } else {
      const end = column + blanks.length + text.length
      // A first word that is too long for any line stays beside the name: some readers lose a field whose first line is empty.
      const mayFold = blanks !== '' && (!isFirst || blanks.length + text.length <= LINE || end > MAX_LINE)
      write(blanks + text, mayFold && end > (text.includes('=?') ? WORD_LINE : limit))
    }
  }
  return pieces.join('')
}

const MAX_BLANKS = 20 // more than this many blanks in a row, or characters without one, and a plain line would become too long
const MAX_PLAIN = 900

/** `Name: body` without its final CRLF, folded; what is not printable ASCII as encoded-words. Throws `ERR_HEADER` (see `checkFieldText`). */
export function formatUnstructured(name: string, text: string): string {
  checkFieldText(name, text)
  const words: { text: string; readonly blanks: string; readonly encoded: boolean }[] = []
  const start = skipBlanks(text, 0)
  const middle = trimBlanks(text)
  // Blanks that would vanish, at both ends and between words that need encoding, are part of a word.
  for (const { 0: match, 1: blanks = '', index } of middle.matchAll(/([\t ]*)[^\t ]+/g)) {
    const last = words.at(-1)
    const after = index + match.length === middle.length ? text.slice(start + middle.length) : ''
    const word = (last === undefined ? text.slice(0, start) : '') + match.slice(blanks.length) + after
    const isLong = word.length > MAX_PLAIN || blanks.length > MAX_BLANKS
    const encoded = isLong || needsEncoding(word) || word !== trimBlanks(word)
    if (encoded && last?.encoded === true) last.text += blanks + word
    else if (blanks.length > MAX_BLANKS) words.push({ text: blanks.slice(1) + word, blanks: blanks.slice(0, 1), encoded })
    else words.push({ text: word, blanks: blanks || ' ', encoded })
  }
  if (words.length === 0 && text !== '') words.push({ text, blanks: ' ', encoded: true })
  return writeField(name, words)
}

const FRAME = 12 // `=?utf-8?B?` and `?=`
const MAX_WORD = 73 // of the 75 in RFC 2047 §2, so that a parameter's quote and semicolon fit behind it on a line of 76

/** What a Q word may hold as it is, in a phrase as well (RFC 2047 §5 (3)). */
const Q_SAFE = /^[A-Za-z0-9!*+\-/]$/

/** Text as encoded-words in UTF-8, by B or Q, whichever is shorter, no character cut. The first fits in `room` if it can. */
function encodeWords(text: string, room: number): string[] {
  const quoted = Array.from(text, (character) => (character === ' ' ? '_' : Q_SAFE.test(character) ? character : hexEncoded(character, '=')))
  const isQuoted = quoted.reduce((sum, piece) => sum + piece.length, 0) <= Math.ceil(Buffer.byteLength(text) / 3) * 4
  const width = (piece: string): number => (isQuoted ? piece.length : Math.ceil(Buffer.byteLength(piece) / 3) * 4)
  const words = cut(isQuoted ? quoted : text, (word, at) => width(word) <= (at === 0 ? Math.min(room, MAX_WORD) : MAX_WORD) - FRAME)
  return words.map((piece) => (isQuoted ? `=?utf-8?Q?${piece}?=` : `=?utf-8?B?${Buffer.from(piece).toString('base64')}?=`))
}

/** Characters in pieces, as many in each as fit together, at least one. */
function cut(characters: Iterable<string>, fits: (piece: string, at: number) => boolean): string[] {
  const pieces: string[] = []
  let piece = ''
  for (const character of characters) {
    if (piece !== '' && !fits(piece + character, pieces.length)) {
      pieces.push(piece)
      piece = ''
    }
    piece += character
  }
  return piece === '' ? pieces : [...pieces, piece]
}

/** The octets of a character in UTF-8, each as `sign` and two digits. */
const hexEncoded = (character: string, sign: '=' | '%'): string => Buffer.from(character).toString('hex').toUpperCase().replace(/../g, `${sign}$&`)

const MAX_PIECE = 74 // so that a parameter with its name, its quotes and a semicolon fits on a line

/** A parameter as pieces for `formatStructured`, by RFC 2231 where it is not ASCII or too long for a line. Throws `ERR_HEADER`. */
export function formatParameter(name: string, value: string): string[] {
  checkFieldText(name, value)
  if (!isPlainToken(name)) throw headerError(name, 'not the name of a parameter')
  const plain = plainParameter(name, value)
  if (plain !== undefined) return [plain]
  const encoded = Array.from(value, (character) => (ATTRIBUTE_CHARACTER.test(character) ? character : hexEncoded(character, '%')))
  const whole = `${name}*=UTF-8''${encoded.join('')}`
  if (whole.length <= MAX_PIECE) return [whole]
  const start = (at: number): string => `${name}*${at}*=${at === 0 ? "UTF-8''" : ''}`
  return cut(encoded, (piece, at) => start(at).length + piece.length <= MAX_PIECE).map((piece, at) => start(at) + piece)
}

/** `name=` for Outlook and others that know no RFC 2231: if need be as encoded-words in quotes, which RFC 2047 §5 forbids and everybody reads. */
export function formatNameParameter(value: string): string {
  checkFieldText('name', value)
  return plainParameter('name', value) ?? `name="${encodeWords(value, MAX_PIECE - 'name=""'.length).join('\r\n ')}"`
}

function plainParameter(name: string, value: string): string | undefined {
  // A boundary of 70 characters in quotes is wider than a line should be, but readers want it whole (RFC 2046 §5.1.1).
  const limit = name === 'boundary' ? 81 : MAX_PIECE
  if (needsEncoding(value) || value.includes('\t') || name.length + value.length > limit) return undefined
  const plain = isPlainToken(value) ? `${name}=${value}` : `${name}="${value.replace(/["\\]/g, '\\$&')}"`
  return plain.length <= limit ? plain : undefined
}

/** Python takes a `*` in a token for RFC 2231's; `'` and `%` are its delimiters too. */
const isPlainToken = (text: string): boolean => text !== '' && skipRun(TOKEN, text, 0) === text.length && !/['%*]/.test(text)

/** What RFC 2231 §7 lets stand as it is. */
const ATTRIBUTE_CHARACTER = /^[A-Za-z0-9!#$&+\-.^_`{|}~]$/

/** `Name: value; parameter; parameter` without its final CRLF, folded before parameters and inside a name that brings its own folds. */
export function formatStructured(name: string, value: string, parameters: readonly string[]): string {
  if (/[^\x20-\x7e]/.test(value) || value === '') throw headerError(name, 'the value is not printable ASCII')
  return writeField(name, [value, ...parameters].join(';\r\n ').split('\r\n '))
}
