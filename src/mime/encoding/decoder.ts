import { Base64Decoder } from './base64.ts'
import type { ContentDecoder } from './coder.ts'
import { QuotedPrintableDecoder } from './quoted-printable.ts'
import { UuDecoder } from './uuencode.ts'

export type { ContentDecoder } from './coder.ts'

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
