import type { Content } from '../mime/index.ts'
import { demand } from '../tls/options.ts'

/** Which documents to get from a mailbox, and what becomes of the messages. */
export interface GetOperation {
  /** Only messages of this sender: the addr-spec of a mailbox in From, ASCII case ignored. Blank or left out: of all. */
  readonly fromAddress?: string | undefined
  /** The attachments, the body, every leaf, or the whole message as retrieved. */ readonly disposition: GetDisposition
  /** Delete a message once all its documents were accepted and that is on disk. @default false */ readonly deleteFromServer?: boolean | undefined
  /** Stream from the server, or write the whole message to the state directory first and hand it over from there. @default 'direct' */
  readonly handOver?: 'direct' | 'spool' | undefined
  /** Of one run: messages to retrieve, and their octets by LIST. What is over it is set aside. @default no limit */
  readonly limit?: { readonly messages?: number | undefined; readonly octets?: number | undefined } | undefined
  /** With `deleteFromServer`: delete messages that have no document, too. @default false */ readonly deleteEmpty?: boolean | undefined
}
export type GetDisposition = 'attachment' | 'inline' | 'all' | 'message'

/** How documents become mail. */
export interface SendOperation {
  /** A mailbox. Blank where every document names its own. */ readonly from: string
  /** Addresses, split by semicolons or commas. */ readonly to: string
  readonly cc?: string | undefined
  /** Of the envelope only. */ readonly bcc?: string | undefined
  readonly subject?: string | undefined
  /** The document is the attachment and `body` the text, the document is the body, or its octets are the whole message. */
  readonly disposition: 'attachment' | 'inline' | 'message'
  /** Media type of a document, in any case. @default application/octet-stream (attachment), text/plain (inline) */
  readonly dataContentType?: string | undefined
  /** Media type of `body`, with disposition 'attachment'. @default text/plain */ readonly bodyContentType?: string | undefined
  /** All documents in one message. @default false */ readonly together?: boolean | undefined
  /** What to do when the final reply never came: leave it, or send the same octets once more. @default 'hold' */
  readonly onUnknown?: 'hold' | 'retry' | undefined
}

/** A document to send; what it names overrides the operation. */
export interface OutgoingDocument {
  /** Octets and streams arrive as they are; a string is text, with CRLF line ends. A stream can be sent once. */ readonly content: Content
  /** Octets of `content`, where a stream knows. */ readonly size?: number | undefined
  readonly fileName?: string | undefined
  /** Media type, in any case. */ readonly contentType?: string | undefined
  readonly fromAddress?: string | undefined
  readonly toAddress?: string | undefined
  readonly subject?: string | undefined
  /** The text beside an attachment. */ readonly body?: string | undefined
  /** The same key and sender give the same Message-ID each time. */ readonly idempotencyKey?: string | undefined
}

export type OutgoingDocuments = Iterable<OutgoingDocument> | AsyncIterable<OutgoingDocument>

/** A get operation after the door: checked (or `ERR_OPTION`), and every field present. */
export type CheckedGet = ReturnType<typeof checkGetOperation>

export function checkGetOperation(operation: GetOperation) {
  checkObject('operation', operation)
  const { messages, octets } = operation.limit ?? {}
  return {
    fromAddress: checkFromAddress(operation.fromAddress),
    disposition: checkOneOf('disposition', operation.disposition, ['attachment', 'inline', 'all', 'message']),
    deleteFromServer: checkBoolean('deleteFromServer', operation.deleteFromServer),
    handOver: checkOneOf('handOver', operation.handOver ?? 'direct', ['direct', 'spool']),
    limit: { messages: checkCount('limit.messages', messages), octets: checkCount('limit.octets', octets) },
    deleteEmpty: checkBoolean('deleteEmpty', operation.deleteEmpty),
  }
}

/** A send operation after the door. Addresses are still as they were given: the documents may override them. */
export type CheckedSend = ReturnType<typeof checkSendOperation>

export function checkSendOperation(operation: SendOperation) {
  checkObject('operation', operation)
  const disposition = checkOneOf('disposition', operation.disposition, ['attachment', 'inline', 'message'])
  const together = checkBoolean('together', operation.together)
  demand(!together || disposition !== 'message', 'together', "left out with disposition 'message': a document is a message then")
  return {
    from: checkText('from', operation.from),
    to: checkText('to', operation.to),
    cc: checkText('cc', operation.cc),
    bcc: checkText('bcc', operation.bcc),
    subject: checkText('subject', operation.subject),
    disposition,
    dataContentType: checkMediaType('dataContentType', operation.dataContentType),
    bodyContentType: checkMediaType('bodyContentType', operation.bodyContentType) ?? 'text/plain',
    together,
    onUnknown: checkOneOf('onUnknown', operation.onUnknown ?? 'hold', ['hold', 'retry']),
  }
}

/** Throws `ERR_OPTION` for what cannot be a document. */
export function checkOutgoing(document: OutgoingDocument): OutgoingDocument {
  checkObject('document', document)
  const { content, size } = document
  const isStream = typeof content === 'object' && content !== null && Symbol.asyncIterator in content
  const isContent = typeof content === 'string' || content instanceof Uint8Array || isStream
  demand(isContent, 'document.content', 'a string, octets, or an async iterable of octets')
  demand(size === undefined || (Number.isSafeInteger(size) && size >= 0), 'document.size', 'octets, 0 or more')
  for (const name of ['fileName', 'fromAddress', 'toAddress', 'subject', 'body', 'idempotencyKey'] as const)
    checkText(`document.${name}`, document[name])
  checkMediaType('document.contentType', document.contentType)
  return document
}

const checkObject = (name: string, value: unknown): void => demand(typeof value === 'object' && value !== null, name, 'an object')

function checkText(name: string, value: string | undefined): string {
  demand(typeof (value ?? '') === 'string', name, 'a string')
  return value ?? ''
}

function checkBoolean(name: string, value = false): boolean {
  demand(typeof value === 'boolean', name, 'true or false')
  return value
}

function checkOneOf<T extends string>(name: string, value: T, allowed: readonly T[]): T {
  demand(allowed.includes(value), name, `one of ${allowed.join(', ')}`)
  return value
}

function checkCount(name: string, value = Number.POSITIVE_INFINITY): number {
  demand(value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && value > 0), name, 'a whole number, 1 or more')
  return value
}

/** A display name or brackets would never equal an address, and nobody would see why nothing comes. */
function checkFromAddress(value: string | undefined): string | undefined {
  const address = checkText('fromAddress', value).trim()
  if (address === '') return undefined
  const isAddress = address.includes('@') && !/[<>\s\p{Cc}]/u.test(address.replace(/^"[^"]*"/, ''))
  demand(isAddress, 'fromAddress', 'one address, such as orders@example.com')
  return address
}

/** RFC 2045 §5.1, without parameters; the seven names that people know and any other, in any case. */
function checkMediaType(name: string, value: string | undefined): string | undefined {
  const type = checkText(name, value).trim().toLowerCase()
  if (type === '') return undefined
  demand(/^[!#$&^_.+\w-]+\/[!#$&^_.+\w-]+$/.test(type), name, 'a media type, such as application/edifact')
  demand(!type.startsWith('multipart/'), name, 'the media type of one part, which multipart/* is not')
  return type
}
