import { SINGLE_BYTE_TABLES } from './single-byte-tables.ts'

export type SingleByteCharset = keyof typeof SINGLE_BYTE_TABLES

const BIG_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 0

const tables = new Map<SingleByteCharset, Uint16Array>()

export const isSingleByte = (charset: string): charset is SingleByteCharset => Object.hasOwn(SINGLE_BYTE_TABLES, charset)

/** Not so of the sets of mainframes and of Vietnamese. */
export const extendsAscii = (charset: SingleByteCharset): boolean => SINGLE_BYTE_TABLES[charset].length === 128

/**
 * Characters of a single-byte charset. Not Node's decoders: on Node 20 to 24 those give control characters for 0x80 to 0x9F of
 * windows-1252 (nodejs/node 56542), and other characters than the standard's in ibm866 and windows-874.
 */
export function decodeSingleByte(octets: Buffer, charset: SingleByteCharset): string {
  const table = singleByteTable(charset)
  const units = new Uint16Array(octets.length)
  for (let at = 0; at < octets.length; at++) units[at] = table[octets[at] ?? 0] ?? 0
  return textOf(units)
}

/** Code units as a string: the quickest way there is. */
export function textOf(units: Uint16Array): string {
  const buffer = Buffer.from(units.buffer, units.byteOffset, units.byteLength)
  return (BIG_ENDIAN ? Buffer.from(buffer).swap16() : buffer).toString('utf16le')
}

/** One code unit for each octet. */
export function singleByteTable(charset: SingleByteCharset): Uint16Array {
  let table = tables.get(charset)
  if (table === undefined) {
    const upper: string = SINGLE_BYTE_TABLES[charset]
    const first = 256 - upper.length
    table = Uint16Array.from({ length: 256 }, (_, octet) => (octet < first ? octet : upper.charCodeAt(octet - first)))
    tables.set(charset, table)
  }
  return table
}
