import { LF } from '../../bytes.ts'
import { type Conversion, converted, REPLACEMENT, type SingleByteCharset, singleByteTable, textOf } from './conversion.ts'
import { type CodeSet, codesOf, selectedBy } from './multi-byte.ts'

/** A set of characters that can be selected: by the octet, or pair of octets, with high bits set. ASCII is `undefined`. */
type GraphicSet = { readonly isPairs: boolean; readonly codes: Uint16Array | Uint32Array } | undefined

const pairs = (set: CodeSet): GraphicSet => ({ isPairs: true, codes: codesOf(set) })
const singles = (set: SingleByteCharset): GraphicSet => ({ isPairs: false, codes: singleByteTable(set) })

function graphicSet(isPairs: boolean, isOf96: boolean, final: string): GraphicSet {
  const set = isPairs ? selectedBy.get(final) : undefined
  if (isPairs) return set === undefined ? { isPairs, codes: new Uint32Array(0) } : pairs(set)
  if (isOf96) return singles(final === 'F' ? 'iso-8859-7' : 'windows-1252')
  // Of other national variants of ISO 646 the label is wrong more often than it is right.
  return final === 'I' ? singles('jisx0201-katakana') : final === 'J' ? singles('jisx0201-roman') : undefined
}

const ESCAPE = 0x1b
const SHIFT_OUT = 0x0e
const SHIFT_IN = 0x0f
const AMPERSAND = 0x26
const DOLLAR = 0x24
const PARENTHESIS = 0x28
const TILDE = 0x7e

/**
 * ISO 2022 as mail has it: iso-2022-jp with its extensions (RFC 1468, RFC 1554, RFC 2237), iso-2022-kr (RFC 1557), iso-2022-cn (RFC 1922), and hz (RFC 1843).
 * They differ in what is there before the first escape sequence, so text with the escapes of another is read as well. An octet with its high bit set is of
 * the set that shift-out would select, as in the eight-bit form; control characters stand for themselves in every state.
 */
export function iso2022(charset: string): Conversion {
  const isHz = charset === 'hz-gb-2312'
  const upper = charset === 'iso-2022-jp' ? singles('jisx0201-katakana') : pairs(charset === 'iso-2022-kr' ? 'euc-kr' : 'gb18030')
  /** What is designated as G0 to G3. */ const sets = [undefined, upper, undefined, undefined]
  let shift = 0
  /** For one character. */ let singleShift = 0

  /** Obeys the escape sequence at `at`: its length, 0 while it is not whole, or -1 if nobody knows it. */
  function obey(octets: Buffer, at: number): number {
    const second = octets[at + 1]
    if (second === undefined) return 0
    if (isHz) {
      const isShift = second === 0x7b || second === 0x7d
      if (isShift) sets[0] = second === 0x7b ? pairs('gb18030') : undefined
      return isShift || second === LF ? 2 : -1
    }
    if (second === 0x4e || second === 0x4f) {
      singleShift = second - 0x4c
      return 2
    }
    const isPairs = second === DOLLAR
    let to = isPairs ? at + 2 : at + 1
    // One of "()*+" designates a set of 94 as G0 to G3, one of "-./" a set of 96; "$B" is short for "$(B".
    const slot = (octets[to] ?? 0) - PARENTHESIS
    const isDesignation = slot >= 0 && slot < 8
    if (isDesignation || second === AMPERSAND) to++
    const final = octets[to]
    if (final === undefined) return 0
    if (second === AMPERSAND) return 3 // which edition of a standard: no matter
    if ((!isDesignation && !isPairs) || final < 0x40 || final > 0x7e) return -1
    sets[isDesignation ? slot & 3 : 0] = graphicSet(isPairs, slot >= 4, String.fromCharCode(final))
    return to + 1 - at
  }

  return (octets, final) => {
    const units = new Uint16Array(octets.length)
    let length = 0
    let at = 0
    while (at < octets.length) {
      const octet = octets[at] ?? 0
      if (octet === (isHz ? TILDE : ESCAPE)) {
        const size = obey(octets, at)
        if (size === 0 && !final) break
        if (size <= 0) units[length++] = isHz ? TILDE : REPLACEMENT
        // In hz two tildes are one.
        at += size > 0 ? size : isHz && octets[at + 1] === TILDE ? 2 : 1
        continue
      }
      const set = octet < 0x80 ? sets[singleShift > 0 ? singleShift : shift] : sets[1]
      if (set === undefined || (octet & 0x7f) <= 0x20 || (octet & 0x7f) === 0x7f) {
        if (octet === SHIFT_OUT || octet === SHIFT_IN) shift = SHIFT_IN - octet
        else units[length++] = octet < 0x80 ? octet : REPLACEMENT
        // Every line begins unshifted.
        if (octet === LF) shift = 0
        if (octet === LF && isHz) sets[0] = undefined
        singleShift = 0
        at++
        continue
      }
      const trail = set.isPairs ? octets[at + 1] : 0
      if (trail === undefined && !final) break
      const isWhole = !set.isPairs || (trail !== undefined && (trail & 0x80) === (octet & 0x80) && (trail & 0x7f) > 0x20 && (trail & 0x7f) < 0x7f)
      const code = isWhole ? (set.codes[set.isPairs ? ((octet | 0x80) << 8) | (trail ?? 0) | 0x80 : octet | 0x80] ?? 0) : 0
      units[length++] = code || REPLACEMENT
      if (code > 0xffff) units[length++] = code >>> 16
      singleShift = 0
      at += set.isPairs && isWhole ? 2 : 1
    }
    return converted(textOf(units, length), octets.subarray(at))
  }
}
