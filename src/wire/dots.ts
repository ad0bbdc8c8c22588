import { CR, DOT, LF } from '../bytes.ts'

const LF_DOT = Buffer.from('\n.')
const ONE_DOT = Buffer.from('.')
const ONE_CR = Buffer.from('\r')
const FINAL_DOT = Buffer.from('.\r\n')
const CRLF_FINAL_DOT = Buffer.from('\r\n.\r\n')

/** Takes out the dots that transparency put in and finds the end (RFC 1939 §3, RFC 5321 §4.5.2). Searches for the next dot line with the
 *  native needle; `PlainDotUnstuffer` says the same octet by octet and is what the tests compare it with. */
export class DotUnstuffer {
  #state: 'line start' | 'dot' | 'dot CR' | 'inside' = 'line start'
  #rest: Buffer | undefined

  /** Views of the content in `chunk`. Once the final dot was seen, `rest` holds what came after it. */
  push(chunk: Buffer): Buffer[] {
    const views: Buffer[] = []
    let from = 0
    let at = 0
    while (at < chunk.length) {
      switch (this.#state) {
        case 'inside': {
          const hit = chunk.indexOf(LF_DOT, at)
          at = hit < 0 ? chunk.length : hit + 1
          if (hit >= 0 || chunk[at - 1] === LF) this.#state = 'line start'
          break
        }
        case 'line start':
          if (chunk[at] === DOT) {
            if (at > from) views.push(chunk.subarray(from, at))
            from = ++at
            this.#state = 'dot'
          } else this.#state = 'inside'
          break
        case 'dot':
        case 'dot CR':
          if (chunk[at] === LF) {
            this.#rest = chunk.subarray(at + 1)
            return views
          }
          if (this.#state === 'dot CR' && at === 0) views.push(ONE_CR) // held back from the chunk before
          if (chunk[at] === CR && this.#state === 'dot') {
            this.#state = 'dot CR'
            at++
          } else this.#state = 'inside'
          break
      }
    }
    const to = this.#state === 'dot CR' ? chunk.length - 1 : chunk.length
    if (to > from) views.push(chunk.subarray(from, to))
    return views
  }

  /** Octets after the final dot line, or `undefined` while it has not come. */
  get rest(): Buffer | undefined {
    return this.#rest
  }
}

/** Puts a dot before each line that begins with one (RFC 5321 §4.5.2). Takes content whose line ends are all CRLF, cut anywhere. */
export class DotStuffer {
  #lineStart = true

  /** Views of `chunk` with the dots between them. */
  push(chunk: Buffer): Buffer[] {
    if (chunk.length === 0) return []
    const views: Buffer[] = []
    if (this.#lineStart && chunk[0] === DOT) views.push(ONE_DOT)
    let from = 0
    for (let hit = chunk.indexOf(LF_DOT); hit >= 0; hit = chunk.indexOf(LF_DOT, hit + 1)) {
      views.push(chunk.subarray(from, hit + 1), ONE_DOT)
      from = hit + 1
    }
    views.push(chunk.subarray(from))
    this.#lineStart = chunk[chunk.length - 1] === LF
    return views
  }

  /** The end of the content: the line end that its last line lacks, and the final dot, in one piece (some proxies lose a dot that is split). */
  end(): Buffer {
    return this.#lineStart ? FINAL_DOT : CRLF_FINAL_DOT
  }
}
