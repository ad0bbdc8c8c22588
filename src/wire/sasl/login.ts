import { MailError, type Phase } from '../../errors.ts'
import type { SaslMechanism } from './mechanism.ts'

/** LOGIN: never standardized, everywhere in use. The name, then the password; what the prompts say differs between servers and is ignored. */
export class LoginMechanism implements SaslMechanism {
  readonly name = 'LOGIN'
  /** Some servers refuse an initial response. */
  readonly initialResponse = null
  readonly #answers: Buffer[]
  readonly #phase: Phase

  constructor(user: string, password: string, phase: Phase) {
    this.#answers = [Buffer.from(user), Buffer.from(password)]
    this.#phase = phase
  }

  respond(): Buffer {
    const answer = this.#answers.shift()
    if (answer === undefined) throw new MailError('ERR_AUTH', 'the server asks for more than a name and a password', { phase: this.#phase })
    return answer
  }

  succeeded(): void {
    // LOGIN proves nothing about the server: TLS did.
  }
}
