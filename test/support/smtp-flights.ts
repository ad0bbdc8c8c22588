import type { TlsFacts } from '../../src/tls/options.ts'
import { MEMORY_TLS, MemoryTransport } from './memory-transport.ts'

/** A message that the server took, with the envelope it has for it. */
export interface Stored {
  /** The whole MAIL line, and those RCPT lines that were accepted. */ readonly mail: string
  readonly rcpt: readonly string[]
  readonly by: 'DATA' | 'BDAT'
  /** Without the dots of transparency. */ readonly octets: Buffer
}

export interface FlightOptions {
  /** What EHLO offers. @default PIPELINING */ readonly extensions?: readonly string[]
  /** What is said instead of yes: `''` is silence, `undefined` yes. The end of DATA's content is asked as `.`. */
  readonly special?: (line: string, server: SmtpFlightServer) => string | undefined
  /** From a flight to its answers, in milliseconds. @default 0: as soon as the client waits */ readonly linkMs?: number
  /** A refused BDAT keeps its transaction, so that MAIL without RSET is out of order (RFC 3030 §2). @default false */ readonly keeps?: boolean
  readonly tls?: TlsFacts | null
}

/** An SMTP server in memory that answers what came in one flight at once: a flight is a time when it had to wait for the client. It keeps to
 *  the order of RFC 5321 §4.1.4 and of RFC 3030 §2, and what is out of it gets 503; after 421 it closes. */
export class SmtpFlightServer extends MemoryTransport {
  /** Command lines by flight, and `<n octets>` for what is content. */ readonly flights: string[][] = []
  readonly stored: Stored[] = []
  /** Command lines that were out of order. */ readonly disordered: string[] = []
  readonly #options: FlightOptions
  #coming: Buffer[] | undefined
  /** It said 421 or 221, and closes. */ #isGone = false
  #rest = Buffer.alloc(0)
  /** What comes now: a command, content until its final dot, or so many octets of a chunk. */
  #mode: 'command' | 'data' | { left: number; readonly line: string } = 'command'
  #mail: string | undefined
  #rcpt: string[] = []
  #content: Buffer[] = []
  /** Chunks came: only BDAT and RSET may follow. */ #isChunked = false
  /** Nothing is heard until it is false again. */ isDeaf = false

  constructor(options: FlightOptions = {}) {
    super(options.tls === undefined ? MEMORY_TLS : options.tls)
    this.#options = options
    this.onWrite = (octets) => this.#receive(octets)
    this.feed(options.special?.('greeting', this) ?? '220 flights.test\r\n')
  }

  /** All command lines, in order, without what is content. */
  get lines(): string[] {
    return this.flights.flat().filter((line) => !line.startsWith('<'))
  }

  /** Hears and says nothing more, and closes its side after what was said. */
  hangUp(): void {
    this.#isGone = true
    setImmediate(() => this.finish())
  }

  /** How many flights there were since the count was `before`. */
  since(before: number): number {
    return this.flights.length - before
  }

  #receive(octets: Buffer): void {
    if (this.#coming === undefined) {
      const coming: Buffer[] = []
      this.#coming = coming
      const flight: string[] = []
      this.flights.push(flight)
      const arrive = (): void => {
        if (this.isDeaf) return void setImmediate(arrive)
        this.#coming = undefined
        if (this.#isGone) return
        const said = this.#take(Buffer.concat(coming), flight)
        if (said !== '' && !this.destroyed) this.feed(said)
      }
      if ((this.#options.linkMs ?? 0) > 0) setTimeout(arrive, this.#options.linkMs)
      else setImmediate(arrive)
    }
    this.#coming.push(octets)
  }

  #take(octets: Buffer, flight: string[]): string {
    let said = ''
    this.#rest = Buffer.concat([this.#rest, octets])
    for (;;) {
      const before = this.#rest.length
      const answer = this.#step(flight)
      if (answer !== undefined) said += answer
      if (/^(?:421|221)/.test(answer ?? '')) this.hangUp()
      if (this.#isGone) return said
      if (answer === undefined && this.#rest.length === before) return said
    }
  }

  /** One command, or some content; `undefined` when nothing is to be said. */
  #step(flight: string[]): string | undefined {
    if (this.#mode === 'data') return this.#dots(flight)
    if (this.#mode !== 'command') {
      const { left, line } = this.#mode
      const part = this.#rest.subarray(0, left)
      this.#rest = this.#rest.subarray(part.length)
      if (part.length > 0) flight.push(`<${part.length} octets>`)
      this.#content.push(part)
      this.#mode.left -= part.length
      return this.#mode.left === 0 ? this.#chunk(line) : undefined
    }
    const end = this.#rest.indexOf('\r\n')
    if (end < 0) return undefined
    const line = this.#rest.toString('latin1', 0, end)
    this.#rest = this.#rest.subarray(end + 2)
    flight.push(line)
    return this.#command(line)
  }

  #say(line: string, usual: string): string {
    return this.#options.special?.(line, this) ?? usual
  }

  #command(line: string): string | undefined {
    const verb = line.split(' ', 1)[0] ?? ''
    if (verb === 'EHLO') {
      const lines = ['flights.test', ...(this.#options.extensions ?? ['PIPELINING'])]
      return this.#say(line, lines.map((one, at) => `250${at === lines.length - 1 ? ' ' : '-'}${one}\r\n`).join(''))
    }
    if (verb === 'RSET') {
      this.#clear()
      return this.#say(line, '250 forgotten\r\n')
    }
    if (verb === 'BDAT') {
      this.#mode = { left: Number(line.split(' ')[1]), line }
      return this.#mode.left === 0 ? this.#chunk(line) : undefined
    }
    const isInOrder = !this.#isChunked && (verb === 'MAIL' ? this.#mail === undefined : verb === 'RCPT' ? this.#mail !== undefined : true)
    if (!isInOrder) return this.#disorder(line)
    if (verb === 'DATA' && this.#rcpt.length === 0) {
      const said = this.#options.special?.(line, this)
      if (said === undefined) return this.#disorder(line)
      this.#mode = said.startsWith('354') ? 'data' : 'command'
      return said
    }
    const said = this.#say(line, verb === 'DATA' ? '354 go on\r\n' : verb === 'QUIT' ? '221 bye\r\n' : '250 ok\r\n')
    if (verb === 'DATA' && said.startsWith('354')) this.#mode = 'data'
    if (verb === 'MAIL' && said.startsWith('2')) this.#mail = line
    if (verb === 'RCPT' && said.startsWith('2')) this.#rcpt.push(line)
    return said
  }

  #disorder(line: string): string {
    this.disordered.push(line)
    return '503 5.5.1 out of order\r\n'
  }

  /** All octets of a chunk have come. */
  #chunk(line: string): string {
    this.#mode = 'command'
    const isLast = line.endsWith(' LAST')
    if (this.#rcpt.length === 0) {
      this.#content = []
      return this.#options.special?.(line, this) ?? this.#disorder(line)
    }
    this.#isChunked = true
    const said = this.#say(line, '250 2.0.0 octets taken\r\n')
    if (said.startsWith('2') && !isLast) return said
    if (said.startsWith('2')) this.#store('BDAT', Buffer.concat(this.#content))
    if (said.startsWith('2') || this.#options.keeps !== true) this.#clear()
    return said
  }

  #dots(flight: string[]): string | undefined {
    const isEmpty = this.#content.length === 0 && this.#rest.subarray(0, 3).equals(Buffer.from('.\r\n'))
    const at = isEmpty ? 0 : this.#rest.indexOf('\r\n.\r\n')
    if (at < 0) return undefined // content without its end waits in whole
    const content = isEmpty ? Buffer.alloc(0) : this.#rest.subarray(0, at + 2)
    this.#rest = this.#rest.subarray(at + (isEmpty ? 3 : 5))
    this.#mode = 'command'
    flight.push(`<${content.length} octets>`)
    const said = this.#say('.', '250 2.0.0 taken\r\n')
    if (said.startsWith('2')) this.#store('DATA', Buffer.from(content.toString('latin1').replaceAll(/(^|\r\n)\./g, '$1'), 'latin1'))
    this.#clear()
    return said
  }

  #store(by: Stored['by'], octets: Buffer): void {
    this.stored.push({ mail: this.#mail ?? '', rcpt: this.#rcpt, by, octets: Buffer.from(octets) })
  }

  #clear(): void {
    this.#mail = undefined
    this.#rcpt = []
    this.#content = []
    this.#isChunked = false
  }
}
