import { LF, CR } from '../bytes.ts'
import { parseMessage, type Header } from '../mime/index.ts'

/** The octets of one message, once: as chunks of one's own, or as views that are valid until the next. */
export interface MessageSource extends AsyncIterable<Buffer> {
  views(): AsyncIterable<Uint8Array>
}

/** Chunks that are in memory. */
export function memorySource(chunks: readonly Buffer[]): MessageSource {
  const iterable = {
    async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
      yield* chunks
    },
  }
  return { ...iterable, views: () => iterable }
}

/** Chunks that nobody else uses. */
export function ownedSource(chunks: AsyncIterable<Buffer>): MessageSource {
  return { [Symbol.asyncIterator]: () => chunks[Symbol.asyncIterator](), views: () => chunks }
}

/**
 * Octets of a message on their way to who reads them. Who leaves early does not end the source: `drain` reads the rest, so that the connection
 * can carry another command, and `ended` tells whether all of it came.
 */
export class Tap<T extends Uint8Array> implements AsyncIterable<T> {
  readonly #source: AsyncIterator<T>
  #ended = false
  #failed = false

  constructor(source: AsyncIterable<T>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  get ended(): boolean {
    return this.#ended
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return { next: () => this.next(), return: () => Promise.resolve({ done: true, value: undefined }) }
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#ended || this.#failed) return { done: true, value: undefined }
    try {
      const result = await this.#source.next()
      if (result.done !== true) return result
      this.#ended = true
      return { done: true, value: undefined }
    } catch (error) {
      this.#failed = true
      throw error
    }
  }

  async drain(): Promise<void> {
    while ((await this.next()).done !== true);
  }
}

/** Reads whole chunks until there are this many octets, or all. */
export async function readUpTo(tap: Tap<Buffer>, octets: number): Promise<Buffer[]> {
  const chunks: Buffer[] = []
  let count = 0
  while (count <= octets) {
    const { done, value } = await tap.next()
    if (done === true) break
    chunks.push(value)
    count += value.length
  }
  return chunks
}

/** First these chunks, then the rest. */
export async function* joined(chunks: readonly Buffer[], rest: AsyncIterable<Buffer> | readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks
  yield* rest
}

/** The header section of a message, and then all of its octets from the first. */
export async function peekHeader(octets: AsyncIterable<Uint8Array>): Promise<{ readonly header: Header; readonly content: AsyncIterable<Buffer> }> {
  const rest = octets[Symbol.asyncIterator]()
  const held: Buffer[] = []
  const end = new HeaderEnd()
  let count = 0
  while (!end.seen && count < MAX_HEADER_OCTETS) {
    const { done, value } = await rest.next()
    if (done === true) break
    const chunk = Buffer.isBuffer(value) ? value : Buffer.from(value)
    held.push(chunk)
    count += chunk.length
    end.push(chunk)
  }
  return {
    header: parseMessage(Buffer.concat(held)).header,
    content: {
      async *[Symbol.asyncIterator]() {
        yield* held.splice(0)
        for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
          yield Buffer.isBuffer(next.value) ? next.value : Buffer.from(next.value)
        }
      },
    },
  }
}

/** As much as the parser takes for one header section. */
const MAX_HEADER_OCTETS = 2 * 1024 * 1024

/** Finds the empty line after a header section (RFC 5322 §2.1). */
class HeaderEnd {
  seen = false
  #lineOctets = 0
  #last = 0

  push(chunk: Buffer): void {
    for (const octet of chunk) {
      if (octet === LF) {
        if (this.#lineOctets === 0 || (this.#lineOctets === 1 && this.#last === CR)) {
          this.seen = true
          return
        }
        this.#lineOctets = 0
      } else {
        this.#lineOctets += 1
        this.#last = octet
      }
    }
  }
}
