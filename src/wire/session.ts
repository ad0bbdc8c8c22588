import { decodeText, EMPTY } from '../bytes.ts'
import { GrammarError, MailError, protocolError, type Phase } from '../errors.ts'
import { LineSplitter } from './lines.ts'
import { MAX_CHALLENGE_OCTETS } from './sasl/mechanism.ts'

/** A line for the server, checked and written. Only the `command.ts` of a protocol makes them, and only from values that were checked. */
export interface CommandLine {
  readonly phase: Phase
  readonly octets: Buffer
  /** For diagnostics: without its line end, credentials replaced by `***`. */ readonly shown: string
  /** What must be masked in the answer, should the server repeat it: in this order, as one may be a part of another. */
  readonly secrets: readonly string[]
}

const MAX_LINE_OCTETS = 8 * 1024
const START_OCTETS = 8

/** One connection's protocol state. It touches no network and never waits: `send` gives octets, `receive` takes what arrived, then `next` gives
 *  events until it is `undefined`; a client moves them. Answers belong to commands by their order alone (RFC 2920 §3.1, RFC 2449 §6.6), so
 *  several may be under way, and one that nobody asked for ends the session: what came after it could not be trusted. */
export abstract class Session<Command extends CommandLine, Event> {
  protected readonly splitter: LineSplitter
  /** Commands whose answer is not complete, the oldest first; before all others the greeting, as if it had been asked for. */
  protected readonly expected: Command[]
  /** Found behind octets that were good: thrown once those were taken, so that chunk borders decide nothing. */
  protected failure: unknown
  readonly #protocol: 'POP3' | 'SMTP'
  /** The first octets, until the greeting was read. */
  #start: Buffer | undefined = EMPTY
  #ended = false

  /** @param greeting stands for the greeting among the commands
   *  @param observe is told each line of the server that is not content, secrets replaced; it asks for the text if it wants it */
  constructor(protocol: 'POP3' | 'SMTP', greeting: Command, observe: (line: () => string) => void) {
    this.splitter = new LineSplitter(MAX_LINE_OCTETS, (line) => observe(() => mask(decodeText(line), this.expected[0])))
    this.expected = [greeting]
    this.#protocol = protocol
  }

  /** The next event, when what arrived is enough for one. Throws `GrammarError` or `MailError`, and then nothing else any more. */
  protected abstract read(): Event | undefined

  /** The octets of commands whose answers are expected from now on. Throws `ERR_PROTOCOL` when the server spoke unasked. */
  send(commands: readonly Command[]): Buffer {
    const phase = commands[0]?.phase ?? this.phase
    // What came unasked must not be taken for the answer to what is asked now (S17, H4, H16).
    if (this.quiet) {
      this.#read(phase)
      if (this.unread > 0) throw protocolError(phase, new GrammarError('octets that nobody asked for'))
    }
    this.expected.push(...commands)
    return commands.length === 1 && commands[0] !== undefined ? commands[0].octets : Buffer.concat(commands.map(({ octets }) => octets))
  }

  /** Octets from the server. Borrowed: what must outlive the call is copied, or used up by `next` before the next `receive`. */
  receive(chunk: Buffer): void {
    if (this.#start !== undefined) this.#start = Buffer.concat([this.#start, chunk.subarray(0, START_OCTETS - this.#start.length)])
    this.splitter.push(chunk)
  }

  /** What happened next, or `undefined` when more octets are needed. After `end()` it gives an event or throws, never `undefined`. Throws `MailError`. */
  next(): Event | undefined {
    return this.#read(this.phase)
  }

  /** The server closed its side. */
  end(): void {
    this.#ended = true
  }

  /** Octets received and not consumed yet. */
  get unread(): number {
    return this.splitter.unread
  }

  /** To be called between the go-ahead to STLS or STARTTLS and the handshake. What came before it can be forged, so not an octet may be left over
   *  (T5, RFC 2595 §4, RFC 3207 §4.2). */
  secure(): void {
    if (this.unread === 0) return
    const message = 'octets came in clear text behind the go-ahead to TLS; somebody may be in the way'
    throw new MailError('ERR_TLS_INJECTION', message, { phase: 'tls' })
  }

  /** No answer is expected. */
  get quiet(): boolean {
    return this.expected.length === 0
  }

  /** The greeting has come. */
  get greeted(): boolean {
    return this.#start === undefined
  }

  /** What the next answer belongs to; when nothing is under way, what would be next. */
  get phase(): Phase {
    return this.expected[0]?.phase ?? (this.#protocol === 'POP3' ? 'noop' : 'mail')
  }

  #read(phase: Phase): Event | undefined {
    try {
      if (this.failure !== undefined) throw this.failure
      this.splitter.limit = this.phase === 'auth' ? MAX_CHALLENGE_OCTETS + START_OCTETS : MAX_LINE_OCTETS
      if (this.#start !== undefined && isTls(this.#start)) throw new GrammarError('') // TLS needs no line end to wait for
      const event = this.read()
      if (event !== undefined) this.#start = undefined
      else if (this.#ended) throw new MailError('ERR_CLOSED', `the server closed the connection in the ${phase} phase`, { phase, transient: true })
      return event
    } catch (error) {
      const other = this.#start === undefined ? this.#protocol : otherProtocol(this.#start)
      this.failure = other === undefined || other.startsWith(this.#protocol) ? error : new GrammarError(`the greeting is that of ${other}`)
      throw protocolError(phase, this.failure)
    }
  }
}

/** A TLS alert or handshake. */
const isTls = (start: Buffer): boolean => start[0] === 0x15 || start[0] === 0x16

/** Whose greeting begins like this: it tells which mistake was made (H6). */
function otherProtocol(octets: Buffer): string | undefined {
  const start = octets.toString('latin1')
  if (isTls(octets)) return "TLS: security must be 'tls', or the port another"
  if (/^220[ -]/.test(start)) return 'SMTP or FTP; check the port'
  if (/^[+-](OK|ERR)/.test(start)) return 'POP3; check the port'
  if (start.startsWith('* ')) return 'IMAP; check the port'
  if (start.startsWith('HTTP/') || start.startsWith('<')) return 'a web server; check host and port'
  return start.startsWith('SSH-') ? 'SSH; check the port' : undefined
}

/** Servers repeat lines that they do not like; what was secret in ours must not come back through an error or a log (S24). Text may be UTF-8 or
 *  one character an octet, so a secret is looked for in both forms. */
export function mask(text: string, command: CommandLine | undefined): string {
  let masked = text
  for (const secret of command?.secrets ?? []) {
    if (secret !== '') masked = masked.replaceAll(secret, '***').replaceAll(Buffer.from(secret).toString('latin1'), '***')
  }
  return masked
}
