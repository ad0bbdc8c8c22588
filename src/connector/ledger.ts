import { basename, join } from 'node:path'
import type { MailError } from '../errors.ts'
import { Book, type LedgerRecord } from './book.ts'
import { replaceFile, stateError, TEMPORARY, type Files, type OutputFile } from './files.ts'
import { readLines, recordLines, snapshotLines } from './ledger-lines.ts'
import { mailboxName, type Mailbox } from './mailbox.ts'

/**
 * What is known about the messages of one mailbox, across runs and crashes; without a file (`state: 'memory'`) as long as this object lives.
 * Changes are in the book at once; they are durable when `commit` resolves. Once a write has failed, nothing is accepted any more: what is on
 * the disk is then unknown.
 */
export class Ledger {
  /** To be read only. */ readonly book: Book
  readonly #file: OutputFile | undefined
  readonly #path: string
  readonly #pending: LedgerRecord[] = []
  #last: Promise<void> = Promise.resolve()
  #queued: Promise<void> | undefined
  #broken: MailError | undefined

  constructor(book = new Book(), file?: OutputFile, path = '') {
    this.book = book
    this.#file = file
    this.#path = path
  }

  /**
   * Opens the ledger of a mailbox, or makes one. To be called by the holder of the lock only. Rejects with `ERR_STATE`, and with
   * `ERR_STATE_DAMAGED` when something else than the last write is broken: it never starts empty in place of a ledger that cannot be read (P23).
   */
  static async open(files: Files, folder: string, mailbox: Mailbox): Promise<Ledger> {
    const path = join(folder, `${mailboxName(mailbox)}.ledger`)
    try {
      for (const name of await files.names(folder)) {
        if (name.startsWith(`${basename(path)}.`) && name.endsWith(TEMPORARY)) await files.remove(join(folder, name))
      }
      const octets = await files.read(path)
      const book = new Book()
      const { isTorn, records } = octets === null ? { isTorn: true, records: 0 } : readLines(octets, path, book)
      // With a torn end, or with many records about few messages, it is written anew.
      if (isTorn || records > 1000 + 2 * book.entries.size) await replaceFile(files, path, snapshotLines(mailbox, book))
      return new Ledger(book, await files.append(path), path)
    } catch (error) {
      throw stateError('use the ledger', path, error)
    }
  }

  /** Durable with the next `commit`, or when the ledger is closed. */
  note(record: LedgerRecord): void {
    this.book.apply(record)
    // A failure is kept, and found by whoever commits next.
    if (this.#file !== undefined && this.#pending.push(record) % MAX_NOTES === 0) this.#flush().catch(() => undefined)
  }

  /** Resolves when these and all earlier records are durable. Rejects with `ERR_STATE`. */
  commit(...records: LedgerRecord[]): Promise<void> {
    for (const record of records) this.note(record)
    return this.#flush()
  }

  /** Rejects with `ERR_STATE` when something could not be written. */
  async close(): Promise<void> {
    try {
      await this.#flush()
    } finally {
      await this.#file?.close().catch(() => undefined)
    }
  }

  /** One write and one sync for everything that came while the write before was under way. */
  #flush(): Promise<void> {
    if (this.#queued === undefined) {
      this.#queued = this.#last.then(() => this.#write())
      this.#last = this.#queued.catch(() => undefined)
    }
    return this.#queued
  }

  async #write(): Promise<void> {
    this.#queued = undefined
    if (this.#broken !== undefined) throw this.#broken
    const records = this.#pending.splice(0)
    if (this.#file === undefined || records.length === 0) return
    try {
      await this.#file.appendFile(Buffer.concat([...recordLines(records)]))
      await this.#file.sync()
    } catch (error) {
      // After a failed sync nobody knows what is on the disk, and a second one may wrongly succeed.
      this.#broken = stateError('write to the ledger', this.#path, error)
      throw this.#broken
    }
  }
}

const MAX_NOTES = 500
