import { MailError } from '../../src/errors.ts'
import { MEMORY_TLS, MemoryTransport } from './memory-transport.ts'

/** What a server answers: a command, the end of a content (`end` for DATA, `LAST` for BDAT), or the beginning. */
export type Question = 'greeting' | 'EHLO' | 'MAIL' | 'RCPT' | 'DATA' | 'BDAT' | 'RSET' | 'QUIT' | 'end' | 'LAST' | 'other'

/** The whole answer with its line ends; anything else is a fault that the test wants.
 *  @param line the command, or what the content says behind `end-` @param paths of those who were accepted in this transaction */
export type Say = (question: Question, line: string, paths: readonly string[]) => string

/** When the connection ends: after so many octets of the server have left it, or so many of the client have come to it. */
export interface Cut {
  readonly after: 'said' | 'heard'
  readonly octets: number
  readonly how: 'FIN' | 'RST'
}

export interface ModelOptions {
  readonly say: Say
  readonly cut?: Cut | undefined
  /** BDAT … LAST that is refused does not end the transaction, as with Exim. @default false */
  readonly keeps?: boolean
  /** Cuts what the server says at a time into chunks. @default all in one */ readonly split?: (octets: Buffer) => Buffer[]
  /** Turns of the event loop before what was asked is answered. @default 0 */ readonly lag?: () => number
}

/** A content that the server had to its end. */
export interface Taken {
  /** What it says behind `end-`. */ readonly mark: string
  /** Forward-paths that were accepted, with MAIL and every chunk before the last. */ readonly paths: readonly string[]
  readonly reversePath: string
  /** Of the one reply to its end; `undefined` when that was none, several or nonsense. */ readonly status: number | undefined
  /** Octets that the server must have said for that reply to be complete. */ readonly until: number
}

/** An SMTP server in memory that takes what comes, says what a test wants, and knows what it took: the other half of every promise of the client. */
export class SmtpModel extends MemoryTransport {
  readonly taken: Taken[] = []
  /** What was asked and answered, to be read when a test fails. */ readonly log: string[] = []
  /** Octets that were said, and octets that were heard. */
  said = 0
  heard = 0
  /** Grows whenever something happens. */ events = 0
  readonly #options: ModelOptions
  #pending = Buffer.alloc(0)
  #planned = 0
  #mail: string | undefined
  #paths: string[] = []
  #content: string[] = []
  #isWhole = true
  /** Octets of a chunk that are still to come, or a content up to its final dot. */ #inside: 'command' | 'data' | 'chunk' = 'command'
  #left = 0
  #isLast = false
  #over = false
  readonly #spoken: Buffer[] = []
  #waiting: Promise<void> = Promise.resolve()

  constructor(options: ModelOptions) {
    super(MEMORY_TLS)
    this.#options = options
    this.onWrite = (octets) => this.#hear(octets)
    this.#answer('greeting', '')
    this.#flush()
    this.#checkCut()
  }

  /** The server has enough: it closes its side. */
  leave(): void {
    this.#end('FIN')
  }

  #hear(octets: Buffer): void {
    this.events++
    if (this.#over) return
    const { cut } = this.#options
    const room = cut?.after === 'heard' ? cut.octets - this.heard : octets.length
    const taken = octets.subarray(0, Math.max(0, room))
    this.heard += taken.length
    this.#pending = Buffer.concat([this.#pending, taken])
    while (this.#step());
    this.#flush()
    this.#checkCut()
  }

  #step(): boolean {
    if (this.#inside === 'chunk') {
      this.#content.push(this.#pending.toString('latin1', 0, this.#left))
      const taken = Math.min(this.#left, this.#pending.length)
      this.#left -= taken
      this.#pending = this.#pending.subarray(taken)
      if (this.#left > 0) return false
      this.#inside = 'command'
      if (this.#isLast) this.#finish('LAST')
      else if (!isPositive(this.#answer('BDAT', ''))) this.#isWhole = false
      return true
    }
    const at = this.#pending.indexOf('\r\n')
    if (at < 0) return false
    const line = this.#pending.toString('latin1', 0, at)
    this.#pending = this.#pending.subarray(at + 2)
    if (this.#inside === 'data') {
      if (line === '.') {
        this.#inside = 'command'
        this.#finish('end')
      } else this.#content.push(`${line.replace(/^\./, '')}\r\n`)
    } else this.#command(line)
    return true
  }

  #command(line: string): void {
    const verb = /^(?:EHLO|HELO|MAIL|RCPT|DATA|BDAT|RSET|QUIT)/.exec(line)?.[0].replace('HELO', 'EHLO') ?? 'other'
    if (verb === 'BDAT') {
      this.#left = Number(line.split(' ')[1])
      this.#isLast = line.endsWith(' LAST')
      this.#inside = 'chunk'
      return
    }
    const status = this.#answer(isQuestion(verb) ? verb : 'other', line)
    const positive = isPositive(status)
    if (verb === 'MAIL' && positive) {
      this.#forget()
      this.#mail = /<(.*)>/.exec(line)?.[1] ?? ''
    } else if (verb === 'RCPT' && positive) this.#paths.push(/<(.*)>/.exec(line)?.[1] ?? '')
    else if (verb === 'RSET') this.#forget()
    else if (verb === 'DATA' && status === 354) this.#inside = 'data'
  }

  #finish(question: 'end' | 'LAST'): void {
    const mark = /end-(\w+)/.exec(this.#content.join(''))?.[1] ?? ''
    const paths = this.#mail !== undefined && this.#isWhole ? this.#paths : []
    const status = this.#answer(question, mark)
    this.taken.push({ mark, paths, status, until: this.#planned, reversePath: this.#mail ?? '' })
    if (question === 'LAST' && this.#options.keeps === true && !isPositive(status)) this.#content = []
    else this.#forget()
  }

  #forget(): void {
    this.#mail = undefined
    this.#paths = []
    this.#content = []
    this.#isWhole = true
  }

  #answer(question: Question, line: string): number | undefined {
    const isNested = question === 'MAIL' && this.#mail !== undefined
    const text = isNested
      ? '503 sender already given\r\n'
      : this.#options.say(question, line, this.#mail !== undefined && this.#isWhole ? this.#paths : [])
    this.#planned += text.length
    this.log.push(`${this.#planned}: ${question} ${line} → ${JSON.stringify(text)}\n`)
    const turns = this.#options.lag?.() ?? 0
    if (turns === 0 && this.said + text.length === this.#planned) this.#speak(text)
    else this.#waiting = this.#waiting.then(() => this.#later(text, turns))
    return oneStatus(text)
  }

  async #later(text: string, turns: number): Promise<void> {
    for (let turn = 0; turn < turns; turn++) await nextTurn()
    this.#speak(text)
    this.#flush()
    this.#checkCut()
  }

  #speak(text: string): void {
    if (this.#over) return
    this.events++
    const { cut } = this.#options
    const room = cut?.after === 'said' ? cut.octets - this.said : text.length
    const octets = Buffer.from(text, 'latin1').subarray(0, Math.max(0, room))
    this.said += octets.length
    this.#spoken.push(octets)
    if (room < text.length) this.#checkCut()
  }

  /** Answers that are given at a time come together. */
  #flush(): void {
    const octets = Buffer.concat(this.#spoken.splice(0))
    if (octets.length === 0) return
    for (const chunk of this.#options.split?.(octets) ?? [octets]) if (chunk.length > 0) this.feed(chunk)
  }

  #checkCut(): void {
    const { cut } = this.#options
    if (cut !== undefined && !this.#over && this[cut.after] >= cut.octets) this.#end(cut.how)
  }

  #end(how: Cut['how']): void {
    if (this.#over) return
    this.#flush()
    this.#over = true
    this.events++
    if (how === 'FIN') this.finish()
    else this.destroy(new MailError('ERR_CLOSED', 'the connection was reset', { phase: 'mail', transient: true }))
  }
}

/** The status of a text that is one reply (RFC 5321 §4.2) and nothing else, in the plainest way. */
export function oneStatus(text: string): number | undefined {
  const lines = text.split(/\r?\n/)
  if (lines.pop() !== '' || lines.length === 0) return undefined
  const status = lines[0]?.slice(0, 3) ?? ''
  const isReply = lines.every(
    (line, at) => /^[2-5]\d\d(?:[- \t]|$)/.test(line) && line.startsWith(status) && (line[3] === '-') === at < lines.length - 1,
  )
  return isReply ? Number(status) : undefined
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

const isPositive = (status: number | undefined): boolean => status !== undefined && status < 300

function isQuestion(verb: string): verb is Question {
  return ['EHLO', 'MAIL', 'RCPT', 'DATA', 'RSET', 'QUIT'].includes(verb)
}
