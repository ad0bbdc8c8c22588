import { createHash } from 'node:crypto'
import { MailError } from '../errors.ts'
import type { Credentials } from '../tls/options.ts'
import { selectMechanism } from '../wire/sasl/mechanism.ts'
import type { Pop3Features } from './features.ts'

/** The way to log in: the one that the credentials name, otherwise AUTH when the server has no USER, or USER could not carry a name or password
 *  that is not ASCII; USER and PASS otherwise. One that was refused is not followed by another. Fails with `ERR_AUTH_MECHANISM`.
 *  @param known what the server offers is known */
export function chooseLogin(auth: Credentials, { sasl, user }: Pop3Features, known: boolean): 'USER' | 'APOP' | ReturnType<typeof selectMechanism> {
  const named = auth.mechanism?.toUpperCase()
  if (named === 'USER' || named === 'APOP') return named
  const offered = known || named === undefined ? sasl : [named]
  if (named !== undefined || !('password' in auth)) return selectMechanism(auth, offered)
  const isPlain = /^[!-~]+$/.test(auth.user) && (typeof auth.password !== 'string' || /^[ -~]{0,200}$/.test(auth.password))
  return (user && isPlain) || !sasl.some((name) => name === 'PLAIN' || name === 'LOGIN') ? 'USER' : selectMechanism(auth, offered)
}

const MAX_STAMP_OCTETS = 128

/** The digest of APOP (RFC 1939 §7). What looks like a time stamp but is no msg-id could be made so that the digest gives the password away
 *  (CVE-2007-1558, P14). Throws `ERR_AUTH_MECHANISM`. */
export function apopDigest(greeting: string, password: string): string {
  const [stamp = ''] = /<[^<>]*>/.exec(greeting) ?? []
  const isAlone = greeting.split(/[<>]/).length === 3 // one opens and one closes
  if (!isAlone || stamp.length > MAX_STAMP_OCTETS || !MESSAGE_ID.test(stamp)) {
    throw new MailError('ERR_AUTH_MECHANISM', 'the greeting has no time stamp that is fit for APOP', { phase: 'auth' })
  }
  try {
    return createHash('md5').update(`${stamp}${password}`).digest('hex')
  } catch (cause) {
    throw new MailError('ERR_AUTH_MECHANISM', 'APOP needs MD5, which this machine does not allow', { phase: 'auth', cause })
  }
}

/** RFC 5322 §3.6.4, without comments and obsolete forms. */
const MESSAGE_ID = /^<[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*@(?:[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*|\[[!-Z^-~]*\])>$/
