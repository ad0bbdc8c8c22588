import { Book, type Entry, type LedgerRecord } from './book.ts'

/**
 * What is known about the messages of one mailbox, across runs and crashes. Changes can be seen at once by those who ask; they are durable when
 * `commit` resolves. Once a write has failed, nothing is accepted any more: what is on the disk is then unknown.
 */
export interface Ledger {
  /** Of a message by its key, or `undefined` when nothing is known about it. */
  find(key: string): Entry | undefined
  entries(): Iterable<readonly [key: string, entry: Entry]>
  /** The names under which the copies of a repeated unique-id are known, in the order of the maildrop. */
  names(uniqueId: string): readonly number[] | undefined
  /** Copies of a repeated unique-id that were marked for deletion when so many were listed. */
  deleting(uniqueId: string): Deleting | undefined
  /** Runs so far. */
  readonly polls: number
  /** Durable soon, and in any case before the next `commit` resolves. */
  note(...records: LedgerRecord[]): void
  /** Resolves when these and all earlier records are durable. Rejects with `ERR_STATE`. */
  commit(...records: LedgerRecord[]): Promise<void>
  close(): Promise<void>
}

export interface Deleting {
  readonly listed: number
  readonly names: readonly number[]
}

/** `state: 'memory'`: forgotten with the connector. */
export class MemoryLedger implements Ledger {
  readonly #book = new Book()

  find(key: string): Entry | undefined {
    return this.#book.entries.get(key)
  }

  entries(): Iterable<readonly [string, Entry]> {
    return this.#book.entries
  }

  names(uniqueId: string): readonly number[] | undefined {
    return this.#book.names.get(uniqueId)
  }

  deleting(uniqueId: string): Deleting | undefined {
    return this.#book.deleting.get(uniqueId)
  }

  get polls(): number {
    return this.#book.polls
  }

  note(...records: LedgerRecord[]): void {
    for (const record of records) this.#book.apply(record)
  }

  commit(...records: LedgerRecord[]): Promise<void> {
    this.note(...records)
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
