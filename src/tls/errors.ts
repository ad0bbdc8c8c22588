import { printable } from '../bytes.ts'
import { MailError, type ErrorCode, type Phase } from '../errors.ts'

/** What Node and OpenSSL say when the TCP connection or the handshake fails, as an error of ours with what to do. Raw codes differ between versions, so causes are matched. */
export function connectError(error: unknown, host: string, port: number): MailError {
  const code = rawCode(error)
  const where = `${printable(host)} port ${port}`
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EAI_NODATA' || code === 'EAI_NONAME') {
    return new MailError('ERR_HOST_UNKNOWN', `the host name ${printable(host)} is not known; check its spelling and the name server`, {
      phase: 'connect',
      transient: code === 'EAI_AGAIN',
      cause: error,
    })
  }
  const reason = REASONS[code] ?? `the connection failed${code === '' ? '' : ` (${code})`}`
  return new MailError('ERR_CONNECT', `cannot connect to ${where}: ${reason}`, { phase: 'connect', transient: true, cause: error })
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
  const [code, message, transient] = tlsCause(raw, text, printable(host))
  return new MailError(code, message, { phase, transient, cause: error })
}

function tlsCause(raw: string, text: string, host: string): [code: ErrorCode, message: string, transient: boolean] {
  if (raw === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return [
      'ERR_TLS_NAME',
      `the certificate of ${host} is not valid for that name; connect by a name in the certificate, or give tls.servername`,
      false,
    ]
  }
  if (raw === 'CERT_HAS_EXPIRED' || raw === 'CERT_NOT_YET_VALID') {
    const when = raw === 'CERT_HAS_EXPIRED' ? 'has expired' : 'is not valid yet'
    return ['ERR_TLS_EXPIRED', `the certificate of ${host} ${when}; renew it on the server, or check the clock`, false]
  }
  if (CERTIFICATE_CODE.test(raw) || /too weak|too small|certificate verify failed/i.test(text)) {
    const why = raw === 'UNSPECIFIED' || raw === '' ? text.trim() : raw
    return ['ERR_TLS_CERTIFICATE', `the certificate of ${host} is not trusted (${printable(why)}); give its authority as a CA file`, false]
  }
  if (/PROTOCOL_VERSION|NO_PROTOCOLS_AVAILABLE|UNSUPPORTED_PROTOCOL|LEGACY_SIGALG|INAPPROPRIATE_FALLBACK|VERSION_TOO_LOW/i.test(text)) {
    return [
      'ERR_TLS_VERSION',
      `${host} and this connection have no TLS version in common; widen minVersion and maxVersion if the server is to be trusted with it`,
      false,
    ]
  }
  if (/WRONG_VERSION_NUMBER|HTTP_REQUEST|PACKET_LENGTH_TOO_LONG|RECORD_TOO_SMALL|BAD_RECORD_TYPE|UNEXPECTED_MESSAGE/i.test(text)) {
    return ['ERR_TLS_NOT_TLS', `${host} does not speak TLS on this port; use security starttls, or the port for TLS`, false]
  }
  if (/CERTIFICATE_REQUIRED/i.test(text)) return ['ERR_TLS_HANDSHAKE', `${host} demands a client certificate; give cert and key`, false]
  if (/UNSAFE_LEGACY_RENEGOTIATION/i.test(text)) {
    return ['ERR_TLS_HANDSHAKE', `${host} speaks TLS without secure renegotiation (RFC 5746), which is refused; the server must be updated`, false]
  }
  if (/HANDSHAKE_FAILURE|NO_SHARED_CIPHER/i.test(text)) {
    return ['ERR_TLS_HANDSHAKE', `${host} refused the handshake: no cipher or signature in common, or it demands a client certificate`, false]
  }
  if (text.trim() === '' || /ECONNRESET|EPIPE|disconnected before secure/i.test(text)) {
    return ['ERR_TLS_HANDSHAKE', `${host} closed the connection during the TLS handshake`, true]
  }
  return ['ERR_TLS_HANDSHAKE', `the TLS handshake with ${host} failed (${printable(raw === '' ? text.trim() : raw)})`, false]
}

/** Of OpenSSL's names for what is wrong with a certificate; its alerts, which are about ours, begin with ERR_. */
const CERTIFICATE_CODE = /^(?!ERR_)\w*(?:CERT|ISSUER|SIGNATURE|INVALID_CA|PURPOSE|PATH_LENGTH|HOSTNAME_MISMATCH)|^UNSPECIFIED$/

/** A connection that worked and then broke. With TLS 1.3 a server refuses our certificate only after the handshake. */
export function closedError(error: unknown, host: string, phase: Phase): MailError {
  const code = rawCode(error)
  if (/^ERR_SSL_.*(?:CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/.test(code)) return tlsError(error, host, phase)
  return new MailError('ERR_CLOSED', `the connection to ${printable(host)} broke${code === '' ? '' : ` (${code})`}`, {
    phase,
    transient: true,
    cause: error,
  })
}

export function timeoutError(what: string, ms: number, phase: Phase): MailError {
  return new MailError('ERR_TIMEOUT', `${what} within ${Math.round(ms)} ms`, { phase, transient: true })
}

/** `code` of a Node error; of the first one when several addresses were tried. */
function rawCode(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  if ('code' in error && typeof error.code === 'string') return error.code
  if (error instanceof AggregateError) return rawCode(error.errors[0])
  return ''
}
