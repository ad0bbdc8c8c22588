import { asBuffer, CR, EMPTY, LF } from '../bytes.ts'
import { MailError } from '../errors.ts'

export interface MboxOptions {
  /** How the writer marked body lines that begin like a From_ line: one `>` more before any number of them, one before `From ` only, or not. @default 'mboxrd' */
  readonly quoting?: 'mboxrd' | 'mboxo' | 'none' | undefined
  /** Trust the Content-Length field of each message. A sender can write one too, and swallow the messages after his. @default false */
  readonly contentLength?: boolean | undefined
}

/** One message of an mbox. */
export interface MboxMessage {
  /** Envelope sender and date as the writer gave them, `From ` included; '' where the file begins without. */ readonly fromLine: string
  /** Of its From_ line in the file, in octets. */ readonly offset: number
  /** The message for `readMessage`: once, only until the next message is asked for, each chunk valid until the next. */
  readonly octets: AsyncIterable<Buffer>
}

/**
 * The messages of an mbox (RFC 4155 and its older forms), one by one at constant memory. A line that begins with `From ` and has a time and a year
 * begins a message, an empty line before it ends the one before. Octets that are not read are skipped. Rejects with what `source` throws, and with
 * `ERR_OPTION`.
 *
 * ```ts
 * for await (const { octets } of readMbox(createReadStream('inbox'))) console.log((await readMessage(octets)).header.value('Subject'))
 * ```
 */
export async function* readMbox(source: AsyncIterable<Uint8Array>, options: MboxOptions = {}): AsyncGenerator<MboxMessage, void, undefined> {
  const splitter = new MboxSplitter(options)
  const chunks = source[Symbol.asyncIterator]()
  let ended = false
  const next = async (): Promise<Token | undefined> => {
    for (;;) {
      const token = splitter.next()
      if (token !== undefined || ended) return token
      const { done, value } = await chunks.next()
      ended = done === true
      splitter.push(done === true ? EMPTY : asBuffer(value), ended)
    }
  }
  /** Whose octets may be read, and what the one who reads them waits for. */
  let current: object | undefined
  let reading: Promise<Token | undefined> | undefined
  let after: Token | undefined
  async function* contentOf(message: object): AsyncGenerator<Buffer, void, undefined> {
    while (current === message) {
      reading = next()
      const token = await reading
      reading = undefined
      if (token?.type === 'content' && current === message) yield token.octets
      else if (token?.type === 'content') break
      else {
        after = token
        current = undefined
        return
      }
    }
    throw new MailError('ERR_SESSION_STATE', 'the octets of a message are gone when the next was asked for', { phase: 'parse' })
  }
  try {
    for (let token = await next(); token !== undefined;) {
      if (token.type === 'message') {
        const message = { fromLine: token.fromLine, offset: token.offset, octets: { [Symbol.asyncIterator]: () => contentOf(message) } }
        current = message
        yield message
        current = undefined
        await reading?.catch(() => undefined) // only one of us may read from the source
        if (after !== undefined) {
          token = after
          after = undefined
          continue
        }
      }
      token = await next()
    }
  } finally {
    if (!ended) await chunks.return?.()
  }
}

/** Between a `message` and the next lie its octets. */
type Token = { readonly type: 'message'; readonly fromLine: string; readonly offset: number } | { readonly type: 'content'; readonly octets: Buffer }

/** What a line is; `more`: its end must come first. */
type Line = 'from' | 'quoted' | 'blank' | 'length' | 'text' | 'more'

const FROM = Buffer.from('From ')
const LENGTH = /^content-length[ \t]*:[ \t]*(\d{1,15})[ \t]*$/i
const MAX_LINE = 1000 // a longer line is no From_ line
const GREATER = 0x3e
const LETTER_C = 0x63

class MboxSplitter {
  readonly #quoting: 'mboxrd' | 'mboxo' | 'none'
  readonly #trustsLength: boolean
  #octets: Buffer = EMPTY
  #final = false
  /** Offset of the first octet that is held, how much of it was handed on, and how much was looked at. */ #offset = 0
  #from = 0
  #at = 0
  /** Where an empty line begins that is the last seen, and may belong to the From_ line after it. */ #blank = -1
  #inLine = false
  #state: 'nothing' | 'header' | 'body' = 'nothing'
  /** Octets of the body that need no look, as its header section says. */ #length = 0
  #message: Token | undefined

  constructor({ quoting = 'mboxrd', contentLength = false }: MboxOptions) {
    if (quoting !== 'mboxrd' && quoting !== 'mboxo' && quoting !== 'none') throw wrongOption("quoting must be 'mboxrd', 'mboxo' or 'none'")
    if (typeof contentLength !== 'boolean') throw wrongOption('contentLength must be true or false')
    this.#quoting = quoting
    this.#trustsLength = contentLength
  }

  push(chunk: Buffer, final: boolean): void {
    this.#octets = this.#octets.length === 0 ? chunk : Buffer.concat([this.#octets, chunk])
    this.#final = final
  }

  next(): Token | undefined {
    const message = this.#message
    this.#message = undefined
    if (message !== undefined) return message
    for (;;) {
      const line = this.#skip() ? this.#lineAt(this.#at) : 'more'
      if (line === 'more') {
        const content = this.#content(this.#blank >= 0 ? this.#blank : this.#at)
        if (content === undefined) this.#keep()
        return content
      }
      const start = this.#at
      const end = this.#octets.indexOf(LF, start)
      if (line === 'text' || line === 'quoted') this.#inLine = true
      else this.#at = end < 0 ? this.#octets.length : end + 1
      const contentEnd = this.#blank >= 0 ? this.#blank : start
      this.#blank = line === 'blank' && this.#state === 'body' ? start : -1
      if (line === 'from') {
        const fromLine = this.#octets.toString('latin1', start, this.#at).trimEnd()
        const begin: Token = { type: 'message', fromLine, offset: this.#offset + start }
        const content = this.#content(contentEnd)
        this.#from = this.#at
        this.#state = 'header'
        this.#length = 0
        if (content === undefined) return begin
        this.#message = begin
        return content
      }
      if (this.#state === 'nothing') {
        if (line === 'blank') this.#from = this.#at
        else {
          this.#state = 'header'
          return { type: 'message', fromLine: '', offset: this.#offset + start }
        }
      }
      if (line === 'length') this.#length = Number(LENGTH.exec(this.#octets.toString('latin1', start, this.#at).trimEnd())?.[1] ?? 0)
      else if (line === 'blank' && this.#state === 'header') this.#state = 'body'
      else if (line === 'quoted') {
        const content = this.#content(start)
        this.#from = start + 1
        if (content !== undefined) return content
      }
    }
  }

  /** To the next line that is to be looked at; `false`: it has not come. */
  #skip(): boolean {
    if (this.#state === 'body' && this.#length > 0) {
      const octets = Math.min(this.#length, this.#octets.length - this.#at)
      this.#length -= octets
      this.#at += octets
      if (octets > 0) this.#inLine = this.#octets[this.#at - 1] !== LF
    }
    if (this.#inLine) {
      const end = this.#octets.indexOf(LF, this.#at)
      this.#inLine = end < 0
      this.#at = end < 0 ? this.#octets.length : end + 1
    }
    return this.#at < this.#octets.length
  }

  #lineAt(start: number): Line {
    const octets = this.#octets
    const first = octets[start]
    if (first === LF) return 'blank'
    const isShort = octets.length - start < MAX_LINE && !this.#final
    if (first === CR) return octets[start + 1] === LF ? 'blank' : start + 1 === octets.length && isShort ? 'more' : 'text'
    const isLength = this.#state === 'header' && this.#trustsLength && first !== undefined && (first | 0x20) === LETTER_C
    let word = start
    while (octets[word] === GREATER && word - start < MAX_LINE) word++
    const begin = octets.subarray(word, word + FROM.length)
    if (!isLength && !begin.equals(FROM.subarray(0, begin.length))) return 'text'
    const end = octets.indexOf(LF, word)
    if (end < 0 && isShort) return 'more'
    if (begin.length < FROM.length) return 'text'
    const text = octets.toString('latin1', start, Math.min(end < 0 ? octets.length : end, start + MAX_LINE)).trimEnd()
    if (isLength) return LENGTH.test(text) ? 'length' : 'text'
    if (word === start) return this.#offset + start === 0 || (/\d\d:\d\d/.test(text) && /\d{4}/.test(text)) ? 'from' : 'text'
    const isQuoted = this.#state === 'body' && (this.#quoting === 'mboxrd' || (this.#quoting === 'mboxo' && word - start === 1))
    return isQuoted ? 'quoted' : 'text'
  }

  /** A copy of what must be seen again: the chunk is not valid any more when the next one comes. */
  #keep(): void {
    const from = this.#from
    this.#octets = Buffer.from(this.#octets.subarray(from))
    this.#offset += from
    this.#at -= from
    if (this.#blank >= 0) this.#blank -= from
    this.#from = 0
  }

  /** What was not handed on of the octets up to `end`. */
  #content(end: number): Token | undefined {
    const octets = this.#octets.subarray(this.#from, end)
    // At the very end the empty line is the one that ends every message.
    this.#from = Math.max(this.#from, this.#final && this.#at === this.#octets.length ? this.#at : end)
    return octets.length > 0 && this.#state !== 'nothing' ? { type: 'content', octets } : undefined
  }
}

const wrongOption = (message: string): MailError => new MailError('ERR_OPTION', `the option ${message}`, { phase: 'options' })
