import { MailError } from '../errors.ts'
import { optionError } from '../tls/options.ts'
import { SmtpClient } from './client.ts'
import type { Envelope } from './envelope.ts'
import { checkSmtpOptions, type SmtpOptions } from './options.ts'
import type { Receipt } from './transaction.ts'

export interface SmtpPoolOptions extends SmtpOptions {
  /** @default 5 */
  readonly maxConnections?: number | undefined
  /** On one connection. @default 100 */
  readonly maxMessages?: number | undefined
  /** Submissions that may begin in any `perMs` milliseconds. @default none */
  readonly rate?: { readonly messages: number; readonly perMs: number } | undefined
}

/** A connection with the number of its submissions. */
interface Member {
  readonly client: SmtpClient
  submissions: number
}

/** Several connections to one server, made when they are needed and used again; submissions begin in the order in which they were asked for. */
export class SmtpPool implements AsyncDisposable {
  readonly #options: SmtpPoolOptions
  readonly #maxConnections: number
  readonly #maxMessages: number
  readonly #rate: { readonly messages: number; readonly perMs: number } | undefined
  readonly #idle: Member[] = []
  readonly #waiters: (() => void)[] = []
  readonly #running = new Set<Promise<unknown>>()
  /** When the latest submissions began, as many as the rate counts. */
  readonly #begun: number[] = []
  #timer: NodeJS.Timeout | undefined
  #busy = 0
  #closed = false

  /** Throws `ERR_OPTION`. Connects to nothing yet. */
  constructor(options: SmtpPoolOptions) {
    checkSmtpOptions(options)
    this.#options = options
    this.#maxConnections = positive('maxConnections', options.maxConnections ?? 5)
    this.#maxMessages = positive('maxMessages', options.maxMessages ?? 100)
    this.#rate =
      options.rate === undefined
        ? undefined
        : { messages: positive('rate.messages', options.rate.messages), perMs: positive('rate.perMs', options.rate.perMs) }
  }

  /**
   * As `SmtpClient.submit`, and rejects as `SmtpClient.connect` does when a connection was needed and could not be made. A connection that the
   * server closed while it was idle is replaced once, if the server had answered nothing: `content` is asked again then.
   */
  async submit(envelope: Envelope, content: () => AsyncIterable<Uint8Array>): Promise<Receipt> {
    if (this.#closed) throw closedError()
    const run = this.#submit(envelope, content)
    this.#running.add(run)
    try {
      return await run
    } finally {
      this.#running.delete(run)
    }
  }

  /** Takes no more submissions, waits for those under way, and ends every connection with QUIT. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#running)
    clearTimeout(this.#timer)
    for (const member of this.#idle.splice(0)) this.#retire(member)
    await Promise.allSettled(this.#running)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #submit(envelope: Envelope, content: () => AsyncIterable<Uint8Array>): Promise<Receipt> {
    await this.#turn(envelope.options?.signal ?? undefined)
    try {
      const member = this.#reusable()
      if (member === undefined) return await this.#use(await this.#connect(), envelope, content)
      let receipt: Receipt
      try {
        receipt = await this.#use(member, envelope, content)
      } catch (error) {
        if (!wasClosedWhileIdle(error)) throw error
        return await this.#use(await this.#connect(), envelope, content)
      }
      // 421 that was on its way before we asked (H19): it says nothing about this message.
      const stale = receipt.outcome === 'deferred' && receipt.reply?.status === 421 && receipt.octets === 0
      return stale ? await this.#use(await this.#connect(), envelope, content) : receipt
    } finally {
      this.#busy--
      this.#wake()
    }
  }

  async #connect(): Promise<Member> {
    return { client: await SmtpClient.connect(this.#options), submissions: 0 }
  }

  #reusable(): Member | undefined {
    for (let member = this.#idle.pop(); member !== undefined; member = this.#idle.pop()) {
      if (member.client.usable) return member
      this.#retire(member)
    }
    return undefined
  }

  async #use(member: Member, envelope: Envelope, content: () => AsyncIterable<Uint8Array>): Promise<Receipt> {
    const source = content()
    try {
      member.submissions++
      return await member.client.submit(envelope, source)
    } catch (error) {
      // A stream that was opened for this attempt and may not have been touched.
      if ('destroy' in source && typeof source.destroy === 'function') source.destroy()
      throw error
    } finally {
      if (member.client.usable && member.submissions < this.#maxMessages) this.#idle.push(member)
      else this.#retire(member)
    }
  }

  #retire({ client }: Member): void {
    const leaving = client.quit().finally(() => this.#running.delete(leaving))
    this.#running.add(leaving)
  }

  /** Waits for a free connection and for the rate. */
  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason)
      const onAbort = (): void => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1)
        reject(signal?.reason)
      }
      const waiter = (): void => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      signal?.addEventListener('abort', onAbort)
      this.#waiters.push(waiter)
      this.#wake()
    })
  }

  #wake(): void {
    while (this.#waiters.length > 0 && this.#busy < this.#maxConnections) {
      const delay = this.#delay()
      if (delay > 0) {
        clearTimeout(this.#timer)
        this.#timer = setTimeout(() => this.#wake(), delay)
        return
      }
      this.#busy++
      this.#begun.push(performance.now())
      this.#waiters.shift()?.()
    }
  }

  /** Milliseconds until the rate lets another submission begin. */
  #delay(): number {
    if (this.#rate === undefined) {
      this.#begun.length = 0
      return 0
    }
    if (this.#begun.length < this.#rate.messages) return 0
    const wait = (this.#begun[0] ?? 0) + this.#rate.perMs - performance.now()
    if (wait > 0) return Math.ceil(wait)
    this.#begun.shift()
    return 0
  }
}

/** Lost before MAIL was answered, so nobody can have taken anything (S31). */
function wasClosedWhileIdle(error: unknown): boolean {
  return error instanceof MailError && error.code === 'ERR_CLOSED' && (error.phase === 'mail' || error.phase === 'rset')
}

function closedError(): MailError {
  return new MailError('ERR_CLOSED', 'the pool is closed', { phase: 'mail' })
}

function positive(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) throw optionError(name, 'a whole number from 1')
  return value
}
