import type { Channel } from 'node:diagnostics_channel'
import { onAbort } from '../abort.ts'
import type { DialogueMessage } from '../diagnostics.ts'
import { MailError, type Phase } from '../errors.ts'
import type { CommandLine, Session } from '../wire/session.ts'
import type { CheckedOptions } from './options.ts'
import { nextEvent, type Transport, type Wait } from './transport.ts'

/** What the clients of both protocols stand on: one session over one transport, under the signal of the connection, published on channels, and
 *  with one failure that ends everything at once. */
export class Dialogue<Command extends CommandLine, Event> {
  /** Without `auth`: a password is not kept. */ readonly options: CheckedOptions
  readonly #transport: Transport
  readonly #session: Session<Command, Event>
  readonly #channel: Channel
  readonly #onFailure: (reason: unknown) => void
  #failure: { readonly reason: unknown } | undefined
  #forget = (): void => {}

  /** @param channel of commands
   *  @param onFailure is told once, when calls that wait must be refused */
  constructor(
    transport: Transport,
    session: Session<Command, Event>,
    options: CheckedOptions,
    channel: Channel,
    onFailure: (reason: unknown) => void = () => {},
  ) {
    this.#transport = transport
    this.#session = session
    this.options = { ...options, auth: undefined }
    this.#channel = channel
    this.#onFailure = onFailure
  }

  /** Heeds the signal of the connection from now on. Throws its reason when it is over already. */
  begin(): void {
    this.options.signal?.throwIfAborted()
    this.#forget = onAbort(this.options.signal, (reason) => this.fail(reason))
  }

  /** Why nothing works any more: it failed or was closed. */
  get failure(): { readonly reason: unknown } | undefined {
    return this.#failure
  }

  /** Sends commands in one write. Does not wait: answers are read while this is being written. Throws what the session throws. */
  send(commands: readonly Command[]): void {
    void this.write([this.encode(commands)], commands[0]?.phase ?? 'noop', this.options.timeouts.command)
  }

  /** The octets of commands, whose answers are expected from now on. Throws what the session throws. */
  encode(commands: readonly Command[]): Buffer {
    while (this.#session.quiet) {
      const chunk = this.#transport.readAhead() // what came unasked must be seen before the question
      if (chunk === null) break
      this.#session.receive(chunk)
    }
    const octets = this.#session.send(commands)
    for (const { shown } of commands) this.publish(this.#channel, () => shown)
    return octets
  }

  /** Settles when more is wanted, or never will be. */
  async write(views: readonly Buffer[], phase: Phase, waitMs: number): Promise<void> {
    try {
      await this.#transport.write(views, phase, waitMs)
    } catch (error) {
      this.fail(error)
    }
  }

  /** The next event, when what arrived is enough for one. Throws what ends the connection. */
  next(): Event | undefined {
    try {
      return this.#session.next()
    } catch (error) {
      throw this.fail(error)
    }
  }

  /** The next event of the session. Whatever keeps it from coming is the end of the connection. */
  async event(wait: Wait): Promise<Event> {
    try {
      return await nextEvent(this.#session, this.#transport, wait)
    } catch (error) {
      throw this.fail(error)
    }
  }

  /** Waits for the greeting. A server that waits for a handshake is silent, so the error says that too. */
  async greeting<T>(greeting: Promise<T>): Promise<T> {
    try {
      return await greeting
    } catch (error) {
      if (!(error instanceof MailError && error.code === 'ERR_TIMEOUT' && this.#transport.tls === null)) throw error
      const message = `${error.message}; if the port speaks TLS from the start, security must be 'tls'`
      throw new MailError('ERR_TIMEOUT', message, { phase: 'greeting', transient: true, cause: error })
    }
  }

  /** Changes to TLS in place, after the server's go-ahead. */
  async upgrade(): Promise<void> {
    try {
      this.#session.secure()
      await this.#transport.upgrade(this.options.tls)
    } catch (error) {
      throw this.fail(error)
    }
  }

  /** The connection does not survive this. The first reason stands. */
  fail(reason: unknown): unknown {
    if (this.#failure === undefined) {
      this.#end(reason)
      this.#transport.destroy(reason)
      this.#onFailure(reason)
    }
    return reason
  }

  /** Ends the connection in order, within `waitMs`. Never rejects. */
  async close(waitMs: number): Promise<void> {
    if (this.#failure !== undefined) return
    this.#end(new MailError('ERR_CLOSED', 'the connection is closed', { phase: 'quit' }))
    await this.#transport.close(Math.max(1, waitMs))
  }

  #end(reason: unknown): void {
    this.#failure = { reason }
    this.#forget()
  }

  /** Tells who listens; nobody else costs anything. */
  publish(channel: Channel, line: () => string): void {
    if (!channel.hasSubscribers) return
    const { host, port, label } = this.options
    const message: DialogueMessage = { host, port, label, line: line() }
    channel.publish(message)
  }
}

/** Credentials leave on a connection without TLS only when that was asked for in so many words (S19). */
export function checkSecrecy({ auth, allowClearTextAuth }: CheckedOptions, secure: boolean): void {
  if (auth === undefined || secure || allowClearTextAuth) return
  const message = "the credentials would leave in clear text; use security 'tls' or 'starttls', or set allowClearTextAuth"
  throw new MailError('ERR_AUTH_CLEAR_TEXT', message, { phase: 'auth' })
}

/** The upgrade that `starttls` demands cannot be had. */
export function tlsRequired(why: string, phase: Phase, cause?: MailError): MailError {
  const message = `${why}, and TLS is required (security 'starttls'); nothing was sent that needs it`
  return new MailError('ERR_TLS_REQUIRED', message, { phase, transient: cause?.transient === true, cause })
}
