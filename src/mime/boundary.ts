import { CR, isBlank, LF } from '../bytes.ts'

/** A longer boundary is not used: RFC 2046 §5.1.1 allows 70 octets. */
export const MAX_BOUNDARY_OCTETS = 2000
/** A longer line is never a delimiter, so that no more than this is ever held back. Two hyphens each side, the boundary, and blanks. */
const MAX_DELIMITER_LINE = MAX_BOUNDARY_OCTETS + 4 + 1000
const NEAR_LEVELS = 8 // near misses are looked for among so many of the innermost boundaries
const HYPHEN = 0x2d
const NEEDLE = Buffer.from('\n--')

/** An open multipart, as far as its delimiters are concerned. */
export interface Bounded {
  /** One character an octet. */ readonly boundary: string
}

/** The line at `line` is a delimiter of `level`, or its close delimiter; the next line begins at `next`. */
export type Delimiter<L> = { readonly level: L; readonly close: boolean; readonly line: number; readonly next: number }

/** What a line is; `near`: no delimiter, but it begins like one of an open boundary. */
export type Match<L> = 'more' | 'none' | 'near' | Delimiter<L>

/** The body up to `end` has no delimiter; then comes the line end of one and this one, or what more octets must decide. */
type Found<L> = { readonly end: number; readonly delimiter: Delimiter<L> | null }

/** The boundaries of all open multiparts (RFC 2046 §5.1.1). A line is compared as a whole, blanks at its end ignored, by one look-up whatever the
 *  number of levels; of equal boundaries the innermost open one wins. */
export class OpenBoundaries<L extends Bounded> {
  readonly #stack: L[] = []
  /** Of levels with one boundary the innermost, which hides the others. */ readonly #levels = new Map<string, L>()
  /** The first characters of all in the stack: most lines that begin with two hyphens are dismissed by them. */ #firsts = ''

  has(boundary: string): boolean {
    return this.#levels.has(boundary)
  }

  open(level: L): void {
    this.#levels.set(level.boundary, level)
    this.#stack.push(level)
    this.#firsts += level.boundary.charAt(0)
  }

  /** Levels are closed from the inside out; one that is closed already is left alone. */
  close(level: L): void {
    if (this.#stack.at(-1) !== level) return
    this.#stack.pop()
    this.#firsts = this.#firsts.slice(0, -1)
    const hidden = this.#stack.findLast(({ boundary }) => boundary === level.boundary)
    if (hidden === undefined) this.#levels.delete(level.boundary)
    else this.#levels.set(level.boundary, hidden)
  }

  /** The first delimiter in a body, from `start` on, where a line begins or not. `final`: no more octets follow. `near` is told of lines almost one. */
  find(octets: Buffer, start: number, atLineStart: boolean, final: boolean, near: (line: number) => void): Found<L> {
    if (this.#stack.length === 0) return { end: octets.length, delimiter: null }
    for (let line = atLineStart ? start : hyphenLine(octets, start); line !== -1; line = hyphenLine(octets, line)) {
      const match = this.match(octets, line, final)
      if (match === 'near') near(line)
      else if (match !== 'none') return { end: lineEndBefore(octets, start, line), delimiter: match === 'more' ? null : match }
    }
    // In the last octets a delimiter may begin.
    let end = octets.length
    if (final) return { end, delimiter: null }
    if (octets[end - 1] === HYPHEN && octets[end - 2] === LF && end - 2 >= start) end--
    else if (octets[end - 1] === CR && end > start) return { end: end - 1, delimiter: null }
    return { end: lineEndBefore(octets, start, end), delimiter: null }
  }

  /** Whether the line at `from` is a delimiter; `final`: no more octets follow. */
  match(octets: Buffer, from: number, final: boolean): Match<L> {
    if (this.#stack.length === 0) return 'none'
    const start = from + 2
    const first = octets[start]
    if ((octets[from] ?? HYPHEN) !== HYPHEN || (octets[from + 1] ?? HYPHEN) !== HYPHEN) return 'none'
    if (first === undefined) return final ? 'none' : 'more'
    if (!this.#firsts.includes(String.fromCharCode(first))) return 'none'
    let end = octets.indexOf(LF, start)
    const tooLong = (end === -1 ? octets.length : end) > from + MAX_DELIMITER_LINE
    if (tooLong) return this.#nearly(octets.toString('latin1', start, start + MAX_BOUNDARY_OCTETS))
    if (end === -1 && !final) return 'more'
    const next = end === -1 ? octets.length : end + 1
    if (end === -1) end = octets.length
    else if (octets[end - 1] === CR) end--
    while (end > start && isBlank(octets[end - 1])) end--
    const text = octets.toString('latin1', start, end)
    const begun = this.#levels.get(text)
    const level = begun ?? (text.endsWith('--') ? this.#levels.get(text.slice(0, -2)) : undefined)
    return level === undefined ? this.#nearly(text) : { level, close: begun === undefined, line: from, next }
  }

  #nearly(line: string): Match<L> {
    return this.#stack.slice(-NEAR_LEVELS).some(({ boundary }) => line.startsWith(boundary)) ? 'near' : 'none'
  }
}

/** The boundary parameter, which is octets, as it stands in delimiters; `null` without one. Blanks at its end never count (RFC 2046 §5.1.1). */
export function boundaryOf(parameters: ReadonlyMap<string, string>): { readonly boundary: string; readonly trimmed: boolean } | null {
  const octets = parameters.get('boundary') ?? ''
  let end = octets.length
  while (end > 0 && isBlank(octets.charCodeAt(end - 1))) end--
  return end === 0 ? null : { boundary: octets.slice(0, end), trimmed: end < octets.length }
}

/** The next line that begins with two hyphens, or -1. */
function hyphenLine(octets: Buffer, from: number): number {
  const at = octets.indexOf(NEEDLE, from)
  return at === -1 ? -1 : at + 1
}

/** Where the line end before the line at `line` begins, if it is not before `start`: it belongs to the delimiter (RFC 2046 §5.1.1). */
export function lineEndBefore(octets: Buffer, start: number, line: number): number {
  if (line === start || octets[line - 1] !== LF) return line
  return line - 1 > start && octets[line - 2] === CR ? line - 2 : line - 1
}
