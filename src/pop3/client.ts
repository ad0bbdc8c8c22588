import { pop3CommandChannel, pop3ReplyChannel } from '../diagnostics.ts'
import { MailError } from '../errors.ts'
import { checkSecrecy, Dialogue, tlsRequired } from '../tls/dialogue.ts'
import { checkServerOptions, POP3_DEFAULTS, readSecret, type CheckedOptions, type Secret, type ServerOptions, type TlsFacts } from '../tls/options.ts'
import { connect } from '../tls/socket.ts'
import type { Transport } from '../tls/transport.ts'
import { ContentBody } from './body.ts'
import * as command from './command.ts'
import type { Command } from './command.ts'
import { Pop3ReplyError } from './errors.ts'
import { parseStat, type Listing, type StatusReply, type UniqueIdListing } from './grammar.ts'
import { Lane, type Exchange } from './lane.ts'
import { Pop3Session, type Pop3Event } from './session.ts'

/** What is left of an answer that nobody wants is read when it is at most this long; otherwise the connection ends. */
const MAX_DRAIN_OCTETS = 256 * 1024
const GOODBYE_MS = 1_000 // how long a connection whose begin failed may take to close

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
  readonly #transport: Transport
  readonly #session = new Pop3Session((line) => this.#dialogue.publish(pop3ReplyChannel, line))
  readonly #dialogue: Dialogue<Command, Pop3Event>
  readonly #lane = new Lane(
    (next) => this.#send(next),
    (exchange) => void this.#drain(exchange),
  )
  #capabilities: ReadonlyMap<string, readonly string[]> = new Map()
  #greeting = ''
  #quit: Promise<{ confirmed: boolean }> | undefined

  private constructor(transport: Transport, options: CheckedOptions) {
    this.#transport = transport
    this.#dialogue = new Dialogue(transport, this.#session, options, pop3CommandChannel, (reason) => this.#refuse(reason))
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
      client.#dialogue.begin()
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
    return { [Symbol.asyncIterator]: () => this.#parts(command.list()) }
  }

  /** The unique-id listing (RFC 1939 §7). Lines that are none are left out; UIDL is sent when iteration starts. */
  uniqueIds(): AsyncIterable<UniqueIdListing> {
    return { [Symbol.asyncIterator]: () => this.#parts(command.uidl()) }
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
    else this.#dialogue.fail(new MailError('ERR_CLOSED', 'the client was disposed of while a call was under way', { phase: 'quit' }))
  }

  async #begin(options: CheckedOptions, asksCapabilities: boolean): Promise<void> {
    const { auth, security, timeouts } = options
    const wait = { phase: 'greeting', totalMs: timeouts.greeting, idleMs: timeouts.idle } as const
    const reply = status(await this.#dialogue.greeting(this.#dialogue.event(wait)))
    this.#greeting = reply.text
    if (asksCapabilities) await this.#askCapabilities()
    if (security === 'starttls' && this.tls === null) {
      await this.#startTls()
      if (asksCapabilities) await this.#askCapabilities()
    }
    if (auth === undefined) return
    checkSecrecy(options, this.tls !== null)
    if ('password' in auth) await this.#logIn(auth.user, auth.password)
    if (asksCapabilities) await this.#askCapabilities() // they may differ after the login (RFC 2449 §5)
  }

  async #askCapabilities(): Promise<void> {
    const capabilities = new Map<string, readonly string[]>()
    try {
      for await (const [tag, parameters] of this.#parts(command.capa())) {
        capabilities.set(tag, [...(capabilities.get(tag) ?? []), ...parameters])
      }
    } catch (error) {
      if (!(error instanceof Pop3ReplyError)) throw error
    }
    this.#capabilities = capabilities
  }

  async #startTls(): Promise<void> {
    // A server that hides its capabilities may know STLS all the same (T4, H56); one that lists them without it does not.
    if (this.#capabilities.size > 0 && !this.#capabilities.has('STLS')) throw tlsRequired('the server does not offer STLS', 'stls')
    try {
      await this.#ask(command.stls())
    } catch (error) {
      throw error instanceof Pop3ReplyError ? tlsRequired('the server refused STLS', 'stls', error) : error
    }
    this.#capabilities = new Map() // what was heard in the clear can be forged (T7)
    await this.#dialogue.upgrade()
  }

  async #logIn(user: string, password: Secret): Promise<void> {
    await this.#ask(command.user(user))
    const { timeouts, signal } = this.#dialogue.options
    await this.#ask(command.pass(await readSecret(password, timeouts.command, signal)))
  }

  /** A command whose answer is one line. */
  #ask(asked: Command): Promise<StatusReply> {
    return this.#status(this.#lane.enter(asked))
  }

  #content(number: number, asked: Command<Buffer>): Retrieval {
    let begun = false
    const begin = (owned: boolean): AsyncGenerator<Buffer, void, undefined> => {
      if (begun) {
        throw new MailError('ERR_SESSION_STATE', `the content of message ${number} can be read only once`, { phase: asked.phase, reusable: true })
      }
      begun = true
      return this.#parts(asked, owned)
    }
    return { number, [Symbol.asyncIterator]: () => begin(true), views: () => ({ [Symbol.asyncIterator]: () => begin(false) }) }
  }

  /** A command whose answer has a body, as the parts of it. Asks for octets only when a part is wanted. */
  async *#parts<Part>(asked: Command<Part>, owned = true): AsyncGenerator<Part, void, undefined> {
    const exchange = this.#lane.enter(asked)
    await this.#status(exchange)
    const { command: commandMs, transaction } = this.#dialogue.options.timeouts
    const until = performance.now() + (asked.phase === 'capa' ? commandMs : transaction)
    try {
      while (!exchange.answered) {
        for (const part of await this.#body(exchange, until, owned)) {
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
    const { phase } = exchange.command
    const { command: commandMs, idle, quit } = this.#dialogue.options.timeouts
    const event = await this.#dialogue.event({ phase, totalMs: phase === 'quit' ? quit : commandMs, idleMs: idle })
    if (event.type === 'reply' && !event.more) this.#lane.release(exchange)
    return status(event)
  }

  /** The next parts of a body. What came with the end is owned, so the next call need not wait until it was looked at. */
  async #body<Part>(exchange: Exchange<Part>, until: number, owned: boolean): Promise<readonly Part[]> {
    const { phase, body } = exchange.command
    const { idle } = this.#dialogue.options.timeouts
    const leftMs = until - performance.now()
    if (leftMs <= 0) {
      const message = `the whole answer took too long in the ${phase} phase`
      throw this.#dialogue.fail(new MailError('ERR_TIMEOUT', message, { phase, transient: true }))
    }
    const event = await this.#dialogue.event({ phase, totalMs: Math.min(idle, leftMs), idleMs: idle })
    const last = event.type === 'body' && event.last
    const parts = body?.take(owned || last) ?? []
    if (last && body instanceof ContentBody) this.#dialogue.publish(pop3ReplyChannel, () => `${body.octets} octets of content`)
    if (last) this.#lane.release(exchange)
    return parts
  }

  /** Ends a reader's turn. A short rest of its answer is read; for a long one the connection ends. */
  async #drain(exchange: Exchange): Promise<void> {
    exchange.suspendedAt = undefined
    const { phase, body } = exchange.command
    const until = performance.now() + this.#dialogue.options.timeouts.command
    const most = (body?.octets ?? 0) + MAX_DRAIN_OCTETS
    try {
      while (!exchange.answered && this.#dialogue.failure === undefined) {
        if ((body?.octets ?? 0) <= most) await this.#body(exchange, until, false)
        else {
          const message = `an answer was left in the ${phase} phase with much to come, so the connection was closed`
          this.#dialogue.fail(new MailError('ERR_CLOSED', message, { phase }))
        }
      }
    } catch {
      // The connection has failed with it; later calls are told.
    }
  }

  #send(exchange: Exchange): boolean {
    try {
      this.#dialogue.send([exchange.command])
      return true
    } catch (error) {
      exchange.refuse(error)
      if (!(error instanceof MailError && error.reusable)) this.#dialogue.fail(error)
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
      await this.#dialogue.close(this.#dialogue.options.timeouts.quit - (performance.now() - from))
    }
  }

  /** A connection that nobody gets: says goodbye where that is possible, without waiting for the answer. */
  async #abandon(error: unknown): Promise<void> {
    const { signal, timeouts } = this.#dialogue.options
    const possible = this.#session.greeted && this.#session.unread === 0 && this.#lane.isEmpty && signal?.aborted !== true
    if (this.#dialogue.failure !== undefined || !possible) this.#dialogue.fail(error)
    else {
      this.#lane.enter(command.quit())
      await this.#dialogue.close(Math.min(GOODBYE_MS, timeouts.quit))
    }
  }

  /** Waiting calls are refused, later ones learn the first reason. */
  #refuse(reason: unknown): void {
    const { signal } = this.#dialogue.options
    const phase = reason instanceof MailError ? reason.phase : 'noop'
    const closed = new MailError('ERR_CLOSED', 'the connection was closed by an earlier failure', { phase, cause: reason })
    this.#lane.fail(signal?.aborted === true && signal.reason === reason ? reason : closed)
  }
}

/** Whether there is a way to log in, and whether the credentials may leave. */
function checkLogin(options: CheckedOptions, secure: boolean): void {
  const { auth } = options
  if (auth !== undefined && (!('password' in auth) || (auth.mechanism !== undefined && auth.mechanism.toUpperCase() !== 'USER'))) {
    throw new MailError('ERR_AUTH_MECHANISM', 'POP3 logs in with a user and a password (USER and PASS); leave auth.mechanism out', { phase: 'auth' })
  }
  checkSecrecy(options, secure)
}

/** The reply that an event must be. Throws when it is a refusal. */
function status(event: Pop3Event): StatusReply {
  if (event.type !== 'reply') throw new Error('a body out of order') // which would be our own mistake
  if (!event.reply.ok) throw new Pop3ReplyError(event.command.phase, event.reply)
  return event.reply
}
