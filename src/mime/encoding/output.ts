import { EMPTY } from '../../bytes.ts'

/** Octets of `out` up to `length`, without keeping much more memory alive than they need. */
export function trimmed(out: Buffer, length: number): Buffer {
  if (length === 0) return EMPTY
  if (length * 2 > out.length) return out.subarray(0, length)
  const copy = Buffer.allocUnsafe(length)
  out.copy(copy, 0, 0, length)
  return copy
}

/** Octets held back from one chunk, and those of the next. */
export function joined(held: Buffer, chunk: Buffer): Buffer {
  return held.length === 0 ? chunk : Buffer.concat([held, chunk])
}
