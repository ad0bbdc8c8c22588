import { EMPTY } from '../../bytes.ts'
import type { SaslMechanism } from './mechanism.ts'

/** PLAIN (RFC 4616): everything in one message. The user acts for nobody else: the authorization identity is empty. Some servers ask once more,
 *  in words that mean nothing; a second question gets nothing. */
export function plainMechanism(user: string, password: string): SaslMechanism {
  const answers = [Buffer.from(`\0${user}\0${password}`)]
  return { initialResponse: answers[0] ?? null, respond: () => answers.shift() ?? EMPTY }
}
