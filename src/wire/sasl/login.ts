import { MailError } from '../../errors.ts'
import type { SaslMechanism } from './mechanism.ts'

/** LOGIN: never standardized, everywhere in use. The name, then the password; what the prompts say differs between servers and is ignored. */
export class LoginMechanism implements SaslMechanism {
  /** Some servers refuse an initial response. */ readonly initialResponse = null
  readonly #answers: Buffer[]

  constructor(user: string, password: string) {
    this.#answers = [Buffer.from(user), Buffer.from(password)]
  }

  respond(): Buffer {
    const answer = this.#answers.shift()
    if (answer === undefined) throw new MailError('ERR_AUTH', 'the server asks for more than a name and a password', { phase: 'auth' })
    return answer
  }

  succeeded(): void {
    // LOGIN proves nothing about the server: TLS did.
  }
}
