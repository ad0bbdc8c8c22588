import { asBuffer } from '../bytes.ts'
import { readMessage, type Header } from '../mime/index.ts'

/** The octets of one message, once: as chunks of one's own, or as views that are valid until the next. */
export interface MessageSource extends AsyncIterable<Buffer> {
  views(): AsyncIterable<Uint8Array>
}

/** Chunks that nobody else uses. */
export function ownedSource(chunks: AsyncIterable<Buffer>): MessageSource {
  return { [Symbol.asyncIterator]: () => chunks[Symbol.asyncIterator](), views: () => chunks }
}

/**
 * Octets on their way to who reads them. Who leaves early does not end the source: `drain` reads the rest, so that all of it has come and the
 * connection can carry another command.
 */
export class Tap<T extends Uint8Array> implements AsyncIterable<T> {
  readonly #source: AsyncIterator<T>
  #ended = false
  #failure: { readonly error: unknown } | undefined

  constructor(source: AsyncIterable<T>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** All of it has come. */
  get ended(): boolean {
    return this.#ended
  }

  /** The source failed, and with this. Every later `next` does. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return { next: () => this.next(), return: () => Promise.resolve({ done: true, value: undefined }) }
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#failure !== undefined) throw this.#failure.error
    if (this.#ended) return { done: true, value: undefined }
    try {
      const result = await this.#source.next()
      if (result.done !== true) return result
      this.#ended = true
      return { done: true, value: undefined }
    } catch (error) {
      this.#failure = { error }
      throw error
    }
  }

  async drain(): Promise<void> {
    while ((await this.next()).done !== true);
  }
}

/** Reads whole chunks until there are more than this many octets, or all. */
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
export async function* joined(chunks: readonly Buffer[], rest: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  yield* chunks
  for await (const chunk of rest) yield asBuffer(chunk)
}

/** The header section of a message, and then all of its octets from the first. */
export async function peekHeader(octets: AsyncIterable<Uint8Array>): Promise<{ readonly header: Header; readonly content: AsyncIterable<Buffer> }> {
  const rest = octets[Symbol.asyncIterator]()
  const held: Buffer[] = []
  async function* head(): AsyncGenerator<Buffer> {
    for (let count = 0; count < MAX_HEADER_OCTETS;) {
      const { done, value } = await rest.next()
      if (done === true) return
      const chunk = asBuffer(value)
      held.push(chunk)
      count += chunk.length
      yield chunk
    }
  }
  const { header } = await readMessage(head())
  return { header, content: joined(held, { [Symbol.asyncIterator]: () => rest }) }
}

const MAX_HEADER_OCTETS = 2 * 1024 * 1024 // as much as the parser takes for one header section
