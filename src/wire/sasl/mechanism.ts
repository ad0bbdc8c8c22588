import { MailError, type Phase } from '../../errors.ts'
import { LoginMechanism } from './login.ts'
import { PlainMechanism } from './plain.ts'

/**
 * One authentication exchange: challenge in, response out (RFC 4422 §3). The protocol around it does the base64, counts the rounds and
 * gives up with `*`.
 */
export interface SaslMechanism {
  readonly name: string
  /** What the client says first; `null` when the server speaks first, and then no initial response may be sent. */
  readonly initialResponse: Buffer | null
  /** The answer to a challenge; a promise where it takes long (key derivation). Throws `MailError` when the exchange must end. */
  respond(challenge: Buffer): Buffer | Promise<Buffer>
  /** The server reported success. Throws `MailError` when it did not prove itself (SCRAM). */
  succeeded(): void
}

/** Rounds of challenge and response before we give up (S22, H38). */
export const MAX_ROUNDS = 10
/** Octets of a challenge, in base64. */
export const MAX_CHALLENGE_OCTETS = 12_288

/** Best first. A weaker one is never tried after a failure (S20). */
const PASSWORD_MECHANISMS = ['PLAIN', 'LOGIN'] as const
type PasswordMechanism = (typeof PASSWORD_MECHANISMS)[number]

/** What a mechanism needs to know about the caller's credentials; `tls/options.ts` has their public shape. */
export interface Login {
  readonly user: string
  readonly mechanism?: string | undefined
  readonly password?: unknown
}

/**
 * The mechanism to use with credentials: the one they name, or the best that both sides have. `offered` is what the server lists, in any
 * case. Fails with `ERR_AUTH_MECHANISM`.
 */
export function selectMechanism(login: Login, offered: readonly string[], phase: Phase): PasswordMechanism {
  const names = new Set(offered.map((name) => name.toUpperCase()))
  const wanted = login.mechanism?.toUpperCase()
  const usable = PASSWORD_MECHANISMS.filter((name) => login.password !== undefined && (wanted === undefined || wanted === name))
  const chosen = usable.find((name) => names.has(name))
  if (chosen !== undefined) return chosen
  if (usable.length === 0) {
    throw new MailError(
      'ERR_AUTH_MECHANISM',
      `these credentials need a mechanism that is not available here; with a password it is ${PASSWORD_MECHANISMS.join(' or ')}`,
      { phase },
    )
  }
  const why = names.size === 0 ? 'the server does not offer authentication on this connection' : `the server does not offer ${usable.join(' or ')}`
  throw new MailError('ERR_AUTH_MECHANISM', `${why}; check the port and the security of the connection`, { phase })
}

export function createMechanism(name: PasswordMechanism, user: string, password: string, phase: Phase): SaslMechanism {
  // NUL separates the fields of PLAIN; half a surrogate pair has no UTF-8.
  if (/[\0\r\n]|\p{Surrogate}/u.test(user) || /[\0\r\n]|\p{Surrogate}/u.test(password)) {
    throw new MailError('ERR_OPTION', 'user name and password must be text without NUL, CR and LF', { phase })
  }
  return name === 'PLAIN' ? new PlainMechanism(user, password) : new LoginMechanism(user, password, phase)
}
