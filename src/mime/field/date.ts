import { MailError } from '../../errors.ts'
import type { Report } from '../defect.ts'
import { COMMA, skipCfws } from './scan.ts'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

/** Minutes east of UTC. Every other name, the military letters included, means that the zone is not known (RFC 5322 §4.3). */
const ZONES = new Map([
  ['ut', 0],
  ['utc', 0],
  ['gmt', 0],
  ['z', 0],
  ['est', -300],
  ['edt', -240],
  ['cst', -360],
  ['cdt', -300],
  ['mst', -420],
  ['mdt', -360],
  ['pst', -480],
  ['pdt', -420],
])

/** More pieces than any date has. */
const MAX_TOKENS = 40
const MAX_DIGITS = 5

/** A number with its digits, a word, or a sign or colon. */
type Token = { readonly kind: 'number'; readonly value: number; readonly digits: number } | { readonly kind: 'word' | 'mark'; readonly text: string }

/**
 * A date as RFC 5322 §3.3 and §4.3 have it, or as `asctime` writes it, comments anywhere; null when it cannot be read, never another time.
 * Seconds of 60 are the next minute; a zone that is missing or unknown is UTC. Reports `obsolete-date` and `invalid-date`.
 */
export function parseDate(body: string, report: Report): Date | null {
  const tokens = tokenize(body)
  const date = tokens === undefined ? null : new DateReader(tokens).read()
  if (date === null) report('invalid-date', 0)
  else if (date.obsolete) report('obsolete-date', 0)
  return date === null ? null : new Date(date.time)
}

function tokenize(body: string): Token[] | undefined {
  const tokens: Token[] = []
  let at = skipSeparators(body, 0)
  while (at < body.length) {
    const start = at
    while (isDigit(body.charCodeAt(at))) at++
    if (at > start) {
      if (at - start > MAX_DIGITS) return undefined
      tokens.push({ kind: 'number', value: Number(body.slice(start, at)), digits: at - start })
    } else {
      while (isLetter(body.charCodeAt(at))) at++
      if (at - start > 20) return undefined
      if (at > start) tokens.push({ kind: 'word', text: body.slice(start, at).toLowerCase() })
      else tokens.push({ kind: 'mark', text: body[at++] ?? '' })
    }
    if (tokens.length > MAX_TOKENS) return undefined
    at = skipSeparators(body, at)
  }
  return tokens
}

function skipSeparators(body: string, from: number): number {
  let at = skipCfws(body, from)
  while (body.charCodeAt(at) === COMMA) at = skipCfws(body, at + 1)
  return at
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

function isLetter(code: number): boolean {
  return (code >= 65 && code <= 90) || (code >= 97 && code <= 122)
}

class DateReader {
  readonly #tokens: readonly Token[]
  #at = 0
  #obsolete = false

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  read(): { time: number; obsolete: boolean } | null {
    let day = this.#number(2)
    let month = this.#month()
    if (day === undefined) {
      if (month < 0) {
        if (this.#word() === undefined) return null
        this.#mark('.') // the day of the week does not count, right or wrong
        day = this.#number(2)
        month = this.#month()
      }
      if (day === undefined) {
        if (month < 0) month = this.#month() // `Wed Jan  1 10:00:00 2020`
        day = this.#number(2)
        this.#obsolete = true
      }
    }
    if (day === undefined || month < 0) return null
    let year = this.#isTime() ? undefined : this.#year()
    const seconds = this.#time()
    if (seconds === undefined) return null
    let offset = this.#zone()
    if (year === undefined) {
      year = this.#year()
      if (offset === undefined) offset = this.#zone()
    }
    if (year === undefined || Number.isNaN(offset)) return null
    if (offset === undefined) this.#obsolete = true
    if (this.#at < this.#tokens.length) this.#obsolete = true
    const midnight = Date.UTC(year, month, day)
    if (day < 1 || new Date(midnight).getUTCDate() !== day) return null
    return { time: midnight + seconds * 1000 - (offset ?? 0) * 60_000, obsolete: this.#obsolete }
  }

  #number(digits: number): number | undefined {
    const token = this.#tokens[this.#at]
    if (token?.kind !== 'number' || token.digits > digits) return undefined
    this.#at++
    return token.value
  }

  #word(): string | undefined {
    const token = this.#tokens[this.#at]
    if (token?.kind !== 'word') return undefined
    this.#at++
    return token.text
  }

  #mark(text: string): boolean {
    const token = this.#tokens[this.#at]
    if (token?.kind !== 'mark' || token.text !== text) return false
    this.#at++
    return true
  }

  /** From 0, or -1. Hyphens around it are what RFC 850 wrote. */
  #month(): number {
    const start = this.#at
    if (this.#mark('-')) this.#obsolete = true
    const word = this.#word()
    const month = word === undefined ? -1 : MONTHS.findIndex((name) => word.startsWith(name.toLowerCase()) && isMonth(word))
    if (month < 0) this.#at = start
    else if (!this.#mark('-')) this.#mark('.')
    return month
  }

  /** Two and three digits are of another century (RFC 5322 §4.3). */
  #year(): number | undefined {
    const token = this.#tokens[this.#at]
    if (token?.kind !== 'number' || token.digits < 2 || token.digits > 4) return undefined
    this.#at++
    if (token.digits === 4) return token.value >= 1900 ? token.value : undefined
    this.#obsolete = true
    return token.value + (token.digits === 2 && token.value < 50 ? 2000 : 1900)
  }

  #isTime(): boolean {
    const colon = this.#tokens[this.#at + 1]
    return colon?.kind === 'mark' && colon.text === ':'
  }

  /** Seconds since midnight. */
  #time(): number | undefined {
    const hour = this.#number(2)
    if (hour === undefined || hour > 23 || !this.#mark(':')) return undefined
    const minute = this.#number(2)
    if (minute === undefined || minute > 59) return undefined
    const second = this.#mark(':') ? this.#number(2) : 0
    if (second === undefined || second > 60) return undefined
    if (this.#mark('.') && this.#number(MAX_DIGITS) === undefined) return undefined
    return (hour * 60 + minute) * 60 + second
  }

  /** Minutes east, `undefined` where no zone is, NaN for one that cannot be. */
  #zone(): number | undefined {
    const word = this.#word()
    if (word === 'am' || word === 'pm') return Number.NaN
    let named = 0
    if (word !== undefined) {
      if (word !== 'gmt') this.#obsolete = true
      named = ZONES.get(word) ?? 0
    }
    const sign = this.#mark('+') ? 1 : this.#mark('-') ? -1 : 0
    if (sign === 0) return word === undefined ? undefined : named
    const token = this.#tokens[this.#at]
    if (token?.kind !== 'number' || token.digits > 4) return Number.NaN
    this.#at++
    let hours = token.value
    let minutes = 0
    if (token.digits > 2) {
      hours = Math.trunc(token.value / 100)
      minutes = token.value % 100
    } else if (this.#mark(':')) minutes = this.#number(2) ?? Number.NaN
    if (token.digits !== 4) this.#obsolete = true
    return minutes < 60 ? sign * (hours * 60 + minutes) : Number.NaN
  }
}

/** `jan` and `january`, not `janitor`. */
function isMonth(word: string): boolean {
  return word.length === 3 || word === 'sept' || FULL_MONTHS.has(word)
}

const FULL_MONTHS = new Set(['january', 'february', 'march', 'april', 'june', 'july', 'august', 'september', 'october', 'november', 'december'])

/** A date as RFC 5322 §3.3 wants it, in UTC: `Sun, 22 Nov 2026 10:00:00 +0000`. Throws `ERR_HEADER` for one that is none, or outside 1900 to 9999. */
export function formatDate(date: Date): string {
  const year = date.getUTCFullYear()
  if (!(year >= 1900 && year <= 9999)) throw new MailError('ERR_HEADER', 'Date: not a date between 1900 and 9999', { phase: 'compose' })
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`
  return `${DAYS[date.getUTCDay()]}, ${two(date.getUTCDate())} ${MONTHS[date.getUTCMonth()]} ${year} ${time} +0000`
}

function two(number: number): string {
  return String(number).padStart(2, '0')
}
