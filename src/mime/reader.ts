import { asBuffer, EMPTY } from '../bytes.ts'
import { MailError } from '../errors.ts'
import { CharsetDecoder } from './charset/decode.ts'
import type { Report } from './defect.ts'
import { Description, type Described, type EntityFacts } from './entity.ts'
import type { Header } from './header.ts'
import { checkParseOptions, type CheckedParseOptions, type ParseOptions } from './limits.ts'
import { MimeTokenizer, type Token } from './tokenizer.ts'

/** A leaf of a message that is being read: content that is no multipart and no enclosed message taken apart. */
export interface Part extends Described {
  /** The enclosing entities, from the outside in. */ readonly path: readonly Described[]
  /** Octets after the transfer encoding, once, and only until the next part is asked for. The chunks are owned by the caller. */
  readonly content: AsyncIterable<Buffer>
}

/** A message whose header section has arrived. */
export interface Message {
  readonly header: Header
  /**
   * The leaves in order, once; a multipart that has no parts is one: its undecoded body. Content not read to its end is skipped when the next part is
   * asked for. An enclosed message is taken apart, or with `enclosed: 'leaf'` is one leaf. Leaving the loop early closes the source.
   * @default 'open'
   */
  parts(options?: { readonly enclosed?: 'open' | 'leaf' | undefined }): AsyncIterable<Part>
}

/**
 * Reads a message as it arrives: resolves when its header section is there, and holds no more than a header section and a chunk. Chunks need to be valid
 * only until the next is asked for. Never throws for what a sender wrote, but with `strict` or `onLimit: 'error'`; rejects with what `source`
 * throws, and with `ERR_OPTION` for wrong options.
 *
 * ```ts
 * const message = await readMessage(createReadStream('x.eml'))
 * for await (const part of message.parts()) await pipeline(part.content, createWriteStream(part.safeFileName ?? part.section))
 * ```
 */
export async function readMessage(source: AsyncIterable<Uint8Array>, options?: ParseOptions): Promise<Message> {
  const reader = new MessageReader(source, checkParseOptions(options))
  const root = await reader.open()
  return { header: root.header, parts: (how) => reader.parts(root, how) }
}

/**
 * The characters of a text part as they arrive, however they are chunked; reads its content. Without a charset, or with one that nobody knows, see
 * `CharsetDecoder` for where it can differ from `text()` of an entity in memory.
 */
export async function* decodeTextStream(part: Part): AsyncGenerator<string, void, undefined> {
  const decoder = new CharsetDecoder(part.charset)
  const report: Report = (code) => {
    if (part instanceof ReadPart) part.report(code, part.bodyStart)
  }
  for await (const octets of part.content) {
    const text = decoder.decode(octets, report)
    if (text !== '') yield text
  }
  const last = decoder.end(report)
  if (last !== '') yield last
}

/** Content is handed on in pieces of at most this, whatever the source's chunks are: longer strings make the decoders slow. */
const MAX_PIECE = 64 * 1024
/** A multipart whose first delimiter has not come after so many octets is handed on as a leaf: perhaps it never comes. */
const MAX_PREAMBLE = 64 * 1024

class MessageReader {
  readonly #source: AsyncIterator<Uint8Array>
  readonly #tokenizer: MimeTokenizer<ReadPart>
  /** Fields are read at once, so that what they have against the message is known before its content is. */ readonly #eager: boolean
  #asked = false
  #ended = false
  /** Said again whenever somebody goes on after it: a message that broke off must not look complete. */
  #failure: { readonly reason: unknown } | undefined
  /** What `content` waits for. */ #reading: Promise<Token<ReadPart> | undefined> | undefined
  /** Looked at and given back. */ #returned: Token<ReadPart> | undefined
  /** The part whose content may be read. */ #current: ReadPart | undefined
  /** A multipart that has no part yet, and is not handed out. */ #childless: ReadPart | undefined
  #preamble: Buffer[] = []
  #preambleLength = 0
  /** The delimiter line after the preamble: part of it only when no part follows. */ #delimiter: Buffer | undefined

  constructor(source: AsyncIterable<Uint8Array>, options: CheckedParseOptions) {
    if (typeof source !== 'object' || source === null || !(Symbol.asyncIterator in source)) {
      throw new MailError('ERR_OPTION', 'a message is read from an async iterable of octets', { phase: 'options' })
    }
    this.#eager = options.strict.size > 0 || options.onLimit === 'error'
    this.#tokenizer = MimeTokenizer.create(options, (facts) => new ReadPart(facts, this), false)
    this.#source = source[Symbol.asyncIterator]()
  }

  /** Reads the header section of the message. */
  async open(): Promise<ReadPart> {
    try {
      const token = await this.#next()
      if (token?.type !== 'open') throw new Error('a message without a root')
      if (this.#eager) token.entity.touch()
      return token.entity
    } catch (error) {
      await this.#close()
      throw error
    }
  }

  async *parts(root: ReadPart, options: { readonly enclosed?: 'open' | 'leaf' | undefined } = {}): AsyncGenerator<Part, void, undefined> {
    const { enclosed = 'open' } = options
    if (enclosed !== 'open' && enclosed !== 'leaf') {
      throw new MailError('ERR_OPTION', "the option enclosed must be 'open' or 'leaf'", { phase: 'options' })
    }
    if (this.#asked) throw new MailError('ERR_SESSION_STATE', 'the parts of a message can be read once', { phase: 'parse' })
    this.#asked = true
    this.#tokenizer.enclosed = enclosed
    this.#returned = { type: 'open', entity: root }
    try {
      for (let token = await this.#next(); token !== undefined; token = await this.#next()) {
        const leaf = this.#leafAt(token)
        if (leaf === undefined) continue
        this.#current = leaf
        yield leaf
        this.#current = undefined
        // Content that somebody still waits for is given back first: only one of us may read from the source.
        await this.#reading?.catch(() => undefined)
        while (!leaf.ended) this.#step(leaf, await this.#next())
      }
    } finally {
      this.#current = undefined
      await this.#close()
    }
  }

  /** The octets of `part`, decoded. */
  async *content(part: ReadPart): AsyncGenerator<Buffer, void, undefined> {
    const decoder = part.decoder()
    const report = part.bodyReport()
    while (this.#current === part) {
      this.#reading = this.#next()
      const token = await this.#reading
      this.#reading = undefined
      if (this.#current !== part) {
        this.#returned = token
        break
      }
      const octets = this.#step(part, token)
      for (let at = 0; at < octets.length && this.#current === part; at += MAX_PIECE) {
        const piece = octets.length <= MAX_PIECE ? octets : octets.subarray(at, at + MAX_PIECE)
        const decoded = decoder === null ? Buffer.from(piece) : decoder.decode(piece, report)
        if (decoded.length > 0) yield decoded
      }
      if (!part.ended) continue
      const last = decoder?.end(report)
      if (last !== undefined && last.length > 0) yield last
      return
    }
    throw new MailError('ERR_SESSION_STATE', 'the content of a part is gone when the next part was asked for', { phase: 'parse' })
  }

  /** The part to hand out on `token`, if it begins one or shows that a multipart is one. */
  #leafAt(token: Token<ReadPart>): ReadPart | undefined {
    const childless = this.#childless
    switch (token.type) {
      case 'open': {
        const { entity } = token
        if (this.#eager) entity.touch()
        this.#childless = entity.kind === 'multipart' ? entity : undefined
        this.#preamble = []
        this.#preambleLength = 0
        this.#delimiter = undefined
        return entity.kind === 'multipart' || entity.kind === 'message' ? undefined : entity
      }
      case 'preamble':
        if (childless === undefined) return undefined
        this.#hold(token.octets, token.delimiter)
        if (this.#preambleLength <= MAX_PREAMBLE) return undefined
        break
      case 'close':
        if (childless !== token.entity) return undefined
        this.#returned = token
        break
      case 'content':
        return undefined
    }
    this.#childless = undefined
    return childless
  }

  /** Takes one step within `part`: octets of it, none at its end. */
  #step(part: ReadPart, token: Token<ReadPart> | undefined): Buffer {
    if (token?.type === 'content') return token.octets
    if (token?.type === 'preamble') this.#hold(token.octets, token.delimiter)
    else {
      part.ended = true
      if (token?.type === 'open') this.#returned = token
      else if (this.#delimiter !== undefined) this.#preamble.push(this.#delimiter)
    }
    const octets = Buffer.concat(this.#preamble)
    this.#preamble = []
    return octets
  }

  #hold(octets: Buffer, isDelimiter: boolean): void {
    this.#preambleLength += octets.length
    if (this.#delimiter !== undefined) this.#preamble.push(this.#delimiter)
    this.#delimiter = isDelimiter ? Buffer.from(octets) : undefined
    if (!isDelimiter) this.#preamble.push(Buffer.from(octets))
  }

  /** The next token; `undefined` at the end. */
  async #next(): Promise<Token<ReadPart> | undefined> {
    if (this.#failure !== undefined) throw this.#failure.reason
    const returned = this.#returned
    this.#returned = undefined
    if (returned !== undefined) return returned
    try {
      for (;;) {
        const token = this.#tokenizer.next()
        if (token !== undefined || this.#ended) return token
        const { done, value } = await this.#source.next()
        this.#ended = done === true
        if (done !== true && !(value instanceof Uint8Array)) {
          throw new MailError('ERR_CONTENT', 'a message is read from chunks of octets', { phase: 'parse' })
        }
        this.#tokenizer.push(done === true ? EMPTY : asBuffer(value), this.#ended)
      }
    } catch (reason) {
      this.#failure = { reason }
      throw reason
    }
  }

  async #close(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await this.#source.return?.()
  }
}

class ReadPart extends Description implements Part {
  readonly #reader: MessageReader
  readonly #parent: ReadPart | null
  #path: readonly ReadPart[] | undefined
  #read = false
  /** All its content was seen. */
  ended = false

  constructor(facts: EntityFacts<ReadPart>, reader: MessageReader) {
    super(facts)
    this.#reader = reader
    this.#parent = facts.parent
  }

  get path(): readonly Described[] {
    if (this.#path === undefined) {
      const path: ReadPart[] = []
      for (let around = this.#parent; around !== null; around = around.#parent) path.push(around)
      this.#path = path.toReversed()
    }
    return this.#path
  }

  get content(): AsyncIterable<Buffer> {
    return {
      [Symbol.asyncIterator]: () => {
        if (this.#read) throw new MailError('ERR_SESSION_STATE', 'the content of a part can be read once', { phase: 'parse' })
        this.#read = true
        return this.#reader.content(this)
      },
    }
  }
}
