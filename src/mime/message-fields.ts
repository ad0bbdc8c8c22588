import { MailError } from '../errors.ts'
import type { Draft } from './draft.ts'
import { checkAddress, formatAddressList, parseAddressInput, parseMailboxInput, type Addresses, type Group, type Mailbox } from './field/address.ts'
import { formatDate } from './field/date.ts'
import { formatUnstructured, headerError } from './field/fold.ts'
import { checkMessageId, createMessageId, formatMessageIds } from './field/message-id.ts'

/** What `Draft.fields` may not name: fields that the draft writes itself, so that none is there twice, and one that tells of hidden recipients. */
const OWN_FIELDS = new Set('date from sender reply-to to cc bcc resent-bcc message-id in-reply-to references subject mime-version'.split(' '))

/** The message's own fields (RFC 5322 §3.6), checked and written, each without its final line end, in the order that readers are used to. */
export function writeMessageFields(draft: Draft): { fields: string[]; messageId: string } {
  // Each property of the caller's object is read once.
  const { from, date = new Date(), sender, replyTo, to, cc, bcc, subject = '', inReplyTo, references = [], fields: further = [] } = draft
  if ((from ?? '') === '') throw new MailError('ERR_FROM_MISSING', 'a message has an author: give `from`', { phase: 'compose' })
  if (!(date instanceof Date)) throw headerError('Date', 'no date')
  if (!Array.isArray(references)) throw headerError('References', 'a list of identifiers')
  if (!Array.isArray(further)) throw headerError('fields', 'a list of pairs')
  const author = readMailbox(from)
  const { messageId: given = createMessageId(author.address.slice(author.address.lastIndexOf('@') + 1)) } = draft
  const messageId = checkMessageId(given)
  formatAddresses('Bcc', bcc)

  const fields = [
    `Date: ${formatDate(date)}`,
    formatAddressList('From', [author]),
    ...(sender === undefined ? [] : [formatAddressList('Sender', [readMailbox(sender)])]),
    ...formatAddresses('Reply-To', replyTo),
    ...formatAddresses('To', to),
    ...formatAddresses('Cc', cc),
    ...(subject === '' ? [] : [formatUnstructured('Subject', subject)]),
    formatMessageIds('Message-ID', [messageId]),
    ...(inReplyTo === undefined ? [] : [formatMessageIds('In-Reply-To', [inReplyTo])]),
    ...(references.length === 0 ? [] : [formatMessageIds('References', references)]),
  ]
  for (const pair of further) {
    const [name, value] = Array.isArray(pair) ? pair : []
    if (typeof name !== 'string' || typeof value !== 'string') throw headerError('fields', 'pairs of a name and a value, both text')
    const lower = name.toLowerCase()
    if (OWN_FIELDS.has(lower) || lower.startsWith('content-')) throw headerError(name, 'written by the composer, not through `fields`')
    fields.push(formatUnstructured(name, value))
  }
  return { fields, messageId }
}

function formatAddresses(name: string, addresses: Addresses = []): string[] {
  const given = typeof addresses === 'string' ? [addresses] : addresses
  if (!Array.isArray(given)) throw addressError('addresses are text or a list')
  const list = given.flatMap((entry: string | Mailbox | Group): (Mailbox | Group)[] => {
    if (typeof entry === 'string') return parseAddressInput(entry)
    if (typeof entry !== 'object' || entry === null || !('group' in entry)) return [readMailbox(entry)]
    const { group, members } = entry
    if (typeof group !== 'string' || !Array.isArray(members)) throw addressError('a group has a name and members')
    return [{ group, members: members.map((member: Mailbox) => readMailbox(member)) }]
  })
  return list.length === 0 ? [] : [formatAddressList(name, list)]
}

function readMailbox(mailbox: string | Mailbox): Mailbox {
  if (typeof mailbox === 'string') return parseMailboxInput(mailbox)
  if (typeof mailbox !== 'object' || mailbox === null) throw addressError('a mailbox is text, or has a name and an address')
  const { name, address } = mailbox
  if (typeof name !== 'string' || typeof address !== 'string') throw addressError('a mailbox has a name and an address, both text')
  return { name, address: checkAddress(address) }
}

const addressError = (message: string): MailError => new MailError('ERR_ADDRESS', message, { phase: 'compose' })
