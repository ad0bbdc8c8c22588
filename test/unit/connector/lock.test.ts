import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { lockMailbox } from '../../../src/connector/lock.ts'
import { mailboxName } from '../../../src/connector/files.ts'
import { temporaryFolder } from './support.ts'

const MAILBOX = { host: 'mail.example', port: 995, user: 'u' }

test('one at a time in one process, and free again after release', async () => {
  const folder = await temporaryFolder()
  const lock = await lockMailbox(folder, MAILBOX)
  await expect(lockMailbox(folder, MAILBOX)).rejects.toMatchObject({ code: 'ERR_STATE_LOCKED', transient: true })
  await expect(lockMailbox(undefined, MAILBOX)).rejects.toMatchObject({ code: 'ERR_STATE_LOCKED' })
  const other = await lockMailbox(folder, { ...MAILBOX, user: 'other' })
  await other[Symbol.asyncDispose]()
  await lock[Symbol.asyncDispose]()
  expect(await readdir(folder)).toEqual([])
  await (await lockMailbox(folder, MAILBOX))[Symbol.asyncDispose]()
})

test('the two ports of POP3 lead to one mailbox; any other may lead to another', () => {
  expect(mailboxName({ ...MAILBOX, port: 110 })).toBe(mailboxName(MAILBOX))
  expect(mailboxName({ ...MAILBOX, port: 1995 })).not.toBe(mailboxName(MAILBOX))
})

test('a process that was killed leaves no lock; one that lives is named', async () => {
  const folder = await temporaryFolder()
  const module = new URL('../../../dist/connector/lock.js', import.meta.url)
  const code = `import { lockMailbox } from '${module.href}'
    await lockMailbox(process.argv[1], ${JSON.stringify(MAILBOX)})
    console.log('held')
    setInterval(() => undefined, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  await expect(lockMailbox(folder, MAILBOX)).rejects.toMatchObject({ message: expect.stringContaining(`process ${child.pid}`) })
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(await readdir(folder)).toHaveLength(1)
  const lock = await lockMailbox(folder, MAILBOX)
  expect(await readdir(folder)).toHaveLength(1)
  await lock[Symbol.asyncDispose]()
})

test('a process number that is in use again does not keep a lock', async () => {
  const folder = await temporaryFolder()
  const lock = await lockMailbox(folder, MAILBOX)
  const [name = ''] = await readdir(folder)
  await lock[Symbol.asyncDispose]()
  await writeFile(join(folder, name.replace(/^(\w+\.\d+-)\d+/, '$11')), '')
  await (await lockMailbox(folder, MAILBOX))[Symbol.asyncDispose]()
})

test('a claim of another machine holds as long as it is touched', async () => {
  const folder = await temporaryFolder()
  const path = join(folder, `${mailboxName(MAILBOX)}.4711-99-0123456789ab-00000000.lock`)
  await writeFile(path, '')
  await expect(lockMailbox(folder, MAILBOX)).rejects.toMatchObject({ message: expect.stringContaining('another machine') })
  const past = new Date(Date.now() - 120_000)
  await utimes(path, past, past)
  await (await lockMailbox(folder, MAILBOX))[Symbol.asyncDispose]()
})

test('a claim is touched by the clock of the file system, also where ours is wrong', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'], now: 0 })
  onTestFinished(() => void vi.useRealTimers())
  const folder = await temporaryFolder()
  await using _lock = await lockMailbox(folder, MAILBOX)
  const path = join(folder, (await readdir(folder))[0] ?? '')
  const made = (await stat(path)).mtimeMs
  await utimes(path, 1, 1)
  vi.advanceTimersByTime(20_000)
  await vi.waitUntil(async () => (await stat(path)).mtimeMs >= made)
})
