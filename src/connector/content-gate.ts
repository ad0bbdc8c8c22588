import { MailError } from '../errors.ts'
import { Tap } from './source.ts'

/**
 * The content of a document while it is handed over: read once, piece by piece, and only until the handler has ended. What the handler left is
 * drained, since a document counts as accepted only when all its octets have come.
 */
export class ContentGate implements AsyncIterable<Buffer> {
  readonly #source: Tap<Buffer>
  #taken = false
  #closed: unknown
  #pulling: Promise<unknown> = Promise.resolve()
  #leave: ((reason: unknown) => void) | undefined

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = new Tap(source)
  }

  /** The source failed, and with this. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#source.failure
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    if (this.#taken) throw contentError('the content of a document can be read once')
    this.#taken = true
    return { next: () => this.#next(), return: () => Promise.resolve({ done: true, value: undefined }) }
  }

  /** Ends reading by the handler; `reason` is what it finds when it tries. */
  close(reason: unknown = contentError('the content of a document cannot be read after its handler has ended')): void {
    this.#closed ??= reason
    this.#leave?.(reason)
  }

  /** To be called after `close`: reads what is left. Rejects when the source does. */
  async drain(): Promise<void> {
    await this.#pulling
    await this.#source.drain()
  }

  /** One read at a time. One that waits for the source ends when the gate is closed, while the source goes on for `drain`. */
  #next(): Promise<IteratorResult<Buffer, undefined>> {
    return new Promise((resolve, reject) => {
      const pull = this.#pulling.then(() => {
        if (this.#closed !== undefined) throw this.#closed
        this.#leave = reject
        return this.#source.next()
      })
      this.#pulling = pull.catch(() => undefined)
      void pull.then(resolve, reject).finally(() => {
        if (this.#leave === reject) this.#leave = undefined
      })
    })
  }
}

const contentError = (message: string): MailError => new MailError('ERR_CONTENT', message, { phase: 'document', reusable: true })
