import { CR, LF, NUL, SPACE, TAB } from '../bytes.ts'
import { boundaryOf, OpenBoundaries, type Bounded } from './boundary.ts'
import { DefectList, type DefectCode } from './defect.ts'
import { parseMediaType } from './field/content-fields.ts'
import { isBlank } from './field/scan.ts'
import { HeaderSection, type Marks } from './header.ts'

/** Where a header section ends, and what is in it. */
export interface HeaderEnd {
  /** A line that belongs to no header section: an empty one, a delimiter, the end of the octets, or text. */
  readonly by: 'blank' | 'delimiter' | 'end' | 'text'
  /** Index of the first octet after it. */ readonly bodyStart: number
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
  /** Where the current line begins, and up to where no line end was found. */ #line = 0
  #searched = 0
  /** Index in the marks of the first line that is no field: without an empty line after it, the body begins there. */ #text = -1
  /** Index in the marks of the first Content-Type field. */ #typeAt = -1
  /** The delimiters that this section itself announces. */ #own: OpenBoundaries<Bounded> | undefined
  /** Past the limit: what was kept of the section, while the rest goes by. */ #kept: Buffer | undefined
  /** Past the limit, in a line whose beginning went by. */ #inLine = false
  #bareLf = false
  /** Octets that went by. */ #gone = 0

  constructor(open: OpenBoundaries<Bounded>, limit: number, root: boolean) {
    this.#open = open
    this.#limit = limit
    this.#root = root
  }

  /** The section begins at `from`; `final`: no more octets follow. `undefined`: more are needed. */
  scan(octets: Buffer, from: number, final: boolean): HeaderEnd | undefined {
    for (;;) {
      const line = from + this.#line
      if (line >= octets.length) return final ? this.#endWithoutBlank('end', octets, from, line) : undefined
      const end = this.#inLine ? null : this.#endAt(octets, from, line, final)
      if (end !== null) return end
      const lineEnd = octets.indexOf(LF, from + this.#searched)
      const isWhole = lineEnd !== -1 || final
      const next = lineEnd === -1 ? octets.length : lineEnd + 1
      this.#searched = next - from
      const cut = this.#kept === undefined && this.#searched > this.#limit ? this.#cut(octets, from, line) : null
      if (cut !== null) return cut
      if (this.#kept === undefined) {
        if (!isWhole) return undefined
        if (!this.#bareLf && lineEnd !== -1 && octets[lineEnd - 1] !== CR) {
          this.#bareLf = true
          this.#find('bare-lf', lineEnd - from)
        }
        if (!this.#take(octets, from, line, next)) return this.#end('text', octets, from, line)
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
  #endAt(octets: Buffer, from: number, line: number, final: boolean): HeaderEnd | undefined | null {
    const first = octets[line]
    if (first === LF) return this.#end('blank', octets, from, line + 1)
    if (first === CR && line + 1 === octets.length) return final ? null : undefined
    if (first === CR && octets[line + 1] === LF) return this.#end('blank', octets, from, line + 2)
    if (first !== HYPHEN) return null
    for (const boundaries of [this.#open, this.#announced(octets, from, line)]) {
      const match = boundaries?.match(octets, line, final)
      if (match === 'more') return undefined
      if (typeof match === 'object') return this.#endWithoutBlank('delimiter', octets, from, line)
    }
    return null
  }

  /** The boundary of the Content-Type field in this very section. */
  #announced(octets: Buffer, from: number, line: number): OpenBoundaries<Bounded> | undefined {
    if (this.#own !== undefined || this.#typeAt === -1 || this.#kept !== undefined) return this.#own
    this.#own = new OpenBoundaries<Bounded>()
    const section = new HeaderSection(octets.subarray(from, line), 0, this.#marks.slice(this.#typeAt, this.#typeAt + 3), () => undefined)
    const type = section.readFirst(CONTENT_TYPE, parseMediaType)
    const found = type?.type.startsWith('multipart/') === true ? boundaryOf(type.parameters) : null
    if (found !== null) this.#own.open(found)
    return this.#own
  }

  /** Takes one line as a field or a part of one. `false`: the section has no fields, its first line is text. */
  #take(octets: Buffer, from: number, line: number, next: number): boolean {
    const at = line - from
    const first = octets[line]
    if (first === SPACE || first === TAB) {
      if (this.#marks.length === 0) {
        this.#find('continuation-first', at)
        this.#marks.push(at, -1)
      } else if (octets.subarray(line, next).every((octet) => isBlank(octet))) this.#find('blank-line-in-header', at)
      return true
    }
    let end = line
    for (let octet = octets[end]; octet !== undefined && isNameOctet(octet); octet = octets[end]) end++
    let colon = end
    while (octets[colon] === SPACE || octets[colon] === TAB) colon++
    if (octets[colon] === COLON && end > line && colon < next) {
      if (colon > end) this.#find('field-name-blank', at)
      if (this.#typeAt === -1 && end - line === CONTENT_TYPE.length && octets.toString('latin1', line, end).toLowerCase() === CONTENT_TYPE) {
        this.#typeAt = this.#marks.length
      }
      this.#marks.push(at, end - from)
      return true
    }
    const start = octets.toString('latin1', line, line + 6)
    const isFrom = start === '>From ' || (this.#marks.length === 0 && start.startsWith('From '))
    if (this.#root && isFrom) this.#find('mbox-line', at)
    else if (this.#marks.length === 0) return false
    else {
      const hasColon = octets.subarray(line, next).indexOf(COLON) !== -1
      this.#find(hasColon ? 'field-name-invalid' : 'field-without-colon', at)
      if (this.#text === -1) this.#text = this.#marks.length
    }
    this.#marks.push(at, -1)
    return true
  }

  /** The limit lies in the line at `line`: its field and all after it are left out. Text that looks like it had no header section stays text. */
  #cut(octets: Buffer, from: number, line: number): HeaderEnd | null {
    if (this.#text !== -1) {
      this.#find('header-limit', line - from)
      return this.#endWithoutBlank('text', octets, from, line)
    }
    let end = line - from
    if (end === 0) {
      // A first line without a field name is text, however long it is.
      if (this.#limit > MAX_NAME && !this.#take(octets, from, line, from + MAX_NAME)) return this.#end('text', octets, from, line)
      this.#marks.length = 0
    } else if (octets[line] === SPACE || octets[line] === TAB) {
      end = this.#marks.at(-2) ?? 0
      this.#marks.length -= 2
    }
    this.#find('header-limit', end)
    this.#kept = Buffer.from(octets.subarray(from, from + end))
    return null
  }

  /** No empty line came: what is no field, and all after it, is the body. */
  #endWithoutBlank(by: HeaderEnd['by'], octets: Buffer, from: number, at: number): HeaderEnd {
    if (this.#text === -1) {
      if (by === 'delimiter' && at - from + this.#gone > 0) this.#find('boundary-in-header', at - from)
      return this.#end(by, octets, from, at)
    }
    const bodyStart = from + (this.#marks[this.#text] ?? 0)
    this.#marks.length = this.#text
    return this.#end('text', octets, from, bodyStart)
  }

  #end(by: HeaderEnd['by'], octets: Buffer, from: number, bodyStart: number): HeaderEnd {
    if (by === 'text') this.#find('missing-blank-line', bodyStart - from)
    // The empty line belongs to no field.
    const end = by === 'blank' ? from + this.#line : bodyStart
    return { by, bodyStart, octets: this.#kept ?? octets.subarray(from, end), marks: this.#marks, defects: this.#defects }
  }

  #find(code: DefectCode, at: number): void {
    this.#defects.add(code, at + this.#gone)
  }
}

/** Printable and no colon (RFC 5322 §2.2); NUL is taken for nothing. */
const isNameOctet = (octet: number): boolean => (octet > SPACE && octet < 127 && octet !== COLON) || octet === NUL
