import type { Report } from '../defect.ts'
import { headerError } from './fold.ts'
import { skipCfws, skipRun } from './scan.ts'

const MONTHS = 'january february march april may june july august september october november december'.split(' ')

/** Minutes east of UTC. Every other name, the military letters included, means that the zone is not known (RFC 5322 §4.3). */
const ZONES = new Map(Object.entries({ est: -300, edt: -240, cst: -360, cdt: -300, mst: -420, mdt: -360, pst: -480, pdt: -420 }))

const MAX_TEXT = 200 // more than any date has, blanks between its pieces included

// These read pieces with one blank between them. The first piece may be a day of the week, which does not count, right or wrong.
const DATE =
  /^(?:[a-z]+ (?:\. )?)?(?:(?<day>\d\d?) (?:- )?(?<month>[a-z]+)|(?<monthFirst>[a-z]+)(?: \.)? (?<daySecond>\d\d?))(?: [-.])? (?<year>\d{2,4}) (?<hour>\d\d?) : (?<minute>\d\d?)(?: : (?<second>\d\d?)(?: \. \d+)?)?(?<rest> [^:.].*)?$/
/** `asctime` puts the year behind the clock, others behind the zone. */
const LATE_YEAR = /^([^:]*[a-z] \d\d?|[^:]*\d [a-z]+) (\d\d? : \d\d?(?: : \d\d?)?(?: [a-z]+)?(?: [+-] \d{1,4}(?: : \d\d?)?)?) (\d{2,4})(?= |$)/
const ZONE = /^(?: (?<name>[a-z]+)|(?! [a-z]))(?: (?<sign>[+-]) (?<digits>\d{1,4})(?: : (?<minutes>\d\d?))?)?(?: [^+\-:].*)?$/

/** RFC 5322 §3.3, as pieces. GMT is as clear as any zone. */
const CURRENT = /^(?:[a-z]{3} )?\d\d? [a-z]{3} \d{4} \d\d : \d\d(?: : \d\d)? (?:gmt|[+-] \d{4})$/

/** A date as RFC 5322 §3.3 and §4.3 have it, or as `asctime` writes it, comments anywhere; null when it cannot be read, never another time.
 *  Seconds of 60 are the next minute; a zone that is missing or unknown is UTC. Reports `obsolete-date` and `invalid-date`. */
export function parseDate(body: string, report: Report): Date | null {
  const text = pieces(body)
  const date: Record<string, string | undefined> = DATE.exec(text.replace(LATE_YEAR, '$1 $3 $2'))?.groups ?? {}
  const { monthFirst = '', daySecond, year = '', hour, minute, second = 0, rest = '' } = date
  const { day = daySecond, month = monthFirst } = date
  // Two and three digits are of another century (RFC 5322 §4.3).
  const fullYear = Number(year) + (year.length === 4 ? 0 : year.length === 2 && year < '50' ? 2000 : 1900)
  const monthIndex = MONTHS.findIndex((name) => month === name || month === name.slice(0, 3) || (month === 'sept' && name === 'september'))
  const midnight = Date.UTC(fullYear, monthIndex, Number(day))
  const isDay = monthIndex >= 0 && fullYear >= 1900 && new Date(midnight).getUTCDate() === Number(day)
  const isClock = Number(hour) < 24 && Number(minute) < 60 && Number(second) <= 60
  const time = midnight + ((Number(hour) * 60 + Number(minute) - readZone(rest)) * 60 + Number(second)) * 1000
  const isTime = isDay && isClock && !Number.isNaN(time)
  if (!isTime) report('invalid-date', 0)
  else if (!CURRENT.test(text)) report('obsolete-date', 0)
  return isTime ? new Date(time) : null
}

/** Minutes east, or NaN. */
function readZone(text: string): number {
  const { name = '', sign, digits = '', minutes = '0' } = ZONE.exec(text)?.groups ?? { name: 'pm' }
  if (name === 'am' || name === 'pm') return Number.NaN
  if (sign === undefined) return ZONES.get(name) ?? 0
  const [hours, rest] = digits.length > 2 ? [digits.slice(0, -2), digits.slice(-2)] : [digits, minutes]
  return Number(rest) < 60 ? (Number(hours) * 60 + Number(rest)) * (sign === '-' ? -1 : 1) : Number.NaN
}

/** Numbers, words in lower case and other characters, one blank between them; commas, comments and folds are gone. '' when it is no date. */
function pieces(body: string): string {
  const found: string[] = []
  let length = 0
  for (let at = skipCfws(body, 0), end = at; at < body.length; at = skipCfws(body, end)) {
    end = skipRun(PIECE, body, at)
    length += end - at + 1
    if (length > MAX_TEXT) return ''
    if (body[at] !== ',') found.push(body.slice(at, end).toLowerCase())
  }
  return found.join(' ')
}

const PIECE = /\d+|[a-z]+|[^]/iy

/** A date as RFC 5322 §3.3 wants it, in UTC: `Sun, 22 Nov 2026 10:00:00 +0000`. Throws `ERR_HEADER` for one that is none, or outside 1900 to 9999. */
export function formatDate(date: Date): string {
  const year = date.getUTCFullYear()
  if (!(year >= 1900 && year <= 9999)) throw headerError('Date', 'not a date between 1900 and 9999')
  return date.toUTCString().replace('GMT', '+0000')
}
