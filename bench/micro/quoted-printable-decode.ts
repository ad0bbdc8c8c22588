import { QuotedPrintableDecoder } from '../../src/mime/encoding/quoted-printable.ts'
import { chunksOf, GERMAN, ignore, randomOctets, textOf } from './support/inputs.ts'
import type { Micro } from './support/micro.ts'
import { decodeQuotedPrintable, encodeQuotedPrintable } from './support/plain.ts'

function decoding(name: string, hot: boolean, make: () => Buffer): Micro {
  return {
    name: `quoted-printable decode, ${name}`,
    hot,
    unit: 'MB',
    plainly: 'octet by octet',
    prepare() {
      const octets = encodeQuotedPrintable(make())
      const chunks = chunksOf(octets)
      return {
        amount: octets.length,
        run() {
          const decoder = new QuotedPrintableDecoder()
          let length = 0
          for (const chunk of chunks) length += decoder.decode(chunk, ignore).length
          return length + decoder.end(ignore).length
        },
        plain: () => decodeQuotedPrintable(octets).length,
      }
    },
  }
}

export const micros: readonly Micro[] = [decoding('German text', true, () => textOf(...GERMAN)), decoding('octets', false, () => randomOctets())]
