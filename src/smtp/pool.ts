import { MailError } from '../errors.ts'
import { optionError } from '../tls/options.ts'
import { SmtpClient } from './client.ts'
import type { Envelope } from './envelope.ts'
import { checkSmtpOptions, type SmtpOptions } from './options.ts'
import type { Receipt } from './transaction.ts'

export interface SmtpPoolOptions extends SmtpOptions {
  /** @default 5 */ readonly maxConnections?: number | undefined
  /** On one connection. @default 100 */ readonly maxMessages?: number | undefined
  /** Submissions that may begin in any `perMs` milliseconds. @default none */
  readonly rate?: { readonly messages: number; readonly perMs: number } | undefined
}

const MAX_TIMER_MS = 0x7fff_ffff // setTimeout holds 31 bits; more would fire at once

type Member = { readonly client: SmtpClient; submissions: number }

/** Several connections to one server, made when they are needed and used again; submissions begin in the order in which they were asked for. */
export class SmtpPool implements AsyncDisposable {
  readonly #options: SmtpPoolOptions & { readonly maxConnections: number; readonly maxMessages: number }
  readonly #idle: Member[] = []
  readonly #waiters = new Set<() => void>()
  /** Submissions and farewells. */ readonly #running = new Set<Promise<unknown>>()
  /** When the latest submissions began, as many as the rate counts. */ readonly #begun: number[] = []
  #timer: NodeJS.Timeout | undefined
  #busy = 0
  #closed = false

  /** Throws `ERR_OPTION`. Connects to nothing yet. */
  constructor(options: SmtpPoolOptions) {
    checkSmtpOptions(options)
    const { maxConnections = 5, maxMessages = 100, rate } = options
    const counts = { maxConnections, maxMessages, ...(rate && { 'rate.messages': rate.messages, 'rate.perMs': rate.perMs }) }
    for (const [name, value] of Object.entries(counts)) {
      if (!Number.isSafeInteger(value) || value < 1) throw optionError(name, 'a whole number from 1')
    }
    this.#options = { ...options, maxConnections, maxMessages, rate: rate && { ...rate } }
  }

  /** As `SmtpClient.submit`, and rejects as `SmtpClient.connect` does when a connection was needed and could not be made. A connection that the
   *  server closed while it was idle is replaced once, if the server had answered nothing: `content` is asked again then. A stream that
   *  `content` gave is destroyed when its attempt is over. */
  submit(envelope: Envelope, content: () => AsyncIterable<Uint8Array>): Promise<Receipt> {
    return this.#run(this.#submit(envelope, content))
  }

  /** Takes no more submissions, waits for those under way, and ends every connection with QUIT. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#running)
    clearTimeout(this.#timer)
    for (const { client } of this.#idle.splice(0)) void this.#run(client.quit())
    await Promise.allSettled(this.#running)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #run<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work)
    return work.finally(() => this.#running.delete(work))
  }

  async #submit(envelope: Envelope, content: () => AsyncIterable<Uint8Array>): Promise<Receipt> {
    if (this.#closed) throw new MailError('ERR_CLOSED', 'the pool is closed', { phase: 'mail' })
    await this.#turn(envelope.options?.signal ?? undefined)
    try {
      let member = this.#idle.pop()
      for (; member?.client.usable === false; member = this.#idle.pop()) void this.#run(member.client.quit())
      if (member !== undefined) {
        try {
          const receipt = await this.#use(member, envelope, content)
          // 421 that was on its way before we asked (H19) says nothing about this message.
          if (!(receipt.reply?.status === 421 && member.client.unanswered)) return receipt
        } catch (error) {
          // Lost before MAIL was answered, so nobody can have taken anything (S31); RSET that is refused is no better than a lost connection.
          const lost = error instanceof MailError && (error.phase === 'rset' || (error.phase === 'mail' && error.code === 'ERR_CLOSED'))
          if (!lost) throw error
        }
      }
      return await this.#use({ client: await SmtpClient.connect(this.#options), submissions: 0 }, envelope, content)
    } finally {
      this.#busy--
      this.#wake()
    }
  }

  async #use(member: Member, envelope: Envelope, content: () => AsyncIterable<Uint8Array>): Promise<Receipt> {
    let source: AsyncIterable<Uint8Array> | undefined
    try {
      member.submissions++
      source = content()
      return await member.client.submit(envelope, source)
    } finally {
      // A stream was opened for this attempt and may not have been touched.
      if (source !== undefined && 'destroy' in source && typeof source.destroy === 'function') source.destroy()
      if (member.client.usable && member.submissions < this.#options.maxMessages) this.#idle.push(member)
      else void this.#run(member.client.quit())
    }
  }

  /** Waits for a free connection and for the rate. */
  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiters.delete(begin)
        reject(signal?.reason)
      }
      const begin = (): void => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      if (signal?.aborted === true) return onAbort()
      signal?.addEventListener('abort', onAbort)
      this.#waiters.add(begin)
      this.#wake()
    })
  }

  #wake(): void {
    clearTimeout(this.#timer)
    for (const begin of this.#waiters) {
      if (this.#busy >= this.#options.maxConnections) return
      const delay = this.#delay()
      if (delay > 0) {
        this.#timer = setTimeout(() => this.#wake(), Math.min(delay, MAX_TIMER_MS))
        return
      }
      this.#busy++
      this.#waiters.delete(begin)
      begin()
    }
  }

  /** Milliseconds until the rate lets another submission begin. At 0 it counts as begun. */
  #delay(): number {
    if (this.#options.rate === undefined) return 0
    const { messages, perMs } = this.#options.rate
    const now = performance.now()
    const first = this.#begun[0]
    if (first !== undefined && this.#begun.length === messages) {
      const wait = Math.ceil(first + perMs - now)
      if (wait > 0) return wait
      this.#begun.shift()
    }
    this.#begun.push(now)
    return 0
  }
}
