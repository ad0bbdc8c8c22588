import { MailError, type Phase } from '../errors.ts'
import type { CommandLine } from '../wire/session.ts'
import type { Submission } from './envelope.ts'
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
  /** The reply that decided the outcome; `null` when it is unknown. */ readonly reply: Reply | null
  /** Octets of content sent, their line ends as CRLF, without doubled dots. */ readonly octets: number
}

/** Octets of commands that leave together. Replies are read meanwhile, so this bounds memory, not the way to a deadlock. */
const GROUP_OCTETS = 32 * 1024

/** One mail transaction (RFC 5321 §3.3): which commands may go out next, and what their replies mean. All replies of a pipelined group are
 *  taken before anything follows from them, or the next reply would be taken for another command's. */
export class Transaction {
  readonly #asked: Submission
  #next = 0
  #mail: Reply | undefined
  readonly #rcpt: Reply[] = []
  #data: Reply | undefined
  #shutdown: Reply | undefined
  /** A final reply ends the transaction on the server, whatever it says. */ #over = false

  constructor(asked: Submission) {
    this.#asked = asked
  }

  /** The commands that leave next, once all replies to those before were taken; none when the envelope is done. */
  next(): CommandLine[] {
    const group: CommandLine[] = []
    let octets = 0
    for (;;) {
      const command = this.#asked.commands[this.#next]
      octets += command?.octets.length ?? 0
      if (command === undefined || octets > GROUP_OCTETS || !this.#mayFollow(command.phase, group.length > 0)) return group
      group.push(command)
      this.#next++
    }
  }

  #mayFollow(phase: Phase, inGroup: boolean): boolean {
    if (inGroup) return this.#asked.pipelining && (phase !== 'data' || this.#asked.partial === 'deliver')
    return this.#shutdown === undefined && !isRefused(this.#mail) && (phase !== 'data' || this.#wanted)
  }

  take(phase: Phase, reply: Reply): void {
    if (reply.status === 421) this.#shutdown = reply
    else if (phase === 'mail') this.#mail = reply
    else if (phase === 'rcpt') this.#rcpt.push(reply)
    else this.#data = reply
  }

  /** What follows, once no reply is due. `content`: send it. `settled`: the receipt stands. `end`: it stands, and the connection must end
   *  without a final dot, because the server waits for content that has nobody to go to (H25, H27). */
  get verdict(): 'content' | 'settled' | 'end' {
    if (this.#shutdown !== undefined) return 'end'
    if (this.#data === undefined || this.#data.status >= 400) return 'settled'
    if (!this.#wanted) return 'end'
    if (this.#data.status === 354) return 'content'
    throw new MailError('ERR_PROTOCOL', 'the server answered DATA with neither 354 nor a refusal', { phase: 'data' })
  }

  /** The replies that came decide about everybody, though the connection was lost before the others (H20). */
  get decided(): boolean {
    return isRefused(this.#mail) || (this.#rcpt.length === this.#asked.pathCount && !this.#wanted)
  }

  /** The server may still hold a reverse-path or recipients: RSET must come before the next transaction. */
  get dirty(): boolean {
    return !this.#over && (isAccepted(this.#mail) || this.#rcpt.some(isAccepted))
  }

  /** The server said nothing about this transaction: at most that it leaves (421). */
  get unanswered(): boolean {
    return this.#mail === undefined
  }

  /** Somebody, or with `partial: 'refuse'` everybody, was accepted. */
  get #wanted(): boolean {
    if (!isAccepted(this.#mail)) return false
    if (this.#asked.partial === 'deliver') return this.#rcpt.some(isAccepted)
    return this.#rcpt.length === this.#asked.pathCount && this.#rcpt.every(isAccepted)
  }

  /** @param final the reply to the content; `null` when it never came, left out when no content was sent */
  receipt(octets = 0, final?: Reply | null): Receipt {
    if (final !== undefined) this.#over = true
    const { pathCount, partial, recipients } = this.#asked
    const paths = Array.from({ length: pathCount }, (_, path) => this.#outcome(this.#rcpt[path], final))
    const outcome = total(paths, partial)
    const decisive = outcome === 'partial' ? 'accepted' : outcome
    const reply = paths.find((path) => path.outcome === decisive && path.reply !== null)?.reply ?? null
    return { outcome, recipients: recipients.map(({ address, path }) => Object.assign({ address }, paths[path] ?? NOT_SENT)), reply, octets }
  }

  #outcome(rcpt: Reply | undefined, final: Reply | null | undefined): PathOutcome {
    if (isRefused(this.#mail)) return decided(this.#mail)
    // 552 here is "too many recipients" in the words of RFC 821: later may help (RFC 5321 §4.5.3.1.10).
    if (isRefused(rcpt)) return rcpt.status === 552 ? { outcome: 'deferred', reply: rcpt } : decided(rcpt)
    if (final === null) return { outcome: 'unknown', reply: null }
    const reply = final ?? this.#shutdown ?? this.#data
    return reply === undefined ? NOT_SENT : decided(reply)
  }
}

type PathOutcome = Omit<RecipientOutcome, 'address'>

const NOT_SENT = { outcome: 'deferred', reply: null } as const

const isAccepted = (reply: Reply | undefined): boolean => reply !== undefined && reply.status < 300
const isRefused = (reply: Reply | undefined): reply is Reply => reply !== undefined && reply.status >= 300
const decided = (reply: Reply): PathOutcome => ({ outcome: reply.status < 300 ? 'accepted' : reply.status < 500 ? 'deferred' : 'refused', reply })

function total(paths: readonly PathOutcome[], partial: 'deliver' | 'refuse'): Receipt['outcome'] {
  const outcomes = new Set(paths.map(({ outcome }) => outcome))
  if (outcomes.has('unknown')) return 'unknown'
  if (outcomes.has('accepted')) return outcomes.size === 1 ? 'accepted' : 'partial'
  // When nobody gets it unless everybody does, one that can never be accepted decides; otherwise one that may yet be is worth another attempt.
  if (partial === 'refuse') return outcomes.has('refused') ? 'refused' : 'deferred'
  return outcomes.has('deferred') ? 'deferred' : 'refused'
}
