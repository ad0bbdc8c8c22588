const WINDOW_MS = 60_000

/** Watches that octets move at a minimum rate, which an idle timer cannot: one octet every few seconds would last for ever (H44). */
export class RateMeter {
  readonly #minimum: number
  #octets = 0
  #waitedMs = 0

  /** @param minimum octets a second; 0 for any rate */
  constructor(minimum: number) {
    this.#minimum = minimum
  }

  /** Takes `octets` that were waited for. True when over the last minute of waiting they were too few; the time between waits does not count. */
  add(octets: number, waitedMs: number): boolean {
    this.#octets += octets
    this.#waitedMs += waitedMs
    if (this.#waitedMs < WINDOW_MS) return false
    const slow = this.#octets < (this.#minimum * this.#waitedMs) / 1000
    this.#octets = 0
    this.#waitedMs = 0
    return slow
  }
}
