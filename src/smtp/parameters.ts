import { isAscii } from '../addr-spec.ts'
import { printable } from '../bytes.ts'
import { MailError } from '../errors.ts'
import { optionError, unsupported } from './errors.ts'
import { parseReversePath } from './path.ts'

/** What can be asked of the servers on the way, by extensions. */
export interface Delivery {
  /** Reports about the delivery (DSN, RFC 3461). */ readonly dsn?: DeliveryReports | undefined
  /** Only over verified TLS, on the whole way (REQUIRETLS, RFC 8689). @default false */ readonly requireTls?: boolean | undefined
  /** Fields of the content are in UTF-8 (SMTPUTF8, RFC 6531). Said without being asked for an address that needs it. @default false */
  readonly smtpUtf8?: boolean | undefined
  /** From -9 to 9, the most urgent (MT-PRIORITY, RFC 6710). */ readonly priority?: number | undefined
  /** In how many seconds it must be there (0 or less only with `'notify'`), and what happens when it is late; `trace` asks for a report of each relay (DELIVERBY, RFC 2852). */
  readonly deliverBy?: { readonly seconds: number; readonly late: 'return' | 'notify'; readonly trace?: boolean | undefined } | undefined
  /** Not to be released before then (FUTURERELEASE, RFC 4865). */ readonly futureRelease?:
    | { readonly seconds: number }
    | { readonly until: Date }
    | undefined
  /** Who submitted it at first (AUTH= of MAIL, RFC 4954 §5); `''` when that is not known. */ readonly submitter?: string | undefined
  /** Extensions without which it may be sent all the same: what needs them is left out then. @default none */
  readonly optional?: readonly OptionalExtension[] | undefined
}

const OPTIONAL = ['8BITMIME', 'AUTH', 'DELIVERBY', 'DSN', 'FUTURERELEASE', 'MT-PRIORITY', 'REQUIRETLS', 'SMTPUTF8'] as const
export type OptionalExtension = (typeof OPTIONAL)[number]

export interface DeliveryReports {
  readonly notify?: Notify | undefined
  readonly ret?: 'full' | 'headers' | undefined
  /** Comes back in reports: printable ASCII, at most 100 characters as xtext. */ readonly envid?: string | undefined
}

/** When to report. `'never'`, or a list. */
export type Notify = readonly ('success' | 'failure' | 'delay')[] | 'never'

export interface RecipientReports {
  /** @default that of `dsn` */ readonly notify?: Notify | undefined
  /** The recipient as first given, for reports: an address, or `type;address` (RFC 3461 §4.2). At most 500 characters as xtext. */
  readonly orcpt?: string | undefined
}

/** Whether the server offers it; `false` also when it does not and need not. Throws `ERR_UNSUPPORTED` otherwise. */
export type Offers = (keyword: OptionalExtension) => boolean

/** Throws `ERR_OPTION` for what cannot be optional. */
export function checkOptional(extensions: ReadonlyMap<string, string>, optional: Delivery['optional'] = []): Offers {
  if (!Array.isArray(optional) || !optional.every((keyword) => OPTIONAL.includes(keyword)))
    throw optionError('optional', `a list of ${OPTIONAL.join(', ')}`)
  return (keyword) => {
    if (!extensions.has(keyword) && !optional.includes(keyword)) throw unsupported(`the server does not offer ${keyword}`)
    return extensions.has(keyword)
  }
}

/** Of MAIL, each with a value that was checked. Throws `ERR_OPTION`, `ERR_ADDRESS`, `ERR_UNSUPPORTED` and `ERR_LIMIT`. */
export function mailParameters(delivery: Delivery, offers: Offers, extensions: ReadonlyMap<string, string>, isSecure: boolean): string[] {
  const { dsn = {}, requireTls, priority, deliverBy, futureRelease, submitter } = delivery
  for (const [name, value] of Object.entries({ dsn, deliverBy, futureRelease })) {
    if (value !== undefined && Object(value) !== value) throw optionError(name, 'an object')
  }
  const parameters: string[] = []
  const add = (keyword: OptionalExtension, parameter: string): void => void (offers(keyword) && parameters.push(parameter))
  if (dsn.ret !== undefined) add('DSN', `RET=${oneOf('dsn.ret', dsn.ret, ['full', 'headers']) === 'full' ? 'FULL' : 'HDRS'}`)
  if (dsn.envid !== undefined) add('DSN', `ENVID=${xtext('dsn.envid', dsn.envid, 100)}`)
  if (oneOf('requireTls', requireTls ?? false, [true, false])) {
    if (!isSecure && !delivery.optional?.includes('REQUIRETLS')) throw unsupported('REQUIRETLS needs a connection with verified TLS')
    if (isSecure) add('REQUIRETLS', 'REQUIRETLS')
  }
  if (priority !== undefined) {
    if (!Number.isInteger(priority) || Math.abs(priority) > 9) throw optionError('priority', 'a whole number from -9 to 9')
    add('MT-PRIORITY', `MT-PRIORITY=${priority}`)
  }
  if (deliverBy !== undefined) add('DELIVERBY', by(deliverBy, Number(/^\d+/.exec(extensions.get('DELIVERBY') ?? '')?.[0] ?? 0)))
  if (futureRelease !== undefined) add('FUTURERELEASE', hold(futureRelease, extensions.get('FUTURERELEASE')?.split(/[ \t]+/) ?? []))
  if (submitter !== undefined) add('AUTH', `AUTH=${xtext('submitter', parseReversePath(submitter).mailbox || '<>', 500)}`)
  return parameters
}

/** Of RCPT (RFC 3461 §4). Throws `ERR_OPTION` and `ERR_UNSUPPORTED`. */
export function rcptParameters({ notify, orcpt }: RecipientReports, dsn: DeliveryReports, offers: Offers): string[] {
  const parameters: string[] = []
  const events = notify ?? dsn.notify
  if (events === 'never') parameters.push('NOTIFY=NEVER')
  else if (events !== undefined) {
    if (!Array.isArray(events) || events.length === 0) throw optionError('notify', "'never', or a list of 'success', 'failure' and 'delay'")
    const names = events.map((event) => oneOf('notify', event, ['success', 'failure', 'delay']).toUpperCase())
    parameters.push(`NOTIFY=${[...new Set(names)].join(',')}`)
  }
  if (orcpt !== undefined) parameters.push(`ORCPT=${originalRecipient(orcpt)}`)
  return parameters.length > 0 && offers('DSN') ? parameters : []
}

/** RFC 2852 §4. @param least seconds from which the server returns what is late */
function by({ seconds, late, trace }: NonNullable<Delivery['deliverBy']>, least: number): string {
  const isReturned = oneOf('deliverBy.late', late, ['return', 'notify']) === 'return'
  const isPossible = Number.isInteger(seconds) && Math.abs(seconds) <= MAX_SECONDS && (seconds > 0 || !isReturned)
  if (!isPossible) throw optionError('deliverBy.seconds', `a whole number to ${MAX_SECONDS}, above 0 with 'return'`)
  if (isReturned && seconds < least) throw beyond(`deliverBy.seconds is ${seconds}, and the server takes ${least} or more`)
  return `BY=${seconds};${isReturned ? 'R' : 'N'}${oneOf('deliverBy.trace', trace ?? false, [true, false]) ? 'T' : ''}`
}

/** RFC 4865 §4, §5. @param most seconds, and a date, beyond which the server does not hold */
function hold(release: NonNullable<Delivery['futureRelease']>, [mostSeconds = '', latest = '']: readonly string[]): string {
  if ('seconds' in release) {
    const { seconds } = release
    if (!Number.isInteger(seconds) || seconds < 1 || seconds > MAX_SECONDS)
      throw optionError('futureRelease.seconds', `a whole number from 1 to ${MAX_SECONDS}`)
    if (seconds > Number(mostSeconds || MAX_SECONDS))
      throw beyond(`futureRelease.seconds is ${seconds}, and the server holds for ${Number(mostSeconds)} at most`)
    return `HOLDFOR=${seconds}`
  }
  const { until } = release
  const isDate = until instanceof Date && until.getUTCFullYear() >= 0 && until.getUTCFullYear() <= 9999 // what RFC 3339 can say
  if (!isDate) throw optionError('futureRelease', '{ seconds } or { until }, a valid Date')
  if (until.getTime() > Date.parse(latest)) throw beyond(`futureRelease.until is later than the server holds: ${printable(latest, 40)}`)
  return `HOLDUNTIL=${until.toISOString().replace(/\.\d+Z$/, 'Z')}`
}

/** `rfc822;` with xtext, or `utf-8;` in its form for any server (RFC 3461 §4.2, RFC 6533 §3). */
function originalRecipient(text: string): string {
  if (typeof text !== 'string' || printable(text) !== text) throw optionError('orcpt', 'at most 500 characters that can be seen')
  const [, type = '', address = ''] = /^(?:([A-Za-z0-9-]+);)?(.*)$/.exec(text) ?? []
  const isUtf8 = type.toLowerCase() === 'utf-8'
  if (!isUtf8 && isAscii(address)) return `${type || 'rfc822'};${xtext('orcpt', address, 500)}`
  if (!isUtf8 && type !== '') throw optionError('orcpt', `printable ASCII in an address of type ${type}`)
  const encoded = address.replaceAll(/[^!-~]|[\\+=]/gu, (one) => `\\x{${one.codePointAt(0)?.toString(16).toUpperCase()}}`)
  if (encoded === '' || encoded.length > 500) throw optionError('orcpt', '1 to 500 characters as xtext')
  return `utf-8;${encoded}`
}

/** RFC 3461 §4: printable ASCII, in which nothing can end the value. */
function xtext(name: string, text: string, limit: number): string {
  if (typeof text !== 'string') throw optionError(name, 'a string')
  const encoded = text.replaceAll(/[ +=]/g, (character) => `+${character.charCodeAt(0).toString(16).toUpperCase()}`)
  if (!/^[!-~]+$/.test(encoded) || encoded.length > limit) throw optionError(name, `printable ASCII, 1 to ${limit} characters`)
  return encoded
}

export function oneOf<const T extends string | boolean>(name: string, value: T, allowed: readonly T[]): T {
  if (!allowed.includes(value)) throw optionError(name, `one of ${allowed.join(', ')}`)
  return value
}

const MAX_SECONDS = 999_999_999
const beyond = (message: string): MailError => new MailError('ERR_LIMIT', message, { phase: 'mail', reusable: true })
