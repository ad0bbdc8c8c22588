import { basename, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { LF, NUL } from '../bytes.ts'
import { MailError } from '../errors.ts'
import { Book, type LedgerRecord } from './book.ts'
import { mailboxName, replaceFile, stateError, TEMPORARY, type Files, type Mailbox, type OutputFile } from './files.ts'

/** What is known about the messages of one mailbox, across runs and crashes; without a file (`state: 'memory'`) as long as this object lives.
 *  Changes are in the book at once; they are durable when `commit` resolves. Once a write has failed, nothing is accepted any more: what is on
 *  the disk is then unknown. */
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

  /** For the holder of the lock. Rejects with `ERR_STATE` and `ERR_STATE_DAMAGED`: never empty in place of a ledger that cannot be read (P23). */
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
    if (this.#file !== undefined && this.#pending.push(record) % MAX_RECORDS === 0) this.#flush().catch(() => undefined)
  }

  /** Resolves when these and all earlier records are durable. Rejects with `ERR_STATE`. */
  commit(...records: LedgerRecord[]): Promise<void> {
    for (const record of records) this.note(record)
    return this.#flush()
  }

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

// The form of a ledger file: one line a commit, of the length of what follows in octets, its CRC-32, and an array of records as JSON. The first
// line names the version and the mailbox. A line that was cut off by a crash can only be the last one, and is taken off.

const VERSION = 1
const MAX_RECORDS = 500 // of a line; and so many notes are written before anybody commits

/** A whole ledger in as few lines as can be. */
function* snapshotLines({ host, port, user }: Mailbox, book: Book): Generator<Buffer> {
  yield lineOf({ ledger: 'wirepost', version: VERSION, host, port, user })
  yield* recordLines(book.snapshot())
}

function* recordLines(records: Iterable<LedgerRecord>): Generator<Buffer> {
  let some: LedgerRecord[] = []
  for (const record of records) {
    if (some.push(record) < MAX_RECORDS) continue
    yield lineOf(some)
    some = []
  }
  if (some.length > 0) yield lineOf(some)
}

function lineOf(value: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(value))
  return Buffer.concat([Buffer.from(`${json.length} ${hex(crc32(json))} `), json, Buffer.from('\n')])
}

const hex = (sum: number): string => sum.toString(16).padStart(8, '0')

/** Applies all whole lines. Throws `ERR_STATE_DAMAGED` when something else than the last write is broken. `path` only names the file. */
function readLines(octets: Buffer, path: string, book: Book): { readonly isTorn: boolean; readonly records: number } {
  let line = lineAt(octets, 0)
  if (line === undefined) throw damagedError(path, 0)
  const header: unknown = JSON.parse(line.json)
  if (typeof header !== 'object' || header === null || !('version' in header) || header.version !== VERSION) {
    const message = `the ledger ${path} was written by a newer version: update wirepost, or name another state directory`
    throw new MailError('ERR_STATE', message, { phase: 'state' })
  }
  let { end } = line
  let records = 0
  for (line = lineAt(octets, end); line !== undefined; line = lineAt(octets, end)) {
    const some: readonly LedgerRecord[] = JSON.parse(line.json) // The sum says that these are our own words.
    for (const record of some) book.apply(record)
    records += some.length
    ;({ end } = line)
  }
  if (end < octets.length && !isRest(octets, end)) throw damagedError(path, end)
  return { isTorn: end < octets.length, records }
}

/** The whole and undamaged line that starts there. */
function lineAt(octets: Buffer, from: number): { json: string; end: number } | undefined {
  const [, digits, sum] = /^([1-9]\d{0,9}) ([0-9a-f]{8}) /.exec(octets.toString('latin1', from, from + 20)) ?? []
  if (digits === undefined) return undefined
  const start = from + digits.length + 10
  const end = start + Number(digits)
  if (octets[end] !== LF || hex(crc32(octets.subarray(start, end))) !== sum) return undefined
  return { json: octets.toString('utf8', start, end), end: end + 1 }
}

/** Whether what follows the last whole line is the rest of one write that a crash cut off: no whole line after it, and no end of a line, unless
 *  there are octets that the disk never got (NUL, which JSON does not contain). Anything else was changed after it was written, as was a line that
 *  has all its octets and one more in place of its end. */
function isRest(octets: Buffer, from: number): boolean {
  let end = octets.indexOf(LF, from)
  if (end === -1) return lineAt(Buffer.concat([octets.subarray(from, -1), Buffer.from('\n')]), 0) === undefined
  if (!octets.includes(NUL, from)) return false
  for (; end !== -1; end = octets.indexOf(LF, end + 1)) if (lineAt(octets, end + 1) !== undefined) return false
  return true
}

function damagedError(path: string, octet: number): MailError {
  const advice = 'put back a copy, or move it away, and all that is on the server is handed over again'
  const message = `the ledger ${path} is damaged at octet ${octet}: what was accepted cannot be known; ${advice}`
  return new MailError('ERR_STATE_DAMAGED', message, { phase: 'state' })
}
