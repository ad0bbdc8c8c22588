import { Base64Decoder } from '../../src/mime/encoding/base64.ts'
import { base64Lines, CHUNK, chunksOf, ignore, randomOctets } from './support/inputs.ts'
import type { Micro, Run } from './support/micro.ts'
import { TableBase64Decoder } from './support/plain.ts'

function decoding(chunks: readonly Buffer[]): Run {
  return () => {
    const decoder = new Base64Decoder()
    let octets = 0
    for (const chunk of chunks) octets += decoder.decode(chunk, ignore).length
    return octets + decoder.end(ignore).length
  }
}

function plainly(chunks: readonly Buffer[]): Run {
  return () => {
    const decoder = new TableBase64Decoder()
    let octets = 0
    for (const chunk of chunks) octets += decoder.decode(chunk).length
    return octets
  }
}

export const micros: readonly Micro[] = [
  {
    name: 'base64 decode, lines of 76 columns',
    hot: true,
    unit: 'MB',
    plainly: 'the same digits in lines of 76 and 72 columns in turn, which never go to the native decoder',
    prepare() {
      const octets = base64Lines(76)
      return { amount: octets.length, run: decoding(chunksOf(octets)), plain: decoding(chunksOf(base64Lines(76, 72))) }
    },
  },
  {
    name: 'base64 decode, chunks of 256 KiB',
    unit: 'MB',
    plainly: 'one native call a chunk, not blocks of 64 KiB, and no look at where lines end',
    prepare() {
      const octets = base64Lines(76)
      // As long as a read of a plain socket can be, in whole lines.
      const chunks = chunksOf(octets, 78 * 3360)
      return {
        amount: octets.length,
        run: decoding(chunks),
        plain: () => chunks.reduce((sum, chunk) => sum + Buffer.allocUnsafe(chunk.length).write(chunk.toString('latin1'), 'base64'), 0),
      }
    },
  },
  {
    name: 'base64 decode, lines of 76 and 72 columns',
    unit: 'MB',
    plainly: 'digit by digit in a table, not four at a time',
    prepare() {
      const octets = base64Lines(76, 72)
      return { amount: octets.length, run: decoding(chunksOf(octets)), plain: plainly(chunksOf(octets)) }
    },
  },
  {
    name: 'base64 decode, lines of 75 columns',
    unit: 'MB',
    prepare() {
      const octets = base64Lines(75)
      return { amount: octets.length, run: decoding(chunksOf(octets)) }
    },
  },
  {
    name: 'base64 decode, one line',
    unit: 'MB',
    prepare() {
      const octets = Buffer.from(randomOctets(CHUNK * 15).toString('base64'))
      return { amount: octets.length, run: decoding(chunksOf(octets)) }
    },
  },
]
