import { onAbort } from '../abort.ts'

/** First in, first out. The first one is found without a walk over those that have gone. */
export class Queue<T> {
  readonly #entries: { readonly item: T; isGone: boolean }[] = []
  #head = 0

  /** The result takes it out again. */
  add(item: T): () => void {
    const entry = { item, isGone: false }
    this.#entries.push(entry)
    return () => void (entry.isGone = true)
  }

  get first(): T | undefined {
    while (this.#entries[this.#head]?.isGone === true) this.#head++
    if (this.#head > 32 && 2 * this.#head > this.#entries.length) {
      this.#entries.splice(0, this.#head)
      this.#head = 0
    }
    return this.#entries[this.#head]?.item
  }

  shift(): void {
    this.#head++
  }
}

/** The order in which calls may write on one connection. */
export class Turns {
  readonly #waiting = new Queue<{ readonly isAlone: boolean; readonly begin: () => void }>()
  readonly #most: number
  #isTaken = false
  #running = 0

  /** @param most how many may be under way at a time */
  constructor(most = Infinity) {
    this.#most = most
  }

  /** Runs `work` when those before it have passed the turn on, in the same tick. `work` passes it on when the next may write, at the latest by its end. A
   *  signal ends the waiting. @param isAlone waits until those before it have ended */
  take<T>(signal: AbortSignal | undefined, work: (pass: () => void) => Promise<T>, isAlone = false): Promise<T> {
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        forget()
        this.#isTaken = true
        this.#running++
        let isPassed = false
        const pass = (): void => {
          if (!isPassed) this.#isTaken = false
          isPassed = true
          this.#next()
        }
        const end = (): void => {
          this.#running--
          pass()
        }
        work(pass).finally(end).then(resolve, reject)
      }
      const leave = this.#waiting.add({ isAlone, begin })
      const forget = onAbort(signal, (reason) => {
        leave()
        reject(reason)
      })
      this.#next()
    })
  }

  #next(): void {
    const { first } = this.#waiting
    if (first === undefined || this.#isTaken || this.#running >= (first.isAlone ? 1 : this.#most)) return
    this.#waiting.shift()
    first.begin()
  }
}
