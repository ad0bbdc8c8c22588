import { createCipheriv, createHash } from 'node:crypto'
import { crc32, deflateSync } from 'node:zlib'

/** A document to be sent, and what must come back. */
export interface DemoDocument {
  readonly title: string
  readonly fileName: string
  readonly disposition: 'inline' | 'attachment'
  readonly contentType: string
  readonly subject: string
  readonly octets: number
  readonly sha256: string
  /** The content, each time from its beginning. */ readonly content: () => string | Uint8Array | AsyncIterable<Uint8Array>
}

/** An EDI interchange, an image and a file of `fileBytes`, the latter made while it is read. */
export function demoDocuments(fileBytes: number): DemoDocument[] {
  const edi = Buffer.from(INTERCHANGE.join('\r\n'))
  const image = png(480, 320)
  return [
    {
      title: 'EDI interchange, inline',
      fileName: 'orders.edi',
      disposition: 'inline',
      contentType: 'application/edifact',
      subject: 'ORDERS 4711',
      octets: edi.length,
      sha256: sha256([edi]),
      content: () => edi,
    },
    {
      title: 'image, attached',
      fileName: 'größe & gradient.png',
      disposition: 'attachment',
      contentType: 'image/png',
      subject: 'Ein Bild – größer',
      octets: image.length,
      sha256: sha256([image]),
      content: () => image,
    },
    {
      title: `file of ${Math.round(fileBytes / 1_000_000)} MB, streamed`,
      fileName: 'report.bin',
      disposition: 'attachment',
      contentType: 'application/octet-stream',
      subject: 'Monthly report',
      octets: fileBytes,
      sha256: sha256(noise(fileBytes)),
      content: () => later(noise(fileBytes)),
    },
  ]
}

const INTERCHANGE = [
  "UNA:+.? '",
  "UNB+UNOC:3+4012345000009:14+4054321000002:14+261122:1000+4711'",
  "UNH+1+ORDERS:D:01B:UN:EAN010'",
  "BGM+220+4711+9'",
  "DTM+137:20261122:102'",
  "NAD+BY+4012345000009::9'",
  "NAD+SU+4054321000002::9'",
  "LIN+1++4000862141404:SRV'",
  "QTY+21:48'",
  "UNS+S'",
  "UNT+9+1'",
  "UNZ+1+4711'",
  '',
]

/** Octets that look random, and are the same each time. */
export function* noise(octets: number): Generator<Buffer> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16, 1))
  const block = Buffer.alloc(65_536)
  for (let left = octets; left > 0; left -= block.length) yield cipher.update(left < block.length ? block.subarray(0, left) : block)
}

async function* later(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks
}

export function sha256(chunks: Iterable<Uint8Array>): string {
  const hash = createHash('sha256')
  for (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}

/** A colour gradient as PNG (RFC 2083). */
function png(width: number, height: number): Buffer {
  const rows = Buffer.alloc((width * 3 + 1) * height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) rows.set([(x * 255) / width, (y * 255) / height, 128], y * (width * 3 + 1) + 1 + x * 3)
  }
  const size = Buffer.alloc(13)
  size.writeUInt32BE(width, 0)
  size.writeUInt32BE(height, 4)
  size.set([8, 2], 8) // eight bits of red, green and blue
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', size),
    pngChunk('IDAT', deflateSync(rows)),
    pngChunk('IEND', Buffer.alloc(0)),
  ])
}

function pngChunk(type: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), content])
  const frame = Buffer.alloc(8)
  frame.writeUInt32BE(content.length, 0)
  frame.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)])
}
