import { MailError } from '../../errors.ts'
import type { Credentials } from '../../tls/options.ts'
import { loginMechanism } from './login.ts'
import { plainMechanism } from './plain.ts'

/** One authentication exchange: challenge in, response out (RFC 4422 §3). The protocol around it does the base64, counts the rounds and
 *  gives up with `*`. */
export interface SaslMechanism {
  /** What the client says first; `null` when the server speaks first, and then no initial response may be sent. */
  readonly initialResponse: Buffer | null
  /** The answer to a challenge; a promise where it takes long (key derivation). Throws `MailError` when the exchange must end. */
  respond(challenge: Buffer): Buffer | Promise<Buffer>
  /** So many messages of the client come before a success. @default 1 */ readonly messages?: number
  /** Called when the server reports success: throws `MailError` when it did not prove itself (SCRAM). */ readonly succeeded?: () => void
}

/** Rounds of challenge and response before we give up (S22, H38). */
export const MAX_ROUNDS = 10
/** Octets of a challenge, in base64. */
export const MAX_CHALLENGE_OCTETS = 12_288

/** Best first. A weaker one is never tried after a failure (S20). */
const PASSWORD_MECHANISMS = ['PLAIN', 'LOGIN'] as const
type PasswordMechanism = (typeof PASSWORD_MECHANISMS)[number]

/** The mechanism to use with credentials: the one they name, or the best that both sides have. `offered` is what the server lists, in any
 *  case. Fails with `ERR_AUTH_MECHANISM`. */
export function selectMechanism(auth: Credentials, offered: readonly string[]): PasswordMechanism {
  const names = new Set(offered.map((name) => name.toUpperCase()))
  const wanted = auth.mechanism?.toUpperCase()
  const usable = PASSWORD_MECHANISMS.filter((name) => 'password' in auth && (wanted === undefined || wanted === name))
  const chosen = usable.find((name) => names.has(name))
  if (chosen !== undefined) return chosen
  const why =
    usable.length === 0
      ? `these credentials need a mechanism that is not available here; with a password it is ${PASSWORD_MECHANISMS.join(' or ')}`
      : `the server does not offer ${names.size === 0 ? 'authentication on this connection' : usable.join(' or ')}; check the port and the security of the connection`
  throw new MailError('ERR_AUTH_MECHANISM', why, { phase: 'auth' })
}

/** Throws `ERR_OPTION` for a name or password that would change the message. */
export function createMechanism(name: PasswordMechanism, user: string, password: string): SaslMechanism {
  // NUL separates the fields of PLAIN; half a surrogate pair has no UTF-8.
  if (/[\0\r\n]|\p{Surrogate}/u.test(`${user}.${password}`)) {
    throw new MailError('ERR_OPTION', 'user name and password must be text without NUL, CR and LF', { phase: 'auth' })
  }
  return name === 'PLAIN' ? plainMechanism(user, password) : loginMechanism(user, password)
}
