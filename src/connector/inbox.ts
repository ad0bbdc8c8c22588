import { MailError } from '../errors.ts'
import type { Header } from '../mime/index.ts'
import type { Pop3Client, Retrieval } from '../pop3/index.ts'
import { parseKey, type Entry, type Listed } from './book.ts'
import { filterHash, fingerprint, isFrom, KINDS, type MailDocument } from './document.ts'
import type { Mailbox } from './files.ts'
import { HandOver } from './hand-over.ts'
import type { Ledger } from './ledger.ts'
import { errorFields, safeFields, type Logger } from './log.ts'
import { Maildrop } from './maildrop.ts'
import type { CheckedGet } from './operation.ts'
import { joined, readUpTo, Tap } from './source.ts'
import type { Spool } from './spool.ts'
import type { Stop } from './stop.ts'

/** What one run of `get` did. Counts of messages, but for `documents`. What was accepted in an earlier run counts in `listed` only. */
export interface GetReport {
  /** In the maildrop. */ readonly listed: number
  /** Retrieved now, to the end. */ readonly received: number
  /** Documents accepted now. */ readonly documents: number
  /** Set aside by filter or limit, or without a document. */ readonly skipped: number
  /** Confirmed by `+OK` to QUIT. */ readonly deleted: number
  /** Marked for deletion, and QUIT was not confirmed: the next listing decides. */ readonly unconfirmed: number
  /** Some document was not accepted, or the message could not be retrieved. Comes again with the next run. */ readonly failed: number
  readonly quarantined: number
}

export interface InboxFacts {
  readonly operation: CheckedGet
  readonly handler: (document: MailDocument) => unknown
  readonly ledger: Ledger
  /** Where messages wait with `handOver: 'spool'`. */ readonly spool: Spool | undefined
  readonly mailbox: Mailbox
  readonly logger: Logger
  readonly concurrency: number
  readonly connect: (signal: AbortSignal) => Promise<Pop3Client>
  readonly stop: Stop
}

/**
 * One run: the maildrop is listed, what is new is retrieved from the oldest on and handed over, and what is done is deleted. The order of
 * writes is: attempt on disk → handler → acceptance on disk → DELE → QUIT; so a crash at any moment leaves a message
 * on the server or its acceptance on disk (D1 to D9).
 */
export class Inbox {
  readonly #facts: InboxFacts
  readonly #handOver: HandOver
  readonly #filter: number
  readonly #counts = { listed: 0, received: 0, documents: 0, skipped: 0, deleted: 0, unconfirmed: 0, failed: 0, quarantined: 0 }
  /** Of the limit of this run. */ readonly #left: { messages: number; octets: number }
  /** Done, and to be deleted when the connection is free. */ readonly #ready: Listed[] = []
  /** None of them rejects. */ readonly #running = new Set<Promise<void>>()

  constructor(facts: InboxFacts) {
    const { fromAddress, limit } = facts.operation
    this.#facts = facts
    this.#handOver = new HandOver(facts, () => (this.#counts.documents += 1))
    this.#filter = fromAddress === undefined ? 0 : filterHash(fromAddress)
    this.#left = { ...limit }
  }

  /** Rejects when the maildrop could not be listed or the state directory failed; a connection lost later is in the report. */
  async run(): Promise<GetReport> {
    const { spool, operation, stop } = this.#facts
    await this.#session((maildrop, messages) => this.#work(maildrop, messages))
    if (spool !== undefined) {
      await this.#fromSpool(spool)
      if (operation.deleteFromServer && this.#ready.length > 0 && !stop.ending.aborted) await this.#deleteLater()
    }
    if (isFatal(stop.ending.reason)) throw stop.ending.reason
    return { ...this.#counts }
  }

  /** From the connection to QUIT. */
  async #session(work: (maildrop: Maildrop, messages: readonly Listed[]) => Promise<void>): Promise<void> {
    const { connect, stop, ledger, logger } = this.#facts
    await using client = await connect(stop.connection)
    const maildrop = new Maildrop(client, ledger, logger)
    let isListed = false
    try {
      const messages = await maildrop.list()
      isListed = true
      stop.begin()
      await work(maildrop, messages)
      this.#counts[(await maildrop.quit()) ? 'deleted' : 'unconfirmed'] += maildrop.deleted.length
    } catch (error) {
      await Promise.all(this.#running)
      if (!isListed || isFatal(error)) {
        // Nothing more may reach the server, not even a QUIT.
        stop.cut(error)
        throw error
      }
      logger.error(errorFields(error), 'the connection was lost; what was not done comes again with the next run')
      this.#counts.unconfirmed += maildrop.deleted.length
    }
  }

  async #work(maildrop: Maildrop, messages: readonly Listed[]): Promise<void> {
    this.#counts.listed = messages.length
    for (const message of messages) {
      if (this.#facts.stop.ending.aborted) break
      for (const done of this.#ready.splice(0)) await maildrop.delete(done)
      await this.#one(maildrop, message)
    }
    await Promise.all(this.#running)
    for (const done of this.#ready.splice(0)) await maildrop.delete(done)
  }

  async #one(maildrop: Maildrop, message: Listed): Promise<void> {
    const { ledger, operation, spool } = this.#facts
    const entry = ledger.book.entries.get(message.key)
    const isBack = entry !== undefined && entry.gonePoll > 0
    if (entry !== undefined && !isBack) {
      // What a run without a filter accepted is not yet known to be from the sender whose messages this one deletes.
      const isJudged = this.#filter === 0 || !operation.deleteFromServer
      if (isJudged && this.#isDone(message, entry)) return
      if (this.#filter !== 0 && entry.filter === this.#filter) return this.#skip(message, 'from another sender', true)
    }
    // What waits in the spool comes first; the next run looks whether this is the same message.
    if (entry !== undefined && entry.stored > 0 && spool !== undefined) return
    if (this.#left.messages === 0) return this.#skip(message, 'over the limit of this run')
    try {
      let isJudged = false
      if (isBack || this.#filter !== 0) {
        const header = await maildrop.header(message.number)
        if (header !== undefined && !this.#isWanted(message, header, isBack)) return
        isJudged = header !== undefined
      }
      const octets = await maildrop.octets(message.number)
      if (octets > operation.limit.octets) return this.#skip(message, 'larger than the limit of octets')
      if (octets > this.#left.octets) {
        this.#left.messages = 0
        return this.#skip(message, 'over the limit of this run')
      }
      this.#left.messages -= 1
      this.#left.octets -= octets
      // A message in the spool is looked at without its past: without TOP it counts as new, which repeats and loses nothing.
      if (isBack && !isJudged && spool !== undefined) ledger.note(['forget', message.key])
      await this.#retrieve(message, maildrop.client.retrieve(message.number), octets, (header) => isJudged || this.#isWanted(message, header, isBack))
    } catch (error) {
      this.#failed(message, error)
      const isOfContent = error instanceof MailError && (error.reusable || error.phase === 'parse' || error.phase === 'document')
      if (this.#facts.stop.connection.aborted || isFatal(error) || (error instanceof MailError && !isOfContent)) throw error
    }
  }

  async #retrieve(message: Listed, retrieval: Retrieval, octets: number, wanted: (header: Header) => boolean): Promise<void> {
    const { concurrency, spool, ledger, operation } = this.#facts
    if (spool !== undefined) {
      const stored = 1 + (await spool.store(message.key, retrieval.views()))
      await ledger.commit(['message', message.key, { stored }])
      this.#counts.received += 1
      return
    }
    if (concurrency === 1) return this.#settle(message, operation.disposition === 'message' ? retrieval : retrieval.views(), octets, wanted)
    await this.#room()
    const tap = new Tap(retrieval)
    const held = await readUpTo(tap, MAX_HELD_OCTETS)
    const { ended } = tap
    const settled = this.#settle(message, joined(held, tap), octets, wanted)
    if (!ended) return settled
    this.#beside(message, settled)
  }

  /** Waits until there is room for one more message. */
  async #room(): Promise<void> {
    while (this.#running.size >= this.#facts.concurrency) await Promise.race(this.#running)
  }

  /** Lets a message be under way beside others. */
  #beside(message: Listed, settled: Promise<void>): void {
    const task = settled.catch((error: unknown) => this.#failed(message, error)).finally(() => this.#running.delete(task))
    this.#running.add(task)
  }

  /** Hands a message over and counts what became of it. */
  async #settle(message: Listed, source: AsyncIterable<Uint8Array>, octets: number, wanted: (header: Header) => boolean): Promise<void> {
    const outcome = await this.#handOver.message(message, source, octets, wanted)
    if (outcome === 'left') return
    if (this.#facts.spool === undefined) this.#counts.received += 1
    if (outcome === 'failed') this.#counts.failed += 1
    else this.#done(message, outcome === 'empty', false)
  }

  /** Nothing is left to do but to delete it, perhaps. */
  #done(message: Listed, isEmpty: boolean, known: boolean): void {
    const { deleteFromServer, deleteEmpty } = this.#facts.operation
    if (isEmpty) this.#skip(message, 'no document', known)
    if (deleteFromServer && (!isEmpty || deleteEmpty)) this.#ready.push(message)
  }

  /** All that this disposition asks for was accepted in an earlier run (D6, D7, D12). */
  #isDone(message: Listed, entry: Entry): boolean {
    const { disposition } = this.#facts.operation
    const kind = KINDS[disposition]
    const kinds = disposition === 'message' ? kind : kind | KINDS.all
    if ((entry.kinds & kinds) === 0) return false
    this.#done(message, (entry.empty & kind) !== 0, true)
    return true
  }

  /** Looks at a header section: is this the message that the ledger knows, is it from the right sender, and is there anything left to do? */
  #isWanted(message: Listed, header: Header, isBack: boolean): boolean {
    const { ledger, operation, logger } = this.#facts
    const { key, uniqueId } = message
    if (isBack) {
      const known = ledger.book.entries.get(key)?.fingerprint ?? 0
      if (known !== 0 && known === fingerprint(header)) {
        logger.info(safeFields({ uniqueId }), 'a message that was gone is there again')
        ledger.note(['message', key, { gonePoll: 0, goneDay: 0 }])
      } else {
        logger.warn(safeFields({ uniqueId }), 'the server uses a unique-id again for another message')
        ledger.note(['forget', key])
      }
    }
    if (operation.fromAddress !== undefined && !isFrom(header, operation.fromAddress)) {
      ledger.note(['message', key, { filter: this.#filter }])
      this.#skip(message, 'from another sender')
      return false
    }
    const entry = ledger.book.entries.get(key)
    if (entry === undefined || !this.#isDone(message, entry)) return true
    if (entry.stored > 0) ledger.note(['message', key, { stored: 0 }])
    return false
  }

  /** Everything that lies in the spool, from this run or an earlier one; no connection is needed. */
  async #fromSpool(spool: Spool): Promise<void> {
    const { ledger, stop } = this.#facts
    for (const [key, { stored, filter }] of ledger.book.entries) {
      if (stored === 0 || (this.#filter !== 0 && filter === this.#filter)) continue
      await this.#room()
      if (stop.ending.aborted) break
      const message = { ...parseKey(key), key, number: 0 }
      this.#beside(message, this.#spooled(spool, message, stored - 1))
    }
    await Promise.all(this.#running)
  }

  async #spooled(spool: Spool, message: Listed, octets: number): Promise<void> {
    const { ledger } = this.#facts
    if ((await spool.size(message.key)) !== octets) {
      await ledger.commit(['message', message.key, { stored: 0 }])
      throw new MailError('ERR_CONTENT', 'a message is missing from the spool or has another size; it is retrieved again', { phase: 'document' })
    }
    await this.#settle(message, spool.open(message.key), octets, (header) => this.#isWanted(message, header, false))
    if (ledger.book.entries.get(message.key)?.stored === 0) await spool.remove(message.key)
  }

  /** What was done after the first session is deleted in one more. When that cannot be had, the next run deletes it. */
  async #deleteLater(): Promise<void> {
    const { ledger, logger } = this.#facts
    const keys = new Set(this.#ready.splice(0).map(({ key }) => key))
    try {
      await this.#session(async (maildrop, messages) => {
        for (const message of messages) {
          if (keys.has(message.key) && ledger.book.entries.get(message.key)?.gonePoll === 0) await maildrop.delete(message)
        }
      })
    } catch (error) {
      if (isFatal(error)) throw error
      logger.warn(errorFields(error), 'no connection to delete what was accepted; the next run does')
    }
  }

  #skip(message: Listed, reason: string, known = false): void {
    this.#counts.skipped += 1
    this.#facts.logger[known ? 'debug' : 'info'](safeFields({ uniqueId: message.uniqueId, reason }), 'message skipped')
  }

  #failed(message: Listed, error: unknown): void {
    this.#counts.failed += 1
    if (isFatal(error)) this.#facts.stop.end(error)
    this.#facts.logger.error(safeFields({ uniqueId: message.uniqueId }, error), 'message not done; it comes again with the next run')
  }
}

/** With more than one at a time, a message up to this size waits in memory for its handler; a larger one is streamed. */
const MAX_HELD_OCTETS = 1024 * 1024

/** The state directory failed: without it nothing may be deleted or handed over (P23). */
const isFatal = (error: unknown): boolean => error instanceof MailError && error.phase === 'state'
