/** One fact about a mailbox: what the ledger holds, in the order in which it happened. */
export type LedgerRecord =
  /** What is new about a message. */
  | readonly ['message', key: string, facts: Partial<MessageFacts>]
  /** Hand-overs of a document so far, negative when it was accepted; 0: it needs no record of its own any more. */
  | readonly ['document', key: string, document: string, attempts: number]
  | readonly ['forget', key: string]
  /** A run begins, on this day since 1970. */
  | readonly ['poll', poll: number, day: number]
  /** The copies of a repeated unique-id, in the order of the maildrop, by ascending numbers. */
  | readonly ['copies', uniqueId: string, numbers: readonly number[]]

/** What is known about one message. Small numbers only: a hundred thousand of them are in memory at once (P22). */
export class Entry {
  /** Bits of `KINDS`: of which dispositions every document was accepted. */ kinds = 0
  /** Bits of `KINDS`: for which dispositions the message has no document. */ empty = 0
  /** Of the header section; 0 when unknown. */ fingerprint = 0
  /** Hash of the filter that set it aside; 0 for none. */ filter = 0
  /** Octets in the spool and one more; 0 when it is not there. */ stored = 0
  /** The poll from which on it was not listed any more, or whose QUIT was to delete it, and the day; 0 while it is listed. */ gonePoll = 0
  goneDay = 0
  /** Attempts of a document, negative when it was accepted. */ documents: Map<string, number> | undefined = undefined
}

export type MessageFacts = Omit<Entry, 'documents'>

/** The ledger in memory: what the records say when they are read from the first to the last. */
export class Book {
  readonly entries = new Map<string, Entry>()
  /** Numbers of the copies of each unique-id that the server gave to more than one message. */ readonly copies = new Map<string, readonly number[]>()
  /** Runs so far, and the day of the last. */ polls = 0
  day = 0

  apply(record: LedgerRecord): void {
    switch (record[0]) {
      case 'message':
        Object.assign(this.#entry(record[1]), record[2])
        break
      case 'document': {
        const entry = this.#entry(record[1])
        entry.documents ??= new Map()
        if (record[3] === 0) entry.documents.delete(record[2])
        else entry.documents.set(record[2], record[3])
        if (entry.documents.size === 0) entry.documents = undefined
        break
      }
      case 'forget':
        this.entries.delete(record[1])
        break
      case 'poll':
        this.polls = record[1]
        this.day = record[2]
        break
      case 'copies':
        // One alone that is the first is as if there had never been another.
        if (record[2].length <= 1 && (record[2][0] ?? 1) === 1) this.copies.delete(record[1])
        else this.copies.set(record[1], record[2])
        break
    }
  }

  /** Records that say the same in as few lines as can be. */
  *snapshot(): Generator<LedgerRecord> {
    yield ['poll', this.polls, this.day]
    for (const [uniqueId, numbers] of this.copies) yield ['copies', uniqueId, numbers]
    for (const [key, { documents, ...facts }] of this.entries) {
      yield ['message', key, Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== 0))]
      for (const [document, attempts] of documents ?? []) yield ['document', key, document, attempts]
    }
  }

  #entry(key: string): Entry {
    const entry = this.entries.get(key) ?? new Entry()
    this.entries.set(key, entry)
    return entry
  }
}
