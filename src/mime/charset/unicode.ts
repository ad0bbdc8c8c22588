import { TextDecoder } from 'node:util'
import { textOf } from './single-byte.ts'

// What is no character becomes U+FFFD; a byte order mark comes out as U+FEFF.

const REPLACEMENT = 0xfffd
const BYTE_ORDER_MARK = 0xfeff
const TURNED_MARK = 0xfffe0000

/** UTF-32, in the order that a byte order mark says, or else `little`. */
export function decodeUtf32(octets: Buffer, little: boolean): string {
  const units = new Uint16Array(octets.length / 2 + 1)
  let length = 0
  let isLittle = little
  for (let at = 0; at + 4 <= octets.length; at += 4) {
    let code = isLittle ? octets.readUInt32LE(at) : octets.readUInt32BE(at)
    if (code === TURNED_MARK) {
      isLittle = !isLittle // beyond Unicode, so it can only be a mark
      code = BYTE_ORDER_MARK
    }
    if (code > 0xffff && code <= 0x10ffff) {
      units[length++] = 0xd7c0 + (code >> 10)
      units[length++] = 0xdc00 | (code & 0x3ff)
    } else units[length++] = code > 0xffff || (code >= 0xd800 && code <= 0xdfff) ? REPLACEMENT : code
  }
  if (octets.length % 4 > 0) units[length++] = REPLACEMENT
  return textOf(units.subarray(0, length))
}

/** UTF-16 in the order of its byte order mark; without one in the order of its label, or as the first character suggests. */
export function decodeUtf16(octets: Buffer, label: 'utf-16' | 'utf-16le' | 'utf-16be'): string {
  return new TextDecoder(orderOf(octets, label), { ignoreBOM: true }).decode(octets)
}

function orderOf(octets: Buffer, label: 'utf-16' | 'utf-16le' | 'utf-16be'): 'utf-16le' | 'utf-16be' {
  const [first = 0, second = 0] = octets
  if (first === 0xff && second === 0xfe) return 'utf-16le'
  if (first === 0xfe && second === 0xff) return 'utf-16be'
  if (label !== 'utf-16') return label
  return first === 0 && second !== 0 ? 'utf-16be' : 'utf-16le'
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const PLUS = 43
const MINUS = 45

/** UTF-7 (RFC 2152). Only for text that is labelled so: guessing it has let scripts through. */
export function decodeUtf7(octets: Buffer): string {
  const units = new Uint16Array(octets.length)
  let length = 0
  let state: 'direct' | 'plus' | 'base64' = 'direct'
  let bits = 0
  let count = 0
  for (const octet of octets) {
    if (state !== 'direct') {
      const value = BASE64.indexOf(String.fromCharCode(octet))
      if (value >= 0) {
        state = 'base64'
        bits = ((bits << 6) | value) & 0x3fffff
        count += 6
        if (count >= 16) {
          count -= 16
          units[length++] = (bits >> count) & 0xffff
        }
        continue
      }
      if (state === 'plus') units[length++] = PLUS // "+-", and "+ ", which stands for nothing: keep what was sent
      state = 'direct'
      count = 0
      if (octet === MINUS) continue
    }
    if (octet === PLUS) state = 'plus'
    else units[length++] = octet < 128 ? octet : REPLACEMENT
  }
  if (state === 'plus') units[length++] = PLUS
  return textOf(units.subarray(0, length)).replace(/\p{Surrogate}/gu, '\ufffd')
}
