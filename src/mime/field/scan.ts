import { isUtf8 } from 'node:buffer'
import { decodeText } from '../charset/decode.ts'
import type { Report } from '../defect.ts'
import { reportOnce } from '../encoding/coder.ts'

// Field bodies are strings of octets, one char each, already unfolded. A CR or LF that is left in one counts as a blank.

export const isBlank = (code: number): boolean => code === 32 || code === 9 || code === 13 || code === 10

export function skipBlanks(body: string, from: number): number {
  let at = from
  while (isBlank(body.charCodeAt(at))) at++
  return at
}

/** Of a long run of blanks no part is looked at twice. */
export function trimBlanks(text: string): string {
  let end = text.length
  while (end > 0 && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(skipBlanks(text, 0), end)
}

/** Past the comment (RFC 5322 §3.2.2; not recursed) or quoted-string (§3.2.4) that opens at `from`, or -1 where it does not close before `to`. */
export function skipEnclosed(body: string, from: number, to = body.length): number {
  const isQuoted = body[from] === '"'
  let depth = 1
  for (let at = from + 1; at < to; at++) {
    const character = body[at]
    if (character === '\\') at++
    else if (isQuoted ? character === '"' : character === ')' && --depth === 0) return at + 1
    else if (character === '(') depth++
  }
  return -1
}

/** The same for places of one body, -1 where none opens: once its end was searched in vain, an opener is an ordinary character. */
export function enclosedIn(body: string): (from: number) => number {
  let openers = '("'
  return (from) => {
    const opener = body.charAt(from)
    const end = opener !== '' && openers.includes(opener) ? skipEnclosed(body, from) : -1
    if (end < 0) openers = openers.replace(opener, '')
    return end
  }
}

/** Past blanks and comments. A comment that never closes takes the rest. */
export function skipCfws(body: string, from: number): number {
  let at = skipBlanks(body, from)
  while (body[at] === '(') {
    const end = skipEnclosed(body, at)
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

/** A token (RFC 2045 §5.1), for `skipRun`. */
export const TOKEN = /[!#$%&'*+\-.\w^`{|}~]*/y

/** Passes on the first report of each code, so that one hostile field does not fill a message's list of defects. */
export function firstOfEach(report: Report): Report {
  const once = reportOnce()
  return (code, offset) => once(report, code, offset)
}

/** `\x` is `x` (RFC 5322 §3.2.1). */
export const unescape = (quoted: string): string => (quoted.includes('\\') ? quoted.replace(/\\(.)/gs, '$1') : quoted)

/** Octets of a field as text: UTF-8 (RFC 6532) when all of them are valid, else windows-1252. Reports `raw-8bit-header`. */
export const decodeOctets = (octets: string, report: Report, offset = 0): string => octetDecoder(octets, report, offset)(octets)

/** The same for pieces of a value, which is looked at once as a whole. */
export function octetDecoder(whole: string, report: Report, offset = 0): (octets: string) => string {
  const at = whole.search(/[^\0-\x7f]/)
  if (at < 0) return (octets) => octets
  report('raw-8bit-header', offset + at)
  if (isUtf8(Buffer.from(whole, 'latin1'))) return (octets) => Buffer.from(octets, 'latin1').toString('utf8')
  return (octets) => decodeText(Buffer.from(octets, 'latin1'), 'windows-1252', report)
}
