import { isUtf8 } from 'node:buffer'
import { EMPTY } from '../../bytes.ts'
import { SINGLE_BYTE_TABLES } from './single-byte-tables.ts'

/** Turns the octets of one text into characters, cut anywhere. What it gives as `rest`, a few octets of a character that has not come whole, comes
 *  again before those that follow; with `final` nothing is left. `invalid`: some octets meant nothing, and U+FFFD stands for them. */
export type Conversion = (octets: Buffer, final: boolean) => { readonly text: string; readonly rest: Buffer; readonly invalid: boolean }

export const REPLACEMENT = 0xfffd

export function converted(text: string, rest = EMPTY): ReturnType<Conversion> {
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

// A byte order mark comes out as U+FEFF.

export const utf8: Conversion = (octets, final) => {
  const to = final ? octets.length : wholeLength(octets)
  const whole = octets.subarray(0, to)
  const text = whole.toString('utf8')
  return { text, rest: octets.subarray(to), invalid: text.includes('\ufffd') && !isUtf8(whole) }
}

/** How many of these octets do not depend on what comes behind them: a lead octet always begins something new. */
export function wholeLength(octets: Buffer): number {
  for (let back = 1; back <= 3 && back <= octets.length; back++) {
    const octet = octets[octets.length - back] ?? 0
    if (octet < 0x80) break
    if (octet >= 0xc0) return (octet >= 0xf0 ? 4 : octet >= 0xe0 ? 3 : 2) > back ? octets.length - back : octets.length
  }
  return octets.length
}

/** UTF-16 and UTF-32 in the order of their byte order mark; without one in that of the label, or as the first character suggests. */
export function wide(charset: string): Conversion {
  const size = charset.startsWith('utf-16') ? 2 : 4
  let isLittle: boolean | undefined
  return (octets, final) => {
    if (isLittle === undefined && octets.length < size && !final) return { text: '', rest: octets, invalid: false }
    isLittle ??= isLittleEndian(octets, charset)
    const view = new DataView(octets.buffer, octets.byteOffset, octets.length)
    const units = new Uint16Array(octets.length / 2 + 2)
    let length = 0
    let at = 0
    for (; at + size <= octets.length; at += size) {
      const code = size === 2 ? view.getUint16(at, isLittle) : view.getUint32(at, isLittle)
      if (code > 0xffff && code <= 0x10ffff) units[length++] = 0xd7c0 + (code >> 10)
      units[length++] = code <= 0xffff ? code : code <= 0x10ffff ? 0xdc00 | (code & 0x3ff) : REPLACEMENT
    }
    if (!final && isHigh(units[length - 1])) {
      length--
      at -= size
    }
    if (final && at < octets.length) units[length++] = REPLACEMENT
    return converted(mended(units, length), final ? EMPTY : octets.subarray(at))
  }
}

function isLittleEndian([first = 0, second = 0, third = 0]: Buffer, charset: string): boolean {
  if (first === 0xff && second === 0xfe) return true
  if ((first === 0xfe && second === 0xff) || (first === 0 && second === 0 && third === 0xfe)) return false
  return charset === 'utf-16' || charset === 'utf-32' ? first !== 0 || (second === 0 && charset === 'utf-16') : charset.endsWith('le')
}

/** Half a surrogate pair, whose other half may be still to come. */
const isHigh = (unit = 0): boolean => (unit & 0xfc00) === 0xd800

/** With U+FFFD for halves that stay alone. */
const mended = (units: Uint16Array, length: number): string => textOf(units, length).replace(/\p{Surrogate}/gu, '\ufffd')

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const PLUS = 43
const MINUS = 45

/** UTF-7 (RFC 2152). Only for text that is labelled so: guessing it has let scripts through. */
export function utf7(): Conversion {
  let state: 'direct' | 'plus' | 'base64' = 'direct'
  let bits = 0
  let count = 0
  let high = 0
  return (octets, final) => {
    const units = new Uint16Array(octets.length + 2)
    let length = 0
    if (high > 0) units[length++] = high
    for (const octet of octets) {
      const value = state === 'direct' ? -1 : BASE64.indexOf(String.fromCharCode(octet))
      if (value >= 0) {
        state = 'base64'
        bits = ((bits << 6) | value) & 0x3fffff
        count += 6
        if (count >= 16) units[length++] = (bits >> (count -= 16)) & 0xffff
        continue
      }
      if (state === 'plus') units[length++] = PLUS // "+-", and "+ ", which stands for nothing: keep what was sent
      if (octet === PLUS) state = 'plus'
      else if (state === 'direct' || octet !== MINUS) units[length++] = octet < 128 ? octet : REPLACEMENT
      if (octet !== PLUS) state = 'direct'
      count = 0
    }
    if (final && state === 'plus') units[length++] = PLUS
    high = final || !isHigh(units[length - 1]) ? 0 : (units[--length] ?? 0)
    return converted(mended(units, length))
  }
}
