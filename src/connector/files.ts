import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, stat, unlink, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { MailError } from '../errors.ts'

/** An open file that only grows. */
export type OutputFile = Pick<FileHandle, 'appendFile' | 'sync' | 'close'>

/** What the connector does with a disk, and nothing else: one seam, so that a test can stand in for a full or a lying disk. */
export type Files = typeof diskFiles

export const diskFiles = {
  /** With its parents; no error when it is there. */ makeFolder,
  names: (folder: string): Promise<string[]> => readdir(folder),
  /** The whole file, or `null` when there is none. */
  read: (path: string): Promise<Buffer | null> => orNull(readFile(path)),
  stream: (path: string): AsyncIterable<Buffer> => createReadStream(path),
  /** In octets, or `null` when there is no such file. */
  size: (path: string): Promise<number | null> => orNull(stat(path).then(({ size }) => size)),
  create: (path: string): Promise<OutputFile> => open(path, 'wx', 0o600),
  append: (path: string): Promise<OutputFile> => open(path, 'a', 0o600),
  rename: (from: string, to: string): Promise<void> => rename(from, to),
  /** No error when it is not there. */
  remove: async (path: string): Promise<void> => void (await orNull(unlink(path))),
  /** Makes names that were given or taken away durable. Does nothing where the system cannot (Windows). */
  async syncFolder(path: string): Promise<void> {
    if (process.platform === 'win32') return
    await using folder = await open(path, 'r')
    await folder.sync()
  },
}

/** One level at a time: where a file system says that a parent which is there is not (/proc does), Node's own `recursive` never ends. */
async function makeFolder(path: string): Promise<void> {
  if (path !== dirname(path) && (await orNull(stat(dirname(path)))) === null) await makeFolder(dirname(path))
  await mkdir(path, { mode: 0o700 }).catch(async (error: unknown) => {
    if (codeOf(error) !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error
  })
}

function orNull<T>(promise: Promise<T>): Promise<T | null> {
  return promise.catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  })
}

/** Puts a whole file in place, or leaves the old one: temporary file, sync, rename, sync of the folder. */
export async function replaceFile(files: Files, path: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<number> {
  const temporary = join(dirname(path), `${basename(path)}.${randomUUID()}${TEMPORARY}`)
  let octets = 0
  const file = await files.create(temporary)
  try {
    try {
      for await (const chunk of chunks) {
        await file.appendFile(chunk)
        octets += chunk.length
      }
      await file.sync()
    } finally {
      await file.close()
    }
    await files.rename(temporary, path)
  } catch (error) {
    await files.remove(temporary).catch(() => undefined)
    throw error
  }
  await files.syncFolder(dirname(path))
  return octets
}

/** The end of the name of a file that is not in place yet. One that is found when nobody works here was left by a process that died. */
export const TEMPORARY = '.tmp'

/** One account on one server. What is known about it is kept under its name. */
export type Mailbox = { readonly host: string; readonly port: number; readonly user: string }

/** A file name for what is kept about a mailbox: the same for the same host, port and user, and free of whatever those contain. The two ports of
 *  POP3 are two doors to one maildrop, so that a change between STLS and TLS from the start forgets nothing. Any other port may lead to another
 *  server (a tunnel, a container): taking two maildrops for one would delete messages that nobody has seen. */
export function mailboxName({ host, port, user }: Mailbox): string {
  const hash = createHash('sha256').update(JSON.stringify([host.toLowerCase(), port === 110 ? 995 : port, user]))
  return hash.digest('hex').slice(0, 32)
}

/** Work on the disk, whose complaint becomes the error that stops the run: what could not be done, where, and what helps. */
export async function onDisk<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof MailError) throw error
    const code = codeOf(error) ?? 'unknown error'
    const message = `cannot ${action} ${path} (${code}): ${ADVICE[code] ?? 'see to the disk, or name another state directory'}`
    throw new MailError('ERR_STATE', message, { phase: 'state', cause: error })
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  EACCES: 'give this user write permission there, or name another state directory',
  EPERM: 'give this user write permission there, or name another state directory',
  EROFS: 'the file system is read-only; name another state directory',
  ENOSPC: 'the disk is full; make room, then run again',
  EDQUOT: 'the disk quota is used up; make room, then run again',
  ENOENT: 'it cannot be made there; name another state directory',
  ENOTDIR: 'a part of this path is a file; name another state directory',
  EEXIST: 'a file is in the way; name another state directory',
  EIO: 'the disk failed; see to it before the next run',
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
