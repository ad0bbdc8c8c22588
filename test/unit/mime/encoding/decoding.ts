import type { ContentDecoder } from '../../../../src/mime/encoding/decoder.ts'

export interface Decoded {
  readonly text: string
  readonly defects: readonly string[]
}

/** Everything a decoder says of chunks: octets as Latin-1, and `code@offset`. */
export function decodeChunks(decoder: ContentDecoder, chunks: Iterable<Buffer>): Decoded {
  const pieces: Buffer[] = []
  const defects: string[] = []
  const report = (code: string, offset: number): void => void defects.push(`${code}@${offset}`)
  for (const chunk of chunks) {
    const copy = Buffer.from(chunk)
    pieces.push(decoder.decode(copy, report))
    copy.fill(0xee) // chunks are borrowed: what the decoder gave must not depend on them
  }
  pieces.push(decoder.end(report))
  return { text: Buffer.concat(pieces).toString('latin1'), defects: defects.toSorted() }
}

/** `octets` cut at ascending places made of any numbers. */
export function cutAt(octets: Buffer, places: readonly number[]): Buffer[] {
  const cuts = [0, ...places.map((place) => place % (octets.length + 1)).toSorted((a, b) => a - b), octets.length]
  return cuts.slice(1).map((cut, index) => octets.subarray(cuts[index], cut))
}
