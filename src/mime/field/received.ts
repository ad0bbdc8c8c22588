import type { Report } from '../defect.ts'
import { parseDate } from './date.ts'
import { decodeOctets, enclosedIn, skipBlanks, skipRun } from './scan.ts'

/** A trace field (RFC 5321 §4.4); `null` for what it does not say. Only the lines that your own servers added are worth any trust. */
export interface Received {
  /** As written: the client's name or, with some servers, where its address leads. */ readonly from: string | null
  /** What the client called itself in EHLO or HELO. */ readonly helo: string | null
  /** Where the client's address leads in the DNS, as far as the server says so. */ readonly reverseName: string | null
  /** The client's IP address, without brackets. */ readonly address: string | null
  readonly by: string | null
  readonly via: string | null
  /** The protocol as written: `ESMTPS`, `Microsoft SMTP Server`. */ readonly with: string | null
  /** Without angle brackets, as is `for`. */ readonly id: string | null
  readonly for: string | null
  readonly date: Date | null
}

type Clause = 'from' | 'by' | 'via' | 'with' | 'id' | 'for'
const isClause = (word: string): word is Clause => /^(?:from|by|via|with|id|for)$/.test(word)

const WORD = /[^\t\n\r (),;<]*/y
const BRACKETED = /<[^<>]*>|\[[^[\]]*\]/y

/** Reads the body of a Received field as Exim, Exchange, Gmail, Postfix, qmail, sendmail and others write it: the first clause of each name,
 *  in any order; the date is what follows the last semicolon. Reports `invalid-date` and `obsolete-date`. */
export function parseReceived(body: string, report: Report): Received {
  const found: Record<Clause, string | null> = { from: null, by: null, via: null, with: null, id: null, for: null }
  const comments: string[] = []
  let clause: Clause | undefined
  let dateAt = body.length
  const skip = enclosedIn(body)
  for (let at = skipBlanks(body, 0), end = at; at < body.length; at = skipBlanks(body, end)) {
    end = body[at] === '(' ? skip(at) : -1
    if (end >= 0) {
      if (clause === 'from') comments.push(body.slice(at + 1, end - 1))
      continue
    }
    end = Math.max(at + 1, skipRun(WORD, body, at), skipRun(BRACKETED, body, at))
    const word = body.slice(at, end)
    const name = word.toLowerCase()
    if (word === ';') {
      clause = undefined
      dateAt = end
    } else if (isClause(name)) {
      clause = found[name] === null ? name : undefined
    } else if (clause !== undefined && !/^[(),<]$/.test(word)) {
      const value = found[clause]
      if (value === null) found[clause] = decodeOctets(word.replace(/^<(.*)>$/, '$1'), report, at)
      else if (clause === 'with') found.with = `${value} ${word}`
      else if (clause === 'from' && word.startsWith('[')) comments.push(word) // as if in parentheses
    }
  }
  const date = parseDate(body.slice(dateAt), (code, offset) => report(code, dateAt + offset))
  return { ...found, ...clientOf(found.from, comments), date }
}

/** RFC 5321 says `helo (reverse.name [192.0.2.1])`; sendmail puts `user@` before the name, Exchange leaves the brackets out, Exim writes
 *  `reverse.name ([192.0.2.1] helo=name)`, and qmail `reverse.name (HELO name) (192.0.2.1)`. */
function clientOf(from: string | null, comments: readonly string[]): Pick<Received, 'helo' | 'reverseName' | 'address'> {
  let helo: string | undefined
  let reverseName: string | null = null
  let address: string | null = null
  for (const comment of comments) {
    let before = ''
    for (const word of comment.split(/[\t\n\r (),<>]+|(?<!=)(?=\[)/)) {
      const ip = addressOf(word)
      if (/^(?:helo|ehlo|lhlo)$/i.test(before)) helo ??= word
      else if (/^(?:helo|ehlo|lhlo)=/i.test(word)) helo ??= word.slice(5)
      else if (ip !== null && address === null) {
        address = ip
        reverseName = nameOf(before) ?? reverseName
      } else if (word === comment) reverseName ??= nameOf(word)
      before = word
    }
  }
  address ??= addressOf(from ?? '')
  return helo === undefined ? { helo: from, reverseName, address } : { helo: helo || null, reverseName: reverseName ?? nameOf(from ?? ''), address }
}

const IP = /^(?:[^@]*@)?\[?(?:IPv6:)?((?:\d{1,3}\.){3}\d{1,3}|(?=[^:]*:[^:]*:)[\da-f:.]{2,45})(?:%\w{1,20})?(?::\d{1,5})?\]?(?::\d{1,5})?$/i

const addressOf = (word: string): string | null => IP.exec(word)?.[1] ?? null

/** `unknown`, `unverified` and the like are no names: one has a dot. */
function nameOf(word: string): string | null {
  const name = word.slice(word.lastIndexOf('@') + 1).replace(/\.$/, '')
  return name === 'localhost' || (/^[\w.-]{1,255}$/.test(name) && /\.\w*[a-z]/i.test(name)) ? name : null
}
