import { MailError } from '../errors.ts'
import type { Header } from '../mime/index.ts'
import type { Pop3Client, UniqueIdListing } from '../pop3/index.ts'
import { copiesLeft, reconcile, type Listed } from './book.ts'
import type { Ledger } from './ledger.ts'
import { safeFields, type Logger } from './log.ts'
import { peekHeader, Tap } from './source.ts'

/** One connection to the server, and what the ledger knows about the messages there. What the server merely refuses is logged. */
export function createMaildrop(client: Pop3Client, ledger: Ledger, logger: Logger) {
  const { book } = ledger
  /** Messages that QUIT will delete. */ const deleted: Listed[] = []
  let topRefused = false
  let sizes: Map<number, number> | undefined

  async function list(): Promise<readonly Listed[]> {
    const { count } = await client.stat()
    const listing: UniqueIdListing[] = []
    try {
      for await (const entry of client.uniqueIds()) listing.push(entry)
    } catch (error) {
      if (!(error instanceof MailError) || (error.code !== 'ERR_POP3_REPLY' && error.code !== 'ERR_UNSUPPORTED')) throw error
      const message = 'the server gives no unique-ids (UIDL), so what was accepted could not be remembered'
      throw new MailError('ERR_UNIQUE_ID', message, { phase: 'uidl', cause: error })
    }
    if (count !== listing.length) logger.warn({ stat: count, uidl: listing.length }, 'STAT and UIDL count differently; UIDL is believed')
    const { messages, records, doubtful } = reconcile(listing, book, Math.floor(Date.now() / 86_400_000))
    for (const uniqueId of doubtful)
      logger.warn(safeFields({ uniqueId }), 'messages with the same unique-id cannot be told apart any more; they come again')
    for (const record of records) ledger.note(record)
    await ledger.commit()
    return messages
  }

  /** The header section without the rest, or `undefined` when the server does not give it. */
  async function headerOf(number: number): Promise<Header | undefined> {
    if (topRefused) return undefined
    try {
      const tap = new Tap(client.top(number, 0))
      const { header } = await peekHeader(tap)
      await tap.drain()
      return header
    } catch (error) {
      refused(error, 'TOP was refused; whole messages are retrieved to see who sent them')
      topRefused = true
      return undefined
    }
  }

  /** By LIST, which is asked once, when the first message is about to be retrieved. A server that refuses it gives no sizes. */
  async function octetsOf(number: number): Promise<number> {
    if (sizes === undefined) {
      sizes = new Map()
      try {
        for await (const { number: listed, octets } of client.list()) sizes.set(listed, octets)
      } catch (error) {
        refused(error, 'LIST was refused; sizes are not known')
      }
    }
    return sizes.get(number) ?? 0
  }

  /** Only what DELE was told +OK for is deleted (P11); the next run asks again. */
  async function remove(message: Listed): Promise<void> {
    try {
      await client.delete(message.number)
      deleted.push(message)
    } catch (error) {
      refused(error, 'DELE was refused; the message stays', message.uniqueId)
    }
  }

  /** What QUIT will delete is on disk before it is sent, because its reply may be lost (D8). */
  async function quit(): Promise<boolean> {
    for (const { key } of deleted) ledger.note(['message', key, { gonePoll: book.polls, goneDay: book.day }])
    await ledger.commit()
    const { confirmed } = await client.quit()
    const gone = new Set(confirmed ? deleted.map((message) => message.uniqueId) : [])
    for (const uniqueId of gone) if (book.copies.has(uniqueId)) ledger.note(['copies', uniqueId, copiesLeft(book, uniqueId)])
    if (!confirmed && deleted.length > 0) logger.warn({ messages: deleted.length }, 'QUIT was not confirmed; the next run sees what was deleted')
    return confirmed
  }

  /** Goes on without what was asked for, unless the connection is lost. */
  function refused(error: unknown, message: string, uniqueId?: string): void {
    if (!(error instanceof MailError) || !error.reusable) throw error
    logger.warn(safeFields({ uniqueId }, error), message)
  }

  return { client, deleted, list, headerOf, octetsOf, delete: remove, quit }
}

export type Maildrop = ReturnType<typeof createMaildrop>
