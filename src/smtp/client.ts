import { asBuffer, printable } from '../bytes.ts'
import { smtpCommandChannel, smtpReplyChannel } from '../diagnostics.ts'
import { MailError, type Phase } from '../errors.ts'
import { checkSecrecy, Dialogue, tlsRequired } from '../tls/dialogue.ts'
import { readSecret, type Credentials, type Timeouts, type TlsFacts } from '../tls/options.ts'
import { connect } from '../tls/socket.ts'
import type { Transport } from '../tls/transport.ts'
import { createMechanism, MAX_CHALLENGE_OCTETS, MAX_ROUNDS, selectMechanism } from '../wire/sasl/mechanism.ts'
import type { CommandLine } from '../wire/session.ts'
import * as commands from './command.ts'
import { blocks, DataFramer, Outflow } from './content.ts'
import { checkSubmission, type Envelope, type Submission, type SubmittedContent } from './envelope.ts'
import { closedError, contentError, inPhase, SmtpReplyError } from './errors.ts'
import { parseExtensions, parseMechanisms } from './grammar.ts'
import { checkSmtpOptions, type CheckedSmtpOptions, type SmtpOptions } from './options.ts'
import { addressLiteral } from './path.ts'
import type { Reply } from './reply.ts'
import { SmtpSession, type Answer } from './session.ts'
import { Transaction, type Receipt } from './transaction.ts'

type Source = Iterator<Uint8Array> | AsyncIterator<Uint8Array>

const NO_LIMIT_MS = 0x7fff_ffff // a reply is waited for as long as its phase allows; the client's own timers watch that
const FAREWELL_MS = 2_000 // how long a server that refused us may take to answer QUIT

/** One connection to an SMTP server (RFC 5321, RFC 6409). Submissions queue up; each is one mail transaction. Everything that waits has a
 *  deadline, and a connection that did not answer as the protocol demands is never used again. */
export class SmtpClient implements AsyncDisposable {
  readonly #clientName: string
  readonly #timeouts: Timeouts
  readonly #transport: Transport
  readonly #session = new SmtpSession((line) => this.#dialogue.publish(smtpReplyChannel, line))
  readonly #dialogue: Dialogue<CommandLine, Answer>
  #extensions: ReadonlyMap<string, string> = new Map()
  /** The read that is under way or whose answer was not taken yet. Between submissions it notices a server that leaves. */
  #reading: Promise<Answer> | undefined
  #dirty = false
  #unanswered = false
  /** Ends when all that was asked for so far has ended. */ #turns: Promise<unknown> = Promise.resolve()

  private constructor(transport: Transport, options: CheckedSmtpOptions) {
    this.#transport = transport
    this.#timeouts = options.timeouts
    this.#clientName = options.clientName ?? addressLiteral(transport.localAddress)
    this.#dialogue = new Dialogue(transport, this.#session, options, smtpCommandChannel)
  }

  /** Connects, says EHLO, changes to TLS and logs in, as the options demand. Fails with what `tls/` fails with, `ERR_TLS_REQUIRED`,
   *  `ERR_TLS_INJECTION`, `ERR_AUTH`, `ERR_AUTH_CLEAR_TEXT`, `ERR_AUTH_MECHANISM`, `ERR_SMTP_REPLY` or `ERR_PROTOCOL`; nothing is left open then. */
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
      client.#dialogue.begin()
      await client.#open(options)
    } catch (error) {
      if (error instanceof SmtpReplyError) await client.#leave(Math.min(options.timeouts.quit, FAREWELL_MS))
      throw client.#dialogue.fail(error)
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
    return this.#dialogue.failure === undefined && !this.#session.closing && !this.#transport.destroyed
  }

  /** The server said nothing about the last submission: at most, to MAIL, that it leaves (421). */
  get unanswered(): boolean {
    return this.#unanswered
  }

  /** Sends one message. Resolves with a receipt for whatever the server answered. Rejects with `ERR_ADDRESS`, `ERR_OPTION`, `ERR_LIMIT`
   *  (above the server's SIZE) or `ERR_UNSUPPORTED` before anything is sent, and otherwise only when the connection failed, the content did or
   *  the call was aborted before the final dot: the message was not sent then. Content is not touched before the server asks for it. */
  async submit(envelope: Envelope, content: SubmittedContent): Promise<Receipt> {
    const submission = checkSubmission(envelope, content, this.#extensions, this.tls?.authorized === true)
    const signal = envelope.options?.signal
    return this.#inTurn(signal, () => this.#submit(submission, content, signal))
  }

  /** Ends the session in order, after all submissions; the server's answer is waited for, but not needed. Never rejects. */
  async quit(): Promise<void> {
    await this.#inTurn(undefined, () => this.#leave(this.#timeouts.quit))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.quit()
  }

  async #open(options: CheckedSmtpOptions): Promise<void> {
    const { auth, security } = options
    const greeting = await this.#dialogue.greeting(this.#answer(this.#timeouts.greeting))
    // Only 220 begins a session: nothing else may skip a step (T9).
    if (greeting.status !== 220) throw new SmtpReplyError('greeting', greeting)
    await this.#hello(auth === undefined, security === 'starttls')
    if (security === 'starttls') {
      if (!this.#extensions.has('STARTTLS')) throw startTlsRequired('the server does not offer STARTTLS')
      const reply = await this.#ask(commands.starttls())
      if (reply.status !== 220) throw startTlsRequired(`the server answered STARTTLS with ${reply.status}`, reply)
      this.#extensions = new Map() // what was heard in the clear can be forged (RFC 3207 §4.2)
      await this.#dialogue.upgrade()
      await this.#hello(false, false)
    }
    if (auth === undefined) return
    checkSecrecy(options, this.tls !== null)
    await this.#authenticate(auth)
  }

  /** HELO has no extensions, so it will do only when none is demanded (T3). */
  async #hello(heloWillDo: boolean, needsStartTls: boolean): Promise<void> {
    const reply = await this.#ask(commands.ehlo(this.#clientName))
    this.#extensions = reply.status === 250 ? parseExtensions(reply.lines) : new Map()
    if (reply.status === 250) return
    const unknown = reply.status === 500 || reply.status === 502
    if (unknown && needsStartTls) throw startTlsRequired('the server does not know EHLO and so has no STARTTLS', reply)
    const second = unknown && heloWillDo ? await this.#ask(commands.helo(this.#clientName)) : reply
    if (second.status !== 250) throw new SmtpReplyError('ehlo', second)
  }

  async #authenticate(auth: Credentials): Promise<void> {
    const { timeouts, signal } = this.#dialogue.options
    const name = selectMechanism(auth, parseMechanisms(this.#extensions.get('AUTH')))
    const password = await readSecret('password' in auth ? auth.password : '', timeouts.command, signal)
    const mechanism = createMechanism(name, auth.user, password)
    let reply = await this.#ask(commands.auth(name, mechanism.initialResponse, password))
    for (let round = 1; reply.status === 334; round++) {
      const challenge = reply.lines[0] ?? ''
      if (round > MAX_ROUNDS || challenge.length > MAX_CHALLENGE_OCTETS) {
        await this.#ask(commands.authCancel())
        throw new MailError('ERR_LIMIT', `authentication of more than ${MAX_ROUNDS} rounds or ${MAX_CHALLENGE_OCTETS} octets`, { phase: 'auth' })
      }
      const response = await mechanism.respond(Buffer.from(challenge, 'base64'))
      reply = await this.#ask(commands.authResponse(response, password))
    }
    if (reply.status !== 235) throw new SmtpReplyError('auth', reply, 'ERR_AUTH')
    mechanism.succeeded?.()
  }

  async #submit(submission: Submission, content: SubmittedContent, signal: AbortSignal | undefined): Promise<Receipt> {
    const { options, failure } = this.#dialogue
    options.signal?.throwIfAborted()
    if (failure !== undefined) throw unusable(failure.reason)
    const transaction = new Transaction(submission)
    const onAbort = (): void => void this.#dialogue.fail(signal?.reason)
    signal?.addEventListener('abort', onAbort)
    const timer = this.#deadline('content', this.#timeouts.transaction)
    try {
      const rset = this.#dirty ? await this.#ask(commands.rset()) : undefined
      if (rset !== undefined && rset.status !== 250) throw new SmtpReplyError('rset', rset)
      await this.#envelope(transaction)
      if (transaction.verdict === 'content') return await this.#content(transaction, content, submission.declared)
      if (transaction.verdict === 'end')
        this.#dialogue.fail(closedError('ended without content, which the server waits for or will not take', 'data'))
      return transaction.receipt()
    } catch (error) {
      throw this.#dialogue.fail(error)
    } finally {
      this.#dirty = transaction.dirty
      this.#unanswered = transaction.unanswered
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      this.#watch()
    }
  }

  async #envelope(transaction: Transaction): Promise<void> {
    const { command, dataStart } = this.#timeouts
    try {
      for (let group = transaction.next(); group.length > 0; group = transaction.next()) {
        this.#dialogue.send(group)
        while (!this.#session.quiet && !this.#session.closing) {
          const { phase } = this.#session
          transaction.take(phase, await this.#answer(phase === 'data' ? dataStart : command))
        }
      }
    } catch (error) {
      if (!transaction.decided) throw error
      this.#dialogue.fail(error)
    }
  }

  /** Between 354 and the final reply. A reply that comes early stops the content: with a final dot the server might take what it has for the whole. */
  async #content(transaction: Transaction, content: SubmittedContent, declared: number | undefined): Promise<Receipt> {
    const framer = new DataFramer()
    const outflow = new Outflow((views) => this.#dialogue.write(views, 'content', this.#timeouts.dataBlock))
    const source = content instanceof Uint8Array ? [content].values() : iteratorOf(content)
    this.#session.content()
    let early: Reply | undefined
    let finished = false
    // Raced once with the content as a whole: a promise that lives as long as the content must not hold its chunks.
    const answered = (async () => {
      const { reply } = await this.#listen()
      if (finished) return
      early = reply
      this.#dialogue.fail(closedError('the connection was ended because the server answered before the end of the content', 'content'))
    })()
    try {
      const flow = this.#flow(source, declared, framer, outflow)
      flow.catch(nothing) // a source that hangs when we stop may fail later
      await Promise.race([flow, answered])
      // The connection was lost: its own error says why.
      if (early === undefined && !this.usable) await answered
    } catch (error) {
      this.#dialogue.fail(error)
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
    this.#dialogue.publish(smtpCommandChannel, () => `content of ${framer.octets} octets`)
    // From here on the message may have been taken, so nothing throws: without a reply the outcome is unknown (RFC 1047).
    const { dataBlock, dataEnd } = this.#timeouts
    const left = outflow.settled.then(() => this.#transport.flush('content', dataBlock)).catch((error: unknown) => this.#dialogue.fail(error))
    const reply = Promise.race([answered, left]).then(() => this.#answer(dataEnd))
    return transaction.receipt(framer.octets, await reply.catch(() => null))
  }

  /** Everything but the end of the content. Returns early when the connection has ended. */
  async #flow(source: Source, declared: number | undefined, framer: DataFramer, outflow: Outflow): Promise<void> {
    let given = 0
    for (let next = await source.next(); next.done !== true; next = await source.next()) {
      if (this.#dialogue.failure !== undefined) return
      if (!(next.value instanceof Uint8Array)) throw contentError('the content must be octets: chunks of Uint8Array or Buffer')
      given += next.value.length
      for (const block of blocks(asBuffer(next.value))) {
        outflow.add(framer.push(block))
        await outflow.settled
      }
    }
    if (declared !== undefined && given !== declared) throw contentError(`the content was to have ${declared} octets and has ${given}`)
  }

  async #ask(command: CommandLine, waitMs = this.#timeouts.command): Promise<Reply> {
    this.#dialogue.send([command])
    return this.#answer(waitMs)
  }

  async #answer(waitMs: number): Promise<Reply> {
    const { phase } = this.#session
    const timer = this.#deadline(phase, waitMs)
    try {
      const { reply } = await this.#listen()
      this.#reading = undefined
      return reply
    } catch (error) {
      throw inPhase(error, phase)
    } finally {
      clearTimeout(timer)
    }
  }

  #listen(): Promise<Answer> {
    this.#reading ??= this.#dialogue.event({ phase: this.#session.phase, totalMs: NO_LIMIT_MS, idleMs: this.#timeouts.idle })
    return this.#reading
  }

  /** Reads on while nothing is under way, so that a reply nobody asked for or the end of the connection is known before the next submission. */
  #watch(): void {
    if (this.usable) void this.#listen().catch(nothing)
  }

  #deadline(phase: Phase, waitMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      const message = `no answer from ${printable(this.#transport.host)} in the ${phase} phase within ${waitMs} ms`
      this.#dialogue.fail(new MailError('ERR_TIMEOUT', message, { phase, transient: true }))
    }, waitMs)
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
    await this.#dialogue.close(until - performance.now())
  }
}

/** What a submission hears after the failure of another. */
function unusable(reason: unknown): MailError {
  if (reason instanceof SmtpReplyError) return reason
  const broken = reason instanceof MailError && reason.code === 'ERR_PROTOCOL'
  return broken
    ? new MailError(reason.code, reason.message, { phase: 'mail', cause: reason })
    : closedError('the connection has ended', 'mail', reason)
}

function startTlsRequired(why: string, reply?: Reply): MailError {
  return tlsRequired(why, 'starttls', reply && new SmtpReplyError('starttls', reply))
}

/** A composed message lends its chunks for as long as two writes take, so that a large one leaves nothing for the collector. */
function iteratorOf(content: AsyncIterable<Uint8Array> & { borrowed?: () => AsyncIterable<Uint8Array> }): AsyncIterator<Uint8Array> {
  return (typeof content.borrowed === 'function' ? content.borrowed() : content)[Symbol.asyncIterator]()
}

/** Lets the source clean up. It is not waited for: it may hang, which can be why we stopped; a stream that hangs would not hear of it. */
export function abandon(content: object, source: Source): void {
  try {
    if ('destroy' in content && typeof content.destroy === 'function') content.destroy()
    void Promise.resolve(source.return?.()).catch(() => {})
  } catch {
    // What a source says about being left changes nothing.
  }
}

function nothing(): void {}
