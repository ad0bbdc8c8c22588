import { MailError } from '../errors.ts'
import { DefectList, DEFECTS, type Defect, type Report } from './defect.ts'
import { createDecoder, type ContentDecoder } from './encoding/decoder.ts'
import { parseDisposition, parseMediaType, parseTransferEncoding, type Disposition, type MediaType } from './field/content-fields.ts'
import { safeFileName } from './file-name.ts'
import { HeaderSection, type Header, type Marks } from './header.ts'
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

/** What the tokenizer makes of an entity. `leaf`: also a multipart or message that is not taken apart; `rest`: what lies past a limit. */
export type Kind = 'multipart' | 'message' | 'leaf' | 'rest'

/** What an entity is made of when its header section is complete. */
export interface EntityFacts<E> {
  readonly parent: E | null
  /** Among the parts of its multipart, from 1; 0 for the root of a message. */ readonly position: number
  /** What `octets` of the whole message (or decoded enclosed message) it lies in, when they are in memory. */ readonly source: Buffer | null
  readonly octets: Buffer
  readonly marks: Marks
  readonly start: number
  readonly bodyStart: number
  readonly log: DefectLog
}

/** What all entities of one message share about defects: what throws, and how many more are kept. */
export type DefectLog = { readonly options: CheckedParseOptions; left: number }

/** So many defects are kept for a message. */
export const MAX_DEFECTS = 10_000
const IDENTITY = new Set(['7bit', '8bit', 'binary'])
const ENCODED = new Set(['base64', 'quoted-printable', 'x-uuencode'])
const NO_PARAMETERS: ReadonlyMap<string, string> = new Map()
const NO_DISPOSITION: Disposition = { disposition: null, parameters: NO_PARAMETERS }
const OCTET_STREAM = 'application/octet-stream'

/** An entity's header section and what follows from it; fields that structure does not need are read when asked for. */
export class Description implements Described {
  readonly header: HeaderSection
  readonly depth: number
  readonly start: number
  bodyStart: number
  /** Where the body ends; known when the entity is closed. */
  end = 0
  /** Of a multipart: where its first delimiter begins, and where the line after its close delimiter does; -1 without one. */
  firstDelimiter = -1
  afterClose = -1
  kind: Kind = 'leaf'
  /** Content-Type as structure sees it, whatever the encoding. */ readonly mediaType: MediaType
  readonly isMultipart: boolean
  readonly #parent: Description | null
  readonly #position: number
  readonly #log: DefectLog
  #section: string | undefined
  #defects: DefectList | undefined
  #listed: readonly Defect[] | undefined
  #encoding: string | undefined
  #disposition: Disposition | undefined
  #contentId: string | null | undefined
  #examined = false

  constructor(facts: EntityFacts<Description>) {
    const { parent, log } = facts
    this.#parent = parent
    this.#position = facts.position
    this.#log = log
    this.depth = parent === null ? 0 : parent.depth + 1
    this.start = facts.start
    this.bodyStart = facts.bodyStart
    this.header = new HeaderSection(facts.octets, facts.start, facts.marks, this.report)
    const given = this.header.readFirst('content-type', (body, report) => parseMediaType(body, report, log.options.limits.parameters))
    this.mediaType = given?.valid === true ? given : { type: this.#defaultType, parameters: given?.parameters ?? NO_PARAMETERS, valid: false }
    this.isMultipart = this.mediaType.type.startsWith('multipart/')
  }

  /** Takes a defect of this entity; `offset` counts from the start of the message. */
  readonly report: Report = (code, offset) => {
    const { onLimit, strict } = this.#log.options
    if (onLimit === 'error' && code.endsWith('-limit')) {
      throw new MailError('ERR_LIMIT', `the message crosses a limit (${code}) at octet ${offset}`, { phase: 'parse' })
    }
    if (strict.has(code)) {
      throw new MailError('ERR_CONTENT', `the message has a defect (${code}) at octet ${offset}`, { phase: 'parse' })
    }
    if (this.#log.left === 0) return
    this.#defects ??= new DefectList()
    if (!this.#defects.add(code, offset)) return
    this.#log.left--
    this.#listed = undefined
  }

  /** Takes a defect whose `offset` counts from the start of the body. */
  bodyReport(): Report {
    return (code, offset) => this.report(code, this.bodyStart + offset)
  }

  get section(): string {
    return (this.#section ??= this.#number())
  }

  /** As IMAP counts (RFC 9051 §6.4.5.1). */
  #number(): string {
    if (this.#parent === null) return ''
    const around = this.#parent.section
    if (this.#position > 0) return around === '' ? `${this.#position}` : `${around}.${this.#position}`
    // A message that is an enclosed message is part 1 of itself; of an enclosed one that is no multipart, the body is part 1.
    const own = around === '' ? '1' : around
    return this.isMultipart ? own : `${own}.1`
  }

  /** RFC 2045 §5.2, RFC 2046 §5.1.5. */
  get #defaultType(): string {
    return this.#parent?.mediaType.type === 'multipart/digest' ? 'message/rfc822' : 'text/plain'
  }

  get isMessage(): boolean {
    return this.mediaType.type === 'message/rfc822' || this.mediaType.type === 'message/global'
  }

  get type(): string {
    if (this.kind === 'rest') return OCTET_STREAM
    return this.isMultipart || this.knowsEncoding ? this.mediaType.type : OCTET_STREAM
  }

  get knowsEncoding(): boolean {
    return IDENTITY.has(this.encoding) || ENCODED.has(this.encoding)
  }

  /** A fresh decoder, or `null` when content passes as it is: by an identity encoding, or because nobody knows another way. */
  decoder(): ContentDecoder | null {
    return this.isMultipart ? null : createDecoder(this.encoding)
  }

  get parameters(): ReadonlyMap<string, string> {
    return this.mediaType.parameters
  }

  get encoding(): string {
    if (this.#encoding !== undefined) return this.#encoding
    this.#encoding = this.header.readFirst('content-transfer-encoding', parseTransferEncoding) ?? '7bit'
    // A multipart's parts are encoded, never itself (RFC 2045 §6.4).
    if (this.isMultipart && !IDENTITY.has(this.#encoding)) this.report('encoded-multipart', this.#offsetOf('content-transfer-encoding'))
    return this.#encoding
  }

  get disposition(): string | null {
    return this.#contentDisposition.disposition
  }

  get #contentDisposition(): Disposition {
    const { parameters } = this.#log.options.limits
    return (this.#disposition ??=
      this.header.readFirst('content-disposition', (body, report) => parseDisposition(body, report, parameters)) ?? NO_DISPOSITION)
  }

  get fileName(): string | null {
    return this.#contentDisposition.parameters.get('filename') ?? this.parameters.get('name') ?? null
  }

  get safeFileName(): string | null {
    const { fileName } = this
    return fileName === null ? null : safeFileName(fileName)
  }

  get contentId(): string | null {
    if (this.#contentId === undefined) this.#contentId = this.header.messageIds('content-id')[0] ?? null
    return this.#contentId
  }

  get charset(): string | null {
    return this.parameters.get('charset')?.toLowerCase() ?? null
  }

  get defects(): readonly Defect[] {
    this.examine()
    // By place, so that they do not depend on what was asked for first.
    return (this.#listed ??= (this.#defects?.found ?? [])
      .map(({ code, offset }) => ({ code, offset, section: this.section, severity: DEFECTS[code].severity }))
      .toSorted((a, b) => a.offset - b.offset || (a.code < b.code ? -1 : 1)))
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
