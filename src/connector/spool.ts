import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { failState, mailboxName, replaceFile, stateError, type Files, type Mailbox } from './files.ts'
import type { Ledger } from './ledger.ts'

/** Whole messages in the state directory, between retrieval and acceptance (`handOver: 'spool'`). A file under its name is complete and durable. */
export type Spool = Awaited<ReturnType<typeof openSpool>>

/** Takes away what the ledger knows nothing about: the rests of a run that died (D1, D2). */
export async function openSpool(files: Files, stateDirectory: string, mailbox: Mailbox, { book }: Ledger) {
  const folder = join(stateDirectory, `${mailboxName(mailbox)}.spool`)
  const pathOf = (key: string): string => join(folder, fileName(key))
  try {
    await files.makeFolder(folder)
    const known = new Set([...book.entries].flatMap(([key, { stored }]) => (stored > 0 ? [fileName(key)] : [])))
    for (const name of await files.names(folder)) if (!known.has(name)) await files.remove(join(folder, name))
  } catch (error) {
    throw stateError('use the spool', folder, error)
  }
  return {
    /** Resolves with the octets, once they are durable. A `MailError` of the source comes through as it is; anything else is `ERR_STATE`. */
    store: (key: string, source: AsyncIterable<Uint8Array>): Promise<number> =>
      replaceFile(files, pathOf(key), source).catch(failState('write to the spool', folder)),
    /** In octets, or `null` when the message is not there. */
    size: (key: string): Promise<number | null> => files.size(pathOf(key)).catch(failState('read the spool', folder)),
    open: (key: string): AsyncIterable<Buffer> => files.stream(pathOf(key)),
    /** Never rejects: what is left is swept away by the next run. */
    remove: (key: string): Promise<void> => files.remove(pathOf(key)).catch(() => undefined),
  }
}

/** Unique-ids are a server's words and never file names (P5). */
const fileName = (key: string): string => `${createHash('sha256').update(key).digest('hex')}.eml`
