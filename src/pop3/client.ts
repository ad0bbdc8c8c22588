import { createHash } from 'node:crypto'
import { pop3CommandChannel, pop3ReplyChannel } from '../diagnostics.ts'
import { MailError } from '../errors.ts'
import { checkSecrecy, Dialogue, tlsRequired } from '../tls/dialogue.ts'
import { readSecret, type Credentials, type TlsFacts } from '../tls/options.ts'
import { connect } from '../tls/socket.ts'
import type { Transport } from '../tls/transport.ts'
import { createMechanism, MAX_ROUNDS } from '../wire/sasl/mechanism.ts'
import { ContentBody } from './body.ts'
import * as command from './command.ts'
import { Pop3ReplyError } from './errors.ts'
import { parseFeatures, type Pop3Features } from './features.ts'
import { parseStat, parseUniqueIdListing, type Language, type Listing, type StatusReply, type UniqueIdListing } from './grammar.ts'
import { Lane, type Exchange } from './lane.ts'
import { apopDigest, chooseLogin } from './login.ts'
import { checkPop3Options, type CheckedPop3Options, type Pop3Options } from './options.ts'
import { Pop3Session, type Pop3Event } from './session.ts'

const MAX_DRAIN_OCTETS = 256 * 1024 // of an answer that nobody wants: what is left of it is read, or ends the connection when it is longer
const WINDOW = 32 // commands under way where the server allows several
const GOODBYE_MS = 1_000 // how long a connection whose begin failed may take to close

/** The octets of one message, once: iterating gives owned chunks; `views()` gives borrowed ones, valid until the next, which is what `readMessage` wants. */
export interface Retrieval extends AsyncIterable<Buffer> {
  readonly number: number
  views(): AsyncIterable<Buffer>
}

/** What became of one message of a batch. `error`: why it is not marked, what the server said or that this is no message-number. */
export type Deletion = { readonly number: number; readonly error: MailError | null }

/** A message of a batch, which may have been asked for before its turn. */
type Item<Asked> = { readonly number: number; asked?: Asked }

/** A POP3 connection (RFC 1939). Calls may be made at any time; each has its turn in order. A call waits while the content of a message is being
 *  read, and drains what nobody reads; of a listing it reads the rest ahead, so the loop over one may make calls. After a failure that the
 *  connection does not survive, every call rejects with `ERR_CLOSED`. */
export class Pop3Client implements AsyncDisposable {
  readonly #options: CheckedPop3Options
  #transport: Transport
  #session = new Pop3Session((line) => this.#dialogue.publish(pop3ReplyChannel, line))
  #dialogue: Dialogue<command.Command, Pop3Event>
  #lane = new Lane({ write: (exchanges) => this.#send(exchanges), drain: (exchange, keep) => this.#drain(exchange, keep) })
  #capabilities: ReadonlyMap<string, readonly string[]> = new Map()
  #greeting = ''
  #quit: Promise<{ confirmed: boolean }> | undefined
  /** Messages were marked as deleted, which another connection would not know. */ #marked = false
  /** What the server said of the whole maildrop: shows whether another connection finds the same messages under the same numbers. */
  readonly #seen = new Map<string, string>()
  /** Makes another connection to the same maildrop. */ #again: (() => Promise<Pop3Client>) | undefined
  /** Whether one has taken the place of this one. */ #resumed: Promise<boolean> | undefined

  private constructor(transport: Transport, options: CheckedPop3Options) {
    this.#options = { ...options, auth: undefined }
    this.#transport = transport
    this.#dialogue = new Dialogue(transport, this.#session, options, pop3CommandChannel, (reason) => {
      // Waiting calls are refused, later ones learn the first reason.
      const phase = reason instanceof MailError ? reason.phase : 'noop'
      const closed = new MailError('ERR_CLOSED', 'the connection was closed by an earlier failure', { phase, cause: reason })
      this.#lane.fail(options.signal?.aborted === true && options.signal.reason === reason ? reason : closed)
    })
  }

  /** Connects, secures the connection, logs in and asks for the capabilities. Without `auth` the connection stays before the login. Rejects with
   *  the errors of the way there, `ERR_TLS_REQUIRED`, `ERR_AUTH_CLEAR_TEXT` (before anything is sent), `ERR_AUTH_MECHANISM`, `ERR_UNSUPPORTED`, or a
   *  `Pop3ReplyError` (`ERR_AUTH` when the credentials were refused). */
  static async connect(options: Pop3Options): Promise<Pop3Client> {
    const client = await Pop3Client.#connect(checkPop3Options(options))
    client.#again = () => Pop3Client.#connect(checkPop3Options({ ...options, pipelining: 'never' }))
    return client
  }

  static async #connect(options: CheckedPop3Options): Promise<Pop3Client> {
    try {
      return await Pop3Client.#start(await connect(options), options)
    } catch (error) {
      // Some servers hang up at a command that they do not know (H56).
      if (!(error instanceof MailError && error.phase === 'capa' && (error.code === 'ERR_CLOSED' || error.code === 'ERR_TIMEOUT'))) throw error
      return Pop3Client.#start(await connect(options), { ...options, capabilities: 'never' })
    }
  }

  /** The same on a transport that is there already; `host` and `port` only name it. */
  static async over(transport: Transport, options: Pop3Options): Promise<Pop3Client> {
    return Pop3Client.#start(transport, checkPop3Options(options, options.security === 'starttls' || transport.tls !== null))
  }

  static async #start(transport: Transport, options: CheckedPop3Options): Promise<Pop3Client> {
    const client = new Pop3Client(transport, options)
    try {
      await client.#begin(options)
      return client
    } catch (error) {
      // Says goodbye where that is possible, without waiting for the answer.
      if (client.#session.greeted && client.#session.unread === 0 && client.#lane.isEmpty && client.#dialogue.failure === undefined) {
        client.#lane.enter(command.quit())
        await client.#dialogue.close(Math.min(GOODBYE_MS, options.timeouts.quit))
      } else client.#dialogue.fail(error)
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

  /** The same in types: asked again after the upgrade to TLS and after the login, and never carried over. */
  get features(): Pop3Features {
    return parseFeatures(this.#capabilities)
  }

  /** The text of the greeting. Server text. */
  get greeting(): string {
    return this.#greeting
  }

  /** What the server says it is (RFC 2449 §6.9). Server text. */
  get implementation(): string | null {
    return this.features.implementation
  }

  /** Messages in the maildrop and their size, as the server counts; `octets` is 0 where it cannot be read. */
  async stat(): Promise<{ count: number; octets: number }> {
    const { text } = await this.#ask(command.stat())
    const dropListing = parseStat(text)
    if (dropListing === undefined)
      throw new MailError('ERR_PROTOCOL', 'the answer to STAT has no count of messages', { phase: 'stat', reusable: true })
    this.#seen.set('STAT', `${dropListing.count} ${dropListing.octets}`)
    return dropListing
  }

  /** The scan listing (RFC 1939 §5). Lines that are none are left out; LIST is sent when iteration starts. */
  list(): AsyncIterable<Listing> {
    return { [Symbol.asyncIterator]: () => this.#listing(command.list()) }
  }

  /** The unique-id listing (RFC 1939 §7). Lines that are none are left out; UIDL is sent when iteration starts. With `numbers` only these are
   *  asked for; one that the server refuses is left out, and when it refuses all, the first refusal rejects. */
  uniqueIds(numbers?: Iterable<number>): AsyncIterable<UniqueIdListing> {
    return { [Symbol.asyncIterator]: () => (numbers === undefined ? this.#listing(command.uidl()) : this.#uniqueIdsOf(numbers)) }
  }

  /** A message, undotted. RETR is sent when iteration starts; an `-ERR` rejects there and leaves the connection usable. */
  retrieve(number: number): Retrieval {
    return this.#retrieval(number, command.retr(number))
  }

  /** The header section and `lines` lines of the body (RFC 1939 §7, TOP). */
  top(number: number, lines: number): Retrieval {
    return this.#retrieval(number, command.top(number, lines, this.#options.top))
  }

  /** One after the other, in the order given. What is left of one is skipped when the next is asked for. With PIPELINING several are under way, once
   *  the first was read to its end without another call between; a later call makes it one at a time again. After a batch that the server could
   *  not take, the rest comes over another connection where that is safe (docs/pop3-servers.md). */
  retrieveAll(numbers: Iterable<number>): AsyncGenerator<Retrieval, void, undefined> {
    return this.#contents(numbers, command.retr)
  }

  /** The same with the beginning of each message. */
  topAll(numbers: Iterable<number>, lines: number): AsyncGenerator<Retrieval, void, undefined> {
    return this.#contents(numbers, (number) => command.top(number, lines, this.#options.top))
  }

  /** Marks a message as deleted; it is removed when QUIT is confirmed. */
  async delete(number: number): Promise<void> {
    this.#marked = true
    await this.#ask(command.dele(number))
  }

  /** The same with several, under way at once where the server allows it. Who leaves early may have marked more than was told of. */
  async *deleteAll(numbers: Iterable<number>): AsyncGenerator<Deletion, void, undefined> {
    this.#marked = true
    for await (const { number, error } of this.#replies(numbers, command.dele)) yield { number, error }
  }

  /** Takes back all deletions of this session. */
  async reset(): Promise<void> {
    await this.#ask(command.rset())
    this.#marked = false
  }

  /** The languages in which the server can give its texts (RFC 6856 §3). */
  languages(): AsyncIterable<Language> {
    return { [Symbol.asyncIterator]: () => this.#parts(() => this.#lane.enter(command.languages())) }
  }

  /** Asks for texts in that language (RFC 5646), or `*` for the server's own choice. */
  async setLanguage(tag: string): Promise<void> {
    await this.#ask(command.lang(tag))
  }

  async noop(): Promise<void> {
    await this.#ask(command.noop())
  }

  /** Ends the session. Does not reject: without a `+OK` in `timeouts.quit`, for whatever reason, deletions are not `confirmed`. */
  quit(): Promise<{ confirmed: boolean }> {
    return (this.#quit ??= this.#leaveTaking())
  }

  /** QUIT when nothing is under way; otherwise the connection is dropped, and with it this session's deletions. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#quit !== undefined || this.#lane.isEmpty) await this.quit()
    else this.#dialogue.fail(new MailError('ERR_CLOSED', 'the client was disposed of while a call was under way', { phase: 'quit' }))
  }

  async #begin(options: CheckedPop3Options): Promise<void> {
    const { auth, security, timeouts, utf8 } = options
    this.#dialogue.begin()
    const wait = { phase: 'greeting', totalMs: timeouts.greeting, idleMs: timeouts.idle } as const
    this.#greeting = this.#reply(await this.#dialogue.greeting(this.#dialogue.event(wait))).text
    await this.#askCapabilities()
    if (security === 'starttls' && this.tls === null) {
      // A server that hides its capabilities may know STLS all the same (T4, H56); one that lists them without it does not.
      if (this.#capabilities.size > 0 && !this.features.stls) throw tlsRequired('the server does not offer STLS', 'stls')
      await this.#ask(command.stls()).catch((error: unknown) => {
        throw error instanceof Pop3ReplyError ? tlsRequired('the server refused STLS', 'stls', error) : error
      })
      await this.#dialogue.upgrade()
      await this.#askCapabilities()
    }
    // A server that does not say what it can do is asked all the same.
    if (utf8 && this.#capabilities.size > 0 && this.features.utf8 === null)
      throw new MailError('ERR_UNSUPPORTED', 'the server does not offer UTF8', { phase: 'utf8' })
    if (utf8) await this.#ask(command.utf8())
    if (auth === undefined) return
    checkSecrecy(options, this.tls !== null)
    await this.#logIn(auth)
    await this.#askCapabilities()
  }

  /** What was heard before counts no more: in the clear it can be forged (T7), and it may change with the login (RFC 2449 §5). */
  async #askCapabilities(): Promise<void> {
    if (this.#options.capabilities === 'never') return
    const capabilities = new Map<string, readonly string[]>()
    this.#capabilities = capabilities
    try {
      for await (const [tag, parameters] of this.#parts(() => this.#lane.enter(command.capa()))) {
        capabilities.set(tag, [...(capabilities.get(tag) ?? []), ...parameters])
      }
    } catch (error) {
      if (!(error instanceof Pop3ReplyError)) throw error
    }
    this.#lane.depth = this.features.pipelining && this.#options.pipelining === 'auto' ? WINDOW : 1
  }

  async #logIn(auth: Credentials): Promise<void> {
    const { timeouts, signal, initialResponse } = this.#options
    const way = chooseLogin(auth, this.features, this.#capabilities.size > 0)
    if (way === 'USER') await this.#ask(command.user(auth.user))
    const password = await readSecret('password' in auth ? auth.password : '', timeouts.command, signal)
    if (way === 'USER') await this.#ask(command.pass(password))
    else if (way === 'APOP') await this.#ask(command.apop(auth.user, apopDigest(this.#greeting, password)))
    else {
      const mechanism = createMechanism(way, auth.user, password)
      const { messages = 1 } = mechanism
      let reply = await this.#ask(command.auth(way, initialResponse ? mechanism.initialResponse : null, password))
      for (let round = 1; reply.challenge !== undefined; round++) {
        try {
          if (round > MAX_ROUNDS) throw new MailError('ERR_LIMIT', `authentication of more than ${MAX_ROUNDS} rounds`, { phase: 'auth' })
          const response = await mechanism.respond(Buffer.from(reply.challenge, 'base64'))
          reply = await this.#ask(command.authResponse(response, password, round >= messages))
        } catch (error) {
          if (!(error instanceof Pop3ReplyError) && this.#dialogue.failure === undefined) await this.#ask(command.authCancel()).catch(() => {})
          throw error
        }
      }
      mechanism.succeeded?.()
    }
  }

  /** A command whose answer is one line. */
  #ask(asked: command.Command): Promise<StatusReply> {
    return this.#status(this.#lane.enter(asked))
  }

  /** Content that is asked for when somebody begins to read it. @param again as for `#parts` */
  #retrieval(number: number, asked: command.Command<Buffer>, enter = () => this.#lane.enter(asked), again?: typeof enter): Retrieval {
    let begun = false
    const begin = (owned: boolean): AsyncGenerator<Buffer, void, undefined> => {
      if (begun) throw new MailError('ERR_SESSION_STATE', `the content of message ${number} can be read only once`, { phase: 'retr', reusable: true })
      begun = true
      return this.#parts(enter, owned, again)
    }
    return { number, [Symbol.asyncIterator]: () => begin(true), views: () => ({ [Symbol.asyncIterator]: () => begin(false) }) }
  }

  /** A listing of the whole maildrop. */
  async *#listing<Entry extends Listing | UniqueIdListing>(asked: command.Command<Entry>): AsyncGenerator<Entry, void, undefined> {
    const hash = createHash('sha256')
    for await (const entry of this.#parts(() => this.#lane.enter(asked))) {
      hash.update(`${entry.number} ${'octets' in entry ? entry.octets : entry.uniqueId}\n`)
      yield entry
    }
    this.#seen.set(asked.verb, hash.digest('hex'))
  }

  async *#uniqueIdsOf(numbers: Iterable<number>): AsyncGenerator<UniqueIdListing, void, undefined> {
    let refused: MailError | null = null
    let any = false
    for await (const { number, reply, error } of this.#replies(numbers, command.uniqueId)) {
      refused ??= error
      if (reply === null) continue
      any = true
      // Some servers leave the number out.
      const entry = parseUniqueIdListing(Buffer.from(reply.line, 'latin1')) ?? { number, uniqueId: reply.text }
      if (entry.number !== number) throw this.#dialogue.fail(new MailError('ERR_PROTOCOL', 'an answer about another message', { phase: 'uidl' }))
      yield entry
    }
    if (!any && refused !== null) throw refused
  }

  /** The replies to one-line commands, several under way where that is allowed. What fails one item alone is told with it; where the server could not
   *  take the batch and nothing is marked as deleted, it is asked again elsewhere. */
  async *#replies(numbers: Iterable<number>, make: (number: number) => command.Command) {
    const batch = { isInterrupted: false }
    const ask = async (number: number, again = true): Promise<{ number: number; reply: StatusReply | null; error: MailError | null }> => {
      try {
        return { number, reply: await this.#status(this.#lane.enter(make(number), batch)), error: null }
      } catch (error) {
        if (error instanceof MailError && error.reusable) return { number, reply: null, error }
        if (again && (await this.#resume())) return ask(number, false)
        throw error
      }
    }
    for (const items of inWindow<ReturnType<typeof ask>>(numbers, () => this.#lane.ahead)) {
      for (const one of items) {
        one.asked ??= ask(one.number)
        one.asked.catch(() => {}) // an earlier one may tell of the failure
      }
      if (items[0]?.asked !== undefined) yield await items[0].asked
    }
  }

  async *#contents(numbers: Iterable<number>, make: (number: number) => command.Command<Buffer>): AsyncGenerator<Retrieval, void, undefined> {
    const batch = { isInterrupted: false }
    /** The first was read to its end, and no other call came between: it is worth to ask ahead. */ let isSteady: boolean | undefined
    const enter = (item: Item<Exchange<Buffer>>): Exchange<Buffer> => {
      if (item.asked === undefined || item.asked.recalled) item.asked = this.#lane.enter(make(item.number), batch)
      return item.asked
    }
    try {
      for (const items of inWindow<Exchange<Buffer>>(numbers, () => (isSteady === true ? this.#lane.ahead : 1))) {
        const [item] = items
        if (item === undefined) continue
        const asked = make(item.number) // what cannot be asked for is refused when its turn comes
        for (const one of isSteady === true ? items : []) {
          if (!command.isMessageNumber(one.number)) break
          enter(one)
        }
        const again = isSteady === undefined ? undefined : () => this.#lane.enter(asked)
        yield this.#retrieval(item.number, asked, () => enter(item), again)
        if (item.asked !== undefined) this.#lane.giveUp(item.asked)
        isSteady = isSteady !== false && item.asked?.answered === true && !batch.isInterrupted
        if (!isSteady) this.#lane.recall(batch)
      }
    } finally {
      this.#lane.recall(batch)
    }
  }

  /** After a batch that the server could not take (H60): takes another connection in place of this one. `false` when that would not be the same. */
  #resume(): Promise<boolean> {
    const { reason } = this.#dialogue.failure ?? {}
    const isServers = reason instanceof MailError && (reason.code === 'ERR_PROTOCOL' || (reason.code === 'ERR_CLOSED' && reason.transient))
    if (isServers && this.#again !== undefined && !this.#marked) this.#resumed ??= this.#replace(this.#again, reason)
    return this.#resumed ?? Promise.resolve(false)
  }

  async #replace(again: () => Promise<Pop3Client>, cause: MailError): Promise<boolean> {
    const other = await again()
    const way = (['UIDL', 'LIST', 'STAT'] as const).find((verb) => this.#seen.has(verb))
    try {
      if (way === 'STAT') await other.stat()
      else if (way !== undefined) for await (const _entry of way === 'UIDL' ? other.uniqueIds() : other.list());
    } catch {
      // Then it has not listed the same.
    }
    if ((way !== undefined && other.#seen.get(way) !== this.#seen.get(way)) || this.#quit !== undefined) {
      await other.quit()
      const message = 'the connection broke, and another one does not find the same messages in the maildrop'
      throw new MailError('ERR_PROTOCOL', message, { phase: cause.phase, transient: true, cause })
    }
    this.#transport = other.#transport
    this.#session = other.#session
    this.#dialogue = other.#dialogue
    this.#lane = other.#lane
    return true
  }

  /** A command whose answer has a body, as the parts of it, when they are wanted. @param again on another connection, if this one breaks before the first */
  async *#parts<Part>(enter: () => Exchange<Part>, owned = true, again?: () => Exchange<Part>): AsyncGenerator<Part, void, undefined> {
    const exchange = enter()
    try {
      await this.#status(exchange)
      exchange.owned = owned
      const until = performance.now() + this.#options.timeouts[exchange.command.phase === 'capa' ? 'command' : 'transaction']
      while (!exchange.answered || exchange.rest !== undefined) {
        const parts = await (exchange.rest ?? this.#body(exchange, until, owned))
        exchange.rest = undefined
        for (const part of parts) {
          again = undefined
          exchange.suspendedAt = performance.now()
          yield part
          exchange.suspendedAt = undefined
          if (exchange.givenUp !== undefined) throw exchange.givenUp
        }
      }
      return
    } catch (error) {
      if (again === undefined || !(await this.#resume())) throw error
    } finally {
      // Who left here leaves a rest; when it was taken away, another call sees to it.
      if (exchange.suspendedAt !== undefined && exchange.rest === undefined) await this.#drain(exchange)
    }
    yield* this.#parts(again, owned)
  }

  async #status(exchange: Exchange): Promise<StatusReply> {
    await this.#lane.claim(exchange)
    const { phase } = exchange.command
    const { command: commandMs, idle, quit } = this.#options.timeouts
    const event = await this.#dialogue.event({ phase, totalMs: phase === 'quit' ? quit : commandMs, idleMs: idle, before: this.#lane.refill })
    if (event.type === 'reply' && !event.more) this.#lane.release(exchange)
    return this.#reply(event)
  }

  /** The next parts of a body. What came with the end is owned, so the next call need not wait until it was looked at. */
  async #body<Part>(exchange: Exchange<Part>, until: number, owned: boolean): Promise<readonly Part[]> {
    const { phase, body } = exchange.command
    const { idle } = this.#options.timeouts
    const leftMs = until - performance.now()
    if (leftMs <= 0)
      throw this.#dialogue.fail(new MailError('ERR_TIMEOUT', `the whole answer took too long in the ${phase} phase`, { phase, transient: true }))
    const event = await this.#dialogue.event({ phase, totalMs: Math.min(idle, leftMs), idleMs: idle, before: this.#lane.refill })
    const last = event.type === 'body' && event.last
    const parts = body?.take(owned || last) ?? []
    if (last && body instanceof ContentBody) this.#dialogue.publish(pop3ReplyChannel, () => `${body.octets} octets of content`)
    if (last) this.#lane.release(exchange)
    return parts
  }

  /** Reads the rest of an answer, with `keep` for its reader. At a long rest of content the connection ends, unless recalled: nobody chose to leave it. */
  async #drain<Part>(exchange: Exchange<Part>, keep = false): Promise<readonly Part[]> {
    exchange.suspendedAt = undefined
    const { phase, body } = exchange.command
    const { command: commandMs, transaction } = this.#options.timeouts
    const most = body instanceof ContentBody && !exchange.recalled ? body.octets + MAX_DRAIN_OCTETS : Infinity
    const message = `an answer was left in the ${phase} phase with much to come, so the connection was closed`
    const kept: Part[] = []
    try {
      if (exchange.recalled) await this.#status(exchange)
      const until = performance.now() + (exchange.recalled || keep ? transaction : commandMs)
      while (!exchange.answered && this.#dialogue.failure === undefined) {
        if ((body?.octets ?? 0) > most) this.#dialogue.fail(new MailError('ERR_CLOSED', message, { phase }))
        else for (const part of await this.#body(exchange, until, keep)) if (keep) kept.push(part)
      }
    } catch {
      // The connection has failed with it, and later calls are told; or what was recalled had been refused.
    }
    return kept
  }

  #send(exchanges: readonly Exchange[]): boolean {
    try {
      this.#dialogue.send(exchanges.map((exchange) => exchange.command))
      return true
    } catch (error) {
      for (const exchange of exchanges) exchange.refuse(error)
      if (!(error instanceof MailError && error.reusable)) this.#dialogue.fail(error)
      return false
    }
  }

  async #leaveTaking(): Promise<{ confirmed: boolean }> {
    if (this.#options.resetBeforeQuit && !this.#marked && this.#session.state === 'TRANSACTION') void this.#ask(command.rset()).catch(() => {})
    const exchange = this.#lane.enter(command.quit())
    this.#lane.seal(new MailError('ERR_CLOSED', 'the connection is closed: quit was called', { phase: 'quit' }))
    await exchange.turn.catch(() => {})
    const until = performance.now() + this.#options.timeouts.quit
    const reply = await this.#status(exchange).catch(() => null)
    await this.#dialogue.close(until - performance.now())
    return { confirmed: reply !== null }
  }

  /** The reply that an event must be. Throws when it is a refusal. */
  #reply(event: Pop3Event): StatusReply {
    if (event.type !== 'reply') throw new Error('a body out of order') // which would be our own mistake
    if (!event.reply.ok) throw new Pop3ReplyError(event.command.phase, event.reply, this.features.loginDelay?.seconds)
    return event.reply
  }
}

/** Each message, with those that may be asked for before its turn is over: at most `most` in all. */
function* inWindow<Asked>(numbers: Iterable<number>, most: () => number): Generator<readonly Item<Asked>[], void, undefined> {
  const items: Item<Asked>[] = []
  try {
    for (const number of numbers) {
      items.push({ number })
      for (; items.length >= most(); items.shift()) yield items
    }
  } finally {
    for (; items.length > 0; items.shift()) yield items // also when the caller's iterable throws: what it gave before has its turn
  }
}
