import { quote, writeLocalPart } from '../../addr-spec.ts'
import type { Report } from '../defect.ts'
import { decodeWords, enclosedIn, firstOfEach, octetDecoder, skipBlanks, skipEnclosed, skipRun, unescape } from './scan.ts'

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
export function parseAddressList(body: string, report: Report): (Mailbox | Group)[] {
  const list: Mailbox[] = []
  // Names and addresses as nearly everybody writes them are taken at one look each; the reader would give the same.
  for (PLAIN.lastIndex = 0; PLAIN.lastIndex < body.length;) {
    const [, quoted, words, address, close] = PLAIN.exec(body) ?? []
    const name = quoted ?? words ?? ''
    if (address === undefined || (name !== '') !== (close === '>')) return readList(body, firstOfEach(report))
    list.push({ name, address })
  }
  if (!body.includes('=?')) return list
  const first = firstOfEach(report)
  return list.map(({ name, address }) => ({ name: decodeWords(name, first), address }))
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

function readList(body: string, report: Report): (Mailbox | Group)[] {
  const decode = octetDecoder(body, report)
  // NUL is no character of a header value (RFC 5322 §2.2).
  const decodeRaw = (octets: string): string => decode(octets).replaceAll('\0', '\ufffd')
  const skip = enclosedIn(body)
  const list: (Mailbox | Group)[] = []
  const invalid = (offset = start): void => report('invalid-address', offset)
  let at = 0
  /** The group under way, and how deep it is nested. */ let group: { group: string; members: Mailbox[] } | undefined
  let depth = 0
  /** The element under way, where it began, and how many pieces were cut off before it: `Doe, John <j@x>`. */ let pieces: Piece[] = []
  let start = 0
  let pending = 0
  /** The `<` that is open, and the first character behind it. */ let angle: Piece | undefined
  let first = ''
  /** Outside of one, what the next word may be tied to. */ let last: Piece | undefined
  /** The last character of the last word, '' when it is quoted. */ let final = ''

  for (let apart = skipCfws(); at < body.length; apart = skipCfws()) next(apart)
  endElement(false)
  if (depth > 0) invalid(at)
  return list

  function next(apart: boolean): void {
    const character = body[at]
    if (character === undefined || !'",;:<>)'.includes(character)) return run(apart)
    const inRoute = angle !== undefined && first === '@'
    at++
    const mayGoOn = character === ',' && (inRoute || angle?.address === '')
    if (mayGoOn && ',:@('.includes(body.charAt(skipBlanks(body, at)))) return // an obs-domain-list
    if (character === ',') endElement(true)
    else if (character === ';') {
      endElement(false)
      if (depth === 0) invalid()
      else if (--depth === 0) group = undefined
    } else if (character === ':') {
      if (angle === undefined) beginGroup()
      else if (inRoute) angle.address = first = ''
      else word(':', 'words', apart)
    } else if (character === '<') {
      if (angle !== undefined) invalid()
      if (angle?.address === '') return
      pieces.push((angle = { kind: 'angle-addr', text: '', address: '', apart: false }))
      last = undefined
    } else if (character === '"') {
      const end = skip(at - 1)
      if (end < 0) return invalid() // never closed: passed over
      const text = unescape(body.slice(at, end - 1))
      at = end
      word(text, 'quoted', apart)
    } else {
      if (character === ')' || angle === undefined) invalid()
      if (character === '>') angle = undefined
    }
  }

  /** Past blanks and comments, which are kept; whether there were any. A parenthesis that never closes is passed over. */
  function skipCfws(): boolean {
    const from = at
    for (at = skipBlanks(body, at); body[at] === '('; at = skipBlanks(body, at)) {
      const end = skip(at)
      if (end < 0) invalid(at)
      else pieces.push({ kind: 'comment', text: unescape(body.slice(at + 1, end - 1)), address: '', apart: true })
      at = Math.max(at + 1, end)
    }
    return at > from
  }

  /** Characters up to the next special or blank; an encoded-word and a domain literal are taken whole. */
  function run(apart: boolean): void {
    const from = at
    const encoded = body.startsWith('=?', from) ? Math.max(from, skipRun(ENCODED_WORD, body, from)) : from
    at = skipRun(RUN, body, encoded)
    while (body[at] === '[') {
      const before = at === from ? final : body[at - 1]
      at = skipRun(RUN, body, Math.max(at + 1, before === '@' ? skipRun(LITERAL, body, at) : 0))
    }
    const text = body.slice(from, at)
    // An `@` inside an encoded-word is part of a name.
    word(text, text.includes('@', encoded - from) ? 'addr-spec' : text.includes('=?') ? 'words' : 'atom', apart)
  }

  /** Adds a word to the piece before it, where nothing or a `.` or `@` is between them, or begins one. */
  function word(text: string, kind: Piece['kind'] | 'quoted', apart: boolean): void {
    const initial = kind === 'quoted' ? '' : text.charAt(0)
    const address = kind === 'quoted' ? quote(text) : text
    const tied = !apart || /[@.]/.test(initial + final)
    if (angle !== undefined) {
      if (angle.address === '') first = initial
      angle.address += tied || angle.address === '' ? address : ` ${address}`
    } else if (last !== undefined && tied) {
      last.text += apart ? ` ${text}` : text
      last.address += address
      if (last.kind !== 'addr-spec') last.kind = kind === 'addr-spec' ? kind : 'words'
    } else pieces.push((last = { kind: kind === 'quoted' ? 'words' : kind, text, address, apart }))
    final = initial && text.charAt(text.length - 1)
  }

  /** Everything since the last separator is known: makes mailboxes of it, or keeps it for the name of the next one. */
  function endElement(comma: boolean): void {
    if (angle !== undefined) invalid() // never closed
    const own = pieces.slice(pending)
    const isPhrase = own.some(isWord)
    if (own.some((piece) => isAngle(piece) || piece.kind === 'addr-spec')) {
      if (!own.some(isAngle)) addMailboxes(pieces.splice(0, pending))
    } else {
      if (isPhrase) invalid()
      else pieces.length = pending // comments that belong to nobody
      if (isPhrase && comma) pieces.push(BARE_COMMA)
      if (comma) return beginElement(pieces)
    }
    addMailboxes(pieces)
    beginElement([])
  }

  function beginElement(kept: Piece[]): void {
    pieces = kept
    pending = kept.length
    start = at
    angle = last = undefined
  }

  /** Names stand before addresses, the last has what comes behind too. An addr-spec before an angle-addr is a name, one atom alone a local part. */
  function addMailboxes(given: readonly Piece[]): void {
    const all = given.at(-1) === BARE_COMMA ? given.slice(0, -1) : given
    const lastAngle = all.findLastIndex(isAngle)
    const isAlone = lastAngle < 0 && all.filter(isWord).length === 1
    let before: Piece[] = []
    let behind: Piece[] = []
    let address: string | undefined
    for (const [index, piece] of all.entries()) {
      if (isAngle(piece) || (piece.kind === 'addr-spec' && index > lastAngle) || (piece.kind === 'atom' && isAlone)) {
        const spec = joinLocalPart(piece.address)
        if (spec === undefined || address !== undefined || (!isAngle(piece) && before.some(isWord))) invalid()
        if (address !== undefined) {
          add(before, address)
          before = behind
          behind = []
        }
        address = spec ?? piece.address
      } else if (address === undefined || (!isWord(piece) && behind.length === 0)) before.push(piece)
      else behind.push(piece)
    }
    if (behind.length > 0) invalid()
    add(before.concat(behind), address ?? '')
  }

  function add(phrase: readonly Piece[], octets: string): void {
    const name = nameOf(phrase)
    const address = decodeRaw(octets)
    if (name !== '' || address !== '') (group?.members ?? list).push({ name, address })
  }

  /** A phrase, or when there is none the comments (`a@x (Name)`). */
  function nameOf(phrase: readonly Piece[]): string {
    const isPhrase = phrase.some(isWord)
    let name = ''
    for (const { kind, text, apart } of phrase) {
      if (kind === 'addr-spec') invalid() // a phrase has no `@`; a reader may take it for the address
      if (isPhrase !== (kind === 'comment')) name += name !== '' && apart ? ` ${text}` : text
    }
    return decodeWords(isPhrase ? name : name.trim(), report, 0, decodeRaw)
  }

  function beginGroup(): void {
    if (pieces.some(isAngle)) {
      invalid()
      return endElement(true)
    }
    // Groups do not nest (RFC 5322 §3.4): the members of an inner one belong to the outer.
    if (pieces.length === 0 || depth > 0) invalid()
    else list.push((group = { group: nameOf(pieces), members: [] }))
    if (pieces.length > 0) depth++
    beginElement([])
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
