import { TextDecoder } from 'node:util'
import { LF } from '../../bytes.ts'
import { type Conversion, converted, REPLACEMENT, textOf } from './conversion.ts'
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

export type CodeSet = keyof typeof SETS

export type MultiByteCharset = Exclude<CodeSet, 'jisx0212' | 'cns2'>

const isCodeSet = (set: string): set is CodeSet => Object.hasOwn(SETS, set)

export const isMultiByte = (charset: string): charset is MultiByteCharset => isCodeSet(charset)

/** The set by its final octet. */
export const selectedBy: ReadonlyMap<string, CodeSet> = new Map(
  Object.keys(SETS).flatMap((set) => (isCodeSet(set) ? Array.from(SETS[set].finals, (final) => [final, set] as const) : [])),
)

const LEAD = 1 // at the index of an octet that begins a pair

const tables = new Map<CodeSet, Uint32Array>()

/** Meanings by `lead << 8 | trail`, or by an octet that means something alone: a code unit, above it the second one of two; 0 for nothing. */
export function codesOf(set: CodeSet): Uint32Array {
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

/**
 * Octets of a charset whose characters are one octet or several. A wrong sequence is one U+FFFD and goes up to its first ASCII octet, which stands for
 * itself: a lead octet alone must not swallow the mark-up behind it.
 */
export function multiByte(charset: MultiByteCharset): Conversion {
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
function longCode(charset: MultiByteCharset, octets: Buffer, at: number): number {
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
