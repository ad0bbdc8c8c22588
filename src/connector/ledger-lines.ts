import { crc32 } from 'node:zlib'
import { LF, NUL, SPACE } from '../bytes.ts'
import { MailError } from '../errors.ts'
import type { Book, LedgerRecord } from './book.ts'
import type { Mailbox } from './mailbox.ts'

// The form of a ledger file: one line a commit, of the length of what follows in octets, its CRC-32, and an array of records as JSON. The first
// line names the version and the mailbox. A line that was cut off by a crash can only be the last one, and is taken off.

const VERSION = 1
const RECORDS_A_LINE = 500

/** A whole ledger in as few lines as can be. */
export function* snapshotLines(mailbox: Mailbox, book: Book): Generator<Buffer> {
  yield lineOf({ ledger: 'wirepost', version: VERSION, host: mailbox.host, port: mailbox.port, user: mailbox.user })
  yield* recordLines(book.snapshot())
}

export function* recordLines(records: Iterable<LedgerRecord>): Generator<Buffer> {
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

const hex = (sum: number): string => sum.toString(16).padStart(8, '0')

/**
 * Applies all lines; `end` is where the whole ones end. Throws `ERR_STATE_DAMAGED` when something else than the last write is broken, and
 * `ERR_STATE` for a newer version. `path` only names the file.
 */
export function readLines(octets: Buffer, path: string, book: Book): { end: number; records: number } {
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
