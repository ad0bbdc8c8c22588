import { quote, writeLocalPart } from '../../addr-spec.ts'
import type { Report } from '../defect.ts'
import { enclosedIn, firstOfEach, octetDecoder, skipBlanks, skipEnclosed, skipRun, unescape } from './scan.ts'
import { decodeWords } from './text.ts'

export { checkAddress, formatAddressList, parseAddressInput, parseMailboxInput } from './address-input.ts'

/** A mailbox (RFC 5322 §3.4): a display name, '' when there is none, and an addr-spec as it was given. */
export type Mailbox = { readonly name: string; readonly address: string }

/** A named group of mailboxes, maybe none: `undisclosed-recipients:;`. */
export type Group = { readonly group: string; readonly members: readonly Mailbox[] }

/** What a caller gives: text with commas or semicolons (`A <a@x>; b@y`), or mailboxes and groups, or a list of both. */
export type Addresses = string | readonly (string | Mailbox | Group)[]

/** The mailboxes and groups of an address field, as much of them as can be made out: unclosed brackets, quotes and comments, `;` between
 *  mailboxes, bare commas in names, missing commas and nested groups are repaired, each with an `invalid-address`; routes and blanks that
 *  are obsolete (RFC 5322 §4.4) need no repair. Names are decoded (RFC 2047, RFC 6532) after the structure is settled and never read again;
 *  addresses are never decoded. Not for envelopes: `parseAddressInput` reads what a caller gives. */
export function parseAddressList(body: string, reportAll: Report): (Mailbox | Group)[] {
  const report = firstOfEach(reportAll)
  const list: Mailbox[] = []
  // Names and addresses as nearly everybody writes them are taken at one look each; the reader would give the same.
  for (PLAIN.lastIndex = 0; PLAIN.lastIndex < body.length;) {
    const [, quoted, words, address, close] = PLAIN.exec(body) ?? []
    const name = quoted ?? words ?? ''
    if (address === undefined || (name !== '') !== (close === '>')) return new AddressReader(body, report).read()
    list.push({ name, address })
  }
  return body.includes('=?') ? list.map(({ name, address }) => ({ name: decodeWords(name, report), address })) : list
}

const PLAIN =
  /(?:(?:"([^"\\=\0-\x20\x7f-\xff]+(?: [^"\\=\0-\x20\x7f-\xff]+)*)"|([\w!#$%&'*+\-/=?^`{|}~.]+(?: [\w!#$%&'*+\-/=?^`{|}~.]+)*)) <)?([\w!#$%&'*+\-/=?^`{|}~]+(?:\.[\w!#$%&'*+\-/=?^`{|}~]+)*@[a-z\d-]+(?:\.[a-z\d-]+)*)(>?)(?:, ?(?=.)|$)/iy

/** What blanks part, but for those around `.` and `@` (RFC 5322 §4.4). */
interface Piece {
  kind: 'atom' | 'words' | 'addr-spec' | 'comment' | 'angle-addr'
  /** As part of a name. */ text: string
  /** As part of an address: without blanks. */ address: string
  /** A blank or comment stands before it. */ readonly apart: boolean
}

/** Keeps its place in a name that was cut there. */
const BARE_COMMA: Piece = { kind: 'words', text: ',', address: '', apart: false }

const ATOM = /[^ ".@]*/y
const RUN = /[^\t\n\r "(),:;<>[]*/y
const LITERAL = /\[[^[\]<>,]{0,254}\]/y // a longer one is in no address (RFC 5321 §4.5.3.1)
/** Some senders leave commas and colons in one as they are; blanks, quotes and brackets decide where an address is. */
const ENCODED_WORD = /=\?[^\t\n\r "<>?]{1,100}\?[bq]\?[^\t\n\r "<>?]{0,500}\?=/iy

class AddressReader {
  readonly #body: string
  readonly #report: Report
  readonly #decodeRaw: (octets: string) => string
  readonly #skipEnclosed: (from: number) => number
  readonly #list: (Mailbox | Group)[] = []
  #at = 0
  /** The group under way, and how deep it is nested. */ #group: { group: string; members: Mailbox[] } | undefined
  #depth = 0
  /** The element under way, where it began, and how many pieces were cut off before it: `Doe, John <j@x>`. */ #pieces: Piece[] = []
  #start = 0
  #pending = 0
  /** The `<` that is open, and the first character behind it. */ #angle: Piece | undefined
  #first = ''
  /** Outside of one, what the next word may be tied to. */ #last: Piece | undefined
  /** The last character of the last word, '' when it is quoted. */ #final = ''

  constructor(body: string, report: Report) {
    this.#body = body
    this.#report = report
    const decode = octetDecoder(body, report)
    // NUL is no character of a header value (RFC 5322 §2.2).
    this.#decodeRaw = (octets) => decode(octets).replaceAll('\0', '\ufffd')
    this.#skipEnclosed = enclosedIn(body)
  }

  read(): (Mailbox | Group)[] {
    for (let apart = this.#skipCfws(); this.#at < this.#body.length; apart = this.#skipCfws()) this.#next(apart)
    this.#endElement(false)
    if (this.#depth > 0) this.#invalid(this.#at)
    return this.#list
  }

  #next(apart: boolean): void {
    const character = this.#body[this.#at]
    if (character === undefined || !'",;:<>)'.includes(character)) return this.#run(apart)
    const angle = this.#angle
    const inRoute = angle !== undefined && this.#first === '@'
    this.#at++
    const mayGoOn = character === ',' && (inRoute || angle?.address === '')
    if (mayGoOn && ',:@('.includes(this.#body.charAt(skipBlanks(this.#body, this.#at)))) return // an obs-domain-list
    if (character === ',') this.#endElement(true)
    else if (character === ';') {
      this.#endElement(false)
      if (this.#depth === 0) this.#invalid()
      else if (--this.#depth === 0) this.#group = undefined
    } else if (character === ':') {
      if (angle === undefined) this.#beginGroup()
      else if (inRoute) angle.address = this.#first = ''
      else this.#word(':', 'words', apart)
    } else if (character === '<') {
      if (angle !== undefined) this.#invalid()
      if (angle?.address === '') return
      this.#pieces.push((this.#angle = { kind: 'angle-addr', text: '', address: '', apart: false }))
      this.#last = undefined
    } else if (character === '"') {
      const end = this.#skipEnclosed(this.#at - 1)
      if (end < 0) return this.#invalid() // never closed: passed over
      const text = unescape(this.#body.slice(this.#at, end - 1))
      this.#at = end
      this.#word(text, 'quoted', apart)
    } else {
      if (character === ')' || angle === undefined) this.#invalid()
      if (character === '>') this.#angle = undefined
    }
  }

  #invalid(offset = this.#start): void {
    this.#report('invalid-address', offset)
  }

  /** Past blanks and comments, which are kept; whether there were any. A parenthesis that never closes is passed over. */
  #skipCfws(): boolean {
    const body = this.#body
    const start = this.#at
    for (;;) {
      const at = skipBlanks(body, this.#at)
      this.#at = at
      if (body[at] !== '(') return at > start
      const end = this.#skipEnclosed(at)
      this.#at = end < 0 ? at + 1 : end
      if (end < 0) this.#invalid(at)
      else this.#pieces.push({ kind: 'comment', text: unescape(body.slice(at + 1, end - 1)), address: '', apart: true })
    }
  }

  /** Characters up to the next special or blank; an encoded-word and a domain literal are taken whole. */
  #run(apart: boolean): void {
    const body = this.#body
    const start = this.#at
    const word = body.startsWith('=?', start) ? Math.max(start, skipRun(ENCODED_WORD, body, start)) : start
    let at = skipRun(RUN, body, word)
    while (body[at] === '[') {
      const before = at === start ? this.#final : body[at - 1]
      at = skipRun(RUN, body, Math.max(at + 1, before === '@' ? skipRun(LITERAL, body, at) : 0))
    }
    this.#at = at
    const text = body.slice(start, at)
    // An `@` inside an encoded-word is part of a name.
    this.#word(text, text.includes('@', word - start) ? 'addr-spec' : text.includes('=?') ? 'words' : 'atom', apart)
  }

  /** Adds a word to the piece before it, where nothing or a `.` or `@` is between them, or begins one. */
  #word(text: string, kind: Piece['kind'] | 'quoted', apart: boolean): void {
    const first = kind === 'quoted' ? '' : text.charAt(0)
    const address = kind === 'quoted' ? quote(text) : text
    const tied = !apart || /[@.]/.test(first + this.#final)
    const angle = this.#angle
    const last = this.#last
    if (angle !== undefined) {
      if (angle.address === '') this.#first = first
      angle.address += tied || angle.address === '' ? address : ` ${address}`
    } else if (last !== undefined && tied) {
      last.text += apart ? ` ${text}` : text
      last.address += address
      if (last.kind !== 'addr-spec') last.kind = kind === 'addr-spec' ? kind : 'words'
    } else this.#pieces.push((this.#last = { kind: kind === 'quoted' ? 'words' : kind, text, address, apart }))
    this.#final = first && text.charAt(text.length - 1)
  }

  /** Everything since the last separator is known: makes mailboxes of it, or keeps it for the name of the next one. */
  #endElement(comma: boolean): void {
    if (this.#angle !== undefined) this.#invalid() // never closed
    const pieces = this.#pieces
    const own = pieces.slice(this.#pending)
    const isPhrase = own.some(isWord)
    if (own.some((piece) => isAngle(piece) || piece.kind === 'addr-spec')) {
      if (!own.some(isAngle)) this.#addMailboxes(pieces.splice(0, this.#pending))
    } else {
      if (isPhrase) this.#invalid()
      else pieces.length = this.#pending // comments that belong to nobody
      if (isPhrase && comma) pieces.push(BARE_COMMA)
      if (comma) return this.#beginElement(pieces)
    }
    this.#addMailboxes(pieces)
    this.#beginElement([])
  }

  #beginElement(pieces: Piece[]): void {
    this.#pieces = pieces
    this.#pending = pieces.length
    this.#start = this.#at
    this.#angle = undefined
    this.#last = undefined
  }

  /** Names stand before addresses, the last has what comes behind too. An addr-spec before an angle-addr is a name, one atom alone a local part. */
  #addMailboxes(list: readonly Piece[]): void {
    const pieces = list.at(-1) === BARE_COMMA ? list.slice(0, -1) : list
    const angle = pieces.findLastIndex(isAngle)
    const isAlone = angle < 0 && pieces.filter(isWord).length === 1
    let name: Piece[] = []
    let next: Piece[] = []
    let address: string | undefined
    for (const [at, piece] of pieces.entries()) {
      if (isAngle(piece) || (piece.kind === 'addr-spec' && at > angle) || (piece.kind === 'atom' && isAlone)) {
        const spec = joinLocalPart(piece.address)
        if (spec === undefined || address !== undefined || (!isAngle(piece) && name.some(isWord))) this.#invalid()
        if (address !== undefined) {
          this.#add(name, address)
          name = next
          next = []
        }
        address = spec ?? piece.address
      } else if (address === undefined || (!isWord(piece) && next.length === 0)) name.push(piece)
      else next.push(piece)
    }
    if (next.length > 0) this.#invalid()
    this.#add(name.concat(next), address ?? '')
  }

  #add(pieces: readonly Piece[], octets: string): void {
    const name = this.#name(pieces)
    const address = this.#decodeRaw(octets)
    const into = this.#group?.members ?? this.#list
    if (name !== '' || address !== '') into.push({ name, address })
  }

  /** A phrase, or when there is none the comments (`a@x (Name)`). */
  #name(pieces: readonly Piece[]): string {
    const isPhrase = pieces.some(isWord)
    let name = ''
    for (const { kind, text, apart } of pieces) {
      if (kind === 'addr-spec') this.#invalid() // a phrase has no `@`; a reader may take it for the address
      if (isPhrase !== (kind === 'comment')) name += name !== '' && apart ? ` ${text}` : text
    }
    return decodeWords(isPhrase ? name : name.trim(), this.#report, 0, this.#decodeRaw)
  }

  #beginGroup(): void {
    const pieces = this.#pieces
    if (pieces.some(isAngle)) {
      this.#invalid()
      return this.#endElement(true)
    }
    // Groups do not nest (RFC 5322 §3.4): the members of an inner one belong to the outer.
    if (pieces.length === 0 || this.#depth > 0) this.#invalid()
    else this.#list.push((this.#group = { group: this.#name(pieces), members: [] }))
    if (pieces.length > 0) this.#depth++
    this.#beginElement([])
  }
}

const isAngle = (piece: Piece): boolean => piece.kind === 'angle-addr'
const isWord = (piece: Piece): boolean => piece.kind !== 'comment' && piece.kind !== 'angle-addr'

/** An addr-spec with the words of its local part made one (obs-local-part); `undefined` for what is none. Its domain is not looked into. */
function joinLocalPart(address: string): string | undefined {
  const at = address.lastIndexOf('@')
  let local = ''
  for (let from = 0; from <= at;) {
    const quoted = address[from] === '"'
    const end = quoted ? skipEnclosed(address, from) : skipRun(ATOM, address, from)
    if (end === from || address[end] !== (end < at ? '.' : '@')) return undefined
    local += (from > 0 ? '.' : '') + (quoted ? unescape(address.slice(from + 1, end - 1)) : address.slice(from, end))
    from = end + 1
  }
  if (at < 0 || at === address.length - 1 || address.includes(' ', at)) return undefined
  return address.lastIndexOf('"', at) >= 0 ? writeLocalPart(local) + address.slice(at) : address
}
