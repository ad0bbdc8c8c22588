import { destination, pino } from 'pino'
import { printable } from '../bytes.ts'
import { connectChannel, pop3CommandChannel, pop3ReplyChannel, smtpCommandChannel, smtpReplyChannel, type DialogueMessage } from '../diagnostics.ts'
import { MailError } from '../errors.ts'

/** What the connector writes its log to; a pino logger is one. */
export interface Logger {
  trace(o: object, m?: string): void
  debug(o: object, m?: string): void
  info(o: object, m?: string): void
  warn(o: object, m?: string): void
  error(o: object, m?: string): void
  child(o: object): Logger
}

/** pino on standard error, level info. It writes at once and in this thread: no worker, no file, nothing left to flush. */
export const defaultLogger = (): Logger => pino({ name: 'wirepost', level: 'info' }, destination({ dest: 2, sync: true }))

/** Writes the dialogue of the connections with these labels to the log, at level trace, until the result is called. Credentials were replaced
 *  before they came here (S24). A logger that says that it does not write traces is spared the work. */
export function traceDialogue(logger: Logger, labels: ReadonlySet<string>): () => void {
  if ('isLevelEnabled' in logger && typeof logger.isLevelEnabled === 'function' && logger.isLevelEnabled('trace') === false) return () => undefined
  const listeners = Object.entries(CHANNELS).flatMap(([direction, channels]) => {
    const listener = (message: unknown): void => {
      if (!isDialogue(message) || message.label === undefined || !labels.has(message.label)) return
      logger.trace({ direction, server: printable(`${message.host}:${message.port}`), line: printable(message.line, 2000) }, 'dialogue')
    }
    for (const channel of channels) channel.subscribe(listener)
    return channels.map((channel) => () => channel.unsubscribe(listener))
  })
  return () => listeners.forEach((stop) => stop())
}

const CHANNELS = { connect: [connectChannel], client: [pop3CommandChannel, smtpCommandChannel], server: [pop3ReplyChannel, smtpReplyChannel] }

function isDialogue(message: unknown): message is DialogueMessage {
  return typeof message === 'object' && message !== null && 'line' in message && typeof message.line === 'string' && 'label' in message
}

/** An error as fields of a log line. The cause stays out: it may hold what somebody else put there (S24, T26). */
export function errorFields(error: unknown): object {
  if (error instanceof MailError) return { code: error.code, phase: error.phase, error: printable(error.message) }
  return { error: printable(error instanceof Error ? `${error.name}: ${error.message}` : String(error)) }
}

/** Strangers' text in a log line is made printable (S25), and cut. */
export function safeFields(fields: Readonly<Record<string, string | number | boolean | null | undefined>>, error?: unknown): object {
  const safe = Object.entries(fields).map(([name, value]) => [name, typeof value === 'string' ? printable(value) : value])
  return { ...Object.fromEntries(safe), ...(error === undefined ? {} : errorFields(error)) }
}
