import { printable } from '../../bytes.ts'
import { MailError } from '../../errors.ts'
import { encodeWords } from './encoded-word.ts'

const LINE = 78 // RFC 5322 §2.1.1: should and must. A line with an encoded-word has its own limit (RFC 2047 §2).
const WORD_LINE = 76
const MAX_LINE = 998
const LEAST_ROOM = 30 // room in which a word is worth beginning on the line under way

/** A header that cannot be written as the caller wants it. Names the field, never the whole value. */
export function headerError(name: string, what: string): MailError {
  return new MailError('ERR_HEADER', `${printable(name, 60)}: ${what}`, { phase: 'compose' })
}

/** Field names are printable ASCII without blank or colon (RFC 5322 §3.6.8). */
export function checkFieldName(name: string): void {
  if (name.length > 200) throw headerError(name, 'a field name of more than 200 characters')
  if (!/^[\x21-\x39\x3b-\x7e]+$/.test(name)) throw headerError(name, 'a field name holds printable ASCII without blanks and colons, and is not empty')
}

/** Refuses what is no text, could end a line, or cannot be written in UTF-8. */
export function checkFieldText(name: string, text: string): void {
  if (typeof text !== 'string') throw headerError(name, 'the value is not text')
  if (/[\r\n\0]/.test(text)) throw headerError(name, 'the value holds a line break or NUL')
  if (hasLoneSurrogate(text)) throw headerError(name, 'the value holds half a surrogate pair')
}

export const hasLoneSurrogate = (text: string): boolean => /\p{Surrogate}/u.test(text)

/** Writes one field and folds it at blanks that are there anyway (RFC 5322 §2.2.3), so that unfolding gives the same value. */
export class FieldWriter {
  readonly #name: string
  readonly #pieces: string[]
  #column: number
  /** Of the line under way. */ #limit = LINE

  constructor(name: string) {
    checkFieldName(name)
    this.#name = name
    this.#pieces = [`${name}:`]
    this.#column = name.length + 1
  }

  /** Adds text that stays in one piece, after `blanks`, before which a fold may come. With '' it continues what is there. */
  add(text: string, blanks = ' '): void {
    const length = blanks.length + text.length
    // A first word that is too long for any line stays beside the name: some readers lose a field whose first line is empty.
    const mayFold = this.#pieces.length > 1 || length <= LINE || this.#column + length > MAX_LINE
    if (blanks !== '' && this.#column + length > (text.includes('=?') ? WORD_LINE : this.#limit) && mayFold) this.#fold()
    this.#write(blanks + text)
  }

  /** Adds text as encoded-words. */
  addWords(text: string, blanks = ' '): void {
    if (this.#column + blanks.length > WORD_LINE - LEAST_ROOM && this.#pieces.length > 1) this.#fold()
    let before = blanks
    for (const word of encodeWords(text, Math.max(LEAST_ROOM, WORD_LINE - this.#column - blanks.length))) {
      if (before === '' || this.#column + before.length + word.length > WORD_LINE) this.#fold()
      this.#write((before || ' ') + word)
      before = ''
    }
  }

  /** Adds a line of its own, its blank included. */
  addLine(line: string): void {
    this.#fold()
    this.#write(line)
  }

  /** The whole field without its final line end. */
  toString(): string {
    return this.#pieces.join('')
  }

  #fold(): void {
    this.#pieces.push('\r\n')
    this.#column = 0
    this.#limit = LINE
  }

  #write(text: string): void {
    this.#pieces.push(text)
    this.#column += text.length
    if (text.includes('=?')) this.#limit = WORD_LINE
    if (this.#column > MAX_LINE) throw headerError(this.#name, `a word of more than ${MAX_LINE - 2} characters cannot be written on one line`)
  }
}
