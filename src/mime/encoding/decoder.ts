import { Base64Decoder } from './base64.ts'
import type { ContentDecoder } from './coder.ts'
import { QuotedPrintableDecoder } from './quoted-printable.ts'
import { UuDecoder } from './uuencode.ts'

export type { ContentDecoder } from './coder.ts'

/** For an encoding as `parseTransferEncoding` names it; `null` when its content is the octets as they are. */
export function createDecoder(encoding: string): ContentDecoder | null {
  if (encoding === 'base64') return new Base64Decoder()
  if (encoding === 'quoted-printable') return new QuotedPrintableDecoder()
  return encoding === 'x-uuencode' ? new UuDecoder() : null
}
