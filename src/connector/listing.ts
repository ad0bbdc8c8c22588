import type { Book, Entry, LedgerRecord } from './book.ts'

/** A message in the maildrop. */
export interface Listed {
  readonly number: number
  readonly uniqueId: string
  /** Which of the messages with this unique-id, from 1; stays the same when another of them is deleted. */ readonly occurrence: number
  readonly key: string
}

/** The name of a message in the ledger. A unique-id comes from a line, so it holds no line feed. */
export const keyOf = (uniqueId: string, occurrence: number): string => (occurrence === 1 ? uniqueId : `${uniqueId}\n${occurrence}`)

export function parseKey(key: string): { readonly uniqueId: string; readonly occurrence: number } {
  const at = key.lastIndexOf('\n')
  return at === -1 ? { uniqueId: key, occurrence: 1 } : { uniqueId: key.slice(0, at), occurrence: Number(key.slice(at + 1)) }
}

export interface Reconciled {
  /** All messages, by message-number. */ readonly messages: readonly Listed[]
  /** What the ledger must learn. */ readonly records: readonly LedgerRecord[]
  /** Unique-ids whose copies cannot be told apart any more: all of them count as new. */ readonly doubtful: readonly string[]
}

/**
 * Brings a whole unique-id listing and the ledger together. What is not listed any more becomes a tombstone, which is dropped after 30 days and
 * 10 polls (D10); what is listed again keeps its tombstone until somebody compared the message (P8).
 *
 * Of messages with the same unique-id (RFC 1939 §7, P5) some may have been deleted by a QUIT whose reply was lost: as many as were marked, or
 * none. When the count fits neither, nothing is remembered about any of them: a repeat, not a loss.
 */
export function reconcile(listing: readonly { readonly number: number; readonly uniqueId: string }[], book: Book, day: number): Reconciled {
  const poll = book.polls + 1
  const records: LedgerRecord[] = [['poll', poll, day]]
  const doubtful: string[] = []
  const sorted = listing.toSorted((a, b) => a.number - b.number)
  const counts = new Map<string, number>()
  for (const { uniqueId } of sorted) counts.set(uniqueId, (counts.get(uniqueId) ?? 0) + 1)

  const names = new Map<string, readonly number[]>()
  for (const [uniqueId, count] of counts) {
    const known = book.names.get(uniqueId)
    if (known === undefined && count === 1) continue
    const before = known ?? [1]
    const deleting = book.deleting.get(uniqueId)
    const now = namesNow(before, count, new Set(deleting))
    if (now === undefined) {
      doubtful.push(uniqueId)
      records.push(['forget', before.map((name) => keyOf(uniqueId, name))])
    }
    const settled = now ?? Array.from({ length: count }, (_, at) => at + 1)
    names.set(uniqueId, settled)
    if (deleting !== undefined || settled.join() !== before.join()) records.push(['names', uniqueId, settled])
  }

  const used = new Map<string, number>()
  const messages = sorted.map(({ number, uniqueId }) => {
    const list = names.get(uniqueId)
    const at = used.get(uniqueId) ?? 0
    if (list !== undefined) used.set(uniqueId, at + 1)
    const occurrence = list?.[at] ?? 1
    const key = keyOf(uniqueId, occurrence)
    const entry = book.entries.get(key)
    if (entry !== undefined) entry.listed = poll
    return { number, uniqueId, occurrence, key }
  })

  const gone: string[] = []
  const expired: string[] = []
  for (const [key, entry] of book.entries) {
    if (entry.listed === poll) continue
    // What was never handed over needs no tombstone.
    if (entry.kinds === 0 && entry.documents === undefined && entry.stored === 0) expired.push(key)
    else if (entry.gonePoll === 0) gone.push(key)
    else if (isExpired(entry, poll, day)) expired.push(key)
  }
  // The last copy is gone: the next message with this unique-id is the first again.
  for (const uniqueId of book.names.keys()) if (!counts.has(uniqueId)) records.push(['names', uniqueId, []])
  if (gone.length > 0) records.push(['gone', gone])
  if (expired.length > 0) records.push(['forget', expired])
  return { messages, records, doubtful }
}

const TOMBSTONE_POLLS = 10
const TOMBSTONE_DAYS = 30

/** By polls and by days, so that neither a clock that jumps nor a poll every second makes us forget (P24). */
function isExpired(entry: Entry, poll: number, day: number): boolean {
  return entry.stored === 0 && poll - entry.gonePoll >= TOMBSTONE_POLLS && day - entry.goneDay >= TOMBSTONE_DAYS
}

/** The copies that are left, in order, and new ones at the end; `undefined` when it cannot be known which are left. */
function namesNow(before: readonly number[], count: number, deleting: ReadonlySet<number>): readonly number[] | undefined {
  if (count < before.length) {
    const left = before.filter((name) => !deleting.has(name))
    return left.length === count ? left : undefined
  }
  const last = before.at(-1) ?? 0
  return [...before, ...Array.from({ length: count - before.length }, (_, at) => last + at + 1)]
}
