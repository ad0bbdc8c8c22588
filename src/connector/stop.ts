/**
 * How a run ends when its signal is aborted. While it is still on its way to the server, at once. Later in order: documents that are being handed
 * over can be read no further, handlers get some time to end, deletions that were decided are confirmed, and when the time is over, whatever is
 * left is cut off.
 */
export class Stop implements Disposable {
  readonly #signal: AbortSignal | undefined
  readonly #graceMs: number
  readonly #connection = new AbortController()
  readonly #listeners = new Set<StopListener>()
  #orderly = false
  #timer: NodeJS.Timeout | undefined

  constructor(signal: AbortSignal | undefined, graceMs: number) {
    this.#signal = signal
    this.#graceMs = graceMs
    signal?.addEventListener('abort', this.#stop, { once: true })
    if (signal?.aborted === true) this.#stop()
  }

  /** Nothing new is begun. */
  get stopping(): boolean {
    return this.#signal?.aborted === true
  }

  get reason(): unknown {
    return this.#signal?.reason
  }

  /** Ends the connection, and all that waits for it. */
  get connection(): AbortSignal {
    return this.#connection.signal
  }

  /** From now on there is something to end in order. */
  begin(): void {
    this.#orderly = true
  }

  /** To be called while `stopping` may begin; the result takes the listener away. */
  listen(listener: StopListener): () => void {
    this.#listeners.add(listener)
    if (this.stopping) listener.stop(this.reason)
    return () => this.#listeners.delete(listener)
  }

  cut(reason: unknown): void {
    this.#connection.abort(reason)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#signal?.removeEventListener('abort', this.#stop)
  }

  readonly #stop = (): void => {
    if (!this.#orderly) {
      this.cut(this.reason)
      return
    }
    for (const listener of this.#listeners) listener.stop(this.reason)
    this.#timer = setTimeout(() => {
      for (const listener of this.#listeners) listener.leave(this.reason)
      this.cut(this.reason)
    }, this.#graceMs)
  }
}

export interface StopListener {
  /** The run is to end. */
  stop(reason: unknown): void
  /** The time for an orderly end is over. */
  leave(reason: unknown): void
}
