import { BodyFinder, isAttachment } from '../mime/body.ts'
import { uniqueFileName } from '../mime/file-name.ts'
import { readMessage, type Header, type Part } from '../mime/index.ts'
import type { Listed } from './book.ts'
import { documentId, fileExtension, fingerprint, KINDS, trackedProperties, WHOLE, type DocumentMessage, type MailDocument } from './document.ts'
import type { InboxFacts } from './inbox.ts'
import { safeFields } from './log.ts'
import { joined, openGate, peekHeader, readUpTo, Tap } from './source.ts'
import { onAbort, orAbort } from './stop.ts'

/** All documents accepted, none there, some not accepted, or not wanted after a look at the header section. */
type HandedOver = 'accepted' | 'empty' | 'failed' | 'left'

/** Asked about the header section before anything is handed over. */
export type Wanted = (header: Header) => boolean

/** Turns the octets of messages into documents, hands them over one after the other, and keeps book. Messages may be under way side by side.
 *  @param accepted called for each document that was accepted, also when its message fails later */
export function createHandOver({ handler, ledger, operation, stop, mailbox, logger }: InboxFacts, accepted: () => void) {
  const { disposition } = operation
  const kind = KINDS[disposition]

  /** Hands over what was not accepted before, and reads the source to its end. `accepted` and `empty` are durable when it resolves. Rejects
   *  with what the source failed with, and with `ERR_STATE`; documents accepted before that stay accepted.
   *  @param source with disposition 'message' the handler gets its very chunks */
  async function handOver(message: Listed, source: AsyncIterable<Uint8Array>, octets: number, wanted: Wanted): Promise<HandedOver> {
    const begin = (header: Header): MessageState | undefined => {
      if (!wanted(header)) return undefined
      ledger.note(['message', message.key, { fingerprint: fingerprint(header) }])
      return { message, described: { uniqueId: message.uniqueId, header, octets }, count: 0, names: [], kinds: 0, failed: false }
    }
    const tap = new Tap(source)
    const state = disposition === 'message' ? await whole(tap, begin) : await leaves(tap, begin)
    await tap.drain()
    if (state === undefined) return 'left'
    if (state.failed) return 'failed'
    // Who has seen every leaf knows what there is not.
    const empty = disposition === 'all' ? (KINDS.attachment | KINDS.inline) & ~state.kinds : state.count === 0 ? kind : 0
    const known = ledger.book.entries.get(message.key)
    const facts = { kinds: (known?.kinds ?? 0) | kind, empty: (known?.empty ?? 0) | empty, stored: 0 }
    const settled = state.names.filter((name) => known?.documents?.has(name)).map((name) => ['document', message.key, name, 0] as const)
    await ledger.commit(['message', message.key, facts], ...settled)
    return state.count === 0 ? 'empty' : 'accepted'
  }

  async function whole(tap: AsyncIterable<Uint8Array>, begin: Begin): Promise<MessageState | undefined> {
    const { header, content } = await peekHeader(tap)
    const state = begin(header)
    const facts = { name: WHOLE, section: '', contentType: 'message/rfc822', fileName: null, safeFileName: 'message.eml' }
    if (state !== undefined) await offer(state, facts, KINDS.message, content)
    return state
  }

  async function leaves(tap: AsyncIterable<Uint8Array>, begin: Begin): Promise<MessageState | undefined> {
    const read = await readMessage(tap)
    const state = begin(read.header)
    if (state === undefined) return undefined
    const finder = new BodyFinder()
    const taken = new Set<string>()
    // HTML that is the body unless the plain text of its alternative comes after it.
    let candidate: { readonly facts: DocumentFacts; readonly content: AsyncIterable<Buffer> } | undefined
    let isSettled = false
    for await (const part of read.parts({ enclosed: 'leaf' })) {
      const { section, type, fileName, path } = part
      const role = finder.offer(part, path)
      const kinds = KINDS.all | (isAttachment(part, path) ? KINDS.attachment : 0) | (role === 'body' ? KINDS.inline : 0)
      state.kinds |= role === 'candidate' ? KINDS.inline : kinds
      // Two attachments with the same name are two files (pain 19).
      const safeFileName = uniqueFileName(part.safeFileName ?? inventedName(part), taken)
      const facts = { name: section, section, contentType: type, fileName, safeFileName }
      if (kind === KINDS.inline && role === 'candidate') {
        const rest = new Tap(part.content)
        const content = joined(await readUpTo(rest, MAX_CANDIDATE_OCTETS), rest)
        candidate = rest.ended ? { facts, content } : undefined
        isSettled = !rest.ended // too long to wait for what may come
        if (isSettled) await offer(state, facts, 0, content)
      } else if ((kinds & kind) !== 0 && !isSettled) {
        candidate = undefined
        await offer(state, facts, kinds, part.content)
      }
    }
    if (candidate !== undefined) await offer(state, candidate.facts, 0, candidate.content)
    return state
  }

  /** Hands one document over, unless it was accepted before: by its own record, or because every document of one of its kinds was. Once one was
   *  not accepted, the rest of its message waits for the next run.
   *  @param kinds that the leaf is of whatever comes after it */
  async function offer(state: MessageState, facts: DocumentFacts, kinds: number, content: AsyncIterable<Buffer>): Promise<void> {
    const { key, uniqueId, occurrence } = state.message
    const entry = ledger.book.entries.get(key)
    const { name, fileName, ...described } = facts
    const attempts = entry?.documents?.get(name) ?? 0
    state.count += 1
    if (kinds !== 0) state.names.push(name)
    if (attempts < 0 || ((entry?.kinds ?? 0) & kinds) !== 0) return
    if (stop.ending.aborted) state.failed = true
    if (state.failed) return
    const attempt = attempts + 1
    await ledger.commit(['document', key, name, attempt])
    const tap = new Tap(content)
    const gate = openGate(tap)
    const tracked = trackedProperties(state.described.header, mailbox.host, mailbox.user, fileName)
    const id = documentId(uniqueId, occurrence, name)
    const fields = { id, attempt, contentType: facts.contentType, ...tracked }
    const document = { ...described, id, content: gate.content, tracked, attempt, redelivered: attempt > 1, message: state.described }
    const unclose = onAbort(stop.ending, (reason) => void gate.close(reason))
    try {
      // Until the handler has ended, or the time for an orderly end is over.
      await orAbort((async () => handler(document))(), stop.connection)
    } catch (error) {
      state.failed = true
      await gate.close()
      if (tap.failure !== undefined) throw tap.failure.error
      logger.warn(safeFields(fields, error), 'document not accepted; it comes again')
      return
    } finally {
      unclose()
    }
    await gate.close()
    // Accepted means: all of it came. A handler that was content with less does not change that.
    await tap.drain()
    await ledger.commit(['document', key, name, -attempt])
    accepted()
    logger.info(safeFields(fields), 'document accepted')
  }

  return handOver
}

const MAX_CANDIDATE_OCTETS = 4 * 1024 * 1024

interface DocumentFacts extends Pick<MailDocument, 'section' | 'contentType' | 'safeFileName'> {
  /** In the ledger. */ readonly name: string
  readonly fileName: string | null
}

interface MessageState {
  readonly message: Listed
  /** One object for all documents of the message. */ readonly described: DocumentMessage
  /** Documents of this disposition, accepted or not. */ count: number
  /** Those that the kinds of the message will speak for. */ readonly names: string[]
  /** Bits of all leaves. */ kinds: number
  failed: boolean
}

type Begin = (header: Header) => MessageState | undefined

function inventedName({ type, section }: Part): string {
  const isMessage = type === 'message/rfc822' || type === 'message/global'
  return `${isMessage ? 'message' : 'document'}${section === '' ? '' : `-${section}`}${fileExtension(type)}`
}
