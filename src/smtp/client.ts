import { asBuffer, printable } from '../bytes.ts'
import { smtpCommandChannel, smtpReplyChannel } from '../diagnostics.ts'
import { MailError, type Phase } from '../errors.ts'
import type { Credentials, TlsFacts } from '../tls/options.ts'
import { readSecret } from '../tls/secret.ts'
import { connect } from '../tls/socket.ts'
import { nextEvent, type Transport } from '../tls/transport.ts'
import { createMechanism, MAX_CHALLENGE_OCTETS, MAX_ROUNDS, selectMechanism } from '../wire/sasl/mechanism.ts'
import * as commands from './command.ts'
import type { Command } from './command.ts'
import { blocks, DataFramer } from './content.ts'
import { checkEnvelope, contentFacts, envelopeCommands, type CheckedEnvelope, type Envelope, type SubmittedContent } from './envelope.ts'
import { clearTextError, closedError, contentError, inPhase, SmtpReplyError, tlsRequired } from './errors.ts'
import { parseExtensions, parseMechanisms } from './grammar.ts'
import { checkSmtpOptions, type CheckedSmtpOptions, type SmtpOptions } from './options.ts'
import { abandon, Outflow, type Source } from './outflow.ts'
import { addressLiteral } from './path.ts'
import type { Reply } from './reply.ts'
import { SmtpSession, type Answer } from './session.ts'
import { Transaction, type Receipt } from './transaction.ts'

const NO_LIMIT_MS = 0x7fff_ffff // a reply is waited for as long as its phase allows; the client's own timers watch that
const FAREWELL_MS = 2_000 // how long a server that refused us may take to answer QUIT

/**
 * One connection to an SMTP server (RFC 5321, RFC 6409). Submissions queue up; each is one mail transaction. Everything that waits has a
 * deadline, and a connection that did not answer as the protocol demands is never used again.
 */
export class SmtpClient implements AsyncDisposable {
  readonly #options: CheckedSmtpOptions
  readonly #transport: Transport
  readonly #session = new SmtpSession()
  #extensions: ReadonlyMap<string, string> = new Map()
  /** The read that is under way or whose answer was not taken yet. Between submissions it notices a server that leaves. */
  #reading: Promise<Answer> | undefined
  #failure: { readonly error: unknown } | undefined
  #dirty = false
  #unanswered = false
  /** Ends when all that was asked for so far has ended. */ #turns: Promise<unknown> = Promise.resolve()
  readonly #onAbort = (): void => this.#end(this.#options.signal?.reason)

  private constructor(transport: Transport, options: CheckedSmtpOptions) {
    this.#transport = transport
    this.#options = { ...options, auth: undefined } // a password is not kept
  }

  /**
   * Connects, says EHLO, changes to TLS and logs in, as the options demand. Fails with what `tls/` fails with, `ERR_TLS_REQUIRED`,
   * `ERR_TLS_INJECTION`, `ERR_AUTH`, `ERR_AUTH_CLEAR_TEXT`, `ERR_AUTH_MECHANISM`, `ERR_SMTP_REPLY` or `ERR_PROTOCOL`; nothing is left open then.
   */
  static async connect(options: SmtpOptions): Promise<SmtpClient> {
    const checked = checkSmtpOptions(options)
    return SmtpClient.#start(await connect(checked), checked)
  }

  /** The same on a transport that is there already; `host` and `port` only name it. */
  static async over(transport: Transport, options: SmtpOptions): Promise<SmtpClient> {
    return SmtpClient.#start(transport, checkSmtpOptions(options))
  }

  static async #start(transport: Transport, options: CheckedSmtpOptions): Promise<SmtpClient> {
    const client = new SmtpClient(transport, options)
    try {
      options.signal?.throwIfAborted()
      options.signal?.addEventListener('abort', client.#onAbort)
      await client.#open(options.auth)
    } catch (error) {
      if (error instanceof SmtpReplyError) await client.#leave(Math.min(options.timeouts.quit, FAREWELL_MS))
      client.#end(error)
      throw error
    }
    client.#watch()
    return client
  }

  /** What the handshake agreed on; `null` without TLS. */
  get tls(): TlsFacts | null {
    return this.#transport.tls
  }

  /** What the last EHLO offered: keyword in upper case → its parameters. */
  get extensions(): ReadonlyMap<string, string> {
    return this.#extensions
  }

  /** Another submission can be tried. `false` after the connection was lost, ended or closed. */
  get usable(): boolean {
    return this.#failure === undefined && !this.#session.closing && !this.#transport.destroyed
  }

  /** The server said nothing about the last submission: at most, to MAIL, that it leaves (421). */
  get unanswered(): boolean {
    return this.#unanswered
  }

  /**
   * Sends one message. Resolves with a receipt for whatever the server answered. Rejects with `ERR_ADDRESS`, `ERR_OPTION`, `ERR_LIMIT`
   * (above the server's SIZE) or `ERR_UNSUPPORTED` before anything is sent, and otherwise only when the connection failed, the content did or
   * the call was aborted before the final dot: the message was not sent then. Content is not touched before the server asks for it.
   */
  async submit(envelope: Envelope, content: SubmittedContent): Promise<Receipt> {
    const checked = checkEnvelope(envelope)
    return this.#inTurn(checked.signal, () => this.#submit(checked, content))
  }

  /** Ends the session in order, after all submissions; the server's answer is waited for, but not needed. Never rejects. */
  async quit(): Promise<void> {
    await this.#inTurn(undefined, async () => {
      await this.#leave(this.#options.timeouts.quit)
      this.#end(new MailError('ERR_CLOSED', 'the connection was closed by quit', { phase: 'quit' }))
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.quit()
  }

  // ── the way in ──

  async #open(auth: Credentials | undefined): Promise<void> {
    const { security } = this.#options
    const greeting = await this.#greeting()
    // Only 220 begins a session: nothing else may skip a step (T9).
    if (greeting.status !== 220) throw new SmtpReplyError('greeting', greeting)
    await this.#hello(auth === undefined && security !== 'starttls')
    if (security === 'starttls') {
      await this.#startTls()
      await this.#hello(false)
    }
    if (auth !== undefined) await this.#authenticate(auth)
  }

  async #greeting(): Promise<Reply> {
    try {
      return (await this.#answer(this.#options.timeouts.greeting)).reply
    } catch (error) {
      if (!(error instanceof MailError) || error.code !== 'ERR_TIMEOUT' || this.tls !== null) throw error
      const message = `${error.message}; a port for TLS from the start is silent like this: use security 'tls' for it`
      throw new MailError('ERR_TIMEOUT', message, { phase: 'greeting', transient: true, cause: error })
    }
  }

  async #hello(mayFallBack: boolean): Promise<void> {
    const name = this.#options.clientName ?? addressLiteral(this.#transport.localAddress)
    const reply = await this.#ask(commands.ehlo(name))
    this.#extensions = reply.status === 250 ? parseExtensions(reply.lines) : new Map()
    if (reply.status === 250) return
    const unknown = reply.status === 500 || reply.status === 502
    // HELO has no extensions, so what the options demand could not be had (T3).
    if (unknown && this.#options.security === 'starttls' && this.tls === null) {
      throw tlsRequired('the server does not know EHLO and so has no STARTTLS', reply)
    }
    if (!unknown || !mayFallBack) throw new SmtpReplyError('ehlo', reply)
    const second = await this.#ask(commands.helo(name))
    if (second.status !== 250) throw new SmtpReplyError('ehlo', second)
  }

  async #startTls(): Promise<void> {
    if (!this.#extensions.has('STARTTLS')) throw tlsRequired('the server does not offer STARTTLS')
    const reply = await this.#ask(commands.starttls())
    if (reply.status !== 220) throw tlsRequired(`the server answered STARTTLS with ${reply.status}`, reply)
    if (this.#session.unread > 0) {
      const message = 'octets came in clear text behind the answer to STARTTLS; somebody may be in the way'
      throw new MailError('ERR_TLS_INJECTION', message, { phase: 'starttls' })
    }
    this.#extensions = new Map() // what was heard in the clear can be forged (RFC 3207 §4.2)
    await this.#transport.upgrade(this.#options.tls)
  }

  async #authenticate(auth: Credentials): Promise<void> {
    if (this.tls === null && !this.#options.allowClearTextAuth) throw clearTextError()
    const { timeouts, signal } = this.#options
    const name = selectMechanism(auth, parseMechanisms(this.#extensions.get('AUTH')))
    const password = await readSecret('password' in auth ? auth.password : '', timeouts.command, signal)
    const mechanism = createMechanism(name, auth.user, password)
    const secrets = [password].filter((secret) => secret !== '')
    let reply = await this.#ask(commands.auth(name, mechanism.initialResponse, secrets))
    for (let round = 1; reply.status === 334; round++) {
      const challenge = reply.lines[0] ?? ''
      if (round > MAX_ROUNDS || challenge.length > MAX_CHALLENGE_OCTETS) {
        await this.#ask(commands.authCancel())
        throw new MailError('ERR_LIMIT', `authentication of more than ${MAX_ROUNDS} rounds or ${MAX_CHALLENGE_OCTETS} octets`, { phase: 'auth' })
      }
      const response = await mechanism.respond(Buffer.from(challenge, 'base64'))
      reply = await this.#ask(commands.authResponse(response, secrets))
    }
    if (reply.status !== 235) throw new SmtpReplyError('auth', reply, 'ERR_AUTH')
    mechanism.succeeded()
  }

  // ── one submission ──

  async #submit(envelope: CheckedEnvelope, content: SubmittedContent): Promise<Receipt> {
    this.#checkUsable()
    const facts = contentFacts(content)
    const list = envelopeCommands(envelope, facts, this.#extensions, this.tls?.authorized === true)
    const transaction = new Transaction(envelope, list, this.#extensions.has('PIPELINING'))
    const { signal } = envelope
    const onAbort = (): void => this.#end(signal?.reason)
    signal?.addEventListener('abort', onAbort)
    const timer = this.#deadline('content', this.#options.timeouts.transaction)
    try {
      const rset = this.#dirty ? await this.#ask(commands.rset()) : undefined
      if (rset !== undefined && rset.status !== 250) throw new SmtpReplyError('rset', rset)
      await this.#envelope(transaction)
      const { verdict } = transaction
      if (verdict === 'content') return await this.#content(transaction, content, facts.size)
      if (verdict === 'broken') throw new MailError('ERR_PROTOCOL', 'the server answered DATA with neither 354 nor a refusal', { phase: 'data' })
      if (verdict === 'end') this.#end(closedError('ended without content, which the server waits for or will not take', 'data'))
      return transaction.receipt()
    } catch (error) {
      this.#end(error)
      throw error
    } finally {
      this.#dirty = transaction.dirty
      this.#unanswered = transaction.unanswered
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      this.#watch()
    }
  }

  async #envelope(transaction: Transaction): Promise<void> {
    const { command, dataStart } = this.#options.timeouts
    try {
      for (let group = transaction.next(); group.length > 0; group = transaction.next()) {
        this.#send(group)
        while (this.#session.phase !== undefined && !this.#session.closing) {
          transaction.take(await this.#answer(this.#session.phase === 'data' ? dataStart : command))
        }
      }
    } catch (error) {
      if (!transaction.decided) throw error
      this.#end(error)
    }
  }

  /** Between 354 and the final reply. A reply that comes early stops the content: with a final dot the server might take what it has for the whole. */
  async #content(transaction: Transaction, content: SubmittedContent, size: number | undefined): Promise<Receipt> {
    const framer = new DataFramer()
    const outflow = new Outflow((views) => this.#write(views, 'content', this.#options.timeouts.dataBlock))
    const [source, declared] = content instanceof Uint8Array ? [[content].values(), undefined] : [iteratorOf(content), size]
    this.#session.content()
    let early: Reply | undefined
    let finished = false
    // Raced once with the content as a whole: a promise that lives as long as the content must not hold its chunks.
    const answered = (async () => {
      const { reply } = await this.#listen()
      if (finished) return
      early = reply
      this.#end(closedError('the connection was ended because the server answered before the end of the content', 'content'))
    })()
    try {
      const flow = this.#flow(source, declared, framer, outflow)
      flow.catch(nothing) // a source that hangs when we stop may fail later
      await Promise.race([flow, answered])
      // The connection was lost: its own error says why.
      if (early === undefined && !this.usable) await answered
    } catch (error) {
      this.#end(error)
      await answered.catch(nothing) // the reply may have come together with the failure, and says more (H20)
      if (early === undefined) throw inPhase(error, 'content')
    } finally {
      if (!this.usable) abandon(content, source)
    }
    if (early !== undefined) {
      if (early.status >= 400) return transaction.receipt(framer.octets, early)
      throw new MailError('ERR_PROTOCOL', `the server answered ${early.status} before the end of the content`, { phase: 'content' })
    }
    finished = true
    outflow.add(framer.end())
    outflow.flush()
    this.#publish(smtpCommandChannel, `content of ${framer.octets} octets`)
    return transaction.receipt(framer.octets, await this.#finalReply(outflow, answered))
  }

  /** Everything but the end of the content. Returns early when the connection has ended. */
  async #flow(source: Source, declared: number | undefined, framer: DataFramer, outflow: Outflow): Promise<void> {
    let given = 0
    for (let next = await source.next(); next.done !== true; next = await source.next()) {
      if (this.#failure !== undefined) return
      if (!(next.value instanceof Uint8Array)) throw contentError('the content must be octets: chunks of Uint8Array or Buffer')
      given += next.value.length
      for (const block of blocks(asBuffer(next.value))) {
        outflow.add(framer.push(block))
        await outflow.settled
      }
    }
    if (declared !== undefined && given !== declared) throw contentError(`the content was to have ${declared} octets and has ${given}`)
  }

  /** From here on the message may have been taken, so nothing throws: without a reply the outcome is unknown (RFC 1047). */
  async #finalReply(outflow: Outflow, answered: Promise<void>): Promise<Reply | null> {
    const { dataBlock, dataEnd } = this.#options.timeouts
    const left = outflow.settled.then(() => this.#transport.flush('content', dataBlock)).catch((error: unknown) => this.#end(error))
    try {
      await Promise.race([answered, left])
      return (await this.#answer(dataEnd)).reply
    } catch {
      return null
    }
  }

  // ── the dialogue ──

  async #ask(command: Command, waitMs = this.#options.timeouts.command): Promise<Reply> {
    this.#send([command])
    return (await this.#answer(waitMs)).reply
  }

  /** Replies are read while this is being written: neither side waits for the other. */
  #send(list: readonly Command[]): void {
    if (this.#reading === undefined && this.#session.phase === undefined) {
      for (let chunk = this.#transport.readAhead(); chunk !== null; chunk = this.#transport.readAhead()) this.#session.receive(chunk)
    }
    const octets = this.#session.send(list)
    for (const { line } of list) this.#publish(smtpCommandChannel, line)
    void this.#write([octets], list[0]?.phase ?? 'mail', this.#options.timeouts.command)
  }

  async #write(views: readonly Buffer[], phase: Phase, waitMs: number): Promise<void> {
    try {
      await this.#transport.write(views, phase, waitMs)
    } catch (error) {
      this.#end(error)
    }
  }

  /** The next reply that is due, within `waitMs`. */
  async #answer(waitMs: number): Promise<Answer> {
    const phase = this.#session.phase ?? 'mail'
    const timer = this.#deadline(phase, waitMs)
    try {
      const answer = await this.#listen()
      this.#reading = undefined
      return answer
    } catch (error) {
      throw inPhase(error, phase)
    } finally {
      clearTimeout(timer)
    }
  }

  #listen(): Promise<Answer> {
    this.#reading ??= this.#read()
    return this.#reading
  }

  async #read(): Promise<Answer> {
    try {
      const wait = { phase: this.#session.phase ?? 'mail', totalMs: NO_LIMIT_MS, idleMs: this.#options.timeouts.idle }
      const answer = await nextEvent(this.#session, this.#transport, wait)
      const { status, lines } = answer.reply
      for (const [at, line] of lines.entries()) this.#publish(smtpReplyChannel, `${status}${at < lines.length - 1 ? '-' : ' '}${line}`)
      return answer
    } catch (error) {
      this.#end(error)
      throw error
    }
  }

  /** Reads on while nothing is under way, so that a reply nobody asked for or the end of the connection is known before the next submission. */
  #watch(): void {
    if (this.usable) void this.#listen().catch(nothing)
  }

  /** The connection is of no more use. What waits on it rejects with `error`. */
  #end(error: unknown): void {
    this.#failure ??= { error }
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    this.#transport.destroy(error)
  }

  #deadline(phase: Phase, waitMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      const message = `no answer from ${printable(this.#transport.host)} in the ${phase} phase within ${waitMs} ms`
      this.#end(new MailError('ERR_TIMEOUT', message, { phase, transient: true }))
    }, waitMs)
  }

  #checkUsable(): void {
    this.#options.signal?.throwIfAborted()
    if (this.#failure === undefined) return
    const { error } = this.#failure
    if (error instanceof SmtpReplyError) throw error
    if (!(error instanceof MailError && error.code === 'ERR_PROTOCOL')) throw closedError('the connection has ended', 'mail', error)
    throw new MailError('ERR_PROTOCOL', error.message, { phase: 'mail', cause: error })
  }

  /** Runs `work` when all before it has ended. A signal ends the waiting. */
  #inTurn<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const onAbort = (): void => reject(signal?.reason)
      signal?.addEventListener('abort', onAbort)
      const run = this.#turns.then(() => {
        signal?.removeEventListener('abort', onAbort)
        signal?.throwIfAborted()
        return work()
      })
      this.#turns = run.then(nothing, nothing)
      run.then(resolve, reject)
    })
  }

  async #leave(waitMs: number): Promise<void> {
    const until = performance.now() + waitMs
    try {
      if (this.usable) await this.#ask(commands.quit(), waitMs)
    } catch {
      // Servers that close without an answer are common, and lose nothing (H43).
    }
    await this.#transport.close(Math.max(1, until - performance.now()))
  }

  #publish(channel: typeof smtpCommandChannel, line: string): void {
    if (!channel.hasSubscribers) return
    const { host, port, label } = this.#options
    channel.publish({ host, port, label, line })
  }
}

/** A composed message lends its chunks for as long as two writes take, so that a large one leaves nothing for the collector. */
function iteratorOf(content: AsyncIterable<Uint8Array> & { borrowed?: () => AsyncIterable<Uint8Array> }): AsyncIterator<Uint8Array> {
  return (typeof content.borrowed === 'function' ? content.borrowed() : content)[Symbol.asyncIterator]()
}

function nothing(): void {}
