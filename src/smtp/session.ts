import { EMPTY } from '../bytes.ts'
import { GrammarError, type Phase } from '../errors.ts'
import { mask, Session, type CommandLine } from '../wire/session.ts'
import { closedError, SmtpReplyError } from './errors.ts'
import { ReplyParser, type Reply } from './reply.ts'

/** A reply, and what it answers. */
export type Answer = { readonly phase: Phase; readonly reply: Reply }

/** Has a reply of its own, though it is no command. */
const unasked = (phase: Phase): CommandLine => ({ phase, octets: EMPTY, shown: '', secrets: [] })

/** Which replies are due on one SMTP connection, and whether commands can have them. */
export class SmtpSession extends Session<CommandLine, Answer> {
  /** No more commands: the server said 421, or we said QUIT. */ closing = false
  readonly #parser: ReplyParser

  constructor(observe: (line: () => string) => void = () => {}) {
    super('SMTP', unasked('greeting'), observe)
    this.#parser = new ReplyParser(this.splitter)
  }

  /** After 421 or QUIT nothing more can be sent. */
  override send(commands: readonly CommandLine[]): Buffer {
    const phase = commands[0]?.phase ?? 'mail'
    if (this.closing) throw closedError(`the server closed the connection before the ${phase} phase`, phase)
    const octets = super.send(commands)
    this.closing = phase === 'quit'
    return octets
  }

  protected override read(): Answer | undefined {
    const reply = this.#parser.next()
    if (reply === undefined) return undefined
    if (reply.status === 421) this.closing = true
    const expected = this.expected.shift()
    if (expected === undefined) {
      // A server that shuts down may say so unasked (RFC 5321 §3.8).
      throw reply.status === 421 ? new SmtpReplyError('mail', reply, 'ERR_CLOSED') : new GrammarError('a reply that nothing asked for')
    }
    const { phase } = expected
    // 3yz asks us to go on, which only DATA and AUTH can (RFC 5321 §4.2.1).
    if (reply.status < 400 && reply.status >= 300 && phase !== 'data' && phase !== 'auth') {
      throw new GrammarError(`${reply.status} where no more can follow`)
    }
    if (reply.status === 354 && phase === 'data') this.expected.push(unasked('content')) // it ends with a reply of its own
    return { phase, reply: { ...reply, lines: reply.lines.map((line) => mask(line, expected)) } }
  }

  /** A reply that is half read counts too. */
  override get unread(): number {
    return this.#parser.unread
  }
}
