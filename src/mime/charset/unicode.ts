import { isUtf8 } from 'node:buffer'
import { EMPTY } from '../../bytes.ts'
import { type Conversion, converted, REPLACEMENT } from './conversion.ts'

// A byte order mark comes out as U+FEFF.

const BYTE_ORDER_MARK = 0xfeff
const TURNED_MARK = 0xfffe0000

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

/** UTF-32, in the order that a byte order mark says, or else `little`. */
export function utf32(little: boolean): Conversion {
  let isLittle = little
  return (octets, final) => {
    const units = new Uint16Array(octets.length / 2 + 1)
    let length = 0
    let at = 0
    for (; at + 4 <= octets.length; at += 4) {
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
    if (!final || at === octets.length) return converted(units, length, octets.subarray(at))
    units[length++] = REPLACEMENT
    return converted(units, length, EMPTY)
  }
}

/** UTF-16 in the order of its byte order mark; without one in the order of its label, or as the first character suggests. */
export function utf16(label: 'utf-16' | 'utf-16le' | 'utf-16be'): Conversion {
  let isLittle: boolean | undefined
  let high = 0
  return (octets, final) => {
    if (isLittle === undefined && octets.length < 2 && !final) return { text: '', rest: octets, invalid: false }
    isLittle ??= isLittleEndian(octets, label)
    const units = new Uint16Array(octets.length / 2 + 2)
    let length = 0
    if (high > 0) units[length++] = high
    let at = 0
    for (; at + 2 <= octets.length; at += 2) units[length++] = isLittle ? octets.readUInt16LE(at) : octets.readUInt16BE(at)
    high = mend(units, length, final)
    if (high > 0) length--
    if (final && at < octets.length) units[length++] = REPLACEMENT
    return converted(units, length, final ? EMPTY : octets.subarray(at))
  }
}

function isLittleEndian(octets: Buffer, label: 'utf-16' | 'utf-16le' | 'utf-16be'): boolean {
  const [first = 0, second = 0] = octets
  if (first === 0xff && second === 0xfe) return true
  if (first === 0xfe && second === 0xff) return false
  return label === 'utf-16' ? first !== 0 || second === 0 : label === 'utf-16le'
}

/** Puts U+FFFD for lone surrogates. Gives one that is last, if its other half may be still to come; else 0. */
function mend(units: Uint16Array, length: number, final: boolean): number {
  for (let at = 0; at < length; at++) {
    const unit = units[at] ?? 0
    if ((unit & 0xf800) !== 0xd800) continue
    const isHigh = unit < 0xdc00
    if (isHigh && at + 1 === length && !final) return unit
    if (isHigh && at + 1 < length && ((units[at + 1] ?? 0) & 0xfc00) === 0xdc00) at++
    else units[at] = REPLACEMENT
  }
  return 0
}

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
    if (final && state === 'plus') units[length++] = PLUS
    high = mend(units, length, final)
    return converted(units, high > 0 ? length - 1 : length, EMPTY)
  }
}
