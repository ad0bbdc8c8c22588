import { asBuffer, EMPTY } from '../bytes.ts'
import { MailError } from '../errors.ts'
import { blocks, contentError, createEncoder, encodedSize, type Outgoing, type Transport } from './content.ts'
import type { Attachment, ComposeOptions, Composed, Draft } from './draft.ts'
import { writeMessageFields } from './message-fields.ts'
import { buildPart, buildStructure, type BodyPart } from './structure.ts'

const CHUNK = 64 * 1024
const LARGE = CHUNK / 2 // octets from here on go out as they are

/** Writes a mail as octets (RFC 5322, RFC 2045, RFC 2046). All that can be wrong with the draft is found here, before an octet is given:
 *  `ERR_ADDRESS`, `ERR_FROM_MISSING`, `ERR_HEADER` for what cannot be in a header, `ERR_CONTENT` for what is no content. Nothing is opened;
 *  streams are first read when the message is. */
export function composeMessage(draft: Draft, options?: ComposeOptions): Composed {
  const transport = checkTransport(options)
  const { fields, messageId } = writeMessageFields(draft)
  return composed(layOut(`${fields.join('\r\n')}\r\nMIME-Version: 1.0\r\n`, buildStructure(draft, transport)), messageId)
}

/** One body part, as `editMessage` takes it: header section, empty line, encoded content. Fails as `composeMessage` and its reader do. */
export async function composePart(attachment: Attachment, options?: ComposeOptions): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of composed(layOut('', buildPart(attachment, checkTransport(options))), '')) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function checkTransport({ transport = '7bit' }: ComposeOptions = {}): Transport {
  if (!['7bit', '8bit', 'binary'].includes(transport)) throw new MailError('ERR_OPTION', 'transport: 7bit, 8bit or binary', { phase: 'compose' })
  return transport
}

function composed(pieces: readonly Outgoing[], messageId: string): Composed {
  const streams = pieces.flatMap(({ source }) => (Buffer.isBuffer(source) ? [] : [source]))
  if (new Set(streams).size < streams.length) throw contentError('one stream cannot be the content of two parts')
  // A Node stream that fails before its turn keeps its error for the one who reads it: the process must not end of it.
  for (const stream of streams) if ('on' in stream && typeof stream.on === 'function') stream.on('error', () => {})
  let size: number | undefined
  let isBegun = false
  async function* octets(again: boolean, allocate: Allocate): AsyncGenerator<Buffer, void, undefined> {
    const unread = new Set(again ? [] : streams)
    const output = new Output()
    try {
      yield EMPTY
      if (again) throw contentError('a stream can be read only once: compose the message again')
      for (const piece of pieces) {
        if (!Buffer.isBuffer(piece.source)) unread.delete(piece.source)
        yield* encode(piece, output, allocate)
      }
      yield* output.end()
    } finally {
      // What fails now is of no use to one who leaves early and has its reason already.
      for (const stream of unread) if (!destroy(stream)) await (async () => stream[Symbol.asyncIterator]().return?.())().catch(() => undefined)
    }
  }
  const begin = (allocate: Allocate): AsyncGenerator<Buffer, void, undefined> => {
    const again = isBegun && streams.length > 0
    isBegun = true
    const reader = octets(again, allocate)
    void reader.next() // A generator that never began would close nothing when it is left.
    const leave = reader.return.bind(reader)
    // One that waits for a stream does not hear that it is left: a file or socket that hangs would stay open.
    reader.return = (value) => {
      if (!again) streams.forEach(destroy)
      return leave(value)
    }
    return reader
  }
  return {
    messageId,
    get size() {
      size ??= pieces.reduce((total, piece) => total + encodedSize(piece), 0)
      return Number.isNaN(size) ? undefined : size
    },
    borrowed: () => ({ [Symbol.asyncIterator]: () => begin(reuse()) }),
    [Symbol.asyncIterator]: () => begin((length) => Buffer.allocUnsafe(length)),
  }
}

/** The message as text of our own and content, in order. */
function layOut(fieldsOfMessage: string, root: BodyPart): Outgoing[] {
  const pieces: Outgoing[] = []
  let text = fieldsOfMessage
  const place = ({ fields, body }: BodyPart): void => {
    text += `${fields.join('\r\n')}\r\n\r\n`
    if ('source' in body) {
      pieces.push(ownText(text), body)
      text = ''
      return
    }
    for (const [at, part] of body.parts.entries()) {
      text += `${at === 0 ? '' : '\r\n'}--${body.boundary}\r\n`
      place(part)
    }
    text += `\r\n--${body.boundary}--`
  }
  place(root)
  // Base64 does not mind a line end, and other content has all it should have: the transport adds what its last line lacks.
  if ('parts' in root.body || root.encoding === 'base64') text += '\r\n'
  pieces.push(ownText(text))
  return pieces
}

const ownText = (text: string): Outgoing => ({ encoding: '7bit', charset: 'us-ascii', source: Buffer.from(text, 'latin1'), size: text.length })

/** Reads a source when somebody wants what comes of it. Whoever reads us must be able to trust that the end means the whole content. */
async function* encode({ encoding, source, size }: Outgoing, output: Output, allocate: Allocate): AsyncGenerator<Buffer, void, undefined> {
  const encoder = createEncoder(encoding, allocate)
  let read = 0
  try {
    // Node would give nothing, without an error.
    if ('readableEnded' in source && source.readableEnded === true) throw contentError('a stream that is content of the message was read before')
    for await (const chunk of Buffer.isBuffer(source) ? [source] : source) {
      if (!(chunk instanceof Uint8Array)) throw contentError(`a stream of octets gave a ${typeof chunk}`)
      read += chunk.length
      if (size !== undefined && read > size) throw contentError(`a stream has more than the ${size} octets that it says it has`)
      for (const view of blocks(asBuffer(chunk), encoding)) for (const ready of output.add(encoder.encode(view))) yield ready
    }
  } catch (error) {
    throw error instanceof MailError ? error : contentError('a stream that is content of the message failed', error)
  }
  if (size !== undefined && read < size) throw contentError(`a stream ended after ${read} of the ${size} octets that it says it has`)
  yield* output.add(encoder.end())
}

type Allocate = (size: number) => Buffer

const KEPT = 8 // how many large chunks are valid at a time

/** Memory for large chunks that is used again. Small ones may be held for longer and get their own. */
function reuse(): Allocate {
  const buffers: Buffer[] = []
  let next = 0
  return (size) => {
    if (size < LARGE) return Buffer.allocUnsafe(size)
    const at = next++ % KEPT
    let buffer = buffers[at]
    if (buffer === undefined || buffer.length < size) buffer = buffers[at] = Buffer.allocUnsafeSlow(Math.ceil(size / 4096) * 4096)
    return buffer.subarray(0, size)
  }
}

/** Ends a Node stream, which holds its file open until then; its iterator alone does not do that. Whether it was one. */
export function destroy(stream: unknown): boolean {
  if (typeof stream !== 'object' || stream === null || !('destroy' in stream) || typeof stream.destroy !== 'function') return false
  stream.destroy()
  return true
}

/** Gathers small pieces into chunks of about 64 KiB. What it is given nobody else keeps. */
class Output {
  #held: Buffer[] = []
  #length = 0

  /** Gives what is ready: mostly nothing, so `yield*`, which waits even then, is not for it. */
  add(octets: Buffer): readonly Buffer[] {
    if (octets.length >= LARGE) return [...this.end(), octets]
    const ready = this.#length + octets.length > CHUNK ? this.end() : NONE
    this.#length += octets.length
    this.#held.push(octets)
    return ready
  }

  end(): readonly Buffer[] {
    const chunk = Buffer.concat(this.#held, this.#length)
    this.#held = []
    this.#length = 0
    return chunk.length === 0 ? NONE : [chunk]
  }
}

const NONE: readonly Buffer[] = []
