import { printable } from '../bytes.ts'
import { MailError, type ErrorCode, type Phase } from '../errors.ts'
import type { Reply } from './reply.ts'

/** The server answered, and the answer was no. */
export class SmtpReplyError extends MailError {
  override readonly name = 'SmtpReplyError'
  readonly status: number
  /** RFC 3463, such as `5.7.8`. */ readonly enhancedStatus: string | null
  /** The whole reply. Server text: escape it before showing it to anyone. */ readonly reply: Reply

  constructor(phase: Phase, reply: Reply, code: ErrorCode = 'ERR_SMTP_REPLY') {
    const text = reply.lines.find((line) => line !== '')
    const what = phase === 'greeting' ? 'connection' : phase.toUpperCase()
    const message = `${what} refused with ${reply.status}${text === undefined ? '' : `: ${printable(text, 200)}`}`
    super(code, message, { phase, transient: isTransient(reply) })
    this.status = reply.status
    this.enhancedStatus = reply.enhancedStatus
    this.reply = reply
  }
}

/** Later may help. 503 says that the two sides disagree about what came before, which another connection cures. */
export const isTransient = ({ status }: Reply): boolean => (status >= 400 && status < 500) || status === 503

/** The connection's end as seen from the step that was under way. */
export function inPhase(error: unknown, phase: Phase): unknown {
  if (!(error instanceof MailError) || error instanceof SmtpReplyError || error.phase === phase) return error
  if (error.code !== 'ERR_CLOSED' && error.code !== 'ERR_TIMEOUT') return error
  return new MailError(error.code, error.message, { phase, transient: true, cause: error })
}

export function closedError(message: string, phase: Phase, cause?: unknown): MailError {
  return new MailError('ERR_CLOSED', message, { phase, transient: true, cause })
}

export const contentError = (message: string): MailError => new MailError('ERR_CONTENT', message, { phase: 'content' })

export const optionError = (name: string, expected: string): MailError =>
  new MailError('ERR_OPTION', `${name} must be ${expected}`, { phase: 'options', reusable: true })

export const unsupported = (message: string): MailError => new MailError('ERR_UNSUPPORTED', message, { phase: 'mail', reusable: true })
