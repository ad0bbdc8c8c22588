import { isAscii } from 'node:buffer'
import { CR, CRLF, LF, NUL } from '../bytes.ts'
import { DotStuffer } from '../wire/dots.ts'
import { contentError } from './errors.ts'

/** Octets that are searched, repaired and written at a time, whatever the caller's chunks are. */
export const BLOCK_OCTETS = 64 * 1024
const MANY_VIEWS = 16 // above this many pieces one copy is cheaper than a long list of views
const FINAL_DOT_OCTETS = 3

/** Content as it stands between DATA's 354 and the final reply (RFC 5321 §4.5.2): each lone CR and each lone LF becomes CRLF, so that no server
 *  can see a line, or the end of the content, where another sees none (SMTP smuggling, S12); dots are doubled; the final dot stands behind it.
 *  Chunks may be cut anywhere. One where nothing changes passes through as views, one that is repaired is copied once. */
export class DataFramer {
  readonly #dots = new DotStuffer()
  /** The line end with which the content so far ends. It goes out with what follows: after CR an LF would belong to it, and some proxies miss a
   *  final dot that is not in one packet with the line end before it (quirk 27). */
  #held: 'none' | 'CR' | 'whole' = 'none'
  /** Of the content so far, as the server stores it: its line ends, but not the doubled and the final dots. */ octets = 0

  /** Throws `ERR_CONTENT` for a NUL, which mail cannot carry (RFC 5321 §4.5.2, RFC 5322 §4). */
  push(chunk: Buffer): Buffer[] {
    if (chunk.includes(NUL)) throw contentError('the content has a NUL octet, which mail cannot carry; encode it in base64')
    const from = this.#held === 'CR' && chunk[0] === LF ? 1 : 0
    if (from === 1) this.#held = 'whole'
    if (from === chunk.length) return []
    const views = this.#held === 'none' ? [] : this.#stuffed(CRLF)
    const last = chunk[chunk.length - 1]
    let to = chunk.length
    if (last === LF || last === CR) to--
    if (last === LF && to > from && chunk[to - 1] === CR) to--
    this.#held = last === LF ? 'whole' : last === CR ? 'CR' : 'none'
    if (to > from) views.push(...this.#stuffed(repaired(chunk.subarray(from, to))))
    return views
  }

  /** The rest, in one view: the line end that was held or that the last line lacks, and the final dot. */
  end(): Buffer[] {
    const lineEnd = this.#held === 'none' ? [] : this.#stuffed(CRLF)
    const finalDot = this.#dots.end()
    this.octets += finalDot.length - FINAL_DOT_OCTETS
    return [lineEnd.length === 0 ? finalDot : Buffer.concat([...lineEnd, finalDot])]
  }

  #stuffed(view: Buffer): Buffer[] {
    this.octets += view.length
    const views = this.#dots.push(view)
    return views.length > MANY_VIEWS ? [Buffer.concat(views)] : views
  }
}

/** The octets with each lone CR and each lone LF as CRLF: the same view when there are none. */
function repaired(octets: Buffer): Buffer {
  let copy: Buffer | undefined
  let length = 0
  let from = 0
  let cr = octets.indexOf(CR)
  let lf = octets.indexOf(LF)
  while (cr >= 0 || lf >= 0) {
    if (cr >= 0 && lf === cr + 1) {
      cr = octets.indexOf(CR, lf + 1)
      lf = octets.indexOf(LF, lf + 1)
      continue
    }
    const alone = cr < 0 || (lf >= 0 && lf < cr) ? lf : cr
    copy ??= Buffer.allocUnsafe(2 * octets.length)
    length += octets.copy(copy, length, from, alone)
    length += CRLF.copy(copy, length)
    from = alone + 1
    if (alone === lf) lf = octets.indexOf(LF, from)
    else cr = octets.indexOf(CR, from)
  }
  if (copy === undefined) return octets
  length += octets.copy(copy, length, from)
  return copy.subarray(0, length)
}

/** The size of content in memory as it will be sent, and whether it is 8-bit. Throws `ERR_CONTENT`. */
export function measure(octets: Buffer): { readonly size: number; readonly eightBit: boolean } {
  const framer = new DataFramer()
  for (const block of blocks(octets)) framer.push(block)
  framer.end()
  return { size: framer.octets, eightBit: !isAscii(octets) }
}

export function* blocks(octets: Buffer): Generator<Buffer, void> {
  for (let at = 0; at < octets.length; at += BLOCK_OCTETS) yield octets.subarray(at, at + BLOCK_OCTETS)
}

/** Content on its way out: gathered into blocks, and written at once when the source makes us wait, so that neither a source of many small
 *  chunks nor a slow one costs what it need not. */
export class Outflow {
  /** What was written has gone far enough for more. */ settled: Promise<void> = Promise.resolve()
  readonly #write: (views: readonly Buffer[]) => Promise<void>
  #held: Buffer[] = []
  #heldOctets = 0
  #waiting: NodeJS.Immediate | undefined

  constructor(write: (views: readonly Buffer[]) => Promise<void>) {
    this.#write = write
  }

  /** What is not written by then leaves at the next turn of the event loop, which comes when the source makes us wait. */
  add(views: readonly Buffer[]): void {
    for (const view of views) {
      this.#held.push(view)
      this.#heldOctets += view.length
    }
    if (this.#heldOctets >= BLOCK_OCTETS) this.flush()
    else this.#waiting ??= setImmediate(() => this.flush())
  }

  flush(): void {
    clearImmediate(this.#waiting)
    this.#waiting = undefined
    const views = this.#held
    if (views.length === 0) return
    this.#held = []
    this.#heldOctets = 0
    this.settled = this.#write(views)
  }
}
