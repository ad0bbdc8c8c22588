import { checkSecrecy } from '../tls/dialogue.ts'
import { checkServerOptions, optionError, SMTP_DEFAULTS, type CheckedOptions, type ServerOptions } from '../tls/options.ts'
import { normalizeDomain } from '../addr-spec.ts'

export interface SmtpOptions extends ServerOptions {
  /** The name in EHLO: a domain or an address literal. @default the address literal of our end of the connection */
  readonly clientName?: string | undefined
}

export type CheckedSmtpOptions = CheckedOptions & { readonly clientName: string | undefined }

/** Throws `ERR_OPTION`. */
export function checkSmtpOptions(options: SmtpOptions): CheckedSmtpOptions {
  const clientName = typeof options.clientName === 'string' ? normalizeDomain(options.clientName) : undefined
  if (options.clientName !== undefined && clientName === undefined)
    throw optionError('clientName', 'a domain or an address literal such as [192.0.2.1]')
  const checked = checkServerOptions(options, SMTP_DEFAULTS)
  checkSecrecy(checked, checked.security !== 'none')
  return { ...checked, clientName }
}
