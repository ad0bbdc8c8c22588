import { printable } from '../bytes.ts'
import { MailError, type Phase } from '../errors.ts'
import type { CommandLine } from '../wire/session.ts'
import type { Path } from './path.ts'

const MAX_OCTETS = 512
const MAX_EXTENDED_OCTETS = 1_000 // MAIL and RCPT with the parameters of extensions, each of which raises the limit (RFC 5321 §4.5.3.1.4)
const MAX_AUTH_OCTETS = 12_288

type Rest = { readonly limit?: number; readonly international?: boolean; readonly shown?: string; readonly secrets?: readonly string[] }

export const ehlo = (clientName: string): CommandLine => command('ehlo', `EHLO ${clientName}`)
export const helo = (clientName: string): CommandLine => command('ehlo', `HELO ${clientName}`)
export const starttls = (): CommandLine => command('starttls', 'STARTTLS')
/** Ends an exchange that we do not want to go on with (RFC 4954 §4). */
export const authCancel = (): CommandLine => command('auth', '*')
export const data = (): CommandLine => command('data', 'DATA')
/** Announces so many octets, which follow at once (RFC 3030 §2). */
export const bdat = (octets: number, isLast: boolean): CommandLine => command('content', `BDAT ${octets}${isLast ? ' LAST' : ''}`)
export const rset = (): CommandLine => command('rset', 'RSET')
export const quit = (): CommandLine => command('quit', 'QUIT')

/** AUTH, with an initial response when there is one (RFC 4954 §4): `=` stands for an empty one. */
export function auth(mechanism: string, initialResponse: Buffer | null, secret: string): CommandLine {
  if (initialResponse === null) return command('auth', `AUTH ${mechanism}`, { secrets: [secret] })
  const text = initialResponse.length === 0 ? '=' : initialResponse.toString('base64')
  return command('auth', `AUTH ${mechanism} ${text}`, { limit: MAX_AUTH_OCTETS, shown: `AUTH ${mechanism} ***`, secrets: [text, secret] })
}

export function authResponse(response: Buffer, secret: string): CommandLine {
  const text = response.toString('base64')
  return command('auth', text, { limit: MAX_AUTH_OCTETS, shown: '***', secrets: [text, secret] })
}

export const mail = (path: Path, parameters: readonly string[], international: boolean): CommandLine =>
  command('mail', [`MAIL FROM:<${path.mailbox}>`, ...parameters].join(' '), { limit: MAX_EXTENDED_OCTETS, international })
export const rcpt = (path: Path, parameters: readonly string[], international: boolean): CommandLine =>
  command('rcpt', [`RCPT TO:<${path.mailbox}>`, ...parameters].join(' '), { limit: MAX_EXTENDED_OCTETS, international })

/** The choke point: nothing that could end the line or hide in it gets through, whatever a caller above forgot (S1). */
function command(phase: Phase, text: string, { limit = MAX_OCTETS, international = false, shown = text, secrets = [] }: Rest = {}): CommandLine {
  if (!/^[ -~]*$/.test(text) && !(international && printable(text, text.length) === text)) {
    throw new MailError('ERR_OPTION', 'a value for the command has a character that cannot be sent', { phase, reusable: true })
  }
  const octets = Buffer.from(`${text}\r\n`)
  if (octets.length > limit) throw new MailError('ERR_LIMIT', `a command of more than ${limit} octets`, { phase, reusable: true })
  return { phase, octets, shown, secrets }
}
