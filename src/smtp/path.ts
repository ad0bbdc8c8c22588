import { domainToASCII, domainToUnicode } from 'node:url'
import { printable } from '../bytes.ts'
import { MailError, type Phase } from '../errors.ts'

const MAX_LOCAL_OCTETS = 64
const MAX_DOMAIN_OCTETS = 255
const MAX_PATH_OCTETS = 256 // with its angle brackets (RFC 5321 §4.5.3.1.3)
const MAX_LABEL_OCTETS = 63

/** An address of an envelope, parsed once and written from its tokens: what is left of the caller's text cannot change a command (S1 to S4). */
export interface Path {
  /** As it is sent, without angle brackets; its domain in A-labels. Empty for the null reverse-path. */ readonly mailbox: string
  /** The local part needs SMTPUTF8 (RFC 6531). */ readonly international: boolean
}

/** Where reports about a message go (RFC 5321 §4.1.1.2): one mailbox; `''` and `<>` are the null reverse-path. Throws `ERR_ADDRESS`. */
export const parseReversePath = (text: string): Path =>
  text === '' || text === '<>' ? { mailbox: '', international: false } : parsePath(text, 'mail')

/** Where a message goes (RFC 5321 §4.1.1.3): one mailbox; `postmaster` may be without a domain. Throws `ERR_ADDRESS`. */
export function parseForwardPath(text: string): Path {
  return typeof text === 'string' && /^postmaster$/i.test(text) ? { mailbox: text, international: false } : parsePath(text, 'rcpt')
}

class AddressProblem extends Error {}

function parsePath(text: unknown, phase: Phase): Path {
  try {
    if (typeof text !== 'string') throw new AddressProblem('it must be a string')
    return parseMailbox(text)
  } catch (error) {
    if (!(error instanceof AddressProblem)) throw error
    throw new MailError('ERR_ADDRESS', `the address ${printable(String(text), 100)} cannot be used: ${error.message}`, { phase, reusable: true })
  }
}

/** Local-part "@" ( Domain / address-literal ) (RFC 5321 §4.1.2), and nothing else: no display name, comment, source route or list. */
function parseMailbox(text: string): Path {
  // More can never fit, however it is written; so no text of any length is walked through.
  if (text.length > 2 * MAX_PATH_OCTETS) throw new AddressProblem(`it is longer than ${MAX_PATH_OCTETS} octets`)
  const { local, end } = text.startsWith('"') ? parseQuotedString(text) : parseDotString(text)
  if (text[end] !== '@')
    throw new AddressProblem(end >= text.length ? 'it has no @' : `${JSON.stringify(printable(text.slice(end, end + 2)))} cannot stand there`)
  if (Buffer.byteLength(local) > MAX_LOCAL_OCTETS) throw new AddressProblem(`its local part is longer than ${MAX_LOCAL_OCTETS} octets`)
  const domain = normalizeDomain(text.slice(end + 1))
  if (domain === undefined) throw new AddressProblem('what follows the @ is no domain')
  const mailbox = `${local}@${domain}`
  if (Buffer.byteLength(mailbox) + 2 > MAX_PATH_OCTETS) throw new AddressProblem(`it is longer than ${MAX_PATH_OCTETS} octets`)
  return { mailbox, international: !isAscii(local) }
}

/** Atoms and dots, with the characters that SMTPUTF8 adds (RFC 5321 §4.1.2, RFC 6531 §3.3). */
const DOT_STRING = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.\u0080-\u{10ffff}]+/u

/** @returns the local part, and where it ended in the text */
function parseDotString(text: string): { local: string; end: number } {
  const local = DOT_STRING.exec(text)?.[0]
  if (local === undefined) throw new AddressProblem('it does not begin with a local part')
  if (!isDotString(local)) throw new AddressProblem('its local part has a dot too many, or a character that cannot be sent')
  return { local, end: local.length }
}

/** The quoted string's value, written anew: without quotes where it needs none. */
function parseQuotedString(text: string): { local: string; end: number } {
  let value = ''
  let end = 1
  let escaped = false
  for (const character of text.slice(1)) {
    end += character.length
    if (!escaped && character === '"') return { local: isDotString(value) ? value : `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`, end }
    if (!isSafe(character)) throw new AddressProblem('its local part has a control character')
    escaped = !escaped && character === '\\'
    if (!escaped) value += character
  }
  throw new AddressProblem('its quoted local part does not end')
}

const isDotString = (text: string): boolean => DOT_STRING.exec(text)?.[0] === text && !/^\.|\.\.|\.$/.test(text) && isSafe(text)

/** No control character, line mark, bidi mark or half a surrogate pair. */
const isSafe = (character: string): boolean => printable(character) === character

const isAscii = (text: string): boolean => Buffer.byteLength(text) === text.length

/**
 * A domain in its one form, A-labels (UTS 46), or an address literal; `undefined` when the text is neither (RFC 5321 §4.1.2, RFC 5890).
 * Underscores are let through: names in private networks have them.
 */
export function normalizeDomain(text: string): string | undefined {
  if (text.startsWith('[')) return isAddressLiteral(text) ? text : undefined
  if (text.length > MAX_DOMAIN_OCTETS || !/^[A-Za-z0-9._\-\u0080-\u{10ffff}]+$/u.test(text) || !isSafe(text)) return undefined
  let domain = text
  if (!isAscii(text) || /xn--/i.test(text)) {
    domain = domainToASCII(text)
    // An A-label that is not what its own U-label gives was never made by IDNA (S7); newer Node gives it back as it is.
    if (isAscii(text) && domain !== text.toLowerCase()) return undefined
    if (domain.split('.').some((label) => label.startsWith('xn--') && isAscii(domainToUnicode(label)))) return undefined
  }
  const labels = domain.split('.')
  const fits =
    domain.length <= MAX_DOMAIN_OCTETS &&
    labels.every((label) => label.length <= MAX_LABEL_OCTETS && /^[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?$/.test(label))
  return fits ? domain : undefined
}

function isAddressLiteral(text: string): boolean {
  if (text.length > MAX_DOMAIN_OCTETS || !text.endsWith(']')) return false
  const address = text.slice(1, -1)
  if (/^IPv6:[0-9A-Fa-f:.]+$/i.test(address)) return URL.canParse(`http://[${address.slice(5)}]/`)
  const octets = address.split('.')
  return octets.length === 4 && octets.every((octet) => /^\d{1,3}$/.test(octet) && Number(octet) < 256)
}

/** The name for EHLO of a client that has none: the address it connects from (RFC 5321 §4.1.4), which tells no host name (S38). */
export function addressLiteral(address: string): string {
  const plain = address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '')
  if (plain === '') return '[127.0.0.1]'
  return plain.includes(':') ? `[IPv6:${plain}]` : `[${plain}]`
}
