import { isAscii } from 'node:buffer'
import { CR, CRLF, LF, NUL } from '../bytes.ts'
import { DotStuffer } from '../wire/dots.ts'
import { contentError } from './errors.ts'

/** Octets that are searched, repaired and written at a time, whatever the caller's chunks are. */
export const BLOCK_OCTETS = 64 * 1024
/** Above this many pieces one copy is cheaper than a long list of views. */
const MANY_VIEWS = 16

/**
 * Makes content CRLF only: each lone CR and each lone LF becomes CRLF, so that no server can see a line, or the end of the content, where
 * another sees none (SMTP smuggling, S12). A chunk where nothing changes passes through as a view, one that is repaired is copied once.
 * Chunks may be cut anywhere.
 */
export class LineEnds {
  /** The chunk before ended in CR: whether LF follows is not known yet. */
  #cr = false

  /** Throws `ERR_CONTENT` for a NUL, which mail cannot carry (RFC 5321 §4.5.2, RFC 5322 §4). */
  push(chunk: Buffer): Buffer[] {
    if (chunk.length === 0) return []
    if (chunk.includes(NUL)) throw contentError('the content has a NUL octet, which mail cannot carry; encode it in base64')
    const head = this.#cr ? [CRLF] : []
    let from = this.#cr && chunk[0] === LF ? 1 : 0
    this.#cr = chunk[chunk.length - 1] === CR
    const rest = this.#cr ? chunk.subarray(0, -1) : chunk
    let repaired: Buffer | undefined
    let length = 0
    let cr = rest.indexOf(CR, from)
    let lf = rest.indexOf(LF, from)
    while (cr >= 0 || lf >= 0) {
      if (cr >= 0 && lf === cr + 1) {
        cr = rest.indexOf(CR, lf + 1)
        lf = rest.indexOf(LF, lf + 1)
        continue
      }
      const alone = cr < 0 || (lf >= 0 && lf < cr) ? lf : cr
      repaired ??= Buffer.allocUnsafe(2 * rest.length)
      length += rest.copy(repaired, length, from, alone)
      repaired[length++] = CR
      repaired[length++] = LF
      from = alone + 1
      if (alone === lf) lf = rest.indexOf(LF, from)
      else cr = rest.indexOf(CR, from)
    }
    if (repaired === undefined) return [...head, rest.subarray(from)]
    length += rest.copy(repaired, length, from)
    return [...head, repaired.subarray(0, length)]
  }

  end(): Buffer[] {
    return this.#cr ? [CRLF] : []
  }
}

/** Content as it stands between DATA's 354 and the final reply: CRLF only, dots doubled, the final dot behind it (RFC 5321 §4.5.2). */
export class DataFramer {
  readonly #lines = new LineEnds()
  readonly #dots = new DotStuffer()
  /** A line end that goes out with what follows it: some proxies miss a final dot that is not in one packet with it. */
  #lineEndHeld = false
  #octets = 0

  push(chunk: Buffer): Buffer[] {
    return this.#frame(this.#lines.push(chunk))
  }

  /** The rest, whose last view is the final dot with the line end before it. */
  end(): Buffer[] {
    const views = this.#frame(this.#lines.end())
    const finalDot = this.#dots.end()
    this.#octets += finalDot.length - '.\r\n'.length
    views.push(this.#lineEndHeld ? Buffer.concat([CRLF, finalDot]) : finalDot)
    return views
  }

  /** Octets of the content so far, as the server stores it: its line ends, but not the doubled and the final dots. */
  get octets(): number {
    return this.#octets
  }

  #frame(repaired: Buffer[]): Buffer[] {
    const views: Buffer[] = []
    for (const view of repaired) {
      if (view.length === 0) continue
      this.#octets += view.length
      if (this.#lineEndHeld) views.push(CRLF)
      for (const framed of fewer(this.#dots.push(view))) views.push(framed)
      // LineEnds never splits a CRLF, so it is always whole in the last view.
      this.#lineEndHeld = view.at(-1) === LF
      if (this.#lineEndHeld) views.push((views.pop() ?? CRLF).subarray(0, -CRLF.length))
    }
    return views.filter((view) => view.length > 0)
  }
}

function fewer(views: Buffer[]): Buffer[] {
  return views.length > MANY_VIEWS ? [Buffer.concat(views)] : views
}

/** What can be known of content in memory before it is sent: its size as sent, and whether it is 8-bit. Throws `ERR_CONTENT`. */
export function measure(octets: Buffer): { readonly size: number; readonly eightBit: boolean } {
  const framer = new DataFramer()
  let eightBit = false
  for (const block of blocks(octets)) {
    framer.push(block)
    eightBit ||= !isAscii(block)
  }
  framer.end()
  return { size: framer.octets, eightBit }
}

/** Views of at most `BLOCK_OCTETS`. */
export function* blocks(octets: Buffer): Generator<Buffer, void> {
  for (let at = 0; at < octets.length; at += BLOCK_OCTETS) yield octets.subarray(at, at + BLOCK_OCTETS)
}
