import { CR, EMPTY, LF, NUL, SPACE, TAB } from '../bytes.ts'
import { boundaryOf, OpenBoundaries, type Bounded } from './boundary.ts'
import { DefectList, type DefectCode } from './defect.ts'
import { parseMediaType } from './field/content-fields.ts'
import { isBlank } from './field/scan.ts'
import { HeaderSection, type Marks } from './header.ts'

/** Where a header section ends, and what is in it. */
export interface HeaderEnd {
  /** A line that belongs to no header section: an empty one, a delimiter, the end of the octets, or text. */
  readonly by: 'blank' | 'delimiter' | 'end' | 'text'
  /** Where what follows it begins. */ readonly bodyStart: number
  /** Its fields. */ readonly octets: Buffer
  readonly marks: Marks
  /** Offsets count from the start of the section. */ readonly defects: DefectList
}

const COLON = 0x3a
const HYPHEN = 0x2d
const MAX_NAME = 998 // octets of a line (RFC 5322 §2.1.1)
const CONTENT_TYPE = 'content-type'

/** Finds the fields and the end of one header section, line by line, in octets that may not all be there yet: `scan` is called again when more
 *  are. What it knows is counted from the start of the section, so that the octets may move in between. */
export class HeaderScanner {
  readonly #open: OpenBoundaries<Bounded>
  /** Octets that this section may have. */ readonly #limit: number
  /** The section of a message, which a From_ line may precede, and not of a body part. */ readonly #root: boolean
  readonly #marks: number[] = []
  readonly #defects = new DefectList()
  #section = EMPTY
  /** Where the current line begins, and up to where no line end was found. */ #line = 0
  #searched = 0
  /** Index in the marks of the first line that is no field: without an empty line after it, the body begins there. */ #text = -1
  /** Index in the marks of the first Content-Type field. */ #typeAt = -1
  /** The delimiters that this section itself announces. */ #own: OpenBoundaries<Bounded> | undefined
  /** Past the limit: what was kept of the section, while the rest goes by. */ #kept: Buffer | undefined
  /** Past the limit, in a line whose beginning went by. */ #inLine = false
  /** Octets that went by. */ #gone = 0

  constructor(open: OpenBoundaries<Bounded>, limit: number, root: boolean) {
    this.#open = open
    this.#limit = limit
    this.#root = root
  }

  /** `section` is what there is of it and after it; `final`: no more octets follow. `undefined`: more are needed. */
  scan(section: Buffer, final: boolean): HeaderEnd | undefined {
    this.#section = section
    for (;;) {
      const line = this.#line
      if (line >= section.length) return final ? this.#end('end', line) : undefined
      const end = this.#inLine ? null : this.#endAt(line, final)
      if (end !== null) return end
      const lineEnd = section.indexOf(LF, this.#searched)
      const isWhole = lineEnd !== -1 || final
      this.#searched = lineEnd === -1 ? section.length : lineEnd + 1
      const cut = this.#kept === undefined && this.#searched > this.#limit ? this.#cut(line) : null
      if (cut !== null) return cut
      if (this.#kept === undefined) {
        if (!isWhole) return undefined
        const isBareLf = lineEnd !== -1 && section[lineEnd - 1] !== CR
        if (isBareLf && this.#defects.found.every(({ code }) => code !== 'bare-lf')) this.#find('bare-lf', lineEnd)
        if (!this.#take(line, this.#searched)) return this.#end('text', line)
      }
      this.#inLine = !isWhole
      this.#line = this.#searched
    }
  }

  /** How many octets from the start of the section are not needed any more: none, but past the limit. */
  release(): number {
    const octets = this.#kept === undefined ? 0 : this.#line
    this.#gone += octets
    this.#line -= octets
    this.#searched -= octets
    return octets
  }

  /** An empty line or a delimiter ends the section. `null`: the line at `line` is neither; `undefined`: more octets are needed. */
  #endAt(line: number, final: boolean): HeaderEnd | undefined | null {
    const octets = this.#section
    const first = octets[line]
    if (first === LF) return this.#end('blank', line + 1)
    if (first === CR && line + 1 === octets.length) return final ? null : undefined
    if (first === CR && octets[line + 1] === LF) return this.#end('blank', line + 2)
    if (first !== HYPHEN) return null
    for (const boundaries of [this.#open, this.#announced(line)]) {
      const match = boundaries?.match(octets, line, final)
      if (match === 'more') return undefined
      if (typeof match === 'object') return this.#end('delimiter', line)
    }
    return null
  }

  /** The boundary of the Content-Type field in this very section. */
  #announced(line: number): OpenBoundaries<Bounded> | undefined {
    if (this.#own !== undefined || this.#typeAt === -1 || this.#kept !== undefined) return this.#own
    this.#own = new OpenBoundaries<Bounded>()
    const marks = this.#marks.slice(this.#typeAt, this.#typeAt + 3)
    const type = new HeaderSection(this.#section.subarray(0, line), 0, marks, () => undefined).readFirst(CONTENT_TYPE, parseMediaType)
    const found = type?.type.startsWith('multipart/') === true ? boundaryOf(type.parameters) : null
    if (found !== null) this.#own.open(found)
    return this.#own
  }

  /** Takes one line as a field or a part of one. `false`: the section has no fields, its first line is text. */
  #take(line: number, next: number): boolean {
    const octets = this.#section
    const isFirst = this.#marks.length === 0
    const isContinuation = octets[line] === SPACE || octets[line] === TAB
    if (isContinuation && !isFirst) {
      if (octets.subarray(line, next).every((octet) => isBlank(octet))) this.#find('blank-line-in-header', line)
      return true
    }
    let end = line
    for (let octet = octets[end]; octet !== undefined && isNameOctet(octet); octet = octets[end]) end++
    let colon = end
    while (octets[colon] === SPACE || octets[colon] === TAB) colon++
    if (octets[colon] === COLON && end > line && colon < next) {
      if (colon > end) this.#find('field-name-blank', line)
      const isType = this.#typeAt === -1 && end - line === CONTENT_TYPE.length
      if (isType && octets.toString('latin1', line, end).toLowerCase() === CONTENT_TYPE) this.#typeAt = this.#marks.length
      this.#marks.push(line, end)
      return true
    }
    const start = octets.toString('latin1', line, line + 6)
    if (isContinuation) this.#find('continuation-first', line)
    else if (this.#root && (start === '>From ' || (isFirst && start.startsWith('From ')))) this.#find('mbox-line', line)
    else if (isFirst) return false
    else {
      this.#find(octets.subarray(line, next).includes(COLON) ? 'field-name-invalid' : 'field-without-colon', line)
      if (this.#text === -1) this.#text = this.#marks.length
    }
    this.#marks.push(line, -1)
    return true
  }

  /** The limit lies in the line at `line`: its field and all after it are left out. Text that looks like it had no header section stays text. */
  #cut(line: number): HeaderEnd | null {
    if (this.#text !== -1) {
      this.#find('header-limit', line)
      return this.#end('text', line)
    }
    let end = line
    if (line === 0) {
      // A first line without a field name is text, however long it is.
      if (this.#limit > MAX_NAME && !this.#take(0, MAX_NAME)) return this.#end('text', 0)
      this.#marks.length = 0
    } else if (this.#section[line] === SPACE || this.#section[line] === TAB) {
      end = this.#marks.at(-2) ?? 0
      this.#marks.length -= 2
    }
    this.#find('header-limit', end)
    this.#kept = Buffer.from(this.#section.subarray(0, end))
    return null
  }

  #end(by: HeaderEnd['by'], at: number): HeaderEnd {
    // Without an empty line, what is no field, and all after it, is the body.
    const text = by === 'blank' ? undefined : this.#marks[this.#text]
    if (text !== undefined) this.#marks.length = this.#text
    const isText = by === 'text' || text !== undefined
    const bodyStart = text ?? at
    if (isText) this.#find('missing-blank-line', bodyStart)
    else if (by === 'delimiter' && at + this.#gone > 0) this.#find('boundary-in-header', at)
    // The empty line belongs to no field.
    const octets = this.#kept ?? this.#section.subarray(0, by === 'blank' ? this.#line : bodyStart)
    return { by: isText ? 'text' : by, bodyStart, octets, marks: this.#marks, defects: this.#defects }
  }

  #find(code: DefectCode, at: number): void {
    this.#defects.add(code, at + this.#gone)
  }
}

/** Printable and no colon (RFC 5322 §2.2); NUL is taken for nothing. */
const isNameOctet = (octet: number): boolean => (octet > SPACE && octet < 127 && octet !== COLON) || octet === NUL
