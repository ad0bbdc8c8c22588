import { GrammarError } from '../errors.ts'
import { LineSplitter } from '../wire/lines.ts'
import { parseEnhancedStatus, parseReplyLine } from './grammar.ts'

/** What the server answered (RFC 5321 §4.2). Its text is a stranger's: one character an octet, to be escaped before it is shown. */
export interface Reply {
  readonly status: number
  /** RFC 3463, such as `5.1.1`. */ readonly enhancedStatus: string | null
  readonly lines: readonly string[]
}

const MAX_LINE_OCTETS = 8 * 1024
const MAX_LINES = 256
const MAX_OCTETS = 64 * 1024

/** Reads SMTP replies (RFC 5321 §4.2). `push` octets as they arrive, then take `next` until it is `undefined`. */
export class ReplyParser {
  readonly #splitter = new LineSplitter(MAX_LINE_OCTETS)
  #status = 0
  #octets = 0
  readonly #lines: string[] = []

  push(chunk: Buffer): void {
    this.#splitter.push(chunk)
  }

  /** The next whole reply, or `undefined` when more input is needed. Throws `GrammarError`. */
  next(): Reply | undefined {
    for (let line = this.#splitter.next(); line !== undefined; line = this.#splitter.next()) {
      const { status, last, text } = parseReplyLine(line)
      // A status that changes inside a reply means the two sides disagree about where replies end.
      if (this.#lines.length > 0 && status !== this.#status) throw new GrammarError('the status changes inside a reply')
      this.#octets += line.length
      if (this.#lines.push(text) > MAX_LINES) throw new GrammarError(`a reply of more than ${MAX_LINES} lines`, true)
      if (this.#octets > MAX_OCTETS) throw new GrammarError(`a reply of more than ${MAX_OCTETS} octets`, true)
      this.#status = status
      if (!last) continue
      this.#octets = 0
      const lines = this.#lines.splice(0)
      return { status, enhancedStatus: parseEnhancedStatus(status, lines), lines }
    }
    return undefined
  }

  /** Octets not consumed yet. Must be 0 before STARTTLS, or a forged reply would outlive the upgrade (RFC 3207 §4.2). */
  get unread(): number {
    return this.#octets + this.#splitter.unread
  }
}
