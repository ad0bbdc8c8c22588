import { createHash } from 'node:crypto'
import type { Group, Header, Mailbox as Address } from '../mime/index.ts'
import type { GetDisposition } from './operation.ts'

/** What people look a document up by: the same seven of a document that was got and of one that was sent. */
export interface TrackedProperties {
  /** As the sender gave it, decoded. */ readonly fileName: string | null
  /** Addr-spec of the first mailbox in From; '' where there is none. */ readonly fromAddress: string
  readonly host: string
  /** Without angle brackets. */ readonly messageId: string | null
  readonly subject: string
  /** The addresses of To, joined by `; `. */ readonly toAddress: string
  readonly user: string
}

/** One piece of business content got from a mailbox. */
export interface MailDocument {
  /** Unique-id (with its occurrence where the server repeats one) and section: the same each time this document is handed over. */
  readonly id: string
  /** Octets after the transfer encoding; can be read once, until the handler ends. What it leaves is read to its end before the document counts as accepted. */
  readonly content: AsyncIterable<Buffer>
  /** Media type in lower case, without parameters; `message/rfc822` for a whole message. */ readonly contentType: string
  /** Fit for any file system, never empty, unique among the documents of the message. */ readonly safeFileName: string
  readonly tracked: TrackedProperties
  /** Hand-overs of this document so far, from 1. */ readonly attempt: number
  readonly redelivered: boolean
  /** As IMAP numbers parts; '' for the whole message, and for one that is a single leaf. */ readonly section: string
  /** One object for all documents of a message. */ readonly message: DocumentMessage
}

export type DocumentHandler = (document: MailDocument) => unknown

export interface DocumentMessage {
  readonly uniqueId: string
  readonly header: Header
  /** By LIST, or counted where the message lies in the spool. */ readonly octets: number
}

/** Kinds of documents, as bits of the ledger. They may not change their meaning. */
export const KINDS: Readonly<Record<GetDisposition, number>> = { attachment: 1, inline: 2, all: 4, message: 8 }

/** What the ledger calls the document that is the whole message. */
export const WHOLE = 'message'

/** Octets that stand for parts of the id are escaped, so that no two documents have the same. */
export function documentId(uniqueId: string, occurrence: number, name: string): string {
  const escaped = uniqueId.replaceAll('%', '%25').replaceAll('#', '%23')
  return occurrence === 1 ? `${escaped}#${name}` : `${escaped}#${occurrence}#${name}`
}

export function trackedProperties(header: Header, host: string, user: string, fileName: string | null): TrackedProperties {
  const [fromAddress = ''] = addressesOf(header.addresses('from'))
  const toAddress = addressesOf(header.addresses('to')).join('; ')
  return { fileName, fromAddress, host, messageId: messageIdOf(header), subject: header.value('subject') ?? '', toAddress, user }
}

/** Every addr-spec, those of group members too. */
export function addressesOf(list: readonly (Address | Group)[]): readonly string[] {
  return list.flatMap((item) => ('members' in item ? item.members : [item])).flatMap(({ address }) => (address === '' ? [] : [address]))
}

/** Without angle brackets, or `null` where there is none. */
export function messageIdOf(header: Header): string | null {
  const value = header.value('message-id')?.trim() ?? ''
  const open = value.indexOf('<')
  const close = value.indexOf('>', open + 1)
  const id = open !== -1 && close !== -1 ? value.slice(open + 1, close) : value
  return id === '' ? null : id
}

/** Whether an addr-spec in the first From field is this one, ASCII case ignored. Display names never count (pain 35: they are the sender's to choose). */
export function isFrom(header: Header, fromAddress: string): boolean {
  const wanted = asciiLowerCase(fromAddress)
  return addressesOf(header.addresses('from')).some((address) => asciiLowerCase(address) === wanted)
}

const asciiLowerCase = (text: string): string => text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())

/** Hash of a filter, for the ledger; never 0. */
export const filterHash = (fromAddress: string): number => hash32(['from', asciiLowerCase(fromAddress)])

/** Tells whether a message that is listed again is the one that was there before (P8, D10). Fields that servers add or change between two
 *  retrievals do not count (P19). Never 0. */
export function fingerprint(header: Header): number {
  return hash32(header.fields.filter(({ name }) => !VOLATILE.test(name)).map(({ raw }) => raw))
}

const VOLATILE = /^(?:(?:x-)?status|x-uidl|x-keywords|content-length|lines|x-mozilla-status2?|)$/i

function hash32(texts: readonly (string | Uint8Array)[]): number {
  const hash = createHash('sha256')
  for (const text of texts) hash.update(text).update('\0')
  return hash.digest().readInt32BE(0) || 1
}

/** The usual end of a file name for a media type, with its dot. */
export function fileExtension(type: string): string {
  const name = type.toLowerCase().replace(/;.*$/s, '').trim()
  const subtype = name.slice(name.indexOf('/') + 1)
  return EXTENSIONS.get(name) ?? (OWN_NAMES.has(subtype) ? `.${subtype}` : '.bin')
}

/** Subtypes that are the end of a name themselves, whatever the type before them. */
const OWN_NAMES = new Set('html xml csv json pdf rtf zip png gif webp'.split(' '))

const EXTENSIONS: ReadonlyMap<string, string> = new Map([
  // EDI (RFC 1767)
  ['application/edifact', '.edi'],
  ['application/edi-x12', '.x12'],
  ['application/edi-consent', '.edi'],
  ['text/plain', '.txt'],
  ['text/calendar', '.ics'],
  ['application/gzip', '.gz'],
  ['application/pkcs7-mime', '.p7m'],
  ['application/pkcs7-signature', '.p7s'],
  ['application/pgp-signature', '.asc'],
  ['application/msword', '.doc'],
  ['application/vnd.ms-excel', '.xls'],
  ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', '.docx'],
  ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', '.xlsx'],
  ['application/ms-tnef', '.dat'],
  ['image/jpeg', '.jpg'],
  ['image/tiff', '.tif'],
  ['image/svg+xml', '.svg'],
  ['message/rfc822', '.eml'],
  ['message/global', '.eml'],
  ['message/delivery-status', '.txt'],
])
