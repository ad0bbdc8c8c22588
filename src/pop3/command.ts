import { EMPTY } from '../bytes.ts'
import { MailError, type Phase } from '../errors.ts'
import { MAX_CHALLENGE_OCTETS } from '../wire/sasl/mechanism.ts'
import type { CommandLine } from '../wire/session.ts'
import { ContentBody, ListBody, TopBody, unique, type Body } from './body.ts'
import { parseCapability, parseLanguage, parseListing, parseUniqueIdListing } from './grammar.ts'
import type { Capability, Language, Listing, UniqueIdListing } from './grammar.ts'

/** Where a session is (RFC 1939 §3). `UPDATE` is what follows QUIT: there is nothing to ask for. */
export type SessionState = 'AUTHORIZATION' | 'TRANSACTION' | 'UPDATE'

/** One command, to be sent once. Nothing else makes octets for a server. */
export interface Command<Part = unknown> extends CommandLine {
  readonly verb: string
  /** What follows a `+OK`; `undefined` when nothing does. */ readonly body: Body<Part> | undefined
  readonly states: readonly SessionState[]
  /** Of a line of an AUTH exchange: a `+OK` can be its success. */ readonly success?: boolean | undefined
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
  command('PASS', 'auth', AUTHORIZATION, { argument: text('auth.password', password, 'auth'), secrets: [password] })
/** @param digest which stands for the password */
export const apop = (name: string, digest: string): Command =>
  command('APOP', 'auth', AUTHORIZATION, { argument: `${text('auth.user', name, 'auth')} ${digest}`, secrets: [digest] })
export const utf8 = (): Command => command('UTF8', 'utf8', AUTHORIZATION)
export const languages = (): Command<Language> =>
  command('LANG', 'lang', ANYWHERE, { body: new ListBody(parseLanguage, MAX_CAPABILITY_LINES, MAX_CAPABILITY_OCTETS) })
export const lang = (tag: string): Command => {
  if (!/^(?:\*|[A-Za-z0-9-]{1,64})$/.test(tag)) throw refused('a language', 'a language tag (RFC 5646), or *', 'lang')
  return command('LANG', 'lang', ANYWHERE, { argument: tag })
}

/** AUTH (RFC 5034 §4). What the client says first goes with it where the line has room; `=` stands for nothing. @param secret that it is made of */
export function auth(mechanism: string, initialResponse: Buffer | null, secret: string): Command {
  const response = initialResponse?.length === 0 ? '=' : initialResponse?.toString('base64')
  const success = response !== undefined && mechanism.length + response.length + 8 <= MAX_COMMAND_OCTETS
  if (!success) return { ...command('AUTH', 'auth', AUTHORIZATION, { argument: mechanism }), success }
  const written = command('AUTH', 'auth', AUTHORIZATION, { argument: `${mechanism} ${response}`, secrets: [response, secret] })
  return { ...written, shown: `AUTH ${mechanism} ***`, success }
}

/** An answer to a challenge, which may be longer than a command. @param success may follow from it */
export function authResponse(response: Buffer, secret: string, success: boolean): Command {
  const line = response.toString('base64')
  if (line.length > MAX_CHALLENGE_OCTETS) throw new MailError('ERR_LIMIT', `an answer of more than ${MAX_CHALLENGE_OCTETS} octets`, { phase: 'auth' })
  return { ...command('AUTH', 'auth', AUTHORIZATION), octets: Buffer.from(`${line}\r\n`), shown: '***', secrets: [line, secret], success }
}

/** Ends an exchange that we do not want to go on with. */
export const authCancel = (): Command => ({ ...authResponse(EMPTY, '', true), octets: Buffer.from('*\r\n'), shown: '*', secrets: [] })

export const stat = (): Command => command('STAT', 'stat', TRANSACTION)
export const list = (): Command<Listing> => command('LIST', 'list', TRANSACTION, { body: new ListBody(unique(parseListing, ({ octets }) => octets)) })
export const uidl = (): Command<UniqueIdListing> =>
  command('UIDL', 'uidl', TRANSACTION, { body: new ListBody(unique(parseUniqueIdListing, ({ uniqueId }) => uniqueId)) })
/** The unique-id of one message, in one line. */
export const uniqueId = (number: number): Command => command('UIDL', 'uidl', TRANSACTION, { argument: messageNumber(number, 'uidl') })
export const retr = (number: number): Command<Buffer> =>
  command('RETR', 'retr', TRANSACTION, { argument: messageNumber(number, 'retr'), body: new ContentBody() })
/** @param verb RETR is for servers whose TOP is not to be used: the beginning is cut out here */
export const top = (number: number, lines: number, verb: 'TOP' | 'RETR' = 'TOP'): Command<Buffer> => {
  if (!Number.isSafeInteger(lines) || lines < 0) throw refused('lines', 'a whole number, 0 or more', 'top')
  const argument = messageNumber(number, 'top')
  if (verb === 'RETR') return command(verb, 'top', TRANSACTION, { argument, body: new TopBody(lines) })
  return command(verb, 'top', TRANSACTION, { argument: `${argument} ${lines}`, body: new ContentBody() })
}
export const dele = (number: number): Command => command('DELE', 'dele', TRANSACTION, { argument: messageNumber(number, 'dele') })
export const rset = (): Command => command('RSET', 'rset', TRANSACTION)
export const noop = (): Command => command('NOOP', 'noop', TRANSACTION)
export const quit = (): Command => command('QUIT', 'quit', ANYWHERE)

const MAX_COMMAND_OCTETS = 255 // of a command line with its line end (RFC 2449 §4)

type Rest<Part> = { readonly argument?: string; readonly body?: Body<Part>; readonly secrets?: readonly string[] }

function command<Part>(verb: string, phase: Phase, states: readonly SessionState[], rest: Rest<Part> = {}): Command<Part> {
  const { argument, body, secrets = [] } = rest
  const line = argument === undefined ? verb : `${verb} ${argument}`
  const octets = Buffer.from(`${line}\r\n`)
  if (octets.length > MAX_COMMAND_OCTETS) {
    throw refused(`the argument of ${verb}`, `at most ${MAX_COMMAND_OCTETS - verb.length - 3} octets (RFC 2449 section 4)`, phase)
  }
  return { verb, phase, octets, shown: secrets.length === 0 ? line : `${verb} ***`, secrets, body, states }
}

export const isMessageNumber = (number: number): boolean => Number.isSafeInteger(number) && number >= 1

function messageNumber(number: number, phase: Phase): string {
  if (!isMessageNumber(number)) throw refused('a message-number', 'a whole number, 1 or more', phase)
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
