/** One fact about a mailbox: what the ledger holds, in the order in which it happened. */
export type LedgerRecord =
  /** A document is about to be handed over for the n-th time. */
  | readonly ['attempt', key: string, document: string, attempt: number, fingerprint: number]
  | readonly ['accepted', key: string, document: string]
  /** All documents of these kinds were accepted (or there are none: `empty`); these documents need no line of their own any more. */
  | readonly ['done', key: string, kinds: number, empty: number, fingerprint: number, documents: readonly string[]]
  /** The message does not match the filter with this hash. */
  | readonly ['aside', key: string, filter: number]
  /** The whole message lies in the spool: its octets and one more, or 0 when it does not any more. */
  | readonly ['stored', key: string, stored: number]
  /** A run begins, on this day since 1970. */
  | readonly ['poll', poll: number, day: number]
  /** Not in the maildrop any more since the poll of the record before, or about to be deleted by QUIT. */
  | readonly ['gone', keys: readonly string[]]
  /** In the maildrop again, and the same message. */
  | readonly ['back', key: string]
  | readonly ['forget', keys: readonly string[]]
  /** The copies of a repeated unique-id, in the order of the maildrop, by ascending numbers. None of them is marked for deletion any more. */
  | readonly ['names', uniqueId: string, names: readonly number[]]
  /** Those of the copies that QUIT will delete. */
  | readonly ['deleting', uniqueId: string, names: readonly number[]]
  /** In a snapshot: all about one message. */
  | readonly ['entry', key: string, facts: EntryFacts]

/** kinds, empty, fingerprint, filter, stored, gone in poll, gone on day, then document and attempts by turns: negative when accepted. */
type EntryFacts = readonly [number, number, number, number, number, number, number, ...(string | number)[]]

/** What is known about one message. Small numbers only: a hundred thousand of them are in memory at once (P22). */
export class Entry {
  /** Bits of `KINDS`: of which dispositions every document was accepted. */
  kinds = 0
  /** Bits of `KINDS`: for which dispositions the message has no document. */
  empty = 0
  /** Of the header section; 0 when unknown. */
  fingerprint = 0
  /** Hash of the filter that set it aside; 0 for none. */
  filter = 0
  /** Octets in the spool and one more; 0 when it is not there. */
  stored = 0
  /** The poll in which it was listed last. Not on disk. */
  listed = 0
  /** The poll from which on it was not listed any more, and the day; 0 while it is listed. */
  gonePoll = 0
  goneDay = 0
  /** Attempts of a document, negative when it was accepted. */ documents: Map<string, number> | undefined = undefined

  attempts(document: string): number {
    return Math.abs(this.documents?.get(document) ?? 0)
  }

  accepted(document: string): boolean {
    return (this.documents?.get(document) ?? 0) < 0
  }
}

/** The ledger in memory: what the records say when they are read from the first to the last. */
export class Book {
  readonly entries = new Map<string, Entry>()
  readonly names = new Map<string, readonly number[]>()
  readonly deleting = new Map<string, readonly number[]>()
  /** Runs so far. */
  polls = 0
  #day = 0

  apply(record: LedgerRecord): void {
    switch (record[0]) {
      case 'attempt': {
        const entry = this.#entry(record[1])
        entry.documents ??= new Map()
        entry.documents.set(record[2], record[3])
        entry.fingerprint = record[4]
        break
      }
      case 'accepted': {
        const entry = this.#entry(record[1])
        entry.documents ??= new Map()
        entry.documents.set(record[2], -Math.max(1, entry.attempts(record[2])))
        break
      }
      case 'done': {
        const entry = this.#entry(record[1])
        entry.kinds |= record[2]
        entry.empty |= record[3]
        entry.fingerprint = record[4]
        entry.stored = 0
        for (const document of record[5]) entry.documents?.delete(document)
        if (entry.documents?.size === 0) entry.documents = undefined
        break
      }
      case 'aside':
        this.#entry(record[1]).filter = record[2]
        break
      case 'stored':
        this.#entry(record[1]).stored = record[2]
        break
      case 'poll':
        this.polls = record[1]
        this.#day = record[2]
        break
      case 'gone':
        for (const key of record[1]) {
          const entry = this.entries.get(key)
          if (entry === undefined) continue
          entry.gonePoll = Math.max(1, this.polls)
          entry.goneDay = this.#day
        }
        break
      case 'back': {
        const entry = this.entries.get(record[1])
        if (entry === undefined) break
        entry.gonePoll = 0
        entry.goneDay = 0
        break
      }
      case 'forget':
        for (const key of record[1]) this.entries.delete(key)
        break
      case 'names':
        this.deleting.delete(record[1])
        if (record[2].length === 0 || (record[2].length === 1 && record[2][0] === 1)) this.names.delete(record[1])
        else this.names.set(record[1], record[2])
        break
      case 'deleting':
        this.deleting.set(record[1], record[2])
        break
      case 'entry':
        this.entries.set(record[1], entryOf(record[2]))
        break
    }
  }

  /** Records that say the same in as few lines as can be. */
  *snapshot(): Generator<LedgerRecord> {
    yield ['poll', this.polls, this.#day]
    for (const [uniqueId, names] of this.names) yield ['names', uniqueId, names]
    for (const [uniqueId, names] of this.deleting) yield ['deleting', uniqueId, names]
    for (const [key, entry] of this.entries) yield ['entry', key, factsOf(entry)]
  }

  #entry(key: string): Entry {
    let entry = this.entries.get(key)
    if (entry === undefined) {
      entry = new Entry()
      this.entries.set(key, entry)
    }
    return entry
  }
}

function factsOf(entry: Entry): EntryFacts {
  const documents = [...(entry.documents ?? [])].flat()
  return [entry.kinds, entry.empty, entry.fingerprint, entry.filter, entry.stored, entry.gonePoll, entry.goneDay, ...documents]
}

function entryOf([kinds, empty, fingerprint, filter, stored, gonePoll, goneDay, ...documents]: EntryFacts): Entry {
  const entry = new Entry()
  Object.assign(entry, { kinds, empty, fingerprint, filter, stored, gonePoll, goneDay })
  for (let at = 0; at < documents.length; at += 2) {
    entry.documents ??= new Map()
    entry.documents.set(String(documents[at]), Number(documents[at + 1]))
  }
  return entry
}
