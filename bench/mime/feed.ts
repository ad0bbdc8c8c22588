import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

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

/** The messages of a box, each a view. */
export function readBox(file: string): Buffer[] {
  const octets = readFileSync(file)
  const messages: Buffer[] = []
  for (let at = 0; at < octets.length;) {
    const end = octets.indexOf(10, at)
    const length = Number(octets.toString('latin1', at, end))
    messages.push(octets.subarray(end + 1, end + 1 + length))
    at = end + 1 + length
  }
  return messages
}

/** How many messages of a box everybody reads once before the time begins. */
export function warmUp(messages: readonly Buffer[]): readonly Buffer[] {
  return messages.slice(0, Math.max(1, Math.floor(messages.length / 5)))
}
