// The content-transfer-encodings in MB/s of input, in chunks of 64 KiB.
import { randomBytes } from 'node:crypto'
import { Base64Decoder, Base64Encoder } from '../../src/mime/encoding/base64.ts'
import { QuotedPrintableDecoder, QuotedPrintableEncoder } from '../../src/mime/encoding/quoted-printable.ts'

const CHUNK = 64 * 1024
const octets = randomBytes(8 << 20)
const text = Buffer.from('Der schnelle braune Fuchs springt \u00fcber den faulen Hund.\r\n'.repeat(140_000))

function all(step: (chunk: Buffer) => Buffer, input: Buffer): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; at < input.length; at += CHUNK) pieces.push(step(input.subarray(at, at + CHUNK)))
  return Buffer.concat(pieces)
}

function measure(name: string, input: Buffer, make: () => (chunk: Buffer) => Buffer): void {
  const rates: number[] = []
  for (let run = 0; run < 7; run++) {
    const step = make()
    const start = process.hrtime.bigint()
    for (let at = 0; at < input.length; at += CHUNK) step(input.subarray(at, at + CHUNK))
    rates.push((input.length * 1000) / Number(process.hrtime.bigint() - start))
  }
  console.log(`${name.padEnd(36)} ${Math.round(rates.toSorted((a, b) => a - b)[3] ?? 0)} MB/s`)
}

function ignore(): void {}
const lines = new Base64Encoder()
const wrapped = Buffer.concat([all((chunk) => lines.encode(chunk), octets), lines.end()])
const oneLine = Buffer.from(octets.toString('base64'))
const oddLines = Buffer.from(octets.toString('base64').replaceAll(/.{75}/g, '$&\r\n'))
const qpText = new QuotedPrintableEncoder()
const quotedText = Buffer.concat([all((chunk) => qpText.encode(chunk), text), qpText.end()])
const qpBinary = new QuotedPrintableEncoder()
const quotedBinary = Buffer.concat([all((chunk) => qpBinary.encode(chunk), octets), qpBinary.end()])

measure('limit: native decode', wrapped, () => (chunk) => {
  const out = Buffer.allocUnsafeSlow(chunk.length)
  return out.subarray(0, out.write(chunk.toString('latin1'), 'base64'))
})
const decoding = (make: () => { decode(chunk: Buffer, report: () => void): Buffer }) => () => {
  const decoder = make()
  return (chunk: Buffer) => decoder.decode(chunk, ignore)
}
measure(
  'base64 decode, 76 columns',
  wrapped,
  decoding(() => new Base64Decoder()),
)
measure(
  'base64 decode, lines of an odd width',
  oddLines,
  decoding(() => new Base64Decoder()),
)
measure(
  'base64 decode, one line',
  oneLine,
  decoding(() => new Base64Decoder()),
)
measure(
  'quoted-printable decode, text',
  quotedText,
  decoding(() => new QuotedPrintableDecoder()),
)
measure(
  'quoted-printable decode, binary',
  quotedBinary,
  decoding(() => new QuotedPrintableDecoder()),
)
measure('base64 encode', octets, () => {
  const encoder = new Base64Encoder()
  return (chunk) => encoder.encode(chunk)
})
measure('quoted-printable encode, text', text, () => {
  const encoder = new QuotedPrintableEncoder()
  return (chunk) => encoder.encode(chunk)
})
