import { domainToASCII, domainToUnicode } from 'node:url'
import { printable } from '../../bytes.ts'
import { MailError } from '../../errors.ts'
import type { Group, Mailbox } from './address.ts'
import { needsEncoding } from './encoded-word.ts'
import { checkFieldText, FieldWriter, hasLoneSurrogate, headerError } from './fold.ts'
import { isBlank, skipBlanks, skipQuoted, unescape } from './scan.ts'

// What a caller gives goes into an envelope as well: nothing is searched for, nothing is left over, nothing is guessed (CVE-2025-13033).

const MAX_LOCAL_PART = 64
const MAX_DOMAIN = 255
const MAX_LABEL = 63
const MAX_ADDRESS = 254 // RFC 5321 §4.5.3.1.3: 256 with the angle brackets
const BAD_LITERAL = 'has no valid IP address in its brackets'

/** One mailbox as a caller writes it: `a@x`, `A <a@x>`, `"B, A" <a@x>`. Throws `ERR_ADDRESS`, which says what is wrong with it. */
export function parseMailboxInput(text: string): Mailbox {
  const list = parseAddressInput(text)
  const [only] = list
  if (only === undefined || list.length > 1 || !('address' in only)) throw addressError(text, 'is not one address')
  return only
}

/**
 * Mailboxes and groups as a caller writes them, with commas or semicolons between: `A <a@x>; b@y, "C, D" <c@z>, Team: e@x, f@x;`. Domains
 * come out as A-labels (UTS 46). Throws `ERR_ADDRESS`, which names the piece and what is wrong with it.
 */
export function parseAddressInput(text: string): (Mailbox | Group)[] {
  const list: (Mailbox | Group)[] = []
  let group: { group: string; members: Mailbox[] } | undefined
  let start = 0
  let angle = -1
  const fail = failure(text, () => start)
  for (let at = 0; at <= text.length; at++) {
    const character = text[at] ?? ','
    if (character === '"') at = endOfQuoted(text, at, fail) - 1
    else if (character === '[') {
      at = text.indexOf(']', at)
      if (at < 0) fail(BAD_LITERAL)
    } else if (character === '<' && angle < 0) angle = at
    else if (character === ':' && angle < 0) {
      if (group !== undefined) fail('begins a group inside a group')
      group = { group: parsePhrase(text.slice(start, at), fail), members: [] }
      if (group.group === '') fail('begins a group without a name')
      list.push(group)
      start = at + 1
    } else if (character === ',' || character === ';') {
      const name = angle < 0 ? '' : parsePhrase(text.slice(start, angle), fail)
      const spec = trimBlanks(text.slice(angle < 0 ? start : angle + 1, at))
      if (angle >= 0 && !spec.endsWith('>')) fail('has no ">" at its end: something there does not belong to it')
      const address = angle < 0 ? spec : trimBlanks(spec.slice(0, -1))
      if (angle >= 0 || spec !== '') (group?.members ?? list).push({ name, address: parseAddrSpec(address, fail) })
      if (character === ';') group = undefined
      start = at + 1
      angle = -1
    }
  }
  if (group !== undefined) throw addressError(group.group, 'is a group without a ";" at its end')
  return list
}

/** An addr-spec and nothing else, in the one form that is written: `ERR_ADDRESS` if it may not be. */
export const checkAddress = (address: string): string => parseAddrSpec(address, failure(address))

type Fail = (why: string) => never

function addressError(piece: string, why: string): MailError {
  return new MailError('ERR_ADDRESS', `"${printable(piece.trim(), 100)}" ${why}`, { phase: 'compose' })
}

/** Throws for what is in no address or name at all, and gives what throws for the rest: it names the text from `start` on. */
function failure(text: string, start = () => 0): Fail {
  const fail = (why: string): never => {
    throw addressError(text.slice(start(), start() + 200), why)
  }
  if (/(?!\t)[\p{Cc}\p{Zl}\p{Zp}]/u.test(text)) fail('holds a line break or control character')
  if (hasLoneSurrogate(text)) fail('holds half a surrogate pair')
  return fail
}

function trimBlanks(text: string): string {
  let end = text.length
  while (end > 0 && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(skipBlanks(text, 0), end)
}

function endOfQuoted(text: string, from: number, fail: Fail): number {
  const end = skipQuoted(text, from)
  return end < 0 ? fail('has a quote that is never closed') : end
}

/** Words, quoted or not, and dots. */
function parsePhrase(text: string, fail: Fail): string {
  const phrase = trimBlanks(text)
  let name = ''
  for (let at = 0, end = 0; at < phrase.length; at = end) {
    const character = phrase.charAt(at)
    if (character === '@') fail('needs quotes around its name')
    if ('()<>[]:;,\\'.includes(character)) fail(`holds a "${character}" outside quotes`)
    end = character === '"' ? endOfQuoted(phrase, at, fail) : Math.max(skipBlanks(phrase, at), at + 1)
    name += character === '"' ? unescape(phrase.slice(at + 1, end - 1)) : isBlank(character.charCodeAt(0)) ? ' ' : character
  }
  return name
}

function parseAddrSpec(text: string, fail: Fail): string {
  const quoted = text.startsWith('"')
  const end = quoted ? endOfQuoted(text, 0, fail) : endOfRun(text)
  const local = quoted ? unescape(text.slice(1, end - 1)) : text.slice(0, end)
  if (text[end] !== '@') {
    if (isBlank(text.charCodeAt(end)) && text.includes('@')) fail('needs < and > around its address, or quotes around its name')
    if (end < text.length) fail(`is not an address: "${text[end]}" stands outside quotes`)
    fail('is not an address (a name with a comma or semicolon must be in quotes)')
  }
  if (local === '') fail('has nothing before its "@"')
  if (/\P{ASCII}/u.test(local)) fail('has characters before its "@" that are not ASCII; SMTPUTF8 (RFC 6531) is not used')
  if (local.includes('\t')) fail('holds a line break or control character')
  if (!quoted && !isDotAtom(local)) fail('has a dot or other character before its "@" that is allowed in quotes only')
  const written = writeLocalPart(local)
  if (written.length > MAX_LOCAL_PART) fail(`has more than ${MAX_LOCAL_PART} octets before its "@"`)
  const domain = parseDomain(text.slice(end + 1), fail)
  if (written.length + 1 + domain.length > MAX_ADDRESS) fail('is too long')
  return `${written}@${domain}`
}

/** Letters, digits and hyphens; anything beyond ASCII becomes an A-label, so that header, envelope and filters all see one form. */
function parseDomain(text: string, fail: Fail): string {
  if (text.startsWith('[')) return isAddressLiteral(text) ? text : fail(BAD_LITERAL)
  const end = endOfRun(text)
  if (end > MAX_DOMAIN) fail('is too long')
  if (end < text.length) fail(text[end] === '@' ? 'has more than one "@"' : 'is followed by something that does not belong to it')
  // A dot of another script is a dot (UTS 46), but no other character may become one, or a `%`, or a `/`.
  const domain = !/\P{ASCII}/u.test(text) ? text : /^[A-Za-z0-9.\-\u0080-\u{10ffff}]*$/u.test(text) ? domainToASCII(text) : ''
  const labels = domain.split('.')
  if (!labels.every(isLabel)) fail('has no valid domain after its "@"')
  if (labels.some(isForged) || (/xn--/i.test(domain) && domainToASCII(domainToUnicode(domain)) !== domain.toLowerCase())) {
    fail('has a domain whose xn-- label stands for nothing')
  }
  return domain
}

/** At the first blank, `@` or special. */
const endOfRun = (text: string): number => `${text} `.search(/[ \t@()<>[\]:;,\\"]/)

const isLabel = (text: string): boolean => text.length <= MAX_LABEL && /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/.test(text)

// Newer Node gives a label that stands for no U-label back as it is.
const isForged = (label: string): boolean => /^xn--/i.test(label) && !/\P{ASCII}/u.test(domainToUnicode(label))

function isAddressLiteral(text: string): boolean {
  const [, four, six] = /^\[(?:(\d{1,3}(?:\.\d{1,3}){3})|IPv6:([0-9A-Fa-f:.]{2,45}))\]$/i.exec(text) ?? []
  return four === undefined ? six !== undefined && URL.canParse(`http://[${six}]`) : four.split('.').every((part) => Number(part) <= 255)
}

function isDotAtom(text: string): boolean {
  return text !== '' && !/[^A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]/.test(text) && !text.startsWith('.') && !text.endsWith('.') && !text.includes('..')
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────

const ATOMS = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?: [A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*$/
const MAX_WORD = 70 // a word longer than this is written as encoded-words, which can be cut

export const quote = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`

/** RFC 5321 §4.1.2: as a dot-atom where that is possible, else as a quoted-string, made anew. */
export const writeLocalPart = (value: string): string => (isDotAtom(value) ? value : quote(value))

/**
 * `Name: body` without its final CRLF: names as atoms, quoted-strings or encoded-words, folded between them. Throws `ERR_ADDRESS` for an
 * address and `ERR_HEADER` for a name that may not be written.
 */
export function formatAddressList(name: string, list: readonly (Mailbox | Group)[]): string {
  if (list.length === 0) throw headerError(name, 'there is no address to write')
  const writer = new FieldWriter(name)
  for (const [at, entry] of list.entries()) {
    const comma = at < list.length - 1 ? ',' : ''
    if ('address' in entry) writeMailbox(writer, name, entry, comma)
    else {
      if (entry.group === '') throw headerError(name, 'a group has no name')
      const { length } = entry.members
      writePhrase(writer, name, entry.group, length === 0 ? `:;${comma}` : ':')
      for (const [index, member] of entry.members.entries()) writeMailbox(writer, name, member, index < length - 1 ? ',' : `;${comma}`)
    }
  }
  return writer.toString()
}

function writeMailbox(writer: FieldWriter, name: string, mailbox: Mailbox, after: string): void {
  const address = checkAddress(mailbox.address)
  if (mailbox.name === '') return writer.add(address + after)
  writePhrase(writer, name, mailbox.name, '')
  writer.add(`<${address}>${after}`)
}

function writePhrase(writer: FieldWriter, name: string, phrase: string, after: string): void {
  checkFieldText(name, phrase)
  const words = phrase.length < 500 && ATOMS.test(phrase) ? phrase : quote(phrase)
  const pieces = [...`${words}${after}`.matchAll(/( *)([^ ]+)/g)]
  const long = pieces.some(([, blanks = '', word = '']) => blanks.length + word.length > MAX_WORD)
  if (long || needsEncoding(phrase) || phrase.includes('\t')) {
    writer.addWords(phrase)
    if (after !== '') writer.add(after) // apart from the encoded-word (RFC 2047 §5 (3))
  } else for (const [at, [, blanks = '', word = '']] of pieces.entries()) writer.add(word, at === 0 ? ' ' : blanks)
}
