import { CR, EMPTY, LF } from '../bytes.ts'
import { GrammarError } from '../errors.ts'

/** Cuts chunks into lines within a limit, which is counted while octets arrive. A line ends in LF; one CR before it belongs to the line end,
 *  a CR anywhere else is part of the line (RFC 5321 §2.3.8). Lines are views, valid until the next `push`. */
export class LineSplitter {
  /** Octets of one line, its line end included. */ limit: number
  readonly #observe: (line: Buffer) => void
  #chunk: Buffer = EMPTY
  #at = 0
  /** Pieces of a line whose end has not come: each is a copy, because chunks are borrowed. */ #held: Buffer[] = []
  #heldLength = 0

  /** @param limit octets of one line, its line end included
   *  @param observe sees each line that `next` gives */
  constructor(limit: number, observe: (line: Buffer) => void = () => {}) {
    this.limit = limit
    this.#observe = observe
  }

  /** The octets of the chunk before must be used up, by `next` giving `undefined` or by `take`. */
  push(chunk: Buffer): void {
    this.#chunk = this.#at < this.#chunk.length ? Buffer.concat([this.#chunk.subarray(this.#at), chunk]) : chunk
    this.#at = 0
  }

  /** The next line without its line end, or `undefined` when more input is needed. Throws `GrammarError` when the limit is crossed. */
  next(): Buffer | undefined {
    const from = this.#at
    if (from >= this.#chunk.length) return undefined
    const end = this.#chunk.indexOf(LF, from)
    const length = this.#heldLength + (end < 0 ? this.#chunk.length : end + 1) - from
    if (length > this.limit) throw new GrammarError(`a line of more than ${this.limit} octets`, true)
    if (end < 0) {
      this.#held.push(Buffer.from(this.#chunk.subarray(from)))
      this.#heldLength = length
      this.#at = this.#chunk.length
      return undefined
    }
    this.#at = end + 1
    let line = this.#chunk.subarray(from, end)
    if (this.#heldLength > 0) {
      this.#held.push(line)
      line = Buffer.concat(this.#held)
      this.#held = []
      this.#heldLength = 0
    }
    if (line.at(-1) === CR) line = line.subarray(0, -1)
    this.#observe(line)
    return line
  }

  /** What is left of the chunk, for a reader of another shape (content after a status line). A line must not be half read. */
  take(): Buffer {
    const rest = this.#chunk.subarray(this.#at)
    this.#chunk = EMPTY
    this.#at = 0
    return rest
  }

  /** Octets pushed and not given out as lines. */
  get unread(): number {
    return this.#heldLength + this.#chunk.length - this.#at
  }
}
