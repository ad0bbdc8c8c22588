import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { MailError } from '../errors.ts'
import { composeMessage, type Attachment, type Draft, type Mailbox as Author } from '../mime/index.ts'
import { contentError } from '../mime/content.ts'
import { parseAddressInput, parseMailboxInput } from '../mime/field/address.ts'
import { normalizeDomain } from '../addr-spec.ts'
import { demand } from '../tls/options.ts'
import { addressesOf, fileExtension, messageIdOf } from './document.ts'
import type { CheckedSend, OutgoingDocument } from './operation.ts'
import { peekHeader } from './source.ts'

export interface Mail {
  readonly from: string
  readonly to: readonly string[]
  /** The same octets each time it is called, unless there is a stream in it: that can be read once. */
  content(): Promise<MailContent>
  readonly fileName: string | null
  readonly toAddress: string
}

export interface MailContent {
  readonly octets: Uint8Array | (AsyncIterable<Uint8Array> & { readonly size?: number | undefined })
  /** Without angle brackets; `null` where a whole message has none. */ readonly messageId: string | null
  readonly subject: string
}

/** Documents as one message. Throws `ERR_FROM_MISSING`, `ERR_TO_MISSING`, `ERR_OPTION`, and what the composer throws. Opens nothing and reads no stream. */
export function createMail(operation: CheckedSend, documents: readonly OutgoingDocument[]): Mail {
  const fromText = given(documents, 'fromAddress', operation.from)
  if (fromText.trim() === '') throw new MailError('ERR_FROM_MISSING', 'From address is missing', { phase: 'options' })
  const author = parseMailboxInput(fromText)
  const to = parseAddressInput(given(documents, 'toAddress', operation.to))
  const toAddresses = addressesOf(to)
  if (toAddresses.length === 0) throw new MailError('ERR_TO_MISSING', 'To address is missing', { phase: 'options' })
  const cc = parseAddressInput(operation.cc)
  const others = addressesOf([...cc, ...parseAddressInput(operation.bcc)])
  const isRepeatable = documents.every(({ content }) => typeof content === 'string' || content instanceof Uint8Array)
  const wanted = "'hold' for a stream: it can be read once, so the same octets cannot be sent again"
  demand(operation.onUnknown !== 'retry' || isRepeatable, 'onUnknown', wanted)
  const facts = { from: author.address, to: [...new Set([...toAddresses, ...others])], toAddress: toAddresses.join('; ') }
  if (operation.disposition === 'message') return { ...facts, fileName: null, content: wholeMessage(documents[0]) }
  const attachments = documents.map((document) => attachmentOf(operation, document))
  const subject = given(documents, 'subject', operation.subject)
  const messageId = stableMessageId(documents, author)
  const composed = composeMessage({ from: author, to, cc, subject, messageId, ...bodyAndAttachments(operation, documents, attachments) })
  const fileName = attachments.flatMap((attachment) => attachment.fileName ?? []).join('; ')
  const content = (): Promise<MailContent> => Promise.resolve({ octets: composed, messageId: composed.messageId, subject })
  return { ...facts, fileName: fileName || null, content }
}

/** What the first document that says something says; otherwise the operation. */
function given(documents: readonly OutgoingDocument[], name: 'fromAddress' | 'toAddress' | 'subject' | 'body', otherwise: string): string {
  return documents.find((document) => document[name] !== undefined)?.[name] ?? otherwise
}

function attachmentOf(operation: CheckedSend, { content, size, fileName, contentType }: OutgoingDocument): Attachment {
  const isInline = operation.disposition === 'inline'
  const usual = isInline || typeof content === 'string' ? 'text/plain' : 'application/octet-stream'
  const type = contentType?.trim().toLowerCase() || operation.dataContentType || usual
  // People know names such as `1732288000000.dat`; ours end as the media type says.
  const invented = isInline ? undefined : `${Date.now()}${fileExtension(type)}`
  const disposition = isInline ? 'inline' : 'attachment'
  return { content, size: typeof content === 'string' ? undefined : size, fileName: fileName || invented, type, disposition }
}

function bodyAndAttachments(operation: CheckedSend, documents: readonly OutgoingDocument[], attachments: readonly Attachment[]): Partial<Draft> {
  const body = operation.disposition === 'attachment' ? given(documents, 'body', '') : ''
  if (body === '') return { attachments }
  if (operation.bodyContentType === 'text/plain') return { text: body, attachments }
  if (operation.bodyContentType === 'text/html') return { html: body, attachments }
  return { attachments: [{ content: body, type: operation.bodyContentType, disposition: 'inline' }, ...attachments] }
}

/** From the key and the sender, so that another key or another sender never has the same. */
function stableMessageId(documents: readonly OutgoingDocument[], { address }: Author): string | undefined {
  const keys = documents.flatMap(({ idempotencyKey }) => idempotencyKey || [])
  if (keys.length === 0) return undefined
  const hash = createHash('sha256').update(JSON.stringify([address, ...keys]))
  return `${hash.digest('hex').slice(0, 40)}@${normalizeDomain(address.slice(address.lastIndexOf('@') + 1)) ?? 'localhost'}`
}

/** Octets that are a message already. The client makes the line ends CRLF; nothing else is changed. */
function wholeMessage(document: OutgoingDocument | undefined): () => Promise<MailContent> {
  demand(document !== undefined, 'documents', 'a document a message')
  const { content, size } = document
  if (typeof content === 'string' && /\p{Surrogate}/u.test(content)) throw contentError('text holds half a surrogate pair, which UTF-8 cannot write')
  return async () => {
    const octets = typeof content === 'string' ? Buffer.from(content) : content
    const whole = octets instanceof Uint8Array
    const { header, content: rest } = await peekHeader(whole ? Readable.from([octets]) : octets)
    return { octets: whole ? octets : Object.assign(rest, { size }), messageId: messageIdOf(header), subject: header.value('subject') ?? '' }
  }
}
