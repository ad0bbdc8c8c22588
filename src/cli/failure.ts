import { printable } from '../bytes.ts'
import { MailError, type ErrorCode, type Phase } from '../errors.ts'
import { errorCode, fileTrouble } from './file-trouble.ts'

/** 1 not all done, 2 wrong use, configuration or an unreadable file, 3 the server could not be reached, trusted or logged in to. */
export type FailureStatus = 1 | 2 | 3

/** Wrong use, or something that the command itself noticed: one line that says what happened and what to do. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly status: FailureStatus

  constructor(message: string, status: FailureStatus = 2) {
    super(message)
    this.status = status
  }
}

export interface Failure {
  /** One line, safe on a terminal. */
  readonly message: string
  readonly status: FailureStatus
}

/** Any error as what a person needs to know. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof CommandError) return { message: printable(error.message, 1000), status: error.status }
  // What our own documents ran into, rather than that they did.
  if (error instanceof MailError && error.code === 'ERR_CONTENT' && errorCode(error.cause) !== '') return describeFailure(error.cause)
  if (error instanceof MailError) {
    const hint = DISK_CODES.has(errorCode(error.cause)) ? undefined : HINTS[error.code]
    const text = error.code === 'ERR_OPTION' ? inOptions(error.message) : error.message
    const message = hint === undefined ? text : `${text}; ${hint}`
    return { message: printable(message, 1000), status: mailStatus(error) }
  }
  if (error instanceof Error && errorCode(error) !== '' && 'path' in error && typeof error.path === 'string') {
    return { message: `cannot use ${printable(error.path)}: ${fileTrouble(error)}`, status: 2 }
  }
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return { message: printable(`something unexpected happened: ${text}; run it again with --trace and report it`, 1000), status: 1 }
}

/** The library's names of options as those of the command. */
function inOptions(message: string): string {
  return message.replace(/^the option ([\w.]+)/, (whole, name: string) => OPTIONS.get(name) ?? (name.startsWith('timeouts.') ? '--timeout' : whole))
}

const OPTIONS: ReadonlyMap<string, string> = new Map([
  ['document.contentType', '--type'],
  ['bodyContentType', '--body-type'],
  ['fromAddress', '--from'],
  ['disposition', '--disposition'],
  ['together', '--together'],
  ['stateDirectory', '--state'],
  ['tls.ca', '--ca'],
  ['tls.cert', '--cert'],
  ['tls.key', '--key'],
])

function mailStatus(error: MailError): FailureStatus {
  if (error.phase === 'options') return 2
  const status = STATUS[error.code]
  if (status === 'by phase') return BEFORE_WORK.has(error.phase) ? 3 : 1
  if (status === 'by cause') return DISK_CODES.has(errorCode(error.cause)) ? 1 : 2
  return status
}

/** `by phase`: before the login is through the server was not reached, after it a connection was lost. `by cause`: a folder that cannot be used is
 *  configuration; a disk that fills up under us is not. */
const STATUS: Readonly<Record<ErrorCode, FailureStatus | 'by phase' | 'by cause'>> = {
  ERR_OPTION: 2,
  ERR_ADDRESS: 2,
  ERR_HEADER: 2,
  ERR_FROM_MISSING: 2,
  ERR_TO_MISSING: 2,
  ERR_CONTENT: 1,
  ERR_HOST_UNKNOWN: 3,
  ERR_CONNECT: 3,
  ERR_TIMEOUT: 'by phase',
  ERR_CLOSED: 'by phase',
  ERR_TLS_REQUIRED: 3,
  ERR_TLS_INJECTION: 3,
  ERR_TLS_CERTIFICATE: 3,
  ERR_TLS_NAME: 3,
  ERR_TLS_EXPIRED: 3,
  ERR_TLS_PIN: 3,
  ERR_TLS_VERSION: 3,
  ERR_TLS_NOT_TLS: 3,
  ERR_TLS_HANDSHAKE: 3,
  ERR_PROTOCOL: 'by phase',
  ERR_LIMIT: 'by phase',
  ERR_POP3_REPLY: 'by phase',
  ERR_SMTP_REPLY: 'by phase',
  ERR_AUTH: 3,
  ERR_AUTH_CLEAR_TEXT: 3,
  ERR_AUTH_MECHANISM: 3,
  ERR_UNSUPPORTED: 'by phase',
  ERR_SESSION_STATE: 1,
  ERR_STATE: 'by cause',
  ERR_STATE_DAMAGED: 2,
  ERR_STATE_LOCKED: 1,
  ERR_UNIQUE_ID: 1,
}

const DISK_CODES: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO'])
const BEFORE_WORK: ReadonlySet<Phase> = new Set(['connect', 'tls', 'greeting', 'capa', 'stls', 'auth', 'ehlo', 'starttls'])

/** What to do about it, in the words of the command. The library's own sentence stands before it. */
const HINTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  ERR_FROM_MISSING: 'give it as --from ADDRESS',
  ERR_TO_MISSING: "give it as --to 'ADDRESS; ADDRESS'",
  ERR_TLS_CERTIFICATE: 'name it with --ca FILE, or, only to try, --accept-untrusted-certificate',
  ERR_TLS_NAME: 'here that is the host in the server URL',
  ERR_TLS_VERSION: 'here that is ?minVersion=TLSv1&maxVersion=TLSv1.3 in the server URL',
  ERR_TLS_NOT_TLS: 'here that is pop3:// or smtp:// in place of pop3s:// or smtps://',
  ERR_TLS_REQUIRED: 'use pop3s:// or smtps://, or, where the way to the server is safe, ?security=none',
  ERR_AUTH: 'check the user and the password, and whether the mailbox wants an app password',
  ERR_AUTH_CLEAR_TEXT: 'use TLS, or, where the way to the server is safe, --allow-clear-text-auth',
  ERR_STATE: 'it is chosen with --state DIR',
  ERR_STATE_LOCKED: 'wait until the other run has ended, or name another folder with --state DIR',
  ERR_TIMEOUT: 'try again, or wait longer with --timeout SECONDS',
  ERR_CLOSED: 'run it again: what was not done is done then',
}
