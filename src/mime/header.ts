import { CR, LF } from '../bytes.ts'
import type { Report } from './defect.ts'
import { parseAddressList, type Group, type Mailbox } from './field/address.ts'
import { parseDate } from './field/date.ts'
import { parseMessageIds } from './field/message-id.ts'
import { decodeUnstructured, isBlank } from './field/scan.ts'

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
const DATE_FIELDS = new Set(['date', 'resent-date'])
const ID_FIELDS = new Set('message-id in-reply-to references resent-message-id content-id'.split(' '))
/** Fields that may occur once (RFC 5322 §3.6, RFC 2045 §3, RFC 2183 §2). Where they do not, readers take different ones. */
const SINGLE_FIELDS = new Set([
  ...'from sender reply-to to cc bcc subject date message-id in-reply-to references mime-version'.split(' '),
  ...'content-type content-transfer-encoding content-disposition content-id'.split(' '),
])

/** One field, looked at when somebody asks. */
class SectionField implements Field {
  readonly #section: HeaderSection
  readonly #mark: number
  #value: string | undefined

  constructor(section: HeaderSection, mark: number) {
    this.#section = section
    this.#mark = mark
  }

  get name(): string {
    return this.#section.nameAt(this.#mark)
  }

  get value(): string {
    return (this.#value ??= this.#section.readAt(this.#mark, decodeUnstructured))
  }

  get raw(): Buffer {
    return this.#section.octets.subarray(this.#section.startAt(this.#mark), this.#section.startAt(this.#mark + 2))
  }

  get offset(): number {
    return this.#section.offset + this.#section.startAt(this.#mark)
  }
}

/** A header section: its octets, and where its fields are in them. Inside, a field is an index in the marks: there can be more than are worth
 *  an object each. */
export class HeaderSection implements Header {
  /** Owned, or a view of the whole message. */ readonly octets: Buffer
  /** Of the first octet in the message. */ readonly offset: number
  readonly #marks: Marks
  readonly #report: Report
  /** One character an octet. */ readonly #text: string
  readonly #hasNul: boolean
  #fields: readonly Field[] | undefined
  #touched = false

  constructor(octets: Buffer, offset: number, marks: Marks, report: Report) {
    this.octets = octets
    this.offset = offset
    this.#marks = marks
    this.#report = report
    this.#text = octets.toString('latin1')
    this.#hasNul = this.#text.includes('\0')
  }

  get fields(): readonly Field[] {
    return (this.#fields ??= Array.from({ length: this.#marks.length / 2 }, (_, at) => new SectionField(this, 2 * at)))
  }

  /** Where a field begins; behind the last the section ends. */
  startAt(mark: number): number {
    return this.#marks[mark] ?? this.octets.length
  }

  nameAt(mark: number): string {
    const end = this.#marks[mark + 1] ?? -1
    const name = end === -1 ? '' : this.#text.slice(this.startAt(mark), end)
    return this.#hasNul ? name.replaceAll('\0', '') : name
  }

  /** Hands the unfolded body of a field to a parser; what it reports is put at its place in the message. */
  readAt<T>(mark: number, parse: FieldParser<T>): T {
    const text = this.#text
    const nameEnd = this.#marks[mark + 1] ?? -1
    let start = nameEnd === -1 ? this.startAt(mark) : text.indexOf(':', nameEnd) + 1
    let end = this.startAt(mark + 2)
    while (start < end && isBlank(text.charCodeAt(start))) start++
    while (end > start && isBlank(text.charCodeAt(end - 1))) end--
    const raw = text.slice(start, end)
    // Without the line ends in front of blanks; a lone CR is a blank (RFC 5322 §2.2.3).
    const body = raw.includes('\n') || raw.includes('\r') ? raw.replace(/\r?\n/g, '').replaceAll('\r', ' ') : raw
    let places: Uint32Array | undefined
    return parse(body, (code, offset) => {
      places ??= placesOf(raw)
      this.#report(code, this.offset + start + (places[offset] ?? raw.length))
    })
  }

  /** The next field of that name, `key` in lower case, from `mark` on; -1 without one. */
  #next(key: string, mark: number): number {
    for (; mark < this.#marks.length; mark += 2) {
      const end = this.#marks[mark + 1] ?? -1
      // A name of another length is this one only with NUL in it.
      if ((end - this.startAt(mark) === key.length || this.#hasNul) && end !== -1 && this.nameAt(mark).toLowerCase() === key) return mark
    }
    return -1
  }

  /** The first field of that name. */
  first(name: string): Field | undefined {
    const mark = this.#next(name.toLowerCase(), 0)
    return mark === -1 ? undefined : new SectionField(this, mark)
  }

  /** What the first field of that name says. */
  readFirst<T>(name: string, parse: FieldParser<T>): T | undefined {
    const mark = this.#next(name.toLowerCase(), 0)
    return mark === -1 ? undefined : this.readAt(mark, parse)
  }

  value(name: string): string | undefined {
    return this.readFirst(name, decodeUnstructured)
  }

  values(name: string): readonly string[] {
    return this.read(name, decodeUnstructured)
  }

  addresses(name: string): readonly (Mailbox | Group)[] {
    return this.readFirst(name, parseAddressList) ?? []
  }

  date(name = 'Date'): Date | null {
    return this.readFirst(name, parseDate) ?? null
  }

  messageIds(name: string): readonly string[] {
    return this.readFirst(name, parseMessageIds) ?? []
  }

  read<T>(name: string, parse: FieldParser<T>): readonly T[] {
    const key = name.toLowerCase()
    const found: T[] = []
    for (let mark = this.#next(key, 0); mark !== -1; mark = this.#next(key, mark + 2)) found.push(this.readAt(mark, parse))
    return found
  }

  /** Defects of the section as a whole, which need no field to be understood. */
  examine(): void {
    const { octets, offset } = this
    const seen = new Set<string>()
    for (let mark = 0; mark < this.#marks.length; mark += 2) {
      const key = this.nameAt(mark).toLowerCase()
      if (seen.has(key)) this.#report('duplicate-field', offset + this.startAt(mark))
      else if (SINGLE_FIELDS.has(key)) seen.add(key)
    }
    for (let at = octets.indexOf(0); at !== -1; at = octets.indexOf(0, at)) {
      this.#report('nul-octet', offset + at)
      // One a line is enough to point at them all.
      const lineEnd = octets.indexOf(LF, at)
      at = lineEnd === -1 ? octets.length : lineEnd
    }
    for (let at = octets.indexOf(CR); at !== -1; at = octets.indexOf(CR, at + 1)) {
      if (octets[at + 1] !== LF) this.#report('bare-cr', offset + at)
    }
  }

  /** Reads every field in the way its name asks for, so that all their defects are known. */
  touch(): void {
    if (this.#touched) return
    this.#touched = true
    for (let mark = 0; mark < this.#marks.length; mark += 2) {
      const key = this.nameAt(mark).toLowerCase()
      if (ADDRESS_FIELDS.has(key)) this.readAt(mark, parseAddressList)
      else if (DATE_FIELDS.has(key)) this.readAt(mark, parseDate)
      else if (ID_FIELDS.has(key)) this.readAt(mark, parseMessageIds)
      // Content-* fields are read by their entity.
      else if (!key.startsWith('content-')) this.readAt(mark, decodeUnstructured)
    }
  }
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
