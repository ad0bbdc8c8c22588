import { ContentFramer, type Framing } from '../../src/smtp/content.ts'
import { base64Lines, chunksOf, lengthOf, PROSE, textOf } from './support/inputs.ts'
import type { Micro } from './support/micro.ts'
import { PlainFramer } from './support/plain.ts'

const DATA: Framing = { chunks: false, binary: false, eightBit: true, verify: false, maxLineOctets: 998, maxOctets: Number.POSITIVE_INFINITY }

function framing(name: string, hot: boolean, terms: Partial<Framing>, make: () => Buffer): Micro {
  return {
    name: `content framing, ${name}`,
    hot,
    unit: 'MB',
    plainly: 'octet by octet, into a copy',
    prepare() {
      const octets = make()
      const chunks = chunksOf(octets)
      return {
        amount: octets.length,
        run() {
          const framer = new ContentFramer({ ...DATA, ...terms })
          let length = 0
          for (const chunk of chunks) length += lengthOf(framer.push(chunk))
          return length + lengthOf(framer.end())
        },
        plain() {
          const framer = new PlainFramer(terms.chunks !== true)
          let length = 0
          for (const chunk of chunks) length += framer.push(chunk).length
          return length + framer.end().length
        },
      }
    },
  }
}

const bareLf = (octets: Buffer): Buffer => Buffer.from(octets.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')

export const micros: readonly Micro[] = [
  framing('DATA, base64', true, {}, () => base64Lines(76)),
  framing('BDAT, base64', false, { chunks: true }, () => base64Lines(76)),
  framing('DATA, a dot in one of six lines', false, {}, () => textOf(...PROSE, '.hidden')),
  framing('DATA, lines that end in LF alone', false, {}, () => bareLf(textOf(...PROSE))),
]
