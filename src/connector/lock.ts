import { createHash, randomUUID } from 'node:crypto'
import { readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { printable } from '../bytes.ts'
import { MailError } from '../errors.ts'
import { diskFiles, mailboxName, onDisk, type Mailbox } from './files.ts'

/** Takes the lock of a mailbox, or rejects with `ERR_STATE_LOCKED` when another process, thread or call has it (P18). It dies with its holder;
 *  disposing of it gives it back and never rejects.
 *
 *  Each claim is a file of its own whose name says who made it, and is made before the others are looked at: of two claims at least the
 *  later sees the earlier, and no file is ever taken over, so there is no moment in which two can hold it. A claim counts as dead when no
 *  process has that number and that start time; one of another machine or container, whose processes cannot be seen, when its file was not
 *  touched for 90 seconds. */
export async function lockMailbox(folder: string | undefined, mailbox: Mailbox): Promise<AsyncDisposable> {
  const name = mailboxName(mailbox)
  if (held.has(name)) throw lockedError(mailbox, `a get that is under way in this process (${process.pid})`)
  held.add(name)
  const claim = folder === undefined ? undefined : claimFile(folder, name, mailbox)
  await claim?.catch(() => held.delete(name))
  const path = await claim
  // Tells others that its holder lives. A write has the time of the file system's clock, whatever ours says.
  const touch = (): unknown => path !== undefined && writeFile(path, '.', { flag: 'r+' }).catch(() => undefined)
  const beat = setInterval(touch, BEAT_MS).unref()
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(beat)
      if (path !== undefined) await remove(path)
      held.delete(name)
    },
  }
}

const held = new Set<string>()

/** The path of a claim that nobody contests. */
async function claimFile(folder: string, name: string, mailbox: Mailbox): Promise<string> {
  await onDisk('write to the state directory', folder, () => diskFiles.makeFolder(folder))
  const here = await machine()
  for (let attempt = 1; ; attempt += 1) {
    const mine = `${name}.${process.pid}-${(await startOf(process.pid)) ?? '0'}-${here}-${randomUUID().slice(0, 8)}.lock`
    const path = join(folder, mine)
    const claim = onDisk('take the lock in', folder, async () => {
      await writeFile(path, '.', { flag: 'wx', mode: 0o600 })
      return otherHolder(folder, name, mine, here)
    })
    await claim.catch(() => remove(path))
    const other = await claim
    if (other === undefined) return path
    await remove(path)
    // Two that began at the same moment may both have stepped back: one of them comes first the next time.
    if (attempt === ATTEMPTS) throw lockedError(mailbox, other)
    await pause(5 + Math.random() * 40)
  }
}

/** Somebody alive who has a claim too. The claims of the dead are swept away. */
async function otherHolder(folder: string, name: string, mine: string, here: string): Promise<string | undefined> {
  for (const entry of await readdir(folder)) {
    if (!entry.startsWith(`${name}.`) || entry === mine) continue
    const [, pid, start, where] = /^(\d{1,10})-(\d{1,20})-([0-9a-f]{12})-[0-9a-f]{8}\.lock$/.exec(entry.slice(name.length + 1)) ?? []
    if (pid === undefined || start === undefined) continue
    const isHere = where === here
    const isTold = isHere && start !== '0'
    const isAlive = isTold ? (await startOf(Number(pid))) === start : (!isHere || exists(Number(pid))) && (await isTouched(folder, entry, mine))
    if (isAlive) return `process ${pid}${isHere ? '' : ' of another machine or container'}`
    await remove(join(folder, entry))
  }
  return undefined
}

/** Both times come from the clock of the file system, so that clocks that differ do no harm. */
async function isTouched(folder: string, entry: string, mine: string): Promise<boolean> {
  const [theirs, ours] = await Promise.all([stat(join(folder, entry)).catch(() => undefined), stat(join(folder, mine))])
  return theirs !== undefined && ours.mtimeMs - theirs.mtimeMs < SILENCE_MS
}

const remove = (path: string): Promise<void> => diskFiles.remove(path).catch(() => undefined)

const ATTEMPTS = 4
const BEAT_MS = 20_000
const SILENCE_MS = 90_000

/** The start time of a running process, in ticks since the machine started; `undefined` when there is none, when it is dead but not yet reaped, or when the system does not tell. */
async function startOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  // The name of the program stands in parentheses and may contain anything (proc(5)).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** A process number means something only within one start of one system and one set of process numbers. */
async function machine(): Promise<string> {
  const other = `${process.platform} ${hostname()}`
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'latin1').catch(() => other)
  const processes = await readlink('/proc/self/ns/pid').catch(() => other)
  return createHash('sha256').update(boot).update(processes).digest('hex').slice(0, 12)
}

function lockedError({ host, port, user }: Mailbox, holder: string): MailError {
  const message = `the mailbox ${printable(`${user}@${host}:${port}`)} is polled by ${holder}: wait until that run has ended`
  return new MailError('ERR_STATE_LOCKED', message, { phase: 'state', transient: true })
}
