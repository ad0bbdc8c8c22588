import { randomBytes } from 'node:crypto'
import { printable } from '../bytes.ts'
import { contentError, prepareContent, type Outgoing, type TransferEncoding, type Transport } from './content.ts'
import type { Attachment, Content, Draft } from './draft.ts'
import { checkFieldText, headerError } from './field/fold.ts'
import { formatMessageIds } from './field/message-id.ts'
import { parseMediaType, type MediaType } from './field/media-type.ts'
import { formatNameParameter, formatParameter, formatStructured } from './field/parameter-format.ts'

/** A body part with its fields written (RFC 2045 §3): content, or a multipart. */
export type BodyPart = Leaf | Multipart
type Leaf = { readonly fields: readonly string[]; readonly encoding: TransferEncoding; readonly content: Outgoing }
interface Multipart {
  readonly fields: readonly string[]
  readonly encoding: TransferEncoding
  readonly boundary: string
  readonly parts: readonly BodyPart[]
}

const OCTET_STREAM = 'application/octet-stream'

/**
 * The tree of a draft: text and HTML as an alternative (RFC 2046 §5.1.4), images that the HTML shows related to it (RFC 2387), attachments
 * after these in a mixed multipart, which a single attachment has too, so that it is one. A single inline attachment without text is no
 * part but the message's body.
 */
export function buildStructure(draft: Draft, transport: Transport): BodyPart {
  const { text, html } = draft
  const given = draft.attachments ?? []
  if (!Array.isArray(given)) throw contentError('attachments: a list')
  const attachments = given.map((attachment: Attachment) => readAttachment(attachment))
  const shown = html === undefined ? [] : attachments.filter(({ contentId, disposition }) => contentId !== undefined && disposition === 'inline')
  const others = attachments.filter((attachment) => !shown.includes(attachment))
  const write = (attachment: Attachment): BodyPart => writeAttachment(attachment, transport)

  const bodies: BodyPart[] = []
  if (text !== undefined) bodies.push(writeText('text/plain', text, transport))
  if (html !== undefined) {
    const page = writeText('text/html', html, transport)
    bodies.push(shown.length === 0 ? page : multipart('related', [page, ...shown.map((attachment) => write(attachment))], 'text/html'))
  }
  const [first] = others
  if (first === undefined && bodies.length === 0) return writeText('text/plain', '', transport)
  if (first !== undefined && bodies.length === 0 && others.length === 1 && first.disposition === 'inline') return write(first)
  const [body] = bodies
  const alternative = bodies.length > 1 || body === undefined ? multipart('alternative', bodies) : body
  if (others.length === 0) return alternative
  return multipart('mixed', [...(bodies.length > 0 ? [alternative] : []), ...others.map((attachment) => write(attachment))])
}

/** A copy with its disposition decided: the caller's object is read once. */
function readAttachment(attachment: Attachment): Attachment {
  if (typeof attachment !== 'object' || attachment === null) throw contentError('attachments: objects with content')
  const { content, size, fileName, type, contentId, disposition = contentId === undefined ? 'attachment' : 'inline' } = attachment
  if (disposition !== 'attachment' && disposition !== 'inline') throw contentError("disposition: 'attachment' or 'inline'")
  return { content, size, fileName, type, contentId, disposition }
}

function writeText(type: 'text/plain' | 'text/html', text: Content, transport: Transport): Leaf {
  const content = prepareContent(text, undefined, transport)
  const parameters = content.charset === null ? [] : formatParameter('charset', content.charset)
  return leaf(formatStructured('Content-Type', type, parameters), content)
}

function writeAttachment(attachment: Attachment, transport: Transport): Leaf {
  const { content, size, contentId, disposition = 'attachment' } = attachment
  let { fileName } = attachment
  if (fileName !== undefined) checkFieldText('fileName', fileName)
  let { type, parameters } = readMediaType(attachment.type ?? (typeof content === 'string' ? 'text/plain' : OCTET_STREAM))
  // A message or multipart is parsed where it stands, so it must not be encoded (RFC 2045 §6.4), but for messages with UTF-8 headers (RFC 6532 §3.5).
  const whole = /^(?:message\/(?!global)|multipart\/)/.test(type)
  const outgoing = prepareContent(content, size, transport, whole)
  if (whole && (outgoing.encoding === 'base64' || outgoing.encoding === 'quoted-printable')) {
    if (type === 'message/rfc822') fileName ??= 'message.eml'
    type = OCTET_STREAM
    parameters = new Map()
  }
  const written: string[] = []
  // The charset of a string is the composer's choice, whatever the caller's type said; octets are labelled where they show what they are.
  const isString = typeof content === 'string'
  const isLabelled = isString || (content instanceof Uint8Array && outgoing.charset === 'utf-8' && !parameters.has('charset'))
  if (isLabelled && type.startsWith('text/')) written.push(...formatParameter('charset', outgoing.charset ?? 'utf-8'))
  for (const [name, value] of parameters) {
    if (name === 'charset' && isString) continue
    if (name !== 'name' || fileName === undefined) written.push(...formatParameter(name, value))
  }
  // Some readers know only this one, and only as an encoded-word.
  if (fileName !== undefined) written.push(formatNameParameter(fileName))
  return leaf(
    formatStructured('Content-Type', type, written),
    outgoing,
    formatStructured('Content-Disposition', disposition, fileName === undefined ? [] : formatParameter('filename', fileName)),
    ...(contentId === undefined ? [] : [formatMessageIds('Content-ID', [contentId])]),
  )
}

function leaf(type: string, content: Outgoing, ...fields: readonly string[]): Leaf {
  const { encoding } = content
  return { fields: [type, ...encodingField(encoding), ...fields], encoding, content }
}

const encodingField = (encoding: TransferEncoding): string[] => (encoding === '7bit' ? [] : [`Content-Transfer-Encoding: ${encoding}`])

/** The boundary holds what base64 and quoted-printable cannot (RFC 2045 §6.7), and 128 random bits against everything else. */
function multipart(subtype: 'mixed' | 'alternative' | 'related', parts: readonly BodyPart[], root?: string): Multipart {
  const boundary = `=_${randomBytes(16).toString('hex')}`
  const parameters = [...formatParameter('boundary', boundary), ...(root === undefined ? [] : formatParameter('type', root))]
  const encodings = new Set(parts.map((part) => part.encoding))
  // A multipart is as wide as its widest part (RFC 2045 §6.4).
  const encoding = encodings.has('binary') ? 'binary' : encodings.has('8bit') ? '8bit' : '7bit'
  return { fields: [formatStructured('Content-Type', `multipart/${subtype}`, parameters), ...encodingField(encoding)], encoding, boundary, parts }
}

function readMediaType(text: string): MediaType {
  if (typeof text !== 'string' || !/^[\x20-\x7e]+$/.test(text)) throw headerError('Content-Type', 'a media type is printable ASCII')
  return parseMediaType(text, () => {
    throw headerError('Content-Type', `no media type: ${printable(text, 100)}`)
  })
}
