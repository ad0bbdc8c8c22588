import { asBuffer } from '../bytes.ts'
import { MailError } from '../errors.ts'
import type { CommandLine } from '../wire/session.ts'
import { data, mail, rcpt } from './command.ts'
import { measure } from './content.ts'
import { parseSizeLimit } from './grammar.ts'
import { parseForwardPath, parseReversePath, type Path } from './path.ts'

/** Who sends and who receives, as the servers on the way see it; what the message's fields say is another matter. */
export interface Envelope {
  /** The reverse-path: an addr-spec such as `a@example.com`, or `''` when no report may come back. */ readonly from: string
  /** Forward-paths, at least one. One that is repeated is sent once. */ readonly to: readonly string[]
  readonly options?: SubmitOptions | undefined
}

export interface SubmitOptions {
  /** To those accepted, or to nobody unless everybody was. @default 'deliver' */ readonly partial?: 'deliver' | 'refuse' | undefined
  /** Reports about the delivery (RFC 3461). `ERR_UNSUPPORTED` when the server has no DSN. */ readonly dsn?: DeliveryReports | undefined
  /** Only over verified TLS, on the whole way (RFC 8689). `ERR_UNSUPPORTED` when the server has no REQUIRETLS. @default false */
  readonly requireTls?: boolean | undefined
  /** What lines of the content hold. `'8bit'` fails with `ERR_UNSUPPORTED` when the server has no 8BITMIME (RFC 6152). Left out, content in
   *  memory is looked at, a stream is taken to be 8-bit, and the server is told so if it has 8BITMIME. */
  readonly body?: '7bit' | '8bit' | undefined
  /** Ends this call: before the final dot with the connection, after it with the outcome `unknown`. */ readonly signal?: AbortSignal | undefined
}

export interface DeliveryReports {
  readonly notify?: readonly ('success' | 'failure' | 'delay')[] | 'never' | undefined
  readonly ret?: 'full' | 'headers' | undefined
  /** Comes back in reports: printable ASCII, at most 100 characters as xtext. */ readonly envid?: string | undefined
}

/** Content to submit. An iterable with a number `size` has that many octets, or the submission fails before its final dot. Chunks must not change afterwards. */
export type SubmittedContent = AsyncIterable<Uint8Array> | Uint8Array

/** What was asked for, after the door: parsed and copied, so that nothing the caller does later changes it (S37). */
export interface Submission {
  /** MAIL, RCPT for each path, DATA. */ readonly commands: readonly CommandLine[]
  readonly pathCount: number
  /** The addresses as given, each with the index of its path. */ readonly recipients: readonly { readonly address: string; readonly path: number }[]
  readonly partial: 'deliver' | 'refuse'
  readonly pipelining: boolean
  /** Octets that a stream is to have. */ readonly declared: number | undefined
}

/** For a server that offers `extensions`, `secure` when its certificate is trusted. Throws `ERR_ADDRESS` (also for one that needs SMTPUTF8 there)
 *  or `ERR_OPTION`, `ERR_UNSUPPORTED` for what the server does not offer, and `ERR_LIMIT` for content above its SIZE. */
export function checkSubmission(envelope: Envelope, content: SubmittedContent, extensions: ReadonlyMap<string, string>, secure: boolean): Submission {
  const options = envelope.options ?? {}
  const partial = oneOf('partial', options.partial ?? 'deliver', ['deliver', 'refuse'])
  const body = options.body === undefined ? undefined : oneOf('body', options.body, ['7bit', '8bit'])
  if (!Array.isArray(envelope.to) || envelope.to.length === 0) throw optionError('to', 'a list of at least one address')
  const from = parseReversePath(envelope.from)
  const paths: Path[] = []
  const known = new Map<string, number>()
  const recipients = envelope.to.map((address: string) => {
    const parsed = parseForwardPath(address)
    const at = parsed.mailbox.lastIndexOf('@') + 1
    const key = parsed.mailbox.slice(0, at) + parsed.mailbox.slice(at).toLowerCase()
    const path = known.get(key) ?? paths.push(parsed) - 1
    known.set(key, path)
    return { address, path }
  })
  const need = (keyword: string): void => {
    if (!extensions.has(keyword)) throw unsupported(`the server does not offer ${keyword}`)
  }
  const parameters = reportParameters(options.dsn ?? {})
  if (parameters.mail.length + parameters.rcpt.length > 0) need('DSN')
  if (oneOf('requireTls', options.requireTls ?? false, [true, false])) {
    need('REQUIRETLS')
    if (!secure) throw unsupported('REQUIRETLS needs a connection with verified TLS')
    parameters.mail.push('REQUIRETLS')
  }
  if (body === '8bit') need('8BITMIME')
  const foreign = [from, ...paths].find((path) => path.international)
  if (foreign !== undefined && !extensions.has('SMTPUTF8')) {
    const message = `the address ${foreign.mailbox} cannot be used: its local part is not ASCII, and the server does not offer SMTPUTF8`
    throw new MailError('ERR_ADDRESS', message, { phase: foreign === from ? 'mail' : 'rcpt', reusable: true })
  }
  const { size, eightBit } = content instanceof Uint8Array ? measure(asBuffer(content)) : { size: declaredSize(content), eightBit: true }
  const limit = parseSizeLimit(extensions.get('SIZE'))
  if (size !== undefined && limit !== undefined && size > limit) {
    throw new MailError('ERR_LIMIT', `the message has ${size} octets, and the server takes ${limit}`, { phase: 'mail', reusable: true })
  }
  if (size !== undefined && extensions.has('SIZE')) parameters.mail.push(`SIZE=${size}`)
  if ((body === undefined ? eightBit : body === '8bit') && extensions.has('8BITMIME')) parameters.mail.push('BODY=8BITMIME')
  const international = foreign !== undefined
  if (international) parameters.mail.push('SMTPUTF8')
  const commands = [mail(from, parameters.mail, international), ...paths.map((path) => rcpt(path, parameters.rcpt, international)), data()]
  const declared = content instanceof Uint8Array ? undefined : size
  return { commands, pathCount: paths.length, recipients, partial, pipelining: extensions.has('PIPELINING'), declared }
}

/** Parameters of MAIL and RCPT (RFC 3461 §4). */
function reportParameters({ ret, envid, notify }: DeliveryReports): { mail: string[]; rcpt: string[] } {
  const mailParameters: string[] = []
  if (ret !== undefined) mailParameters.push(`RET=${oneOf('dsn.ret', ret, ['full', 'headers']) === 'full' ? 'FULL' : 'HDRS'}`)
  if (envid !== undefined) {
    const text = typeof envid === 'string' && /^[\x20-\x7e]+$/.test(envid) ? xtext(envid) : ''
    if (text === '' || text.length > 100) throw optionError('dsn.envid', 'printable ASCII, 1 to 100 characters')
    mailParameters.push(`ENVID=${text}`)
  }
  if (notify === undefined || notify === 'never') return { mail: mailParameters, rcpt: notify === 'never' ? ['NOTIFY=NEVER'] : [] }
  if (!Array.isArray(notify) || notify.length === 0) throw optionError('dsn.notify', "'never', or a list of 'success', 'failure' and 'delay'")
  const events = notify.map((event) => oneOf('dsn.notify', event, ['success', 'failure', 'delay']).toUpperCase())
  return { mail: mailParameters, rcpt: [`NOTIFY=${[...new Set(events)].join(',')}`] }
}

const xtext = (text: string): string => text.replaceAll(/[ +=]/g, (character) => `+${character.charCodeAt(0).toString(16).toUpperCase()}`)

function declaredSize(content: AsyncIterable<Uint8Array>): number | undefined {
  if (typeof content !== 'object' || content === null || typeof content[Symbol.asyncIterator] !== 'function') {
    throw optionError('content', 'octets (Uint8Array) or an async iterable of them')
  }
  return 'size' in content && typeof content.size === 'number' && Number.isSafeInteger(content.size) && content.size >= 0 ? content.size : undefined
}

function oneOf<const T extends string | boolean>(name: string, value: T, allowed: readonly T[]): T {
  if (!allowed.includes(value)) throw optionError(name, `one of ${allowed.join(', ')}`)
  return value
}

const optionError = (name: string, expected: string): MailError =>
  new MailError('ERR_OPTION', `${name} must be ${expected}`, { phase: 'options', reusable: true })

const unsupported = (message: string): MailError => new MailError('ERR_UNSUPPORTED', message, { phase: 'mail', reusable: true })
