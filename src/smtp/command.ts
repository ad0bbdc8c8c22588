import { printable } from '../bytes.ts'
import { MailError, type Phase } from '../errors.ts'
import type { ForwardPath, ReversePath } from './path.ts'

/** A line for the server. Only this file makes them, and only from values that were checked. */
export interface Command {
  readonly phase: Phase
  readonly octets: Buffer
  /** For diagnostics: without its line end, credentials replaced by `***`. */
  readonly line: string
  /** What must be masked in the answer, should the server repeat it. */
  readonly secrets: readonly string[]
}

const MAX_OCTETS = 512
/** MAIL and RCPT with the parameters of extensions, each of which raises the limit (RFC 5321 §4.5.3.1.4). */
const MAX_EXTENDED_OCTETS = 1_000
const MAX_AUTH_OCTETS = 12_288

/** The choke point: nothing that could end the line or hide in it gets through, whatever a caller above forgot (S1). */
function command(
  phase: Phase,
  text: string,
  facts: { limit?: number; international?: boolean; shown?: string; secrets?: readonly string[] } = {},
): Command {
  const octets = Buffer.from(`${text}\r\n`)
  const ascii = octets.length === text.length + 2
  if (!(ascii || facts.international === true) || printable(text, text.length) !== text) {
    throw new MailError('ERR_OPTION', 'a value for the command has a character that cannot be sent', { phase, reusable: true })
  }
  const limit = facts.limit ?? MAX_OCTETS
  if (octets.length > limit) throw new MailError('ERR_LIMIT', `a command of more than ${limit} octets`, { phase, reusable: true })
  return { phase, octets, line: facts.shown ?? text, secrets: facts.secrets ?? [] }
}

export function ehlo(clientName: string): Command {
  return command('ehlo', `EHLO ${clientName}`)
}

export function helo(clientName: string): Command {
  return command('ehlo', `HELO ${clientName}`)
}

export function starttls(): Command {
  return command('starttls', 'STARTTLS')
}

/** AUTH, with an initial response when there is one (RFC 4954 §4): `=` stands for an empty one. */
export function auth(mechanism: string, initialResponse: Buffer | null, secrets: readonly string[]): Command {
  if (initialResponse === null) return command('auth', `AUTH ${mechanism}`, { secrets })
  const text = initialResponse.length === 0 ? '=' : initialResponse.toString('base64')
  return command('auth', `AUTH ${mechanism} ${text}`, { limit: MAX_AUTH_OCTETS, shown: `AUTH ${mechanism} ***`, secrets: [...secrets, text] })
}

export function authResponse(response: Buffer, secrets: readonly string[]): Command {
  const text = response.toString('base64')
  return command('auth', text, { limit: MAX_AUTH_OCTETS, shown: '***', secrets: text === '' ? secrets : [...secrets, text] })
}

/** Ends an exchange that we do not want to go on with (RFC 4954 §4). */
export function authCancel(): Command {
  return command('auth', '*')
}

export function mail(path: ReversePath, parameters: readonly string[], international: boolean): Command {
  return command('mail', [`MAIL FROM:<${path.mailbox}>`, ...parameters].join(' '), { limit: MAX_EXTENDED_OCTETS, international })
}

export function rcpt(path: ForwardPath, parameters: readonly string[], international: boolean): Command {
  return command('rcpt', [`RCPT TO:<${path.mailbox}>`, ...parameters].join(' '), { limit: MAX_EXTENDED_OCTETS, international })
}

export function data(): Command {
  return command('data', 'DATA')
}

export function rset(): Command {
  return command('rset', 'RSET')
}

export function quit(): Command {
  return command('quit', 'QUIT')
}
