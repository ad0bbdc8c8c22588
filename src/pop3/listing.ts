import { GrammarError } from '../errors.ts'

/** Collects the entries of one multi-line response, within its limits, until somebody takes them. */
export class ListReader<Entry, Event> {
  readonly #parse: (line: Buffer) => Entry | undefined
  readonly #event: (entries: Entry[], last: boolean) => Event
  #linesLeft: number
  #octetsLeft: number
  #entries: Entry[] = []

  /** @param parse a line without its line end → an entry, or `undefined` for a line that is left out; may throw `GrammarError` */
  constructor(parse: (line: Buffer) => Entry | undefined, event: (entries: Entry[], last: boolean) => Event, maxLines: number, maxOctets = Infinity) {
    this.#parse = parse
    this.#event = event
    this.#linesLeft = maxLines
    this.#octetsLeft = maxOctets
  }

  push(line: Buffer): void {
    this.#octetsLeft -= line.length + 2
    if (--this.#linesLeft < 0) throw new GrammarError('too many lines in the answer', true)
    if (this.#octetsLeft < 0) throw new GrammarError('too many octets in the answer', true)
    const entry = this.#parse(line)
    if (entry !== undefined) this.#entries.push(entry)
  }

  get length(): number {
    return this.#entries.length
  }

  /** The entries since the last call. */
  take(last: boolean): Event {
    const entries = this.#entries
    this.#entries = []
    return this.#event(entries, last)
  }
}

/** Keeps the first entry of each message-number. The same again is left out; another value under the same number means that nothing in the listing can be trusted (H53, P3). */
export function unique<Entry extends { readonly number: number }>(
  parse: (line: Buffer) => Entry | undefined,
  value: (entry: Entry) => number | string,
): (line: Buffer) => Entry | undefined {
  const seen = new Map<number, number | string>()
  return (line) => {
    const entry = parse(line)
    if (entry === undefined) return undefined
    const before = seen.get(entry.number)
    if (before !== undefined && before !== value(entry)) throw new GrammarError(`two different entries for message ${entry.number}`)
    seen.set(entry.number, value(entry))
    return before === undefined ? entry : undefined
  }
}
