import { onAbort } from '../abort.ts'
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
import { BLOCK_OCTETS, blocks, ContentFramer, Gathering, Outflow } from './content.ts'
import { checkSubmission, type Envelope, type SubmittedContent } from './envelope.ts'
import { closedError, contentError, inPhase, SmtpReplyError } from './errors.ts'
import { parseExtensions, parseLimits, parseMechanisms } from './grammar.ts'
import { checkSmtpOptions, type CheckedSmtpOptions, type Pipelining, type SmtpOptions } from './options.ts'
import { addressLiteral } from './path.ts'
import type { Reply } from './reply.ts'
import { SmtpSession, type Answer } from './session.ts'
import { Transaction, type Receipt } from './transaction.ts'
import { Turns } from './turns.ts'

const NO_LIMIT_MS = 0x7fff_ffff // a reply is waited for as long as its phase allows; the client's own timers watch that
const FAREWELL_MS = 2_000 // how long a server that refused us may take to answer QUIT
const CHUNKS_UNDER_WAY = 16 // BDAT commands without their replies, where the server offers PIPELINING
const OVERLAPPED = 3 // one whose content is under way, one with its envelope, and one that is there when that envelope may leave
const MESSAGES_UNDER_WAY = 32 // `back-to-back`: that many are in doubt when the connection is lost

/** A reply that must come. Replies come in the order of the commands. */
class Due {
  readonly phase: Phase
  /** From when the replies before it have come. */ waitMs: number
  readonly reply: Promise<Reply>
  resolve: (reply: Reply) => void = nothing
  reject: (error: unknown) => void = nothing

  constructor(phase: Phase, waitMs: number) {
    this.phase = phase
    this.waitMs = waitMs
    this.reply = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    this.reply.catch(nothing) // who asked may have left
  }
}

/** What one submission came to. @internal */
export interface Attempt {
  readonly receipt: Receipt
  /** The server accepted MAIL. */ readonly isBegun: boolean
}

type Source = Iterator<Uint8Array> | AsyncIterator<Uint8Array>

/** One connection to an SMTP server (RFC 5321, RFC 6409). Submissions queue up; each is one mail transaction. Everything that waits has a
 *  deadline, and a connection that did not answer as the protocol demands is never used again. */
export class SmtpClient implements AsyncDisposable {
  readonly #clientName: string
  readonly #terms: { readonly chunking: boolean; readonly pipelining: Pipelining }
  readonly #timeouts: Timeouts
  readonly #transport: Transport
  readonly #session = new SmtpSession((line) => this.#dialogue.publish(smtpReplyChannel, line))
  readonly #dialogue: Dialogue<CommandLine, Answer>
  readonly #outflow: Outflow
  readonly #turns = new Turns(MESSAGES_UNDER_WAY)
  #extensions: ReadonlyMap<string, string> = new Map()
  /** The oldest first. */ readonly #due: Due[] = []
  /** To the content that is under way by DATA. */ #final: Due | undefined
  #timer: NodeJS.Timeout | undefined
  #isReading = false
  /** Read also when no reply is due, so that one nobody asked for or the end of the connection is known before the next submission. */
  #isWatching = false
  /** Transactions that have not ended, the oldest first. */ readonly #open = new Set<Transaction>()
  /** Those of them whose end waits in the outflow. */ readonly #held = new Set<Transaction>()
  #begun = 0
  /** The latest of which something was sent. */ #last: Transaction | undefined

  private constructor(transport: Transport, options: CheckedSmtpOptions) {
    this.#transport = transport
    this.#timeouts = options.timeouts
    this.#terms = { chunking: options.chunking, pipelining: options.pipelining }
    this.#clientName = options.clientName ?? addressLiteral(transport.localAddress)
    this.#dialogue = new Dialogue(transport, this.#session, options, smtpCommandChannel, () => {
      for (const one of this.#held) one.isOut = false
      for (const one of this.#open) one.stop()
    })
    this.#outflow = new Outflow((views) => {
      if (!transport.destroyed) this.#held.clear()
      const { phase } = this.#session
      return this.#dialogue.write(views, phase, phase === 'content' ? this.#timeouts.dataBlock : this.#timeouts.command)
    })
  }

  /** Connects, says EHLO, changes to TLS and logs in, as the options demand. Fails with what `tls/` fails with, `ERR_TLS_REQUIRED`,
   *  `ERR_TLS_INJECTION`, `ERR_AUTH`, `ERR_AUTH_CLEAR_TEXT`, `ERR_AUTH_MECHANISM`, `ERR_SMTP_REPLY`, `ERR_PROTOCOL`, `ERR_LIMIT` or `ERR_OPTION`; nothing is left
   *  open then. */
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
      await client.#login(options)
    } catch (error) {
      if (error instanceof SmtpReplyError) await client.#leave(Math.min(options.timeouts.quit, FAREWELL_MS))
      throw client.#dialogue.fail(error)
    }
    client.#isWatching = true
    void client.#listen()
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

  /** Another submission can be tried. `false` after the connection was lost, ended or closed, or took as many messages as it may (RFC 9422). */
  get usable(): boolean {
    return this.#isAlive && this.#begun < this.#mailMax
  }

  /** How many submissions at a time are of use. */
  get depth(): number {
    const { chunking, pipelining } = this.#terms
    if (!this.#extensions.has('PIPELINING') || pipelining === 'none' || pipelining === 'envelope') return 1
    if (pipelining === 'overlap' || !chunking || !this.#extensions.has('CHUNKING')) return OVERLAPPED
    return pipelining === 'transaction' ? 1 : MESSAGES_UNDER_WAY
  }

  /** Sends one message. Resolves with a receipt for whatever the server answered. Rejects with `ERR_ADDRESS`, `ERR_OPTION`, `ERR_UNSUPPORTED`,
   *  `ERR_LIMIT` (above the server's SIZE or LIMITS) or, for octets in memory, `ERR_CONTENT` before anything is sent, and otherwise only when the connection
   *  failed, the content did or the call was aborted before the final dot: the message was not sent then. A stream is not touched before the server asks
   *  for its content, unless `pipelining` lets that leave with its envelope. */
  async submit(envelope: Envelope, content: SubmittedContent): Promise<Receipt> {
    return (await this.attempt(envelope, content)).receipt
  }

  /** As `submit`. @internal */
  async attempt(envelope: Envelope, content: SubmittedContent): Promise<Attempt> {
    const terms = { ...this.#terms, extensions: this.#extensions, isSecure: this.tls?.authorized === true }
    const signal = envelope.options?.signal
    const transaction = new Transaction(checkSubmission(envelope, content, terms))
    let giveUp = nothing
    // Who cannot leave need not be waited for in two places.
    const given =
      signal &&
      new Promise<Receipt>((resolve, reject) => {
        giveUp = () => (transaction.isOut ? resolve(transaction.receipt()) : reject(signal?.reason))
      })
    given?.catch(nothing)
    const leave = (): void => {
      transaction.stop()
      // Others wait for replies before it or, once it has left, behind it, so the connection must live on for them; the call ends all the same.
      const [oldest] = this.#open
      if (oldest === transaction && !(transaction.isOut && this.#open.size > 1))
        this.#dialogue.fail(closedError('the submission under way was aborted', 'mail', signal?.reason))
      else this.#outflow.flush()
      giveUp()
    }
    const work = this.#turns.take(signal, (pass) => {
      this.#open.add(transaction)
      const forget = onAbort(signal, leave)
      return this.#transact(transaction, content, signal, pass).finally(() => {
        forget()
        this.#open.delete(transaction)
      })
    })
    const receipt = await (given === undefined ? work : Promise.race([work, given]))
    return { receipt, isBegun: transaction.isBegun }
  }

  /** Ends the session in order, after all submissions; the server's answer is waited for, but not needed. Never rejects. */
  async quit(): Promise<void> {
    await this.#turns.take(undefined, () => this.#leave(this.#timeouts.quit), true)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.quit()
  }

  async #login(options: CheckedSmtpOptions): Promise<void> {
    const { auth, security } = options
    const greeting = await this.#dialogue.greeting(this.#expect('greeting', this.#timeouts.greeting).reply)
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

  /** One transaction, which `pass` lets the next one follow before it has ended. Those before it may still wait for their final replies. */
  async #transact(transaction: Transaction, content: SubmittedContent, signal: AbortSignal | undefined, pass: () => void): Promise<Receipt> {
    this.#check()
    if (this.#begun++ >= this.#mailMax) throw closedError('the server takes no more messages on this connection', 'mail')
    const { commands: all, framing, pipelining, partial, declared } = transaction.asked
    const source = content instanceof Uint8Array ? [content].values() : iteratorOf(content)
    const framer = new ContentFramer(framing)
    const flow: Flow = {
      framer,
      pieces: framed(source, framer, declared),
      gathered: new Gathering(),
      stopped: new Promise((resolve) => (transaction.stop = resolve)),
      pass: pipelining === 'overlap' || pipelining === 'back-to-back' ? pass : nothing,
    }
    const timer = this.#deadline('content', this.#timeouts.transaction)
    let isTouched = false
    let isRead = false
    try {
      const group = transaction.next()
      const isEager = framing.chunks && partial === 'deliver' && (pipelining === 'transaction' || pipelining === 'back-to-back')
      isRead = isEager && group.length === all.length
      const isWhole = isRead && (await this.#gather(flow))
      this.#check(signal)
      isTouched = true
      const before = this.#last
      this.#last = transaction
      const isBehind = before !== undefined && this.#open.has(before)
      if (before?.isDirty === true && !isBehind) transaction.take('rset', await this.#ask(commands.rset()))
      this.#check(signal)
      // What becomes of those before it is not known yet, and a BDAT that is refused may leave a transaction behind.
      if (isBehind && before.asked.framing.chunks) group.unshift(commands.rset())
      if (isWhole) return await this.#conclude(transaction, flow, [], [...group, commands.bdat(flow.gathered.octets, true)])
      await this.#envelope(transaction, group)
      if (transaction.verdict === 'end')
        this.#dialogue.fail(closedError('ended without content, which the server waits for or will not take', 'data'))
      if (transaction.verdict !== 'content') return transaction.receipt()
      signal?.throwIfAborted()
      isRead = true
      return await this.#content(transaction, flow)
    } catch (error) {
      throw isTouched ? this.#dialogue.fail(error) : error
    } finally {
      clearTimeout(timer)
      if (isRead && !transaction.isOut) abandon(content, source)
    }
  }

  /** Reads content that is to leave with its envelope: whether that was all, and little. */
  async #gather({ pieces, framer, gathered, stopped }: Flow): Promise<boolean> {
    while (gathered.octets <= BLOCK_OCTETS) {
      const next = await Promise.race([pieces.next(), stopped])
      if (next === undefined) return false
      gathered.add(next.done === true ? framer.end() : next.value)
      if (next.done === true) return true
    }
    return false
  }

  async #envelope(transaction: Transaction, first: readonly CommandLine[]): Promise<void> {
    try {
      for (let group = first; group.length > 0; group = transaction.next()) {
        const due = this.#send(group)
        this.#outflow.flush()
        for (const { phase, reply } of due) transaction.take(phase, await reply)
      }
    } catch (error) {
      if (!transaction.isDecided) throw error
      this.#dialogue.fail(error)
    }
  }

  /** Sends the content. A reply that comes before its end stops it: with a final dot the server might take what it has for the whole. */
  async #content(transaction: Transaction, flow: Flow): Promise<Receipt> {
    const { chunks } = transaction.asked.framing
    const { framer, gathered } = flow
    let early: Reply | undefined
    const take = (reply: Reply): void => {
      if (transaction.isOut || (chunks && reply.status < 300)) return
      early ??= reply
      transaction.stop()
    }
    const hear = (due: Due): Due => {
      due.reply.then(take, () => transaction.stop())
      return due
    }
    const due = chunks || this.#final === undefined ? [] : [hear(this.#final)]
    let isAll = false
    let failure: unknown
    try {
      const sending = this.#pump(transaction, flow, due, hear)
      sending.catch(nothing) // a source that hangs when we stop may fail later
      // Raced once with the content as a whole: a promise that lives as long as the content must not hold its chunks.
      isAll = await Promise.race([sending, flow.stopped.then(() => false)])
      if (isAll) gathered.add(framer.end())
    } catch (error) {
      failure = error
    }
    failure ??= this.#dialogue.failure?.reason
    if (isAll && early === undefined && failure === undefined)
      return this.#conclude(transaction, flow, due, chunks ? [commands.bdat(gathered.octets, true)] : [])
    failure ??= closedError('the connection was ended before the end of the content', 'content')
    this.#dialogue.fail(failure)
    // The reply may have come together with the failure, and says more (H20).
    await Promise.allSettled(due.map(({ reply }) => reply))
    if (early === undefined) throw inPhase(failure, 'content')
    if (early.status < 400)
      throw new MailError('ERR_PROTOCOL', `the server answered ${early.status} before the end of the content`, { phase: 'content' })
    transaction.octets = framer.octets
    transaction.take('content', early)
    return transaction.receipt()
  }

  /** Everything but the end of the content; `false` when it was stopped. @param due the replies to BDAT that have not come, to which it adds */
  async #pump(transaction: Transaction, { pieces, gathered, stopped }: Flow, due: Due[], hear: (due: Due) => Due): Promise<boolean> {
    const { framing, pipelining } = transaction.asked
    const most = pipelining === 'none' ? 0 : CHUNKS_UNDER_WAY
    let isStopped = false
    void stopped.then(() => (isStopped = true))
    for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) {
      if (isStopped) return false
      gathered.add(next.value)
      if (!framing.chunks) this.#outflow.add(gathered.take())
      else if (gathered.octets >= BLOCK_OCTETS) due.push(...this.#send([commands.bdat(gathered.octets, false)], gathered.take()).map(hear))
      for (; framing.chunks && due.length > most; due.shift()) await due[0]?.reply
      await this.#outflow.settled
    }
    return !isStopped
  }

  /** Sends the end of the content: from its leaving on the message may be taken, so nothing throws. Without a reply the outcome is unknown (RFC 1047).
   *  @param due the replies to what was sent before it @param lines what is sent before the octets that are gathered */
  async #conclude(transaction: Transaction, { framer, gathered, pass }: Flow, due: Due[], lines: readonly CommandLine[]): Promise<Receipt> {
    transaction.isOut = true
    this.#held.add(transaction)
    if (lines.length > 0) due.push(...this.#send(lines, gathered.take()))
    else this.#outflow.add(gathered.take())
    transaction.octets = framer.octets
    this.#dialogue.publish(smtpCommandChannel, () => `content of ${framer.octets} octets`)
    pass()
    // Messages back to back leave at the next turn of the event loop, many in one write.
    if (transaction.asked.pipelining !== 'back-to-back') this.#outflow.flush()
    const last = due.at(-1)
    if (last?.waitMs === Infinity) this.#expectEnd(last)
    try {
      for (const one of due) transaction.take(one.phase === 'content' && one !== last ? 'chunk' : one.phase, await one.reply)
    } catch (error) {
      this.#dialogue.fail(error)
      if (!transaction.isOut) throw error
    }
    return transaction.receipt()
  }

  /** Its time begins when the content has left. */
  #expectEnd(due: Due): void {
    const { dataBlock, dataEnd } = this.#timeouts
    const begin = (): void => {
      due.waitMs = dataEnd
      this.#arm()
    }
    this.#transport.flush('content', dataBlock).then(begin, (error: unknown) => this.#dialogue.fail(error))
  }

  /** Throws when nothing can be sent any more. */
  #check(signal?: AbortSignal): void {
    const { options, failure } = this.#dialogue
    signal?.throwIfAborted()
    options.signal?.throwIfAborted()
    if (failure !== undefined) throw unusable(failure.reason)
  }

  /** Transactions that the server takes on one connection (RFC 9422). */
  get #mailMax(): number {
    return parseLimits(this.#extensions.get('LIMITS')).mailMax
  }

  get #isAlive(): boolean {
    return this.#dialogue.failure === undefined && !this.#session.closing && !this.#transport.destroyed
  }

  async #ask(command: CommandLine, waitMs = this.#timeouts.command): Promise<Reply> {
    this.#outflow.add([this.#dialogue.encode([command])])
    this.#outflow.flush()
    return this.#expect(command.phase, waitMs).reply
  }

  /** Commands, and the octets that follow them, leave when the outflow does. Throws what the session throws. */
  #send(lines: readonly CommandLine[], views: readonly Buffer[] = []): Due[] {
    this.#outflow.add([this.#dialogue.encode(lines), ...views])
    const { command, dataStart, dataEnd } = this.#timeouts
    return lines.map(({ phase }) => this.#expect(phase, phase === 'data' ? dataStart : phase === 'content' ? dataEnd : command))
  }

  #expect(phase: Phase, waitMs: number): Due {
    const due = new Due(phase, waitMs)
    if (this.#due.push(due) === 1) this.#arm()
    if (!this.#isReading) void this.#listen()
    return due
  }

  /** Gives replies to whom they are due. */
  async #listen(): Promise<void> {
    const { idle } = this.#timeouts
    this.#isReading = true
    try {
      while (this.#due.length > 0 || (this.#isWatching && !this.#session.closing)) {
        // Replies often come several at once, and a promise for each would cost more than they do.
        const { reply } = this.#dialogue.next() ?? (await this.#dialogue.event({ phase: this.#session.phase, totalMs: NO_LIMIT_MS, idleMs: idle }))
        const due = this.#due.shift()
        // The reply to the content can come from now on, also before any of it was sent.
        if (due?.phase === 'data' && reply.status === 354) this.#final = this.#expect('content', Infinity)
        due?.resolve(reply)
        this.#arm()
        if (reply.status === 421) this.#shutDown()
      }
    } catch (error) {
      this.#refuse(error)
    } finally {
      this.#isReading = false
    }
  }

  /** The server said 421, after which it closes the connection. Exim can say it to one recipient and go on with what has left: what it says of content that
   *  it may take is worth a short wait. */
  #shutDown(): void {
    if ([...this.#open].some(({ isOut }) => isOut)) for (const due of this.#due) due.waitMs = Math.min(due.waitMs, this.#timeouts.quit)
    else this.#refuse(closedError('the server closes the connection', 'mail'))
    this.#arm()
  }

  /** No more replies will come. */
  #refuse(error: unknown): void {
    for (const due of this.#due.splice(0)) due.reject(inPhase(error, due.phase))
    this.#arm()
  }

  /** Starts the clock of the oldest reply that is due. */
  #arm(): void {
    clearTimeout(this.#timer)
    const [first] = this.#due
    if (first !== undefined && first.waitMs !== Infinity) this.#timer = this.#deadline(first.phase, first.waitMs)
  }

  #deadline(phase: Phase, waitMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      const message = `no answer from ${printable(this.#transport.host)} in the ${phase} phase within ${waitMs} ms`
      this.#dialogue.fail(new MailError('ERR_TIMEOUT', message, { phase, transient: true }))
    }, waitMs)
  }

  async #leave(waitMs: number): Promise<void> {
    const until = performance.now() + waitMs
    try {
      if (this.#isAlive) await this.#ask(commands.quit(), waitMs)
    } catch {
      // Servers that close without an answer are common, and lose nothing (H43).
    }
    await this.#dialogue.close(until - performance.now())
  }
}

/** Content on its way from a source to the wire. */
interface Flow {
  readonly framer: ContentFramer
  readonly pieces: AsyncGenerator<readonly Buffer[], void>
  /** Framed, and not sent yet. */ readonly gathered: Gathering
  /** Resolves when the source must not be waited for any more. */ readonly stopped: Promise<void>
  /** Lets the next transaction begin. */ readonly pass: () => void
}

/** All of the content but its end, framed, a block at a time. */
async function* framed(source: Source, framer: ContentFramer, declared: number | undefined): Flow['pieces'] {
  let given = 0
  for (let next = await source.next(); next.done !== true; next = await source.next()) {
    if (!(next.value instanceof Uint8Array)) throw contentError('the content must be octets: chunks of Uint8Array or Buffer')
    given += next.value.length
    for (const block of blocks(asBuffer(next.value))) yield framer.push(block)
  }
  if (declared !== undefined && given !== declared) throw contentError(`the content was to have ${declared} octets and has ${given}`)
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
export function abandon(content: object, source?: Source): void {
  try {
    if ('destroy' in content && typeof content.destroy === 'function') content.destroy()
    void Promise.resolve(source?.return?.()).catch(() => {})
  } catch {
    // What a source says about being left changes nothing.
  }
}

function nothing(): void {}
