import { EMPTY } from '../bytes.ts'

const MAX_SPARE = 512 * 1024 // octets kept in our own memory are given back to the system when they were more than this
const MIN_SPARE = 16 * 1024

/**
 * The octets that a tokenizer looks at: a chunk as it came, or what was left of the one before joined to it. Joining costs linear time however
 * the octets are cut, and happens only where something lies across the cut.
 */
export class InputWindow {
  /** All there is; before `at` it was dealt with. */ octets: Buffer = EMPTY
  at = 0
  /** The chunks' memory is somebody else's. */ readonly #borrowed: boolean
  /** Offset of the first octet of the window. */ #base = 0
  #spare: Buffer = EMPTY
  /** Where the window lies in the spare memory; -1 when it is a chunk. */ #from = -1

  constructor(borrowed: boolean) {
    this.#borrowed = borrowed
  }

  /** The place in the message of an octet of the window. */
  offset(index: number): number {
    return this.#base + index
  }

  extend(chunk: Buffer): void {
    if (this.at === this.octets.length) {
      this.#base += this.octets.length
      this.octets = chunk
      this.at = 0
      this.#from = -1
      if (this.#spare.length > MAX_SPARE) this.#spare = EMPTY
    } else if (chunk.length > 0) this.#join(chunk)
  }

  /** Whoever reads the next chunk may use the memory of this one: copies what is left of it. */
  keep(): void {
    if (this.#borrowed && this.#from === -1 && this.at < this.octets.length) this.#join(EMPTY)
  }

  #join(chunk: Buffer): void {
    const joined = this.octets.length + chunk.length
    if (this.#from !== -1 && this.#from + joined <= this.#spare.length) {
      chunk.copy(this.#spare, this.#from + this.octets.length)
      this.octets = this.#spare.subarray(this.#from, this.#from + joined)
      return
    }
    const rest = this.octets.length - this.at
    // Twice what is needed, so that octets that come one by one are not moved each time.
    const needed = rest + chunk.length
    const spare = this.#spare.length >= 2 * needed ? this.#spare : Buffer.allocUnsafeSlow(Math.max(MIN_SPARE, 2 * needed))
    this.octets.copy(spare, 0, this.at)
    chunk.copy(spare, rest)
    this.#base += this.at
    this.at = 0
    this.#spare = spare
    this.#from = 0
    this.octets = spare.subarray(0, needed)
  }
}
