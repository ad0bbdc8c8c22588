import { MailError } from '../errors.ts'

/**
 * The content of a document while it is handed over: read once, piece by piece, and only until the handler has ended. What the handler left is
 * drained, since a document counts as accepted only when all its octets have come.
 */
export class ContentGate implements AsyncIterable<Buffer> {
  readonly #source: AsyncIterator<Buffer>
  #taken = false
  #closed: unknown
  #pulling: Promise<unknown> = Promise.resolve()
  #leave: ((reason: unknown) => void) | undefined
  #ended = false
  /** The source failed, and with this. */
  failure: { readonly error: unknown } | undefined

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
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
    await this.#pulling.catch(() => undefined)
    while (!this.#ended) await this.#pull()
    if (this.failure !== undefined) throw this.failure.error
  }

  /** One read at a time. One that waits for the source ends when the gate is closed, while the source goes on for `drain`. */
  #next(): Promise<IteratorResult<Buffer, undefined>> {
    return new Promise((resolve, reject) => {
      const pull = this.#pulling.then(() => {
        if (this.#closed !== undefined) throw this.#closed
        this.#leave = reject
        return this.#pull()
      })
      this.#pulling = pull.catch(() => undefined)
      void pull.then(resolve, reject).finally(() => {
        if (this.#leave === reject) this.#leave = undefined
      })
    })
  }

  async #pull(): Promise<IteratorResult<Buffer, undefined>> {
    if (this.#ended) {
      if (this.failure !== undefined) throw this.failure.error
      return { done: true, value: undefined }
    }
    try {
      const result = await this.#source.next()
      if (result.done !== true) return result
      this.#ended = true
      return { done: true, value: undefined }
    } catch (error) {
      this.#ended = true
      this.failure = { error }
      throw error
    }
  }
}

function contentError(message: string): MailError {
  return new MailError('ERR_CONTENT', message, { phase: 'document', reusable: true })
}
