import { MailError, type Phase } from '../errors.ts'
import type { CommandLine } from '../wire/session.ts'
import { ContentBody, ListBody, unique, type Body } from './body.ts'
import { parseCapability, parseListing, parseUniqueIdListing, type Capability, type Listing, type UniqueIdListing } from './grammar.ts'

/** Where a session is (RFC 1939 §3). `UPDATE` is what follows QUIT: there is nothing to ask for. */
export type SessionState = 'AUTHORIZATION' | 'TRANSACTION' | 'UPDATE'

/** One command, to be sent once. Nothing else makes octets for a server. */
export interface Command<Part = unknown> extends CommandLine {
  readonly verb: string
  /** What follows a `+OK`; `undefined` when nothing does. */ readonly body: Body<Part> | undefined
  readonly states: readonly SessionState[]
}

const ANYWHERE: readonly SessionState[] = ['AUTHORIZATION', 'TRANSACTION']
const AUTHORIZATION: readonly SessionState[] = ['AUTHORIZATION']
const TRANSACTION: readonly SessionState[] = ['TRANSACTION']

const MAX_CAPABILITY_LINES = 256
const MAX_CAPABILITY_OCTETS = 64 * 1024

export const capa = (): Command<Capability> =>
  command('CAPA', 'capa', ANYWHERE, { body: new ListBody(parseCapability, MAX_CAPABILITY_LINES, MAX_CAPABILITY_OCTETS) })
export const stls = (): Command => command('STLS', 'stls', AUTHORIZATION)
export const user = (name: string): Command => command('USER', 'auth', AUTHORIZATION, { argument: text('auth.user', name, 'auth') })
/** The argument is everything after the first blank, blanks included (RFC 1939 §7). */
export const pass = (password: string): Command =>
  command('PASS', 'auth', AUTHORIZATION, { argument: text('auth.password', password, 'auth'), secret: password })
export const stat = (): Command => command('STAT', 'stat', TRANSACTION)
export const list = (): Command<Listing> => command('LIST', 'list', TRANSACTION, { body: new ListBody(unique(parseListing, ({ octets }) => octets)) })
export const uidl = (): Command<UniqueIdListing> =>
  command('UIDL', 'uidl', TRANSACTION, { body: new ListBody(unique(parseUniqueIdListing, ({ uniqueId }) => uniqueId)) })
export const retr = (number: number): Command<Buffer> =>
  command('RETR', 'retr', TRANSACTION, { argument: messageNumber(number, 'retr'), body: new ContentBody() })
export const top = (number: number, lines: number): Command<Buffer> => {
  if (!Number.isSafeInteger(lines) || lines < 0) throw refused('lines', 'a whole number, 0 or more', 'top')
  return command('TOP', 'top', TRANSACTION, { argument: `${messageNumber(number, 'top')} ${lines}`, body: new ContentBody() })
}
export const dele = (number: number): Command => command('DELE', 'dele', TRANSACTION, { argument: messageNumber(number, 'dele') })
export const rset = (): Command => command('RSET', 'rset', TRANSACTION)
export const noop = (): Command => command('NOOP', 'noop', TRANSACTION)
export const quit = (): Command => command('QUIT', 'quit', ANYWHERE)

const MAX_COMMAND_OCTETS = 255 // of a command line with its line end (RFC 2449 §4)

type Rest<Part> = { readonly argument?: string; readonly body?: Body<Part>; readonly secret?: string }

function command<Part>(verb: string, phase: Phase, states: readonly SessionState[], { argument, body, secret }: Rest<Part> = {}): Command<Part> {
  const line = argument === undefined ? verb : `${verb} ${argument}`
  const octets = Buffer.from(`${line}\r\n`)
  if (octets.length > MAX_COMMAND_OCTETS) {
    throw refused(`the argument of ${verb}`, `at most ${MAX_COMMAND_OCTETS - verb.length - 3} octets (RFC 2449 section 4)`, phase)
  }
  return { verb, phase, octets, shown: secret === undefined ? line : `${verb} ***`, secrets: secret === undefined ? [] : [secret], body, states }
}

function messageNumber(number: number, phase: Phase): string {
  if (!Number.isSafeInteger(number) || number < 1) throw refused('a message-number', 'a whole number, 1 or more', phase)
  return String(number)
}

/** Free text goes out as UTF-8, unless it could end the line or is no text: then a second command could follow from it (P16). */
function text(name: string, value: unknown, phase: Phase): string {
  if (typeof value !== 'string' || /[\p{Cc}\p{Cs}\u2028\u2029]/u.test(value)) {
    throw refused(name, 'text without control characters', phase)
  }
  return value
}

/** Names what was wrong, never the value: it may be a secret. */
function refused(name: string, expected: string, phase: Phase): MailError {
  return new MailError('ERR_OPTION', `${name} must be ${expected}`, { phase, reusable: true })
}
