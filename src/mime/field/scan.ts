import { isUtf8 } from 'node:buffer'
import { decodeText } from '../charset/decode.ts'
import type { Report } from '../defect.ts'

// Field bodies are strings of octets, one char each, already unfolded. A CR or LF that is left in one counts as a blank.
export const QUOTE = 34
export const OPEN = 40
export const CLOSE = 41
export const COMMA = 44
export const SEMICOLON = 59
export const EQUALS = 61
export const BACKSLASH = 92

export const isBlank = (code: number): boolean => code === 32 || code === 9 || code === 13 || code === 10

export function skipBlanks(body: string, from: number): number {
  let at = from
  while (isBlank(body.charCodeAt(at))) at++
  return at
}

/** Past the comment that opens at `from` (RFC 5322 §3.2.2; counted, not recursed), or -1 when it does not close before `to`. */
export function skipComment(body: string, from: number, to = body.length): number {
  let depth = 0
  for (let at = from; at < to; at++) {
    const code = body.charCodeAt(at)
    if (code === BACKSLASH) at++
    else if (code === OPEN) depth++
    else if (code === CLOSE && --depth === 0) return at + 1
  }
  return -1
}

/** Past the quoted-string that opens at `from` (RFC 5322 §3.2.4), or -1 when it does not close. */
export function skipQuoted(body: string, from: number): number {
  for (let at = from + 1; at < body.length; at++) {
    const code = body.charCodeAt(at)
    if (code === BACKSLASH) at++
    else if (code === QUOTE) return at + 1
  }
  return -1
}

/** Past blanks and comments. A comment that never closes takes the rest. */
export function skipCfws(body: string, from: number): number {
  let at = skipBlanks(body, from)
  while (body.charCodeAt(at) === OPEN) {
    const end = skipComment(body, at)
    at = end < 0 ? body.length : skipBlanks(body, end)
  }
  return at
}

/** Past what `run` matches at `from`: a sticky class of characters with `*`, so that nothing is read twice. */
export function skipRun(run: RegExp, body: string, from: number): number {
  run.lastIndex = from
  run.test(body)
  return run.lastIndex
}

const TOKEN = /[!#$%&'*+\-.\w^`{|}~]*/y

/** Past a token (RFC 2045 §5.1). */
export const skipToken = (body: string, from: number): number => skipRun(TOKEN, body, from)

/** Passes on the first report of each code, so that one hostile field does not fill a message's list of defects. */
export function firstOfEach(report: Report): Report {
  const seen = new Set<string>()
  return (code, offset) => {
    if (!seen.has(code)) report(code, offset)
    seen.add(code)
  }
}

/** `\x` is `x` (RFC 5322 §3.2.1). */
export const unescape = (quoted: string): string => (quoted.includes('\\') ? quoted.replace(/\\(.)/gs, '$1') : quoted)

/** Where the first octet that is not ASCII stands, or -1. */
export const indexOf8bit = (octets: string): number => octets.search(/[^\0-\x7f]/)

/**
 * Octets of a field as text: UTF-8 (RFC 6532) when all of them are valid, else windows-1252. `whole` is the value that they are part of,
 * when that decides. Reports `raw-8bit-header`.
 */
export function decodeOctets(octets: string, report: Report, offset = 0): string {
  const at = indexOf8bit(octets)
  if (at < 0) return octets
  report('raw-8bit-header', offset + at)
  return octetDecoder(octets)(octets)
}

/** The same for pieces of a value, which is looked at once as a whole. */
export function octetDecoder(whole: string): (octets: string) => string {
  if (indexOf8bit(whole) < 0) return (octets) => octets
  if (isUtf8(Buffer.from(whole, 'latin1'))) return (octets) => Buffer.from(octets, 'latin1').toString('utf8')
  return (octets) => decodeText(Buffer.from(octets, 'latin1'), 'windows-1252', () => undefined)
}
