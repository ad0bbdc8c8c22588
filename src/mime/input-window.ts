import { EMPTY } from '../bytes.ts'

const MAX_SPARE = 512 * 1024 // octets kept in our own memory are given back to the system when they were more than this
const MIN_SPARE = 16 * 1024

/** The octets that a tokenizer looks at: a chunk as it came, or what was left of the one before joined to it. Joining costs linear time however
 *  the octets are cut, and happens only where something lies across the cut. */
export class InputWindow {
  /** All there is; before `at` it was dealt with. */ octets: Buffer = EMPTY
  at = 0
  /** Offset of the first octet of the window. */ #base = 0
  #spare: Buffer = EMPTY
  /** The window is the beginning of the spare memory, not a chunk. */ #isJoined = false

  /** The place in the message of an octet of the window. */
  offset(index: number): number {
    return this.#base + index
  }

  extend(chunk: Buffer): void {
    if (this.at < this.octets.length) return this.#join(chunk)
    this.#base += this.octets.length
    this.octets = chunk
    this.at = 0
    this.#isJoined = false
    if (this.#spare.length > MAX_SPARE) this.#spare = EMPTY
  }

  /** Whoever reads the next chunk may use the memory of this one: copies what is left of it. */
  keep(): void {
    if (!this.#isJoined && this.at < this.octets.length) this.#join(EMPTY)
  }

  #join(chunk: Buffer): void {
    let end = this.octets.length
    if (!this.#isJoined || end + chunk.length > this.#spare.length) {
      // Twice what is needed, so that octets that come one by one are not moved each time.
      const room = 2 * (end - this.at + chunk.length)
      const spare = this.#spare.length >= room ? this.#spare : Buffer.allocUnsafeSlow(Math.max(MIN_SPARE, room))
      end = this.octets.copy(spare, 0, this.at)
      this.#base += this.at
      this.at = 0
      this.#spare = spare
      this.#isJoined = true
    }
    chunk.copy(this.#spare, end)
    this.octets = this.#spare.subarray(0, end + chunk.length)
  }
}
