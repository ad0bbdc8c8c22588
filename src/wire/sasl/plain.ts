import { EMPTY } from '../../bytes.ts'
import type { SaslMechanism } from './mechanism.ts'

/** PLAIN (RFC 4616): everything in one message. */
export class PlainMechanism implements SaslMechanism {
  readonly initialResponse: Buffer
  readonly #answers: Buffer[]

  /** The user acts for nobody else: the authorization identity is empty. */
  constructor(user: string, password: string) {
    this.initialResponse = Buffer.from(`\0${user}\0${password}`)
    this.#answers = [this.initialResponse]
  }

  /** Some servers ask once more, in words that mean nothing. A second question gets nothing. */
  respond(): Buffer {
    return this.#answers.shift() ?? EMPTY
  }

  succeeded(): void {
    // PLAIN proves nothing about the server: TLS did.
  }
}
