import type { Report } from '../defect.ts'
import { decodeOctets, decodeUnstructured, skipCfws, skipEnclosed, skipRun, unescape } from './scan.ts'

/** What a List-Help, -Unsubscribe, -Subscribe, -Post, -Owner or -Archive field offers (RFC 2369). */
export interface ListAction {
  /** URIs, the preferred first. From a stranger: look at the scheme before anything is opened. */ readonly uris: readonly string[]
  /** `NO`: the list takes no messages (List-Post, RFC 2369 §3.4). */ readonly no: boolean
}

/** A list's name for people, '' when there is none, and its identifier (RFC 2919), equal in any letter case; `null` when there is none. */
export interface ListId {
  readonly name: string
  readonly id: string | null
}

const INSIDE = /[^<>]*/y
const WORD = /[^\t\n\r (,<]*/y
const URI = /^[a-z][a-z\d+.-]*:./i

/** Reads a field of RFC 2369: URIs in angle brackets, blanks in them dropped; those without brackets count too. Comments and what else stands
 *  between them are passed over. Reports `parameter-syntax`. */
export function parseListAction(body: string, report: Report): ListAction {
  // Nobody may put encoded-words here, but some put the whole field into them, for its length.
  const text = body.includes('<') ? decodeOctets(body, report) : decodeUnstructured(body, report)
  const uris: string[] = []
  let no = false
  for (let at = skipCfws(text, 0), end = at; at < text.length; at = skipCfws(text, end)) {
    const from = text[at] === '<' ? at + 1 : at
    end = skipRun(from > at ? INSIDE : WORD, text, from)
    const word = text.slice(from, end).replace(/[\t\n\r ]+/g, '')
    const isClosed = from > at && text[end] === '>'
    if (isClosed || end === at) end++
    if (word !== '' && (isClosed || URI.test(word))) uris.push(word)
    else if (word.toLowerCase() === 'no') no = true
    if (!isClosed && word !== '' && !no) report('parameter-syntax', Math.min(at, body.length))
  }
  return { uris, no: no && uris.length === 0 }
}

/** Reads the body of a List-Id field (RFC 2919): a phrase and an identifier in angle brackets; without these a body without blanks is the identifier. */
export function parseListId(body: string, report: Report): ListId {
  const [, before, inside] = /^(.*)<([^<>]*)/s.exec(body) ?? []
  if (inside === undefined) report('parameter-syntax', 0)
  const isBare = inside === undefined && !/[\t ]/.test(body)
  const id = (inside ?? (isBare ? body : '')).replace(/[\t\n\r ]+/g, '')
  const phrase = (before ?? (isBare ? '' : body)).trim()
  const name = phrase.startsWith('"') && skipEnclosed(phrase, 0) === phrase.length ? unescape(phrase.slice(1, -1)) : phrase
  return { name: decodeUnstructured(name, report), id: id === '' ? null : decodeOctets(id, report) }
}

/** Whether the body of a List-Unsubscribe-Post field asks for one-click (RFC 8058): post it to the `https` URI of List-Unsubscribe, without
 *  cookies, and only when a valid DKIM signature covers both fields. */
export const parseOneClick = (body: string): boolean => /^[\t\n\r ]*List-Unsubscribe=One-Click[\t\n\r ]*$/i.test(body)
