import { normalizeDomain } from '../addr-spec.ts'
import { checkSecrecy } from '../tls/dialogue.ts'
import { checkServerOptions, optionError, SMTP_DEFAULTS, type CheckedOptions, type ServerOptions } from '../tls/options.ts'

const PIPELINING = ['none', 'envelope', 'overlap', 'transaction', 'back-to-back'] as const

/** How much is sent before the answers have come, where the server offers PIPELINING (RFC 2920). Round trips are those of a message in a row of many. The last three
 *  trust the server to answer each command once: replies belong to messages by their order alone.
 *  - `none`: one command at a time, for servers and proxies that lose some.
 *  - `envelope`: each envelope in one write, with DATA unless `partial` is `'refuse'`; two round trips.
 *  - `overlap`: the next envelope leaves with the end of the content before it; one round trip.
 *  - `transaction`: with CHUNKING, a message of at most 64 KiB leaves whole, with its envelope; one round trip. RFC 3030 §2 would have us wait: who is
 *    accepted gets the message whatever happens to the others, so this is for `partial: 'deliver'`; with `'refuse'` it waits.
 *  - `back-to-back`: such messages one behind the other, without waiting; what was under way when the connection is lost is `unknown`. */
export type Pipelining = (typeof PIPELINING)[number]

export interface SmtpOptions extends ServerOptions {
  /** The name in EHLO: a domain or an address literal. @default the address literal of our end of the connection */
  readonly clientName?: string | undefined
  /** BDAT instead of DATA where the server offers CHUNKING (RFC 3030); there are servers that stall on it. @default false, but true for
   *  `pipelining` `'transaction'` and `'back-to-back'` */
  readonly chunking?: boolean | undefined
  /** As far as the server and the message allow. @default 'envelope' */ readonly pipelining?: Pipelining | undefined
}

export interface CheckedSmtpOptions extends CheckedOptions {
  readonly clientName: string | undefined
  readonly chunking: boolean
  readonly pipelining: Pipelining
}

/** Throws `ERR_OPTION`. */
export function checkSmtpOptions(options: SmtpOptions): CheckedSmtpOptions {
  const clientName = typeof options.clientName === 'string' ? normalizeDomain(options.clientName) : undefined
  if (options.clientName !== undefined && clientName === undefined)
    throw optionError('clientName', 'a domain or an address literal such as [192.0.2.1]')
  const { pipelining = 'envelope' } = options
  if (!PIPELINING.includes(pipelining)) throw optionError('pipelining', `one of ${PIPELINING.join(', ')}`)
  const { chunking = pipelining === 'transaction' || pipelining === 'back-to-back' } = options
  if (typeof chunking !== 'boolean') throw optionError('chunking', 'true or false')
  const checked = checkServerOptions(options, SMTP_DEFAULTS)
  checkSecrecy(checked, checked.security !== 'none')
  return { ...checked, clientName, chunking, pipelining }
}
