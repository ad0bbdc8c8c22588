import { printable } from '../bytes.ts'
import { MailError, type ErrorCode, type Phase } from '../errors.ts'

/** What Node and OpenSSL say when the TCP connection or the handshake fails, as an error of ours with what to do. Raw codes differ between versions, so causes are matched. */
export function connectError(error: unknown, host: string, port: number): MailError {
  const code = rawCode(error)
  if (/^(?:ENOTFOUND|EAI_AGAIN|EAI_NODATA|EAI_NONAME)$/.test(code)) {
    const message = `the host name ${printable(host)} is not known; check its spelling and the name server`
    return new MailError('ERR_HOST_UNKNOWN', message, { phase: 'connect', transient: code === 'EAI_AGAIN', cause: error })
  }
  const message = `cannot connect to ${printable(host)} port ${port}: ${REASONS[code] ?? `the connection failed${code && ` (${code})`}`}`
  return new MailError('ERR_CONNECT', message, { phase: 'connect', transient: true, cause: error })
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there; check host and port',
  ENETUNREACH: 'there is no route to it',
  EHOSTUNREACH: 'there is no route to it',
}

/** A failure of a handshake, or one that is seen after it because TLS 1.3 lets the server refuse late. */
export function tlsError(error: unknown, host: string, phase: Phase = 'tls'): MailError {
  const raw = rawCode(error)
  const text = `${raw} ${error instanceof Error ? error.message : ''}`
  const why = printable(raw === '' || raw === 'UNSPECIFIED' ? text.trim() : raw)
  const [, message, code = 'ERR_TLS_HANDSHAKE'] = TLS_CAUSES.find(([pattern]) => pattern.test(text)) ?? [/^/, FAILED]
  const explained = message.replace(/HOST|WHY/g, (word) => (word === 'HOST' ? printable(host) : why))
  return new MailError(code, explained, { phase, transient: message === ENDED, cause: error })
}

const ENDED = 'HOST closed the connection during the TLS handshake'
const FAILED = 'the TLS handshake with HOST failed (WHY)'

/** What Node's code and words begin with or hold, in the order in which it is looked for. OpenSSL's names that begin with ERR_ are alerts: about our certificate. */
const TLS_CAUSES: readonly (readonly [pattern: RegExp, message: string, code?: ErrorCode])[] = [
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID/,
    'the certificate of HOST is not valid for that name; connect by one of its names, or give tls.servername',
    'ERR_TLS_NAME',
  ],
  [/^CERT_HAS_EXPIRED/, 'the certificate of HOST has expired; renew it on the server, or check the clock', 'ERR_TLS_EXPIRED'],
  [/^CERT_NOT_YET_VALID/, 'the certificate of HOST is not valid yet; renew it on the server, or check the clock', 'ERR_TLS_EXPIRED'],
  [
    /^(?!ERR_)\w*(?:CERT|ISSUER|SIGNATURE|INVALID_CA|PURPOSE|PATH_LENGTH|HOSTNAME_MISMATCH)|^UNSPECIFIED |too weak|too small|certificate verify failed/i,
    'the certificate of HOST is not trusted (WHY); give its authority as a CA file',
    'ERR_TLS_CERTIFICATE',
  ],
  [
    /PROTOCOL_VERSION|NO_PROTOCOLS_AVAILABLE|UNSUPPORTED_PROTOCOL|LEGACY_SIGALG|INAPPROPRIATE_FALLBACK|VERSION_TOO_LOW/i,
    'HOST and this connection have no TLS version in common; widen minVersion and maxVersion if the server is to be trusted with it',
    'ERR_TLS_VERSION',
  ],
  [
    /WRONG_VERSION_NUMBER|HTTP_REQUEST|PACKET_LENGTH_TOO_LONG|RECORD_TOO_SMALL|BAD_RECORD_TYPE|UNEXPECTED_MESSAGE/i,
    'HOST does not speak TLS on this port; use security starttls, or the port for TLS',
    'ERR_TLS_NOT_TLS',
  ],
  [/CERTIFICATE_REQUIRED/i, 'HOST demands a client certificate; give cert and key'],
  [/UNSAFE_LEGACY_RENEGOTIATION/i, 'HOST speaks TLS without secure renegotiation (RFC 5746): it must be updated'],
  [/HANDSHAKE_FAILURE|NO_SHARED_CIPHER/i, 'HOST refused the handshake: no cipher or signature in common, or it demands a client certificate'],
  [/^\s*$|ECONNRESET|EPIPE|disconnected before secure/i, ENDED],
]

/** A connection that worked and then broke. With TLS 1.3 a server refuses our certificate only after the handshake. */
export function closedError(error: unknown, host: string, phase: Phase): MailError {
  const code = rawCode(error)
  if (/^ERR_SSL_.*(?:CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/.test(code)) return tlsError(error, host, phase)
  const message = `the connection to ${printable(host)} broke${code && ` (${code})`}`
  return new MailError('ERR_CLOSED', message, { phase, transient: true, cause: error })
}

export const timeoutError = (what: string, ms: number, phase: Phase): MailError =>
  new MailError('ERR_TIMEOUT', `${what} within ${Math.round(ms)} ms`, { phase, transient: true })

/** `code` of a Node error; of the first one when several addresses were tried. */
function rawCode(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string') return error.code
  return error instanceof AggregateError ? rawCode(error.errors[0]) : ''
}
