import type { Report } from './defect.ts'
import type { ContentDecoder } from './encoding/decoder.ts'
import type { Description } from './entity.ts'
import type { MimeTokenizer } from './tokenizer.ts'

/** Messages inside messages that are decoded on the way: each one more costs the octets of all within it again. */
export const MAX_ENCODED_LEVELS = 5

/** An enclosed message in a transfer encoding, on its way through a decoder to a tokenizer of its own. */
export class EncodedMessage<E extends Description> {
  readonly tokenizer: MimeTokenizer<E>
  readonly #decoder: ContentDecoder
  readonly #report: Report
  /** Raw octets are to be views of one buffer: what was decoded so far. */ readonly #pieces: Buffer[] | undefined

  constructor(entity: E, decoder: ContentDecoder, tokenizer: MimeTokenizer<E>, whole: boolean) {
    this.tokenizer = tokenizer
    this.#report = entity.bodyReport()
    this.#decoder = decoder
    this.#pieces = whole ? [] : undefined
  }

  feed(octets: Buffer): void {
    const decoded = this.#decoder.decode(octets, this.#report)
    if (this.#pieces === undefined) this.tokenizer.push(decoded)
    else this.#pieces.push(decoded)
  }

  end(): void {
    const last = this.#decoder.end(this.#report)
    this.tokenizer.push(this.#pieces === undefined ? last : Buffer.concat([...this.#pieces, last]), true)
  }
}
