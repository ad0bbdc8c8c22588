import { decodeText } from './decode.ts'
import { charsetOf } from './labels.ts'

const SCANNED_OCTETS = 1024
const MARK = Buffer.from('<')
const TAG = /^<\/?[a-z][^\t\n\f\r />]*/i
const ATTRIBUTE =
  /[\t\n\f\r /]*([^\t\n\f\r />][^\t\n\f\r />=]*)[\t\n\f\r ]*(?:=[\t\n\f\r ]*(?:"([^"]*)"|'([^']*)'|([^\t\n\f\r >"'][^\t\n\f\r >]*))?)?/y
const CONTENT_CHARSET = /charset[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)"|'([^']*)'|([^\t\n\f\r ;"'][^\t\n\f\r ;]*))/i

/** The charset that HTML itself declares in its first 1024 octets: by a byte order mark, by `<meta charset>` or by `<meta http-equiv>` ("prescan a
 *  byte stream" of the HTML Standard); `null` where it declares none. Of those that cannot be, having been read as ASCII, UTF-16 and UTF-32 mean
 *  UTF-8, and UTF-7 nothing, because it hides mark-up. */
export function metaCharset(octets: Buffer): string | null {
  if (octets[0] === 0xef && octets[1] === 0xbb && octets[2] === 0xbf) return 'utf-8'
  if (octets[0] === 0xfe && octets[1] === 0xff) return 'utf-16be'
  if (octets[0] === 0xff && octets[1] === 0xfe) return 'utf-16le'
  const text = octets.toString('latin1', 0, SCANNED_OCTETS)
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', at)) {
    const name = TAG.exec(text.slice(at))?.[0]
    if (name === undefined) {
      // "<!-->" is a comment too; what begins otherwise is passed over as a browser does.
      const end = text.startsWith('<!--', at) ? text.indexOf('-->', at + 2) : /[!/?]/.test(text.charAt(at + 1)) ? text.indexOf('>', at) : at + 1
      if (end < 0) return null
      at = end
      continue
    }
    const attributes = new Map<string, string>()
    ATTRIBUTE.lastIndex = at + name.length
    at = ATTRIBUTE.lastIndex
    for (let found = ATTRIBUTE.exec(text); found !== null; found = ATTRIBUTE.exec(text)) {
      at = ATTRIBUTE.lastIndex
      if (at === text.length) return null // cut off: perhaps not its whole value
      const attribute = found[1]?.toLowerCase() ?? ''
      if (!attributes.has(attribute)) attributes.set(attribute, found[2] ?? found[3] ?? found[4] ?? '')
    }
    if (name.toLowerCase() !== '<meta') continue
    const charset = declared(attributes)
    if (charset !== undefined) return charset
  }
  return null
}

/** What a `<meta>` with these attributes declares. */
function declared(attributes: ReadonlyMap<string, string>): string | undefined {
  const isPragma = attributes.get('http-equiv')?.toLowerCase() === 'content-type'
  const content = isPragma ? CONTENT_CHARSET.exec(attributes.get('content') ?? '') : null
  const charset = charsetOf(attributes.get('charset') ?? content?.[1] ?? content?.[2] ?? content?.[3] ?? '')
  if (charset === undefined || charset === 'utf-7') return undefined
  if (charset.startsWith('utf-')) return 'utf-8'
  if (charset === 'x-user-defined') return 'windows-1252'
  return decodeText(MARK, charset, () => undefined) === '<' ? charset : undefined
}
