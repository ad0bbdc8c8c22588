import { domainToASCII, domainToUnicode } from 'node:url'
import { printable } from './bytes.ts'

const MAX_LOCAL_OCTETS = 64
const MAX_DOMAIN_OCTETS = 255
const MAX_ADDRESS_OCTETS = 254 // RFC 5321 §4.5.3.1.3: 256 with the angle brackets

/** Local-part "@" ( Domain / address-literal ) (RFC 5321 §4.1.2, RFC 6531 §3.3) as a caller gives it, for fields and envelopes alike, and nothing
 *  else: nothing is searched for, left over or guessed (CVE-2025-13033). Both parts come as they are written: the local part quoted where it must
 *  be, the domain in A-labels. `fail` throws, and is told what is wrong. */
export function parseAddrSpec(text: string, fail: (why: string) => never): { readonly local: string; readonly domain: string } {
  if (text.length > 2 * MAX_ADDRESS_OCTETS) fail('is too long') // however it is written; so no text of any length is walked through
  const quoted = text.startsWith('"')
  const match = (quoted ? /^"((?:[^"\\]|\\.)*)"/s : /^([^ \t@()<>[\]:;,\\"]*)/).exec(text)
  if (match === null) return fail('has a quote that is never closed')
  const [{ length: end }, value = ''] = match
  if (text[end] !== '@') {
    if (end === text.length) fail('is not an address: it has no "@" (a name with a comma or semicolon must be in quotes)')
    if (/[ \t]/.test(text.charAt(end)) && text.includes('@')) fail('has a blank outside quotes (a name needs < and > around its address)')
    fail(`is not an address: "${printable(text.charAt(end))}" stands outside quotes`)
  }
  if (end === 0) fail('has nothing before its "@"')
  if (!quoted && !isDotString(value)) fail('has a dot or other character before its "@" that is allowed in quotes only')
  const local = quoted ? writeLocalPart(value.replaceAll(/\\(.)/gs, '$1')) : value
  if (Buffer.byteLength(local) > MAX_LOCAL_OCTETS) fail(`has more than ${MAX_LOCAL_OCTETS} octets before its "@"`)
  const rest = text.slice(end + 1)
  const domain = rest.length > MAX_DOMAIN_OCTETS ? '' : normalizeDomain(rest)
  if (domain === undefined) {
    if (rest.startsWith('[')) fail('has no valid IP address in its brackets')
    const stray = /[ \t@()<>[\]:;,\\"]/.exec(rest)?.[0]
    if (stray === undefined) fail('has no valid domain after its "@"')
    fail(stray === '@' ? 'has more than one "@"' : 'is followed by something that does not belong to it')
  }
  if (domain === '' || Buffer.byteLength(local) + 1 + domain.length > MAX_ADDRESS_OCTETS) fail('is too long')
  return { local, domain }
}

export const quote = (text: string): string => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`

/** RFC 5321 §4.1.2: as a dot-string where that is possible, else as a quoted-string, made anew. */
export const writeLocalPart = (value: string): string => (isDotString(value) ? value : quote(value))

/** Atoms and dots, with the characters that SMTPUTF8 adds, but none that nobody sees. */
const isDotString = (text: string): boolean =>
  /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.\u0080-\u{10ffff}]+$/u.test(text) && !/^\.|\.\.|\.$/.test(text) && printable(text, text.length) === text

export const isAscii = (text: string): boolean => !/[^\0-\x7f]/.test(text)

/** A domain in its one form, A-labels (UTS 46), or an address literal; `undefined` when the text is neither (RFC 5321 §4.1.2, RFC 5890).
 *  Underscores are let through: names in private networks have them. */
export function normalizeDomain(text: string): string | undefined {
  if (text.startsWith('[')) return isAddressLiteral(text) ? text : undefined
  // A dot of another script is a dot (UTS 46), but no other character may become one, or a `%`, or a `/`.
  if (!/^[A-Za-z0-9._\-\u0080-\u{10ffff}]+$/u.test(text)) return undefined
  const domain = !isAscii(text) ? domainToASCII(text) : /xn--/i.test(text) ? text.toLowerCase() : text
  if (domain !== text && /^[\d.]*$/.test(domain)) return undefined // digits of another script would be an IPv4 address
  const labels = domain.split('.')
  if (domain.length > MAX_DOMAIN_OCTETS || !labels.every((label) => /^(?!-)[\w-]{1,63}(?<!-)$/.test(label))) return undefined
  // An A-label that is not what its own U-label gives was never made by IDNA (S7); newer Node gives it back as it is.
  const forged = labels.some((label) => label.startsWith('xn--') && isAscii(domainToUnicode(label)))
  return forged || (domain.includes('xn--') && domainToASCII(domainToUnicode(domain)) !== domain) ? undefined : domain
}

function isAddressLiteral(text: string): boolean {
  const [, four, six] = /^\[(?:(\d{1,3}(?:\.\d{1,3}){3})|IPv6:([0-9A-Fa-f:.]{2,45}))\]$/i.exec(text) ?? []
  return four === undefined ? six !== undefined && URL.canParse(`http://[${six}]`) : four.split('.').every((part) => Number(part) <= 255)
}
