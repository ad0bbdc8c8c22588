import { decodeText, DOT } from '../bytes.ts'
import { GrammarError } from '../errors.ts'

/** `+OK` or `-ERR` with what follows (RFC 1939 §3). */
export interface StatusReply {
  readonly ok: boolean
  /** What stands in brackets directly after the status indicator, in upper case (RFC 2449 §8). */ readonly responseCode: string | null
  /** UTF-8 where it is that, otherwise one character an octet. */ readonly text: string
  /** The server wants to hear more of an AUTH exchange: its challenge in base64. */ readonly challenge?: string
  /** The whole line, one character an octet. */ readonly line: string
}

/** One message of a scan listing (RFC 1939 §5, LIST). */
export type Listing = { readonly number: number; /** As the server counts: a hint. */ readonly octets: number }

/** One message of a unique-id listing (RFC 1939 §7, UIDL). `uniqueId`: opaque, one character an octet; may be repeated; `''` when left blank. */
export type UniqueIdListing = { readonly number: number; readonly uniqueId: string }

/** A language that LANG lists (RFC 6856 §3). */
export type Language = { readonly tag: string; /** Its name, in that language. Server text. */ readonly name: string }

/** A capability's tag in upper case and its parameters as they came (RFC 2449 §5). */
export type Capability = readonly [tag: string, parameters: readonly string[]]

const MAX_UNIQUE_ID_OCTETS = 255

/** Takes exactly `+OK` or `-ERR`, followed by the end, a blank or a tab: `+OKAY`, `+ok` and `+ERR` are no answer to anything. */
export function parseStatus(octets: Buffer): StatusReply {
  const line = octets.toString('latin1')
  const [start, indicator, responseCode] = /^(\+OK|-ERR)(?![^ \t])(?:[ \t]\[([!-Z\\^-~]{1,64})\])?/.exec(line) ?? []
  if (start === undefined) throw new GrammarError('a line that begins with neither +OK nor -ERR')
  const text = decodeText(octets.subarray(start.length)).trim()
  return { ok: indicator === '+OK', responseCode: responseCode?.toUpperCase() ?? null, text, line }
}

/** The answer to a line of an AUTH exchange (RFC 5034 §4). Some servers say `+OK` for `+`; while success is not possible it is taken for that. */
export function parseAuthReply(octets: Buffer, successPossible: boolean): StatusReply {
  const line = octets.toString('latin1')
  if (/^\+(?![^ \t])/.test(line)) return { ok: true, responseCode: null, text: '', line, challenge: line.slice(1).trim() }
  const reply = parseStatus(octets)
  return reply.ok && !successPossible ? { ...reply, challenge: line.slice(3).trim() } : reply
}

/** The drop listing of STAT, or `undefined`. A size that cannot be read (some servers overflow to negative ones) counts as 0. */
export function parseStat(text: string): { count: number; octets: number } | undefined {
  const [count, octets = 0] = text.split(/[ \t]+/, 2).map((field) => parseDecimal(field))
  return count === undefined ? undefined : { count, octets }
}

/** A line of a scan listing, or `undefined` for one that is none. Further fields are ignored. */
export function parseListing(line: Buffer): Listing | undefined {
  const [number = 0, octets] = fields(line).map((field) => parseDecimal(field))
  return number === 0 || octets === undefined ? undefined : { number, octets }
}

/** A line of a unique-id listing, or `undefined` for one that is none. Further fields are ignored. */
export function parseUniqueIdListing(line: Buffer): UniqueIdListing | undefined {
  const [first = '', uniqueId = ''] = fields(line)
  const number = parseDecimal(first)
  if (number === undefined || number === 0) return undefined
  if (uniqueId.length > MAX_UNIQUE_ID_OCTETS) throw new GrammarError(`a unique-id of more than ${MAX_UNIQUE_ID_OCTETS} octets`, true)
  return { number, uniqueId }
}

/** A whole listing with the occurrence of each unique-id, from 1 by ascending message-numbers: servers may give one to several messages (RFC 1939 §7), so
 *  that only both together name a message from one session to the next, while no copy before it is deleted. */
export function occurrences(listing: Iterable<UniqueIdListing>): (UniqueIdListing & { readonly occurrence: number })[] {
  const sorted = [...listing].toSorted((a, b) => a.number - b.number)
  const counts = new Map<string, number>()
  return sorted.map(({ number, uniqueId }) => {
    const occurrence = (counts.get(uniqueId) ?? 0) + 1
    counts.set(uniqueId, occurrence)
    return { number, uniqueId, occurrence }
  })
}

/** A line of the answer to CAPA, or `undefined` for one without a tag. */
export function parseCapability(line: Buffer): Capability | undefined {
  const [tag = '', ...parameters] = fields(line)
  return /^[!-~]+$/.test(tag) ? [tag.toUpperCase(), parameters] : undefined
}

/** A line of the answer to LANG, or `undefined` for one without a tag. */
export function parseLanguage(line: Buffer): Language | undefined {
  const [tag = '', ...name] = decodeText(line).split(' ')
  return /^[!-~]+$/.test(tag) ? { tag, name: name.join(' ').trim() } : undefined
}

/** The line that ends a multi-line response. */
export const isFinalDot = (line: Buffer): boolean => line.length === 1 && line[0] === DOT

/** Digits only, no leading zero, small enough to be exact. */
export const parseDecimal = (text: string): number | undefined => (/^(?:0|[1-9][0-9]{0,14})$/.test(text) ? Number(text) : undefined)

/** Blank-separated fields, with the dot that transparency put in taken out, and without the `+OK` that some servers put before each line. */
function fields(line: Buffer): string[] {
  const text = line.toString('latin1', line[0] === DOT ? 1 : 0)
  const all = text.split(/[ \t]+/).filter((field) => field !== '')
  return all[0] === '+OK' ? all.slice(1) : all
}
