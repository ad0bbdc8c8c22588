import { MailError } from '../errors.ts'
import type { Header } from '../mime/index.ts'
import type { Pop3Client, Retrieval } from '../pop3/index.ts'
import { parseKey, type Listed } from './book.ts'
import { filterHash, fingerprint, isFrom, KINDS, type DocumentHandler } from './document.ts'
import type { Mailbox } from './files.ts'
import { handOver } from './hand-over.ts'
import type { Ledger, Spool } from './ledger.ts'
import { errorFields, safeFields, type Logger } from './log.ts'
import { createMaildrop, type Maildrop } from './maildrop.ts'
import type { CheckedGet } from './operation.ts'
import { holdUpTo, Tap } from './source.ts'
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
  readonly handler: DocumentHandler
  readonly ledger: Ledger
  /** Where messages wait with `handOver: 'spool'`. */ readonly spool: Spool | undefined
  readonly mailbox: Mailbox
  readonly logger: Logger
  readonly concurrency: number
  readonly connect: (signal: AbortSignal) => Promise<Pop3Client>
  readonly stop: Stop
}

/** One run: the maildrop is listed, what is new is retrieved from the oldest on and handed over, and what is done is deleted. The order of
 *  writes is: attempt on disk → handler → acceptance on disk → DELE → QUIT; so a crash at any moment leaves a message on the server or its
 *  acceptance on disk (D1 to D9). Rejects when the maildrop could not be listed or the state directory failed; a connection lost later is in the report. */
export async function runInbox(facts: InboxFacts): Promise<GetReport> {
  const { operation, ledger, spool, logger, concurrency, connect, stop } = facts
  const { fromAddress, disposition, deleteFromServer, deleteEmpty, limit } = operation
  const { book } = ledger
  const counts = { listed: 0, received: 0, documents: 0, skipped: 0, deleted: 0, unconfirmed: 0, failed: 0, quarantined: 0 }
  const filterId = fromAddress === undefined ? 0 : filterHash(fromAddress)
  /** Of the limit of this run. */ const left = { ...limit }
  /** Done, and to be deleted when the connection is free. */ const ready: Listed[] = []
  /** None of them rejects. */ const running = new Set<Promise<void>>()

  async function session(work: (maildrop: Maildrop, messages: readonly Listed[]) => Promise<void>): Promise<void> {
    await using client = await connect(stop.connection)
    const maildrop = createMaildrop(client, ledger, logger)
    let messages: readonly Listed[] | undefined
    try {
      messages = await maildrop.list()
      stop.begin()
      await work(maildrop, messages)
      counts[(await maildrop.quit()) ? 'deleted' : 'unconfirmed'] += maildrop.deleted.length
    } catch (error) {
      await Promise.all(running)
      if (messages === undefined || isFatal(error)) {
        // Nothing more may reach the server, not even a QUIT.
        stop.cut(error)
        throw error
      }
      logger.error(errorFields(error), 'the connection was lost; what was not done comes again with the next run')
      counts.unconfirmed += maildrop.deleted.length
    }
  }

  async function workThrough(maildrop: Maildrop, messages: readonly Listed[]): Promise<void> {
    counts.listed = messages.length
    for (const message of messages) {
      if (stop.ending.aborted) break
      for (const done of ready.splice(0)) await maildrop.delete(done)
      await take(maildrop, message)
    }
    await Promise.all(running)
    for (const done of ready.splice(0)) await maildrop.delete(done)
  }

  async function take(maildrop: Maildrop, message: Listed): Promise<void> {
    const { gonePoll, filter, stored } = book.entry(message.key)
    const isBack = gonePoll > 0
    // What a run without a filter accepted is not yet known to be from the sender whose messages this one deletes.
    if (!isBack && (filterId === 0 || !deleteFromServer) && isDone(message)) return
    if (!isBack && filterId !== 0 && filter === filterId) return skip(message, 'from another sender', true)
    // What waits in the spool comes first; the next run looks whether this is the same message.
    if (stored > 0 && spool !== undefined) return
    if (left.messages === 0) return skip(message, 'over the limit of this run')
    try {
      const header = isBack || filterId !== 0 ? await maildrop.headerOf(message.number) : undefined
      const isJudged = header !== undefined
      if (isJudged && !isWanted(message, header, isBack)) return
      const octets = await maildrop.octetsOf(message.number)
      if (octets > limit.octets) return skip(message, 'larger than the limit of octets')
      // The first that is too much ends it: a later one that would fit does not overtake.
      if (octets > left.octets) left.messages = 0
      if (left.messages === 0) return skip(message, 'over the limit of this run')
      left.messages -= 1
      left.octets -= octets
      // A message in the spool is looked at without its past: without TOP it counts as new, which repeats and loses nothing.
      if (isBack && !isJudged && spool !== undefined) ledger.note(['forget', message.key])
      await retrieve(message, maildrop.client.retrieve(message.number), octets, (first) => isJudged || isWanted(message, first, isBack))
    } catch (error) {
      fail(message, error)
      const isOfContent = error instanceof MailError && (error.reusable || error.phase === 'parse' || error.phase === 'document')
      if (stop.connection.aborted || (error instanceof MailError && !isOfContent)) throw error
    }
  }

  async function retrieve(message: Listed, retrieval: Retrieval, octets: number, wanted: (header: Header) => boolean): Promise<void> {
    if (spool !== undefined) {
      const stored = 1 + (await spool.store(message.key, retrieval.views()))
      await ledger.commit(['message', message.key, { stored }])
      counts.received += 1
      return
    }
    if (concurrency === 1) return settle(message, disposition === 'message' ? retrieval : retrieval.views(), octets, wanted)
    const tap = new Tap(retrieval)
    const content = await holdUpTo(tap, MAX_HELD_OCTETS)
    if (!tap.ended) return settle(message, content, octets, wanted)
    return beside(message, settle(message, content, octets, wanted))
  }

  /** Lets it go on beside the others. Resolves when there is room for one more. */
  async function beside(message: Listed, settled: Promise<void>): Promise<void> {
    const task = settled.catch((error: unknown) => fail(message, error)).finally(() => running.delete(task))
    running.add(task)
    while (running.size >= concurrency) await Promise.race(running)
  }

  async function settle(message: Listed, source: AsyncIterable<Uint8Array>, octets: number, wanted: (header: Header) => boolean): Promise<void> {
    const outcome = await handOver(facts, message, source, octets, wanted, () => (counts.documents += 1))
    if (outcome === 'left') return
    if (spool === undefined) counts.received += 1
    if (outcome === 'failed') counts.failed += 1
    else finish(message, outcome === 'empty', false)
  }

  /** Nothing is left to do but to delete it, perhaps. */
  function finish(message: Listed, isEmpty: boolean, known: boolean): void {
    if (isEmpty) skip(message, 'no document', known)
    if (deleteFromServer && (!isEmpty || deleteEmpty)) ready.push(message)
  }

  /** All that this disposition asks for was accepted in an earlier run (D6, D7, D12). */
  function isDone(message: Listed): boolean {
    const { kinds, empty } = book.entry(message.key)
    const kind = KINDS[disposition]
    if ((kinds & (disposition === 'message' ? kind : kind | KINDS.all)) === 0) return false
    finish(message, (empty & kind) !== 0, true)
    return true
  }

  /** Looks at a header section: is this the message that the ledger knows, is it from the right sender, and is there anything left to do? */
  function isWanted(message: Listed, header: Header, isBack: boolean): boolean {
    const { key, uniqueId } = message
    if (isBack) {
      if (book.entry(key).fingerprint === fingerprint(header)) {
        logger.info(safeFields({ uniqueId }), 'a message that was gone is there again')
        ledger.note(['message', key, { gonePoll: 0, goneDay: 0 }])
      } else {
        logger.warn(safeFields({ uniqueId }), 'the server uses a unique-id again for another message')
        ledger.note(['forget', key])
      }
    }
    if (fromAddress !== undefined && !isFrom(header, fromAddress)) {
      ledger.note(['message', key, { filter: filterId }])
      skip(message, 'from another sender')
      return false
    }
    if (!isDone(message)) return true
    if (book.entry(key).stored > 0) ledger.note(['message', key, { stored: 0 }])
    return false
  }

  /** Everything that lies in the spool, from this run or an earlier one; no connection is needed. */
  async function fromSpool(store: Spool): Promise<void> {
    for (const [key, { stored, filter }] of book.entries) {
      if (stop.ending.aborted) break
      if (stored === 0 || (filterId !== 0 && filter === filterId)) continue
      const message = { ...parseKey(key), key, number: 0 }
      await beside(message, spooled(store, message, stored - 1))
    }
    await Promise.all(running)
  }

  async function spooled(store: Spool, message: Listed, octets: number): Promise<void> {
    if ((await store.size(message.key)) !== octets) {
      await ledger.commit(['message', message.key, { stored: 0 }])
      throw new MailError('ERR_CONTENT', 'a message is missing from the spool or has another size; it is retrieved again', { phase: 'document' })
    }
    await settle(message, store.open(message.key), octets, (header) => isWanted(message, header, false))
    if (book.entry(message.key).stored === 0) await store.remove(message.key)
  }

  /** What was done after the first session is deleted in one more. When that cannot be had, the next run deletes it. */
  async function deleteLater(): Promise<void> {
    const keys = new Set(ready.splice(0).map(({ key }) => key))
    try {
      await session(async (maildrop, messages) => {
        for (const message of messages) {
          if (keys.has(message.key) && book.entries.get(message.key)?.gonePoll === 0) await maildrop.delete(message)
        }
      })
    } catch (error) {
      if (isFatal(error)) throw error
      logger.warn(errorFields(error), 'no connection to delete what was accepted; the next run does')
    }
  }

  function skip(message: Listed, reason: string, known = false): void {
    counts.skipped += 1
    logger[known ? 'debug' : 'info'](safeFields({ uniqueId: message.uniqueId, reason }), 'message skipped')
  }

  function fail(message: Listed, error: unknown): void {
    counts.failed += 1
    if (isFatal(error)) stop.end(error)
    logger.error(safeFields({ uniqueId: message.uniqueId }, error), 'message not done; it comes again with the next run')
  }

  await session(workThrough)
  if (spool !== undefined) {
    await fromSpool(spool)
    if (ready.length > 0 && !stop.ending.aborted) await deleteLater()
  }
  if (isFatal(stop.ending.reason)) throw stop.ending.reason
  return { ...counts }
}

/** With more than one at a time, a message up to this size waits in memory for its handler; a larger one is streamed. */
const MAX_HELD_OCTETS = 1024 * 1024

/** The state directory failed: without it nothing may be deleted or handed over (P23). */
const isFatal = (error: unknown): boolean => error instanceof MailError && error.phase === 'state'
