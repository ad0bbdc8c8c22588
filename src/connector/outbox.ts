import { MailError } from '../errors.ts'
import type { Receipt, SmtpClient } from '../smtp/index.ts'
import type { TrackedProperties } from './document.ts'
import { errorFields, safeFields, type Logger } from './log.ts'
import { createMail, trackedOf, type Mail, type MailContent } from './mail.ts'
import { checkOutgoing, type CheckedSend, type OutgoingDocument } from './operation.ts'

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
export type OutgoingConnection = Pick<SmtpClient, 'submit' | 'quit' | 'usable'>

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
    signal: AbortSignal | undefined,
    onReceipt?: (receipt: SendReceipt) => unknown,
  ): Promise<SendReceipt[]> {
    const receipts: SendReceipt[] = []
    const run: SendRun = { operation, signal, receipts, failures: 0 }
    this.#active += 1
    clearTimeout(this.#idle)
    try {
      for await (const some of batches(documents, run)) {
        signal?.throwIfAborted()
        const receipt = await this.#message(run, some)
        await onReceipt?.(receipt)
        // After an abort the caller gets the reason; the log has what became of the message at hand.
        signal?.throwIfAborted()
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

  async #message(run: SendRun, documents: readonly OutgoingDocument[]): Promise<SendReceipt> {
    let mail: Mail
    try {
      mail = createMail(run.operation, documents.map(checkOutgoing))
    } catch (error) {
      // Receipts of what was sent must not be lost over a document that cannot be.
      if (run.receipts.length === 0) throw error
      return this.#receipt(undefined, undefined, { ...REFUSED, recipients: [] }, error)
    }
    const { receipt, content, error } = await this.#inTurn(run.signal, () => this.#submit(run, mail))
    return this.#receipt(mail, content, receipt, error)
  }

  async #submit(run: SendRun, mail: Mail): Promise<Submitted> {
    try {
      await this.#open(run)
    } catch (error) {
      run.signal?.throwIfAborted()
      if (run.receipts.length === 0) throw error
      return { receipt: nobody(mail, 'deferred'), content: undefined, error }
    }
    let content: MailContent | undefined
    try {
      content = await mail.content()
      const first = await this.#once(run, mail, content)
      if (first.outcome !== 'unknown' || run.operation.onUnknown !== 'retry' || run.signal?.aborted === true)
        return { receipt: first, content, error: undefined }
      return { receipt: await this.#again(run, mail, first), content, error: undefined }
    } catch (error) {
      run.signal?.throwIfAborted()
      // The connection still lives: the message was refused before anything was sent, unless its content failed, which may go better later.
      const isRefused = this.#connection?.usable === true && error instanceof MailError && error.phase !== 'document'
      if (isRefused && run.receipts.length === 0 && OPTION_CODES.has(error.code)) throw error
      return { receipt: nobody(mail, isRefused ? 'refused' : 'deferred'), content, error }
    }
  }

  /**
   * One submission. A connection that was in use before may have been closed by the server meanwhile; as long as not even MAIL was answered, the
   * content was not touched, and a new one can be tried without the risk of sending twice.
   */
  async #once(run: SendRun, mail: Mail, { octets }: MailContent): Promise<Receipt> {
    const wasFresh = this.#isFresh
    try {
      return await this.#transfer(run, mail, octets)
    } catch (error) {
      const isUntouched = error instanceof MailError && (error.phase === 'mail' || error.phase === 'rset')
      if (wasFresh || !isUntouched || this.#connection?.usable === true || run.signal?.aborted === true) throw error
      this.#facts.logger.debug(errorFields(error), 'the connection had been closed meanwhile; a new one is opened')
      return this.#transfer(run, mail, octets)
    }
  }

  /** The same octets once more, over a new connection. Unless that was accepted, nobody knows what became of the first. */
  async #again(run: SendRun, mail: Mail, first: Receipt): Promise<Receipt> {
    this.#facts.logger.warn({ to: mail.to.length }, 'the final reply never came; the same message is sent once more')
    try {
      const { octets } = await mail.content()
      const second = await this.#transfer(run, mail, octets)
      return second.outcome === 'accepted' || second.outcome === 'partial' ? second : first
    } catch (error) {
      this.#facts.logger.warn(errorFields(error), 'the message could not be sent once more; its outcome stays unknown')
      return first
    }
  }

  async #transfer(run: SendRun, mail: Mail, octets: MailContent['octets']): Promise<Receipt> {
    const connection = await this.#open(run)
    this.#isFresh = false
    return connection.submit({ from: mail.from, to: mail.to, options: { signal: run.signal } }, octets)
  }

  async #open(run: SendRun): Promise<OutgoingConnection> {
    if (this.#connection?.usable === true) return this.#connection
    await this.#leave()
    if (run.failures >= MAX_FAILURES)
      throw new MailError('ERR_CONNECT', 'too many connections failed one after the other', { phase: 'connect', transient: true })
    const ending = new AbortController()
    const onAbort = (): void => ending.abort(run.signal?.reason)
    run.signal?.addEventListener('abort', onAbort, { once: true })
    run.failures += 1
    try {
      run.signal?.throwIfAborted()
      this.#connection = await this.#facts.connect(ending.signal)
      this.#isFresh = true
      run.failures = 0
      return this.#connection
    } finally {
      run.signal?.removeEventListener('abort', onAbort)
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

  #receipt(mail: Mail | undefined, content: MailContent | undefined, receipt: Receipt, error: unknown): SendReceipt {
    const { host, user, logger } = this.#facts
    const tracked: TrackedProperties =
      mail === undefined
        ? { fileName: null, fromAddress: '', host, messageId: null, subject: '', toAddress: '', user }
        : trackedOf(mail, content, host, user)
    const fields = {
      ...safeFields({ ...tracked, outcome: receipt.outcome, octets: receipt.octets, status: receipt.reply?.status }),
      ...(error === undefined ? {} : errorFields(error)),
    }
    if (receipt.outcome === 'accepted') logger.info(fields, 'message sent')
    else if (receipt.outcome === 'unknown') logger.error(fields, 'nobody knows whether the message was sent: the final reply never came')
    else logger.warn(fields, 'message not sent to everybody')
    return { ...receipt, messageId: content?.messageId ?? '', tracked }
  }
}

interface SendRun {
  readonly operation: CheckedSend
  readonly signal: AbortSignal | undefined
  readonly receipts: readonly SendReceipt[]
  /** Connections that could not be made, one after the other. */ failures: number
}

type Submitted = { readonly receipt: Receipt; readonly content: MailContent | undefined; readonly error: unknown }

const IDLE_MS = 5_000
const MAX_FAILURES = 3
const OPTION_CODES: ReadonlySet<string> = new Set(['ERR_ADDRESS', 'ERR_OPTION', 'ERR_HEADER'])
const REFUSED = { outcome: 'refused', reply: null, octets: 0 } as const

/** No server said anything about anybody. */
function nobody(mail: Mail, outcome: 'deferred' | 'refused'): Receipt {
  return { outcome, recipients: mail.to.map((address) => ({ address, outcome, reply: null })), reply: null, octets: 0 }
}

/** One document a message, or all in one. Documents are asked for when their turn comes, and their streams closed when it is over. */
async function* batches(
  documents: Iterable<OutgoingDocument> | AsyncIterable<OutgoingDocument>,
  { operation, receipts, signal }: SendRun,
): AsyncGenerator<readonly OutgoingDocument[]> {
  const held: OutgoingDocument[] = []
  const iterator = Symbol.asyncIterator in documents ? documents[Symbol.asyncIterator]() : documents[Symbol.iterator]()
  let isOver = false
  try {
    for (;;) {
      let next: IteratorResult<OutgoingDocument>
      try {
        next = await orAbort(iterator.next(), signal)
      } catch (error) {
        signal?.throwIfAborted()
        isOver = true
        throw new DocumentsError([...receipts], error)
      }
      isOver = next.done === true
      if (next.done === true) break
      held.push(next.value)
      if (operation.together) continue
      yield held
      held.splice(0).forEach(closeStream)
    }
    if (held.length > 0) yield held
  } finally {
    // Not waited for: it may be in the middle of something that never ends.
    if (!isOver) Promise.resolve(iterator.return?.()).catch(() => undefined)
    held.forEach(closeStream)
  }
}

function orAbort<T>(value: T | Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal?.reason)
    if (signal?.aborted === true) onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    void Promise.resolve(value)
      .then(resolve, reject)
      .finally(() => signal?.removeEventListener('abort', onAbort))
  })
}

/** A Node stream holds its file open until it is destroyed, also when nobody came to read it. */
function closeStream(document: OutgoingDocument | null | undefined): void {
  const content = document?.content
  if (typeof content === 'object' && content !== null && 'destroy' in content && typeof content.destroy === 'function') content.destroy()
}
