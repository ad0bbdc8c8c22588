import { EMPTY } from '../bytes.ts'
import { MailError, type Phase } from '../errors.ts'
import { MAX_CHALLENGE_OCTETS } from '../wire/sasl/mechanism.ts'
import type { CommandLine } from '../wire/session.ts'
import { ContentBody, ListBody, TopBody, unique, type Body } from './body.ts'
import { parseCapability, parseLanguage, parseListing, parseUniqueIdListing } from './grammar.ts'

/** One command, to be sent once. Nothing else makes octets for a server. */
export interface Command<Part = unknown> extends CommandLine {
  readonly verb: string
  /** What follows a `+OK`; `undefined` when nothing does. */ readonly body: Body<Part> | undefined
  /** Of a line of an AUTH exchange: a `+OK` can be its success. */ readonly success?: boolean | undefined
}

const CAPABILITY_LIMITS = { lines: 256, octets: 64 * 1024 }

export const capa = () => command('CAPA', 'capa', { body: new ListBody(parseCapability, CAPABILITY_LIMITS) })
export const stls = () => command('STLS', 'stls')
export const user = (name: string) => command('USER', 'auth', { argument: text('auth.user', name) })
/** The argument is everything after the first blank, blanks included (RFC 1939 §7). */
export const pass = (password: string) => command('PASS', 'auth', { argument: text('auth.password', password), secrets: [password] })
/** @param digest which stands for the password */
export const apop = (name: string, digest: string) => command('APOP', 'auth', { argument: `${text('auth.user', name)} ${digest}`, secrets: [digest] })
export const utf8 = () => command('UTF8', 'utf8')
export const languages = () => command('LANG', 'lang', { body: new ListBody(parseLanguage, CAPABILITY_LIMITS) })
export const lang = (tag: string) => {
  if (!/^(?:\*|[A-Za-z0-9-]{1,64})$/.test(tag)) throw refused('a language', 'a language tag (RFC 5646), or *', 'lang')
  return command('LANG', 'lang', { argument: tag })
}

/** AUTH (RFC 5034 §4). What the client says first goes with it where the line has room; `=` stands for nothing. @param secret that it is made of */
export function auth(mechanism: string, initialResponse: Buffer | null, secret: string): Command {
  const response = initialResponse?.length === 0 ? '=' : initialResponse?.toString('base64')
  const success = response !== undefined && mechanism.length + response.length + 8 <= MAX_COMMAND_OCTETS
  if (!success) return { ...command('AUTH', 'auth', { argument: mechanism }), success }
  const written = command('AUTH', 'auth', { argument: `${mechanism} ${response}`, secrets: [response, secret] })
  return { ...written, shown: `AUTH ${mechanism} ***`, success }
}

/** An answer to a challenge, which may be longer than a command. @param success may follow from it */
export function authResponse(response: Buffer, secret: string, success: boolean): Command {
  const line = response.toString('base64')
  if (line.length > MAX_CHALLENGE_OCTETS) throw new MailError('ERR_LIMIT', `an answer of more than ${MAX_CHALLENGE_OCTETS} octets`, { phase: 'auth' })
  return { ...command('AUTH', 'auth'), octets: Buffer.from(`${line}\r\n`), shown: '***', secrets: [line, secret], success }
}

/** Ends an exchange that we do not want to go on with. */
export const authCancel = (): Command => ({ ...authResponse(EMPTY, '', true), octets: Buffer.from('*\r\n'), shown: '*', secrets: [] })

export const stat = () => command('STAT', 'stat')
export const list = () => command('LIST', 'list', { body: new ListBody(unique(parseListing)) })
export const uidl = () => command('UIDL', 'uidl', { body: new ListBody(unique(parseUniqueIdListing)) })
/** The unique-id of one message, in one line. */
export const uniqueId = (number: number) => command('UIDL', 'uidl', { argument: messageNumber(number, 'uidl') })
export const retr = (number: number) => command('RETR', 'retr', { argument: messageNumber(number, 'retr'), body: new ContentBody() })
/** @param verb RETR is for servers whose TOP is not to be used: the beginning is cut out here */
export const top = (number: number, lines: number, verb: 'TOP' | 'RETR' = 'TOP') => {
  if (!Number.isSafeInteger(lines) || lines < 0) throw refused('lines', 'a whole number, 0 or more', 'top')
  const argument = messageNumber(number, 'top')
  if (verb === 'RETR') return command(verb, 'top', { argument, body: new TopBody(lines) })
  return command(verb, 'top', { argument: `${argument} ${lines}`, body: new ContentBody() })
}
export const dele = (number: number) => command('DELE', 'dele', { argument: messageNumber(number, 'dele') })
export const rset = () => command('RSET', 'rset')
export const noop = () => command('NOOP', 'noop')
export const quit = () => command('QUIT', 'quit')

const MAX_COMMAND_OCTETS = 255 // of a command line with its line end (RFC 2449 §4)

type Rest<Part> = { readonly argument?: string; readonly body?: Body<Part>; readonly secrets?: readonly string[] }

function command<Part>(verb: string, phase: Phase, { argument, body, secrets = [] }: Rest<Part> = {}): Command<Part> {
  const line = argument === undefined ? verb : `${verb} ${argument}`
  const octets = Buffer.from(`${line}\r\n`)
  if (octets.length > MAX_COMMAND_OCTETS) {
    throw refused(`the argument of ${verb}`, `at most ${MAX_COMMAND_OCTETS - verb.length - 3} octets (RFC 2449 section 4)`, phase)
  }
  return { verb, phase, octets, shown: secrets.length === 0 ? line : `${verb} ***`, secrets, body }
}

export const isMessageNumber = (number: number): boolean => Number.isSafeInteger(number) && number >= 1

function messageNumber(number: number, phase: Phase): string {
  if (!isMessageNumber(number)) throw refused('a message-number', 'a whole number, 1 or more', phase)
  return String(number)
}

/** Free text goes out as UTF-8, unless it could end the line or is no text: then a second command could follow from it (P16). */
function text(name: string, value: unknown): string {
  if (typeof value !== 'string' || /[\p{Cc}\p{Cs}\u2028\u2029]/u.test(value)) throw refused(name, 'text without control characters', 'auth')
  return value
}

/** Names what was wrong, never the value: it may be a secret. */
function refused(name: string, expected: string, phase: Phase): MailError {
  return new MailError('ERR_OPTION', `${name} must be ${expected}`, { phase, reusable: true })
}
