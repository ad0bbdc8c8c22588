/** Where in the dialogue something happened: a step of the way to the server, a command, or a piece of work of the connector. */
export type Phase = 'options' | 'connect' | 'tls' | 'greeting' | 'auth' | 'quit' | Pop3Phase | SmtpPhase | 'compose' | 'parse' | 'state' | 'document'
type Pop3Phase = 'capa' | 'stls' | 'stat' | 'list' | 'uidl' | 'top' | 'retr' | 'dele' | 'rset' | 'noop' | 'utf8' | 'lang'
type SmtpPhase = 'ehlo' | 'starttls' | 'mail' | 'rcpt' | 'data' | 'content'

/** Every code that a `MailError` can have; docs/errors.md has a heading for each. */
export type ErrorCode = OptionCode | WayCode | TlsCode | DialogueCode | ConnectorCode
type OptionCode = 'ERR_OPTION' | 'ERR_ADDRESS' | 'ERR_HEADER' | 'ERR_CONTENT' | 'ERR_FROM_MISSING' | 'ERR_TO_MISSING'
type WayCode = 'ERR_HOST_UNKNOWN' | 'ERR_CONNECT' | 'ERR_TIMEOUT' | 'ERR_CLOSED'
type TlsCode = 'ERR_TLS_REQUIRED' | 'ERR_TLS_INJECTION' | 'ERR_TLS_VERSION' | 'ERR_TLS_NOT_TLS' | 'ERR_TLS_HANDSHAKE' | CertificateCode
type CertificateCode = 'ERR_TLS_CERTIFICATE' | 'ERR_TLS_NAME' | 'ERR_TLS_EXPIRED' | 'ERR_TLS_PIN'
type DialogueCode = 'ERR_PROTOCOL' | 'ERR_LIMIT' | 'ERR_POP3_REPLY' | 'ERR_SMTP_REPLY' | 'ERR_UNSUPPORTED' | 'ERR_SESSION_STATE' | AuthCode
type AuthCode = 'ERR_AUTH' | 'ERR_AUTH_CLEAR_TEXT' | 'ERR_AUTH_MECHANISM'
type ConnectorCode = 'ERR_STATE' | 'ERR_STATE_DAMAGED' | 'ERR_STATE_LOCKED' | 'ERR_UNIQUE_ID'

export interface MailErrorFacts {
  readonly phase: Phase
  /** The same attempt may work later. @default false */ readonly transient?: boolean
  /** The connection can carry another command. @default false */ readonly reusable?: boolean
  /** Of an SMTP error that concerns one forward-path. */ readonly recipient?: string | undefined
  readonly cause?: unknown
}

/** What went wrong between us, a server, a message or a disk. Match on `code`. */
export class MailError extends Error {
  override readonly name: string = 'MailError'
  readonly code: ErrorCode
  readonly phase: Phase
  /** The same attempt may work later. */ readonly transient: boolean
  /** The connection can carry another command. */ readonly reusable: boolean
  /** The forward-path that an SMTP error concerns, as it was given. */ readonly recipient?: string

  constructor(code: ErrorCode, message: string, facts: MailErrorFacts) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.code = code
    this.phase = facts.phase
    this.transient = facts.transient ?? false
    this.reusable = facts.reusable ?? false
    if (facts.recipient !== undefined) this.recipient = facts.recipient
  }
}

/** Thrown by grammars for octets that a protocol does not allow. The session, which knows the phase, turns it into `ERR_PROTOCOL` or `ERR_LIMIT`. */
export class GrammarError extends Error {
  override readonly name = 'GrammarError'
  /** A limit was crossed rather than a rule broken. */ readonly limit: boolean

  constructor(message: string, limit = false) {
    super(message)
    this.limit = limit
  }
}

/** A grammar's complaint as the error of the phase in which it was found. The connection cannot go on after it. */
export function protocolError(phase: Phase, error: unknown): unknown {
  if (!(error instanceof GrammarError)) return error
  return new MailError(error.limit ? 'ERR_LIMIT' : 'ERR_PROTOCOL', `the server's answer in the ${phase} phase is not understood: ${error.message}`, {
    phase,
    cause: error,
  })
}
