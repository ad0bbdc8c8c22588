import { GrammarError } from '../errors.ts'
import type { LineSplitter } from '../wire/lines.ts'
import { parseEnhancedStatus, parseReplyLine } from './grammar.ts'

/** What the server answered (RFC 5321 §4.2). Its text is a stranger's: one character an octet, to be escaped before it is shown. */
export interface Reply {
  readonly status: number
  /** RFC 3463, such as `5.1.1`. */ readonly enhancedStatus: string | null
  readonly lines: readonly string[]
}

const MAX_LINES = 256
const MAX_OCTETS = 64 * 1024

/** Reads SMTP replies (RFC 5321 §4.2) from their lines: take `next` until it is `undefined`. */
export class ReplyParser {
  readonly #splitter: LineSplitter
  #status = 0
  #octets = 0
  readonly #lines: string[] = []

  constructor(splitter: LineSplitter) {
    this.#splitter = splitter
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

  /** Octets not consumed yet, those of a reply that is half read included. */
  get unread(): number {
    return this.#octets + this.#splitter.unread
  }
}
