import type { Entry } from './book.ts'
import { ContentGate } from './content-gate.ts'
import { documentId, fingerprint, KINDS, trackedProperties, WHOLE, type DocumentMessage, type MailDocument } from './document.ts'
import type { InboxFacts } from './inbox.ts'
import type { Listed } from './listing.ts'
import { errorFields, safeFields } from './log.ts'
import { Leaves } from './leaves.ts'
import { readMessage, type Header } from '../mime/index.ts'
import { joined, peekHeader, readUpTo, Tap, type MessageSource } from './source.ts'

/** What became of a message: all of its documents accepted, none there, some not accepted, or not wanted after a look at its header section. */
export type HandedOver = 'accepted' | 'empty' | 'failed' | 'left'

/** Turns the octets of messages into documents, hands them over one after the other, and keeps book. Messages may be under way side by side. */
export class HandOver {
  readonly #facts: InboxFacts
  readonly #accepted: () => void

  /** @param accepted called for each document that was accepted, also when its message fails later */
  constructor(facts: InboxFacts, accepted: () => void) {
    this.#facts = facts
    this.#accepted = accepted
  }

  /**
   * Hands over what was not accepted before, and reads the source to its end. `accepted` and `empty` are durable when it resolves. Rejects
   * with what the source failed with, and with `ERR_STATE`; documents accepted before that stay accepted.
   * @param wanted asked about the header section before anything is handed over
   */
  async message(message: Listed, source: MessageSource, octets: number, wanted: (header: Header) => boolean): Promise<HandedOver> {
    const { ledger, operation } = this.#facts
    const { disposition } = operation
    const begin = (header: Header): MessageState | undefined => (wanted(header) ? beginMessage(message, header, octets) : undefined)
    const tap = new Tap(disposition === 'message' ? source : source.views())
    const state = disposition === 'message' ? await this.#whole(tap, begin) : await this.#leaves(tap, begin)
    await tap.drain()
    if (state === undefined) return 'left'
    if (state.failed) return 'failed'
    const kind = KINDS[disposition]
    const isEmpty = state.names.length === 0
    // Who has seen every leaf knows what there is not.
    const empty = disposition === 'all' ? (KINDS.attachment | KINDS.inline) & ~state.kinds : isEmpty ? kind : 0
    const documents = ledger.book.entries.get(message.key)?.documents
    const names = state.names.filter((name) => documents?.has(name) === true)
    await ledger.commit(['done', message.key, kind, empty, state.fingerprint, names])
    return isEmpty ? 'empty' : 'accepted'
  }

  async #whole(tap: AsyncIterable<Uint8Array>, begin: Begin): Promise<MessageState | undefined> {
    const { header, content } = await peekHeader(tap)
    const state = begin(header)
    const facts = { name: WHOLE, section: '', contentType: 'message/rfc822', fileName: null, safeFileName: 'message.eml' }
    if (state !== undefined) await this.#leaf(state, facts, KINDS.message, content)
    return state
  }

  async #leaves(tap: AsyncIterable<Uint8Array>, begin: Begin): Promise<MessageState | undefined> {
    const read = await readMessage(tap)
    const state = begin(read.header)
    if (state === undefined) return undefined
    const bit = KINDS[this.#facts.operation.disposition]
    const leaves = new Leaves()
    // HTML that is the body unless the plain text of its alternative comes after it.
    let candidate: { readonly facts: DocumentFacts; readonly content: AsyncIterable<Buffer> } | undefined
    let isSettled = false
    for await (const part of read.parts({ enclosed: 'leaf' })) {
      const { kinds, isCandidate } = leaves.describe(part)
      state.kinds |= isCandidate ? KINDS.inline : kinds
      const facts = { name: part.section, section: part.section, contentType: part.type, fileName: part.fileName, safeFileName: leaves.nameOf(part) }
      if (bit === KINDS.inline && isCandidate) {
        const content = new Tap(part.content)
        candidate = { facts, content: joined(await readUpTo(content, MAX_CANDIDATE_OCTETS), content) }
        if (content.ended) continue
        isSettled = true // too long to wait for what may come
        await this.#leaf(state, facts, bit, candidate.content)
        candidate = undefined
      } else if ((kinds & bit) !== 0 && !isSettled) {
        candidate = undefined
        await this.#leaf(state, facts, kinds, part.content)
      }
    }
    if (candidate !== undefined) await this.#leaf(state, candidate.facts, bit, candidate.content)
    return state
  }

  async #leaf(state: MessageState, facts: DocumentFacts, kinds: number, content: AsyncIterable<Buffer>): Promise<void> {
    state.names.push(facts.name)
    if (!isAccepted(this.#facts.ledger.book.entries.get(state.message.key), facts.name, kinds)) await this.#document(state, facts, content)
  }

  /** Once a document was not accepted, the rest of its message waits for the next run. */
  async #document(state: MessageState, facts: DocumentFacts, content: AsyncIterable<Buffer>): Promise<void> {
    const { ledger, stop, mailbox, logger } = this.#facts
    if (stop.stopping) state.failed = true
    if (state.failed) return
    const { key, uniqueId, occurrence } = state.message
    const attempt = (ledger.book.entries.get(key)?.attempts(facts.name) ?? 0) + 1
    await ledger.commit(['attempt', key, facts.name, attempt, state.fingerprint])
    const gate = new ContentGate(content)
    const tracked = trackedProperties(state.described.header, mailbox.host, mailbox.user, facts.fileName)
    const document: MailDocument = {
      id: documentId(uniqueId, occurrence, facts.name),
      content: gate,
      contentType: facts.contentType,
      safeFileName: facts.safeFileName,
      tracked,
      attempt,
      redelivered: attempt > 1,
      section: facts.section,
      message: state.described,
    }
    const fields = { id: document.id, attempt, contentType: facts.contentType, ...tracked }
    const refused = await this.#call(document, gate)
    gate.close()
    if (refused !== undefined) {
      state.failed = true
      if (gate.failure !== undefined) throw gate.failure.error
      logger.warn({ ...safeFields(fields), ...errorFields(refused.error) }, 'document not accepted; it comes again')
      return
    }
    // Accepted means: all of it came. A handler that was content with less does not change that.
    await gate.drain()
    await ledger.commit(['accepted', key, facts.name])
    this.#accepted()
    logger.info(safeFields(fields), 'document accepted')
  }

  /** Resolves when the handler has ended, or when the time for an orderly end is over; with the error unless it accepted. */
  #call(document: MailDocument, gate: ContentGate): Promise<{ readonly error: unknown } | undefined> {
    const { handler, stop } = this.#facts
    return new Promise((resolve) => {
      const unlisten = stop.listen({ stop: (reason) => gate.close(reason), leave: (reason) => end({ error: reason }) })
      const end = (result: { readonly error: unknown } | undefined): void => {
        unlisten()
        resolve(result)
      }
      const called = (async () => {
        await handler(document)
      })()
      called.then(
        () => end(undefined),
        (error: unknown) => end({ error }),
      )
    })
  }
}

const MAX_CANDIDATE_OCTETS = 4 * 1024 * 1024

interface DocumentFacts {
  /** In the ledger. */ readonly name: string
  readonly section: string
  readonly contentType: string
  readonly fileName: string | null
  readonly safeFileName: string
}

interface MessageState {
  readonly message: Listed
  /** One object for all documents of the message. */ readonly described: DocumentMessage
  readonly fingerprint: number
  /** Documents of this disposition, accepted or not. */ readonly names: string[]
  /** Bits of all leaves. */ kinds: number
  failed: boolean
}

type Begin = (header: Header) => MessageState | undefined

function beginMessage(message: Listed, header: Header, octets: number): MessageState {
  const described = { uniqueId: message.uniqueId, header, octets }
  return { message, described, fingerprint: fingerprint(header), names: [], kinds: 0, failed: false }
}

/** By its own line in the ledger, or because every document of one of its kinds was. */
function isAccepted(entry: Entry | undefined, name: string, kinds: number): boolean {
  return entry !== undefined && (entry.accepted(name) || (entry.kinds & kinds) !== 0)
}
