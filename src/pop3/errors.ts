import { printable } from '../bytes.ts'
import { MailError, type Phase } from '../errors.ts'
import type { StatusReply } from './grammar.ts'

/** Wrong credentials, another session in the maildrop, a login too soon, something that will pass, something that will not; or the server does not say. */
export type Refusal = 'credentials' | 'in use' | 'login delay' | 'temporary' | 'permanent' | 'other'

/** The server answered `-ERR`. `ERR_AUTH` when it refused the credentials; otherwise `ERR_POP3_REPLY`, `transient` when the response code
 *  (RFC 2449 §8, RFC 3206) says that it will pass, or, without a code, when the text speaks of a lock. */
export class Pop3ReplyError extends MailError {
  override readonly name = 'Pop3ReplyError'
  readonly refusal: Refusal
  /** After a login that came too soon: how long the server wants between two (LOGIN-DELAY); `null` where it does not say. */
  readonly retryAfterMs: number | null
  /** What stood in brackets before the text, in upper case: `IN-USE`, `LOGIN-DELAY`, `SYS/TEMP`, `AUTH`, … */ readonly responseCode: string | null
  /** The rest of the reply. Server text: escape it before showing it to anyone. */ readonly text: string

  /** @param loginDelay seconds that the server announced */
  constructor(phase: Phase, reply: StatusReply, loginDelay?: number) {
    const { responseCode, text } = reply
    const refusal = refusalOf(phase, reply)
    const code = refusal === 'credentials' ? 'ERR_AUTH' : 'ERR_POP3_REPLY'
    const what = refusal === 'credentials' ? 'the server refused the credentials' : `the server refused in the ${phase} phase`
    super(code, `${what}: ${printable(responseCode === null ? text : `[${responseCode}] ${text}`, 200)}`, {
      phase,
      transient: refusal === 'in use' || refusal === 'login delay' || refusal === 'temporary',
      reusable: !BEFORE_THE_CLIENT.has(phase),
    })
    this.refusal = refusal
    this.retryAfterMs = refusal === 'login delay' && loginDelay !== undefined ? loginDelay * 1000 : null
    this.responseCode = responseCode
    this.text = text
  }
}

/** Nobody's client holds a connection that was refused before it was made. */
const BEFORE_THE_CLIENT: ReadonlySet<Phase> = new Set(['greeting', 'stls', 'auth', 'utf8'])

function refusalOf(phase: Phase, { responseCode, text }: StatusReply): Refusal {
  const other = phase === 'auth' ? 'credentials' : 'other'
  if (responseCode === 'AUTH') return other
  if (responseCode === 'IN-USE') return 'in use'
  if (responseCode === 'LOGIN-DELAY') return 'login delay'
  if (responseCode === 'SYS/TEMP') return 'temporary'
  if (responseCode?.startsWith('SYS/') === true) return responseCode === 'SYS/PERM' ? 'permanent' : 'other'
  // Servers without response codes say it in words: another session holds the maildrop, or too many came at once.
  if (/\b(?:dot)?lock(?:ed|ing)?\b|\bin use\b/i.test(text)) return 'in use'
  return /\bbusy\b|\bwait\b|\btry (?:again|later)\b|\btemporar/i.test(text) ? 'temporary' : other
}
