import { domainToASCII, domainToUnicode } from 'node:url'
import { printable } from '../../bytes.ts'
import { MailError } from '../../errors.ts'
import type { Group, Mailbox } from './address.ts'
import { needsEncoding } from './encoded-word.ts'
import { checkFieldText, FieldWriter, hasLoneSurrogate, headerError } from './fold.ts'
import { skipQuoted, unescape } from './scan.ts'

// What a caller gives goes into an envelope as well: nothing is searched for, nothing is left over, nothing is guessed (CVE-2025-13033).

const MAX_LOCAL_PART = 64
const MAX_DOMAIN = 255
const MAX_LABEL = 63
const MAX_ADDRESS = 254 // RFC 5321 §4.5.3.1.3: 256 with the angle brackets

const SPECIALS = new Set('()<>[]:;,\\"')

function addressError(piece: string, why: string): MailError {
  return new MailError('ERR_ADDRESS', `"${printable(piece.trim(), 100)}" ${why}`, { phase: 'compose' })
}

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
export const parseAddressInput = (text: string): (Mailbox | Group)[] => new InputReader(text).read()

/** An addr-spec and nothing else, in the one form that is written: `ERR_ADDRESS` if it may not be. */
export function checkAddress(address: string): string {
  const reader = new InputReader(address)
  return reader.addrSpecOnly()
}

/** RFC 5321 §4.1.2: as a dot-atom where that is possible, else as a quoted-string, made anew. */
export const writeLocalPart = (value: string): string => (isDotAtom(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`)

function isDotAtom(text: string): boolean {
  return text !== '' && !/[^A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]/.test(text) && !text.startsWith('.') && !text.endsWith('.') && !text.includes('..')
}

class InputReader {
  readonly #text: string
  #at = 0
  #start = 0

  constructor(text: string) {
    this.#text = text
    if (/(?!\t)[\p{Cc}\p{Zl}\p{Zp}]/u.test(text)) throw addressError(text, 'holds a line break or control character')
    if (hasLoneSurrogate(text)) throw addressError(text, 'holds half a surrogate pair')
  }

  read(): (Mailbox | Group)[] {
    const list: (Mailbox | Group)[] = []
    let group: { group: string; members: Mailbox[] } | undefined
    for (;;) {
      this.#skipBlanks()
      const character = this.#text[this.#at]
      if (character === undefined) {
        if (group !== undefined) throw addressError(group.group, 'is a group without a ";" at its end')
        return list
      }
      if (character === ',' || character === ';') {
        this.#at++
        if (character === ';') group = undefined
        continue
      }
      this.#start = this.#at
      const element = this.#element(group !== undefined)
      if (typeof element === 'string') {
        group = { group: element, members: [] }
        list.push(group)
      } else (group?.members ?? list).push(element)
    }
  }

  addrSpecOnly(): string {
    const address = this.#addrSpec()
    if (this.#at < this.#text.length) throw this.#error('is not one address: something follows it')
    return address
  }

  #error(why: string): MailError {
    return addressError(this.#text.slice(this.#start, Math.max(this.#at, this.#start + 60)), why)
  }

  #skipBlanks(): void {
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\t') this.#at++
  }

  /** A mailbox, or the name of a group that begins. */
  #element(inGroup: boolean): Mailbox | string {
    let name = ''
    for (let count = 0; ; count++) {
      const blanks = this.#at
      this.#skipBlanks()
      const separator = count > 0 && this.#at > blanks ? ' ' : ''
      const character = this.#text[this.#at]
      if (character === undefined || character === ',' || character === ';') {
        throw this.#error('is not an address (a name with a comma or semicolon must be in quotes)')
      }
      if (character === '<') return this.#angle(name)
      if (character === ':' && count > 0) {
        if (inGroup) throw this.#error('begins a group inside a group')
        this.#at++
        return name
      }
      if (character !== '"' && SPECIALS.has(character)) throw this.#error(`holds a "${character}" outside quotes`)
      const word = this.#at
      const value = character === '"' ? this.#quoted() : this.#run()
      if (this.#text[this.#at] === '@') {
        if (count > 0) throw this.#error('needs < and > around its address, or quotes around its name')
        this.#at = word
        return this.#afterAddress({ name: '', address: this.#addrSpec() })
      }
      name += separator + value
    }
  }

  #angle(name: string): Mailbox {
    this.#at++
    this.#skipBlanks()
    const address = this.#addrSpec()
    this.#skipBlanks()
    if (this.#text[this.#at++] !== '>') throw this.#error('has no ">" after its address')
    return this.#afterAddress({ name, address })
  }

  #afterAddress(mailbox: Mailbox): Mailbox {
    this.#skipBlanks()
    const next = this.#text[this.#at]
    if (next !== undefined && next !== ',' && next !== ';') {
      throw this.#error(next === '<' ? 'needs quotes around its name' : 'is followed by something that does not belong to it')
    }
    return mailbox
  }

  #run(): string {
    const start = this.#at
    for (; this.#at < this.#text.length; this.#at++) {
      const character = this.#text[this.#at] ?? ''
      if (character === ' ' || character === '\t' || character === '@' || SPECIALS.has(character)) break
    }
    return this.#text.slice(start, this.#at)
  }

  #quoted(): string {
    const start = this.#at
    const end = skipQuoted(this.#text, start)
    this.#at = end < 0 ? this.#text.length : end
    if (end < 0) throw this.#error('has a quote that is never closed')
    return unescape(this.#text.slice(start + 1, end - 1))
  }

  #addrSpec(): string {
    const quoted = this.#text[this.#at] === '"'
    const local = quoted ? this.#quoted() : this.#run()
    if (this.#text[this.#at] !== '@') throw this.#error('is not an address')
    if (local === '') throw this.#error('has nothing before its "@"')
    if (/\P{ASCII}/u.test(local)) throw this.#error('has characters before its "@" that are not ASCII; SMTPUTF8 (RFC 6531) is not used')
    if (/\t/.test(local)) throw this.#error('holds a line break or control character')
    if (!quoted && !isDotAtom(local)) throw this.#error('has a dot or other character before its "@" that is allowed in quotes only')
    const written = writeLocalPart(local)
    if (written.length > MAX_LOCAL_PART) throw this.#error(`has more than ${MAX_LOCAL_PART} octets before its "@"`)
    this.#at++
    const domain = this.#text[this.#at] === '[' ? this.#literal() : this.#domain()
    if (domain.length > MAX_DOMAIN || written.length + 1 + domain.length > MAX_ADDRESS) throw this.#error('is too long')
    return `${written}@${domain}`
  }

  #literal(): string {
    const end = this.#text.indexOf(']', this.#at)
    const literal = end < 0 ? '' : this.#text.slice(this.#at, end + 1)
    if (!isAddressLiteral(literal)) throw this.#error('has no valid IP address in its brackets')
    this.#at = end + 1
    return literal
  }

  /** Letters, digits and hyphens; anything beyond ASCII becomes an A-label, so that header, envelope and filters all see one form. */
  #domain(): string {
    const given = this.#run()
    if (given.length > MAX_DOMAIN) throw this.#error('is too long')
    if (this.#text[this.#at] === '@') throw this.#error('has more than one "@"')
    // A dot of another script is a dot (UTS 46), but no other character may become one, or a `%`, or a `/`.
    const domain = !/\P{ASCII}/u.test(given) ? given : /^[A-Za-z0-9.\-\u0080-\u{10ffff}]*$/u.test(given) ? domainToASCII(given) : ''
    const labels = domain.split('.')
    if (!labels.every((label) => label.length <= MAX_LABEL && /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/.test(label))) {
      throw this.#error('has no valid domain after its "@"')
    }
    if (labels.some(isForged) || (/xn--/i.test(domain) && domainToASCII(domainToUnicode(domain)) !== domain.toLowerCase())) {
      throw this.#error('has a domain whose xn-- label stands for nothing')
    }
    return domain
  }
}

// Newer Node gives a label that stands for no U-label back as it is.
const isForged = (label: string): boolean => /^xn--/i.test(label) && !/\P{ASCII}/u.test(domainToUnicode(label))

function isAddressLiteral(literal: string): boolean {
  const address = literal.slice(1, -1)
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(address)) return address.split('.').every((part) => Number(part) <= 255)
  const six = /^IPv6:([0-9A-Fa-f:.]{2,45})$/i.exec(address)
  return six !== null && URL.canParse(`http://[${six[1]}]`)
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────

const ATOMS = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?: [A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*$/
const MAX_WORD = 70 // a word longer than this is written as encoded-words, which can be cut

/**
 * `Name: body` without its final CRLF: names as atoms, quoted-strings or encoded-words, folded between them. Throws `ERR_ADDRESS` for an
 * address and `ERR_HEADER` for a name that may not be written.
 */
export function formatAddressList(name: string, list: readonly (Mailbox | Group)[]): string {
  if (list.length === 0) throw headerError(name, 'there is no address to write')
  const writer = new FieldWriter(name)
  for (const [at, entry] of list.entries()) {
    const comma = at < list.length - 1 ? ',' : ''
    if ('address' in entry) {
      writeMailbox(writer, name, entry, comma)
      continue
    }
    if (entry.group === '') throw headerError(name, 'a group has no name')
    const { length } = entry.members
    writePhrase(writer, name, entry.group, length === 0 ? `:;${comma}` : ':')
    for (const [index, member] of entry.members.entries()) writeMailbox(writer, name, member, index < length - 1 ? ',' : `;${comma}`)
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
  const words = phrase.length < 500 && ATOMS.test(phrase) ? phrase : `"${phrase.replace(/["\\]/g, '\\$&')}"`
  const pieces = [...`${words}${after}`.matchAll(/( *)([^ ]+)/g)]
  const long = pieces.some(([, blanks = '', word = '']) => blanks.length + word.length > MAX_WORD)
  if (long || needsEncoding(phrase) || phrase.includes('\t')) {
    writer.addWords(phrase)
    if (after !== '') writer.add(after) // apart from the encoded-word (RFC 2047 §5 (3))
  } else for (const [at, [, blanks = '', word = '']] of pieces.entries()) writer.add(word, at === 0 ? ' ' : blanks)
}
