import { CR, EMPTY, LF } from '../bytes.ts'
import { GrammarError, MailError, type Phase } from '../errors.ts'
import { mask, Session } from '../wire/session.ts'
import { ListBody, type Body } from './body.ts'
import type { Command } from './command.ts'
import { parseAuthReply, parseStat, parseStatus, type StatusReply } from './grammar.ts'

export type Pop3Event =
  /** The status of the oldest command that has none yet. With `more` its body follows. */
  | { readonly type: 'reply'; readonly command: Command; readonly reply: StatusReply; readonly more: boolean }
  /** There is something to take from a body. With `last` the answer is complete. */
  | { readonly type: 'body'; readonly body: Body<unknown>; readonly last: boolean }

type SessionState = 'AUTHORIZATION' | 'TRANSACTION' | 'UPDATE'
const LISTING_SLACK = 1_000 // how many more messages than STAT said a listing may have
const MAX_BLANK_LINES = 4 // some servers send an empty line before a status line (Office 365 at DELE)
const GREETING: Command = { verb: '', phase: 'greeting', octets: EMPTY, shown: '', secrets: [], body: undefined }

/** The client's side of RFC 1939 §3: AUTHORIZATION → TRANSACTION → UPDATE. */
export class Pop3Session extends Session<Command, Pop3Event> {
  #state: SessionState = 'AUTHORIZATION'
  #blankLines = 0
  #body: Body<unknown> | undefined
  /** What STAT said, which limits listings. */ #messageCount: number | undefined

  /** @param observe sees each line of the server that is not content, secrets replaced */
  constructor(observe: (line: () => string) => void = () => {}) {
    super('POP3', GREETING, observe)
  }

  get state(): SessionState {
    return this.#state
  }

  /** As the base says; a command that its state does not allow, or behind one that must be the last (T6), is `ERR_SESSION_STATE`. */
  override send(commands: readonly Command[]): Buffer {
    let before = this.expected.at(-1)?.verb
    for (const { verb, phase } of commands) {
      const { place, phases } = STATES[before === 'QUIT' ? 'UPDATE' : this.#state]
      if (!phases.includes(phase) || before === '' || before === 'STLS') {
        throw new MailError('ERR_SESSION_STATE', `${verb} is not possible ${place}`, { phase, reusable: true })
      }
      before = verb
    }
    return super.send(commands)
  }

  /** Some servers end a listing with a dot without line end, and close. Content never ends so: it could be cut (H49). */
  override end(): void {
    if (this.#body instanceof ListBody && this.unread === 1) this.receive(Buffer.from('\n'))
    super.end()
  }

  protected override read(): Pop3Event | undefined {
    if (this.#body !== undefined) return this.#readBody(this.#body)
    for (let line = this.splitter.next(); line !== undefined; line = this.splitter.next()) {
      if (line.length > 0) return this.#reply(line)
      if (++this.#blankLines > MAX_BLANK_LINES) throw new GrammarError('empty lines in place of a status line')
    }
    return undefined
  }

  #reply(line: Buffer): Pop3Event {
    this.#blankLines = 0
    const [command] = this.expected
    if (command === undefined) throw new GrammarError('a line that nobody asked for')
    const parsed = command.success === undefined ? parseStatus(line) : parseAuthReply(line, command.success)
    const reply = { ...parsed, text: mask(parsed.text, command), line: mask(parsed.line, command) }
    const more = reply.ok && command.body !== undefined
    if (more) this.#body = command.body
    else this.expected.shift()
    const isLogin = command.verb === 'PASS' || command.verb === 'APOP' || command.verb === 'AUTH'
    if (reply.ok && isLogin && reply.challenge === undefined) this.#state = 'TRANSACTION'
    if (reply.ok && command.verb === 'QUIT') this.#state = 'UPDATE'
    if (reply.ok && command.verb === 'STAT') this.#messageCount = Math.max(this.#messageCount ?? 0, parseStat(reply.text)?.count ?? Infinity)
    if (reply.ok && command.verb === 'RSET') this.#messageCount = undefined // messages may have come back
    return { type: 'reply', command, reply, more }
  }

  #readBody(body: Body<unknown>): Pop3Event | undefined {
    const before = body.waiting
    let last = false
    try {
      if (body.read(this.splitter, (this.#messageCount ?? Infinity) + LISTING_SLACK)) {
        // A dot line that was not stuffed ends content too early: the rest of it comes where nothing or a status line is expected (P9, H52).
        const rest = this.splitter.take()
        this.splitter.push(rest)
        const from = rest.findIndex((octet) => octet !== CR && octet !== LF)
        const start = from < 0 ? '' : rest.toString('latin1', from, from + 3)
        last = start === '' || (this.expected.length > 1 && ('+OK'.startsWith(start) || '-ERR'.startsWith(start)))
        if (!last) throw new GrammarError('octets behind the final dot; the content may be cut')
      }
    } catch (error) {
      this.failure = error
      if (body.waiting === before) throw error
    }
    if (last) {
      this.#body = undefined
      this.expected.shift()
    }
    return last || body.waiting > before ? { type: 'body', body, last } : undefined
  }
}

/** Where a session is and what it can be asked there (RFC 1939 §3). */
const STATES: Readonly<Record<SessionState, { readonly place: string; readonly phases: readonly Phase[] }>> = {
  AUTHORIZATION: { place: 'before the login', phases: ['capa', 'lang', 'quit', 'stls', 'auth', 'utf8'] },
  TRANSACTION: { place: 'after the login', phases: ['capa', 'lang', 'quit', 'stat', 'list', 'uidl', 'retr', 'top', 'dele', 'rset', 'noop'] },
  UPDATE: { place: 'after QUIT', phases: [] },
}
