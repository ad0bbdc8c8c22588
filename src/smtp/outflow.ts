import { BLOCK_OCTETS } from './content.ts'

/**
 * Content on its way out: gathered into blocks, and written at once when the source makes us wait, so that neither a source of many small
 * chunks nor a slow one costs what it need not.
 */
export class Outflow {
  readonly #write: (views: readonly Buffer[]) => Promise<void>
  readonly #onFailure: (error: unknown) => void
  #held: Buffer[] = []
  #heldOctets = 0
  #stopped = false
  #stop: () => void = () => {}
  #settled: Promise<void> = Promise.resolve()
  /**
   * Settles at `stop`. To be raced with the content as a whole, not with each chunk: a promise that lives as long as the content would hold
   * every chunk until the end.
   */
  readonly stopping: Promise<void> = new Promise((resolve) => (this.#stop = resolve))

  /** @param onFailure of a write that nobody waits for */
  constructor(write: (views: readonly Buffer[]) => Promise<void>, onFailure: (error: unknown) => void) {
    this.#write = write
    this.#onFailure = onFailure
  }

  /** The source's next chunk, or `undefined` when there is none. While it makes us wait, what was gathered leaves. */
  pull(source: Iterator<Uint8Array> | AsyncIterator<Uint8Array>): Promise<Uint8Array | undefined> {
    const waiting = setImmediate(() => {
      this.#settled = this.flush().catch(this.#onFailure)
    })
    return Promise.resolve(source.next())
      .then((result) => (result.done === true ? undefined : result.value))
      .finally(() => clearImmediate(waiting))
  }

  /** Nothing more is wanted from the source. */
  stop(): void {
    this.#stopped = true
    this.#stop()
  }

  get stopped(): boolean {
    return this.#stopped
  }

  /** What was written while the source made us wait has gone far enough for more. */
  get settled(): Promise<void> {
    return this.#settled
  }

  add(views: readonly Buffer[]): void {
    for (const view of views) {
      this.#held.push(view)
      this.#heldOctets += view.length
    }
  }

  /** Enough for a write. */
  get full(): boolean {
    return this.#heldOctets >= BLOCK_OCTETS
  }

  /** Writes what was gathered; settles when more is wanted. */
  flush(): Promise<void> {
    const views = this.#held
    if (views.length === 0) return Promise.resolve()
    this.#held = []
    this.#heldOctets = 0
    return this.#write(views)
  }
}

/** Lets the source clean up. It is not waited for: it may hang, which can be why we stopped. */
export function abandon(source: Iterator<Uint8Array> | AsyncIterator<Uint8Array>): void {
  try {
    void Promise.resolve(source.return?.()).catch(() => {})
  } catch {
    // What a source says about being left changes nothing.
  }
}
