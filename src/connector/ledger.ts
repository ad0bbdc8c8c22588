import { createHash } from 'node:crypto'
import { basename, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { LF, NUL } from '../bytes.ts'
import { MailError } from '../errors.ts'
import { Book, type LedgerRecord } from './book.ts'
import { mailboxName, onDisk, replaceFile, TEMPORARY, type Files, type Mailbox, type OutputFile } from './files.ts'

/** What is known about the messages of one mailbox, across runs and crashes; without a file (`state: 'memory'`) as long as this object lives.
 *  Changes are in the book at once; they are durable when `commit` resolves. Once a write has failed, nothing is accepted any more: what is on
 *  the disk is then unknown. */
export class Ledger {
  /** To be read only. */ readonly book = new Book()
  #file: OutputFile | undefined
  #path = ''
  readonly #pending: LedgerRecord[] = []
  #last: Promise<void> = Promise.resolve()
  #queued: Promise<void> | undefined

  /** For the holder of the lock. Rejects with `ERR_STATE` and `ERR_STATE_DAMAGED`: never empty in place of a ledger that cannot be read (P23). */
  static async open(files: Files, folder: string, mailbox: Mailbox): Promise<Ledger> {
    const ledger = new Ledger()
    const { book } = ledger
    const path = join(folder, `${mailboxName(mailbox)}.ledger`)
    ledger.#path = path
    return onDisk('use the ledger', path, async () => {
      for (const name of await files.names(folder)) {
        if (name.startsWith(`${basename(path)}.`) && name.endsWith(TEMPORARY)) await files.remove(join(folder, name))
      }
      const octets = await files.read(path)
      const { isTorn, records } = octets === null ? { isTorn: true, records: 0 } : readLines(octets, path, book)
      // With a torn end, or with many records about few messages, it is written anew.
      if (isTorn || records > 1000 + 2 * book.entries.size)
        await replaceFile(files, path, linesOf(book.snapshot(), { ledger: 'wirepost', version: VERSION, ...mailbox }))
      ledger.#file = await files.append(path)
      return ledger
    })
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

  /** One write and one sync for everything that came while the write before was under way. After one that failed there is no other: nobody knows
   *  what is on the disk, and a second sync may wrongly succeed. */
  #flush(): Promise<void> {
    this.#queued ??= this.#last = this.#last.then(() => this.#write())
    return this.#queued
  }

  async #write(): Promise<void> {
    this.#queued = undefined
    const records = this.#pending.splice(0)
    const file = this.#file
    if (file === undefined || records.length === 0) return
    await onDisk('write to the ledger', this.#path, async () => {
      await file.appendFile(Buffer.concat([...linesOf(records)]))
      await file.sync()
    })
  }
}

/** Whole messages in the state directory, between retrieval and acceptance (`handOver: 'spool'`). A file under its name is complete and durable. */
export type Spool = Awaited<ReturnType<typeof openSpool>>

/** Takes away what the ledger knows nothing about: the rests of a run that died (D1, D2). */
export async function openSpool(files: Files, stateDirectory: string, mailbox: Mailbox, { book }: Ledger) {
  const folder = join(stateDirectory, `${mailboxName(mailbox)}.spool`)
  const pathOf = (key: string): string => join(folder, fileName(key))
  await onDisk('use the spool', folder, async () => {
    await files.makeFolder(folder)
    const known = new Set([...book.entries].flatMap(([key, { stored }]) => (stored > 0 ? [fileName(key)] : [])))
    for (const name of await files.names(folder)) if (!known.has(name)) await files.remove(join(folder, name))
  })
  return {
    /** Resolves with the octets, once they are durable. A `MailError` of the source comes through as it is; anything else is `ERR_STATE`. */
    store: (key: string, source: AsyncIterable<Uint8Array>) => onDisk('write to the spool', folder, () => replaceFile(files, pathOf(key), source)),
    /** In octets, or `null` when the message is not there. */
    size: (key: string) => onDisk('read the spool', folder, () => files.size(pathOf(key))),
    open: (key: string): AsyncIterable<Buffer> => files.stream(pathOf(key)),
    /** Never rejects: what is left is swept away by the next run. */
    remove: (key: string): Promise<void> => files.remove(pathOf(key)).catch(() => undefined),
  }
}

/** Unique-ids are a server's words and never file names (P5). */
const fileName = (key: string): string => `${createHash('sha256').update(key).digest('hex')}.eml`

// The form of a ledger file: one line a commit, of the length of what follows in octets, its CRC-32, and an array of records as JSON. The first
// line names the version and the mailbox. A line that was cut off by a crash can only be the last one, and is taken off.

const VERSION = 1
const MAX_RECORDS = 500 // of a line; and so many notes are written before anybody commits

/** Records in as few lines as can be, behind the first line of a file, if any. */
function* linesOf(records: Iterable<LedgerRecord>, ...first: readonly object[]): Generator<Buffer> {
  yield* first.map(lineOf)
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
  return Buffer.concat([Buffer.from(`${json.length} ${crc32(json).toString(16).padStart(8, '0')} `), json, Buffer.from('\n')])
}

/** Applies all whole lines. Throws `ERR_STATE_DAMAGED` when something else than the last write is broken. `path` only names the file. */
function readLines(octets: Buffer, path: string, book: Book): { readonly isTorn: boolean; readonly records: number } {
  let end = 0
  let records = 0
  for (let line = lineAt(octets, 0); line !== undefined; line = lineAt(octets, end)) {
    // The sum says that these are our own words.
    const value: readonly LedgerRecord[] & { readonly version?: unknown } = JSON.parse(line.json)
    if (end > 0) {
      for (const record of value) book.apply(record)
      records += value.length
    } else if (value?.version !== VERSION) {
      const message = `the ledger ${path} was written by a newer version: update wirepost, or name another state directory`
      throw new MailError('ERR_STATE', message, { phase: 'state' })
    }
    ;({ end } = line)
  }
  const isTorn = end < octets.length
  if (end === 0 || (isTorn && !isRest(octets, end))) {
    const advice = 'put back a copy, or move it away, and all that is on the server is handed over again'
    const message = `the ledger ${path} is damaged at octet ${end}: what was accepted cannot be known; ${advice}`
    throw new MailError('ERR_STATE_DAMAGED', message, { phase: 'state' })
  }
  return { isTorn, records }
}

/** The whole and undamaged line that starts there. */
function lineAt(octets: Buffer, from: number): { json: string; end: number } | undefined {
  const [, digits, sum = ''] = /^([1-9]\d{0,9}) ([0-9a-f]{8}) /.exec(octets.toString('latin1', from, from + 20)) ?? []
  if (digits === undefined) return undefined
  const start = from + digits.length + 10
  const end = start + Number(digits)
  if (octets[end] !== LF || crc32(octets.subarray(start, end)) !== Number.parseInt(sum, 16)) return undefined
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
