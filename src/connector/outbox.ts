import { MailError } from '../errors.ts'
import { destroy } from '../mime/composer.ts'
import type { Receipt, SmtpClient } from '../smtp/index.ts'
import type { TrackedProperties } from './document.ts'
import { errorFields, safeFields, type Logger } from './log.ts'
import { createMail, type Mail, type MailContent } from './mail.ts'
import { checkOutgoing, type CheckedSend, type OutgoingDocument } from './operation.ts'
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

/** What the outbox wants of an SMTP connection. */
export type OutgoingConnection = Pick<SmtpClient, 'submit' | 'quit' | 'usable'> & Partial<Pick<SmtpClient, 'unanswered'>>

export interface OutboxFacts {
  readonly connect: (signal: AbortSignal) => Promise<OutgoingConnection>
  readonly host: string
  readonly user: string
  readonly logger: Logger
}

/**
 * Documents → messages → receipts, one after the other over one connection, which is opened for the first message and closed a while after
 * the last. A connection that fails is replaced for the next message; what it did to the message at hand is in that one's receipt.
 */
export class Outbox {
  readonly #facts: OutboxFacts
  #connection: OutgoingConnection | undefined
  /** Nothing was submitted over it yet. */ #isFresh = false
  #active = 0
  #turns: Promise<unknown> = Promise.resolve()
  #idle: NodeJS.Timeout | undefined

  constructor(facts: OutboxFacts) {
    this.#facts = facts
  }

  async send(
    operation: CheckedSend,
    documents: Iterable<OutgoingDocument> | AsyncIterable<OutgoingDocument>,
    signal: AbortSignal,
    onReceipt?: (receipt: SendReceipt) => unknown,
  ): Promise<SendReceipt[]> {
    const receipts: SendReceipt[] = []
    const run: SendRun = { operation, signal, receipts, failures: 0 }
    this.#active += 1
    clearTimeout(this.#idle)
    try {
      for await (const some of batches(documents, run)) {
        signal.throwIfAborted()
        const receipt = await this.#inTurn(signal, () => this.#message(run, some))
        await onReceipt?.(receipt)
        // After an abort the caller gets the reason; the log has what became of the message at hand.
        signal.throwIfAborted()
        receipts.push(receipt)
      }
      return receipts
    } finally {
      this.#active -= 1
      if (this.#active === 0) this.#idle = setTimeout(() => void this.close(), IDLE_MS)
    }
  }

  /** Ends the connection in order. Never rejects. */
  async close(): Promise<void> {
    clearTimeout(this.#idle)
    await this.#inTurn(undefined, () => this.#leave())
  }

  /** Rejects for the first message of a run only; after that, receipts of what was sent must not be lost over one that cannot be. */
  async #message(run: SendRun, documents: readonly OutgoingDocument[]): Promise<SendReceipt> {
    let mail: Mail | undefined
    let content: MailContent | undefined
    try {
      mail = createMail(run.operation, documents.map(checkOutgoing))
      await this.#open(run)
      content = await mail.content()
      return this.#receipt(mail, content, await this.#submit(run, mail, content))
    } catch (error) {
      run.signal.throwIfAborted()
      const isConnected = mail !== undefined && run.failures === 0
      // The connection still lives: the message was refused before anything was sent, unless its content failed, which may go better later.
      const isRefused = isConnected && this.#connection?.usable === true && error instanceof MailError && error.phase !== 'document'
      if (run.receipts.length === 0 && (!isConnected || (isRefused && OPTION_CODES.has(error.code)))) throw error
      const outcome = isRefused || mail === undefined ? 'refused' : 'deferred'
      // No server said anything about anybody.
      const recipients = (mail?.to ?? []).map((address) => ({ address, outcome, reply: null }) as const)
      return this.#receipt(mail, content, { outcome, recipients, reply: null, octets: 0 }, error)
    }
  }

  async #submit(run: SendRun, mail: Mail, { octets }: MailContent): Promise<Receipt> {
    const { logger } = this.#facts
    const first = await this.#transfer(run, mail, octets)
    if (first.outcome !== 'unknown' || run.operation.onUnknown !== 'retry' || run.signal.aborted) return first
    logger.warn({ to: mail.to.length }, 'the final reply never came; the same message is sent once more')
    try {
      // Unless the same octets are accepted over a new connection, nobody knows what became of the first.
      const second = await this.#transfer(run, mail, octets)
      return second.outcome === 'accepted' || second.outcome === 'partial' ? second : first
    } catch (error) {
      logger.warn(errorFields(error), 'the message could not be sent once more; its outcome stays unknown')
      return first
    }
  }

  /**
   * A connection that was in use before may have been closed by the server meanwhile; as long as not even MAIL was answered, the content was not
   * touched, and a new one can be tried without the risk of sending twice.
   */
  async #transfer(run: SendRun, mail: Mail, octets: MailContent['octets']): Promise<Receipt> {
    const connection = await this.#open(run)
    const mayBeStale = !this.#isFresh
    this.#isFresh = false
    try {
      const receipt = await connection.submit({ from: mail.from, to: mail.to, options: { signal: run.signal } }, octets)
      // 421 that was on its way before we asked (H19) says nothing about this message.
      const isFarewell = receipt.reply?.status === 421 && connection.unanswered === true
      if (!mayBeStale || !isFarewell || connection.usable || run.signal.aborted) return receipt
    } catch (error) {
      const isUntouched = error instanceof MailError && (error.phase === 'mail' || error.phase === 'rset')
      if (!mayBeStale || !isUntouched || connection.usable || run.signal.aborted) throw error
    }
    this.#facts.logger.debug({ to: mail.to.length }, 'the connection had been closed meanwhile; a new one is opened')
    return this.#transfer(run, mail, octets)
  }

  async #open(run: SendRun): Promise<OutgoingConnection> {
    if (this.#connection?.usable === true) return this.#connection
    await this.#leave()
    if (run.failures >= MAX_FAILURES)
      throw new MailError('ERR_CONNECT', 'too many connections failed one after the other', { phase: 'connect', transient: true })
    run.failures += 1
    // The connection outlives the run, whose signal may be aborted later.
    const ending = new AbortController()
    const forget = onAbort(run.signal, (reason) => ending.abort(reason))
    try {
      ending.signal.throwIfAborted()
      this.#connection = await this.#facts.connect(ending.signal)
      this.#isFresh = true
      run.failures = 0
      return this.#connection
    } finally {
      forget()
    }
  }

  async #leave(): Promise<void> {
    const connection = this.#connection
    this.#connection = undefined
    await connection?.quit()
  }

  /** After all that came before; an abort ends the waiting for it. */
  #inTurn<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const before = this.#turns
    const turn = orAbort(before, signal).then(work)
    this.#turns = Promise.allSettled([before, turn])
    return turn
  }

  #receipt(mail: Mail | undefined, content: MailContent | undefined, receipt: Receipt, error?: unknown): SendReceipt {
    const { host, user, logger } = this.#facts
    const { from: fromAddress = '', toAddress = '', fileName = null } = mail ?? {}
    const { messageId = null, subject = '' } = content ?? {}
    const tracked: TrackedProperties = { fileName, fromAddress, host, messageId, subject, toAddress, user }
    const fields = safeFields({ ...tracked, outcome: receipt.outcome, octets: receipt.octets, status: receipt.reply?.status }, error)
    if (receipt.outcome === 'accepted') logger.info(fields, 'message sent')
    else if (receipt.outcome === 'unknown') logger.error(fields, 'nobody knows whether the message was sent: the final reply never came')
    else logger.warn(fields, 'message not sent to everybody')
    return { ...receipt, messageId: messageId ?? '', tracked }
  }
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
async function* batches(
  documents: Iterable<OutgoingDocument> | AsyncIterable<OutgoingDocument>,
  { operation, receipts, signal }: SendRun,
): AsyncGenerator<readonly OutgoingDocument[]> {
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
