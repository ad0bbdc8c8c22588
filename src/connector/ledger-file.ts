import { basename, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { LF, NUL, SPACE } from '../bytes.ts'
import { MailError } from '../errors.ts'
import { Book, type Entry, type LedgerRecord } from './book.ts'
import { replaceFile, stateError, TEMPORARY, type Files, type OutputFile } from './files.ts'
import type { Deleting, Ledger } from './ledger.ts'
import { mailboxName, type Mailbox } from './mailbox.ts'

/**
 * Opens the ledger of a mailbox, or makes one. To be called by the holder of the lock only. Rejects with `ERR_STATE`, and with
 * `ERR_STATE_DAMAGED` when something else than the last write is broken: it never starts empty in place of a ledger that cannot be read (P23).
 *
 * The file grows by one line a commit: the length of what follows in octets, its CRC-32, and an array of records as JSON. The first line
 * names the version and the mailbox. A line that was cut off by a crash can only be the last one, and is taken off.
 */
export async function openLedger(files: Files, folder: string, mailbox: Mailbox): Promise<Ledger> {
  const path = join(folder, `${mailboxName(mailbox)}.ledger`)
  try {
    for (const name of await files.names(folder)) {
      if (name.startsWith(`${basename(path)}.`) && name.endsWith(TEMPORARY)) await files.remove(join(folder, name))
    }
    const octets = await files.read(path)
    const book = new Book()
    let lines = 0
    if (octets !== null) {
      const { end, records } = readLines(octets, path, book)
      if (end < octets.length) await files.truncate(path, end)
      lines = records
    }
    // Many records about few messages: written anew, one a message.
    if (octets === null || lines > 1000 + 2 * book.entries.size) await replaceFile(files, path, snapshotLines(mailbox, book))
    const file = await files.append(path)
    try {
      await file.sync()
    } catch (error) {
      await file.close().catch(() => undefined)
      throw error
    }
    return new FileLedger(book, file, path)
  } catch (error) {
    throw stateError('use the ledger', path, error)
  }
}

class FileLedger implements Ledger {
  readonly #book: Book
  readonly #file: OutputFile
  readonly #path: string
  #pending: LedgerRecord[] = []
  #last: Promise<void> = Promise.resolve()
  #queued: Promise<void> | undefined
  #soon: NodeJS.Timeout | undefined
  #broken: MailError | undefined

  constructor(book: Book, file: OutputFile, path: string) {
    this.#book = book
    this.#file = file
    this.#path = path
  }

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
    this.#take(records)
    this.#soon ??= setTimeout(() => {
      // A failure is kept, and found by whoever commits next.
      this.#flush().catch(() => undefined)
    }, SOON_MS)
  }

  commit(...records: LedgerRecord[]): Promise<void> {
    this.#take(records)
    return this.#flush()
  }

  async close(): Promise<void> {
    try {
      await (this.#pending.length > 0 ? this.#flush() : this.#last)
    } finally {
      clearTimeout(this.#soon)
      await this.#file.close().catch(() => undefined)
    }
  }

  #take(records: readonly LedgerRecord[]): void {
    for (const record of records) {
      this.#book.apply(record)
      this.#pending.push(record)
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
    clearTimeout(this.#soon)
    this.#soon = undefined
    if (this.#broken !== undefined) throw this.#broken
    const records = this.#pending
    this.#pending = []
    if (records.length === 0) return
    try {
      await this.#file.write(Buffer.concat([...recordLines(records)]))
      await this.#file.sync()
    } catch (error) {
      // After a failed sync nobody knows what is on the disk, and a second one may wrongly succeed.
      this.#broken = stateError('write to the ledger', this.#path, error)
      throw this.#broken
    }
  }
}

const SOON_MS = 20
const VERSION = 1
const RECORDS_A_LINE = 500

function* snapshotLines(mailbox: Mailbox, book: Book): Generator<Buffer> {
  yield lineOf({ ledger: 'wirepost', version: VERSION, host: mailbox.host, port: mailbox.port, user: mailbox.user })
  yield* recordLines(book.snapshot())
}

function* recordLines(records: Iterable<LedgerRecord>): Generator<Buffer> {
  let some: LedgerRecord[] = []
  for (const record of records) {
    if (some.push(record) < RECORDS_A_LINE) continue
    yield lineOf(some)
    some = []
  }
  if (some.length > 0) yield lineOf(some)
}

function lineOf(value: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(value))
  return Buffer.concat([Buffer.from(`${json.length} ${hex(crc32(json))} `), json, Buffer.from('\n')])
}

function hex(sum: number): string {
  return sum.toString(16).padStart(8, '0')
}

/** Applies all lines; `end` is where the whole ones end. */
function readLines(octets: Buffer, path: string, book: Book): { end: number; records: number } {
  let line = lineAt(octets, 0)
  if (line === undefined) throw damagedError(path, 0)
  checkHeader(line.json, path)
  let { end } = line
  let records = 0
  for (;;) {
    line = lineAt(octets, end)
    if (line === undefined) break
    // The sum says that these are our own words.
    const some: readonly LedgerRecord[] = JSON.parse(line.json)
    for (const record of some) book.apply(record)
    records += some.length
    ;({ end } = line)
  }
  if (!isTorn(octets, end)) throw damagedError(path, end)
  return { end, records }
}

/** The whole and undamaged line that starts there. */
function lineAt(octets: Buffer, from: number): { json: string; end: number } | undefined {
  const space = octets.indexOf(SPACE, from)
  if (space === -1 || space - from > 10 || octets[space + 9] !== SPACE) return undefined
  const digits = octets.toString('latin1', from, space)
  if (!/^[1-9]\d*$/.test(digits)) return undefined
  const start = space + 10
  const end = start + Number(digits)
  if (octets[end] !== LF) return undefined
  if (octets.toString('latin1', space + 1, space + 9) !== hex(crc32(octets.subarray(start, end)))) return undefined
  return { json: octets.toString('utf8', start, end), end: end + 1 }
}

/**
 * Whether what follows the last whole line is the rest of one write that a crash cut off: no whole line after it, and no end of a line, unless
 * there are octets that the disk never got (NUL, which JSON does not contain). Anything else was changed after it was written.
 */
function isTorn(octets: Buffer, from: number): boolean {
  if (from === octets.length) return true
  let end = octets.indexOf(LF, from)
  if (end === -1) return !isOverrun(octets, from)
  if (!octets.includes(NUL, from)) return false
  for (; end !== -1; end = octets.indexOf(LF, end + 1)) if (lineAt(octets, end + 1) !== undefined) return false
  return true
}

/** A line that has all its octets and one more in place of its end: that end was changed. */
function isOverrun(octets: Buffer, from: number): boolean {
  const last = octets.length - 1
  return last > from && lineAt(Buffer.concat([octets.subarray(from, last), Buffer.from('\n')]), 0) !== undefined
}

function checkHeader(json: string, path: string): void {
  const header: unknown = JSON.parse(json)
  if (typeof header !== 'object' || header === null || !('version' in header) || header.version === VERSION) return
  throw new MailError('ERR_STATE', `the ledger ${path} was written by a newer version: update wirepost, or name another state directory`, {
    phase: 'state',
  })
}

function damagedError(path: string, octet: number): MailError {
  return new MailError(
    'ERR_STATE_DAMAGED',
    `the ledger ${path} is damaged at octet ${octet}: what was accepted cannot be known; put back a copy, or move it away, and all that is on the server is handed over again`,
    { phase: 'state' },
  )
}
