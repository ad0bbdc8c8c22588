import { CR, LF } from '../bytes.ts'
import type { Report } from './defect.ts'
import { parseAddressList, type Group, type Mailbox } from './field/address.ts'
import { parseDate } from './field/date.ts'
import { parseMessageIds } from './field/message-id.ts'
import { isBlank } from './field/scan.ts'
import { decodeUnstructured } from './field/text.ts'

/** The fields of a header section (RFC 5322 §2.2). A name that occurs more than once stands for its first field; all are in `fields`. */
export interface Header {
  /** In order, repeated ones included. Lines that are no field are kept with an empty name. */ readonly fields: readonly Field[]
  /** The first field of that name, decoded and unfolded. Letter case does not matter. */
  value(name: string): string | undefined
  /** All fields of that name. */
  values(name: string): readonly string[]
  /** The first field of that name as an address list (RFC 5322 §3.4). */
  addresses(name: string): readonly (Mailbox | Group)[]
  /** The first field of that name as a moment, or `null` when it is absent or cannot be read. @default 'Date' */
  date(name?: string): Date | null
  /** The identifiers in the first field of that name, without angle brackets: References, In-Reply-To, Message-ID. */
  messageIds(name: string): readonly string[]
  /** Every field of that name, read by a parser of structured fields: `header.read('Received', parseReceived)`. */
  read<T>(name: string, parse: FieldParser<T>): readonly T[]
}

export interface Field {
  /** As sent; '' for a line that is no field. */ readonly name: string
  /** Unfolded, encoded-words and raw 8-bit text decoded. */ readonly value: string
  /** All octets of the field, its line ends included. */ readonly raw: Buffer
  /** Of the first octet, from the start of the message (inside a decoded enclosed message: from its own start). */ readonly offset: number
}

/** Reads the unfolded body of a field; `report` takes what is wrong with it. */
export type FieldParser<T> = (body: string, report: Report) => T

/** Marks come in pairs: where a field begins in its section, and where its name ends; -1 for a line that is no field. */
export type Marks = readonly number[]

const ADDRESS_FIELDS = new Set('from sender reply-to to cc bcc resent-from resent-sender resent-to resent-cc'.split(' '))
const DATE_FIELDS = new Set('date resent-date'.split(' '))
const ID_FIELDS = new Set('message-id in-reply-to references resent-message-id content-id'.split(' '))
/** Fields that may occur once (RFC 5322 §3.6, RFC 2045 §3, RFC 2183 §2). Where they do not, readers take different ones. */
const SINGLE_FIELDS = new Set([
  ...'from sender reply-to to cc bcc subject date message-id in-reply-to references mime-version'.split(' '),
  ...'content-type content-transfer-encoding content-disposition content-id'.split(' '),
])

/** One field, looked at when somebody asks. */
class SectionField implements Field {
  readonly #section: HeaderSection
  readonly #start: number
  readonly #nameEnd: number
  readonly #end: number
  #value: string | undefined

  constructor(section: HeaderSection, start: number, nameEnd: number, end: number) {
    this.#section = section
    this.#start = start
    this.#nameEnd = nameEnd
    this.#end = end
  }

  get name(): string {
    return this.#section.nameAt(this.#start, this.#nameEnd)
  }

  get value(): string {
    return (this.#value ??= this.read(decodeUnstructured))
  }

  get raw(): Buffer {
    return this.#section.octets.subarray(this.#start, this.#end)
  }

  get offset(): number {
    return this.#section.offset + this.#start
  }

  /** Hands the unfolded body to a parser; what it reports is put at its place in the message. */
  read<T>(parse: FieldParser<T>): T {
    const { text } = this.#section
    let start = this.#start
    let end = this.#end
    if (this.#nameEnd !== -1) start = text.indexOf(':', this.#nameEnd) + 1
    while (start < end && isBlank(text.charCodeAt(start))) start++
    while (end > start && isBlank(text.charCodeAt(end - 1))) end--
    const raw = text.slice(start, end)
    let places: Uint32Array | undefined
    return parse(unfolded(raw), (code, offset) => {
      places ??= placesOf(raw)
      this.#section.report(code, this.#section.offset + start + (places[offset] ?? raw.length))
    })
  }
}

/** A header section: its octets, and where its fields are in them. */
export class HeaderSection implements Header {
  /** Owned, or a view of the whole message. */ readonly octets: Buffer
  /** Of the first octet in the message. */ readonly offset: number
  readonly report: Report
  readonly #marks: Marks
  #fields: readonly SectionField[] | undefined
  #text: string | undefined
  #hasNul: boolean | undefined
  /** Those asked for: a section can have more fields than are worth an object each. */ readonly #firsts = new Map<string, SectionField>()
  #touched = false

  constructor(octets: Buffer, offset: number, marks: Marks, report: Report) {
    this.octets = octets
    this.offset = offset
    this.report = report
    this.#marks = marks
  }

  /** One character an octet. */
  get text(): string {
    return (this.#text ??= this.octets.toString('latin1'))
  }

  get hasNul(): boolean {
    return (this.#hasNul ??= this.text.includes('\0'))
  }

  get fields(): readonly SectionField[] {
    if (this.#fields !== undefined) return this.#fields
    const fields: SectionField[] = []
    for (let mark = 0; mark < this.#marks.length; mark += 2) fields.push(this.#field(mark))
    return (this.#fields = fields)
  }

  #field(mark: number): SectionField {
    return new SectionField(this, this.#marks[mark] ?? 0, this.#marks[mark + 1] ?? -1, this.#marks[mark + 2] ?? this.octets.length)
  }

  nameAt(start: number, end: number): string {
    const name = end === -1 ? '' : this.text.slice(start, end)
    return this.hasNul ? name.replaceAll('\0', '') : name
  }

  /** The mark of the next field of that name, `key` in lower case, from a mark on; -1 without one. */
  #next(key: string, mark: number): number {
    for (; mark < this.#marks.length; mark += 2) {
      const start = this.#marks[mark] ?? 0
      const end = this.#marks[mark + 1] ?? -1
      // A name of another length is this one only with NUL in it.
      if ((end - start === key.length || this.hasNul) && end !== -1 && this.nameAt(start, end).toLowerCase() === key) return mark
    }
    return -1
  }

  /** The first field of that name. */
  first(name: string): SectionField | undefined {
    const key = name.toLowerCase()
    const mark = this.#firsts.has(key) ? -1 : this.#next(key, 0)
    if (mark !== -1) this.#firsts.set(key, this.#field(mark))
    return this.#firsts.get(key)
  }

  value(name: string): string | undefined {
    return this.first(name)?.value
  }

  values(name: string): readonly string[] {
    return this.read(name, decodeUnstructured)
  }

  addresses(name: string): readonly (Mailbox | Group)[] {
    return this.first(name)?.read(parseAddressList) ?? []
  }

  date(name = 'Date'): Date | null {
    return this.first(name)?.read(parseDate) ?? null
  }

  read<T>(name: string, parse: FieldParser<T>): readonly T[] {
    const key = name.toLowerCase()
    const found: T[] = []
    for (let mark = this.#next(key, 0); mark !== -1; mark = this.#next(key, mark + 2)) found.push(this.#field(mark).read(parse))
    return found
  }

  /** What the first field of that name says. */
  readFirst<T>(name: string, parse: FieldParser<T>): T | undefined {
    return this.first(name)?.read(parse)
  }

  messageIds(name: string): readonly string[] {
    return this.first(name)?.read(parseMessageIds) ?? []
  }

  /** Defects of the section as a whole, which need no field to be understood. */
  examine(): void {
    const seen = new Set<string>()
    for (let mark = 0; mark < this.#marks.length; mark += 2) {
      const start = this.#marks[mark] ?? 0
      const key = this.nameAt(start, this.#marks[mark + 1] ?? -1).toLowerCase()
      if (seen.has(key)) this.report('duplicate-field', this.offset + start)
      else if (SINGLE_FIELDS.has(key)) seen.add(key)
    }
    for (let at = this.octets.indexOf(0); at !== -1; at = this.octets.indexOf(0, at + 1)) {
      this.report('nul-octet', this.offset + at)
      // One a line is enough to point at them all.
      const lineEnd = this.octets.indexOf(LF, at)
      at = lineEnd === -1 ? this.octets.length : lineEnd
    }
    for (let at = this.octets.indexOf(CR); at !== -1; at = this.octets.indexOf(CR, at + 1)) {
      if (this.octets[at + 1] !== LF) this.report('bare-cr', this.offset + at)
    }
  }

  /** Reads every field in the way its name asks for, so that all their defects are known. */
  touch(): void {
    if (this.#touched) return
    this.#touched = true
    for (const field of this.fields) {
      const key = field.name.toLowerCase()
      if (ADDRESS_FIELDS.has(key)) field.read(parseAddressList)
      else if (DATE_FIELDS.has(key)) field.read(parseDate)
      else if (ID_FIELDS.has(key)) field.read(parseMessageIds)
      // Content-* fields are read by their entity.
      else if (!key.startsWith('content-')) void field.value
    }
  }
}

/** Without the line ends in front of blanks; a lone CR is a blank (RFC 5322 §2.2.3). */
function unfolded(raw: string): string {
  const body = raw.includes('\n') ? raw.replaceAll('\r\n', '').replaceAll('\n', '') : raw
  return body.includes('\r') ? body.replaceAll('\r', ' ') : body
}

/** Where the octets of the unfolded body are in the raw one. All at once, because a sender can have a defect in every one of them. */
function placesOf(raw: string): Uint32Array {
  const places = new Uint32Array(raw.length).fill(raw.length)
  let count = 0
  for (let at = 0; at < raw.length; at++) {
    const code = raw.charCodeAt(at)
    if (code !== LF && (code !== CR || raw.charCodeAt(at + 1) !== LF)) places[count++] = at
  }
  return places
}
