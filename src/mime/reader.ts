import { asBuffer, EMPTY } from '../bytes.ts'
import { MailError } from '../errors.ts'
import type { Report } from './defect.ts'
import { Description, type Described, type EntityFacts } from './entity.ts'
import type { Header } from './header.ts'
import { checkParseOptions, type ParseOptions } from './limits.ts'
import { MimeTokenizer, type Token } from './tokenizer.ts'

/** A leaf of a message that is being read: content that is no multipart and no enclosed message taken apart. */
export interface Part extends Described {
  /** The enclosing entities, from the outside in. */
  readonly path: readonly Described[]
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
  const reader = new MessageReader(source, options)
  await reader.readHeader()
  return reader
}

/** Content is handed on in pieces of at most this, whatever the source's chunks are: longer strings make the decoders slow. */
const MAX_PIECE = 64 * 1024
/** A multipart whose first delimiter has not come after so many octets is handed on as a leaf: perhaps it never comes. */
const MAX_PREAMBLE = 64 * 1024

class MessageReader implements Message {
  readonly #source: AsyncIterator<Uint8Array>
  readonly #tokenizer: MimeTokenizer<ReadPart>
  /** Fields are read at once, so that what they have against the message is known before its content is. */
  readonly #eager: boolean
  #root: ReadPart | undefined
  #asked = false
  #ended = false
  /** Said again whenever somebody goes on after it: a message that broke off must not look complete. */
  #failure: { readonly reason: unknown } | undefined
  /** Looked at and given back. */
  #returned: Token<ReadPart> | undefined
  /** The part that was handed out last, while it has content. */
  #current: ReadPart | undefined
  /** A multipart that has no part yet, and its octets so far. */
  #childless: ReadPart | undefined
  #preamble: Preamble[] = []
  #preambleLength = 0

  constructor(source: AsyncIterable<Uint8Array>, options: ParseOptions | undefined) {
    const checked = checkParseOptions(options)
    this.#eager = checked.strict || checked.onLimit === 'error'
    this.#tokenizer = MimeTokenizer.create(checked, (facts) => new ReadPart(facts, this), false)
    this.#source = source[Symbol.asyncIterator]()
  }

  get header(): Header {
    return this.#rootPart.header
  }

  get #rootPart(): ReadPart {
    if (this.#root === undefined) throw new Error('the header section was not read')
    return this.#root
  }

  async readHeader(): Promise<void> {
    try {
      const token = this.#take() ?? (await this.#pull())
      if (token?.type !== 'open') throw new Error('a message without a root')
      this.#root = token.entity
      if (this.#eager) token.entity.touch()
    } catch (error) {
      await this.#close()
      throw error
    }
  }

  async *parts(options: { readonly enclosed?: 'open' | 'leaf' | undefined } = {}): AsyncGenerator<Part, void, undefined> {
    const { enclosed = 'open' } = options
    if (enclosed !== 'open' && enclosed !== 'leaf') {
      throw new MailError('ERR_OPTION', "the option enclosed must be 'open' or 'leaf'", { phase: 'options' })
    }
    if (this.#asked) throw new MailError('ERR_SESSION_STATE', 'the parts of a message can be read once', { phase: 'parse' })
    this.#asked = true
    this.#tokenizer.enclosed = enclosed
    this.#returned = { type: 'open', entity: this.#rootPart }
    try {
      for (let token = this.#take(); ; token = this.#take()) {
        token ??= await this.#pull()
        if (token === undefined) return
        const leaf = this.#leafAt(token)
        if (leaf === undefined) continue
        this.#current = leaf
        yield leaf
        leaf.skipped = true
        while (this.#current === leaf) this.#step(leaf, this.#take() ?? (await this.#pull()))
      }
    } finally {
      this.#current = undefined
      await this.#close()
    }
  }

  /** The octets of `part`, decoded. */
  async *content(part: ReadPart): AsyncGenerator<Buffer, void, undefined> {
    const decoder = part.decoder()
    const { report } = part
    const place: Report = (code, offset) => report(code, part.bodyStart + offset)
    while (this.#current === part && !part.skipped) {
      const octets = this.#step(part, this.#take() ?? (await this.#pull()))
      for (let at = 0; at < octets.length && !part.skipped; at += MAX_PIECE) {
        const piece = octets.length <= MAX_PIECE ? octets : octets.subarray(at, at + MAX_PIECE)
        const decoded = decoder === null ? Buffer.from(piece) : decoder.decode(piece, place)
        if (decoded.length > 0) yield decoded
      }
      if (!part.ended || part.skipped) continue
      const last = decoder?.end(place)
      if (last !== undefined && last.length > 0) yield last
      return
    }
    throw new MailError('ERR_SESSION_STATE', 'the content of a part is gone when the next part was asked for', { phase: 'parse' })
  }

  /** The part to hand out on `token`, if it begins one or shows that a multipart is one. */
  #leafAt(token: Token<ReadPart>): ReadPart | undefined {
    switch (token.type) {
      case 'open': {
        const { entity } = token
        if (this.#eager) entity.touch()
        this.#forgetPreamble()
        this.#tokenizer.settle()
        if (entity.kind === 'multipart') this.#childless = entity
        return entity.kind === 'multipart' || entity.kind === 'message' ? undefined : entity
      }
      case 'preamble':
        if (this.#childless === undefined) return undefined
        this.#preamble.push({ octets: Buffer.from(token.octets), delimiter: token.delimiter })
        this.#preambleLength += token.octets.length
        return this.#preambleLength > MAX_PREAMBLE ? this.#childless : undefined
      case 'close':
        if (this.#childless !== token.entity) return undefined
        this.#returned = token
        return token.entity
      case 'content':
        break
    }
    return undefined
  }

  /** Takes one step within `part`: octets of it, none at its end. */
  #step(part: ReadPart, token: Token<ReadPart> | undefined): Buffer {
    if (part.kind === 'multipart') return this.#stepPreamble(part, token)
    if (token?.type === 'content') return token.octets
    this.#endPart(part)
    return EMPTY
  }

  /** A delimiter line counts as content only when no part comes after it. */
  #stepPreamble(part: ReadPart, token: Token<ReadPart> | undefined): Buffer {
    if (token?.type === 'preamble') this.#preamble.push({ octets: Buffer.from(token.octets), delimiter: token.delimiter })
    else {
      if (token?.type === 'open') {
        this.#returned = token
        if (this.#preamble.at(-1)?.delimiter === true) this.#preamble.pop()
      }
      this.#endPart(part)
    }
    const held = part.ended || this.#preamble.at(-1)?.delimiter !== true ? undefined : this.#preamble.pop()
    const octets = Buffer.concat(this.#preamble.map((piece) => piece.octets))
    this.#forgetPreamble()
    if (held !== undefined) this.#preamble.push(held)
    return octets
  }

  #endPart(part: ReadPart): void {
    part.ended = true
    this.#current = undefined
  }

  #forgetPreamble(): void {
    this.#childless = undefined
    this.#preamble = []
    this.#preambleLength = 0
  }

  /** What can be had without waiting. */
  #take(): Token<ReadPart> | undefined {
    if (this.#failure !== undefined) throw this.#failure.reason
    const returned = this.#returned
    if (returned === undefined) return this.#nextToken()
    this.#returned = undefined
    return returned
  }

  #nextToken(): Token<ReadPart> | undefined {
    try {
      return this.#tokenizer.next()
    } catch (reason) {
      this.#failure = { reason }
      throw reason
    }
  }

  /** Reads on until there is a token; `undefined` at the end. */
  async #pull(): Promise<Token<ReadPart> | undefined> {
    while (!this.#ended) {
      this.#tokenizer.push(await this.#chunk(), this.#ended)
      const token = this.#nextToken()
      if (token !== undefined) return token
    }
    return undefined
  }

  async #chunk(): Promise<Buffer> {
    try {
      const { done, value } = await this.#source.next()
      if (done === true) {
        this.#ended = true
        return EMPTY
      }
      if (!(value instanceof Uint8Array)) throw new MailError('ERR_CONTENT', 'a message is read from chunks of octets', { phase: 'parse' })
      return asBuffer(value)
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

interface Preamble {
  readonly octets: Buffer
  readonly delimiter: boolean
}

class ReadPart extends Description implements Part {
  readonly #reader: MessageReader
  readonly #parent: ReadPart | null
  #path: readonly ReadPart[] | undefined
  #read = false
  /** All its content was seen. */
  ended = false
  /** The next part was asked for: what was not read is gone. */
  skipped = false

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
