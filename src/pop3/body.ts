import { CR, LF } from '../bytes.ts'
import { GrammarError } from '../errors.ts'
import { DotUnstuffer } from '../wire/dots.ts'
import type { LineSplitter } from '../wire/lines.ts'
import { isFinalDot, type Listing, type UniqueIdListing } from './grammar.ts'

/** What follows a `+OK`, read as it arrives and kept until somebody takes it. */
export abstract class Body<Part> {
  protected parts: readonly Part[] = []
  /** So far: exact for content, as on the wire for a list. */ octets = 0

  /** Reads on; true when the end was seen. What was read before it throws (`GrammarError`) can still be taken. @param mostLines a list may have */
  abstract read(lines: LineSplitter, mostLines: number): boolean

  /** Parts that wait to be taken. */
  get waiting(): number {
    return this.parts.length
  }

  /** Those parts. Octets are borrowed unless they are to be `owned`. */
  take(_owned: boolean): readonly Part[] {
    const { parts } = this
    this.parts = []
    return parts
  }
}

const MAX_VIEWS = 8 // many small views, as between dots that are taken out, cost more to hand out one by one than to join

/** A message, or the beginning of one: its octets with the transparency taken out. */
export class ContentBody extends Body<Buffer> {
  readonly #unstuffer = new DotUnstuffer()

  override read(lines: LineSplitter): boolean {
    const views = this.#unstuffer.push(lines.take())
    for (const { length } of views) this.octets += length
    this.parts = this.parts.length === 0 ? views : [...this.parts, ...views]
    const { rest } = this.#unstuffer
    if (rest !== undefined) lines.push(rest)
    return rest !== undefined
  }

  override take(owned: boolean): readonly Buffer[] {
    const views = super.take(owned)
    return views.length > (owned ? 0 : MAX_VIEWS) ? [Buffer.concat(views)] : views
  }
}

/** The beginning of a message that comes whole: its header section and so many lines of its body, as TOP would give them. */
export class TopBody extends ContentBody {
  readonly #lines: number
  #linesLeft = Infinity // in the header section
  #isBlank = true // the line so far

  constructor(lines: number) {
    super()
    this.#lines = lines
  }

  override take(owned: boolean): readonly Buffer[] {
    return super.take(owned).flatMap((view) => {
      let at = 0
      for (; at < view.length && this.#linesLeft > 0; at++) {
        if (view[at] !== LF) this.#isBlank &&= view[at] === CR
        else {
          this.#linesLeft = this.#isBlank && this.#linesLeft === Infinity ? this.#lines : this.#linesLeft - 1
          this.#isBlank = true
        }
      }
      return at > 0 ? [view.subarray(0, at)] : []
    })
  }
}

/** The entries of a multi-line response, within its limits. */
export class ListBody<Entry> extends Body<Entry> {
  readonly #parse: (line: Buffer) => Entry | undefined
  readonly #limits: { readonly lines: number; readonly octets: number }
  #lines = 0
  protected override parts: Entry[] = []

  /** @param parse a line without its line end → an entry, or `undefined` for a line that is left out; may throw `GrammarError` */
  constructor(parse: (line: Buffer) => Entry | undefined, limits = { lines: 1_000_000, octets: Infinity }) {
    super()
    this.#parse = parse
    this.#limits = limits
  }

  override read(lines: LineSplitter, mostLines: number): boolean {
    for (let line = lines.next(); line !== undefined; line = lines.next()) {
      if (isFinalDot(line)) return true
      this.octets += line.length + 2
      if (++this.#lines > Math.min(this.#limits.lines, mostLines)) throw new GrammarError('too many lines in the answer', true)
      if (this.octets > this.#limits.octets) throw new GrammarError('too many octets in the answer', true)
      const entry = this.#parse(line)
      if (entry !== undefined) this.parts.push(entry)
    }
    return false
  }
}

/** Keeps the first entry of each message-number. The same again is left out; another value under the same number means that nothing in the listing can be trusted (H53, P3). */
export function unique<Entry extends Listing | UniqueIdListing>(parse: (line: Buffer) => Entry | undefined): (line: Buffer) => Entry | undefined {
  const seen = new Map<number, number | string>()
  return (line) => {
    const entry = parse(line)
    if (entry === undefined) return undefined
    const value = 'octets' in entry ? entry.octets : entry.uniqueId
    const before = seen.get(entry.number)
    if (before !== undefined && before !== value) throw new GrammarError(`two different entries for message ${entry.number}`)
    seen.set(entry.number, value)
    return before === undefined ? entry : undefined
  }
}
