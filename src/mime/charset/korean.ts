import { TextDecoder } from 'node:util'
import { textOf } from './single-byte.ts'

const FIRST_SYLLABLE = 0xac00
const LAST_SYLLABLE = 0xd7a3
const REPLACEMENT = 0xfffd

/** One code unit for each pair of octets, by lead and trail. */
let pairs: Uint16Array | undefined

/**
 * EUC-KR with the extension that everybody means by it (UHC, code page 949). Node knows KS X 1001 only; the 8,822 other syllables follow in
 * the order of Unicode over the pairs that EUC-KR leaves free, so they are counted off rather than stored.
 */
export function decodeKorean(octets: Buffer): string {
  pairs ??= pairTable()
  const units = new Uint16Array(octets.length)
  let length = 0
  for (let at = 0; at < octets.length; at++) {
    const lead = octets[at] ?? 0
    if (lead < 0x80) {
      units[length++] = lead
      continue
    }
    const trail = octets[at + 1] ?? 0
    const unit = lead === 0x80 || lead === 0xff ? undefined : (pairs[(lead << 8) | trail] ?? 0)
    // A pair is wrong as a whole, but an ASCII octet stands for itself.
    if (unit !== undefined && (unit > 0 || trail >= 0x80)) at++
    units[length++] = unit || REPLACEMENT
  }
  return textOf(units.subarray(0, length))
}

function pairTable(): Uint16Array {
  const table = new Uint16Array(0x10000)
  table[0xa2e6] = 0x20ac // the euro and registered signs came later than Node's table
  table[0xa2e7] = 0xae
  const present = new Set<number>()
  const decoder = new TextDecoder('euc-kr')
  for (let lead = 0xa1; lead <= 0xfe; lead++) {
    for (let trail = 0xa1; trail <= 0xfe; trail++) {
      const text = decoder.decode(Uint8Array.of(lead, trail))
      const unit = text.charCodeAt(0)
      if (text.length !== 1 || unit === REPLACEMENT || (unit >= 0xe000 && unit <= 0xf8ff)) continue
      table[(lead << 8) | trail] = unit
      present.add(unit)
    }
  }
  let syllable = FIRST_SYLLABLE
  for (let lead = 0x81; lead <= 0xc6; lead++) {
    for (let trail = 0x41; trail <= (lead <= 0xa0 ? 0xfe : 0xa0); trail++) {
      if ((trail > 0x5a && trail < 0x61) || (trail > 0x7a && trail < 0x81)) continue
      while (present.has(syllable)) syllable++
      if (syllable > LAST_SYLLABLE) return table
      table[(lead << 8) | trail] = syllable++
    }
  }
  return table
}
