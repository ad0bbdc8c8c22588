import { occurrences, type UniqueIdListing } from '../pop3/index.ts'

/** One fact about a mailbox: what the ledger holds, in the order in which it happened. */
export type LedgerRecord =
  | readonly ['message', key: string, facts: Partial<MessageFacts>]
  /** Hand-overs of a document so far, negative when it was accepted; 0: it needs no record of its own any more. */
  | readonly ['document', key: string, document: string, attempts: number]
  | readonly ['forget', key: string]
  | readonly ['poll', poll: number, daySince1970: number]
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
        this.entries.set(record[1], Object.assign(this.entries.get(record[1]) ?? new Entry(), record[2]))
        break
      case 'document': {
        const [, key, document, attempts] = record
        const entry = this.entries.get(key) ?? new Entry()
        const documents = entry.documents ?? new Map<string, number>()
        if (attempts === 0) documents.delete(document)
        else documents.set(document, attempts)
        entry.documents = documents.size === 0 ? undefined : documents
        this.entries.set(key, entry)
        break
      }
      case 'forget':
        this.entries.delete(record[1])
        break
      case 'poll':
        ;[, this.polls, this.day] = record
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

  /** What is known about a message: all zero where that is nothing. */
  entry(key: string): Readonly<Entry> {
    return this.entries.get(key) ?? new Entry()
  }
}

/** A message in the maildrop. */
export interface Listed extends UniqueIdListing {
  /** Which of the messages with this unique-id, from 1; stays the same when another of them is deleted. */ readonly occurrence: number
  readonly key: string
}

/** The name of a message in the ledger. A unique-id comes from a line, so it holds no line feed. */
export const keyOf = (uniqueId: string, occurrence: number): string => (occurrence === 1 ? uniqueId : `${uniqueId}\n${occurrence}`)

export function parseKey(key: string) {
  const [uniqueId = '', occurrence = 1] = key.split('\n')
  return { uniqueId, occurrence: Number(occurrence) }
}

/** Brings a whole unique-id listing and the ledger together. What is not listed any more becomes a tombstone, which is dropped after 30 days and
 *  10 polls (D10); what is listed again keeps its tombstone until somebody compared the message (P8).
 *
 *  Of messages with the same unique-id (RFC 1939 §7, P5) some may have been deleted by a QUIT whose reply was lost: as many as were marked, or
 *  none. When the count fits neither, nothing is remembered about any of them: a repeat, not a loss.
 *  @returns all messages by message-number, what the ledger must learn, and unique-ids whose copies cannot be told apart any more: all count as new */
export function reconcile(listing: readonly UniqueIdListing[], book: Book, day: number) {
  const poll = book.polls + 1
  const records: LedgerRecord[] = [['poll', poll, day]]
  const doubtful: string[] = []
  const sorted = occurrences(listing)
  const counts = new Map(sorted.map(({ uniqueId, occurrence }) => [uniqueId, occurrence]))
  const copies = new Map<string, readonly number[]>()
  for (const [uniqueId, count] of counts) {
    const known = book.copies.get(uniqueId)
    if (known === undefined && count === 1) continue
    const before = known ?? [1]
    let now = count < before.length ? copiesLeft(book, uniqueId) : [...before, ...upTo(count - before.length, before.at(-1))]
    if (now.length !== count) {
      doubtful.push(uniqueId)
      now = upTo(count)
    }
    copies.set(uniqueId, now)
    if (now.join() !== before.join()) records.push(['copies', uniqueId, now])
  }
  // The last copy is gone: the next message with this unique-id is the first again.
  for (const uniqueId of book.copies.keys()) if (!counts.has(uniqueId)) records.push(['copies', uniqueId, []])

  const messages = sorted.map(({ number, uniqueId, occurrence: at }): Listed => {
    const occurrence = copies.get(uniqueId)?.[at - 1] ?? 1
    return { number, uniqueId, occurrence, key: keyOf(uniqueId, occurrence) }
  })
  const listed = new Set(messages.map(({ key }) => key))
  for (const [key, { kinds, documents, stored, gonePoll, goneDay }] of book.entries) {
    if (listed.has(key)) continue
    // By polls and by days, so that neither a clock that jumps nor a poll every second makes us forget (P24).
    const isExpired = gonePoll > 0 && stored === 0 && poll - gonePoll >= TOMBSTONE_POLLS && day - goneDay >= TOMBSTONE_DAYS
    // What was never handed over needs no tombstone.
    if (isExpired || (kinds === 0 && documents === undefined && stored === 0)) records.push(['forget', key])
    else if (gonePoll === 0) records.push(['message', key, { gonePoll: poll, goneDay: day }])
  }
  for (const uniqueId of doubtful) for (const number of book.copies.get(uniqueId) ?? []) records.push(['forget', keyOf(uniqueId, number)])
  return { messages, records, doubtful }
}

/** The copies of a repeated unique-id, without those that the QUIT of the last run was to delete. */
export function copiesLeft({ entries, copies, polls }: Book, uniqueId: string): readonly number[] {
  return (copies.get(uniqueId) ?? []).filter((number) => entries.get(keyOf(uniqueId, number))?.gonePoll !== polls)
}

const TOMBSTONE_POLLS = 10
const TOMBSTONE_DAYS = 30

/** So many numbers, the first behind `last`. */
const upTo = (count: number, last = 0): readonly number[] => Array.from({ length: count }, (_, at) => last + at + 1)
