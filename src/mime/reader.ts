import { asBuffer, EMPTY } from '../bytes.ts'
import { MailError } from '../errors.ts'
import { CharsetDecoder } from './charset/decode.ts'
import type { Report } from './defect.ts'
import { Description, type Described, type EntityFacts } from './entity.ts'
import type { Header } from './header.ts'
import { checkParseOptions, wrongOption, type ParseOptions } from './limits.ts'
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

/** Content is handed on in pieces of at most this, whatever the source's chunks are: longer strings make the decoders slow. */
const MAX_PIECE = 64 * 1024
/** A multipart whose first delimiter has not come after so many octets is handed on as a leaf: perhaps it never comes. */
const MAX_PREAMBLE = 64 * 1024

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
  const checked = checkParseOptions(options)
  if (typeof source !== 'object' || source === null || !(Symbol.asyncIterator in source)) {
    throw wrongOption('a message is read from an async iterable of octets')
  }
  /** Fields are read at once, so that what they have against the message is known before its content is. */
  const eager = checked.strict.size > 0 || checked.onLimit === 'error'
  const tokenizer = MimeTokenizer.create<ReadPart>(checked, (facts) => new ReadPart(facts, content), false)
  const chunks = source[Symbol.asyncIterator]()
  let asked = false
  let ended = false
  /** Said again whenever somebody goes on after it: a message that broke off must not look complete. */
  let failure: { readonly reason: unknown } | undefined
  /** What `content` waits for. */ let reading: Promise<Buffer> | undefined
  /** Looked at and given back. */ let returned: Token<ReadPart> | undefined
  /** The part whose content may be read. */ let current: ReadPart | undefined
  /** A multipart that has no part yet, and is not handed out. */ let childless: ReadPart | undefined
  let preamble: Buffer[] = []
  let preambleLength = 0
  /** The last piece of the preamble is a delimiter line: part of it only when no part follows. */ let delimiters: 0 | 1 = 0

  async function* parts({ enclosed = 'open' }: Parameters<Message['parts']>[0] = {}): AsyncGenerator<Part, void, undefined> {
    if (enclosed !== 'open' && enclosed !== 'leaf') throw wrongOption("the option enclosed must be 'open' or 'leaf'")
    if (asked) throw new MailError('ERR_SESSION_STATE', 'the parts of a message can be read once', { phase: 'parse' })
    asked = true
    returned = root
    try {
      tokenizer.enclosed = enclosed
      for (let token = await next(); token !== undefined; token = await next()) {
        const leaf = leafAt(token)
        if (leaf === undefined) continue
        current = leaf
        yield leaf
        current = undefined
        // First the step that somebody still waits for: only one of us may read from the source.
        await reading?.catch(() => undefined)
        while (!leaf.ended) await step(leaf)
      }
    } finally {
      current = undefined
      await close()
    }
  }

  /** The octets of `part`, decoded. */
  async function* content(part: ReadPart): AsyncGenerator<Buffer, void, undefined> {
    const decoder = part.decoder()
    const report = part.bodyReport()
    const isCurrent = (): boolean => current === part
    while (isCurrent()) {
      reading = step(part)
      const octets = await reading
      for (let at = 0; at < octets.length && isCurrent(); at += MAX_PIECE) {
        const piece = octets.subarray(at, at + MAX_PIECE)
        const decoded = decoder === null ? Buffer.from(piece) : decoder.decode(piece, report)
        if (decoded.length > 0) yield decoded
      }
      if (!part.ended || !isCurrent()) continue
      const last = decoder?.end(report)
      if (last !== undefined && last.length > 0) yield last
      return
    }
    throw new MailError('ERR_SESSION_STATE', 'the content of a part is gone when the next part was asked for', { phase: 'parse' })
  }

  /** The part to hand out on `token`, if it begins one or shows that a multipart is one. */
  function leafAt(token: Token<ReadPart>): ReadPart | undefined {
    if (token.type === 'open') {
      const { entity } = token
      childless = entity.kind === 'multipart' ? entity : undefined
      preamble = []
      preambleLength = 0
      delimiters = 0
      return entity.kind === 'multipart' || entity.kind === 'message' ? undefined : entity
    }
    const leaf = childless
    if (leaf === undefined) return undefined
    if (token.type === 'content') {
      hold(token)
      if (preambleLength <= MAX_PREAMBLE) return undefined
    } else returned = token
    childless = undefined
    return leaf
  }

  /** Takes one step within `part`: octets of it, or what was held of them. */
  async function step(part: ReadPart): Promise<Buffer> {
    const token = await next()
    if (token?.type === 'content') {
      if (part.kind !== 'multipart') return token.octets
      hold(token)
    } else {
      part.ended = true
      if (token?.type === 'open') returned = token
      else delimiters = 0
    }
    return Buffer.concat(preamble.splice(0, preamble.length - delimiters))
  }

  function hold({ octets, isDelimiter }: Token<ReadPart> & { readonly type: 'content' }): void {
    preamble.push(Buffer.from(octets))
    preambleLength += octets.length
    delimiters = isDelimiter ? 1 : 0
  }

  /** The next token; `undefined` at the end. */
  async function next(): Promise<Token<ReadPart> | undefined> {
    if (failure !== undefined) throw failure.reason
    const before = returned
    returned = undefined
    if (before !== undefined) return before
    try {
      for (;;) {
        const token = tokenizer.next()
        if (token?.type === 'open' && eager) token.entity.touch()
        if (token !== undefined || ended) return token
        const { done, value } = await chunks.next()
        ended = done === true
        if (done !== true && !(value instanceof Uint8Array)) {
          throw new MailError('ERR_CONTENT', 'a message is read from chunks of octets', { phase: 'parse' })
        }
        tokenizer.push(done === true ? EMPTY : asBuffer(value), ended)
      }
    } catch (reason) {
      failure = { reason }
      if (!asked) await close() // later the loop over the parts does
      throw reason
    }
  }

  async function close(): Promise<void> {
    if (ended) return
    ended = true
    await chunks.return?.()
  }

  const root = await next()
  if (root?.type !== 'open') throw new Error('a message without a root')
  return { header: root.entity.header, parts }
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

class ReadPart extends Description implements Part {
  /** All its content was seen. */ ended = false
  readonly content: AsyncIterable<Buffer>

  constructor(facts: EntityFacts<ReadPart>, read: (part: ReadPart) => AsyncIterator<Buffer>) {
    super(facts)
    let isRead = false
    this.content = {
      [Symbol.asyncIterator]: () => {
        if (isRead) throw new MailError('ERR_SESSION_STATE', 'the content of a part can be read once', { phase: 'parse' })
        isRead = true
        return read(this)
      },
    }
  }
}
