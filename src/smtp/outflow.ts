import { BLOCK_OCTETS } from './content.ts'

export type Source = Iterator<Uint8Array> | AsyncIterator<Uint8Array>

/**
 * Content on its way out: gathered into blocks, and written at once when the source makes us wait, so that neither a source of many small
 * chunks nor a slow one costs what it need not.
 */
export class Outflow {
  readonly #write: (views: readonly Buffer[]) => Promise<void>
  #held: Buffer[] = []
  #heldOctets = 0
  #waiting: NodeJS.Immediate | undefined
  #settled: Promise<void> = Promise.resolve()

  /** @param write must not reject */
  constructor(write: (views: readonly Buffer[]) => Promise<void>) {
    this.#write = write
  }

  /** What is not written by then leaves at the next turn of the event loop, which comes when the source makes us wait. */
  add(views: readonly Buffer[]): void {
    for (const view of views) {
      this.#held.push(view)
      this.#heldOctets += view.length
    }
    if (this.#heldOctets >= BLOCK_OCTETS) this.flush()
    else this.#waiting ??= setImmediate(() => this.flush())
  }

  /** Writes what was gathered. */
  flush(): void {
    clearImmediate(this.#waiting)
    this.#waiting = undefined
    const views = this.#held
    if (views.length === 0) return
    this.#held = []
    this.#heldOctets = 0
    this.#settled = this.#write(views)
  }

  /** What was written has gone far enough for more. */
  get settled(): Promise<void> {
    return this.#settled
  }
}

/** Lets the source clean up. It is not waited for: it may hang, which can be why we stopped; a stream that hangs would not hear of it. */
export function abandon(content: object, source: Source): void {
  try {
    if ('destroy' in content && typeof content.destroy === 'function') content.destroy()
    void Promise.resolve(source.return?.()).catch(() => {})
  } catch {
    // What a source says about being left changes nothing.
  }
}
