import { constants } from 'node:buffer'
import { asBuffer, EMPTY, LF } from '../bytes.ts'
import { MailError } from '../errors.ts'
import { decodeText } from './charset/decode.ts'
import { isAmbiguous, type Report } from './defect.ts'
import { Description, type Entity, type EntityFacts } from './entity.ts'
import { checkParseOptions, wrongOption, type ParseOptions } from './limits.ts'
import { MimeTokenizer } from './tokenizer.ts'

/** Takes a whole message in memory apart (RFC 5322, RFC 2045 to 2049). Synchronous; decodes content and reads most fields only when asked. Never
 *  throws for what a sender wrote, but with `strict` or `onLimit: 'error'`; fails with `ERR_OPTION` for wrong options. */
export function parseMessage(octets: Uint8Array, options?: ParseOptions): Entity {
  const checked = checkParseOptions(options)
  if (!(octets instanceof Uint8Array)) throw wrongOption('a message is a Buffer or Uint8Array')
  const entities: ParsedEntity[] = []
  const tokenizer = MimeTokenizer.create<ParsedEntity>(checked, (facts) => new ParsedEntity(facts, entities), true)
  tokenizer.push(asBuffer(octets), true)
  tokenizer.next()
  const [root] = entities
  if (root === undefined) throw new Error('a message without a root')
  if (checked.strict.size > 0) for (const entity of entities) entity.readAll()
  else if (checked.onLimit === 'error') for (const entity of entities) entity.touch()
  return root
}

const PLAIN_ENCODINGS = new Set(['', '7bit', '8bit', 'binary', 'base64', 'quoted-printable'])
const MAX_LOOKED_FOR = 8 // look-alikes of delimiters are searched for so many of the enclosing multiparts

class ParsedEntity extends Description implements Entity {
  readonly parts: ParsedEntity[] = []
  readonly #source: Buffer
  #doubtful: boolean | undefined
  /** Content was, and text as text: its defects are known. */ #isRead = false

  constructor(facts: EntityFacts<ParsedEntity>, entities: ParsedEntity[]) {
    super(facts)
    this.#source = facts.source ?? EMPTY
    facts.parent?.parts.push(this)
    entities.push(this)
  }

  get raw(): Buffer {
    return this.#source.subarray(this.start, this.end)
  }

  get #isText(): boolean {
    return this.type.startsWith('text/')
  }

  get #body(): Buffer {
    return this.#source.subarray(this.bodyStart, this.end)
  }

  get preamble(): Buffer {
    if (!this.isMultipart) return EMPTY
    return this.firstDelimiter < 0 ? this.#body : this.#source.subarray(this.bodyStart, Math.max(this.firstDelimiter, this.bodyStart))
  }

  get epilogue(): Buffer {
    return this.afterClose < 0 ? EMPTY : this.#source.subarray(this.afterClose, this.end)
  }

  content(): Buffer {
    return this.#decoded() ?? Buffer.from(this.#body)
  }

  text(): string {
    const text = this.#characters()
    if (text === undefined) throw new MailError('ERR_LIMIT', 'text that fits no string: its octets are in content()', { phase: 'parse' })
    return text
  }

  /** `undefined`: more than a string can hold. */
  #characters(): string | undefined {
    const decoded = this.#decoded()
    this.#isRead = true
    const octets = decoded ?? this.#body
    // Characters of decoded content have no place in the message.
    const report: Report = (code, offset) => this.report(code, this.bodyStart + (decoded === undefined ? offset : 0))
    return octets.length > constants.MAX_STRING_LENGTH ? undefined : decodeText(octets, this.charset, report)
  }

  /** `undefined`: the body as it is. */
  #decoded(): Buffer | undefined {
    this.#isRead ||= !this.#isText
    const decoder = this.decoder()
    if (decoder === null) return undefined
    const report = this.bodyReport()
    const content = decoder.decode(this.#body, report)
    const last = decoder.end(report)
    if (last.length === 0) return content
    return content.length === 0 ? last : Buffer.concat([content, last])
  }

  get ambiguous(): boolean {
    const all: ParsedEntity[] = [this]
    for (const entity of all) for (const part of entity.parts) all.push(part)
    return all.map((entity) => (entity.#doubtful ??= entity.#isDoubtful())).includes(true)
  }

  #isDoubtful(): boolean {
    this.readAll()
    if (this.defects.some(({ code }) => isAmbiguous(code))) return true
    const encoding = this.header.readFirst('content-transfer-encoding', (body) => body.toLowerCase()) ?? ''
    if (!PLAIN_ENCODINGS.has(encoding)) return true
    // `filename` and `filename*` in one field, and not the same.
    const { offset: start = 0, raw = EMPTY } = this.header.first('content-disposition') ?? {}
    if (this.defects.some(({ code, offset }) => code === 'parameter-conflict' && offset > start && offset < start + raw.length)) return true
    return this.isMultipart ? this.#isBoundaryDoubtful() : this.#holdsDelimiter()
  }

  /** Written in a way that some readers do not take: specials without quotes, apostrophes, half a pair of quotes (RFC 2045 §5.1). Or the beginning of
   *  another boundary around it, or the other way round, so that a reader that compares beginnings is led astray. */
  #isBoundaryDoubtful(): boolean {
    const own = this.boundary
    if (own !== '' && this.#boundariesAround().some((other) => other !== own && (other.startsWith(own) || own.startsWith(other)))) return true
    const body = this.header.readFirst('content-type', (field) => field) ?? ''
    const at = body.toLowerCase().indexOf('boundary=')
    if (at === -1) return false
    const value = body.slice(at + 'boundary='.length)
    if (value.startsWith('"')) return !value.includes('"', 1)
    return value.startsWith("'") || /[=:/?]/.test(value.split(';', 1)[0] ?? '')
  }

  /** A delimiter of a multipart around it that does not begin a line: some readers cut there. */
  #holdsDelimiter(): boolean {
    const body = this.#body
    for (const boundary of this.#boundariesAround()) {
      const needle = Buffer.from(`--${boundary}`, 'latin1')
      for (let at = body.indexOf(needle); at !== -1; at = body.indexOf(needle, at + needle.length)) {
        if (at > 0 && body[at - 1] !== LF) return true
      }
    }
    return false
  }

  /** Of the multiparts around it, the innermost. */
  #boundariesAround(): string[] {
    return this.path.flatMap(({ boundary }) => (boundary === '' ? [] : [boundary])).slice(-MAX_LOOKED_FOR)
  }

  /** Finds all defects there are; content that was read before is not read again. */
  readAll(): void {
    this.touch()
    if (this.#isRead || this.parts.length > 0) return
    if (this.#isText) this.#characters()
    else this.#decoded()
  }
}
