import { MailError } from '../errors.ts'
import { ListBody } from './body.ts'
import type { Command } from './command.ts'

/** How long a reader may ask for nothing while another call waits, before what it reads counts as left. Between one and two of these. */
const LEFT_MS = 1_000
/** Of commands under way: a server that reads no more while it writes must have room for them (2 KiB is the smallest buffer that is known). */
const MAX_OCTETS_UNDER_WAY = 2_048

/** Commands that belong together, until another one comes between. */
type Batch = { isInterrupted: boolean }

/** `write` sends commands, or gives `false` when they were refused instead; `drain` reads the rest of an answer whose reader has left it or is at
 *  work, or the whole of one that was recalled. */
type Io = { write(exchanges: readonly Exchange[]): boolean; drain(exchange: Exchange, keep?: boolean): Promise<readonly unknown[]> }

/** One command with its place in the order of writing and of reading. */
export class Exchange<Part = unknown> {
  readonly command: Command<Part>
  /** What it is a part of: the commands of a batch may leave before the answers to those before them have come. */ readonly batch: Batch | undefined
  /** Settles when the command has left and all answers before its own were read. */ readonly turn: Promise<void>
  /** The whole answer has arrived. */ answered = false
  /** Its answer was in the way of another call and is dropped: who wants it asks again. */ recalled = false
  /** Since when its reader works on a piece and has not asked for the next one. */ suspendedAt: number | undefined
  /** Its reader may keep the pieces that it gets. */ owned = true
  /** What has been read for a reader that was at work on a piece when others waited. */ rest: Promise<readonly Part[]> | undefined
  /** Why its reader gets no more. */ givenUp: unknown
  /** Takes the turn, or is refused it. */ begin: () => void = () => {}
  refuse: (reason: unknown) => void = () => {}

  constructor(command: Command<Part>, batch: Batch | undefined) {
    this.command = command
    this.batch = batch
    this.turn = new Promise((resolve, reject) => {
      this.begin = resolve
      this.refuse = reject
    })
    this.turn.catch(() => {}) // somebody may wait later, or nobody
  }
}

/** The order of calls on one connection. Commands leave in the order of the calls; answers are read in the same order, each by the call that it
 *  belongs to. A command leaves in the tick in which the end of the answer before it was seen; those of one batch leave earlier, `depth` of
 *  them at most (RFC 2449 §6.6). */
export class Lane {
  depth = 1
  /** To be called when all that has arrived is used up: fills the window when a fifth of it is left. */
  readonly refill = (): void => this.flush(this.depth / 5)
  readonly #io: Io
  /** The oldest first: commands that have left, the first one's answer is being read; and those that wait. */ readonly #sent: Exchange[] = []
  readonly #waiting: Exchange[] = []
  /** Of the latest batch: what nobody has begun to read. */ readonly #unclaimed = new Set<Exchange>()
  #latest: Batch | undefined
  #failure: { readonly reason: unknown } | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(io: Io) {
    this.#io = io
  }

  /** Takes a place. Commands of a batch that are entered together leave together, and their answers wait for who claims them. */
  enter<Part>(command: Command<Part>, batch?: Batch): Exchange<Part> {
    const exchange = new Exchange(command, batch)
    if (this.#latest !== batch || batch === undefined) {
      this.recall(this.#latest)
      if (this.#latest !== undefined) this.#latest.isInterrupted = true
    }
    this.#latest = batch
    if (this.#failure !== undefined) exchange.refuse(this.#failure.reason)
    else this.#waiting.push(exchange)
    if (batch === undefined) this.flush()
    else {
      this.#unclaimed.add(exchange)
      queueMicrotask(() => this.flush())
    }
    return exchange
  }

  /** Somebody is going to read this answer. Settles when it has its turn. */
  claim(exchange: Exchange): Promise<void> {
    this.#unclaimed.delete(exchange)
    return exchange.turn
  }

  /** Lets commands leave when at most `most` are under way. */
  flush(most = 0): void {
    if (this.#sent.length <= most) {
      for (let group = this.#next(); group.length > 0; group = this.#next()) if (this.#io.write(group)) this.#sent.push(...group)
    }
    this.#sent[0]?.begin()
    this.#watch()
  }

  /** The end of its answer was seen: the next one has its turn. */
  release(exchange: Exchange): void {
    exchange.answered = true
    if (this.#sent[0] !== exchange) return
    this.#sent.shift()
    this.flush()
  }

  /** Nobody waits for these answers: commands that have not left are forgotten, answers of the others read and dropped. */
  recall(batch: Batch | undefined): void {
    if (batch !== this.#latest || this.#unclaimed.size === 0) return
    for (const exchange of this.#unclaimed) exchange.recalled = true
    this.#unclaimed.clear()
    for (const exchange of this.#waiting.splice(0)) if (!exchange.recalled) this.#waiting.push(exchange)
    for (const exchange of this.#sent) if (exchange.recalled) void this.#io.drain(exchange)
  }

  /** Reads the rest of an answer whose reader is suspended. Without `keep` the reader gets no more of it. */
  giveUp(exchange: Exchange, keep = false): void {
    if (exchange.answered || exchange.suspendedAt === undefined || exchange.rest !== undefined) return
    const message = 'the rest was dropped: its reader asked for nothing while another call waited'
    if (!keep) exchange.givenUp ??= new MailError('ERR_SESSION_STATE', message, { phase: exchange.command.phase, reusable: true })
    exchange.rest = this.#io.drain(exchange, keep)
  }

  /** Later calls are refused. */
  seal(reason: unknown): void {
    this.#failure ??= { reason }
  }

  /** Waiting calls and later ones are refused. */
  fail(reason: unknown): void {
    this.seal(reason)
    for (const exchange of this.#unclaimed) exchange.recalled = true
    this.#unclaimed.clear()
    for (const exchange of [...this.#sent.splice(0), ...this.#waiting.splice(0)]) {
      exchange.givenUp ??= reason
      exchange.refuse(reason)
    }
    this.#watch()
  }

  /** How many of a batch should be known: what is under way, and as many that wait to follow. */
  get ahead(): number {
    return this.depth === 1 ? 1 : 2 * this.depth
  }

  get isEmpty(): boolean {
    return this.#sent.length === 0
  }

  /** Takes those that may leave now. */
  #next(): readonly Exchange[] {
    let octets = this.#sent.reduce((sum, { command }) => sum + command.octets.length, 0)
    let before = this.#sent.at(-1)
    let count = 0
    for (const exchange of this.#waiting) {
      octets += exchange.command.octets.length
      const isFull = this.#sent.length + count >= this.depth || octets > MAX_OCTETS_UNDER_WAY
      if (before !== undefined && (isFull || exchange.batch === undefined || before.batch === undefined)) break
      before = exchange
      count++
    }
    return this.#waiting.splice(0, count)
  }

  /** While somebody waits behind an answer, looks now and then whether its reader still asks. A listing is read ahead at once: its loop may be what waits. */
  #watch(isLater = false): void {
    const [head] = this.#sent
    if (head === undefined || this.#sent.length + this.#waiting.length - this.#unclaimed.size < 2) {
      clearInterval(this.#timer)
      this.#timer = undefined
      return
    }
    const isLate = isLater && performance.now() - (head.suspendedAt ?? Infinity) >= LEFT_MS
    if (isLate || head.command.body instanceof ListBody) this.giveUp(head, head.owned)
    this.#timer ??= setInterval(() => this.#watch(true), LEFT_MS)
  }
}
