import { closeSync, openSync, readSync } from 'node:fs'

const CHUNK = 64 * 1024

/** A file in chunks of 64 KiB, each in memory of its own, as streams give them; the same for everybody who takes chunks. */
export function* feed(file: string): Generator<Buffer, void, undefined> {
  const descriptor = openSync(file, 'r')
  try {
    for (;;) {
      const chunk = Buffer.allocUnsafeSlow(CHUNK)
      const length = readSync(descriptor, chunk)
      if (length === 0) return
      yield length === CHUNK ? chunk : chunk.subarray(0, length)
    }
  } finally {
    closeSync(descriptor)
  }
}
