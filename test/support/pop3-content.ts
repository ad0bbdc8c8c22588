import type { Connection } from './connection.ts'
import type { MessageSource } from './maildrop.ts'

const LF = 10
const CR = 13
const DOT = 46
const ONE_DOT = Buffer.of(DOT)

/**
 * The octets of a message, dots doubled at line starts, then the final dot (RFC 1939 §3); after the header section at most `lines` lines
 * (TOP). Gives what `hook` gave, which ends the content there.
 */
export async function serveMessage<F>(
  source: MessageSource,
  lines: number,
  connection: Connection,
  hook?: (sent: number) => F | undefined,
): Promise<F | undefined> {
  let sent = 0
  let lineStart = true
  let endsInCrlf = true
  const counter = new LineCounter(lines)
  for await (const whole of source.open()) {
    const chunk = counter.take(whole)
    for (const view of doubleDots(chunk, lineStart)) {
      if (!(await connection.write(view))) return undefined
      sent += view.length
      const fault = hook?.(sent)
      if (fault !== undefined) return fault
    }
    if (chunk.length > 0) {
      lineStart = chunk.at(-1) === LF
      endsInCrlf = lineStart && (chunk.length < 2 || chunk.at(-2) === CR)
    }
    if (counter.done) break
  }
  await connection.write(endsInCrlf ? '.\r\n' : '\r\n.\r\n')
  return undefined
}

function* doubleDots(chunk: Uint8Array, lineStart: boolean): Generator<Uint8Array> {
  let from = 0
  if (lineStart && chunk[0] === DOT) yield ONE_DOT
  for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1)) {
    if (chunk[at + 1] !== DOT) continue
    yield chunk.subarray(from, at + 1)
    yield ONE_DOT
    from = at + 1
  }
  if (from < chunk.length) yield chunk.subarray(from)
}

/** Cuts after so many lines of the body. */
class LineCounter {
  #left: number
  #inHeader = true
  #lineOctets = 0
  done = false

  constructor(lines: number) {
    this.#left = lines
  }

  take(chunk: Uint8Array): Uint8Array {
    if (this.#left === Number.POSITIVE_INFINITY) return chunk
    for (const [at, octet] of chunk.entries()) {
      if (octet !== LF) {
        if (octet !== CR) this.#lineOctets++
        continue
      }
      if (this.#inHeader) this.#inHeader = this.#lineOctets > 0
      else this.#left--
      this.#lineOctets = 0
      if (this.#inHeader || this.#left > 0) continue
      this.done = true
      return chunk.subarray(0, at + 1)
    }
    return chunk
  }
}
