import { MailError } from '../errors.ts'
import type { Command } from './command.ts'

/** How long a reader may ask for nothing while another call waits, before what it reads counts as left. Between one and two of these. */
const LEFT_MS = 1_000

/** One command with its place in the order of writing and of reading. */
export class Exchange {
  readonly command: Command
  /** Settles when the command has left and all answers before its own were read. */
  readonly turn: Promise<void>
  /** Its body has begun to arrive and has not ended. */
  open = false
  /** The whole answer has arrived. */
  answered = false
  /** Its reader is working on a piece and has not asked for the next one. */
  suspended = false
  /** How often it asked. */
  pulls = 0
  /** Why its reader gets no more. */
  givenUp: MailError | undefined
  /** Takes the turn, or is refused it. */
  begin: () => void = () => {}
  refuse: (reason: unknown) => void = () => {}

  constructor(command: Command) {
    this.command = command
    this.turn = new Promise((resolve, reject) => {
      this.begin = resolve
      this.refuse = reject
    })
    this.turn.catch(() => {}) // somebody may wait later, or nobody
  }

  /** To be called before each piece is handed out. */
  suspend(): void {
    this.suspended = true
  }

  /** To be called when the next piece is asked for. Throws when the rest was given up meanwhile. */
  resume(): void {
    this.suspended = false
    this.pulls++
    if (this.givenUp !== undefined) throw this.givenUp
  }
}

/**
 * The order of calls on one connection. Commands leave in the order of the calls, at most `depth` without their whole answer (RFC 2449 §6.6);
 * answers are read in the same order, each by the call that it belongs to. Writing does not wait for reading: the next command leaves in the
 * tick in which the end of the answer before it was seen.
 */
export class Lane {
  depth = 1
  readonly #write: (exchange: Exchange) => boolean
  readonly #giveUp: (exchange: Exchange) => void
  /** The oldest first. Those before `#written` have left. */
  readonly #queue: Exchange[] = []
  #written = 0
  #unanswered = 0
  #failure: { readonly reason: unknown } | undefined
  #timer: NodeJS.Timeout | undefined

  /**
   * @param write sends the command; `false` when it was refused instead
   * @param giveUp drains an answer whose reader has left it, and releases it
   */
  constructor(write: (exchange: Exchange) => boolean, giveUp: (exchange: Exchange) => void) {
    this.#write = write
    this.#giveUp = giveUp
  }

  enter(command: Command): Exchange {
    const exchange = new Exchange(command)
    if (this.#failure === undefined) {
      this.#queue.push(exchange)
      this.#pump()
      this.#watch()
    } else exchange.refuse(this.#failure.reason)
    return exchange
  }

  /** The end of its answer was seen. */
  answered(exchange: Exchange): void {
    if (exchange.answered) return
    exchange.answered = true
    exchange.open = false
    this.#unanswered--
    this.#pump()
  }

  /** Nobody reads it any more: the next one has its turn. */
  release(exchange: Exchange): void {
    const at = this.#queue.indexOf(exchange)
    if (at < 0) return
    this.#queue.splice(at, 1)
    if (at < this.#written) this.#written--
    if (this.#queue.length < 2) this.#stopWatching()
    this.#pump()
  }

  /** Takes what a suspended reader has not read away from it. */
  giveUp(exchange: Exchange): void {
    if (!exchange.suspended || exchange.givenUp !== undefined || !this.#queue.includes(exchange)) return
    exchange.givenUp = new MailError('ERR_SESSION_STATE', 'the rest was dropped: its reader asked for nothing while another call waited', {
      phase: exchange.command.phase,
      reusable: true,
    })
    this.#giveUp(exchange)
  }

  /** Later calls are refused. */
  seal(reason: unknown): void {
    this.#failure ??= { reason }
  }

  /** Waiting calls and later ones are refused. */
  fail(reason: unknown): void {
    this.seal(reason)
    this.#stopWatching()
    for (const exchange of this.#queue.splice(0)) exchange.refuse(reason)
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0
  }

  #pump(): void {
    while (this.#unanswered < this.depth) {
      const next = this.#queue[this.#written]
      if (next === undefined) break
      this.#written++
      this.#unanswered++
      if (this.#write(next)) continue
      this.#written--
      this.#unanswered--
      const at = this.#queue.indexOf(next)
      if (at >= 0) this.#queue.splice(at, 1) // not there when its failure ended everything
    }
    if (this.#written > 0) this.#queue[0]?.begin()
  }

  /** While somebody waits behind an answer, looks now and then whether its reader still asks. */
  #watch(): void {
    if (this.#timer !== undefined || this.#queue.length < 2) return
    const head = this.#queue[0]
    const pulls = head?.pulls
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (head !== undefined && head === this.#queue[0] && head.pulls === pulls) this.giveUp(head)
      this.#watch()
    }, LEFT_MS)
  }

  #stopWatching(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
