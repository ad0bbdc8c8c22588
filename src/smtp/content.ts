import { isAscii } from 'node:buffer'
import { CR, CRLF, LF, NUL } from '../bytes.ts'
import { MailError } from '../errors.ts'
import { DotStuffer } from '../wire/dots.ts'
import { contentError } from './errors.ts'

/** Octets that are searched, repaired and written at a time, whatever the caller's chunks are; and those of one BDAT. */
export const BLOCK_OCTETS = 64 * 1024
const MANY_VIEWS = 16 // above this many pieces one copy is cheaper than a long list of views
const FINAL_DOT_OCTETS = 3

/** How the content of one message goes out. */
export interface Framing {
  /** By BDAT (RFC 3030), which needs neither dots nor a final one. */ readonly chunks: boolean
  /** Octets rather than lines (BINARYMIME): nothing is looked at or changed. */ readonly binary: boolean
  /** Octets above 127 may be in it. */ readonly eightBit: boolean
  /** Nothing may be changed: what would be repaired is refused. */ readonly verify: boolean
  readonly maxLineOctets: number
  /** More is `ERR_LIMIT` before it leaves. By BDAT what the server announced: Exim 4.96 reads the rest of a chunk that crosses its limit as commands (S12). */
  readonly maxOctets: number
}

/** Content as it stands between DATA's 354, or BDAT, and the final reply (RFC 5321 §4.5.2): each lone CR and each lone LF becomes CRLF, so that no
 *  server can see a line, or the end of the content, where another sees none (SMTP smuggling, S12); for DATA, dots are doubled and the final dot
 *  stands behind it. Chunks may be cut anywhere. One where nothing changes passes through as views, one that is repaired is copied once. */
export class ContentFramer {
  readonly #framing: Framing
  readonly #dots = new DotStuffer()
  /** The line end with which the content so far ends. It goes out with what follows: after CR an LF would belong to it, and some proxies miss a
   *  final dot that is not in one packet with the line end before it (quirk 27). */
  #held: 'none' | 'CR' | 'whole' = 'none'
  /** Octets of the line that has not ended. */ #line = 0
  /** Of the content so far, as the server stores it: its line ends, but not the doubled and the final dots. */ octets = 0

  constructor(framing: Framing) {
    this.#framing = framing
  }

  /** Throws `ERR_CONTENT` for what no server can be given: a NUL (RFC 5321 §4.5.2, RFC 5322 §4), a line too long (§4.5.3.1.6), octets above 127 where
   *  they may not be, and with `verify` a lone CR or LF. */
  push(chunk: Buffer): Buffer[] {
    if (this.#framing.binary) return this.#framed(chunk)
    if (chunk.includes(NUL)) throw contentError('the content has a NUL octet, which mail cannot carry; encode it in base64')
    if (!this.#framing.eightBit && !isAscii(chunk)) {
      throw contentError('the content has 8-bit octets, and they were not announced, or the server does not offer 8BITMIME; encode them')
    }
    const from = this.#held === 'CR' && chunk[0] === LF ? 1 : 0
    if (from === 1) this.#held = 'whole'
    if (from === chunk.length) return []
    if (this.#held === 'CR') this.#altered()
    const views = this.#held === 'none' ? [] : this.#framed(CRLF)
    if (this.#held !== 'none') this.#line = 0
    const last = chunk[chunk.length - 1]
    let to = chunk.length
    if (last === LF || last === CR) to--
    if (last === LF && to > from && chunk[to - 1] === CR) to--
    else if (last === LF) this.#altered()
    this.#held = last === LF ? 'whole' : last === CR ? 'CR' : 'none'
    if (to > from) views.push(...this.#framed(this.#repaired(chunk.subarray(from, to))))
    return views
  }

  /** The rest, in one view: the line end that was held or that the last line lacks, and for DATA the final dot. Throws as `push`. */
  end(): Buffer[] {
    const { binary, chunks } = this.#framing
    if (this.#held === 'CR' || (this.#held === 'none' && this.octets > 0 && !binary)) this.#altered()
    const isOpen = this.#held !== 'none' || (chunks && this.octets > 0 && !binary)
    const lineEnd = isOpen ? this.#framed(CRLF) : []
    if (chunks) return lineEnd
    const finalDot = this.#dots.end()
    this.octets += finalDot.length - FINAL_DOT_OCTETS
    return [lineEnd.length === 0 ? finalDot : Buffer.concat([...lineEnd, finalDot])]
  }

  #framed(view: Buffer): Buffer[] {
    this.octets += view.length
    const { maxOctets } = this.#framing
    if (this.octets > maxOctets)
      throw new MailError('ERR_LIMIT', `the content has more than the ${maxOctets} octets that the server takes`, { phase: 'content' })
    if (this.#framing.chunks) return [view]
    const views = this.#dots.push(view)
    return views.length > MANY_VIEWS ? [Buffer.concat(views)] : views
  }

  #altered(): void {
    if (this.#framing.verify) throw contentError("a line of the content does not end in CRLF, and lineEnds 'verify' forbids to repair that")
  }

  /** The octets with each lone CR and each lone LF as CRLF: the same view when there are none. */
  #repaired(octets: Buffer): Buffer {
    let copy: Buffer | undefined
    let length = 0
    let from = 0
    let start = -this.#line
    let cr = octets.indexOf(CR)
    let lf = octets.indexOf(LF)
    while (cr >= 0 || lf >= 0) {
      const at = cr < 0 || (lf >= 0 && lf < cr) ? lf : cr
      const isPair = at === cr && lf === cr + 1
      this.#measure(at - start)
      if (!isPair) {
        this.#altered()
        copy ??= Buffer.allocUnsafe(2 * octets.length)
        length += octets.copy(copy, length, from, at)
        length += CRLF.copy(copy, length)
        from = at + 1
      }
      start = isPair ? at + 2 : at + 1
      if (isPair || at === cr) cr = octets.indexOf(CR, start)
      if (isPair || at === lf) lf = octets.indexOf(LF, start)
    }
    this.#line = octets.length - start
    this.#measure(this.#line)
    if (copy === undefined) return octets
    length += octets.copy(copy, length, from)
    return copy.subarray(0, length)
  }

  #measure(line: number): void {
    const { maxLineOctets } = this.#framing
    if (line <= maxLineOctets) return
    throw contentError(`the content has a line of more than ${maxLineOctets} octets; encode it, or raise maxLineOctets if the server takes it`)
  }
}

/** The size of content in memory as it will be sent. Throws `ERR_CONTENT`, before any harm is done. */
export function measure(octets: Buffer, framing: Framing): number {
  const framer = new ContentFramer(framing)
  try {
    for (const block of blocks(octets)) framer.push(block)
    framer.end()
  } catch (error) {
    throw error instanceof MailError ? new MailError(error.code, error.message, { phase: error.phase, reusable: true }) : error
  }
  return framer.octets
}

export function* blocks(octets: Buffer): Generator<Buffer, void> {
  for (let at = 0; at < octets.length; at += BLOCK_OCTETS) yield octets.subarray(at, at + BLOCK_OCTETS)
}

/** Octets that wait to leave together. */
export class Gathering {
  #views: Buffer[] = []
  octets = 0

  /** How many there are then. */
  add(views: readonly Buffer[]): number {
    for (const view of views) {
      this.#views.push(view)
      this.octets += view.length
    }
    return this.octets
  }

  take(): Buffer[] {
    const views = this.#views
    this.#views = []
    this.octets = 0
    return views
  }
}

/** What leaves over one connection: gathered into blocks, and written at once when nothing more comes, so that neither a source of many small
 *  chunks nor a slow one costs what it need not. */
export class Outflow {
  /** What was written has gone far enough for more. */ settled: Promise<void> = Promise.resolve()
  readonly #write: (views: readonly Buffer[]) => Promise<void>
  readonly #held = new Gathering()
  #waiting: NodeJS.Immediate | undefined

  constructor(write: (views: readonly Buffer[]) => Promise<void>) {
    this.#write = write
  }

  /** What is not written by then leaves at the next turn of the event loop, which comes when the source makes us wait. */
  add(views: readonly Buffer[]): void {
    if (this.#held.add(views) >= BLOCK_OCTETS) this.flush()
    else this.#waiting ??= setImmediate(() => this.flush())
  }

  flush(): void {
    clearImmediate(this.#waiting)
    this.#waiting = undefined
    if (this.#held.octets > 0) this.settled = this.#write(this.#held.take())
  }
}
