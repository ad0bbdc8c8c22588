import { crc32 } from 'node:zlib'
import { LF, NUL } from '../bytes.ts'
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
 * Applies all whole lines, and says whether the last write is torn. Throws `ERR_STATE_DAMAGED` when something else is broken, and `ERR_STATE` for
 * a newer version. `path` only names the file.
 */
export function readLines(octets: Buffer, path: string, book: Book): { readonly isTorn: boolean; readonly records: number } {
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
    // The sum says that these are our own words.
    const some: readonly LedgerRecord[] = JSON.parse(line.json)
    for (const record of some) book.apply(record)
    records += some.length
    ;({ end } = line)
  }
  if (end < octets.length && !isTorn(octets, end)) throw damagedError(path, end)
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

/**
 * Whether what follows the last whole line is the rest of one write that a crash cut off: no whole line after it, and no end of a line, unless
 * there are octets that the disk never got (NUL, which JSON does not contain). Anything else was changed after it was written, as was a line that
 * has all its octets and one more in place of its end.
 */
function isTorn(octets: Buffer, from: number): boolean {
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
