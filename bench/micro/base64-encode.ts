import { Base64Encoder } from '../../src/mime/encoding/base64.ts'
import { chunksOf, randomOctets } from './support/inputs.ts'
import type { Micro } from './support/micro.ts'
import { encodeBase64 } from './support/plain.ts'

export const micros: readonly Micro[] = [
  {
    name: 'base64 encode',
    hot: true,
    unit: 'MB',
    plainly: 'a string a line, by Node',
    prepare() {
      const octets = randomOctets(57 * 16_384)
      // As the composer cuts it; the plain form is given whole lines.
      const chunks = chunksOf(octets, 32 * 1024)
      const whole = chunksOf(octets, 57 * 512)
      return {
        amount: octets.length,
        run() {
          const encoder = new Base64Encoder()
          let length = 0
          for (const chunk of chunks) length += encoder.encode(chunk).length
          return length + encoder.end().length
        },
        plain: () => whole.reduce((sum, chunk, at) => sum + encodeBase64(chunk).length + (at === 0 ? 0 : 2), 0),
      }
    },
  },
]
