import { CR, LF, SPACE, TAB } from '../bytes.ts'

/** A longer boundary is not used: RFC 2046 §5.1.1 allows 70 octets. */
export const MAX_BOUNDARY_OCTETS = 2000
/** A longer line is never a delimiter, so that no more than this is ever held back. Two hyphens each side, the boundary, and blanks. */
export const MAX_DELIMITER_LINE = MAX_BOUNDARY_OCTETS + 4 + 1000
/** Near misses are looked for among so many of the innermost boundaries. */
const NEAR_LEVELS = 8
const HYPHEN = 0x2d

/** An open multipart, as far as its delimiters are concerned. */
export interface Bounded {
  /** One character an octet. */
  readonly boundary: string
}

export type Match<L> =
  | { readonly type: 'more' }
  | { readonly type: 'none' }
  /** The line is a delimiter of `level`, or the close delimiter; the next line begins at `next`. */
  | { readonly type: 'delimiter'; readonly level: L; readonly close: boolean; readonly next: number }

const MORE = { type: 'more' } as const
const NONE = { type: 'none' } as const

/**
 * The boundaries of all open multiparts (RFC 2046 §5.1.1). A line is compared as a whole, blanks at its end ignored, by one look-up whatever the
 * number of levels; of equal boundaries the innermost open one wins.
 */
export class OpenBoundaries<L extends Bounded> {
  /** Of levels with one boundary the last is the innermost, and hides the others. */
  readonly #levels = new Map<string, L[]>()
  readonly #stack: L[] = []
  /** How many open boundaries begin with each octet. */
  #first: Uint32Array | undefined
  /** The line that `match` just refused begins like a delimiter of an open boundary. */
  near = false

  get size(): number {
    return this.#stack.length
  }

  open(level: L): void {
    const same = this.#levels.get(level.boundary)
    if (same === undefined) this.#levels.set(level.boundary, [level])
    else same.push(level)
    this.#stack.push(level)
    this.#count(level, 1)
  }

  /** Levels are closed from the inside out; one that is closed already is left alone. */
  close(level: L): void {
    if (this.#stack.at(-1) !== level) return
    this.#stack.pop()
    this.#count(level, -1)
    const same = this.#levels.get(level.boundary)
    if (same !== undefined && same.length > 1) same.pop()
    else this.#levels.delete(level.boundary)
  }

  /** The line at `from` begins with two hyphens, or may; `final`: no more octets follow. */
  match(octets: Buffer, from: number, final: boolean): Match<L> {
    this.near = false
    const start = from + 2
    if (start >= octets.length) return final ? NONE : MORE
    if (this.#first === undefined || this.#first[octets[start] ?? 0] === 0) return NONE
    let end = octets.indexOf(LF, start)
    if (end > from + MAX_DELIMITER_LINE || (end === -1 && octets.length > from + MAX_DELIMITER_LINE)) return this.#none(octets, start)
    if (end === -1 && !final) return MORE
    const next = end === -1 ? octets.length : end + 1
    if (end === -1) end = octets.length
    else if (octets[end - 1] === CR) end--
    while (end > start && (octets[end - 1] === SPACE || octets[end - 1] === TAB)) end--
    const line = octets.toString('latin1', start, end)
    const level = this.#levels.get(line)?.at(-1)
    if (level !== undefined) return { type: 'delimiter', level, close: false, next }
    const closed = line.endsWith('--') ? this.#levels.get(line.slice(0, -2))?.at(-1) : undefined
    if (closed !== undefined) return { type: 'delimiter', level: closed, close: true, next }
    return this.#none(octets, start)
  }

  /** Some other open boundary begins like this one, or the other way round, so that a reader that compares beginnings is led astray. */
  resembles(boundary: string): boolean {
    return this.#innermost((other) => other !== boundary && (other.startsWith(boundary) || boundary.startsWith(other)))
  }

  has(boundary: string): boolean {
    return this.#levels.has(boundary)
  }

  /** The innermost boundaries, each once. */
  innermost(): string[] {
    return [...new Set(this.#stack.slice(-NEAR_LEVELS).map((level) => level.boundary))]
  }

  #none(octets: Buffer, start: number): Match<L> {
    this.near = this.#innermost((boundary) => startsWith(octets, start, boundary))
    return NONE
  }

  #innermost(test: (boundary: string) => boolean): boolean {
    const last = this.#stack.length - 1
    for (let at = last; at >= 0 && at > last - NEAR_LEVELS; at--) {
      const level = this.#stack[at]
      if (level !== undefined && test(level.boundary)) return true
    }
    return false
  }

  #count(level: L, change: number): void {
    const first = level.boundary.charCodeAt(0)
    this.#first ??= new Uint32Array(256)
    this.#first[first] = (this.#first[first] ?? 0) + change
  }
}

/** The boundary parameter, which is octets, as it stands in delimiters; `null` without one. Blanks at its end never count (RFC 2046 §5.1.1). */
export function boundaryOf(parameters: ReadonlyMap<string, string>): { readonly boundary: string; readonly trimmed: boolean } | null {
  const octets = parameters.get('boundary') ?? ''
  let end = octets.length
  while (end > 0 && (octets.charCodeAt(end - 1) === SPACE || octets.charCodeAt(end - 1) === TAB)) end--
  return end === 0 ? null : { boundary: octets.slice(0, end), trimmed: end < octets.length }
}

/** Whether the line at `from` begins with two hyphens: `undefined` when that is not there yet. */
export function beginsLikeDelimiter(octets: Buffer, from: number, final: boolean): boolean | undefined {
  if (from < octets.length && octets[from] !== HYPHEN) return false
  if (from + 1 < octets.length) return octets[from + 1] === HYPHEN
  return final ? false : undefined
}

function startsWith(octets: Buffer, from: number, text: string): boolean {
  if (from + text.length > octets.length) return false
  for (let at = 0; at < text.length; at++) if (octets[from + at] !== text.charCodeAt(at)) return false
  return true
}
