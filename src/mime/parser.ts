import { asBuffer, EMPTY, LF } from '../bytes.ts'
import { MailError } from '../errors.ts'
import { boundaryOf } from './boundary.ts'
import { decodeText } from './charset/decode.ts'
import type { DefectCode, Report } from './defect.ts'
import { Description, type Entity, type EntityFacts } from './entity.ts'
import { checkParseOptions, type ParseOptions } from './limits.ts'
import { MimeTokenizer } from './tokenizer.ts'

/**
 * Takes a whole message in memory apart (RFC 5322, RFC 2045 to 2049). Synchronous; decodes content and reads most fields only when asked. Never
 * throws for what a sender wrote, but with `strict` or `onLimit: 'error'`; fails with `ERR_OPTION` for wrong options.
 */
export function parseMessage(octets: Uint8Array, options?: ParseOptions): Entity {
  const checked = checkParseOptions(options)
  if (!(octets instanceof Uint8Array)) throw new MailError('ERR_OPTION', 'a message is a Buffer or Uint8Array', { phase: 'options' })
  const tokenizer = MimeTokenizer.create<ParsedEntity>(checked, (facts) => new ParsedEntity(facts), true)
  tokenizer.push(asBuffer(octets), true)
  let root: ParsedEntity | undefined
  for (let token = tokenizer.next(); token !== undefined; token = tokenizer.next()) {
    if (root === undefined && token.type === 'open') root = token.entity
  }
  if (root === undefined) throw new Error('a message without a root')
  if (checked.strict) examineMessage(root)
  else if (checked.onLimit === 'error') for (const entity of root.all()) entity.touch()
  return root
}

/** Reads every field and all content of a message, so that its entities hold all their defects. */
export function examineMessage(message: Entity): void {
  if (message instanceof ParsedEntity) for (const entity of message.all()) entity.readAll()
}

/** Octets of the message, or of the decoded enclosed message. */
export interface Range {
  readonly offset: number
  readonly length: number
}

/** Where header section and body of an entity of `parseMessage` are. */
export function rangesOf(entity: Entity): { readonly header: Range; readonly body: Range } {
  if (!(entity instanceof ParsedEntity)) throw new TypeError('not an entity of parseMessage')
  const { start, bodyStart, end } = entity
  return { header: { offset: start, length: bodyStart - start }, body: { offset: bodyStart, length: end - bodyStart } }
}

/** The Message-ID of an entity of `parseMessage`, without angle brackets. */
export function messageIdOf(entity: Entity): string | null {
  return entity instanceof ParsedEntity ? (entity.header.messageIds('message-id')[0] ?? null) : null
}

/** Readers are known to differ where these are found. */
const AMBIGUOUS: ReadonlySet<string> = new Set<DefectCode>([
  'duplicate-field',
  'duplicate-boundary',
  'near-boundary',
  'boundary-trimmed',
  'boundary-too-long',
  'missing-boundary-parameter',
  'boundary-never-seen',
  'boundary-in-header',
  'missing-blank-line',
  'encoded-message',
  'bare-cr',
  'nul-octet',
  'field-without-colon',
  'field-name-invalid',
  'invalid-content-type',
  'parameter-gap',
  'base64-padding',
  'base64-after-padding',
  'base64-truncated',
  'unknown-encoding',
  'quoted-printable-invalid',
])
const PLAIN_ENCODINGS = new Set(['', '7bit', '8bit', 'binary', 'base64', 'quoted-printable'])
/** Look-alikes of delimiters are searched for so many of the enclosing multiparts. */
const MAX_LOOKED_FOR = 8

class ParsedEntity extends Description implements Entity {
  readonly parts: ParsedEntity[] = []
  readonly #source: Buffer
  readonly #parent: ParsedEntity | null
  #ambiguous: boolean | undefined
  #contentRead = false
  #textRead = false

  constructor(facts: EntityFacts<ParsedEntity>) {
    super(facts)
    this.#source = facts.source ?? EMPTY
    this.#parent = facts.parent
    this.#parent?.parts.push(this)
  }

  get raw(): Buffer {
    return this.#source.subarray(this.start, this.end)
  }

  get #body(): Buffer {
    return this.#source.subarray(this.bodyStart, this.end)
  }

  content(): Buffer {
    const content = this.#decoded()
    return content ?? Buffer.from(this.#body)
  }

  text(): string {
    this.#textRead = true
    const decoded = this.#decoded()
    // Characters of decoded content have no place in the message.
    const report: Report = (code, offset) => this.report(code, this.bodyStart + (decoded === undefined ? offset : 0))
    return decodeText(decoded ?? this.#body, this.charset, report)
  }

  /** `undefined`: the body as it is. */
  #decoded(): Buffer | undefined {
    this.#contentRead = true
    const decoder = this.decoder()
    if (decoder === null) return undefined
    const report: Report = (code, offset) => this.report(code, this.bodyStart + offset)
    const content = decoder.decode(this.#body, report)
    const last = decoder.end(report)
    if (last.length === 0) return content
    return content.length === 0 ? last : Buffer.concat([content, last])
  }

  get ambiguous(): boolean {
    if (this.#ambiguous !== undefined) return this.#ambiguous
    // Parts come after the entity they are in, so that from the last to the first each finds what it needs.
    const all = [...this.all()]
    for (let at = all.length - 1; at >= 0; at--) {
      const entity = all[at]
      if (entity !== undefined) entity.#ambiguous = entity.#isDoubtful() || entity.parts.some((part) => part.#ambiguous === true)
    }
    return this.#ambiguous ?? false
  }

  #isDoubtful(): boolean {
    this.readAll()
    if (this.doubtful || this.defects.some((defect) => AMBIGUOUS.has(defect.code))) return true
    const encoding = this.header.peek('content-transfer-encoding', (body) => body.toLowerCase()) ?? ''
    if (!PLAIN_ENCODINGS.has(encoding) || this.#filenamesDiffer) return true
    return this.isMultipart ? this.#isBoundaryDoubtful() : this.#holdsDelimiter()
  }

  /** `filename` and `filename*` in one field, and not the same. */
  get #filenamesDiffer(): boolean {
    const at = this.header.first('content-disposition')
    return (
      at !== undefined &&
      this.defects.some(({ code, offset }) => code === 'parameter-conflict' && offset > at.offset && offset < at.offset + at.raw.length)
    )
  }

  /** Written in a way that some readers do not take: specials without quotes, apostrophes, half a pair of quotes (RFC 2045 §5.1). */
  #isBoundaryDoubtful(): boolean {
    const body = this.header.peek('content-type', (field) => field) ?? ''
    const at = body.toLowerCase().indexOf('boundary=')
    if (at === -1) return false
    const value = body.slice(at + 'boundary='.length)
    if (value.startsWith('"')) return !value.includes('"', 1)
    return value.startsWith("'") || /[=:/?]/.test(value.split(';', 1)[0] ?? '')
  }

  /** A delimiter of a multipart around it that does not begin a line: some readers cut there. */
  #holdsDelimiter(): boolean {
    const body = this.#body
    let left = MAX_LOOKED_FOR
    for (let around = this.#parent; around !== null && left > 0; around = around.#parent) {
      const found = around.isMultipart ? boundaryOf(around.parameters) : null
      if (found === null) continue
      left--
      const needle = Buffer.from(`--${found.boundary}`, 'latin1')
      for (let at = body.indexOf(needle); at !== -1; at = body.indexOf(needle, at + needle.length)) {
        if (at > 0 && body[at - 1] !== LF) return true
      }
    }
    return false
  }

  /** Finds all defects there are; content that was read before is not read again. */
  readAll(): void {
    this.touch()
    if (this.parts.length > 0) return
    if (this.type.startsWith('text/')) {
      if (!this.#textRead) this.text()
    } else if (!this.#contentRead) this.#decoded()
  }

  /** This entity and all in it, in order. */
  *all(): Generator<ParsedEntity> {
    const stack: ParsedEntity[] = [this]
    for (let entity = stack.pop(); entity !== undefined; entity = stack.pop()) {
      yield entity
      for (let at = entity.parts.length - 1; at >= 0; at--) {
        const part = entity.parts[at]
        if (part !== undefined) stack.push(part)
      }
    }
  }
}
