import { asBuffer } from '../bytes.ts'
import { MailError } from '../errors.ts'
import { readMessage, type Header } from '../mime/index.ts'
import { onAbort } from '../abort.ts'

/** Octets on their way to who reads them. Who leaves early does not end the source: `drain` reads the rest, so that all of it has come and the
 *  connection can carry another command. */
export class Tap<T extends Uint8Array> implements AsyncIterable<T> {
  readonly #source: AsyncIterator<T>
  /** All of it has come. */ ended = false
  /** The source failed, and with this. Every later `next` does. */ failure: { readonly error: unknown } | undefined

  constructor(source: AsyncIterable<T>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return { next: () => this.next(), return: () => Promise.resolve(END) }
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.failure !== undefined) throw this.failure.error
    if (this.ended) return END
    try {
      const result: IteratorResult<T> = await this.#source.next()
      this.ended = result.done === true
      return result.done === true ? END : result
    } catch (error) {
      this.failure = { error }
      throw error
    }
  }

  async drain(): Promise<void> {
    while ((await this.next()).done !== true);
  }
}

const END = { done: true, value: undefined } as const

/** The content of a document while it is handed over: read once, piece by piece, and only until the handler has ended or `ending` is aborted.
 *  What the handler left is drained, since a document counts as accepted only when all its octets have come. */
export function openGate(tap: Tap<Buffer>, ending: AbortSignal) {
  let isTaken = false
  let closed: { readonly reason: unknown } | undefined
  let pulling: Promise<unknown> = Promise.resolve()
  let leave: ((reason: unknown) => void) | undefined
  const shut = (reason: unknown): void => {
    closed ??= { reason }
    leave?.(reason)
  }
  const forget = onAbort(ending, shut)
  /** One read at a time. One that waits for the source ends when the gate is closed, while the source goes on. No `orAbort`: who waits on a signal
   *  that lives on takes each chunk with it to where it is collected late. */
  const next = (): Promise<IteratorResult<Buffer, undefined>> =>
    new Promise((resolve, reject) => {
      const pull = pulling.then(() => {
        if (closed !== undefined) throw closed.reason
        leave = reject
        return tap.next()
      })
      pulling = pull.catch(() => undefined)
      pull.then(resolve, reject)
    })
  const content: AsyncIterable<Buffer> = {
    [Symbol.asyncIterator]() {
      if (isTaken) throw contentError('the content of a document can be read once')
      isTaken = true
      return { next, return: () => Promise.resolve(END) }
    },
  }
  /** For when the handler has ended. Resolves when the source is free for `drain`. */
  const close = (): Promise<unknown> => {
    forget()
    shut(contentError('the content of a document cannot be read after its handler has ended'))
    return pulling
  }
  return { content, close }
}

const contentError = (message: string): MailError => new MailError('ERR_CONTENT', message, { phase: 'document', reusable: true })

/** All octets from the first, when more than this many are here, or all. */
export async function holdUpTo(tap: Tap<Buffer>, octets: number): Promise<AsyncIterable<Buffer>> {
  const held: Buffer[] = []
  for (let count = 0; count <= octets;) {
    const { done, value } = await tap.next()
    if (done === true) break
    held.push(value)
    count += value.length
  }
  return joined(held, tap)
}

/** First these chunks, then the rest. */
async function* joined(chunks: readonly Buffer[], rest: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  yield* chunks
  for await (const chunk of rest) yield asBuffer(chunk)
}

/** The header section of a message, and then all of its octets from the first. */
export async function peekHeader(octets: AsyncIterable<Uint8Array>): Promise<{ readonly header: Header; readonly content: AsyncIterable<Buffer> }> {
  const rest = octets[Symbol.asyncIterator]()
  const held: Buffer[] = []
  async function* head(): AsyncGenerator<Uint8Array> {
    for (let count = 0; count < MAX_HEADER_OCTETS;) {
      const { done, value } = await rest.next()
      if (done === true) return
      held.push(asBuffer(value))
      count += value.length
      yield value
    }
  }
  const { header } = await readMessage(head())
  return { header, content: joined(held, { [Symbol.asyncIterator]: () => rest }) }
}

const MAX_HEADER_OCTETS = 2 * 1024 * 1024 // as much as the parser takes for one header section
