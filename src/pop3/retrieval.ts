import { MailError } from '../errors.ts'

/** The octets of one message, once: iterating gives owned chunks; `views()` gives borrowed ones, valid until the next, which is what `readMessage` wants. */
export interface Retrieval extends AsyncIterable<Buffer> {
  readonly number: number
  views(): AsyncIterable<Buffer>
}

/** Owned chunks, or views of what the transport lent. */
export type OpenContent = (owned: boolean) => AsyncGenerator<Buffer, void, undefined>

export class MessageContent implements Retrieval {
  readonly number: number
  readonly #open: OpenContent
  #begun = false

  /** @param open begins the retrieval when it is first asked */
  constructor(number: number, open: OpenContent) {
    this.number = number
    this.#open = open
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer, void, undefined> {
    return this.#begin(true)
  }

  views(): AsyncIterable<Buffer> {
    return { [Symbol.asyncIterator]: () => this.#begin(false) }
  }

  #begin(owned: boolean): AsyncGenerator<Buffer, void, undefined> {
    if (this.#begun) {
      throw new MailError('ERR_SESSION_STATE', `the content of message ${this.number} can be read only once`, { phase: 'retr', reusable: true })
    }
    this.#begun = true
    return this.#open(owned)
  }
}
