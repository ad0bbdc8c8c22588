import { GrammarError, protocolError, type MailError, type Phase } from '../errors.ts'
import type { Session } from '../wire/session.ts'
import type { Command } from './command.ts'
import { closedError, SmtpReplyError } from './errors.ts'
import { otherProtocol } from './grammar.ts'
import { ReplyParser, type Reply } from './reply.ts'

/** A reply, and what it answers. */
export type Answer = { readonly phase: Phase; readonly reply: Reply }

/**
 * Which replies are due on one SMTP connection. They are matched with commands by their order alone (RFC 2920 §3.1), so
 * one that nobody asked for, or that no command can have, ends the session: what came after it could not be trusted.
 */
export class SmtpSession implements Session<Answer> {
  readonly #parser = new ReplyParser()
  /** What the replies that are due answer, and what must be masked in them. */
  readonly #expected: Pick<Command, 'phase' | 'secrets'>[] = [{ phase: 'greeting', secrets: [] }]
  #closing = false
  #ended = false

  /** The octets of commands whose replies are now due. After 421 or QUIT there are none. */
  send(commands: readonly Command[]): Buffer {
    const phase = commands[0]?.phase ?? 'mail'
    if (this.#closing || this.#ended) throw closed(phase)
    if (this.#expected.length === 0 && this.unread > 0) {
      // What came unasked must not be taken for the answer to what is asked now (S17, H4, H16).
      this.next()
      throw protocolError(phase, new GrammarError('octets that nothing asked for'))
    }
    this.#expected.push(...commands)
    this.#closing = phase === 'quit'
    return Buffer.concat(commands.map(({ octets }) => octets))
  }

  /** Content begins: the next reply is the one to its final dot. */
  content(): void {
    this.#expected.push({ phase: 'content', secrets: [] })
  }

  receive(chunk: Buffer): void {
    if (this.#expected[0]?.phase === 'greeting' && this.#parser.unread === 0) {
      // Neither a TLS alert nor a handshake need have a line end to wait for.
      const mistake = otherProtocol(chunk)
      if (mistake !== undefined) throw protocolError('greeting', new GrammarError(mistake))
    }
    this.#parser.push(chunk)
  }

  next(): Answer | undefined {
    const phase = this.phase
    let reply: Reply | undefined
    try {
      reply = this.#parser.next()
    } catch (error) {
      throw protocolError(phase ?? 'mail', error)
    }
    if (reply === undefined) {
      if (this.#ended) throw closed(phase ?? 'mail')
      return undefined
    }
    if (reply.status === 421) this.#closing = true
    const expected = this.#expected.shift()
    if (expected === undefined) {
      // A server that shuts down may say so unasked (RFC 5321 §3.8).
      if (reply.status === 421) throw new SmtpReplyError('mail', reply, 'ERR_CLOSED')
      throw protocolError('mail', new GrammarError('a reply that nothing asked for'))
    }
    // 3yz asks us to go on, which only DATA and AUTH can (RFC 5321 §4.2.1).
    if (reply.status < 400 && reply.status >= 300 && expected.phase !== 'data' && expected.phase !== 'auth') {
      throw protocolError(expected.phase, new GrammarError(`${reply.status} where no more can follow`))
    }
    return { phase: expected.phase, reply: masked(reply, expected.secrets) }
  }

  end(): void {
    this.#ended = true
  }

  get unread(): number {
    return this.#parser.unread
  }

  /** What the next reply answers. */
  get phase(): Phase | undefined {
    return this.#expected[0]?.phase
  }

  /** No more commands: the server said 421, or we said QUIT. */
  get closing(): boolean {
    return this.#closing
  }
}

const closed = (phase: Phase): MailError => closedError(`the server closed the connection in the ${phase} phase`, phase)

/** Servers repeat lines that they do not like; what was secret in ours must not come back through an error or a log. */
function masked(reply: Reply, secrets: readonly string[]): Reply {
  if (secrets.length === 0) return reply
  return { ...reply, lines: reply.lines.map((line) => secrets.reduce((text, secret) => text.replaceAll(secret, '***'), line)) }
}
