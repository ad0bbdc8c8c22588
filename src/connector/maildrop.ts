import { MailError } from '../errors.ts'
import type { Header } from '../mime/index.ts'
import type { Pop3Client } from '../pop3/index.ts'
import { copiesLeft, reconcile, type Listed } from './book.ts'
import type { Ledger } from './ledger.ts'
import { safeFields, type Logger } from './log.ts'
import { peekHeader, Tap } from './source.ts'

/** One connection to the server, and what the ledger knows about the messages there. What the server merely refuses is logged. */
export class Maildrop {
  readonly client: Pop3Client
  readonly #ledger: Ledger
  readonly #logger: Logger
  /** Messages that QUIT will delete. */ readonly deleted: Listed[] = []
  #topRefused = false
  #sizes: Map<number, number> | undefined

  constructor(client: Pop3Client, ledger: Ledger, logger: Logger) {
    this.client = client
    this.#ledger = ledger
    this.#logger = logger
  }

  async list(): Promise<readonly Listed[]> {
    const { count } = await this.client.stat()
    const listing: { number: number; uniqueId: string }[] = []
    try {
      for await (const entry of this.client.uniqueIds()) listing.push(entry)
    } catch (error) {
      if (!(error instanceof MailError) || (error.code !== 'ERR_POP3_REPLY' && error.code !== 'ERR_UNSUPPORTED')) throw error
      const message = 'the server gives no unique-ids (UIDL), so what was accepted could not be remembered'
      throw new MailError('ERR_UNIQUE_ID', message, { phase: 'uidl', cause: error })
    }
    if (count !== listing.length) this.#logger.warn({ stat: count, uidl: listing.length }, 'STAT and UIDL count differently; UIDL is believed')
    const { messages, records, doubtful } = reconcile(listing, this.#ledger.book, Math.floor(Date.now() / 86_400_000))
    for (const uniqueId of doubtful)
      this.#logger.warn(safeFields({ uniqueId }), 'messages with the same unique-id cannot be told apart any more; they come again')
    for (const record of records) this.#ledger.note(record)
    await this.#ledger.commit()
    return messages
  }

  /** The header section without the rest, or `undefined` when the server does not give it. */
  async header(number: number): Promise<Header | undefined> {
    if (this.#topRefused) return undefined
    try {
      const tap = new Tap(this.client.top(number, 0))
      const { header } = await peekHeader(tap)
      await tap.drain()
      return header
    } catch (error) {
      this.#refused(error, 'TOP was refused; whole messages are retrieved to see who sent them')
      this.#topRefused = true
      return undefined
    }
  }

  /** By LIST, which is asked once, when the first message is about to be retrieved. A server that refuses it gives no sizes. */
  async octets(number: number): Promise<number> {
    if (this.#sizes === undefined) {
      this.#sizes = new Map()
      try {
        for await (const { number: listed, octets } of this.client.list()) this.#sizes.set(listed, octets)
      } catch (error) {
        this.#refused(error, 'LIST was refused; sizes are not known')
      }
    }
    return this.#sizes.get(number) ?? 0
  }

  /** Only what DELE was told +OK for is deleted (P11); the next run asks again. */
  async delete(message: Listed): Promise<void> {
    try {
      await this.client.delete(message.number)
      this.deleted.push(message)
    } catch (error) {
      this.#refused(error, 'DELE was refused; the message stays', message.uniqueId)
    }
  }

  /** What QUIT will delete is on disk before it is sent, because its reply may be lost (D8). */
  async quit(): Promise<boolean> {
    const { book } = this.#ledger
    for (const { key } of this.deleted) this.#ledger.note(['message', key, { gonePoll: book.polls, goneDay: book.day }])
    await this.#ledger.commit()
    const { confirmed } = await this.client.quit()
    if (confirmed) {
      for (const uniqueId of new Set(this.deleted.map((message) => message.uniqueId)))
        if (book.copies.has(uniqueId)) this.#ledger.note(['copies', uniqueId, copiesLeft(book, uniqueId)])
    } else if (this.deleted.length > 0) {
      this.#logger.warn({ messages: this.deleted.length }, 'QUIT was not confirmed; the next run sees what was deleted')
    }
    return confirmed
  }

  /** Goes on without what was asked for, unless the connection is lost. */
  #refused(error: unknown, message: string, uniqueId?: string): void {
    if (!(error instanceof MailError) || !error.reusable) throw error
    this.#logger.warn(safeFields({ uniqueId }, error), message)
  }
}
