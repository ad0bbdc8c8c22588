import { MailError } from '../errors.ts'
import type { Draft } from './draft.ts'
import { checkAddress, formatAddressList, parseAddressInput, parseMailboxInput, type Addresses, type Group, type Mailbox } from './field/address.ts'
import { formatDate } from './field/date.ts'
import { headerError } from './field/fold.ts'
import { checkMessageId, createMessageId, formatMessageIds } from './field/message-id.ts'
import { formatUnstructured } from './field/text.ts'

/** What `Draft.fields` may not name: fields that the draft writes itself, so that none is there twice, and one that tells of hidden recipients. */
const OWN_FIELDS = new Set('date from sender reply-to to cc bcc resent-bcc message-id in-reply-to references subject mime-version'.split(' '))

/** The message's own fields (RFC 5322 §3.6), checked and written, each without its final line end, in the order that readers are used to. */
export function writeMessageFields(draft: Draft): { fields: string[]; messageId: string } {
  if (draft.from === undefined || draft.from === null || draft.from === '') {
    throw new MailError('ERR_FROM_MISSING', 'a message has an author: give `from`', { phase: 'compose' })
  }
  const from = readMailbox(draft.from)
  const messageId = checkMessageId(draft.messageId ?? createMessageId(from.address.slice(from.address.lastIndexOf('@') + 1)))
  const date = draft.date ?? new Date()
  if (!(date instanceof Date) || Number.isNaN(date.getTime())) throw headerError('Date', 'no valid date')

  const fields = [`Date: ${formatDate(date)}`, formatAddressList('From', [from])]
  if (draft.sender !== undefined) fields.push(formatAddressList('Sender', [readMailbox(draft.sender)]))
  addAddresses(fields, 'Reply-To', draft.replyTo)
  addAddresses(fields, 'To', draft.to)
  addAddresses(fields, 'Cc', draft.cc)
  if (draft.bcc !== undefined) readAddresses(draft.bcc)
  if (draft.subject !== undefined && draft.subject !== '') fields.push(formatUnstructured('Subject', draft.subject))
  fields.push(formatMessageIds('Message-ID', [messageId]))
  if (draft.inReplyTo !== undefined) fields.push(formatMessageIds('In-Reply-To', [draft.inReplyTo]))
  const { references = [] } = draft
  if (!Array.isArray(references)) throw headerError('References', 'a list of identifiers')
  if (references.length > 0) fields.push(formatMessageIds('References', references))
  for (const [name, value] of draft.fields ?? []) {
    if (typeof name !== 'string' || typeof value !== 'string') throw headerError('fields', 'pairs of a name and a value, both text')
    const lower = name.toLowerCase()
    if (OWN_FIELDS.has(lower) || lower.startsWith('content-')) throw headerError(name, 'written by the composer, not through `fields`')
    fields.push(formatUnstructured(name, value))
  }
  return { fields, messageId }
}

function addAddresses(fields: string[], name: string, addresses: Addresses | undefined): void {
  if (addresses === undefined) return
  const list = readAddresses(addresses)
  if (list.length > 0) fields.push(formatAddressList(name, list))
}

function readAddresses(addresses: Addresses): (Mailbox | Group)[] {
  const list = typeof addresses === 'string' ? [addresses] : addresses
  if (!Array.isArray(list)) throw addressError('addresses are text or a list')
  return list.flatMap((entry: string | Mailbox | Group) => {
    if (typeof entry === 'string') return parseAddressInput(entry)
    if (!isGroup(entry)) return [readMailbox(entry)]
    if (typeof entry.group !== 'string' || !Array.isArray(entry.members)) throw addressError('a group has a name and members')
    return [{ group: entry.group, members: entry.members.map((member: Mailbox) => readMailbox(member)) }]
  })
}

function readMailbox(mailbox: string | Mailbox): Mailbox {
  if (typeof mailbox === 'string') return parseMailboxInput(mailbox)
  if (!isObject(mailbox) || typeof mailbox.address !== 'string') throw addressError('a mailbox is text, or has a name and an address')
  const { name, address } = mailbox
  if (typeof name !== 'string') throw addressError('the name of a mailbox is text')
  return { name, address: checkAddress(address) }
}

const isGroup = (entry: Mailbox | Group): entry is Group => isObject(entry) && 'group' in entry

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null

const addressError = (message: string): MailError => new MailError('ERR_ADDRESS', message, { phase: 'compose' })
