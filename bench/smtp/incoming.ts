// What an SMTP server must do with what it is sent, and no more: one connection, without I/O. It really reads the content, so that who sends wrong
// octets is found out: dots are taken out of DATA up to the final one (RFC 5321 §4.5.2), BDAT is counted (RFC 3030).

const CR = 13
const LF = 10
const DOT_LINE = Buffer.from('\r\n.')
const LINE_END_OCTETS = 2

const OK = '250 2.0.0 ok\r\n'
const KEYWORDS = ['PIPELINING', 'SIZE 2000000000', '8BITMIME', 'SMTPUTF8', 'CHUNKING', 'BINARYMIME', 'AUTH PLAIN', 'ENHANCEDSTATUSCODES']
const REPLIES: Readonly<Record<string, string>> = {
  EHLO: `250-sink\r\n${KEYWORDS.map((keyword, at) => `250${at < KEYWORDS.length - 1 ? '-' : ' '}${keyword}\r\n`).join('')}`,
  MAIL: '250 2.1.0 ok\r\n',
  RCPT: '250 2.1.5 ok\r\n',
  DATA: '354 go on\r\n',
  AUTH: '235 2.7.0 ok\r\n',
  QUIT: '221 2.0.0 bye\r\n',
}

export class Incoming {
  /** Set by QUIT. */ hasEnded = false
  readonly #keep: (view: Buffer) => Buffer
  readonly #deliver: (content: readonly Buffer[]) => void
  #state: 'command' | 'data' | 'chunk' = 'command'
  /** Octets that cannot be decided before more have come. */ #held: Buffer | undefined
  /** So many octets before the content stand for the line end before its first line. */ #skip = 0
  #content: Buffer[] = []
  #chunk = { left: 0, isLast: false }

  /** @param keep gives a copy that lives on */
  constructor(keep: (view: Buffer) => Buffer, deliver: (content: readonly Buffer[]) => void) {
    this.#keep = keep
    this.#deliver = deliver
  }

  /** Takes what came and gives the replies to it. */
  receive(chunk: Buffer): string {
    const octets = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk])
    this.#held = undefined
    let replies = ''
    for (let at = 0; at < octets.length;) {
      const before = this.#state
      if (before === 'command') {
        const end = octets.indexOf(LF, at)
        if (end < 0) {
          this.#held = octets.subarray(at)
          break
        }
        replies += this.#command(octets.toString('latin1', at, end).trimEnd())
        at = end + 1 - this.#skip
      } else at = before === 'data' ? this.#data(octets, at) : this.#bdat(octets, at)
      if (before !== 'command' && this.#state === 'command') replies += OK
    }
    return replies
  }

  #command(line: string): string {
    const verb = line.slice(0, 4).toUpperCase()
    if (verb === 'BDAT') return this.#beginChunk(line)
    if (verb === 'DATA') {
      this.#state = 'data'
      this.#skip = LINE_END_OCTETS
    } else if (verb === 'RSET') this.#content = []
    else if (verb === 'QUIT') this.hasEnded = true
    return REPLIES[verb] ?? OK
  }

  #beginChunk(line: string): string {
    const [, octets, last] = line.split(' ')
    this.#chunk = { left: Number(octets), isLast: last !== undefined }
    if (this.#chunk.left > 0) {
      this.#state = 'chunk'
      return ''
    }
    this.#endChunk()
    return OK
  }

  #bdat(octets: Buffer, from: number): number {
    const to = Math.min(octets.length, from + this.#chunk.left)
    this.#add(octets, from, to)
    this.#chunk.left -= to - from
    if (this.#chunk.left === 0) this.#endChunk()
    return to
  }

  #endChunk(): void {
    this.#state = 'command'
    if (this.#chunk.isLast) this.#end()
  }

  /** Content from there on. Gives the position behind the final dot, or behind all that came. */
  #data(octets: Buffer, at: number): number {
    let from = at + this.#skip
    let search = at
    let undecided = octets.length
    for (;;) {
      const hit = octets.indexOf(DOT_LINE, search)
      if (hit < 0) {
        if (octets[octets.length - 1] === CR) undecided -= 1
        else if (octets[octets.length - 1] === LF) undecided -= LINE_END_OCTETS
        break
      }
      const afterDot = hit + DOT_LINE.length
      if (octets[afterDot] === CR && octets[afterDot + 1] === LF) {
        this.#add(octets, from, hit + LINE_END_OCTETS)
        this.#skip = 0
        this.#state = 'command'
        this.#end()
        return afterDot + LINE_END_OCTETS
      }
      if (afterDot + 1 >= octets.length) {
        undecided = hit
        break
      }
      this.#add(octets, from, hit + LINE_END_OCTETS)
      from = search = afterDot
    }
    undecided = Math.max(undecided, at)
    this.#add(octets, from, undecided)
    this.#skip = Math.max(0, from - undecided)
    if (undecided < octets.length) this.#held = octets.subarray(undecided)
    return octets.length
  }

  #add(octets: Buffer, from: number, to: number): void {
    if (to > from) this.#content.push(this.#keep(octets.subarray(from, to)))
  }

  #end(): void {
    this.#deliver(this.#content)
    this.#content = []
  }
}
