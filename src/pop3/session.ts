import { CR, EMPTY, LF } from '../bytes.ts'
import { GrammarError, MailError, protocolError, type Phase } from '../errors.ts'
import { DotUnstuffer } from '../wire/dots.ts'
import { LineSplitter } from '../wire/lines.ts'
import type { Session } from '../wire/session.ts'
import type { Command, SessionState } from './command.ts'
import {
  decodeText,
  isFinalDot,
  parseCapability,
  parseGreeting,
  parseListing,
  parseStat,
  parseStatus,
  parseUniqueIdListing,
  type Capability,
  type Listing,
  type StatusReply,
  type UniqueIdListing,
} from './grammar.ts'
import { ListReader, unique } from './listing.ts'

/** A piece of what follows a `+OK`. With `last` the answer is complete. */
export type Pop3BodyEvent =
  | { readonly type: 'content'; readonly views: readonly Buffer[]; readonly last: boolean }
  | { readonly type: 'listing'; readonly entries: readonly Listing[]; readonly last: boolean }
  | { readonly type: 'unique-ids'; readonly entries: readonly UniqueIdListing[]; readonly last: boolean }
  | { readonly type: 'capabilities'; readonly entries: readonly Capability[]; readonly last: boolean }

export type Pop3Event =
  | { readonly type: 'greeting'; readonly reply: StatusReply }
  /** The status of the oldest command that has none yet. With `more` its body follows. */
  | { readonly type: 'reply'; readonly command: Command; readonly reply: StatusReply; readonly more: boolean }
  | Pop3BodyEvent

const MAX_LINE_OCTETS = 8 * 1024
const MAX_CAPABILITY_OCTETS = 64 * 1024
const MAX_CAPABILITY_LINES = 256
const MAX_LISTING_LINES = 1_000_000
const LISTING_SLACK = 1_000 // how many more messages than STAT said a listing may have
const MAX_BLANK_LINES = 4 // some servers send an empty line before a status line (Office 365 at DELE)

type List = ListReader<Listing, Pop3BodyEvent> | ListReader<UniqueIdListing, Pop3BodyEvent> | ListReader<Capability, Pop3BodyEvent>

/**
 * The client's side of RFC 1939 §3: AUTHORIZATION → TRANSACTION → UPDATE. `request` gives the octets of a command and notes that an answer
 * is expected; answers belong to commands by their order alone, so several may be under way (RFC 2449 §6.6).
 */
export class Pop3Session implements Session<Pop3Event> {
  readonly #observe: (line: Buffer) => void
  readonly #splitter = new LineSplitter(MAX_LINE_OCTETS)
  /** Commands whose answer is not complete, the oldest first. */ readonly #expected: Command[] = []
  #state: SessionState = 'AUTHORIZATION'
  #greeted = false
  #blankLines = 0
  #body: 'content' | List | undefined
  #unstuffer = new DotUnstuffer()
  /** Octets for the unstuffer. */ #content: Buffer = EMPTY
  /** Found behind octets that were good: thrown once those were taken, so that chunk borders decide nothing. */ #failure: unknown
  #messageCount: number | undefined
  #ended = false

  /** @param observe sees each line of the server that is not content, without its line end; borrowed, secrets replaced */
  constructor(observe: (line: Buffer) => void = () => {}) {
    this.#observe = observe
  }

  get state(): SessionState {
    return this.#state
  }

  /** The greeting has come. */
  get greeted(): boolean {
    return this.#greeted
  }

  /** The octets of a command, whose answer is from now on expected. Throws `ERR_SESSION_STATE`, or `ERR_PROTOCOL` when the server spoke unasked. */
  request(command: Command): Buffer {
    const before = this.#expected.at(-1)
    if (!command.states.includes(this.#state) || before?.verb === 'QUIT' || before?.verb === 'STLS') {
      throw new MailError('ERR_SESSION_STATE', `${command.verb} is not possible ${PLACES[before?.verb === 'QUIT' ? 'UPDATE' : this.#state]}`, {
        phase: command.phase,
        reusable: true,
      })
    }
    if (before === undefined) this.#checkQuiet(command.phase)
    this.#expected.push(command)
    return command.octets
  }

  /**
   * To be called between the `+OK` to STLS and the handshake. What came before it can be forged, so not an octet may be left over (T5,
   * RFC 2595 §4).
   */
  secure(): void {
    if (this.unread > 0) {
      throw new MailError('ERR_TLS_INJECTION', 'the server sent more than its answer to STLS before the handshake; somebody may be in between', {
        phase: 'stls',
      })
    }
  }

  receive(chunk: Buffer): void {
    if (this.#body === 'content') this.#content = this.#content.length === 0 ? chunk : Buffer.concat([this.#content, chunk])
    else this.#splitter.push(chunk)
    const [first] = chunk
    // TLS records need no LF, so they are looked for before there is a line.
    if (!this.#greeted && this.#splitter.unread === chunk.length && (first === 0x15 || first === 0x16)) {
      this.#failure = new GrammarError("the server speaks TLS on this port; security must be 'tls', or the port another")
    }
  }

  next(): Pop3Event | undefined {
    const phase = this.#phase
    const event = this.#guard(phase, () => (this.#body === undefined ? this.#nextStatus() : this.#nextBody(this.#body)))
    if (event === undefined && this.#ended) {
      throw new MailError(
        'ERR_CLOSED',
        `the server closed the connection ${this.#body === undefined ? 'before its answer' : 'in the middle of its answer'} in the ${phase} phase`,
        { phase, transient: true },
      )
    }
    return event
  }

  end(): void {
    this.#ended = true
  }

  get unread(): number {
    return this.#splitter.unread + this.#content.length
  }

  /** No answer is expected. */
  get quiet(): boolean {
    return this.#expected.length === 0
  }

  get #phase(): Phase {
    return this.#greeted ? (this.#expected[0]?.phase ?? 'noop') : 'greeting'
  }

  #guard<T>(phase: Phase, read: () => T): T {
    try {
      if (this.#failure !== undefined) throw this.#failure
      return read()
    } catch (error) {
      this.#failure = error
      throw protocolError(phase, error)
    }
  }

  /** At a quiet point nothing may lie here but empty lines: a later answer would be taken for another's (S17). */
  #checkQuiet(phase: Phase): void {
    this.#guard(phase, () => {
      if (this.#nextLine() !== undefined || this.unread > 0) throw new GrammarError('octets that nobody asked for')
    })
  }

  /** The next line that is not empty. */
  #nextLine(): Buffer | undefined {
    for (let line = this.#splitter.next(); line !== undefined; line = this.#splitter.next()) {
      if (line.length > 0) {
        this.#blankLines = 0
        return line
      }
      if (++this.#blankLines > MAX_BLANK_LINES) throw new GrammarError('empty lines in place of a status line')
    }
    return undefined
  }

  #nextStatus(): Pop3Event | undefined {
    const line = this.#nextLine()
    if (line === undefined) return undefined
    if (!this.#greeted) {
      this.#observe(line)
      const reply = parseGreeting(line)
      this.#greeted = true
      return { type: 'greeting', reply }
    }
    const command = this.#expected[0]
    if (command === undefined) throw new GrammarError('a line that nobody asked for')
    this.#observe(command.secret === undefined ? line : Buffer.from(hide(decodeText(line), command.secret)))
    const parsed = parseStatus(line)
    const reply = { ...parsed, text: hide(parsed.text, command.secret) }
    const more = reply.ok && command.answer !== 'status'
    if (more) this.#beginBody(command)
    else this.#complete(command, reply)
    return { type: 'reply', command, reply, more }
  }

  #complete(command: Command, reply: StatusReply): void {
    this.#expected.shift()
    if (!reply.ok) return
    if (command.verb === 'PASS') this.#state = 'TRANSACTION'
    else if (command.verb === 'QUIT') this.#state = 'UPDATE'
    else if (command.verb === 'STAT') this.#messageCount = Math.max(this.#messageCount ?? 0, parseStat(reply.text)?.count ?? MAX_LISTING_LINES)
    else if (command.verb === 'RSET') this.#messageCount = undefined // messages may have come back
  }

  #beginBody({ answer }: Command): void {
    const lines = Math.min(MAX_LISTING_LINES, (this.#messageCount ?? MAX_LISTING_LINES) + LISTING_SLACK)
    switch (answer) {
      case 'status':
        break
      case 'content':
        this.#body = 'content'
        this.#unstuffer = new DotUnstuffer()
        this.#content = this.#splitter.take()
        break
      case 'listing': {
        const parse = unique(parseListing, ({ octets }) => octets)
        this.#body = new ListReader(parse, (entries, last) => ({ type: answer, entries, last }), lines)
        break
      }
      case 'unique-ids': {
        const parse = unique(parseUniqueIdListing, ({ uniqueId }) => uniqueId)
        this.#body = new ListReader(parse, (entries, last) => ({ type: answer, entries, last }), lines)
        break
      }
      case 'capabilities':
        this.#body = new ListReader(
          parseCapability,
          (entries, last) => ({ type: answer, entries, last }),
          MAX_CAPABILITY_LINES,
          MAX_CAPABILITY_OCTETS,
        )
        break
    }
  }

  #nextBody(body: 'content' | List): Pop3Event | undefined {
    const event = body === 'content' ? this.#nextContent() : this.#nextEntries(body)
    if (event?.last === true) {
      this.#body = undefined
      this.#expected.shift()
    }
    return event
  }

  #nextContent(): Pop3BodyEvent | undefined {
    if (this.#content.length === 0) return undefined
    const views = this.#unstuffer.push(this.#content)
    this.#content = EMPTY
    const { rest } = this.#unstuffer
    if (rest !== undefined) this.#splitter.push(rest)
    // A dot line that the server failed to stuff ends the content too early, and the rest of it comes where nothing is expected (P9, H52).
    const cut = rest !== undefined && this.#expected.length === 1 && rest.some((octet) => octet !== CR && octet !== LF)
    if (cut) this.#failure = new GrammarError('octets behind the final dot; the content may be cut')
    if (cut && views.length === 0) throw this.#failure
    return views.length === 0 && rest === undefined ? undefined : { type: 'content', views, last: rest !== undefined && !cut }
  }

  #nextEntries(list: List): Pop3BodyEvent | undefined {
    try {
      for (let line = this.#splitter.next(); line !== undefined; line = this.#splitter.next()) {
        this.#observe(line)
        if (isFinalDot(line)) return list.take(true)
        list.push(line)
      }
    } catch (error) {
      if (list.length === 0) throw error
      this.#failure = error
    }
    return list.length === 0 ? undefined : list.take(false)
  }
}

/** A server may echo what it was sent. */
const hide = (text: string, secret: string | undefined): string => (secret === undefined || secret === '' ? text : text.replaceAll(secret, '***'))

const PLACES: Readonly<Record<SessionState, string>> = { AUTHORIZATION: 'before the login', TRANSACTION: 'after the login', UPDATE: 'after QUIT' }
