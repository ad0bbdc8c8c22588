import { randomBytes } from 'node:crypto'
import type { Report } from '../defect.ts'
import { FieldWriter, headerError } from './fold.ts'
import { decodeOctets, isBlank, skipBlanks } from './scan.ts'

const MAX_ID = 900 // an identifier must fit on a line (RFC 5322 §2.1.1)

/**
 * The identifiers of a Message-ID, Content-ID, In-Reply-To or References field, without brackets and the blanks that folding left in them
 * (RFC 5322 §3.6.4). What stands between them is passed over; without any bracket each word counts. Reports `invalid-message-id`.
 */
export function parseMessageIds(body: string, report: Report): string[] {
  const ids: string[] = []
  let at = body.indexOf('<')
  if (at < 0) {
    for (const word of body.split(/[\s,]+/)) if (word !== '') ids.push(decodeOctets(word, report))
    if (ids.length > 0) report('invalid-message-id', 0)
    return ids
  }
  while (at >= 0) {
    let end = at + 1
    let blanks = false
    let code = body.charCodeAt(end)
    for (; end < body.length && code !== 62 && code !== 60; code = body.charCodeAt(++end)) blanks ||= isBlank(code)
    if (code !== 62) {
      report('invalid-message-id', at)
      end = firstBlank(body, skipBlanks(body, at + 1), end)
    }
    const inside = body.slice(at + 1, end)
    const id = blanks ? inside.replace(/\s/g, '') : inside
    if (id !== '') ids.push(decodeOctets(id, report, at))
    at = body.indexOf('<', end)
  }
  return ids
}

function firstBlank(body: string, from: number, to: number): number {
  let at = from
  while (at < to && !isBlank(body.charCodeAt(at))) at++
  return at
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

/** `Name: <id> <id>` without its final CRLF, folded between identifiers. */
export function formatMessageIds(name: string, ids: readonly string[]): string {
  const writer = new FieldWriter(name)
  for (const [at, id] of ids.entries()) {
    const text = `<${checkMessageId(id, name)}>`
    // The first stays on the line of the name, which some servers look at alone.
    if (at === 0) writer.add(` ${text}`, '')
    else writer.add(text)
  }
  return writer.toString()
}
