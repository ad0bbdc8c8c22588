import { setMaxListeners } from 'node:events'

/**
 * How a run ends when its signal is aborted or the disk fails. While it is still on its way to the server, at once. Later in order: documents
 * that are being handed over can be read no further, handlers get some time to end, deletions that were decided are confirmed, and when the time
 * is over, whatever is left is cut off.
 */
export class Stop implements Disposable {
  readonly #ending = new AbortController()
  readonly #connection = new AbortController()
  /** Once it is aborted, nothing new is begun. */ readonly ending: AbortSignal = this.#ending.signal
  /** Ends the connection, and all that waits for it or for a handler. */ readonly connection: AbortSignal = this.#connection.signal
  readonly #graceMs: number
  readonly #forget: () => void
  #orderly = false
  #timer: NodeJS.Timeout | undefined

  constructor(signal: AbortSignal, graceMs: number) {
    this.#graceMs = graceMs
    setMaxListeners(0, this.ending, this.connection) // one for each document under way
    this.#forget = onAbort(signal, (reason) => this.end(reason))
  }

  /** From now on there is something to end in order. */
  begin(): void {
    this.#orderly = true
  }

  end(reason: unknown): void {
    if (this.ending.aborted) return
    this.#ending.abort(reason)
    if (this.#orderly) this.#timer = setTimeout(() => this.cut(reason), this.#graceMs)
    else this.cut(reason)
  }

  cut(reason: unknown): void {
    this.#connection.abort(reason)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#forget()
  }
}

/** Calls when the signal is aborted, at once when it is already; the result takes that back. Unlike `AbortSignal.any`, leaves nothing on a signal that lives on. */
export function onAbort(signal: AbortSignal | undefined, call: (reason: unknown) => void): () => void {
  const listener = (): void => call(signal?.reason)
  if (signal?.aborted === true) listener()
  else signal?.addEventListener('abort', listener, { once: true })
  return () => signal?.removeEventListener('abort', listener)
}

/** What the value settles with, or the reason of an abort that comes before. */
export function orAbort<T>(value: T | Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, reject)
    void Promise.resolve(value).then(resolve, reject).finally(forget)
  })
}
