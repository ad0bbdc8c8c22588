import { DotStuffer, DotUnstuffer } from '../../src/wire/dots.ts'
import { base64Lines, chunksOf, lengthOf, PROSE, textOf } from './support/inputs.ts'
import type { Micro } from './support/micro.ts'
import { PlainDotStuffer, PlainDotUnstuffer } from './support/plain.ts'

interface Dots {
  push(chunk: Buffer): Buffer[]
}

function pushing(name: string, hot: boolean, fast: () => Dots, plain: () => Dots, make: () => Buffer): Micro {
  return {
    name,
    hot,
    unit: 'MB',
    plainly: 'octet by octet',
    prepare() {
      const octets = make()
      const chunks = chunksOf(octets)
      const all = (dots: Dots): number => chunks.reduce((sum, chunk) => sum + lengthOf(dots.push(chunk)), 0)
      return { amount: octets.length, run: () => all(fast()), plain: () => all(plain()) }
    },
  }
}

const stuffing = (name: string, hot: boolean, make: () => Buffer): Micro =>
  pushing(
    `dot stuffing, ${name}`,
    hot,
    () => new DotStuffer(),
    () => new PlainDotStuffer(),
    make,
  )

const unstuffing = (name: string, hot: boolean, make: () => Buffer): Micro =>
  pushing(
    `dot unstuffing, ${name}`,
    hot,
    () => new DotUnstuffer(),
    () => new PlainDotUnstuffer(),
    make,
  )

export const micros: readonly Micro[] = [
  stuffing('base64', false, () => base64Lines(76)),
  stuffing('a dot in one of five lines', false, () => textOf(...PROSE, '.hidden')),
  unstuffing('base64', true, () => base64Lines(76)),
  unstuffing('a dot in one of five lines', false, () => textOf(...PROSE, '..hidden')),
]
