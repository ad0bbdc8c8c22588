import { isAscii, parseAddrSpec } from '../addr-spec.ts'
import { printable } from '../bytes.ts'
import { MailError, type Phase } from '../errors.ts'

/** An address of an envelope, parsed once and written from its tokens: what is left of the caller's text cannot change a command (S1 to S4). */
export interface Path {
  /** As it is sent, without angle brackets; its domain in A-labels. Empty for the null reverse-path. */ readonly mailbox: string
  /** The local part needs SMTPUTF8 (RFC 6531). */ readonly international: boolean
}

/** Where reports about a message go (RFC 5321 §4.1.1.2): one mailbox; `''` and `<>` are the null reverse-path. Throws `ERR_ADDRESS`. */
export const parseReversePath = (text: string): Path =>
  text === '' || text === '<>' ? { mailbox: '', international: false } : parsePath(text, 'mail')

/** Where a message goes (RFC 5321 §4.1.1.3): one mailbox; `postmaster` may be without a domain. Throws `ERR_ADDRESS`. */
export const parseForwardPath = (text: string): Path =>
  typeof text === 'string' && /^postmaster$/i.test(text) ? { mailbox: text, international: false } : parsePath(text, 'rcpt')

function parsePath(text: unknown, phase: Phase): Path {
  const fail = (why: string): never => {
    throw new MailError('ERR_ADDRESS', `the address ${printable(String(text), 100)} cannot be used: it ${why}`, {
      phase,
      reusable: true,
      recipient: phase === 'rcpt' ? String(text) : undefined,
    })
  }
  if (typeof text !== 'string') return fail('must be a string')
  const { local, domain } = parseAddrSpec(text, fail)
  if (printable(text, text.length) !== text) fail('holds a control character or one that nobody sees')
  return { mailbox: `${local}@${domain}`, international: !isAscii(local) }
}

/** The name for EHLO of a client that has none: the address it connects from (RFC 5321 §4.1.4), which tells no host name (S38). */
export function addressLiteral(address: string): string {
  const plain = address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '')
  if (plain === '') return '[127.0.0.1]'
  return plain.includes(':') ? `[IPv6:${plain}]` : `[${plain}]`
}
