import { asBuffer, EMPTY } from '../bytes.ts'
import { MailError } from '../errors.ts'
import { CharsetDecoder } from './charset/decode.ts'
import type { Report } from './defect.ts'
import { Description, type Described, type EntityFacts } from './entity.ts'
import type { Header } from './header.ts'
import { checkParseOptions, wrongOption, type CheckedParseOptions, type ParseOptions } from './limits.ts'
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
  /** The leaves in order, once; a multipart that has no parts is one: its undecoded body. Content not read to its end is skipped when the next part
   *  is asked for. An enclosed message is taken apart, or with `enclosed: 'leaf'` is one leaf. Leaving the loop early closes the source.
   *  @default 'open' */
  parts(options?: { readonly enclosed?: 'open' | 'leaf' | undefined }): AsyncIterable<Part>
}

/** Reads a message as it arrives: resolves when its header section is there, and holds no more than a header section and a chunk. Chunks need to be
 *  valid only until the next is asked for. Never throws for what a sender wrote, but with `strict` or `onLimit: 'error'`; rejects with what `source`
 *  throws, and with `ERR_OPTION` for wrong options.
 *
 *  ```ts
 *  const message = await readMessage(createReadStream('x.eml'))
 *  for await (const part of message.parts()) await pipeline(part.content, createWriteStream(part.safeFileName ?? part.section))
 *  ```
 */
export async function readMessage(source: AsyncIterable<Uint8Array>, options?: ParseOptions): Promise<Message> {
  const reader = new MessageReader(source, checkParseOptions(options))
  const token = await reader.next()
  if (token?.type !== 'open') throw new Error('a message without a root')
  return { header: token.entity.header, parts: (how) => reader.parts(token, how) }
}

/** The characters of a text part as they arrive, however they are chunked; reads its content. Without a charset, or with one that nobody knows, see
 *  `CharsetDecoder` for where it can differ from `text()` of an entity in memory. */
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
  /** What `content` waits for. */ #reading: Promise<Buffer> | undefined
  /** Looked at and given back. */ #returned: Token<ReadPart> | undefined
  /** The part whose content may be read. */ #current: ReadPart | undefined
  /** A multipart that has no part yet, and is not handed out. */ #childless: ReadPart | undefined
  #preamble: Buffer[] = []
  #preambleLength = 0
  /** The last piece of the preamble is a delimiter line: part of it only when no part follows. */ #delimiters: 0 | 1 = 0

  constructor(source: AsyncIterable<Uint8Array>, options: CheckedParseOptions) {
    if (typeof source !== 'object' || source === null || !(Symbol.asyncIterator in source)) {
      throw wrongOption('a message is read from an async iterable of octets')
    }
    this.#eager = options.strict.size > 0 || options.onLimit === 'error'
    this.#tokenizer = MimeTokenizer.create(options, (facts) => new ReadPart(facts, this), false)
    this.#source = source[Symbol.asyncIterator]()
  }

  async *parts(root: Token<ReadPart>, options: { readonly enclosed?: 'open' | 'leaf' | undefined } = {}): AsyncGenerator<Part, void, undefined> {
    const { enclosed = 'open' } = options
    if (enclosed !== 'open' && enclosed !== 'leaf') throw wrongOption("the option enclosed must be 'open' or 'leaf'")
    if (this.#asked) throw new MailError('ERR_SESSION_STATE', 'the parts of a message can be read once', { phase: 'parse' })
    this.#asked = true
    this.#returned = root
    try {
      this.#tokenizer.enclosed = enclosed
      for (let token = await this.next(); token !== undefined; token = await this.next()) {
        const leaf = this.#leafAt(token)
        if (leaf === undefined) continue
        this.#current = leaf
        yield leaf
        this.#current = undefined
        // First the step that somebody still waits for: only one of us may read from the source.
        await this.#reading?.catch(() => undefined)
        while (!leaf.ended) await this.#step(leaf)
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
      this.#reading = this.#step(part)
      const octets = await this.#reading
      for (let at = 0; at < octets.length && this.#current === part; at += MAX_PIECE) {
        const piece = octets.subarray(at, at + MAX_PIECE)
        const decoded = decoder === null ? Buffer.from(piece) : decoder.decode(piece, report)
        if (decoded.length > 0) yield decoded
      }
      if (!part.ended || this.#current !== part) continue
      const last = decoder?.end(report)
      if (last !== undefined && last.length > 0) yield last
      return
    }
    throw new MailError('ERR_SESSION_STATE', 'the content of a part is gone when the next part was asked for', { phase: 'parse' })
  }

  /** The part to hand out on `token`, if it begins one or shows that a multipart is one. */
  #leafAt(token: Token<ReadPart>): ReadPart | undefined {
    if (token.type === 'open') {
      const { entity } = token
      this.#childless = entity.kind === 'multipart' ? entity : undefined
      this.#preamble = []
      this.#preambleLength = 0
      this.#delimiters = 0
      return entity.kind === 'multipart' || entity.kind === 'message' ? undefined : entity
    }
    const childless = this.#childless
    if (childless === undefined) return undefined
    if (token.type === 'content') {
      this.#hold(token)
      if (this.#preambleLength <= MAX_PREAMBLE) return undefined
    } else this.#returned = token
    this.#childless = undefined
    return childless
  }

  /** Takes one step within `part`: octets of it, or what was held of them. */
  async #step(part: ReadPart): Promise<Buffer> {
    const token = await this.next()
    if (token?.type === 'content') {
      if (part.kind !== 'multipart') return token.octets
      this.#hold(token)
    } else {
      part.ended = true
      if (token?.type === 'open') this.#returned = token
      else this.#delimiters = 0
    }
    return Buffer.concat(this.#preamble.splice(0, this.#preamble.length - this.#delimiters))
  }

  #hold({ octets, isDelimiter }: Token<ReadPart> & { readonly type: 'content' }): void {
    this.#preamble.push(Buffer.from(octets))
    this.#preambleLength += octets.length
    this.#delimiters = isDelimiter ? 1 : 0
  }

  /** The next token; `undefined` at the end. */
  async next(): Promise<Token<ReadPart> | undefined> {
    if (this.#failure !== undefined) throw this.#failure.reason
    const returned = this.#returned
    this.#returned = undefined
    if (returned !== undefined) return returned
    try {
      for (;;) {
        const token = this.#tokenizer.next()
        if (token?.type === 'open' && this.#eager) token.entity.touch()
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
      if (!this.#asked) await this.#close() // later the loop over the parts does
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
  #read = false
  /** All its content was seen. */ ended = false

  constructor(facts: EntityFacts<ReadPart>, reader: MessageReader) {
    super(facts)
    this.#reader = reader
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
