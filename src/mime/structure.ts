import { randomBytes } from 'node:crypto'
import { printable } from '../bytes.ts'
import { contentError, isIdentity, prepareContent, type Outgoing, type TransferEncoding, type Transport } from './content.ts'
import type { Attachment, Content, Draft } from './draft.ts'
import { checkFieldText, formatNameParameter, formatParameter, formatStructured, headerError } from './field/fold.ts'
import { formatMessageIds } from './field/message-id.ts'
import { parseMediaType, type MediaType } from './field/content-fields.ts'

/** A body part with its fields written (RFC 2045 §3). */
export interface BodyPart {
  readonly fields: readonly string[]
  readonly encoding: TransferEncoding
  readonly body: Outgoing | { readonly boundary: string; readonly parts: readonly BodyPart[] }
}

const OCTET_STREAM = 'application/octet-stream'
const MAX_TEXT = 4000 // characters of a file name or media type: more would be more pieces than readers take (RFC 2231 §3)

/** The tree of a draft: text, HTML and an invitation as an alternative (RFC 2046 §5.1.4), images that the HTML shows related to it
 *  (RFC 2387), attachments after these in a mixed multipart, which a single attachment has too, so that it is one. A single inline attachment
 *  without text is no part but the message's body. */
export function buildStructure(draft: Draft, transport: Transport): BodyPart {
  const { text, html, calendar, attachments: given = [] } = draft
  if (!Array.isArray(given)) throw contentError('attachments: a list')
  const attachments = given.map((attachment: Attachment) => readAttachment(attachment))
  const isShown = ({ contentId, disposition }: Attachment): boolean => html !== undefined && contentId !== undefined && disposition === 'inline'
  const write = (attachment: Attachment): BodyPart => writeAttachment(attachment, transport)

  const bodies: BodyPart[] = []
  if (text !== undefined) bodies.push(writeText('text/plain', text, transport))
  if (html !== undefined) {
    const page = writeText('text/html', html, transport)
    const shown = attachments.filter((attachment) => isShown(attachment)).map(write)
    bodies.push(shown.length === 0 ? page : multipart('related', [page, ...shown], 'text/html'))
  }
  const others = attachments.filter((attachment) => !isShown(attachment))
  if (calendar !== undefined) {
    // The media type must name the METHOD too (RFC 6047 §2.4), or readers show a file instead.
    const [, method] = typeof calendar === 'string' ? (/^METHOD:([A-Z-]+)/im.exec(calendar) ?? []) : []
    if (method === undefined) throw contentError('calendar: an iCalendar object with its METHOD')
    bodies.push(writeText('text/calendar', calendar, transport, formatParameter('method', method.toUpperCase())))
    others.push({ content: calendar, type: 'application/ics', fileName: 'invite.ics' })
  }
  const parts = [...(bodies.length > 1 ? [multipart('alternative', bodies)] : bodies), ...others.map(write)]
  const [root = writeText('text/plain', '', transport)] = parts
  const isRoot = others.length === 0 || (parts.length === 1 && others[0]?.disposition === 'inline')
  return isRoot ? root : multipart('mixed', parts)
}

export const buildPart = (attachment: Attachment, transport: Transport): BodyPart => writeAttachment(readAttachment(attachment), transport)

/** A copy with its disposition decided: the caller's object is read once. */
function readAttachment(attachment: Attachment): Attachment {
  if (typeof attachment !== 'object' || attachment === null) throw contentError('attachments: objects with content')
  const { content, size, fileName, type, contentId, disposition = contentId === undefined ? 'attachment' : 'inline' } = attachment
  if (disposition !== 'attachment' && disposition !== 'inline') throw contentError("disposition: 'attachment' or 'inline'")
  return { content, size, fileName: fileName === '' ? undefined : fileName, type, contentId, disposition }
}

function writeText(type: string, text: Content, transport: Transport, parameters: readonly string[] = []): BodyPart {
  const content = prepareContent(text, undefined, transport)
  const charset = content.charset === null ? [] : formatParameter('charset', content.charset)
  return bodyPart(formatStructured('Content-Type', type, [...charset, ...parameters]), content.encoding, content)
}

function writeAttachment(attachment: Attachment, transport: Transport): BodyPart {
  const { content, size, contentId, disposition = 'attachment' } = attachment
  let { fileName } = attachment
  if (fileName !== undefined) checkFieldText('fileName', fileName)
  if ((fileName?.length ?? 0) > MAX_TEXT) throw headerError('fileName', `more than ${MAX_TEXT} characters`)
  let { type, parameters } = readMediaType(attachment.type ?? (typeof content === 'string' ? 'text/plain' : OCTET_STREAM))
  // A message or multipart is parsed where it stands, so it must not be encoded (RFC 2045 §6.4), but for messages with UTF-8 headers (RFC 6532 §3.5).
  const whole = /^(?:message\/(?!global)|multipart\/)/.test(type)
  const outgoing = prepareContent(content, size, transport, whole)
  if (whole && !isIdentity(outgoing.encoding)) {
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
    const isOurs = (name === 'charset' && isString) || (name === 'name' && fileName !== undefined)
    if (!isOurs) written.push(...formatParameter(name, value))
  }
  // Some readers know only this one, and only as an encoded-word.
  if (fileName !== undefined) written.push(formatNameParameter(fileName))
  const name = fileName === undefined ? [] : formatParameter('filename', fileName)
  const identifier = contentId === undefined ? [] : [formatMessageIds('Content-ID', [contentId])]
  const fields = [formatStructured('Content-Disposition', disposition, name), ...identifier]
  return bodyPart(formatStructured('Content-Type', type, written), outgoing.encoding, outgoing, fields)
}

function multipart(subtype: 'mixed' | 'alternative' | 'related', parts: readonly BodyPart[], root?: string): BodyPart {
  let boundary: string
  do boundary = `=_${randomBytes(16).toString('hex')}`
  while (parts.some((part) => holds(part, boundary)))
  const parameters = [...formatParameter('boundary', boundary), ...(root === undefined ? [] : formatParameter('type', root))]
  const encodings = new Set(parts.map((part) => part.encoding))
  // A multipart is as wide as its widest part (RFC 2045 §6.4).
  const encoding = encodings.has('binary') ? 'binary' : encodings.has('8bit') ? '8bit' : '7bit'
  return bodyPart(formatStructured('Content-Type', `multipart/${subtype}`, parameters), encoding, { boundary, parts })
}

/** Encoded content cannot hold `=_` (RFC 2045 §6.7), other content in memory is searched, and of a stream 128 random bits keep it out. */
function holds({ encoding, body }: BodyPart, boundary: string): boolean {
  if ('parts' in body) return body.boundary === boundary || body.parts.some((part) => holds(part, boundary))
  return isIdentity(encoding) && Buffer.isBuffer(body.source) && body.source.includes(boundary)
}

function bodyPart(type: string, encoding: TransferEncoding, body: BodyPart['body'], fields: readonly string[] = []): BodyPart {
  return { fields: [type, ...(encoding === '7bit' ? [] : [`Content-Transfer-Encoding: ${encoding}`]), ...fields], encoding, body }
}

function readMediaType(text: string): MediaType {
  if (typeof text !== 'string' || text.length > MAX_TEXT || !/^[\x20-\x7e]+$/.test(text)) {
    throw headerError('Content-Type', `a media type is printable ASCII, at most ${MAX_TEXT} characters`)
  }
  return parseMediaType(text, () => {
    throw headerError('Content-Type', `no media type: ${printable(text, 100)}`)
  })
}
