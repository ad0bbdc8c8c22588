import { MailError } from '../errors.ts'
import { destroy } from '../mime/composer.ts'
import type { Receipt, SmtpPool } from '../smtp/index.ts'
import { summary } from '../smtp/transaction.ts'
import type { TrackedProperties } from './document.ts'
import { errorFields, safeFields, type Logger } from './log.ts'
import { createMail, type Mail, type MailContent } from './mail.ts'
import { checkOutgoing, type CheckedSend, type OutgoingDocument, type OutgoingDocuments } from './operation.ts'
import { orAbort } from '../abort.ts'

/** What became of one message. */
export interface SendReceipt extends Receipt {
  /** Without angle brackets; '' where a whole message (disposition 'message') has none. */ readonly messageId: string
  readonly tracked: TrackedProperties
}

/** The documents came to an end with an error. What was sent before that is in `receipts`. */
export class DocumentsError extends MailError {
  override readonly name = 'DocumentsError'
  readonly receipts: readonly SendReceipt[]

  constructor(receipts: readonly SendReceipt[], cause: unknown) {
    super('ERR_CONTENT', `the documents to send ended with an error after ${receipts.length} receipts`, { phase: 'document', cause })
    this.receipts = receipts
  }
}

/** What a send stands on. */
export interface Outbox {
  readonly pool: Pick<SmtpPool, 'submit'>
  readonly host: string
  readonly user: string
  readonly logger: Logger
}

interface SendRun extends Outbox {
  readonly operation: CheckedSend
  readonly signal: AbortSignal
  readonly receipts: SendReceipt[]
  /** Connections that could not be made, one after the other. */ failures: number
}

const MAX_FAILURES = 3
const OPTION_CODES: ReadonlySet<string> = new Set(['ERR_ADDRESS', 'ERR_OPTION', 'ERR_HEADER'])

/** Documents → messages → receipts, one after the other. A connection that fails is replaced for the next message; what it did to the message at hand
 *  is in that one's receipt. */
export async function sendDocuments(
  outbox: Outbox,
  operation: CheckedSend,
  documents: OutgoingDocuments,
  signal: AbortSignal,
  onReceipt: ((receipt: SendReceipt) => unknown) | undefined,
): Promise<SendReceipt[]> {
  const run: SendRun = { ...outbox, operation, signal, receipts: [], failures: 0 }
  for await (const some of batches(documents, run)) {
    signal.throwIfAborted()
    const receipt = await sendOne(run, some)
    await onReceipt?.(receipt)
    // After an abort the caller gets the reason; the log has what became of the message at hand.
    signal.throwIfAborted()
    run.receipts.push(receipt)
  }
  return run.receipts
}

/** Rejects for the first message of a run only; after that, receipts of what was sent must not be lost over one that cannot be. */
async function sendOne(run: SendRun, documents: readonly OutgoingDocument[]): Promise<SendReceipt> {
  let mail: Mail | undefined
  let content: MailContent | undefined
  let isConnected = false
  try {
    mail = createMail(run.operation, documents.map(checkOutgoing))
    if (run.failures >= MAX_FAILURES)
      throw new MailError('ERR_CONNECT', 'too many connections failed one after the other', { phase: 'connect', transient: true })
    content = await orAbort(mail.content(), run.signal)
    const receipt = await submit(run, mail, content, () => {
      isConnected = true
      run.failures = 0
    })
    return receiptOf(run, mail, content, receipt)
  } catch (error) {
    run.signal.throwIfAborted()
    // It cannot be sent as it is, which is no fault of a server or of a stream that broke.
    const isRefused =
      mail === undefined || (error instanceof MailError && (error.reusable || (error.code === 'ERR_CONTENT' && error.phase === 'content')))
    const isUnreached = !isRefused && content !== undefined && !isConnected
    if (isUnreached) run.failures += 1
    if (run.receipts.length === 0 && (mail === undefined || isUnreached || (isRefused && OPTION_CODES.has(codeOf(error))))) throw error
    // No server said anything about anybody.
    const outcome = isRefused ? 'refused' : 'deferred'
    const recipients = (mail?.to ?? []).map((address) => ({ address, outcome, reply: null }) as const)
    return receiptOf(run, mail, content, { outcome, recipients, reply: null, octets: 0 }, error)
  }
}

/** @param onConnected called when there is a connection for it */
async function submit({ pool, operation, signal, logger }: SendRun, mail: Mail, { octets }: MailContent, onConnected: () => void): Promise<Receipt> {
  const transfer = (to: readonly string[]): Promise<Receipt> =>
    pool.submit({ from: mail.from, to, options: { signal } }, () => {
      onConnected()
      return octets
    })
  const first = await transfer(mail.to)
  if (first.outcome !== 'unknown' || operation.onUnknown !== 'retry' || signal.aborted) return first
  const inDoubt = first.recipients.flatMap(({ address, outcome }) => (outcome === 'unknown' ? [address] : []))
  logger.warn({ to: inDoubt.length }, 'the final reply never came; the same message is sent once more')
  try {
    const second = await transfer(inDoubt)
    // Whom the same octets are not accepted for over a new connection, nobody knows what became of the first for.
    const accepted = new Map(second.recipients.flatMap((one) => (one.outcome === 'accepted' ? [[one.address, one] as const] : [])))
    const outcomes = first.recipients.map((one) => (one.outcome === 'unknown' ? (accepted.get(one.address) ?? one) : one))
    const recipients = first.recipients.map(({ address }, path) => ({ address, path }))
    return summary(recipients, outcomes, 'deliver', second.octets)
  } catch (error) {
    logger.warn(errorFields(error), 'the message could not be sent once more; its outcome stays unknown')
    return first
  }
}

function receiptOf(
  { host, user, logger }: SendRun,
  mail: Mail | undefined,
  content: MailContent | undefined,
  receipt: Receipt,
  error?: unknown,
): SendReceipt {
  const { from: fromAddress = '', toAddress = '', fileName = null } = mail ?? {}
  const { messageId = null, subject = '' } = content ?? {}
  const tracked: TrackedProperties = { fileName, fromAddress, host, messageId, subject, toAddress, user }
  const fields = safeFields({ ...tracked, outcome: receipt.outcome, octets: receipt.octets, status: receipt.reply?.status }, error)
  if (receipt.outcome === 'accepted') logger.info(fields, 'message sent')
  else if (receipt.outcome === 'unknown') logger.error(fields, 'nobody knows whether the message was sent: the final reply never came')
  else logger.warn(fields, 'message not sent to everybody')
  return { ...receipt, messageId: messageId ?? '', tracked }
}

const codeOf = (error: unknown): string => (error instanceof MailError ? error.code : '')

/** One document a message, or all in one. Documents are asked for when their turn comes, and their streams closed when it is over. */
async function* batches(documents: OutgoingDocuments, { operation, receipts, signal }: SendRun): AsyncGenerator<readonly OutgoingDocument[]> {
  const held: OutgoingDocument[] = []
  const iterator = Symbol.asyncIterator in documents ? documents[Symbol.asyncIterator]() : documents[Symbol.iterator]()
  let isOver = false
  try {
    while (!isOver) {
      const next = await orAbort((async () => iterator.next())(), signal).catch((error: unknown) => {
        signal.throwIfAborted()
        isOver = true
        throw new DocumentsError([...receipts], error)
      })
      if (next.done === true) isOver = true
      else held.push(next.value)
      if (held.length === 0 || (operation.together && !isOver)) continue
      yield held
      held.splice(0).forEach((document) => destroy(document?.content))
    }
  } finally {
    // Not waited for: it may be in the middle of something that never ends.
    if (!isOver) Promise.resolve(iterator.return?.()).catch(() => undefined)
    held.forEach((document) => destroy(document?.content))
  }
}
