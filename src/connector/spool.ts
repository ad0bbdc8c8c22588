import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Ledger } from './ledger.ts'
import { failState, replaceFile, stateError, type Files } from './files.ts'
import { mailboxName, type Mailbox } from './mailbox.ts'

/** Whole messages in the state directory, between retrieval and acceptance (`handOver: 'spool'`). A file under its name is complete and durable. */
export class Spool {
  readonly #files: Files
  readonly #folder: string

  private constructor(files: Files, folder: string) {
    this.#files = files
    this.#folder = folder
  }

  /** Takes away what the ledger knows nothing about: the rests of a run that died (D1, D2). */
  static async open(files: Files, stateDirectory: string, mailbox: Mailbox, { book }: Ledger): Promise<Spool> {
    const folder = join(stateDirectory, `${mailboxName(mailbox)}.spool`)
    try {
      await files.makeFolder(folder)
      const known = new Set([...book.entries].flatMap(([key, { stored }]) => (stored > 0 ? [fileName(key)] : [])))
      for (const name of await files.names(folder)) if (!known.has(name)) await files.remove(join(folder, name))
    } catch (error) {
      throw stateError('use the spool', folder, error)
    }
    return new Spool(files, folder)
  }

  /** Resolves with the octets, once they are durable. A `MailError` of the source comes through as it is; anything else is `ERR_STATE`. */
  store(key: string, source: AsyncIterable<Uint8Array>): Promise<number> {
    return replaceFile(this.#files, this.#path(key), source).catch(failState('write to the spool', this.#folder))
  }

  /** In octets, or `null` when the message is not there. */
  size(key: string): Promise<number | null> {
    return this.#files.size(this.#path(key)).catch(failState('read the spool', this.#folder))
  }

  open(key: string): AsyncIterable<Buffer> {
    return this.#files.stream(this.#path(key))
  }

  /** Never rejects: what is left is swept away by the next run. */
  async remove(key: string): Promise<void> {
    await this.#files.remove(this.#path(key)).catch(() => undefined)
  }

  #path(key: string): string {
    return join(this.#folder, fileName(key))
  }
}

/** Unique-ids are a server's words and never file names (P5). */
const fileName = (key: string): string => `${createHash('sha256').update(key).digest('hex')}.eml`
