import { randomBytes } from 'node:crypto'
import type { Report } from '../defect.ts'
import { headerError, writeField } from './fold.ts'
import { decodeOctets, enclosedIn, skipBlanks, skipEnclosed, skipRun } from './scan.ts'

const MAX_ID = 900 // an identifier must fit on a line (RFC 5322 §2.1.1)

/** The identifiers of a Message-ID, Content-ID, In-Reply-To or References field, without brackets, comments and the blanks that folding left
 *  in them (RFC 5322 §3.6.4, §4.5.4). Phrases and comments between them are passed over; where there is no bracket, words with `@` count, or
 *  the only word. Reports `invalid-message-id`. */
export function parseMessageIds(body: string, report: Report): string[] {
  const ids: string[] = []
  const words: string[] = []
  const skip = enclosedIn(body)
  for (let at = skipBlanks(body, 0), end = at; at < body.length; at = skipBlanks(body, end)) {
    end = skip(at)
    if (end >= 0) continue
    if (body[at] === '<') {
      const read = readBracketed(body, at, report)
      if (read.id !== '') ids.push(decodeOctets(read.id, report, at))
      end = read.end
    } else {
      end = Math.max(at + 1, skipRun(WORD, body, at))
      if (ids.length === 0) words.push(body.slice(at, end))
    }
  }
  if (ids.length > 0 || words.length === 0) return ids
  report('invalid-message-id', 0)
  return (words.length === 1 ? words : words.filter((word) => word.includes('@'))).map((word) => decodeOctets(word, report))
}

const WORD = /[^\t\n\r "(,<]*/y
const UNCLOSED_WORD = /[^\t\n\r <]*/y
const INSIDE = /[^<>]*/y
const RUN = /[^\t\n\r "(<>]*/y

/** From `<` on. Where nothing closes it, the first word is the identifier. */
function readBracketed(body: string, from: number, report: Report): { id: string; end: number } {
  const start = skipBlanks(body, from + 1)
  const close = skipRun(INSIDE, body, start)
  let id = ''
  let last = '.'
  let hasComments = true
  for (let at = start, end = at; at < body.length && body[at] !== '<'; at = skipBlanks(body, end)) {
    const character = body[at]
    if (character === '>') return { id, end: at + 1 }
    end = -1
    if (character === '(' && hasComments) {
      end = skipEnclosed(body, at, close)
      hasComments = end >= 0
      // Where no comment may stand, parentheses are what a careless program put into its identifier.
      if (hasComments && ('.@'.includes(last) || '.@>'.includes(body.charAt(skipBlanks(body, end))))) continue
    } else if (character === '"' && last === '.') {
      end = skipEnclosed(body, at)
      if (end >= 0 && !'.@>('.includes(body.charAt(skipBlanks(body, end)))) end = -1
    }
    if (end < 0) end = Math.max(at + 1, skipRun(RUN, body, at))
    id += body.slice(at, end)
    last = body.charAt(end - 1)
  }
  report('invalid-message-id', from)
  const end = skipRun(UNCLOSED_WORD, body, start)
  return { id: body.slice(start, end), end }
}

/** An identifier as it may be written, without its brackets. Throws `ERR_HEADER`. One without `@` passes: replies must be able to name it. */
export function checkMessageId(id: string, name = 'Message-ID'): string {
  if (typeof id !== 'string') throw headerError(name, 'an identifier is text')
  const bare = id.startsWith('<') && id.endsWith('>') ? id.slice(1, -1) : id
  if (bare === '' || bare.length > MAX_ID) throw headerError(name, `an identifier has 1 to ${MAX_ID} characters`)
  if (/[^\x21-\x7e]|[<>]/.test(bare)) throw headerError(name, 'an identifier is printable ASCII without blanks and angle brackets')
  return bare
}

/** A new identifier that tells nothing about this machine: 128 random bits. */
export const createMessageId = (domain: string): string => checkMessageId(`${randomBytes(16).toString('hex')}@${domain}`)

/** `Name: <id> <id>` without its final CRLF, folded between identifiers; the first stays on the line of the name, which some servers look at alone. */
export function formatMessageIds(name: string, ids: readonly string[]): string {
  const texts = ids.map((id) => `<${checkMessageId(id, name)}>`)
  const words = texts.map((text, at) => (at === 0 ? { text: ` ${text}`, blanks: '' } : text))
  return writeField(name, words)
}
