import { pop3CommandChannel, pop3ReplyChannel } from '../diagnostics.ts'
import { MailError } from '../errors.ts'
import {
  checkServerOptions,
  POP3_DEFAULTS,
  type CheckedOptions,
  type Secret,
  type ServerOptions,
  type TlsFacts,
  type UpgradeOptions,
} from '../tls/options.ts'
import { readSecret } from '../tls/secret.ts'
import { connect } from '../tls/socket.ts'
import { nextEvent, type Transport, type Wait } from '../tls/transport.ts'
import * as command from './command.ts'
import type { Command } from './command.ts'
import { Pop3ReplyError } from './errors.ts'
import { decodeText, parseStat, type Listing, type StatusReply, type UniqueIdListing } from './grammar.ts'
import { Lane, type Exchange } from './lane.ts'
import { Pop3Session, type Pop3BodyEvent, type Pop3Event } from './session.ts'

/** What is left of an answer that nobody wants is read when it is at most this long; otherwise the connection ends. */
const MAX_DRAIN_OCTETS = 256 * 1024
const GOODBYE_MS = 1_000 // how long a connection whose begin failed may take to close
const ENTRY_OCTETS = 32 // about what an entry of a listing costs on the wire

/** The octets of one message, once: iterating gives owned chunks; `views()` gives borrowed ones, valid until the next, which is what `readMessage` wants. */
export interface Retrieval extends AsyncIterable<Buffer> {
  readonly number: number
  views(): AsyncIterable<Buffer>
}

/**
 * A POP3 connection (RFC 1939). Calls may be made at any time; each has its turn in order. A call waits while the content of a message is
 * being read, and drains what nobody reads. After a failure that the connection does not survive, every call rejects with `ERR_CLOSED`.
 */
export class Pop3Client implements AsyncDisposable {
  readonly #options: CheckedOptions
  readonly #transport: Transport
  readonly #session: Pop3Session
  readonly #lane: Lane
  #capabilities: ReadonlyMap<string, readonly string[]> = new Map()
  #greeting = ''
  #failed = false
  #quit: Promise<{ confirmed: boolean }> | undefined
  readonly #onAbort = (): void => {
    this.#fail(this.#options.signal?.reason)
  }

  private constructor(transport: Transport, options: CheckedOptions) {
    this.#options = { ...options, auth: undefined } // a password is not kept
    this.#transport = transport
    this.#session = new Pop3Session((line) => {
      if (pop3ReplyChannel.hasSubscribers) this.#publish(pop3ReplyChannel, decodeText(line))
    })
    this.#lane = new Lane(
      (next) => this.#send(next),
      (exchange) => void this.#drain(exchange),
    )
  }

  /**
   * Connects, secures the connection, logs in and asks for the capabilities. Without `auth` the connection stays before the login. Rejects with
   * the errors of the way there, `ERR_TLS_REQUIRED`, `ERR_AUTH_CLEAR_TEXT` (before anything is sent), or a `Pop3ReplyError` (`ERR_AUTH` when
   * the credentials were refused).
   */
  static async connect(options: ServerOptions): Promise<Pop3Client> {
    const checked = checkServerOptions(options, POP3_DEFAULTS)
    checkLogin(checked, checked.security !== 'none')
    try {
      return await Pop3Client.#start(await connect(checked), checked, true)
    } catch (error) {
      // Some servers hang up at a command that they do not know (H56).
      if (!(error instanceof MailError && error.phase === 'capa' && (error.code === 'ERR_CLOSED' || error.code === 'ERR_TIMEOUT'))) throw error
      return Pop3Client.#start(await connect(checked), checked, false)
    }
  }

  /** The same on a transport that is there already; `host` and `port` only name it. */
  static async over(transport: Transport, options: ServerOptions): Promise<Pop3Client> {
    const checked = checkServerOptions(options, POP3_DEFAULTS)
    checkLogin(checked, checked.security === 'starttls' || transport.tls !== null)
    return Pop3Client.#start(transport, checked, true)
  }

  static async #start(transport: Transport, options: CheckedOptions, asksCapabilities: boolean): Promise<Pop3Client> {
    const client = new Pop3Client(transport, options)
    try {
      options.signal?.throwIfAborted()
      options.signal?.addEventListener('abort', client.#onAbort, { once: true })
      await client.#begin(options, asksCapabilities)
      return client
    } catch (error) {
      await client.#abandon(error)
      throw error
    }
  }

  /** What TLS negotiated, or `null` on a connection without it. */
  get tls(): TlsFacts | null {
    return this.#transport.tls
  }

  /** What CAPA gave last, by tag in upper case; empty when the server does not know CAPA (RFC 2449). */
  get capabilities(): ReadonlyMap<string, readonly string[]> {
    return this.#capabilities
  }

  /** The text of the greeting. Server text. */
  get greeting(): string {
    return this.#greeting
  }

  /** What the server says it is (RFC 2449 §6.9). Server text. */
  get implementation(): string | null {
    return this.#capabilities.get('IMPLEMENTATION')?.join(' ') ?? null
  }

  /** Messages in the maildrop and their size, as the server counts; `octets` is 0 where it cannot be read. */
  async stat(): Promise<{ count: number; octets: number }> {
    const { text } = await this.#ask(command.stat())
    const dropListing = parseStat(text)
    if (dropListing === undefined)
      throw new MailError('ERR_PROTOCOL', 'the answer to STAT has no count of messages', { phase: 'stat', reusable: true })
    return dropListing
  }

  /** The scan listing (RFC 1939 §5). Lines that are none are left out; LIST is sent when iteration starts. */
  list(): AsyncIterable<Listing> {
    return { [Symbol.asyncIterator]: () => this.#parts(command.list(), (event) => (event.type === 'listing' ? event.entries : [])) }
  }

  /** The unique-id listing (RFC 1939 §7). Lines that are none are left out; UIDL is sent when iteration starts. */
  uniqueIds(): AsyncIterable<UniqueIdListing> {
    return { [Symbol.asyncIterator]: () => this.#parts(command.uidl(), (event) => (event.type === 'unique-ids' ? event.entries : [])) }
  }

  /** A message, undotted. RETR is sent when iteration starts; an `-ERR` rejects there and leaves the connection usable. */
  retrieve(number: number): Retrieval {
    return this.#content(number, command.retr(number))
  }

  /** The header section and `lines` lines of the body (RFC 1939 §7, TOP). */
  top(number: number, lines: number): Retrieval {
    return this.#content(number, command.top(number, lines))
  }

  /** One after the other, in the order given. What is left of one is skipped when the next is asked for. */
  async *retrieveAll(numbers: Iterable<number>): AsyncGenerator<Retrieval, void, undefined> {
    for (const number of numbers) {
      const asked = command.retr(number)
      try {
        yield this.#content(number, asked)
      } finally {
        this.#lane.giveUp(asked)
      }
    }
  }

  /** Marks a message as deleted; it is removed when QUIT is confirmed. */
  async delete(number: number): Promise<void> {
    await this.#ask(command.dele(number))
  }

  /** Takes back all deletions of this session. */
  async reset(): Promise<void> {
    await this.#ask(command.rset())
  }

  async noop(): Promise<void> {
    await this.#ask(command.noop())
  }

  /** Ends the session. Does not reject: without a `+OK` in `timeouts.quit`, for whatever reason, deletions are not `confirmed`. */
  quit(): Promise<{ confirmed: boolean }> {
    this.#quit ??= this.#leaveTaking()
    return this.#quit
  }

  /** QUIT when nothing is under way; otherwise the connection is dropped, and with it this session's deletions. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#quit !== undefined || this.#lane.isEmpty) await this.quit()
    else this.#fail(new MailError('ERR_CLOSED', 'the client was disposed of while a call was under way', { phase: 'quit' }))
  }

  async #begin(options: CheckedOptions, asksCapabilities: boolean): Promise<void> {
    const { auth, security, tls } = options
    await this.#receiveGreeting()
    if (asksCapabilities) await this.#askCapabilities()
    if (security === 'starttls' && this.tls === null) {
      await this.#startTls(tls)
      if (asksCapabilities) await this.#askCapabilities()
    }
    if (auth === undefined) return
    checkLogin(options, this.tls !== null)
    if ('password' in auth) await this.#logIn(auth.user, auth.password)
    if (asksCapabilities) await this.#askCapabilities() // they may differ after the login (RFC 2449 §5)
  }

  async #receiveGreeting(): Promise<void> {
    const { greeting, idle } = this.#options.timeouts
    try {
      const event = await this.#event({ phase: 'greeting', totalMs: greeting, idleMs: idle })
      if (event.type !== 'greeting') throw unexpected(event)
      if (!event.reply.ok) throw new Pop3ReplyError('greeting', event.reply)
      this.#greeting = event.reply.text
    } catch (error) {
      if (!(error instanceof MailError && error.code === 'ERR_TIMEOUT' && this.tls === null)) throw error
      // A server that waits for a handshake is silent.
      const hint = "; if the port speaks TLS from the start, security must be 'tls'"
      throw new MailError('ERR_TIMEOUT', error.message + hint, { phase: 'greeting', transient: true, cause: error })
    }
  }

  async #askCapabilities(): Promise<void> {
    const capabilities = new Map<string, readonly string[]>()
    try {
      for await (const [tag, parameters] of this.#parts(command.capa(), (event) => (event.type === 'capabilities' ? event.entries : []))) {
        capabilities.set(tag, [...(capabilities.get(tag) ?? []), ...parameters])
      }
    } catch (error) {
      if (!(error instanceof Pop3ReplyError)) throw error
    }
    this.#capabilities = capabilities
  }

  async #startTls(tls: UpgradeOptions): Promise<void> {
    // A server that hides its capabilities may know STLS all the same (T4, H56); one that lists them without it does not.
    if (this.#capabilities.size > 0 && !this.#capabilities.has('STLS')) throw tlsRequired('the server does not offer STLS')
    try {
      await this.#ask(command.stls())
    } catch (error) {
      throw error instanceof Pop3ReplyError ? tlsRequired('the server refused STLS', error) : error
    }
    try {
      this.#session.secure()
      this.#capabilities = new Map() // what was heard in the clear can be forged (T7)
      await this.#transport.upgrade(tls)
    } catch (error) {
      throw this.#fail(error)
    }
  }

  async #logIn(user: string, password: Secret): Promise<void> {
    await this.#ask(command.user(user))
    const { timeouts, signal } = this.#options
    await this.#ask(command.pass(await readSecret(password, timeouts.command, signal)))
  }

  /** A command whose answer is one line. */
  #ask(asked: Command): Promise<StatusReply> {
    return this.#status(this.#lane.enter(asked))
  }

  #content(number: number, asked: Command): Retrieval {
    let begun = false
    const begin = (owned: boolean): AsyncGenerator<Buffer, void, undefined> => {
      if (begun) {
        throw new MailError('ERR_SESSION_STATE', `the content of message ${number} can be read only once`, { phase: asked.phase, reusable: true })
      }
      begun = true
      return this.#parts(asked, (event) => contentOf(event, owned || event.last))
    }
    return { number, [Symbol.asyncIterator]: () => begin(true), views: () => ({ [Symbol.asyncIterator]: () => begin(false) }) }
  }

  /** A command whose answer has a body, as the pieces of it. Asks for octets only when a piece is wanted. */
  async *#parts<T>(asked: Command, take: (event: Pop3BodyEvent) => readonly T[]): AsyncGenerator<T, void, undefined> {
    const exchange = this.#lane.enter(asked)
    await this.#status(exchange)
    const { command: commandMs, transaction } = this.#options.timeouts
    const until = performance.now() + (asked.answer === 'capabilities' ? commandMs : transaction)
    try {
      while (!exchange.answered) {
        for (const part of await this.#body(exchange, until, take)) {
          exchange.suspendedAt = performance.now()
          yield part
          exchange.suspendedAt = undefined
          if (exchange.givenUp !== undefined) throw exchange.givenUp
        }
      }
    } finally {
      if (exchange.givenUp === undefined) await this.#drain(exchange) // otherwise another call sees to it
    }
  }

  async #status(exchange: Exchange): Promise<StatusReply> {
    await exchange.turn
    const { command: asked } = exchange
    const { command: commandMs, idle, quit } = this.#options.timeouts
    const event = await this.#event({ phase: asked.phase, totalMs: asked.verb === 'QUIT' ? quit : commandMs, idleMs: idle })
    if (event.type !== 'reply') throw unexpected(event)
    if (!event.more) this.#lane.release(exchange)
    if (!event.reply.ok) throw new Pop3ReplyError(asked.phase, event.reply)
    return event.reply
  }

  /** The next piece of a body, as what is taken from it. What came with the end is owned, so the next call need not wait until it was looked at. */
  async #body<T>(exchange: Exchange, until: number, take: (event: Pop3BodyEvent) => readonly T[]): Promise<readonly T[]> {
    const { phase } = exchange.command
    const { idle } = this.#options.timeouts
    const leftMs = until - performance.now()
    if (leftMs <= 0) {
      throw this.#fail(new MailError('ERR_TIMEOUT', `the whole answer took too long in the ${phase} phase`, { phase, transient: true }))
    }
    const event = await this.#event({ phase, totalMs: Math.min(idle, leftMs), idleMs: idle })
    if (event.type === 'greeting' || event.type === 'reply') throw unexpected(event)
    exchange.octets += weigh(event)
    const parts = take(event)
    if (event.last) {
      if (event.type === 'content') this.#publish(pop3ReplyChannel, `${exchange.octets} octets of content`)
      this.#lane.release(exchange)
    }
    return parts
  }

  /** Ends a reader's turn. A short rest of its answer is read; for a long one the connection ends. */
  async #drain(exchange: Exchange): Promise<void> {
    exchange.suspendedAt = undefined
    const until = performance.now() + this.#options.timeouts.command
    const most = exchange.octets + MAX_DRAIN_OCTETS
    const { phase } = exchange.command
    try {
      while (!exchange.answered && !this.#failed) {
        if (exchange.octets <= most) await this.#body(exchange, until, () => [])
        else
          throw this.#fail(
            new MailError('ERR_CLOSED', `an answer was left in the ${phase} phase with much to come, so the connection was closed`, { phase }),
          )
      }
    } catch {
      // The connection has failed with it; later calls are told.
    }
  }

  async #event(wait: Wait): Promise<Pop3Event> {
    try {
      return await nextEvent(this.#session, this.#transport, wait)
    } catch (error) {
      throw this.#fail(error)
    }
  }

  #send(exchange: Exchange): boolean {
    const { command: asked } = exchange
    try {
      // What came unasked must not be taken for the answer to what is asked now (S17, H16).
      while (this.#session.quiet) {
        const chunk = this.#transport.readAhead()
        if (chunk === null) break
        this.#session.receive(chunk)
      }
      const octets = this.#session.request(asked)
      this.#publish(pop3CommandChannel, asked.shown)
      this.#transport.write([octets], asked.phase, this.#options.timeouts.command).catch((error: unknown) => this.#fail(error))
      return true
    } catch (error) {
      exchange.refuse(error)
      if (!(error instanceof MailError && error.reusable)) this.#fail(error)
      return false
    }
  }

  async #leaveTaking(): Promise<{ confirmed: boolean }> {
    const exchange = this.#lane.enter(command.quit())
    this.#lane.seal(new MailError('ERR_CLOSED', 'the connection is closed: quit was called', { phase: 'quit' }))
    let from = performance.now()
    try {
      await exchange.turn
      from = performance.now()
      await this.#status(exchange)
      return { confirmed: true }
    } catch {
      return { confirmed: false }
    } finally {
      await this.#close(Math.max(1, this.#options.timeouts.quit - (performance.now() - from)))
    }
  }

  async #close(waitMs: number): Promise<void> {
    if (this.#failed) return
    this.#failed = true
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    await this.#transport.close(waitMs)
  }

  /** A connection that nobody gets: says goodbye where that is possible, without waiting for the answer. */
  async #abandon(error: unknown): Promise<void> {
    const possible = this.#session.greeted && this.#session.unread === 0 && this.#lane.isEmpty && this.#options.signal?.aborted !== true
    if (!this.#failed && possible) {
      this.#lane.enter(command.quit())
      await this.#close(Math.min(GOODBYE_MS, this.#options.timeouts.quit))
    } else this.#fail(error)
  }

  /** The connection does not survive this. Waiting calls are refused, later ones learn the first reason. */
  #fail(error: unknown): unknown {
    if (this.#failed) return error
    this.#failed = true
    const { signal } = this.#options
    signal?.removeEventListener('abort', this.#onAbort)
    this.#transport.destroy(error)
    const closed = new MailError('ERR_CLOSED', 'the connection was closed by an earlier failure', {
      phase: error instanceof MailError ? error.phase : 'noop',
      cause: error,
    })
    this.#lane.fail(signal?.aborted === true && signal.reason === error ? error : closed)
    return error
  }

  #publish(channel: typeof pop3ReplyChannel, line: string): void {
    if (!channel.hasSubscribers) return
    const { host, port, label } = this.#options
    channel.publish({ host, port, label, line })
  }
}

/** Whether there is a way to log in, and whether the credentials may leave. */
function checkLogin({ auth, allowClearTextAuth }: CheckedOptions, secured: boolean): void {
  if (auth === undefined) return
  if (!('password' in auth) || (auth.mechanism !== undefined && auth.mechanism.toUpperCase() !== 'USER')) {
    throw new MailError('ERR_AUTH_MECHANISM', 'POP3 logs in with a user and a password (USER and PASS); leave auth.mechanism out', { phase: 'auth' })
  }
  if (!secured && !allowClearTextAuth) {
    const message = "the credentials would leave in clear text; use security 'tls' or 'starttls', or set allowClearTextAuth"
    throw new MailError('ERR_AUTH_CLEAR_TEXT', message, { phase: 'auth' })
  }
}

function tlsRequired(why: string, cause?: MailError): MailError {
  const transient = cause?.transient === true
  return new MailError('ERR_TLS_REQUIRED', `${why}, and TLS is required (security 'starttls')`, { phase: 'stls', transient, cause })
}

/** The session's events do not come in another order; what looks like it is our own mistake. */
const unexpected = (event: Pop3Event): Error => new Error(`a ${event.type} event out of order`)

const MAX_VIEWS = 8 // many small views, as between dots that are taken out, cost more to hand out one by one than to join

function contentOf(event: Pop3BodyEvent, owned: boolean): readonly Buffer[] {
  if (event.type !== 'content' || event.views.length === 0) return []
  return owned || event.views.length > MAX_VIEWS ? [Buffer.concat(event.views)] : event.views
}

function weigh(event: Pop3BodyEvent): number {
  if (event.type !== 'content') return event.entries.length * ENTRY_OCTETS
  return event.views.reduce((octets, { length }) => octets + length, 0)
}
