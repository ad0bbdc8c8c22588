import { GrammarError } from '../errors.ts'

/** One line of a reply, without its line end (RFC 5321 §4.2). Text is one character an octet. Throws `GrammarError`. */
export function parseReplyLine(line: Buffer): { readonly status: number; readonly last: boolean; readonly text: string } {
  const text = line.toString('latin1')
  // Nothing answers with 1yz, and 6yz does not exist.
  if (!/^[2-5]\d\d(?:[ \t-]|$)/.test(text)) throw new GrammarError('a line that does not begin with a status code')
  return { status: Number(text.slice(0, 3)), last: text[3] !== '-', text: text.slice(4) }
}

/** `2.1.0` at the start of a reply's text (RFC 2034 §4). One whose class differs from the status is ignored, as is any with 3yz. */
export function parseEnhancedStatus(status: number, lines: readonly string[]): string | null {
  const code = /^[245]\.\d{1,3}\.\d{1,3}(?= |$)/.exec(lines[0] ?? '')?.[0]
  return code !== undefined && Number(code[0]) === Math.floor(status / 100) ? code : null
}

/** Keywords that are no host names: some servers leave the line with their name out. */
const WELL_KNOWN = new Set(['8BITMIME', 'AUTH', 'CHUNKING', 'DSN', 'ENHANCEDSTATUSCODES', 'PIPELINING', 'SIZE', 'SMTPUTF8', 'STARTTLS'])

/** The lines of a reply to EHLO → keyword in upper case → its parameters. Tolerant as servers are odd (H30): any case, repeated keywords,
 *  `AUTH=` and Exchange's `X-EXPS`, which are AUTH under other names. */
export function parseExtensions(lines: readonly string[]): Map<string, string> {
  const extensions = new Map<string, string>()
  for (const [index, line] of lines.entries()) {
    const match = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:[ \t=]|$)/.exec(line)
    if (match?.[1] === undefined) continue
    const named = match[1].toUpperCase()
    if (index === 0 && !WELL_KNOWN.has(named)) continue
    const keyword = named === 'X-EXPS' ? 'AUTH' : named
    if (line[named.length] === '=' && keyword !== 'AUTH') continue
    const parameters = line.slice(named.length + 1).trim()
    const before = extensions.get(keyword)
    if (before === undefined || before === '') extensions.set(keyword, parameters)
    else if (keyword === 'AUTH' && parameters !== '') extensions.set(keyword, `${before} ${parameters}`)
  }
  return extensions
}

export const parseMechanisms = (parameters: string | undefined): string[] => (parameters ?? '').split(/[ \t,=]/).filter((name) => name !== '')

/** Octets of the largest message that the server takes (RFC 1870 §4), or `undefined` for no limit: 0, nothing or nonsense. */
export function parseSizeLimit(parameters: string | undefined): number | undefined {
  const digits = /^\d+(?![^ \t])/.exec(parameters ?? '')?.[0]
  return digits === undefined ? undefined : Number(digits) || undefined
}

/** What one connection takes (LIMITS, RFC 9422 §3): transactions, recipients of one, and domains of those. `Infinity` where nothing valid is said. */
export function parseLimits(parameters: string | undefined): Readonly<Record<'mailMax' | 'rcptMax' | 'domainMax', number>> {
  if (parameters === undefined) return NO_LIMITS
  const limit = (name: string): number =>
    Number(new RegExp(`(?:^|[ \\t])${name}=0*([1-9]\\d{0,5})(?![^ \\t])`, 'i').exec(parameters)?.[1] ?? Infinity)
  return { mailMax: limit('MAILMAX'), rcptMax: limit('RCPTMAX'), domainMax: limit('RCPTDOMAINMAX') }
}

const NO_LIMITS = { mailMax: Infinity, rcptMax: Infinity, domainMax: Infinity } as const
