import { MailError, type Phase } from '../errors.ts'

/** Where a session is (RFC 1939 §3). `UPDATE` is what follows QUIT: there is nothing to ask for. */
export type SessionState = 'AUTHORIZATION' | 'TRANSACTION' | 'UPDATE'

/** What follows a `+OK`. */
export type Answer = 'status' | 'capabilities' | 'listing' | 'unique-ids' | 'content'

/** One command, checked and written. Nothing else makes octets for a server. */
export interface Command {
  readonly verb: string
  readonly phase: Phase
  readonly octets: Buffer
  /** For diagnostics: without line end, secrets replaced. */ readonly shown: string
  /** What no diagnostic and no error may repeat, should the server echo it. */ readonly secret: string | undefined
  readonly answer: Answer
  readonly states: readonly SessionState[]
}

const ANYWHERE: readonly SessionState[] = ['AUTHORIZATION', 'TRANSACTION']
const AUTHORIZATION: readonly SessionState[] = ['AUTHORIZATION']
const TRANSACTION: readonly SessionState[] = ['TRANSACTION']

export const capa = (): Command => command('CAPA', 'capa', ANYWHERE, { answer: 'capabilities' })
export const stls = (): Command => command('STLS', 'stls', AUTHORIZATION)
export const user = (name: string): Command => command('USER', 'auth', AUTHORIZATION, { argument: text('auth.user', name, 'auth') })
/** The argument is everything after the first blank, blanks included (RFC 1939 §7). */
export const pass = (password: string): Command =>
  command('PASS', 'auth', AUTHORIZATION, { argument: text('auth.password', password, 'auth'), secret: password })
export const stat = (): Command => command('STAT', 'stat', TRANSACTION)
export const list = (): Command => command('LIST', 'list', TRANSACTION, { answer: 'listing' })
export const uidl = (): Command => command('UIDL', 'uidl', TRANSACTION, { answer: 'unique-ids' })
export const retr = (number: number): Command => command('RETR', 'retr', TRANSACTION, { argument: messageNumber(number, 'retr'), answer: 'content' })
export const top = (number: number, lines: number): Command => {
  if (!Number.isSafeInteger(lines) || lines < 0) throw refused('lines', 'a whole number, 0 or more', 'top')
  return command('TOP', 'top', TRANSACTION, { argument: `${messageNumber(number, 'top')} ${lines}`, answer: 'content' })
}
export const dele = (number: number): Command => command('DELE', 'dele', TRANSACTION, { argument: messageNumber(number, 'dele') })
export const rset = (): Command => command('RSET', 'rset', TRANSACTION)
export const noop = (): Command => command('NOOP', 'noop', TRANSACTION)
export const quit = (): Command => command('QUIT', 'quit', ANYWHERE)

const MAX_COMMAND_OCTETS = 255 // of a command line with its line end (RFC 2449 §4)

type Rest = { readonly argument?: string; readonly answer?: Answer; readonly secret?: string }

function command(verb: string, phase: Phase, states: readonly SessionState[], { argument, answer = 'status', secret }: Rest = {}): Command {
  const line = argument === undefined ? verb : `${verb} ${argument}`
  const octets = Buffer.from(`${line}\r\n`)
  if (octets.length > MAX_COMMAND_OCTETS) {
    throw refused(`the argument of ${verb}`, `at most ${MAX_COMMAND_OCTETS - verb.length - 3} octets (RFC 2449 section 4)`, phase)
  }
  return { verb, phase, octets, shown: secret === undefined ? line : `${verb} ***`, secret, answer, states }
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
