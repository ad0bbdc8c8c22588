import { asBuffer, CR, EMPTY, LF } from '../bytes.ts'
import { MailError } from '../errors.ts'
import { wrongOption } from './limits.ts'

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

/** The messages of an mbox (RFC 4155 and its older forms), one by one at constant memory. A line that begins with `From ` and has a time and a year
 *  begins a message, an empty line before it ends the one before. Octets that are not read are skipped. Rejects with what `source` throws, and with
 *  `ERR_OPTION`.
 *
 *  ```ts
 *  for await (const { octets } of readMbox(createReadStream('inbox'))) console.log((await readMessage(octets)).header.value('Subject'))
 *  ```
 */
export async function* readMbox(source: AsyncIterable<Uint8Array>, options: MboxOptions = {}): AsyncGenerator<MboxMessage, void, undefined> {
  const split = createSplitter(options)
  const chunks = source[Symbol.asyncIterator]()
  let tokens: Token[] = []
  let ended = false
  /** The next octets of a message; `undefined` where it ends: another begins, or the file is over. */
  const next = async (): Promise<Buffer | undefined> => {
    while (tokens.length === 0 && !ended) {
      const { done, value } = await chunks.next()
      ended = done === true
      tokens = split(done === true ? EMPTY : asBuffer(value), ended).toReversed()
    }
    const token = tokens.at(-1)
    if (token?.type !== 'content') return undefined
    tokens.pop()
    return token.octets
  }
  /** Whose octets may be read, and what the one who reads them waits for. */
  let current: Token | undefined
  let reading: Promise<Buffer | undefined> | undefined
  async function* contentOf(message: Token): AsyncGenerator<Buffer, void, undefined> {
    while (current === message) {
      reading = next()
      const octets = await reading
      if (octets === undefined) {
        current = undefined
        return
      }
      if (current === message) yield octets
    }
    throw new MailError('ERR_SESSION_STATE', 'the octets of a message are gone when the next was asked for', { phase: 'parse' })
  }
  try {
    for (;;) {
      await reading?.catch(() => undefined) // only one of us may read from the source
      for (let octets = await next(); octets !== undefined;) octets = await next()
      const message = tokens.pop()
      if (message?.type !== 'message') return
      const { fromLine, offset } = message
      current = message
      yield { fromLine, offset, octets: { [Symbol.asyncIterator]: () => contentOf(message) } }
      current = undefined
    }
  } finally {
    if (!ended) await chunks.return?.()
  }
}

/** Between a `message` and the next lie its octets. */
type Token = { readonly type: 'message'; readonly fromLine: string; readonly offset: number } | { readonly type: 'content'; readonly octets: Buffer }

const LENGTH = /^content-length[ \t]*:[ \t]*(\d{1,15})[ \t]*$/i
const MAX_LINE = 1000 // a longer line is no From_ line

/** Gives what the next octets of a file are; with `final` nothing is held back any more. */
function createSplitter({ quoting = 'mboxrd', contentLength = false }: MboxOptions): (chunk: Buffer, final: boolean) => Token[] {
  if (quoting !== 'mboxrd' && quoting !== 'mboxo' && quoting !== 'none') throw wrongOption("the option quoting must be 'mboxrd', 'mboxo' or 'none'")
  const quoted = quoting === 'none' ? undefined : quoting === 'mboxo' ? /^>From / : /^>+From /
  if (typeof contentLength !== 'boolean') throw wrongOption('the option contentLength must be true or false')
  /** What must be seen again, with more behind it: a line, or an empty one that may belong to the From_ line after it. */ let rest: Buffer = EMPTY
  let offset = 0
  let state: 'before' | 'header' | 'body' = 'before'
  /** In a line that needs no look. */ let inLine = false
  /** Octets of the body that need no look, as its header section says. */ let length = 0

  return (chunk, final) => {
    const octets = Buffer.concat([rest, chunk])
    const tokens: Token[] = []
    let passed = 0
    const pass = (end: number): void => {
      if (end > passed && state !== 'before') tokens.push({ type: 'content', octets: octets.subarray(passed, end) })
      passed = Math.max(passed, end)
    }
    let blank = -1
    let at = 0
    while (at < octets.length) {
      if (state === 'body' && length > 0) {
        const skipped = Math.min(length, octets.length - at)
        length -= skipped
        at += skipped
        inLine = octets[at - 1] !== LF
        continue
      }
      const lineEnd = octets.indexOf(LF, at)
      const next = lineEnd < 0 ? octets.length : lineEnd + 1
      if (!inLine) {
        if (lineEnd < 0 && !final && next - at <= MAX_LINE) break
        const wasBlank = blank
        blank = -1
        const line = octets.toString('latin1', at, Math.min(next, at + MAX_LINE)).trimEnd()
        const isFrom = line.startsWith('From ') && (offset + at === 0 || isDated(line))
        if (octets[at] === LF || (octets[at] === CR && lineEnd === at + 1)) {
          if (state === 'body') blank = at
          else if (state === 'header') state = 'body'
          else passed = next
        } else if (isFrom || state === 'before') {
          pass(wasBlank < 0 ? at : wasBlank)
          if (isFrom) passed = next
          tokens.push({ type: 'message', fromLine: isFrom ? line : '', offset: offset + at })
          state = 'header'
          length = 0
        } else if (state === 'header') length = contentLength ? Number(LENGTH.exec(line)?.[1] ?? length) : 0
        else if (quoted?.test(line) === true) {
          pass(at)
          passed = at + 1
        }
      }
      inLine = lineEnd < 0
      at = next
    }
    const held = blank < 0 ? at : blank
    pass(held)
    rest = octets.subarray(held)
    offset += held
    return tokens
  }
}

const isDated = (line: string): boolean => /\d\d:\d\d/.test(line) && /\d{4}/.test(line)
