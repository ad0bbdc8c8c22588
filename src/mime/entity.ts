import { MailError } from '../errors.ts'
import { DefectList, DEFECTS, type Defect, type Report } from './defect.ts'
import { createDecoder, type ContentDecoder } from './encoding/decoder.ts'
import { parseDisposition, parseMediaType, parseTransferEncoding, type Disposition, type MediaType } from './field/content-fields.ts'
import { safeFileName } from './file-name.ts'
import { HeaderSection, type FieldParser, type Header, type Marks } from './header.ts'
import type { CheckedParseOptions } from './limits.ts'

/** What is known of an entity from its header section. */
export interface Described {
  /** As IMAP numbers parts: '' for the message, '1', '1.2'; an enclosed message's parts lie under its own number: the root of one enclosed in '2' is
   *  '2' when a multipart, '2.1' when a leaf (RFC 9051 §6.4.5.1). */
  readonly section: string
  /** Lower case; 'text/plain' (in a digest 'message/rfc822') where the field is absent or unusable, 'application/octet-stream' when the encoding is
   *  unknown (RFC 2045 §5.2 and §6.4). */
  readonly type: string
  /** Of Content-Type, names in lower case, values decoded. */ readonly parameters: ReadonlyMap<string, string>
  /** 'inline', 'attachment', another token in lower case, or `null` (RFC 2183). */ readonly disposition: string | null
  /** Decoded, as the sender gave it. Not fit for a file system: see `safeFileName`. */ readonly fileName: string | null
  /** Fit for any file system, at most 200 octets; `null` when there is no name. */ readonly safeFileName: string | null
  /** Without angle brackets. */ readonly contentId: string | null
  /** The charset parameter in lower case. */ readonly charset: string | null
  /** The content-transfer-encoding, in lower case; '7bit' where the field is absent. */ readonly encoding: string
  readonly header: Header
  /** By offset. Those of structure and of the Content-* fields are always there, those of another field once its value was asked for, those of
   *  content once it was read. */
  readonly defects: readonly Defect[]
}

/** A message in memory, or a part of it. */
export interface Entity extends Described {
  /** Of a multipart; of an enclosed message its one root. */ readonly parts: readonly Entity[]
  /** All octets of the entity, header section included; a view. */ readonly raw: Buffer
  /** Of a multipart: what stands before its first part, all of its body when it has none, and what stands after its last; views (RFC 2046 §5.1.1). */
  readonly preamble: Buffer
  readonly epilogue: Buffer
  /** Octets after the transfer encoding. Decoded anew by every call, and owned by the caller. */
  content(): Buffer
  /** Characters after the charset. Throws `ERR_LIMIT` for more than a string can hold. */
  text(): string
  /** Some reader is known to see another message here, or in a part. Asking reads whatever was not read yet. */ readonly ambiguous: boolean
}

/** What an entity is made of when its header section is complete. */
export interface EntityFacts<E> {
  readonly parent: E | null
  /** What `octets` of the whole message (or decoded enclosed message) it lies in, when they are in memory. */ readonly source: Buffer | null
  readonly octets: Buffer
  readonly marks: Marks
  readonly start: number
  readonly bodyStart: number
  readonly log: DefectLog
}

/** What all entities of one message share about defects: what throws, and how many more are kept. */
export type DefectLog = { readonly options: CheckedParseOptions; left: number }

const IDENTITY = new Set(['7bit', '8bit', 'binary'])
const ENCODED = new Set(['base64', 'quoted-printable', 'x-uuencode'])
const NO_PARAMETERS: ReadonlyMap<string, string> = new Map()
const OCTET_STREAM = 'application/octet-stream'

/** An entity's header section and what follows from it; fields that structure does not need are read when asked for. */
export class Description implements Described {
  readonly header: HeaderSection
  readonly section: string
  readonly depth: number
  readonly start: number
  bodyStart: number
  /** Where the body ends; known when the entity is closed. */ end = 0
  /** Of a multipart that is taken apart: its boundary; where its first delimiter begins, and where the line after its close delimiter does, -1 without
   *  one; where that one ends, but for its line end; and whether more than blanks come after it. */
  boundary = ''
  firstDelimiter = -1
  afterClose = -1
  closeEnd = -1
  hasTrailer = false
  partCount = 0
  /** What the tokenizer makes of it. `leaf`: also a multipart or message that is not taken apart; `rest`: what lies past a limit. */
  kind: 'multipart' | 'message' | 'leaf' | 'rest' = 'leaf'
  /** Content-Type as structure sees it, whatever the encoding. */ readonly mediaType: MediaType
  readonly parameters: ReadonlyMap<string, string>
  readonly charset: string | null
  readonly isMultipart: boolean
  readonly #facts: EntityFacts<Description>
  readonly #defects = new DefectList()
  #encoding: string | undefined
  #disposition: Disposition | undefined
  #examined = false

  constructor(facts: EntityFacts<Description>) {
    const { parent } = facts
    this.#facts = facts
    this.depth = parent === null ? 0 : parent.depth + 1
    this.start = facts.start
    this.bodyStart = facts.bodyStart
    this.header = new HeaderSection(facts.octets, facts.start, facts.marks, this.report)
    const given = this.header.readFirst('content-type', (body, report) => parseMediaType(body, report, facts.log.options.limits.parameters))
    // RFC 2045 §5.2, RFC 2046 §5.1.5.
    const type = parent?.mediaType.type === 'multipart/digest' ? 'message/rfc822' : 'text/plain'
    this.mediaType = given?.valid === true ? given : { type, parameters: given?.parameters ?? NO_PARAMETERS, valid: false }
    this.parameters = this.mediaType.parameters
    this.charset = this.parameters.get('charset')?.toLowerCase() ?? null
    this.isMultipart = this.mediaType.type.startsWith('multipart/')
    if (parent === null) this.section = ''
    else if (parent.kind === 'multipart') this.section = `${parent.section === '' ? '' : `${parent.section}.`}${++parent.partCount}`
    else {
      // A message that is an enclosed message is part 1 of itself; of an enclosed one that is no multipart, the body is part 1.
      parent.partCount = 1
      this.section = (parent.section === '' ? '1' : parent.section) + (this.isMultipart ? '' : '.1')
    }
  }

  /** Takes a defect of this entity; `offset` counts from the start of the message. */
  readonly report: Report = (code, offset) => {
    const { log } = this.#facts
    const { onLimit, strict } = log.options
    if (onLimit === 'error' && code.endsWith('-limit')) {
      throw new MailError('ERR_LIMIT', `the message crosses a limit (${code}) at octet ${offset}`, { phase: 'parse' })
    }
    if (strict.has(code)) throw new MailError('ERR_CONTENT', `the message has a defect (${code}) at octet ${offset}`, { phase: 'parse' })
    if (log.left > 0 && this.#defects.add(code, offset)) log.left--
  }

  /** Takes a defect whose `offset` counts from the start of the body. */
  bodyReport(): Report {
    return (code, offset) => this.report(code, this.bodyStart + offset)
  }

  /** The entities it lies in, from the outside in. */
  get path(): readonly Description[] {
    const around: Description[] = []
    for (let { parent } = this.#facts; parent !== null; { parent } = parent.#facts) around.push(parent)
    return around.toReversed()
  }

  get type(): string {
    return this.kind !== 'rest' && (this.isMultipart || this.knowsEncoding) ? this.mediaType.type : OCTET_STREAM
  }

  get knowsEncoding(): boolean {
    return IDENTITY.has(this.encoding) || ENCODED.has(this.encoding)
  }

  /** A fresh decoder, or `null` when content passes as it is: by an identity encoding, or because nobody knows another way. */
  decoder(): ContentDecoder | null {
    return this.isMultipart ? null : createDecoder(this.encoding)
  }

  get encoding(): string {
    if (this.#encoding !== undefined) return this.#encoding
    this.#encoding = this.header.readFirst('content-transfer-encoding', parseTransferEncoding) ?? '7bit'
    // A multipart's parts are encoded, never itself (RFC 2045 §6.4).
    if (this.isMultipart && !IDENTITY.has(this.#encoding)) this.report('encoded-multipart', this.#offsetOf('content-transfer-encoding'))
    return this.#encoding
  }

  get #contentDisposition(): Disposition {
    const read: FieldParser<Disposition> = (body, report) => parseDisposition(body, report, this.#facts.log.options.limits.parameters)
    return (this.#disposition ??= this.header.readFirst('content-disposition', read) ?? { disposition: null, parameters: NO_PARAMETERS })
  }

  get disposition(): string | null {
    return this.#contentDisposition.disposition
  }

  get fileName(): string | null {
    return this.#contentDisposition.parameters.get('filename') ?? this.parameters.get('name') ?? null
  }

  get safeFileName(): string | null {
    return this.fileName === null ? null : safeFileName(this.fileName)
  }

  get contentId(): string | null {
    return this.header.messageIds('content-id')[0] ?? null
  }

  get defects(): readonly Defect[] {
    this.examine()
    // By place, so that they do not depend on what was asked for first.
    return this.#defects.found
      .map(({ code, offset }) => ({ code, offset, section: this.section, severity: DEFECTS[code].severity }))
      .toSorted((a, b) => a.offset - b.offset || (a.code < b.code ? -1 : 1))
  }

  /** Finds the defects of the Content-* fields and of the header section as a whole. */
  examine(): void {
    if (this.#examined) return
    this.#examined = true
    this.header.examine()
    void this.encoding
    void this.contentId
    const { fileName } = this
    const name = this.parameters.get('name')
    if (name !== undefined && fileName !== name) this.report('parameter-conflict', this.#offsetOf('content-disposition'))
  }

  /** Finds the defects of all fields. */
  touch(): void {
    this.examine()
    this.header.touch()
  }

  #offsetOf(field: string): number {
    return this.header.first(field)?.offset ?? this.start
  }
}
