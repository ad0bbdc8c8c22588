import { EMPTY } from '../../bytes.ts'
import type { SaslMechanism } from './mechanism.ts'

/** PLAIN (RFC 4616): everything in one message. */
export class PlainMechanism implements SaslMechanism {
  readonly name = 'PLAIN'
  readonly initialResponse: Buffer
  #said = false

  /** The user acts for nobody else: the authorization identity is empty. */
  constructor(user: string, password: string) {
    this.initialResponse = Buffer.from(`\0${user}\0${password}`)
  }

  /** Without an initial response the server asks once, in words that mean nothing. A second question gets nothing. */
  respond(): Buffer {
    if (this.#said) return EMPTY
    this.#said = true
    return this.initialResponse
  }

  succeeded(): void {
    // PLAIN proves nothing about the server: TLS did.
  }
}
