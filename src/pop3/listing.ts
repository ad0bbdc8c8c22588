import { GrammarError } from '../errors.ts'

/** Collects the entries of one multi-line response, within its limits, until somebody takes them. */
export class ListReader<Entry> {
  readonly #parse: (line: Buffer) => Entry | undefined
  readonly #isNew: (entry: Entry) => boolean
  #linesLeft: number
  #octetsLeft: number
  #entries: Entry[] = []

  /**
   * @param parse a line without its line end → an entry, or `undefined` for a line that is none; it is left out
   * @param isNew whether to keep an entry; may throw `GrammarError`
   */
  constructor(parse: (line: Buffer) => Entry | undefined, isNew: (entry: Entry) => boolean, maxLines: number, maxOctets = Infinity) {
    this.#parse = parse
    this.#isNew = isNew
    this.#linesLeft = maxLines
    this.#octetsLeft = maxOctets
  }

  push(line: Buffer): void {
    this.#octetsLeft -= line.length + 2
    if (--this.#linesLeft < 0) throw new GrammarError('too many lines in the answer', true)
    if (this.#octetsLeft < 0) throw new GrammarError('too many octets in the answer', true)
    const entry = this.#parse(line)
    if (entry !== undefined && this.#isNew(entry)) this.#entries.push(entry)
  }

  get length(): number {
    return this.#entries.length
  }

  /** The entries since the last call. */
  take(): Entry[] {
    const entries = this.#entries
    this.#entries = []
    return entries
  }
}

/** Keeps the first entry of each message-number. The same again is left out; another value under the same number means that nothing in the listing can be trusted (H53, P3). */
export function uniqueNumbers<Entry extends { readonly number: number }>(value: (entry: Entry) => number | string): (entry: Entry) => boolean {
  const seen = new Map<number, number | string>()
  return (entry) => {
    const before = seen.get(entry.number)
    if (before === undefined) {
      seen.set(entry.number, value(entry))
      return true
    }
    if (before !== value(entry)) throw new GrammarError(`two different entries for message ${entry.number}`)
    return false
  }
}
