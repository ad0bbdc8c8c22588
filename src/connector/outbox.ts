import { MailError } from '../errors.ts'
import { destroy } from '../mime/composer.ts'
import type { Receipt, SmtpClient } from '../smtp/index.ts'
import type { TrackedProperties } from './document.ts'
import { errorFields, safeFields, type Logger } from './log.ts'
import { createMail, type Mail, type MailContent } from './mail.ts'
import { checkOutgoing, type CheckedSend, type OutgoingDocument, type OutgoingDocuments } from './operation.ts'
import { onAbort, orAbort } from './stop.ts'

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

export type OutgoingConnection = Pick<SmtpClient, 'attempt' | 'quit' | 'usable'>

type Connect = (signal: AbortSignal) => Promise<OutgoingConnection>
type OnReceipt = ((receipt: SendReceipt) => unknown) | undefined

/** Documents → messages → receipts, one after the other over one connection, which is opened for the first message and closed a while after
 *  the last. A connection that fails is replaced for the next message; what it did to the message at hand is in that one's receipt. */
export function createOutbox(connect: Connect, host: string, user: string, logger: Logger) {
  let current: OutgoingConnection | undefined
  /** Nothing was submitted over it yet. */ let isFresh = false
  let active = 0
  let turns: Promise<unknown> = Promise.resolve()
  let idle: NodeJS.Timeout | undefined

  async function send(operation: CheckedSend, documents: OutgoingDocuments, signal: AbortSignal, onReceipt: OnReceipt): Promise<SendReceipt[]> {
    const receipts: SendReceipt[] = []
    const run: SendRun = { operation, signal, receipts, failures: 0 }
    active += 1
    clearTimeout(idle)
    try {
      for await (const some of batches(documents, run)) {
        signal.throwIfAborted()
        const receipt = await inTurn(signal, () => sendOne(run, some))
        await onReceipt?.(receipt)
        // After an abort the caller gets the reason; the log has what became of the message at hand.
        signal.throwIfAborted()
        receipts.push(receipt)
      }
      return receipts
    } finally {
      active -= 1
      if (active === 0) idle = setTimeout(() => void close(), IDLE_MS)
    }
  }

  /** Ends the connection in order. Never rejects. */
  async function close(): Promise<void> {
    clearTimeout(idle)
    await inTurn(undefined, () => leave())
  }

  /** Rejects for the first message of a run only; after that, receipts of what was sent must not be lost over one that cannot be. */
  async function sendOne(run: SendRun, documents: readonly OutgoingDocument[]): Promise<SendReceipt> {
    let mail: Mail | undefined
    let content: MailContent | undefined
    try {
      mail = createMail(run.operation, documents.map(checkOutgoing))
      await open(run)
      content = await mail.content()
      return receiptOf(mail, content, await submit(run, mail, content))
    } catch (error) {
      run.signal.throwIfAborted()
      const isConnected = mail !== undefined && run.failures === 0
      // The connection still lives: the message was refused before anything was sent, unless its content failed, which may go better later.
      const isRefused = isConnected && current?.usable === true && error instanceof MailError && error.phase !== 'document'
      if (run.receipts.length === 0 && (!isConnected || (isRefused && OPTION_CODES.has(error.code)))) throw error
      const outcome = isRefused || mail === undefined ? 'refused' : 'deferred'
      // No server said anything about anybody.
      const recipients = (mail?.to ?? []).map((address) => ({ address, outcome, reply: null }) as const)
      return receiptOf(mail, content, { outcome, recipients, reply: null, octets: 0 }, error)
    }
  }

  async function submit(run: SendRun, mail: Mail, { octets }: MailContent): Promise<Receipt> {
    const first = await transfer(run, mail, octets)
    if (first.outcome !== 'unknown' || run.operation.onUnknown !== 'retry' || run.signal.aborted) return first
    logger.warn({ to: mail.to.length }, 'the final reply never came; the same message is sent once more')
    try {
      // Unless the same octets are accepted over a new connection, nobody knows what became of the first.
      const second = await transfer(run, mail, octets)
      return second.outcome === 'accepted' || second.outcome === 'partial' ? second : first
    } catch (error) {
      logger.warn(errorFields(error), 'the message could not be sent once more; its outcome stays unknown')
      return first
    }
  }

  /** A connection that was in use before may have been closed by the server meanwhile; as long as not even MAIL was answered, the content was not
   *  touched, and a new one can be tried without the risk of sending twice. */
  async function transfer(run: SendRun, mail: Mail, octets: MailContent['octets']): Promise<Receipt> {
    const connection = await open(run)
    const mayBeStale = !isFresh
    isFresh = false
    try {
      const { receipt, isBegun } = await connection.attempt({ from: mail.from, to: mail.to, options: { signal: run.signal } }, octets)
      // 421 that was on its way before we asked (H19) says nothing about this message.
      const isFarewell = receipt.reply?.status === 421 && !isBegun
      if (!mayBeStale || !isFarewell || connection.usable || run.signal.aborted) return receipt
    } catch (error) {
      const isUntouched = error instanceof MailError && (error.phase === 'mail' || error.phase === 'rset')
      if (!mayBeStale || !isUntouched || connection.usable || run.signal.aborted) throw error
    }
    logger.debug({ to: mail.to.length }, 'the connection had been closed meanwhile; a new one is opened')
    return transfer(run, mail, octets)
  }

  async function open(run: SendRun): Promise<OutgoingConnection> {
    if (current?.usable === true) return current
    await leave()
    if (run.failures >= MAX_FAILURES)
      throw new MailError('ERR_CONNECT', 'too many connections failed one after the other', { phase: 'connect', transient: true })
    run.failures += 1
    // The connection outlives the run, whose signal may be aborted later.
    const ending = new AbortController()
    const forget = onAbort(run.signal, (reason) => ending.abort(reason))
    try {
      ending.signal.throwIfAborted()
      current = await connect(ending.signal)
      isFresh = true
      run.failures = 0
      return current
    } finally {
      forget()
    }
  }

  async function leave(): Promise<void> {
    const connection = current
    current = undefined
    await connection?.quit()
  }

  /** After all that came before; an abort ends the waiting for it. */
  function inTurn<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const before = turns
    const turn = orAbort(before, signal).then(work)
    turns = Promise.allSettled([before, turn])
    return turn
  }

  function receiptOf(mail: Mail | undefined, content: MailContent | undefined, receipt: Receipt, error?: unknown): SendReceipt {
    const { from: fromAddress = '', toAddress = '', fileName = null } = mail ?? {}
    const { messageId = null, subject = '' } = content ?? {}
    const tracked: TrackedProperties = { fileName, fromAddress, host, messageId, subject, toAddress, user }
    const fields = safeFields({ ...tracked, outcome: receipt.outcome, octets: receipt.octets, status: receipt.reply?.status }, error)
    if (receipt.outcome === 'accepted') logger.info(fields, 'message sent')
    else if (receipt.outcome === 'unknown') logger.error(fields, 'nobody knows whether the message was sent: the final reply never came')
    else logger.warn(fields, 'message not sent to everybody')
    return { ...receipt, messageId: messageId ?? '', tracked }
  }

  return { send, close }
}

interface SendRun {
  readonly operation: CheckedSend
  readonly signal: AbortSignal
  readonly receipts: readonly SendReceipt[]
  /** Connections that could not be made, one after the other. */ failures: number
}

const IDLE_MS = 5_000
const MAX_FAILURES = 3
const OPTION_CODES: ReadonlySet<string> = new Set(['ERR_ADDRESS', 'ERR_OPTION', 'ERR_HEADER'])

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
