import { createHash, randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, link, lstat, mkdir, open, opendir, rename, stat, unlink, type FileHandle } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { printable } from '../bytes.ts'
import { CommandError } from './failure.ts'
import { errorCode, fileTrouble } from './file-trouble.ts'

/** What the folder's messages say in the words of who writes to it. */
export interface FolderWords {
  /** The option that names the folder. */
  readonly option: string
  /** What a file that could not be written means. */
  readonly consequence?: string
}

export interface WrittenFile {
  /** In the folder. */
  readonly name: string
  /** Octets. */
  readonly size: number
  /** In hexadecimal digits. */
  readonly sha256: string
}

/** Names that are remembered so that twins (`A.txt` and `a.txt`) are told apart on every file system; past it only exact names are. */
const MAX_NAMES = 100_000
const MAX_NAME_OCTETS = 200
/** A temporary file of another machine that was not written to for so long has no writer. */
const ABANDONED_MS = 24 * 60 * 60 * 1000
/** `.wirepost-<machine>-<process>-<random>.part` */
const TEMPORARY = /^\.wirepost-([0-9a-f]{8})-([0-9]{1,10})-[0-9a-f]{32}\.part$/

/**
 * A folder that takes each document whole or not at all, also when the machine stops in between: a temporary file is written, synced and given its
 * name only then, never one that exists already, and the folder is synced before `write` settles.
 */
export class OutputFolder {
  readonly path: string
  /** Case and composition of characters taken out: what some file systems hold for the same. */
  readonly #taken = new Set<string>()
  /** The number to try next for a name that was taken before. */
  readonly #next = new Map<string, number>()
  readonly #machine = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)

  readonly #words: FolderWords

  private constructor(path: string, words: FolderWords) {
    this.path = path
    this.#words = words
  }

  /** Creates the folder where it is missing, and takes out what a crash of ours left in it. Throws `CommandError` when it cannot be written to. */
  static async open(path: string, words: FolderWords): Promise<OutputFolder> {
    const folder = new OutputFolder(resolve(path), words)
    try {
      await createFolder(folder.path)
      if (!(await stat(folder.path)).isDirectory()) throw new CommandError(`${printable(path)} is not a folder; name one with ${words.option}`)
      await access(folder.path, constants.W_OK | constants.X_OK)
      await folder.#sweep()
    } catch (error) {
      if (error instanceof CommandError) throw error
      throw new CommandError(`cannot write to the folder ${printable(path)}: ${fileTrouble(error)}; name another with ${words.option}`)
    }
    return folder
  }

  /** Writes content under `name`, or under one made from it. Rejects with what `content` throws, or with a `CommandError` of status 1. */
  async write(name: string, content: AsyncIterable<Uint8Array>, onOctets?: (octets: number) => void): Promise<WrittenFile> {
    const temporary = join(this.path, `.wirepost-${this.#machine}-${process.pid}-${randomBytes(16).toString('hex')}.part`)
    const handle = await this.#own(name, open(temporary, 'wx', 0o666))
    const hash = createHash('sha256')
    let size = 0
    let open_ = true
    try {
      for await (const chunk of content) {
        hash.update(chunk)
        await this.#own(name, writeWhole(handle, chunk))
        size += chunk.length
        onOctets?.(chunk.length)
      }
      await this.#own(name, handle.sync())
      open_ = false
      await this.#own(name, handle.close())
      const given = await this.#own(name, this.#giveName(temporary, name))
      await this.#own(name, syncFolder(this.path))
      return { name: given, size, sha256: hash.digest('hex') }
    } catch (error) {
      if (open_) await handle.close().catch(() => undefined)
      await unlink(temporary).catch(() => undefined)
      throw error
    }
  }

  /** Takes back what `write` has written. */
  async remove({ name }: WrittenFile): Promise<void> {
    await unlink(join(this.path, name)).catch(() => undefined)
  }

  async #own<T>(name: string, work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      const { consequence } = this.#words
      const message = `cannot write ${printable(name, 100)} to ${printable(this.path)}: ${fileTrouble(error)}`
      throw new CommandError(consequence === undefined ? message : `${message}; ${consequence}`, 1)
    }
  }

  async #giveName(temporary: string, name: string): Promise<string> {
    const wanted = plainName(name)
    const key = folded(wanted)
    for (let number = this.#next.get(key) ?? 1; ; number++) {
      const candidate = numbered(wanted, number)
      if (this.#taken.has(folded(candidate))) continue
      const given = await claim(temporary, join(this.path, candidate))
      if (this.#taken.size < MAX_NAMES) {
        this.#taken.add(folded(candidate))
        this.#next.set(key, number + 1)
      }
      if (given) return candidate
    }
  }

  /** Learns the names that are taken, and removes temporary files whose writer is no more. */
  async #sweep(): Promise<void> {
    for await (const entry of await opendir(this.path)) {
      const match = TEMPORARY.exec(entry.name)
      if (match === null) {
        if (this.#taken.size < MAX_NAMES) this.#taken.add(folded(entry.name))
        continue
      }
      const path = join(this.path, entry.name)
      // Somebody else may take it away at the same time.
      const facts = await lstat(path).catch(() => undefined)
      if (facts?.isFile() !== true) continue
      const here = match[1] === this.#machine
      // A process id that is ours again belonged to a process before us (in a container it is always 1): this one has written nothing yet.
      const dead = here && !isAlive(Number(match[2]))
      if (dead || Date.now() - facts.mtimeMs > ABANDONED_MS) await unlink(path).catch(() => undefined)
    }
  }
}

/** With those above it. Node's own `recursive` never ends where a file system answers ENOENT to everything (/proc). */
async function createFolder(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return
    const above = dirname(path)
    if (errorCode(error) !== 'ENOENT' || above === path || (await lstat(above).catch(() => undefined)) !== undefined) throw error
    await createFolder(above)
    return createFolder(path)
  }
  // A new folder is as durable as its entry in the one above.
  await syncFolder(dirname(path)).catch(() => undefined)
}

/** Windows cannot sync a folder; there the file system's own journal must do. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function writeWhole(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length;) at += (await handle.write(chunk, at)).bytesWritten
}

/** Gives the file its name, unless something has that name already. */
async function claim(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path)
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    if (!NO_LINKS.has(errorCode(error))) throw error
    return await reserve(temporary, path)
  }
  await unlink(temporary)
  return true
}

/** File systems without hard links (FAT, some network shares): an empty file holds the name until the whole one takes its place. */
async function reserve(temporary: string, path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx')).close()
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    throw error
  }
  await rename(temporary, path)
  return true
}

const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EINVAL', 'ERR_ACCESS_DENIED'])

/** The connector's names are fit for a file system already; here nothing can leave the folder or pass for a file of ours, whoever made the name. */
function plainName(name: string): string {
  const plain = cut(name.replace(/[/\\\0]/g, '_'), MAX_NAME_OCTETS)
  if (plain === '' || plain === '.' || plain === '..' || /^\.wirepost/i.test(plain)) return `_${cut(plain, MAX_NAME_OCTETS - 1)}`
  return plain
}

/** `invoice.edi`, `invoice-2.edi`, `invoice-3.edi`, within 200 octets. */
function numbered(name: string, number: number): string {
  if (number === 1) return name
  const dot = name.lastIndexOf('.')
  const cutAt = dot > 0 && name.length - dot <= 20 ? dot : name.length
  const tail = `-${number}${name.slice(cutAt)}`
  return cut(name.slice(0, cutAt), MAX_NAME_OCTETS - Buffer.byteLength(tail)) + tail
}

function cut(text: string, octets: number): string {
  if (Buffer.byteLength(text) <= octets) return text
  let out = ''
  let used = 0
  for (const character of text) {
    used += Buffer.byteLength(character)
    if (used > octets) break
    out += character
  }
  return out
}

function folded(name: string): string {
  return name.normalize('NFC').toLowerCase()
}

function isAlive(pid: number): boolean {
  if (pid === process.pid || pid === 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) !== 'ESRCH'
  }
}
