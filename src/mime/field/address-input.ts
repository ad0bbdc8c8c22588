import { isAscii, parseAddrSpec, quote } from '../../addr-spec.ts'
import { printable } from '../../bytes.ts'
import { MailError } from '../../errors.ts'
import type { Group, Mailbox } from './address.ts'
import { checkFieldText, hasLoneSurrogate, headerError, writeField, type Word } from './fold.ts'
import { needsEncoding, trimBlanks, unescape } from './scan.ts'

/** One mailbox as a caller writes it: `a@x`, `A <a@x>`, `"B, A" <a@x>`. Throws `ERR_ADDRESS`, which says what is wrong with it. */
export function parseMailboxInput(text: string): Mailbox {
  const [only, ...others] = parseAddressInput(text)
  if (only === undefined || others.length > 0 || !('address' in only)) throw addressError(text, 'is not one address')
  return only
}

/** Mailboxes and groups as a caller writes them, with commas or semicolons between: `A <a@x>; b@y, "C, D" <c@z>, Team: e@x, f@x;`. Domains
 *  come out as A-labels (UTS 46). Throws `ERR_ADDRESS`, which names the piece and what is wrong with it. */
export function parseAddressInput(text: string): (Mailbox | Group)[] {
  const list: (Mailbox | Group)[] = []
  let group: { group: string; members: Mailbox[] } | undefined
  let start = 0
  let angle = -1
  const fail = failure(text, () => start)
  for (const { 0: token, index: at } of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|\[[^\]]*\]|["[<:,;]|$/gs)) {
    if (token === '"') fail('has a quote that is never closed')
    if (token === '[') fail('has no valid IP address in its brackets')
    if (token === '<' && angle < 0) angle = at
    else if (token === ':' && angle < 0) {
      if (group !== undefined) fail('begins a group inside a group')
      group = { group: parsePhrase(text.slice(start, at), fail), members: [] }
      if (group.group === '') fail('begins a group without a name')
      list.push(group)
      start = at + 1
    } else if (token === ',' || token === ';' || token === '') {
      const name = angle < 0 ? '' : parsePhrase(text.slice(start, angle), fail)
      const spec = trimBlanks(text.slice(angle < 0 ? start : angle + 1, at))
      if (angle >= 0 && !spec.endsWith('>')) fail('has no ">" at its end: something there does not belong to it')
      const address = angle < 0 ? spec : trimBlanks(spec.slice(0, -1))
      if (angle >= 0 || spec !== '') (group?.members ?? list).push({ name, address: parseAddress(address, fail) })
      if (token === ';') group = undefined
      start = at + 1
      angle = -1
    }
  }
  if (group !== undefined) throw addressError(group.group, 'is a group without a ";" at its end')
  return list
}

/** An addr-spec and nothing else, in the one form that is written: `ERR_ADDRESS` if it may not be. */
export const checkAddress = (address: string): string => parseAddress(address, failure(address))

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

/** Words, quoted or not, and dots. */
const parsePhrase = (text: string, fail: Fail): string =>
  trimBlanks(text).replace(/"([^"\\]*(?:\\.[^"\\]*)*)"|[\t ]+|[@()<>[\]:;,\\"]/gs, (match: string, quoted: string | undefined) => {
    if (quoted !== undefined) return unescape(quoted)
    if (match === '@') fail('needs quotes around its name')
    return /^[\t ]/.test(match) ? ' ' : fail(`holds a "${match}" outside quotes`)
  })

/** As the grammar has it, with less: no SMTPUTF8, and no underscore in a domain. */
function parseAddress(text: string, fail: Fail): string {
  const { local, domain } = parseAddrSpec(text, fail)
  if (local === '""') fail('has nothing before its "@"')
  if (!isAscii(local)) fail('has characters before its "@" that are not ASCII; SMTPUTF8 (RFC 6531) is not used')
  if (local.includes('\t')) fail('holds a line break or control character')
  if (domain.includes('_')) fail('has no valid domain after its "@"')
  return `${local}@${domain}`
}

const ATOMS = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?: [A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*$/
const MAX_WORD = 70 // a word longer than this is written as encoded-words, which can be cut

/** `Name: body` without its final CRLF: names as atoms, quoted-strings or encoded-words, folded between them. Throws `ERR_ADDRESS` for an
 *  address and `ERR_HEADER` for a name that may not be written. */
export function formatAddressList(name: string, list: readonly (Mailbox | Group)[]): string {
  if (list.length === 0) throw headerError(name, 'there is no address to write')
  const words = list.flatMap((entry, at) => {
    const comma = at < list.length - 1 ? ',' : ''
    if ('address' in entry) return mailboxWords(name, entry, comma)
    const { group, members } = entry
    if (group === '') throw headerError(name, 'a group has no name')
    const last = members.length - 1
    const inside = members.flatMap((member, index) => mailboxWords(name, member, index < last ? ',' : `;${comma}`))
    return [...phraseWords(name, group, last < 0 ? `:;${comma}` : ':'), ...inside]
  })
  return writeField(name, words)
}

function mailboxWords(field: string, { name, address }: Mailbox, after: string): (string | Word)[] {
  const checked = checkAddress(address)
  return name === '' ? [checked + after] : [...phraseWords(field, name, ''), `<${checked}>${after}`]
}

function phraseWords(field: string, phrase: string, after: string): (string | Word)[] {
  checkFieldText(field, phrase)
  const text = phrase.length < 500 && ATOMS.test(phrase) ? phrase : quote(phrase)
  const words = Array.from(`${text}${after}`.matchAll(/( *)([^ ]+)/g), ([, blanks = '', word = '']) => ({ text: word, blanks: blanks || ' ' }))
  const isLong = words.some((word, at) => (at === 0 ? 0 : word.blanks.length) + word.text.length > MAX_WORD)
  if (!isLong && !needsEncoding(phrase) && !phrase.includes('\t')) return words
  // What follows stands apart from the encoded-word (RFC 2047 §5 (3)).
  return [{ text: phrase, encoded: true }, ...(after === '' ? [] : [after])]
}
