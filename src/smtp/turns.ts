/** The order in which calls may write on one connection. */
export class Turns {
  readonly #waiting = new Set<{ readonly isAlone: boolean; readonly begin: () => void }>()
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
      const leave = (): void => {
        this.#waiting.delete(entry)
        reject(signal?.reason)
      }
      const begin = (): void => {
        signal?.removeEventListener('abort', leave)
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
      const entry = { isAlone, begin }
      if (signal?.aborted === true) return reject(signal.reason)
      signal?.addEventListener('abort', leave)
      this.#waiting.add(entry)
      this.#next()
    })
  }

  #next(): void {
    const [first] = this.#waiting
    if (first === undefined || this.#isTaken || this.#running >= (first.isAlone ? 1 : this.#most)) return
    this.#waiting.delete(first)
    first.begin()
  }
}
