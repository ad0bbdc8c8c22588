import { MailError } from '../errors.ts'
import { SEVERITIES, type Defect, type DefectCode, type Report } from './defect.ts'
import { createDecoder, type ContentDecoder } from './encoding/decoder.ts'
import { parseDisposition } from './field/disposition.ts'
import { parseMediaType, type MediaType } from './field/media-type.ts'
import { parseMessageIds } from './field/message-id.ts'
import { parseTransferEncoding } from './field/transfer-encoding.ts'
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
  /** Of Content-Type, names in lower case, values decoded. */
  readonly parameters: ReadonlyMap<string, string>
  /** 'inline', 'attachment', another token in lower case, or `null` (RFC 2183). */
  readonly disposition: string | null
  /** Decoded, as the sender gave it. Not fit for a file system: see `safeFileName`. */
  readonly fileName: string | null
  /** Fit for any file system, at most 200 octets; `null` when there is no name. */
  readonly safeFileName: string | null
  /** Without angle brackets. */
  readonly contentId: string | null
  /** The charset parameter in lower case. */
  readonly charset: string | null
  /** The content-transfer-encoding, in lower case; '7bit' where the field is absent. */
  readonly encoding: string
  readonly header: Header
  /** By offset. Those of structure and of the Content-* fields are always there, those of another field once its value was asked for, those of
   *  content once it was read. */
  readonly defects: readonly Defect[]
}

/** A message in memory, or a part of it. */
export interface Entity extends Described {
  /** Of a multipart; of an enclosed message its one root. */
  readonly parts: readonly Entity[]
  /** All octets of the entity, header section included; a view. */
  readonly raw: Buffer
  /** Octets after the transfer encoding. Decoded anew by every call, and owned by the caller. */
  content(): Buffer
  /** Characters after the charset. */
  text(): string
  /** Some reader is known to see another message here, or in a part. Asking reads whatever was not read yet. */
  readonly ambiguous: boolean
}

/** What the tokenizer makes of an entity. `opaque`: a multipart or message that is not taken apart; `rest`: what lies past a limit. */
export type Kind = 'multipart' | 'message' | 'leaf' | 'opaque' | 'rest'

/** What an entity is made of when its header section is complete. */
export interface EntityFacts<E> {
  readonly parent: E | null
  /** 0 for the message. */
  readonly depth: number
  /** What `octets` of the whole message (or decoded enclosed message) it lies in, when they are in memory. */
  readonly source: Buffer | null
  readonly octets: Buffer
  readonly marks: Marks
  readonly start: number
  readonly bodyStart: number
  readonly defaultType: string
  /** Gives the section, once it is known whether the type is a multipart. */
  readonly number: (multipart: boolean) => string
  readonly log: DefectLog
}

/** So many defects of one code are kept for one entity, and so many in all for a message. */
const MAX_OF_A_CODE = 10
const MAX_DEFECTS = 10_000
const LIMIT_CODES: ReadonlySet<DefectCode> = new Set([
  'depth-limit',
  'parts-limit',
  'message-limit',
  'header-limit',
  'parameters-limit',
  'addresses-limit',
])
const IDENTITY = new Set(['7bit', '8bit', 'binary'])
const NO_PARAMETERS: ReadonlyMap<string, string> = new Map()
const OCTET_STREAM = 'application/octet-stream'

/** What all entities of one message share about defects: how many there may be, and what throws. */
export class DefectLog {
  readonly options: CheckedParseOptions
  left = MAX_DEFECTS

  constructor(options: CheckedParseOptions) {
    this.options = options
  }
}

/** An entity's header section and what follows from it; fields that structure does not need are read when asked for. */
export class Description implements Described {
  readonly section: string
  readonly header: HeaderSection
  readonly depth: number
  readonly start: number
  readonly bodyStart: number
  /** Where the body ends; known when the entity is closed. */
  end = 0
  kind: Kind = 'leaf'
  /** Readers differ about it for a reason that is no defect. */
  doubtful = false
  readonly report: Report
  /** Content-Type as structure sees it, whatever the encoding. */
  readonly mediaType: MediaType
  readonly #log: DefectLog
  #defects: Defect[] | undefined
  #counts: Map<DefectCode, number> | undefined
  #sorted: readonly Defect[] | undefined
  #encoding: string | undefined
  /** `null`: identity; `undefined`: the first one was taken, another is to be made. */
  #decoder: ContentDecoder | null | undefined
  #disposition: { readonly disposition: string | null; readonly parameters: ReadonlyMap<string, string> } | undefined
  #fileName: string | null | undefined
  #contentId: string | null | undefined
  #examined = false

  constructor(facts: EntityFacts<Description>) {
    this.#log = facts.log
    this.depth = facts.depth
    this.start = facts.start
    this.bodyStart = facts.bodyStart
    this.report = (code, offset) => this.#add(code, offset)
    this.header = new HeaderSection(facts.octets, facts.start, facts.marks, this.report)
    const { parameters } = facts.log.options.limits
    const early: [DefectCode, number][] = []
    const type = this.header.read(
      'content-type',
      (body, report) => parseMediaType(body, report, parameters),
      (code, offset) => early.push([code, offset]),
    )
    this.mediaType =
      type === undefined
        ? { type: facts.defaultType, parameters: NO_PARAMETERS, valid: true }
        : type.valid
          ? type
          : { ...type, type: facts.defaultType }
    this.section = facts.number(this.isMultipart)
    for (const [code, offset] of early) this.#add(code, offset)
  }

  get isMultipart(): boolean {
    return this.mediaType.type.startsWith('multipart/')
  }

  get isMessage(): boolean {
    return this.mediaType.type === 'message/rfc822' || this.mediaType.type === 'message/global'
  }

  get type(): string {
    if (this.kind === 'rest') return OCTET_STREAM
    return this.isMultipart || this.knowsEncoding ? this.mediaType.type : OCTET_STREAM
  }

  get knowsEncoding(): boolean {
    return IDENTITY.has(this.encoding) || this.#decoder !== null
  }

  /** A fresh decoder, or `null` when content passes as it is: by an identity encoding, or because nobody knows another way. */
  decoder(): ContentDecoder | null {
    const { encoding } = this
    if (this.isMultipart || this.#decoder === null) return null
    const decoder = this.#decoder ?? createDecoder(encoding)
    this.#decoder = undefined
    return decoder
  }

  get parameters(): ReadonlyMap<string, string> {
    return this.mediaType.parameters
  }

  get encoding(): string {
    if (this.#encoding !== undefined) return this.#encoding
    this.#encoding = this.header.read('content-transfer-encoding', parseTransferEncoding) ?? '7bit'
    this.#decoder = IDENTITY.has(this.#encoding) ? null : createDecoder(this.#encoding)
    // A multipart's parts are encoded, never itself (RFC 2045 §6.4).
    if (this.isMultipart && !IDENTITY.has(this.#encoding)) {
      this.report('encoded-multipart', this.header.first('content-transfer-encoding')?.offset ?? this.start)
    }
    return this.#encoding
  }

  get disposition(): string | null {
    return this.#contentDisposition.disposition
  }

  get #contentDisposition(): { readonly disposition: string | null; readonly parameters: ReadonlyMap<string, string> } {
    const { parameters } = this.#log.options.limits
    return (this.#disposition ??= this.header.read('content-disposition', (body, report) => parseDisposition(body, report, parameters)) ?? {
      disposition: null,
      parameters: NO_PARAMETERS,
    })
  }

  get fileName(): string | null {
    if (this.#fileName === undefined) {
      this.#fileName = this.#contentDisposition.parameters.get('filename') ?? this.parameters.get('name') ?? null
    }
    return this.#fileName
  }

  get safeFileName(): string | null {
    return this.fileName === null ? null : safeFileName(this.fileName)
  }

  get contentId(): string | null {
    if (this.#contentId === undefined) this.#contentId = this.header.read('content-id', parseMessageIds)?.[0] ?? null
    return this.#contentId
  }

  get charset(): string | null {
    return this.parameters.get('charset')?.toLowerCase() ?? null
  }

  get defects(): readonly Defect[] {
    this.examine()
    // By place, so that they do not depend on what was asked for first.
    return (this.#sorted ??= (this.#defects ?? []).toSorted((a, b) => a.offset - b.offset || (a.code < b.code ? -1 : 1)))
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
    if (name !== undefined && fileName !== name) this.report('parameter-conflict', this.header.first('content-disposition')?.offset ?? this.start)
  }

  /** Finds the defects of all fields. */
  touch(): void {
    this.examine()
    this.header.touch()
  }

  #add(code: DefectCode, offset: number): void {
    const severity = SEVERITIES[code]
    const { onLimit, strict } = this.#log.options
    if (onLimit === 'error' && LIMIT_CODES.has(code)) {
      throw new MailError('ERR_LIMIT', `the message crosses a limit (${code}) at octet ${offset}`, { phase: 'parse' })
    }
    if (strict && severity !== 'note') {
      throw new MailError('ERR_CONTENT', `the message has a defect (${code}) at octet ${offset}`, { phase: 'parse' })
    }
    this.#counts ??= new Map()
    this.#defects ??= []
    const count = this.#counts.get(code) ?? 0
    if (count >= MAX_OF_A_CODE || this.#log.left === 0) return
    // A field can be read in two ways, as text and as addresses, and has the defect once.
    if (count > 0 && this.#defects.some((defect) => defect.code === code && defect.offset === offset)) return
    this.#counts.set(code, count + 1)
    this.#log.left--
    this.#defects.push({ code, offset, section: this.section, severity })
    this.#sorted = undefined
  }
}
