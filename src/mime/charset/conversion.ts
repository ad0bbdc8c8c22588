import { textOf } from './single-byte.ts'

/**
 * Turns the octets of one text into characters, cut anywhere. What it gives as `rest`, a few octets of a character that has not come whole, comes
 * again before those that follow; with `final` nothing is left.
 */
export type Conversion = (octets: Buffer, final: boolean) => Converted

export interface Converted {
  readonly text: string
  readonly rest: Buffer
  /** Some octets meant nothing: U+FFFD stands for them. */ readonly invalid: boolean
}

export const REPLACEMENT = 0xfffd

/** The first `length` code units, made from what is before `rest`. */
export function converted(units: Uint16Array, length: number, rest: Buffer): Converted {
  const text = textOf(units.subarray(0, length))
  return { text, rest, invalid: text.includes('\ufffd') }
}
