import { isAscii } from 'node:buffer'
import { asBuffer } from '../bytes.ts'
import { MailError } from '../errors.ts'
import type { CommandLine } from '../wire/session.ts'
import { data, mail, rcpt } from './command.ts'
import { measure, type Framing } from './content.ts'
import { optionError, unsupported } from './errors.ts'
import { parseLimits, parseSizeLimit } from './grammar.ts'
import type { Pipelining } from './options.ts'
import { checkOptional, mailParameters, oneOf, rcptParameters, type Delivery, type Offers, type RecipientReports } from './parameters.ts'
import { parseForwardPath, parseReversePath, type Path } from './path.ts'

/** Who sends and who receives, as the servers on the way see it; what the message's fields say is another matter. */
export interface Envelope {
  /** The reverse-path: an addr-spec such as `a@example.com`, or `''` or `'<>'` when no report may come back. */ readonly from: string
  /** Forward-paths, at least one. One that is repeated is sent once, with the parameters that it has first. */
  readonly to: readonly (string | Recipient)[]
  readonly options?: SubmitOptions | undefined
}

/** One forward-path with parameters of its own (RFC 3461 §4.1, §4.2). */
export interface Recipient extends RecipientReports {
  readonly address: string
}

/** What the server does not offer is refused with `ERR_UNSUPPORTED` before anything is sent, unless it is among `optional`. */
export interface SubmitOptions extends Delivery {
  /** To those accepted, or to nobody unless everybody was. @default 'deliver' */ readonly partial?: 'deliver' | 'refuse' | undefined
  /** Lines of ASCII, lines with octets above 127 (8BITMIME, RFC 6152), or any octets (BINARYMIME, RFC 3030). Left out, content in memory is looked at, and a
   *  stream is taken to be 8-bit if the server takes that. Octets above 127 where they may not be are `ERR_CONTENT`. */
  readonly body?: '7bit' | '8bit' | 'binary' | undefined
  /** Make each lone CR or LF, and a last line end that is missing, CRLF; or refuse that, as it would break a signature (`ERR_CONTENT`). @default 'repair' */
  readonly lineEnds?: 'repair' | 'verify' | undefined
  /** A longer line, its end not counted, is `ERR_CONTENT`. @default 998 (RFC 5321 §4.5.3.1.6) */ readonly maxLineOctets?: number | undefined
  /** Ends this call; with the connection, unless others wait for replies there. After the final dot the outcome is `unknown` then. */ readonly signal?:
    | AbortSignal
    | undefined
}

/** Content to submit. An iterable with a number `size` has that many octets, or the submission fails before its final dot. Chunks must not change afterwards. */
export type SubmittedContent = AsyncIterable<Uint8Array> | Uint8Array

/** What one connection offers. */
export interface Terms {
  readonly extensions: ReadonlyMap<string, string>
  /** The certificate of the server is trusted. */ readonly isSecure: boolean
  readonly chunking: boolean
  readonly pipelining: Pipelining
}

/** What was asked for, after the door: parsed and copied, so that nothing the caller does later changes it (S37). */
export interface Submission {
  /** MAIL, RCPT for each path, and DATA unless the content goes by BDAT. */ readonly commands: readonly CommandLine[]
  readonly pathCount: number
  /** The addresses as given, each with the index of its path. */ readonly recipients: readonly { readonly address: string; readonly path: number }[]
  readonly partial: 'deliver' | 'refuse'
  readonly pipelining: Pipelining
  readonly framing: Framing
  /** Octets that a stream is to have. */ readonly declared: number | undefined
}

/** Throws `ERR_ADDRESS` (also for one that needs SMTPUTF8 there), `ERR_OPTION`, `ERR_UNSUPPORTED` for what the server does not offer, `ERR_LIMIT` for
 *  more than its SIZE or LIMITS allow, and `ERR_CONTENT` for octets in memory that cannot be sent. */
export function checkSubmission(envelope: Envelope, content: SubmittedContent, { extensions, isSecure, ...terms }: Terms): Submission {
  const options = optionsOf(envelope)
  const partial = oneOf('partial', options.partial ?? 'deliver', ['deliver', 'refuse'])
  const offers = checkOptional(extensions, options.optional)
  const from = parseReversePath(envelope.from)
  const { paths, recipients } = checkRecipients(envelope.to)
  const fit = fitting(
    paths.map(({ recipient }) => recipient),
    extensions.get('LIMITS'),
  )
  if (fit < paths.length)
    throw limitError(`the server takes ${fit} of these ${paths.length} recipients at a time; SmtpPool divides them, with partial 'deliver'`)
  const foreign = [{ path: from }, ...paths].find(({ path }) => path.international)?.path
  if (foreign !== undefined && !extensions.has('SMTPUTF8')) {
    const message = `the address ${foreign.mailbox} cannot be used: its local part is not ASCII, and the server does not offer SMTPUTF8`
    const recipient = foreign === from ? undefined : foreign.mailbox
    throw new MailError('ERR_ADDRESS', message, { phase: recipient === undefined ? 'mail' : 'rcpt', reusable: true, recipient })
  }
  const isInternational = foreign !== undefined || (oneOf('smtpUtf8', options.smtpUtf8 ?? false, [true, false]) && offers('SMTPUTF8'))

  const parameters = mailParameters(options, offers, extensions, isSecure)
  const { eightBit, parameter } = checkBody(options, content, offers, extensions)
  const binary = options.body === 'binary'
  const chunks = binary || (terms.chunking && extensions.has('CHUNKING'))
  const sizeLimit = parseSizeLimit(extensions.get('SIZE')) ?? Infinity
  const framing: Framing = {
    chunks,
    maxOctets: chunks && !(content instanceof Uint8Array) ? sizeLimit : Infinity,
    binary,
    eightBit,
    verify: oneOf('lineEnds', options.lineEnds ?? 'repair', ['repair', 'verify']) === 'verify',
    maxLineOctets: options.maxLineOctets ?? 998,
  }
  if (!Number.isSafeInteger(framing.maxLineOctets) || framing.maxLineOctets < 1) throw optionError('maxLineOctets', 'a whole number from 1')
  const size = content instanceof Uint8Array ? measure(asBuffer(content), framing) : declaredSize(content)
  if (size !== undefined && size > sizeLimit) throw limitError(`the message has ${size} octets, and the server takes ${sizeLimit}`)
  if (size !== undefined && extensions.has('SIZE')) parameters.push(`SIZE=${size}`)
  if (parameter !== undefined) parameters.push(parameter)
  if (isInternational) parameters.push('SMTPUTF8')

  const rcpts = paths.map(({ path, recipient }) => rcpt(path, rcptParameters(recipient, options.dsn ?? {}, offers), isInternational))
  return {
    commands: [mail(from, parameters, isInternational), ...rcpts, ...(framing.chunks ? [] : [data()])],
    pathCount: paths.length,
    recipients,
    partial,
    pipelining: possible(terms.pipelining, extensions.has('PIPELINING'), framing.chunks),
    framing,
    declared: content instanceof Uint8Array ? undefined : size,
  }
}

/** How much of what is wanted this server and this message allow. */
function possible(wanted: Pipelining, isOffered: boolean, chunks: boolean): Pipelining {
  if (!isOffered) return 'none'
  return (wanted === 'transaction' || wanted === 'back-to-back') && !chunks ? 'overlap' : wanted
}

/** Throws `ERR_OPTION` for what cannot be an envelope or its options. */
export function optionsOf(envelope: Envelope): SubmitOptions {
  if (typeof envelope !== 'object' || envelope === null) throw optionError('envelope', 'an object with from and to')
  const { options = {} } = envelope
  if (typeof options !== 'object' || options === null) throw optionError('options', 'an object')
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal)) throw optionError('options.signal', 'an AbortSignal')
  return options
}

/** Each forward-path once, with a copy of the first that names it. Throws `ERR_ADDRESS` and `ERR_OPTION`. */
export function checkRecipients(to: Envelope['to']) {
  if (!Array.isArray(to) || to.length === 0) throw optionError('to', 'a list of at least one address')
  const paths: { readonly path: Path; readonly recipient: Recipient }[] = []
  const known = new Map<string, number>()
  const recipients = to.map((given: string | Recipient) => {
    const { address, notify, orcpt } = typeof given === 'object' && given !== null ? given : { address: given }
    const recipient = { address, notify: typeof notify === 'object' ? structuredClone(notify) : notify, orcpt }
    const path = parseForwardPath(recipient.address)
    const at = path.mailbox.lastIndexOf('@') + 1
    const key = path.mailbox.slice(0, at) + path.mailbox.slice(at).toLowerCase()
    const index = known.get(key) ?? paths.push({ path, recipient }) - 1
    known.set(key, index)
    return { address: recipient.address, path: index }
  })
  return { paths, recipients }
}

/** How many of the first recipients one transaction may have (LIMITS, RFC 9422). */
export function fitting(to: Envelope['to'], limits: string | undefined): number {
  const { rcptMax, domainMax } = parseLimits(limits)
  const domains = new Set<string>()
  const over = to.slice(0, rcptMax).findIndex((recipient) => {
    const address = typeof recipient === 'string' ? recipient : recipient.address
    return domains.add(address.slice(address.lastIndexOf('@')).toLowerCase()).size > domainMax
  })
  return over < 0 ? Math.min(to.length, rcptMax) : over
}

/** Whether octets above 127 may be in it, and what MAIL says of it. Throws `ERR_UNSUPPORTED`. */
function checkBody({ body, optional }: SubmitOptions, content: SubmittedContent, offers: Offers, extensions: Terms['extensions']) {
  if (body === 'binary') {
    if (!extensions.has('BINARYMIME') || !extensions.has('CHUNKING')) throw unsupported('the server does not offer BINARYMIME and CHUNKING')
    return { eightBit: true, parameter: 'BODY=BINARYMIME' }
  }
  const isMemory = content instanceof Uint8Array
  if (body === undefined ? isMemory && isAscii(content) : oneOf('body', body, ['7bit', '8bit']) === '7bit') return { eightBit: false }
  // A stream that nobody described may be of ASCII: the framer refuses it when it is not.
  const isKnown = isMemory || body === '8bit'
  const isOffered = isKnown ? offers('8BITMIME') : extensions.has('8BITMIME')
  return isOffered ? { eightBit: true, parameter: 'BODY=8BITMIME' } : { eightBit: isKnown || optional?.includes('8BITMIME') === true }
}

function declaredSize(content: AsyncIterable<Uint8Array>): number | undefined {
  if (typeof content !== 'object' || content === null || typeof content[Symbol.asyncIterator] !== 'function') {
    throw optionError('content', 'octets (Uint8Array) or an async iterable of them')
  }
  return 'size' in content && typeof content.size === 'number' && Number.isSafeInteger(content.size) && content.size >= 0 ? content.size : undefined
}

const limitError = (message: string): MailError => new MailError('ERR_LIMIT', message, { phase: 'mail', reusable: true })
