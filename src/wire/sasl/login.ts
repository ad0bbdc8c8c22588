import { MailError } from '../../errors.ts'
import type { SaslMechanism } from './mechanism.ts'

/** LOGIN: never standardized, everywhere in use. The name, then the password; what the prompts say differs between servers and is ignored. Some
 *  servers refuse an initial response. */
export function loginMechanism(user: string, password: string): SaslMechanism {
  const answers = [Buffer.from(user), Buffer.from(password)]
  const respond = (): Buffer => {
    const answer = answers.shift()
    if (answer === undefined) throw new MailError('ERR_AUTH', 'the server asks for more than a name and a password', { phase: 'auth' })
    return answer
  }
  return { initialResponse: null, messages: 2, respond }
}
