import { EMPTY } from '../../bytes.ts'
import { SINGLE_BYTE_TABLES } from './single-byte-tables.ts'

/** Turns the octets of one text into characters, cut anywhere. What it gives as `rest`, a few octets of a character that has not come whole, comes
 *  again before those that follow; with `final` nothing is left. */
export type Conversion = (octets: Buffer, final: boolean) => Converted

/** `invalid`: some octets meant nothing, and U+FFFD stands for them. */
export type Converted = { readonly text: string; readonly rest: Buffer; readonly invalid: boolean }

export const REPLACEMENT = 0xfffd

export function converted(text: string, rest = EMPTY): Converted {
  return { text, rest, invalid: text.includes('\ufffd') }
}

const BIG_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 0

/** The first `length` code units as a string: the quickest way there is. */
export function textOf(units: Uint16Array, length: number): string {
  const buffer = Buffer.from(units.buffer, units.byteOffset, length * 2)
  return (BIG_ENDIAN ? Buffer.from(buffer).swap16() : buffer).toString('utf16le')
}

export type SingleByteCharset = keyof typeof SINGLE_BYTE_TABLES

export const isSingleByte = (charset: string): charset is SingleByteCharset => Object.hasOwn(SINGLE_BYTE_TABLES, charset)

/** Not so of the sets of mainframes and of Vietnamese. */
export const extendsAscii = (charset: string): boolean => isSingleByte(charset) && SINGLE_BYTE_TABLES[charset].length === 128

/** Not by Node: 20 to 24 give control characters for 0x80 to 0x9F of windows-1252 (nodejs/node 56542), and wrong ones in ibm866 and windows-874. */
export const singleByte = (charset: SingleByteCharset): Conversion => {
  const table = singleByteTable(charset)
  return (octets) => {
    const units = new Uint16Array(octets.length)
    for (let at = 0; at < octets.length; at++) units[at] = table[octets[at] ?? 0] ?? 0
    return converted(textOf(units, units.length))
  }
}

const tables = new Map<SingleByteCharset, Uint16Array>()

/** One code unit for each octet. */
export function singleByteTable(charset: SingleByteCharset): Uint16Array {
  let table = tables.get(charset)
  if (table === undefined) {
    const characters: string = SINGLE_BYTE_TABLES[charset]
    const first = 256 - characters.length
    table = Uint16Array.from({ length: 256 }, (_, octet) => (octet < first ? octet : characters.charCodeAt(octet - first)))
    tables.set(charset, table)
  }
  return table
}
