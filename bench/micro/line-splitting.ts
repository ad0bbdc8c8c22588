import { LineSplitter } from '../../src/wire/lines.ts'
import { chunksOf, textOf } from './support/inputs.ts'
import type { Micro } from './support/micro.ts'
import { countLines } from './support/plain.ts'

const LIMIT = 1000

function splitting(name: string, line: string): Micro {
  return {
    name: `line splitting, ${name}`,
    unit: 'MB',
    plainly: 'octet by octet',
    prepare() {
      const octets = textOf(line)
      // Whole lines, as the plain form keeps nothing between chunks.
      const chunks = chunksOf(octets, (line.length + 2) * 1000)
      return {
        amount: octets.length,
        run() {
          const splitter = new LineSplitter(LIMIT)
          let length = 0
          for (const chunk of chunks) {
            splitter.push(chunk)
            for (let found = splitter.next(); found !== undefined; found = splitter.next()) length += found.length
          }
          return length
        },
        plain: () => chunks.reduce((sum, chunk) => sum + countLines(chunk), 0),
      }
    },
  }
}

export const micros: readonly Micro[] = [splitting('a unique-id listing', '4711 00000123655bf3a2'), splitting('lines of 500 octets', 'x'.repeat(498))]
