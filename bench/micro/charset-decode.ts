import { singleByte } from '../../src/mime/charset/conversion.ts'
import { CharsetDecoder, decodeText } from '../../src/mime/charset/decode.ts'
import { CHUNK, chunksOf, GERMAN, ignore, PROSE, textOf } from './support/inputs.ts'
import type { Micro, Run } from './support/micro.ts'

function decoding(name: string, label: string, make: () => Buffer, plainly?: string, plain?: (octets: Buffer) => number): Micro {
  return {
    name: `charset decode, ${name}`,
    unit: 'MB',
    ...(plainly === undefined ? {} : { plainly }),
    prepare() {
      // About the size of a text part.
      const octets = make().subarray(0, CHUNK)
      const run: Run = () => decodeText(octets, label, ignore).length
      return plain === undefined ? { amount: octets.length, run } : { amount: octets.length, run, plain: () => plain(octets) }
    },
  }
}

const german = (encoding: 'utf8' | 'latin1'): Buffer => Buffer.from(textOf(...GERMAN).toString('utf8'), encoding)
const japanese = (): Buffer => Buffer.from('\u001B$B<!$NJ8=q$rE:IU$7$^$9\u001B(B 4711\r\n'.repeat(2500), 'latin1')

export const micros: readonly Micro[] = [
  decoding('UTF-8', 'utf-8', () => german('utf8')),
  decoding(
    'windows-1252 that is ASCII',
    'windows-1252',
    () => textOf(...PROSE),
    'by the table of windows-1252',
    (octets) => singleByte('windows-1252')(octets, true).text.length,
  ),
  decoding('windows-1252', 'windows-1252', () => german('latin1')),
  decoding('ISO-2022-JP', 'iso-2022-jp', japanese),
  {
    name: 'charset decode, UTF-8 in chunks of 4 KiB',
    unit: 'MB',
    prepare() {
      const octets = german('utf8')
      const chunks = chunksOf(octets, 4096)
      return {
        amount: octets.length,
        run() {
          const decoder = new CharsetDecoder('utf-8')
          let length = 0
          for (const chunk of chunks) length += decoder.decode(chunk, ignore).length
          return length + decoder.end(ignore).length
        },
      }
    },
  },
]
