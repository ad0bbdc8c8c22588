import type { Entry } from './book.ts'
import { ContentGate } from './content-gate.ts'
import { documentId, fingerprint, KINDS, trackedProperties, WHOLE, type DocumentMessage, type MailDocument } from './document.ts'
import type { Ledger } from './ledger.ts'
import type { Listed } from './listing.ts'
import { errorFields, safeFields, type Logger } from './log.ts'
import type { Mailbox } from './mailbox.ts'
import { Leaves } from './leaves.ts'
import { readMessage, type Header } from '../mime/index.ts'
import type { GetDisposition } from './operation.ts'
import { joined, peekHeader, readUpTo, Tap, type MessageSource } from './source.ts'
import type { Stop } from './stop.ts'

export interface HandOverFacts {
  readonly disposition: GetDisposition
  readonly handler: (document: MailDocument) => unknown
  readonly ledger: Ledger
  readonly mailbox: Mailbox
  readonly logger: Logger
  readonly stop: Stop
  /** Called for each document that was accepted, also when its message fails later. */
  readonly accepted: () => void
}

/** What became of a message: all of its documents accepted, none there, some not accepted, or not wanted after a look at its header section. */
export type HandedOver = 'accepted' | 'empty' | 'failed' | 'left'

/** Turns the octets of messages into documents, hands them over one after the other, and keeps book. Messages may be under way side by side. */
export class HandOver {
  readonly #facts: HandOverFacts

  constructor(facts: HandOverFacts) {
    this.#facts = facts
  }

  /**
   * Hands over what was not accepted before, and reads the source to its end. `accepted` and `empty` are durable when it resolves. Rejects
   * with what the source failed with, and with `ERR_STATE`; documents accepted before that stay accepted.
   * @param wanted asked about the header section before anything is handed over
   */
  async message(message: Listed, source: MessageSource, octets: number, wanted: (header: Header) => boolean): Promise<HandedOver> {
    const state = new MessageState(message, octets)
    const whole = this.#facts.disposition === 'message'
    const isWanted = whole ? await this.#whole(state, source, wanted) : await this.#leaves(state, source, wanted)
    if (!isWanted) return 'left'
    if (state.failed) return 'failed'
    const { disposition, ledger } = this.#facts
    const kind = KINDS[disposition]
    const entry = ledger.book.entries.get(message.key)
    const names = state.names.filter((name) => entry?.documents?.has(name) === true)
    const isEmpty = state.names.length === 0
    await ledger.commit(['done', message.key, kind, isEmpty ? kind : 0, state.fingerprint, names])
    return isEmpty ? 'empty' : 'accepted'
  }

  async #whole(state: MessageState, source: MessageSource, wanted: (header: Header) => boolean): Promise<boolean> {
    const tap = new Tap(source)
    try {
      const { header, content } = await peekHeader(tap)
      if (!wanted(header)) return false
      state.begin(header)
      const facts = { name: WHOLE, section: '', contentType: 'message/rfc822', fileName: null, safeFileName: 'message.eml' }
      await this.#leaf(state, facts, KINDS.message, content)
      return true
    } finally {
      await tap.drain()
    }
  }

  async #leaves(state: MessageState, source: MessageSource, wanted: (header: Header) => boolean): Promise<boolean> {
    const tap = new Tap(source.views())
    try {
      const read = await readMessage(tap)
      if (!wanted(read.header)) return false
      state.begin(read.header)
      const bit = KINDS[this.#facts.disposition]
      const leaves = new Leaves()
      // HTML that is the body unless the plain text of its alternative comes after it.
      let candidate: { readonly facts: DocumentFacts; readonly chunks: readonly Buffer[] } | undefined
      let isSettled = false
      for await (const part of read.parts({ enclosed: 'leaf' })) {
        const { kinds, isCandidate } = leaves.describe(part)
        const facts = {
          name: part.section,
          section: part.section,
          contentType: part.type,
          fileName: part.fileName,
          safeFileName: leaves.nameOf(part),
        }
        if (bit === KINDS.inline && isCandidate) {
          const content = new Tap(part.content)
          const chunks = await readUpTo(content, MAX_CANDIDATE_OCTETS)
          if (content.ended) candidate = { facts, chunks }
          else {
            isSettled = true // too long to wait for what may come
            await this.#leaf(state, facts, bit, joined(chunks, content))
          }
        } else if ((kinds & bit) !== 0 && !isSettled) {
          candidate = undefined
          await this.#leaf(state, facts, kinds, part.content)
        }
      }
      if (candidate !== undefined) await this.#leaf(state, candidate.facts, bit, joined(candidate.chunks, []))
      return true
    } finally {
      await tap.drain()
    }
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
    ledger.note(['accepted', key, facts.name])
    this.#facts.accepted()
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
  /** In the ledger. */
  readonly name: string
  readonly section: string
  readonly contentType: string
  readonly fileName: string | null
  readonly safeFileName: string
}

class MessageState {
  readonly message: Listed
  readonly #octets: number
  #described: DocumentMessage | undefined
  fingerprint = 0
  /** Documents of this disposition, accepted or not. */
  readonly names: string[] = []
  failed = false

  constructor(message: Listed, octets: number) {
    this.message = message
    this.#octets = octets
  }

  begin(header: Header): void {
    this.fingerprint = fingerprint(header)
    this.#described = { uniqueId: this.message.uniqueId, header, octets: this.#octets }
  }

  /** One object for all documents of the message. */
  get described(): DocumentMessage {
    if (this.#described === undefined) throw new TypeError('the header section was not read yet')
    return this.#described
  }
}

/** By its own line in the ledger, or because every document of one of its kinds was. */
function isAccepted(entry: Entry | undefined, name: string, kinds: number): boolean {
  return entry !== undefined && (entry.accepted(name) || (entry.kinds & kinds) !== 0)
}
