import type { Report } from '../defect.ts'
import { writeLocalPart } from './address-input.ts'
import { decodeWords } from './encoded-word.ts'
import {
  CLOSE,
  COMMA,
  firstOfEach,
  indexOf8bit,
  isBlank,
  octetDecoder,
  OPEN,
  QUOTE,
  SEMICOLON,
  skipBlanks,
  skipComment,
  skipQuoted,
  unescape,
} from './scan.ts'

export { checkAddress, formatAddressList, parseAddressInput, parseMailboxInput } from './address-input.ts'

/** A mailbox (RFC 5322 §3.4): a display name, '' when there is none, and an addr-spec as it was given. */
export type Mailbox = { readonly name: string; readonly address: string }

/** A named group of mailboxes, maybe none: `undisclosed-recipients:;`. */
export type Group = { readonly group: string; readonly members: readonly Mailbox[] }

/** What a caller gives: text with commas or semicolons (`A <a@x>; b@y`), or mailboxes and groups, or a list of both. */
export type Addresses = string | readonly (string | Mailbox | Group)[]

const DOT = 46
const COLON = 58
const LESS = 60
const GREATER = 62
const QUESTION = 63
const AT = 64
const MAX_WORD = 150 // twice what RFC 2047 §2 allows
const LEFT_BRACKET = 91
const RIGHT_BRACKET = 93

/**
 * The mailboxes and groups of an address field, as much of them as can be made out: unclosed brackets, quotes and comments, `;` between
 * mailboxes, names with a bare comma, obsolete routes and blanks (RFC 5322 §4.4) are repaired, each with an `invalid-address`. Names are
 * decoded (RFC 2047, RFC 6532) after the structure is settled and never read again; addresses are never decoded. Not for envelopes:
 * `parseAddressInput` reads what a caller gives.
 */
export const parseAddressList = (body: string, report: Report): (Mailbox | Group)[] => new AddressReader(body, firstOfEach(report)).read()

/** A run of characters, or the inside of a quoted-string. */
interface Word {
  readonly text: string
  readonly quoted: boolean
  /** A blank or comment stands before it. */ readonly apart: boolean
  readonly offset: number
}

class AddressReader {
  readonly #body: string
  readonly #report: Report
  readonly #decodeRaw: (octets: string) => string
  readonly #list: (Mailbox | Group)[] = []
  #at = 0
  /** A group under way, how deep it is nested, and its members. */ #group = ''
  #depth = 0
  #members: Mailbox[] = []
  /** The element under way. */ #words: Word[] = []
  #comments: string[] = []
  #angle: string | undefined
  /** Words that stood before it. */ #before = 0
  #elementStart = 0
  /** Words before a comma that held no address: `Doe, John <j@x>`. */ #pending: Word[] = []
  /** Once one of these was searched for to the end in vain, its opener is an ordinary character. */ #noQuote = false
  #noParenthesis = false

  constructor(body: string, report: Report) {
    this.#body = body
    this.#report = report
    this.#decodeRaw = octetDecoder(body)
    const at = indexOf8bit(body)
    if (at >= 0) report('raw-8bit-header', at)
  }

  read(): (Mailbox | Group)[] {
    const body = this.#body
    let apart = false
    while (this.#at < body.length) {
      if (this.#skip(this.#comments)) {
        apart = true
        continue
      }
      switch (body.charCodeAt(this.#at)) {
        case QUOTE:
          this.#quoted(this.#words, apart)
          break
        case LESS:
          this.#openAngle()
          break
        case COMMA:
          this.#at++
          this.#endElement(true)
          break
        case SEMICOLON:
          if (this.#depth === 0 && this.#words.length > 0) this.#invalid(this.#at)
          this.#at++
          this.#endElement(false)
          this.#endGroup()
          break
        case COLON:
          this.#at++
          this.#beginGroup()
          break
        case GREATER:
        case CLOSE:
          this.#invalid(this.#at++)
          break
        default:
          this.#words.push(this.#run(apart))
      }
      apart = false
    }
    this.#endElement(false)
    if (this.#depth > 0) this.#invalid(body.length)
    this.#depth = Math.min(this.#depth, 1)
    this.#endGroup()
    return this.#list
  }

  #invalid(offset: number): void {
    this.#report('invalid-address', offset)
  }

  // ── pieces ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Past blanks, or a comment, whose inside is kept; a parenthesis that never closes is passed over. False where neither is. */
  #skip(comments: string[]): boolean {
    const body = this.#body
    const start = this.#at
    if (body.charCodeAt(start) !== OPEN) {
      this.#at = skipBlanks(body, start)
      return this.#at > start
    }
    const end = this.#noParenthesis ? -1 : skipComment(body, start)
    if (end < 0) {
      this.#noParenthesis = true
      this.#invalid(start)
    } else comments.push(unescape(body.slice(start + 1, end - 1)))
    this.#at = end < 0 ? start + 1 : end
    return true
  }

  /** Adds a quoted-string; a quote that never closes is passed over. */
  #quoted(words: Word[], apart: boolean): void {
    const body = this.#body
    const start = this.#at
    const end = this.#noQuote ? -1 : skipQuoted(body, start)
    if (end < 0) {
      this.#noQuote = true
      this.#invalid(start)
    } else words.push({ text: unescape(body.slice(start + 1, end - 1)), quoted: true, apart, offset: start })
    this.#at = end < 0 ? start + 1 : end
  }

  /** Characters up to the next special or blank; a domain literal is taken whole. */
  #run(apart: boolean): Word {
    const body = this.#body
    const start = this.#at
    let at = wordEnd(body, start)
    for (; at < body.length; at++) {
      const code = body.charCodeAt(at)
      if (code === LEFT_BRACKET && (at > start ? body.charCodeAt(at - 1) : this.#lastCode()) === AT) at = this.#literalEnd(at)
      else if (isBlank(code) || code === OPEN || code === CLOSE || code === QUOTE || code === COMMA || code === SEMICOLON) break
      else if (code === COLON || code === LESS || code === GREATER) break
    }
    this.#at = Math.max(at, start + 1)
    return { text: body.slice(start, this.#at), quoted: false, apart, offset: start }
  }

  #lastCode(): number {
    const last = this.#words.at(-1)
    return last === undefined || last.quoted ? 0 : last.text.charCodeAt(last.text.length - 1)
  }

  /** At the `]` of a literal that begins here, or where it begins when it is none (RFC 5321 §4.1.3 has no longer ones). */
  #literalEnd(from: number): number {
    for (let at = from + 1; at < from + 300; at++) {
      const code = this.#body.charCodeAt(at)
      if (code === RIGHT_BRACKET) return at
      if (Number.isNaN(code) || code === LEFT_BRACKET || code === LESS || code === GREATER || code === COMMA) break
    }
    return from
  }

  /** `<` local part `@` domain `>`, with the route that RFC 822 allowed before it. Ends before a comma when the bracket never closes. */
  #openAngle(): void {
    const body = this.#body
    const start = this.#at++
    if (this.#angle !== undefined) {
      this.#invalid(start) // `<a@b> <c@d>` without a comma
      this.#endElement(false)
    }
    const outside = this.#words
    const words: Word[] = (this.#words = [])
    let apart = false
    let closed = false
    while (!closed && this.#at < body.length) {
      if (this.#skip([])) {
        apart = true
        continue
      }
      const code = body.charCodeAt(this.#at)
      if (code === QUOTE) this.#quoted(words, apart)
      else if (code === GREATER) {
        this.#at++
        closed = true
      } else if (code === LESS || code === CLOSE) this.#invalid(this.#at++)
      else if (code === COMMA || code === SEMICOLON) {
        if (!isRoute(words)) break
        words.length = 0 // the next domain of the route
        this.#at++
        words.push({ text: '@', quoted: false, apart: false, offset: this.#at })
      } else if (code === COLON) {
        this.#at++
        if (isRoute(words)) words.length = 0
        else words.push({ text: ':', quoted: false, apart, offset: this.#at })
      } else words.push(this.#run(apart))
      apart = false
    }
    if (!closed) this.#invalid(start)
    this.#words = outside
    this.#before = outside.length
    this.#angle = joinAddress(words)
  }

  // ── elements ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Everything since the last separator is known: makes mailboxes of it, or keeps the words for the next one. */
  #endElement(comma: boolean): void {
    const words = this.#words
    const angle = this.#angle
    const comments = this.#comments
    const start = this.#elementStart
    this.#words = []
    this.#angle = undefined
    this.#comments = []
    this.#elementStart = this.#at
    if (angle !== undefined) {
      const pending = this.#pending
      this.#pending = []
      const after = words.slice(this.#before)
      if (pending.length > 0 || after.length > 0 || !isAddrSpec(angle)) this.#invalid(pending[0]?.offset ?? start)
      const more = addrSpecs(after)
      if (more.length === 0) return this.#add([...pending, ...words], comments, angle)
      this.#add([...pending, ...words.slice(0, this.#before)], comments, angle) // `<a@b>c@d`: two, whichever was meant
      return this.#bare(after, more, [])
    }
    if (words.length === 0 && !(comments.length > 0 && this.#pending.length > 0)) {
      if (!comma) this.#flush()
      return
    }
    const found = addrSpecs(words)
    if (found.length > 0) {
      this.#flush()
      return this.#bare(words, found, comments)
    }
    if (words.length > 0) this.#invalid(words[0]?.offset ?? 0)
    for (const word of words) this.#pending.push(word)
    if (comma && words.length > 0) this.#pending.push(PENDING_COMMA)
    else this.#flush(comments)
  }

  /** Words that nothing came to claim: one atom is a local part (`root`), anything else a name. */
  #flush(comments: string[] = []): void {
    const words = this.#pending
    this.#pending = []
    if (words.at(-1) === PENDING_COMMA) words.pop()
    const [first] = words
    if (first === undefined) return
    if (words.length === 1 && !first.quoted && !first.text.includes('=?')) this.#add([], comments, first.text)
    else this.#add(words, comments, '')
  }

  /** Addr-specs without brackets. What stands before one is its name, and what comes after it too when there is no other: `a@b c@d X e@f`. */
  #bare(words: readonly Word[], found: readonly (readonly [from: number, to: number])[], comments: readonly string[]): void {
    let before = 0
    for (const [from, to] of found) {
      const address = joinAddress(words.slice(from, to))
      if (to - from < words.length || !isAddrSpec(address)) this.#invalid(words[0]?.offset ?? 0)
      const after = found.length === 1 ? words.slice(to) : []
      this.#add([...words.slice(before, from), ...after], before === 0 ? comments : [], address)
      before = to
    }
    if (found.length > 1) this.#add(words.slice(before), [], '')
  }

  #add(words: readonly Word[], comments: readonly string[], address: string): void {
    const phrase = this.#name(words)
    const name = phrase === '' && comments.length > 0 ? this.#decode(comments.join(' ').trim()) : phrase
    if (name === '' && address === '') return
    const mailbox = { name, address: this.#decodeRaw(address) }
    if (this.#depth > 0) this.#members.push(mailbox)
    else this.#list.push(mailbox)
  }

  #beginGroup(): void {
    const pending = this.#pending
    this.#pending = []
    const words = [...pending, ...this.#words]
    if (words.length === 0 && this.#comments.length === 0) return this.#invalid(this.#at)
    if (this.#angle !== undefined) {
      this.#invalid(this.#at)
      return this.#endElement(true)
    }
    this.#words = []
    this.#comments = []
    // Groups do not nest (RFC 5322 §3.4): the members of an inner one belong to the outer.
    if (this.#depth++ > 0) return this.#invalid(this.#at)
    this.#group = this.#name(words)
  }

  #endGroup(): void {
    if (this.#depth === 0 || --this.#depth > 0) return
    this.#list.push({ group: this.#group, members: this.#members })
    this.#members = []
  }

  #name(words: readonly Word[]): string {
    let name = ''
    for (const word of words) name += (name !== '' && word.apart ? ' ' : '') + word.text
    return this.#decode(name)
  }

  #decode(octets: string): string {
    const text = decodeWords(octets, this.#report, 0, this.#decodeRaw)
    return /[\r\n\0]/.test(text) ? text.replace(/\r\n|[\r\n]/g, ' ').replaceAll('\0', '\ufffd') : text
  }
}

/** Keeps its place in a name that was cut at a comma. */
const PENDING_COMMA: Word = { text: ',', quoted: false, apart: false, offset: 0 }

/** An `@` inside an encoded-word is part of a name. */
const holdsAt = (word: Word): boolean => !word.quoted && word.text.includes('@', word.text.startsWith('=?') ? wordEnd(word.text, 0) : 0)

/**
 * Past an encoded-word that begins here, or `from`. Some senders leave commas and colons in one as they are, so it is one piece, but
 * for blanks, quotes and brackets, which decide where an address is.
 */
function wordEnd(body: string, from: number): number {
  if (!body.startsWith('=?', from)) return from
  let marks = 0
  for (let at = from + 2; at < from + MAX_WORD; at++) {
    const code = body.charCodeAt(at)
    if (code === QUESTION) {
      if (++marks === 3) return body[at + 1] === '=' ? at + 2 : from
      if (marks === 2) at++ // Q text may begin with `=`
    } else if (Number.isNaN(code) || isBlank(code) || code === QUOTE || code === LESS || code === GREATER) return from
  }
  return from
}

/** Where addr-specs without brackets are: the words that `@` and `.` tie together. */
function addrSpecs(words: readonly Word[]): [from: number, to: number][] {
  const found: [from: number, to: number][] = []
  for (const [at, word] of words.entries()) {
    const before = found.at(-1)?.[1] ?? 0
    if (at < before || !holdsAt(word)) continue
    let from = at
    let to = at + 1
    while (from > before && tied(words[from - 1], words[from])) from--
    while (to < words.length && tied(words[to - 1], words[to])) to++
    found.push([from, to])
  }
  return found
}

/** Whether two neighbours belong to one addr-spec (RFC 5322 §4.4 allows blanks around the dots and the `@`). */
function tied(left: Word | undefined, right: Word | undefined): boolean {
  if (left === undefined || right === undefined) return false
  const first = right.quoted ? 0 : right.text.charCodeAt(0)
  const last = left.quoted ? 0 : left.text.charCodeAt(left.text.length - 1)
  return !right.apart || first === AT || first === DOT || last === AT || last === DOT
}

/** One `@`, with something on both sides, and no blank. Enough for a defect. */
function isAddrSpec(address: string): boolean {
  const at = address.lastIndexOf('@')
  if (at <= 0 || at === address.length - 1) return false
  return address.startsWith('"') || (address.indexOf('@') === at && !address.includes(' '))
}

const isRoute = (words: readonly Word[]): boolean => words[0]?.quoted === false && words[0].text.startsWith('@')

/** The words of an addr-spec in one, quoted-strings written anew. */
function joinAddress(words: readonly Word[]): string {
  let address = ''
  for (const [at, word] of words.entries()) {
    if (at > 0 && !tied(words[at - 1], word)) address += ' '
    address += word.quoted ? writeLocalPart(word.text) : word.text
  }
  return address
}
