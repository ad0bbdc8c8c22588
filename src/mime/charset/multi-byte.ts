import { TextDecoder } from 'node:util'
import { LF } from '../../bytes.ts'
import { type Conversion, converted, REPLACEMENT, type SingleByteCharset, singleByteTable, textOf } from './conversion.ts'
import { CNS_RUNS, GB18030_RANGES, RUNS } from './multi-byte-tables.ts'

/** What begins a pair, from and to, and the final octets of the escape sequences that select the set in ISO 2022. Of JIS X 0213 and ISO-IR-165 it is
 *  what JIS X 0208 and GB 2312 have of them. */
const SETS = {
  gb18030: { leads: [0x81, 0xfe], finals: 'AE' },
  big5: { leads: [0x81, 0xfe], finals: '' },
  'euc-kr': { leads: [0x81, 0xfe], finals: 'C' },
  shift_jis: { leads: [0x81, 0x9f, 0xe0, 0xfc], finals: '' },
  'euc-jp': { leads: [0x8e, 0x8f, 0xa1, 0xfe], finals: '@BOQ' },
  'euc-tw': { leads: [0x8e, 0x8e, 0xa1, 0xfe], finals: 'G' },
  jisx0212: { leads: [0xa1, 0xfe], finals: 'D' }, // in euc-jp behind 8F
  cns2: { leads: [0xa1, 0xfe], finals: 'H' }, // plane 2 of CNS 11643, in euc-tw behind 8E A2
} as const

type CodeSet = keyof typeof SETS

export const isMultiByte = (charset: string): charset is CodeSet => Object.hasOwn(SETS, charset)

const CODE_SETS = Object.keys(SETS).filter(isMultiByte)

const LEAD = 1 // at the index of an octet that begins a pair

const tables = new Map<CodeSet, Uint32Array>()

/** Meanings by `lead << 8 | trail`, or by an octet that means something alone: a code unit, above it the second one of two; 0 for nothing. */
function codesOf(set: CodeSet): Uint32Array {
  const known = tables.get(set)
  if (known !== undefined) return known
  const table = new Uint32Array(0x10000)
  tables.set(set, table)
  const { leads } = SETS[set]
  for (let range = 0; range < leads.length; range += 2) table.fill(LEAD, leads[range], (leads[range + 1] ?? 0) + 1)
  if (set !== 'euc-tw' && set !== 'cns2') readPairs(table, set)
  for (const [code, count, from] of CNS_RUNS[set] ?? []) table.set(codesOf('big5').subarray(from, from + count), code)
  for (const [code, characters] of RUNS[set] ?? []) {
    for (const [at, character] of (characters.match(/.\p{M}?/gsu) ?? []).entries()) table[code + at] = entry(character)
  }
  return table
}

/** Asks Node's decoder for the pairs of a lead octet at once, each on a line of its own. Private characters count where users define their own. */
function readPairs(table: Uint32Array, set: CodeSet): void {
  const label = set === 'jisx0212' ? 'euc-jp' : set
  const before = label === set ? [] : [0x8f]
  const first = label.startsWith('euc') ? 0xa1 : 0x40
  const meaning = label === 'gb18030' || label === 'shift_jis' ? /^[^\ufffd]$/u : /^[^\ufffd\p{Co}]$/u
  const decoder = new TextDecoder(label)
  for (let lead = 0x81; lead < 0xff; lead++) {
    if (table[lead] !== LEAD) continue
    const octets: number[] = []
    for (let trail = first; trail < 0xff; trail++) octets.push(...before, lead, trail, LF)
    const lines = decoder.decode(Uint8Array.from(octets)).split('\n')
    for (const [at, characters] of lines.entries()) if (meaning.test(characters)) table[(lead << 8) | (first + at)] = entry(characters)
  }
}

const entry = (characters: string): number => (characters.charCodeAt(0) | (characters.charCodeAt(1) << 16)) >>> 0

/** Octets of a charset whose characters are one octet or several. A wrong sequence is one U+FFFD and goes up to its first ASCII octet, which stands
 *  for itself: a lead octet alone must not swallow the mark-up behind it. */
export function multiByte(charset: CodeSet): Conversion {
  const codes = codesOf(charset)
  const isGb18030 = charset === 'gb18030'
  const longLead = charset === 'euc-jp' ? 0x8f : charset === 'euc-tw' ? 0x8e : 0
  return (octets, final) => {
    const units = new Uint16Array(octets.length)
    let length = 0
    let at = 0
    while (at < octets.length) {
      const lead = octets[at] ?? 0
      if (lead < 0x80) {
        units[length++] = lead
        at++
        continue
      }
      let code = codes[lead] ?? 0
      let size = 1
      if (code === LEAD) {
        const trail = octets[at + 1] ?? 0
        const isLong = lead === longLead || (isGb18030 && trail >= 0x30 && trail <= 0x39)
        size = isLong ? (longLead === 0x8f ? 3 : 4) : 2
        if (at + size > octets.length && !final) break
        code = isLong ? longCode(charset, octets, at) : (codes[(lead << 8) | trail] ?? 0)
      }
      if (code === 0) {
        const end = at + size
        for (at++; at < end && (octets[at] ?? 0) >= 0x80;) at++
        code = REPLACEMENT
      } else at += size
      units[length++] = code & 0xffff
      if (code > 0xffff) units[length++] = code >>> 16
    }
    return converted(textOf(units, length), octets.subarray(at))
  }
}

/** What the code of three or four octets at `at` means. */
function longCode(charset: CodeSet, octets: Buffer, at: number): number {
  const second = octets[at + 1] ?? 0
  const third = octets[at + 2] ?? 0
  const fourth = octets[at + 3] ?? 0
  if (charset === 'euc-jp') return codesOf('jisx0212')[(second << 8) | third] ?? 0
  if (charset === 'euc-tw') return second === 0xa1 || second === 0xa2 ? (codesOf(second === 0xa1 ? 'euc-tw' : 'cns2')[(third << 8) | fourth] ?? 0) : 0
  // GB 18030: what of the Basic Multilingual Plane has no pair, and all characters beyond it.
  if (third < 0x81 || third > 0xfe || fourth < 0x30 || fourth > 0x39) return 0
  const pointer = ((((octets[at] ?? 0) - 0x81) * 10 + second - 0x30) * 126 + third - 0x81) * 10 + fourth - 0x30
  let low = 0
  for (let high = GB18030_RANGES.length; high - low > 1;) {
    const middle = (low + high) >> 1
    if ((GB18030_RANGES[middle]?.[0] ?? 0) <= pointer) low = middle
    else high = middle
  }
  const [start, first] = GB18030_RANGES[low] ?? [0, 0]
  const character = first + pointer - start
  return character > 0x10ffff ? REPLACEMENT : entry(String.fromCodePoint(character))
}

/** A set of characters that can be selected: by the octet, or pair of octets, with high bits set. ASCII is `undefined`. */
type GraphicSet = { readonly isPairs: boolean; readonly codes: Uint16Array | Uint32Array } | undefined

const pairs = (set: CodeSet): GraphicSet => ({ isPairs: true, codes: codesOf(set) })
const singles = (set: SingleByteCharset): GraphicSet => ({ isPairs: false, codes: singleByteTable(set) })

function graphicSet(isPairs: boolean, isOf96: boolean, final: string): GraphicSet {
  const set = CODE_SETS.find((name) => SETS[name].finals.includes(final))
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

/** ISO 2022 as mail has it: iso-2022-jp with its extensions (RFC 1468, RFC 1554, RFC 2237), iso-2022-kr (RFC 1557), iso-2022-cn (RFC 1922), and hz
 *  (RFC 1843). They differ in what is there before the first escape sequence, so text with the escapes of another is read as well. An octet with its
 *  high bit set is of the set that shift-out would select, as in the eight-bit form; control characters stand for themselves in every state. */
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
