import { EMPTY } from '../../bytes.ts'
import type { DefectCode, Report } from '../defect.ts'

/** Undoes one content-transfer-encoding (RFC 2045 §6), a chunk at a time. What it gives depends on the octets alone, never on where they were
 *  cut. Whatever the sender wrote, it goes on and reports: each code once, where it first happened, counted from the first octet decoded. */
export interface ContentDecoder {
  /** What can be decided; always memory of its own, never a view of `chunk`. */
  decode(chunk: Buffer, report: Report): Buffer
  /** What was held back. */
  end(report: Report): Buffer
}

/** Applies one content-transfer-encoding, a chunk at a time, cut anywhere. Lines are at most 76 columns and end in CRLF. */
export interface ContentEncoder {
  /** What can be decided; always memory of its own, never a view of `chunk`. */
  encode(chunk: Buffer): Buffer
  /** What was held back. The last line has no line end: the delimiter after it brings one (RFC 2046 §5.1.1). */
  end(): Buffer
}

/** Octets of `out` up to `length`, without keeping much more memory alive than they need. */
export function trimmed(out: Buffer, length: number): Buffer {
  if (length === 0) return EMPTY
  return length * 2 > out.length ? out.subarray(0, length) : Buffer.from(out.subarray(0, length))
}

/** Octets held back from one chunk, and those of the next. */
export const joined = (held: Buffer, chunk: Buffer): Buffer => (held.length === 0 ? chunk : Buffer.concat([held, chunk]))

/** Passes each code on once. */
export function reportOnce(): (report: Report, code: DefectCode, offset: number) => void {
  const reported = new Set<DefectCode>()
  return (report, code, offset) => {
    if (reported.has(code)) return
    reported.add(code)
    report(code, offset)
  }
}
