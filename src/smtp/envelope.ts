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
  /**
   * What lines of the content hold. `'8bit'` fails with `ERR_UNSUPPORTED` when the server has no 8BITMIME (RFC 6152). Left out, content in
   * memory is looked at, a stream is taken to be 8-bit, and the server is told so if it has 8BITMIME.
   */
  readonly body?: '7bit' | '8bit' | undefined
  /** Ends this call: before the final dot with the connection, after it with the outcome `unknown`. */ readonly signal?: AbortSignal | undefined
}

export interface DeliveryReports {
  readonly notify?: readonly ('success' | 'failure' | 'delay')[] | 'never' | undefined
  readonly ret?: 'full' | 'headers' | undefined
  /** Comes back in reports: printable ASCII, at most 100 characters as xtext. */ readonly envid?: string | undefined
}

/** An envelope after the door: parsed and copied, so that nothing the caller does later changes it (S37). */
export interface CheckedEnvelope {
  readonly from: Path
  /** Each once, in order. */ readonly paths: readonly Path[]
  /** The addresses as given, each with the index of its path. */ readonly recipients: readonly { readonly address: string; readonly path: number }[]
  readonly partial: 'deliver' | 'refuse'
  readonly mailParameters: readonly string[]
  readonly rcptParameters: readonly string[]
  /** Keywords that the server must offer. */ readonly needs: readonly string[]
  readonly body: '7bit' | '8bit' | undefined
  readonly signal: AbortSignal | undefined
}

/** Throws `ERR_ADDRESS` or `ERR_OPTION`. */
export function checkEnvelope(envelope: Envelope): CheckedEnvelope {
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
  const { mailParameters, rcptParameters } = reportParameters(options.dsn ?? {})
  const needs = mailParameters.length + rcptParameters.length > 0 ? ['DSN'] : []
  if (oneOf('requireTls', options.requireTls ?? false, [true, false])) {
    needs.push('REQUIRETLS')
    mailParameters.push('REQUIRETLS')
  }
  if (body === '8bit') needs.push('8BITMIME')
  return { from, paths, recipients, partial, mailParameters, rcptParameters, needs, body, signal: options.signal }
}

function reportParameters({ ret, envid, notify }: DeliveryReports): { mailParameters: string[]; rcptParameters: string[] } {
  const mailParameters: string[] = []
  if (ret !== undefined) mailParameters.push(`RET=${oneOf('dsn.ret', ret, ['full', 'headers']) === 'full' ? 'FULL' : 'HDRS'}`)
  if (envid !== undefined) {
    const text = typeof envid === 'string' && /^[\x20-\x7e]+$/.test(envid) ? xtext(envid) : ''
    if (text === '' || text.length > 100) throw optionError('dsn.envid', 'printable ASCII, 1 to 100 characters')
    mailParameters.push(`ENVID=${text}`)
  }
  if (notify === undefined || notify === 'never') return { mailParameters, rcptParameters: notify === 'never' ? ['NOTIFY=NEVER'] : [] }
  if (!Array.isArray(notify) || notify.length === 0) throw optionError('dsn.notify', "'never', or a list of 'success', 'failure' and 'delay'")
  const events = notify.map((event) => oneOf('dsn.notify', event, ['success', 'failure', 'delay']).toUpperCase())
  return { mailParameters, rcptParameters: [`NOTIFY=${[...new Set(events)].join(',')}`] }
}

/** RFC 3461 §4. */
const xtext = (text: string): string => text.replaceAll(/[ +=]/g, (character) => `+${character.charCodeAt(0).toString(16).toUpperCase()}`)

/** What is known of the content before it is read. */
export interface ContentFacts {
  /** Octets, as sent or as the source promises. */ readonly size: number | undefined
  readonly eightBit: boolean | undefined
}

/** Content to submit. An iterable with a number `size` has that many octets, or the submission fails before its final dot. Chunks must not change afterwards. */
export type SubmittedContent = AsyncIterable<Uint8Array> | Uint8Array

export function contentFacts(content: SubmittedContent): ContentFacts {
  if (content instanceof Uint8Array) return measure(asBuffer(content))
  if (typeof content !== 'object' || content === null || typeof content[Symbol.asyncIterator] !== 'function') {
    throw optionError('content', 'octets (Uint8Array) or an async iterable of them')
  }
  const size: unknown = 'size' in content ? content.size : undefined
  return { size: typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : undefined, eightBit: undefined }
}

/**
 * MAIL, RCPT for each path, and DATA, for a server that offers `extensions`. Nothing has been sent when it throws: `ERR_UNSUPPORTED` for what the
 * server does not offer, `ERR_ADDRESS` for an address that needs SMTPUTF8 there, `ERR_LIMIT` for content above the server's SIZE.
 */
export function envelopeCommands(
  envelope: CheckedEnvelope,
  content: ContentFacts,
  extensions: ReadonlyMap<string, string>,
  secure: boolean,
): CommandLine[] {
  for (const keyword of envelope.needs) if (!extensions.has(keyword)) throw unsupported(`the server does not offer ${keyword}`)
  if (envelope.needs.includes('REQUIRETLS') && !secure) throw unsupported('REQUIRETLS needs a connection with verified TLS')
  const foreign = [envelope.from, ...envelope.paths].find((path) => path.international)
  if (foreign !== undefined && !extensions.has('SMTPUTF8')) {
    const message = `the address ${foreign.mailbox} cannot be used: its local part is not ASCII, and the server does not offer SMTPUTF8`
    throw new MailError('ERR_ADDRESS', message, { phase: foreign === envelope.from ? 'mail' : 'rcpt', reusable: true })
  }
  const limit = parseSizeLimit(extensions.get('SIZE'))
  if (content.size !== undefined && limit !== undefined && content.size > limit) {
    throw new MailError('ERR_LIMIT', `the message has ${content.size} octets, and the server takes ${limit}`, { phase: 'mail', reusable: true })
  }
  const parameters = [...envelope.mailParameters]
  if (content.size !== undefined && extensions.has('SIZE')) parameters.push(`SIZE=${content.size}`)
  const eightBit = envelope.body === undefined ? content.eightBit !== false : envelope.body === '8bit'
  if (eightBit && extensions.has('8BITMIME')) parameters.push('BODY=8BITMIME')
  const international = foreign !== undefined
  if (international) parameters.push('SMTPUTF8')
  const recipients = envelope.paths.map((path) => rcpt(path, envelope.rcptParameters, international))
  return [mail(envelope.from, parameters, international), ...recipients, data()]
}

function oneOf<const T extends string | boolean>(name: string, value: T, allowed: readonly T[]): T {
  if (!allowed.includes(value)) throw optionError(name, `one of ${allowed.join(', ')}`)
  return value
}

function optionError(name: string, expected: string): MailError {
  return new MailError('ERR_OPTION', `${name} must be ${expected}`, { phase: 'options', reusable: true })
}

const unsupported = (message: string): MailError => new MailError('ERR_UNSUPPORTED', message, { phase: 'mail', reusable: true })
