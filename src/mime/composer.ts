import { asBuffer } from '../bytes.ts'
import { MailError } from '../errors.ts'
import { blockSize, contentError, createEncoder, encodedSize, type Outgoing, type Transport } from './content.ts'
import type { ComposeOptions, Composed, Draft } from './draft.ts'
import { writeMessageFields } from './message-fields.ts'
import { buildStructure, type BodyPart } from './structure.ts'

const CHUNK = 64 * 1024
/** Chunks of our own making from this size on go out as they are. */
const LARGE = CHUNK / 2
const NONE: Buffer[] = []

/**
 * Writes a mail as octets (RFC 5322, RFC 2045, RFC 2046). All that can be wrong with the draft is found here, before an octet is given:
 * `ERR_ADDRESS`, `ERR_FROM_MISSING`, `ERR_HEADER` for what cannot be in a header, `ERR_CONTENT` for what is no content. Nothing is opened;
 * streams are first read when the message is.
 */
export function composeMessage(draft: Draft, options?: ComposeOptions): Composed {
  const transport = options?.transport ?? '7bit'
  if (!isTransport(transport)) throw new MailError('ERR_OPTION', "transport: '7bit', '8bit' or 'binary'", { phase: 'compose' })
  const header = writeMessageFields(draft)
  return new ComposedMessage(layOut(header.fields, buildStructure(draft, transport)), header.messageId)
}

function isTransport(value: string): value is Transport {
  return value === '7bit' || value === '8bit' || value === 'binary'
}

type Piece = Buffer | Outgoing

/** The message as text of our own and content, in order. */
function layOut(messageFields: readonly string[], root: BodyPart): Piece[] {
  const pieces: Piece[] = []
  let text = `${messageFields.join('\r\n')}\r\nMIME-Version: 1.0\r\n`
  const place = (part: BodyPart): void => {
    text += `${part.fields.join('\r\n')}\r\n\r\n`
    if ('content' in part) {
      pieces.push(Buffer.from(text, 'utf8'), part.content)
      text = ''
      return
    }
    let lineEnd = ''
    for (const child of part.parts) {
      text += `${lineEnd}--${part.boundary}\r\n`
      place(child)
      lineEnd = '\r\n'
    }
    text += `${lineEnd}--${part.boundary}--`
  }
  place(root)
  // Base64 does not mind a line end, and other content has all it should have: the transport adds what its last line lacks.
  if (!('content' in root) || root.content.encoding === 'base64') text += '\r\n'
  pieces.push(Buffer.from(text, 'utf8'))
  return pieces
}

class ComposedMessage implements Composed {
  readonly messageId: string
  readonly #pieces: readonly Piece[]
  readonly #streams: readonly AsyncIterable<Uint8Array>[]
  #size: number | undefined
  #begun = false

  constructor(pieces: readonly Piece[], messageId: string) {
    this.#pieces = pieces
    this.messageId = messageId
    this.#streams = pieces.flatMap((piece) => ('stream' in piece ? [piece.stream] : []))
    if (new Set(this.#streams).size < this.#streams.length) throw contentError('one stream cannot be the content of two parts')
  }

  get size(): number | undefined {
    if (this.#size !== undefined) return this.#size
    let size = 0
    for (const piece of this.#pieces) {
      const length = Buffer.isBuffer(piece) ? piece.length : encodedSize(piece)
      if (length === undefined) return undefined
      size += length
    }
    this.#size = size
    return size
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    if (this.#begun && this.#streams.length > 0) throw contentError('a stream can be read only once: compose the message again')
    this.#begun = true
    const unread = new Set(this.#streams)
    const output = new Output()
    try {
      for (const piece of this.#pieces) {
        if (Buffer.isBuffer(piece)) {
          for (const view of blocks(piece, CHUNK)) yield* output.addView(view)
        } else if ('octets' in piece) yield* encodeOctets(piece.octets, piece.encoding, output)
        else {
          unread.delete(piece.stream)
          yield* encodeStream(piece, output)
        }
      }
      yield* output.end()
    } finally {
      for (const stream of unread) await close(stream)
    }
  }
}

function* encodeOctets(octets: Buffer, encoding: Outgoing['encoding'], output: Output): Generator<Buffer, void, undefined> {
  const encoder = createEncoder(encoding)
  for (const view of blocks(octets, blockSize(encoding))) yield* encoder === null ? output.addView(view) : output.addOwned(encoder.encode(view))
  if (encoder !== null) yield* output.addOwned(encoder.end())
}

/** Reads a stream when somebody wants what comes of it. Whoever reads us must be able to trust that the end means the whole content. */
async function* encodeStream(content: Extract<Outgoing, { stream: unknown }>, output: Output): AsyncGenerator<Buffer, void, undefined> {
  const { declared, encoding } = content
  const encoder = createEncoder(encoding)
  let read = 0
  try {
    for await (const chunk of content.stream) {
      if (!(chunk instanceof Uint8Array)) throw contentError(`a stream of octets gave a ${typeof chunk}`)
      read += chunk.length
      if (declared !== undefined && read > declared) throw contentError(`a stream has more than the ${declared} octets that it says it has`)
      for (const view of blocks(asBuffer(chunk), blockSize(encoding))) {
        yield* output.addOwned(encoder === null ? owned(view) : encoder.encode(view))
      }
    }
  } catch (error) {
    throw error instanceof MailError ? error : contentError('a stream that is content of the message failed', error)
  }
  if (declared !== undefined && read < declared) throw contentError(`a stream ended after ${read} of the ${declared} octets that it says it has`)
  if (encoder !== null) yield* output.addOwned(encoder.end())
}

/** Ends a stream that nobody has read from. A Node stream holds its file open until it is destroyed; its iterator alone does not do that. */
async function close(stream: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    if ('destroy' in stream && typeof stream.destroy === 'function') stream.destroy()
    else await stream[Symbol.asyncIterator]().return?.()
  } catch {
    // The one who leaves early has its reason already.
  }
}

/** A copy that nobody else has a view of. */
function owned(...views: readonly Buffer[]): Buffer {
  const copy = Buffer.allocUnsafe(views.reduce((length, view) => length + view.length, 0))
  let to = 0
  for (const view of views) to += view.copy(copy, to)
  return copy
}

function* blocks(octets: Buffer, size: number): Generator<Buffer, void, undefined> {
  for (let at = 0; at < octets.length; at += size) yield octets.subarray(at, at + size)
}

/** Gathers small pieces into chunks of about 64 KiB, each of its own memory. */
class Output {
  #held: Buffer[] = []
  #length = 0

  /** Adds octets that are kept elsewhere, unchanged. Gives what is ready. */
  addView(octets: Buffer): Buffer[] {
    const ready = this.#length + octets.length > CHUNK ? this.end() : NONE
    this.#hold(octets)
    return ready
  }

  /** Adds octets that nobody else keeps. Gives what is ready. */
  addOwned(octets: Buffer): Buffer[] {
    if (octets.length >= LARGE) return [...this.end(), octets]
    const ready = this.#length + octets.length > CHUNK ? this.end() : NONE
    if (octets.length > 0) this.#hold(octets)
    return ready
  }

  /** What was gathered. */
  end(): Buffer[] {
    if (this.#length === 0) return NONE
    const chunk = owned(...this.#held)
    this.#held = []
    this.#length = 0
    return [chunk]
  }

  #hold(octets: Buffer): void {
    this.#held.push(octets)
    this.#length += octets.length
  }
}
