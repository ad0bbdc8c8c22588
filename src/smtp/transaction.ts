import { MailError, type Phase } from '../errors.ts'
import type { CommandLine } from '../wire/session.ts'
import type { Submission } from './envelope.ts'
import { isTransient, SmtpReplyError } from './errors.ts'
import type { Reply } from './reply.ts'

/** What became of one recipient. */
export interface RecipientOutcome {
  /** As given in the envelope. */ readonly address: string
  readonly outcome: 'accepted' | 'deferred' | 'refused' | 'unknown'
  /** The reply that decided; `null` when none did: it never came, or `partial: 'refuse'` kept the message from everybody. */
  readonly reply: Reply | null
}

/** What became of one submission. */
export interface Receipt {
  /** accepted: all; partial: some; deferred or refused: none, and with `deferred` later may help; unknown: the final reply never came. */
  readonly outcome: 'accepted' | 'partial' | 'deferred' | 'refused' | 'unknown'
  /** One entry for each address of `to`, in order. */ readonly recipients: readonly RecipientOutcome[]
  /** The reply that decided the outcome; `null` when it is unknown, or nothing was answered. */ readonly reply: Reply | null
  /** Octets of content sent, their line ends as CRLF, without doubled dots. */ readonly octets: number
}

/** Octets of commands that leave together. Replies are read meanwhile, so this bounds memory, not the way to a deadlock. */
const GROUP_OCTETS = 32 * 1024

/** One mail transaction (RFC 5321 §3.3): which commands may go out next, and what their replies mean. All replies of a pipelined group are
 *  taken before anything follows from them, or the next reply would be taken for another command's. */
export class Transaction {
  readonly asked: Submission
  /** The end of the content has been sent: from then on it may be taken, and without a reply the outcome is unknown. */ isOut = false
  /** Of the content that was sent, its line ends as CRLF, without doubled dots. */ octets = 0
  /** Its content is not wanted any more: called when the connection ends, a reply comes early, or the caller leaves. */ stop: () => void = () => {}
  #next = 0
  #mail: Reply | undefined
  readonly #rcpt: Reply[] = []
  #data: Reply | undefined
  /** Of a chunk. */ #refusal: Reply | undefined
  #final: Reply | undefined
  #shutdown: Reply | undefined

  constructor(asked: Submission) {
    this.asked = asked
  }

  /** The commands that leave next, once all replies to those before were taken; none when the envelope is done. */
  next(): CommandLine[] {
    const group: CommandLine[] = []
    let octets = 0
    for (;;) {
      const command = this.asked.commands[this.#next]
      octets += command?.octets.length ?? 0
      if (command === undefined || octets > GROUP_OCTETS || !this.#mayFollow(command.phase, group.length > 0)) return group
      group.push(command)
      this.#next++
    }
  }

  #mayFollow(phase: Phase, inGroup: boolean): boolean {
    if (inGroup) return this.asked.pipelining !== 'none' && (phase !== 'data' || this.asked.partial === 'deliver')
    return this.#shutdown === undefined && !isRefused(this.#mail) && (phase !== 'data' || this.#wanted)
  }

  /** @param step what the reply answers: `chunk` is a BDAT that is not the last. Throws `SmtpReplyError` when RSET is refused */
  take(step: Phase | 'chunk', reply: Reply): void {
    if (step === 'rset' && reply.status !== 250) throw new SmtpReplyError('rset', reply)
    if (step !== 'content' && reply.status === 421) this.#shutdown = reply
    if (step === 'content') this.#final = reply
    else if (step === 'mail') this.#mail = reply
    else if (step === 'rcpt') this.#rcpt.push(reply)
    else if (step === 'data') this.#data = reply
    else if (step === 'chunk' && isRefused(reply)) this.#refusal ??= reply
  }

  /** What follows, once no reply is due. `content`: send it. `settled`: the receipt stands. `end`: it stands, and the connection must end
   *  without a final dot, because the server waits for content that has nobody to go to (H25, H27). */
  get verdict(): 'content' | 'settled' | 'end' {
    if (this.#shutdown !== undefined) return 'end'
    if (this.asked.framing.chunks) return this.#wanted ? 'content' : 'settled'
    if (this.#data === undefined || this.#data.status >= 400) return 'settled'
    if (!this.#wanted) return 'end'
    if (this.#data.status === 354) return 'content'
    throw new MailError('ERR_PROTOCOL', 'the server answered DATA with neither 354 nor a refusal', { phase: 'data' })
  }

  /** The replies that came decide about everybody, though the connection was lost before the others (H20). */
  get isDecided(): boolean {
    return this.#shutdown !== undefined || isRefused(this.#mail) || (this.#rcpt.length === this.asked.pathCount && !this.#wanted)
  }

  /** The server may still hold a reverse-path or recipients: RSET must come before the next transaction. */
  get isDirty(): boolean {
    // The reply to the whole content ends it, unless it refuses a BDAT, which may be kept; where nobody was accepted it is no such reply.
    const isEnded = this.isOut && this.#wanted && !(this.asked.framing.chunks && isRefused(this.#final))
    return !isEnded && (isAccepted(this.#mail) || this.#rcpt.some(isAccepted))
  }

  /** MAIL was accepted. */
  get isBegun(): boolean {
    return isAccepted(this.#mail)
  }

  /** Somebody, or with `partial: 'refuse'` everybody, was accepted. */
  get #wanted(): boolean {
    if (!isAccepted(this.#mail)) return false
    if (this.asked.partial === 'deliver') return this.#rcpt.some(isAccepted)
    return this.#rcpt.length === this.asked.pathCount && this.#rcpt.every(isAccepted)
  }

  /** What is known now. */
  receipt(): Receipt {
    const { pathCount, partial, recipients } = this.asked
    const outcomes = Array.from({ length: pathCount }, (_, path) => this.#outcome(this.#rcpt[path]))
    return summary(recipients, outcomes, partial, this.octets)
  }

  #outcome(rcpt: Reply | undefined): Outcome {
    const refusal = isRefused(this.#mail) ? this.#mail : this.#refusal
    // A server that refused a part and takes the whole all the same: nobody knows what it does with it.
    if (isAccepted(this.#final) && refusal !== undefined) return UNKNOWN
    if (isRefused(this.#mail)) return decided(this.#mail)
    // 552 here is "too many recipients" in the words of RFC 821: later may help (RFC 5321 §4.5.3.1.10).
    if (isRefused(rcpt)) return rcpt.status === 552 ? { outcome: 'deferred', reply: rcpt } : decided(rcpt)
    const reply = refusal ?? this.#final
    if (reply !== undefined) return decided(reply)
    // Also after 421 to another recipient: Exim says it, stays, and takes the content that is on its way.
    if (this.isOut) return UNKNOWN
    if (this.#shutdown !== undefined) return decided(this.#shutdown)
    return this.#data === undefined ? NOT_SENT : decided(this.#data)
  }
}

export type Outcome = Omit<RecipientOutcome, 'address'>

export const NOT_SENT = { outcome: 'deferred', reply: null } as const
const UNKNOWN = { outcome: 'unknown', reply: null } as const

const isAccepted = (reply: Reply | undefined): boolean => (reply?.status ?? 999) < 300
const isRefused = (reply: Reply | undefined): reply is Reply => reply !== undefined && reply.status >= 300
const decided = (reply: Reply): Outcome => ({ outcome: isAccepted(reply) ? 'accepted' : isTransient(reply) ? 'deferred' : 'refused', reply })

/** What became of several paths, for the addresses that name them. */
export function summary(recipients: Submission['recipients'], paths: readonly Outcome[], partial: 'deliver' | 'refuse', octets: number): Receipt {
  const outcome = total(paths, partial)
  const decisive = outcome === 'partial' ? 'accepted' : outcome
  const reply = paths.find((path) => path.outcome === decisive && path.reply !== null)?.reply ?? null
  const all = recipients.map(({ address, path }) => ({ address, outcome: (paths[path] ?? NOT_SENT).outcome, reply: (paths[path] ?? NOT_SENT).reply }))
  return { outcome, recipients: all, reply, octets }
}

function total(paths: readonly Outcome[], partial: 'deliver' | 'refuse'): Receipt['outcome'] {
  const outcomes = new Set(paths.map(({ outcome }) => outcome))
  if (outcomes.has('unknown')) return 'unknown'
  if (outcomes.has('accepted')) return outcomes.size === 1 ? 'accepted' : 'partial'
  // When nobody gets it unless everybody does, one that can never be accepted decides; otherwise one that may yet be is worth another attempt.
  if (partial === 'refuse') return outcomes.has('refused') ? 'refused' : 'deferred'
  return outcomes.has('deferred') ? 'deferred' : 'refused'
}
