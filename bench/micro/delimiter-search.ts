import { OpenBoundaries, type Bounded } from '../../src/mime/boundary.ts'
import { base64Lines, chunksOf, ignore, PROSE, textOf } from './support/inputs.ts'
import type { Micro } from './support/micro.ts'
import { findDelimiter } from './support/plain.ts'

const BOUNDARY = '----=_NextPart_000_0012_01DA1D2B.8F3C5A40'

function searching(name: string, hot: boolean, make: () => Buffer): Micro {
  return {
    name: `delimiter search, ${name}`,
    hot,
    unit: 'MB',
    plainly: 'each line is looked at',
    prepare() {
      const octets = make()
      const chunks = chunksOf(octets)
      const open = new OpenBoundaries<Bounded>()
      open.open({ boundary: BOUNDARY })
      return {
        amount: octets.length,
        run: () => chunks.filter((chunk) => open.find(chunk, 0, true, false, ignore).delimiter !== null).length,
        plain: () => chunks.filter((chunk) => findDelimiter(chunk, BOUNDARY)).length,
      }
    },
  }
}

export const micros: readonly Micro[] = [
  searching('base64', true, () => base64Lines(76)),
  searching('text', false, () => textOf(...PROSE)),
  searching('lines that all begin with two hyphens', false, () => textOf('-- ', '--- forwarded message', '------')),
]
