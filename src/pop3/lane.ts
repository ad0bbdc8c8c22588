import { MailError } from '../errors.ts'
import type { Command } from './command.ts'

/** How long a reader may ask for nothing while another call waits, before what it reads counts as left. Between one and two of these. */
const LEFT_MS = 1_000

/** One command with its place in the order of writing and of reading. */
export class Exchange<Part = unknown> {
  readonly command: Command<Part>
  /** Settles when the command has left and all answers before its own were read. */ readonly turn: Promise<void>
  /** The whole answer has arrived. */
  answered = false
  /** Since when its reader works on a piece and has not asked for the next one. */ suspendedAt: number | undefined
  /** Why its reader gets no more. */ givenUp: MailError | undefined
  /** Takes the turn, or is refused it. */
  begin: () => void = () => {}
  refuse: (reason: unknown) => void = () => {}

  constructor(command: Command<Part>) {
    this.command = command
    this.turn = new Promise((resolve, reject) => {
      this.begin = resolve
      this.refuse = reject
    })
    this.turn.catch(() => {}) // somebody may wait later, or nobody
  }
}

/**
 * The order of calls on one connection. Commands leave in the order of the calls, at most `depth` without their whole answer (RFC 2449 §6.6);
 * answers are read in the same order, each by the call that it belongs to. The next command leaves in the tick in which the end of the answer
 * before it was seen.
 */
export class Lane {
  depth = 1
  readonly #write: (exchange: Exchange) => boolean
  readonly #drain: (exchange: Exchange) => void
  /** The oldest first: commands that have left, the first one's answer is being read; and those that wait. */ readonly #sent: Exchange[] = []
  readonly #waiting: Exchange[] = []
  #failure: { readonly reason: unknown } | undefined
  #timer: NodeJS.Timeout | undefined

  /**
   * @param write sends the command; `false` when it was refused instead
   * @param drain reads the rest of an answer whose reader has left it
   */
  constructor(write: (exchange: Exchange) => boolean, drain: (exchange: Exchange) => void) {
    this.#write = write
    this.#drain = drain
  }

  enter<Part>(command: Command<Part>): Exchange<Part> {
    const exchange = new Exchange(command)
    if (this.#failure === undefined) {
      this.#waiting.push(exchange)
      this.#pump()
      this.#watch()
    } else exchange.refuse(this.#failure.reason)
    return exchange
  }

  /** The end of its answer was seen: the next one has its turn. */
  release(exchange: Exchange): void {
    exchange.answered = true
    if (this.#sent[0] !== exchange) return
    this.#sent.shift()
    this.#pump()
    this.#watch()
  }

  /** Takes what its reader, when it is suspended, has not read of an answer away from it. */
  giveUp(command: Command): void {
    const exchange = this.#sent.find((one) => one.command === command)
    if (exchange?.suspendedAt === undefined || exchange.givenUp !== undefined) return
    exchange.givenUp = new MailError('ERR_SESSION_STATE', 'the rest was dropped: its reader asked for nothing while another call waited', {
      phase: command.phase,
      reusable: true,
    })
    this.#drain(exchange)
  }

  /** Later calls are refused. */
  seal(reason: unknown): void {
    this.#failure ??= { reason }
  }

  /** Waiting calls and later ones are refused. */
  fail(reason: unknown): void {
    this.seal(reason)
    for (const exchange of [...this.#sent.splice(0), ...this.#waiting.splice(0)]) exchange.refuse(reason)
    this.#watch()
  }

  get isEmpty(): boolean {
    return this.#sent.length === 0
  }

  #pump(): void {
    while (this.#sent.length < this.depth) {
      const next = this.#waiting.shift()
      if (next === undefined) break
      if (this.#write(next)) this.#sent.push(next)
    }
    this.#sent[0]?.begin()
  }

  /** While somebody waits behind an answer, looks now and then whether its reader still asks. */
  #watch(): void {
    if (this.#sent.length + this.#waiting.length < 2) {
      clearTimeout(this.#timer)
      this.#timer = undefined
    } else
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined
        const [head] = this.#sent
        if (head?.suspendedAt !== undefined && performance.now() - head.suspendedAt >= LEFT_MS) this.giveUp(head.command)
        this.#watch()
      }, LEFT_MS)
  }
}
