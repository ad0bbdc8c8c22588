import { printable } from '../bytes.ts'
import { MailError, type Phase } from '../errors.ts'
import type { StatusReply } from './grammar.ts'

/**
 * The server answered `-ERR`. `ERR_AUTH` when it refused the credentials; otherwise `ERR_POP3_REPLY`, `transient` when the response code
 * (RFC 2449 §8, RFC 3206) says that it will pass, or, without a code, when the text speaks of a lock.
 */
export class Pop3ReplyError extends MailError {
  override readonly name = 'Pop3ReplyError'
  /** What stood in brackets before the text, in upper case: `IN-USE`, `LOGIN-DELAY`, `SYS/TEMP`, `AUTH`, … */ readonly responseCode: string | null
  /** The rest of the reply. Server text: escape it before showing it to anyone. */ readonly text: string

  constructor(phase: Phase, reply: StatusReply) {
    const { responseCode, text } = reply
    const transient = isTransient(reply)
    // Nobody's client holds a connection that was refused before it was made.
    const reusable = phase !== 'greeting' && phase !== 'stls' && phase !== 'auth'
    const code = phase === 'auth' && !transient && !responseCode?.startsWith('SYS/') ? 'ERR_AUTH' : 'ERR_POP3_REPLY'
    const what = code === 'ERR_AUTH' ? 'the server refused the credentials' : `the server refused in the ${phase} phase`
    super(code, `${what}: ${printable(responseCode === null ? text : `[${responseCode}] ${text}`, 200)}`, { phase, transient, reusable })
    this.responseCode = responseCode
    this.text = text
  }
}

const TRANSIENT_CODES: ReadonlySet<string> = new Set(['IN-USE', 'LOGIN-DELAY', 'SYS/TEMP'])
const PERMANENT_CODES: ReadonlySet<string> = new Set(['AUTH', 'SYS/PERM'])

function isTransient({ responseCode, text }: StatusReply): boolean {
  if (responseCode !== null && TRANSIENT_CODES.has(responseCode)) return true
  if (responseCode !== null && PERMANENT_CODES.has(responseCode)) return false
  // Servers without response codes say it in words: another session holds the maildrop, or too many came at once.
  return /\b(?:dot)?lock(?:ed|ing)?\b|\bbusy\b|\bwait\b|\bin use\b|\btry (?:again|later)\b|\btemporar/i.test(text)
}
