import type { Report } from '../defect.ts'
import { Base64Decoder } from './base64.ts'
import { QuotedPrintableDecoder } from './quoted-printable.ts'
import { UuDecoder } from './uuencode.ts'

/**
 * Undoes one content-transfer-encoding (RFC 2045 §6), a chunk at a time. What it gives depends on the octets alone, never on where they were
 * cut. Whatever the sender wrote, it goes on and reports: each code once, where it first happened, counted from the first octet decoded.
 */
export interface ContentDecoder {
  /** What can be decided; always memory of its own, never a view of `chunk`. */
  decode(chunk: Buffer, report: Report): Buffer
  /** What was held back. */
  end(report: Report): Buffer
}

/** `null` for the identity encodings and for those that nobody knows: their content is the octets as they are. */
export function createDecoder(encoding: string): ContentDecoder | null {
  switch (encoding.toLowerCase()) {
    case 'base64':
      return new Base64Decoder()
    case 'quoted-printable':
      return new QuotedPrintableDecoder()
    case 'x-uuencode':
    case 'x-uue':
    case 'uuencode':
      return new UuDecoder()
    default:
      return null
  }
}
