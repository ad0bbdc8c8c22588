import { onAbort } from '../abort.ts'
import { MailError } from '../errors.ts'
import { optionError } from '../tls/options.ts'
import { abandon, SmtpClient, type Attempt } from './client.ts'
import { checkRecipients, fitting, optionsOf, type Envelope, type SubmittedContent } from './envelope.ts'
import { SmtpReplyError } from './errors.ts'
import { parseLimits } from './grammar.ts'
import { checkSmtpOptions, type SmtpOptions } from './options.ts'
import type { Reply } from './reply.ts'
import { Queue } from './turns.ts'
import { NOT_SENT, summary, type Outcome, type Receipt } from './transaction.ts'

/** How many transactions may begin in any `perMs` milliseconds. */
export interface Rate {
  readonly messages: number
  readonly perMs: number
}

export interface SmtpPoolOptions extends SmtpOptions {
  /** @default 5 */ readonly maxConnections?: number | undefined
  /** On one connection. @default 100 */ readonly maxMessages?: number | undefined
  /** Milliseconds for which a connection is used. @default 600_000 */ readonly maxAgeMs?: number | undefined
  /** Milliseconds after which one that nobody uses is left with QUIT. @default 60_000 */ readonly idleMs?: number | undefined
  /** Of the whole pool. @default none */ readonly rate?: Rate | undefined
  /** Of each connection. @default none */ readonly connectionRate?: Rate | undefined
  /** When the server has enough of us. */ readonly backOff?: Partial<BackOff> | undefined
}

/** What follows when the server refuses a connection, a login or MAIL with 421, 432 or 454, because there are too many of us: it gets no new connection for
 *  a while, and the message begins again in another one. */
export interface BackOff {
  /** In all; then the refusal stands. @default 3 */ readonly attempts: number
  /** Milliseconds; twice as long each time that it happens again before MAIL is accepted, and up to half of it less at random. @default 1_000 */ readonly firstMs: number
  /** Milliseconds. @default 60_000 */ readonly mostMs: number
}

/** What a pool needs of a client. @internal */
export type PooledConnection = Pick<SmtpClient, 'attempt' | 'depth' | 'extensions' | 'quit' | 'usable'>

type Content = () => SubmittedContent

interface Member {
  readonly client: PooledConnection
  since: number
  readonly pace: Pace
  submissions: number
  active: number
  idle: NodeJS.Timeout | undefined
}

/** A connection, or leave to make one. */
type Place = Member | 'new'

const LOST: ReadonlySet<string> = new Set(['ERR_CLOSED', 'ERR_TIMEOUT'])
const MAX_TIMER_MS = 0x7fff_ffff // setTimeout holds 31 bits; more would fire at once

/** Several connections to one server, made when they are needed and used again; submissions begin in the order in which they were asked for. */
export class SmtpPool implements AsyncDisposable {
  readonly #options: ReturnType<typeof checkPoolOptions>
  readonly #open: (options: SmtpOptions) => Promise<PooledConnection>
  readonly #members = new Set<Member>()
  /** Connections that are being made, used or left. */ #connections = 0
  /** Submissions that wait for a place; those that begin again come first. */ readonly #waiting = new Queue<(place: Place) => void>()
  readonly #again = new Queue<(place: Place) => void>()
  /** Submissions and farewells. */ readonly #running = new Set<Promise<unknown>>()
  readonly #pace: Pace
  /** No connection is made before then. */ #notBefore = 0
  #backOffMs = 0
  #timer: NodeJS.Timeout | undefined
  #closed = false

  /** Throws `ERR_OPTION`. Connects to nothing yet. @param open internal: what makes a connection */
  constructor(options: SmtpPoolOptions, open: (options: SmtpOptions) => Promise<PooledConnection> = (server) => SmtpClient.connect(server)) {
    this.#options = checkPoolOptions(options)
    this.#open = open
    this.#pace = new Pace(this.#options.rate)
  }

  /** As `SmtpClient.submit`, and rejects as `SmtpClient.connect` does when a connection was needed and could not be made. A connection that was used before and
   *  ends, or refuses RSET, before MAIL was answered is replaced once. More recipients than the server takes at once get the message in several
   *  transactions. `content` is asked for each time; a stream that it gives is destroyed when its attempt is over. */
  submit(envelope: Envelope, content: Content): Promise<Receipt> {
    return this.#run(this.#submit(envelope, content))
  }

  /** Takes no more submissions, waits for those under way, and ends every connection with QUIT. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#running)
    clearTimeout(this.#timer)
    for (const member of this.#members) this.#drop(member)
    await Promise.allSettled(this.#running)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #run<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work)
    return work.finally(() => this.#running.delete(work))
  }

  /** As many transactions as the recipients need. After the first one nothing throws: what some have got must be told. */
  async #submit(envelope: Envelope, content: Content): Promise<Receipt> {
    if (this.#closed) throw new MailError('ERR_CLOSED', 'the pool is closed', { phase: 'mail' })
    const { partial = 'deliver', signal, ...more } = optionsOf(envelope)
    const kept = Object.keys(more).length === 0 ? more : copied(more)
    const asked = { from: envelope.from, options: { ...kept, partial, signal } }
    const { paths, recipients } = checkRecipients(envelope.to)
    const outcomes: Outcome[] = paths.map(() => NOT_SENT)
    const left = [...paths.keys()]
    const to = paths.map(({ recipient }) => recipient)
    let limit = Infinity
    let isFirst = true
    let octets = 0
    while (left.length > 0) {
      const receipt = await this.#deliver({ ...asked, to: to.slice(0, limit) }, content).catch((error: unknown) => {
        if (isFirst) throw error
      })
      if (receipt === undefined) break
      isFirst = false
      octets = Math.max(octets, receipt.octets)
      const count = Math.max(1, receipt.recipients.length)
      const done = left.splice(0, count)
      to.splice(0, count)
      for (const [at, path] of done.entries()) outcomes[path] = receipt.recipients[at] ?? NOT_SENT
      const isProgress = receipt.outcome === 'accepted' || receipt.outcome === 'partial'
      // What refused the content would refuse it again.
      if (!isProgress && receipt.octets > 0) break
      // Too many at a time for this server (RFC 5321 §4.5.3.1.10): worth another transaction as long as one gets somewhere.
      const again = isProgress && partial === 'deliver' ? done.filter((path) => isTooMany(outcomes[path] ?? NOT_SENT)) : []
      if (again.length > 0) limit = Math.max(1, count - again.length)
      left.push(...again)
      to.push(...again.flatMap((path) => paths[path]?.recipient ?? []))
    }
    return summary(recipients, outcomes, partial, octets)
  }

  /** One transaction, for as many of the recipients as the connection allows. */
  async #deliver(envelope: Envelope, content: Content): Promise<Receipt> {
    const { attempts } = this.#options.backOff
    let isReplaced = false
    for (let attempt = 1; ;) {
      let member: Member | undefined
      try {
        member = await this.#seat(envelope.options?.signal ?? undefined, attempt > 1 || isReplaced)
        const { receipt, isBegun } = await this.#use(member, envelope, content)
        if (isBegun || !isThrottling(receipt.reply)) return receipt
        // A farewell that was on its way before we asked (H19) says nothing about this message.
        if (isFarewell(receipt.reply) && member.submissions > 1 && !isReplaced) isReplaced = true
        else if (attempt++ === attempts) return receipt
      } catch (error) {
        // Lost before MAIL was answered, so nobody can have taken anything (S31); RSET that is refused is no better than a lost connection.
        const isLost = error instanceof MailError && (error.phase === 'rset' || (error.phase === 'mail' && LOST.has(error.code)))
        const isThrottled = error instanceof SmtpReplyError && isThrottling(error.reply) && (member === undefined || error.phase === 'mail')
        if (isLost && member !== undefined && member.submissions > 1 && !isReplaced) isReplaced = true
        else if (!isThrottled || attempt++ === attempts) throw error
        else if (member !== undefined) this.#slowDown()
      }
    }
  }

  async #use(member: Member, envelope: Envelope, content: Content): Promise<Attempt> {
    let source: SubmittedContent | undefined
    try {
      const count = fitting(envelope.to, member.client.extensions.get('LIMITS'))
      const to = envelope.options?.partial === 'refuse' ? envelope.to : envelope.to.slice(0, count)
      source = content()
      const attempt = await member.client.attempt({ ...envelope, to }, source)
      const { isBegun, receipt } = attempt
      if (isBegun || !isThrottling(receipt.reply)) this.#backOffMs = 0
      else {
        member.since = -Infinity // it is used no more
        if (!isFarewell(receipt.reply) || member.submissions === 1) this.#slowDown()
      }
      return attempt
    } finally {
      this.#leave(member)
      // A stream was opened for this attempt and may not have been touched.
      if (source !== undefined) abandon(source)
    }
  }

  /** A place on a connection, which is made if need be. */
  async #seat(signal: AbortSignal | undefined, isAgain: boolean): Promise<Member> {
    const place = await this.#turn(signal, isAgain ? this.#again : this.#waiting)
    if (place !== 'new') return place
    // The signal of a submission ends the making of its connection, and not the connection.
    const making = new AbortController()
    const forget = onAbort(signal, (reason) => making.abort(reason))
    try {
      const { signal: ending, connectionRate } = this.#options
      const client = await this.#open({ ...this.#options, signal: ending === undefined ? making.signal : AbortSignal.any([ending, making.signal]) })
      const member: Member = { client, since: performance.now(), pace: new Pace(connectionRate), submissions: 1, active: 1, idle: undefined }
      member.pace.begin(member.since)
      this.#members.add(member)
      return member
    } catch (error) {
      this.#connections--
      if (error instanceof SmtpReplyError && isThrottling(error.reply)) this.#slowDown()
      throw error
    } finally {
      forget()
      this.#wake()
    }
  }

  /** Waits for its turn, a free place and the rates. */
  #turn(signal: AbortSignal | undefined, waiting: Queue<(place: Place) => void>): Promise<Place> {
    return new Promise((resolve, reject) => {
      const leave = waiting.add((place) => {
        forget()
        resolve(place)
      })
      const forget = onAbort(signal, (reason) => {
        leave()
        reject(reason)
      })
      this.#wake()
    })
  }

  /** Lets begin who can, in order. */
  #wake(): void {
    clearTimeout(this.#timer)
    for (const waiting of [this.#again, this.#waiting]) {
      for (let begin = waiting.first; begin !== undefined; begin = waiting.first) {
        const now = performance.now()
        const delay = this.#pace.delay(now)
        const place = delay > 0 ? delay : this.#place(now)
        if (typeof place === 'number') {
          if (place !== Infinity) this.#timer = setTimeout(() => this.#wake(), Math.min(Math.ceil(place), MAX_TIMER_MS))
          return
        }
        this.#pace.begin(now)
        waiting.shift()
        begin(place)
      }
    }
  }

  /** The connection that has least to do, or leave to make one, or the milliseconds until there may be a place. */
  #place(now: number): Place | number {
    const { maxConnections } = this.#options
    let soonest = Infinity
    let best: Member | undefined
    for (const member of this.#members) {
      const isSpent = this.#isSpent(member, now)
      if (isSpent && member.active === 0) this.#drop(member)
      if (isSpent || member.active >= Math.min(member.client.depth, best?.active ?? Infinity)) continue
      const delay = member.pace.delay(now)
      if (delay === 0) best = member
      else soonest = Math.min(soonest, delay)
    }
    const hold = this.#notBefore - now
    if (best?.active !== 0 && this.#connections < maxConnections) {
      if (hold <= 0) {
        this.#connections++
        return 'new'
      }
      soonest = Math.min(soonest, hold)
    }
    if (best === undefined) return soonest
    clearTimeout(best.idle)
    best.active++
    best.submissions++
    best.pace.begin(now)
    return best
  }

  #leave(member: Member): void {
    member.active--
    if (member.active === 0 && this.#isSpent(member, performance.now())) this.#drop(member)
    else if (member.active === 0) member.idle = setTimeout(() => this.#drop(member), this.#options.idleMs)
    this.#wake()
  }

  /** It takes no more submissions; those that wait on it count. */
  #isSpent({ client, submissions, since }: Member, now: number): boolean {
    const { maxMessages, maxAgeMs } = this.#options
    const { mailMax } = parseLimits(client.extensions.get('LIMITS'))
    return !client.usable || submissions >= Math.min(maxMessages, mailMax) || now - since >= maxAgeMs
  }

  #drop(member: Member): void {
    clearTimeout(member.idle)
    if (!this.#members.delete(member)) return
    const left = member.client.quit().finally(() => {
      this.#connections--
      this.#wake()
    })
    void this.#run(left)
  }

  /** The server has enough of us: no new connection for a while. */
  #slowDown(): void {
    const { firstMs, mostMs } = this.#options.backOff
    const now = performance.now()
    // Connections that were begun together are refused together.
    if (now >= this.#notBefore) this.#backOffMs = Math.min(mostMs, 2 * this.#backOffMs || firstMs)
    this.#notBefore = now + this.#backOffMs * (1 - Math.random() / 2)
  }
}

/** Keeps to a rate. */
class Pace {
  readonly #rate: Rate | undefined
  /** When the latest began, as many as the rate counts. */ readonly #begun: number[] = []

  constructor(rate: Rate | undefined) {
    this.#rate = rate
  }

  /** Milliseconds until one more may begin. */
  delay(now: number): number {
    const [first] = this.#begun
    return this.#rate === undefined || first === undefined || this.#begun.length < this.#rate.messages
      ? 0
      : Math.max(0, first + this.#rate.perMs - now)
  }

  begin(now: number): void {
    if (this.#rate !== undefined && this.#begun.push(now) > this.#rate.messages) this.#begun.shift()
  }
}

function checkPoolOptions(options: SmtpPoolOptions) {
  checkSmtpOptions(options)
  const { maxConnections = 5, maxMessages = 100, maxAgeMs = 600_000, idleMs = 60_000, rate, connectionRate } = options
  const { attempts = 3, firstMs = 1_000, mostMs = 60_000 } = options.backOff ?? {}
  const groups = {
    '': { maxConnections, maxMessages, maxAgeMs, idleMs },
    'rate.': rate && { messages: rate.messages, perMs: rate.perMs },
    'connectionRate.': connectionRate && { messages: connectionRate.messages, perMs: connectionRate.perMs },
    'backOff.': { attempts, firstMs, mostMs },
  }
  for (const [prefix, counts] of Object.entries(groups)) {
    for (const [name, value] of Object.entries(counts ?? {})) {
      if (!Number.isSafeInteger(value) || value < 1 || (name.endsWith('Ms') && value > MAX_TIMER_MS))
        throw optionError(prefix + name, `a whole number from 1`)
    }
  }
  return {
    ...options,
    maxConnections,
    maxMessages,
    maxAgeMs,
    idleMs,
    rate: rate ? { ...rate } : undefined,
    connectionRate: connectionRate ? { ...connectionRate } : undefined,
    backOff: { attempts, firstMs, mostMs },
  }
}

/** What the caller changes later changes nothing (S37). */
function copied<T extends object>(options: T): T {
  try {
    return structuredClone(options)
  } catch (error) {
    throw optionError('options', 'plain values, but for the signal', error)
  }
}

/** The connection was idle for too long, or is to end for another reason; SES says 451 4.4.2 (quirk 13). */
const isFarewell = (reply: Reply | null): boolean => reply?.status === 421 || reply?.enhancedStatus === '4.4.2'
const isThrottling = (reply: Reply | null): boolean => isFarewell(reply) || reply?.status === 432 || reply?.status === 454
const isTooMany = ({ outcome, reply }: Outcome): boolean =>
  outcome === 'deferred' && (reply?.status === 452 || reply?.status === 552) && /^(?:[45]\.5\.3)?$/.test(reply.enhancedStatus ?? '')
