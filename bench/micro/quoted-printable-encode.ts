import { QuotedPrintableEncoder } from '../../src/mime/encoding/quoted-printable.ts'
import { chunksOf, GERMAN, randomOctets, textOf } from './support/inputs.ts'
import type { Micro } from './support/micro.ts'
import { encodeQuotedPrintable } from './support/plain.ts'

function encoding(name: string, make: () => Buffer): Micro {
  return {
    name: `quoted-printable encode, ${name}`,
    unit: 'MB',
    plainly: 'octet by octet',
    prepare() {
      const octets = make()
      const chunks = chunksOf(octets, 32 * 1024)
      return {
        amount: octets.length,
        run() {
          const encoder = new QuotedPrintableEncoder()
          let length = 0
          for (const chunk of chunks) length += encoder.encode(chunk).length
          return length + encoder.end().length
        },
        plain: () => encodeQuotedPrintable(octets).length,
      }
    },
  }
}

export const micros: readonly Micro[] = [encoding('German text', () => textOf(...GERMAN)), encoding('octets', () => randomOctets())]
