import { fork, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { GetReport } from '../../src/index.ts'
import type { GetMessage, GetOrder, Verdict } from '../support/get-process.ts'
import { startMailServer, type MailServer } from '../support/mail-server.ts'
import type { Fault } from '../support/pop3-server.ts'

const PROCESS = join(process.cwd(), '.build', 'js', 'test', 'support', 'get-process.js')
const MESSAGES = 3
const PARTS = 3

/** What the server does at a command, or after so many octets of a message. Set by each test. */
let atCommand: (verb: string) => Fault | undefined | Promise<Fault | undefined>
let atContent: (sent: number) => Fault | undefined
let server: MailServer
let state: string
const running = new Set<ChildProcess>()

beforeEach(async () => {
  atCommand = () => undefined
  atContent = () => undefined
  server = await startMailServer({ pop3: { onCommand: (verb) => atCommand(verb), onContent: (sent) => atContent(sent) } })
  state = mkdtempSync(join(tmpdir(), 'wirepost-crash-'))
  for (let number = 1; number <= MESSAGES; number++) server.maildrop().add(message(number), `id-${number}`)
})

afterEach(async () => {
  for (const child of running) child.kill('SIGKILL')
  await server.close()
  rmSync(state, { recursive: true, force: true })
})

function attachment(number: number, part: number): Buffer {
  return Buffer.alloc(40_000 + number * 100 + part, `message ${number} part ${part} \0\r\n.`)
}

function message(number: number): string {
  const parts = Array.from({ length: PARTS }, (_, at) => {
    const lines =
      attachment(number, at + 1)
        .toString('base64')
        .match(/.{1,76}/g) ?? []
    return `--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=${at + 1}.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n${lines.join('\r\n')}\r\n`
  })
  return `From: a@example.test\r\nTo: u1@example.test\r\nSubject: ${number}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${parts.join('')}--b--\r\n`
}

type Handed = Extract<GetMessage, { document: object }>['document']

interface Run {
  readonly handed: readonly Handed[]
  /** `undefined` when the process was killed. */
  readonly report: GetReport | undefined
}

/** One process that gets, with a verdict for each document in turn; `kill` kills it instead of giving one. */
async function get(verdict: (document: Handed, count: number) => Verdict | 'kill' = () => 'accept'): Promise<Run> {
  const child = fork(PROCESS, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
  running.add(child)
  const handed: Handed[] = []
  let report: GetReport | undefined
  let trouble: string | undefined
  child.on('message', (told: GetMessage) => {
    if ('report' in told) report = told.report
    else if ('error' in told) trouble = told.error
    else {
      handed.push(told.document)
      const answer = verdict(told.document, handed.length)
      if (answer === 'kill') child.kill('SIGKILL')
      else child.send(answer)
    }
  })
  const order: GetOrder = {
    port: server.pop3.tlsPort,
    ca: server.ca,
    stateDirectory: state,
    operation: { disposition: 'attachment', deleteFromServer: true },
  }
  child.send(order)
  await once(child, 'exit')
  running.delete(child)
  if (trouble !== undefined) throw new Error(`get rejected with ${trouble}`)
  // The server notices the end of the connection a moment later; until then the maildrop is locked (RFC 1939 §8).
  while (server.pop3.connections.size > 0) await new Promise((resolve) => setImmediate(resolve))
  return { handed, report }
}

async function killEverybody(): Promise<void> {
  const children = [...running]
  const ended = children.map((child) => once(child, 'exit'))
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(ended)
}

/** Every document once with its octets, in the order of the messages and their parts. */
function everything(): string[] {
  return Array.from({ length: MESSAGES * PARTS }, (_, at) =>
    createHash('sha256')
      .update(attachment(Math.floor(at / PARTS) + 1, (at % PARTS) + 1))
      .digest('hex'),
  )
}

const digests = (documents: readonly Handed[]): string[] => documents.map(({ sha256 }) => sha256)
const clean = { skipped: 0, unconfirmed: 0, failed: 0, quarantined: 0 }

test('nothing goes wrong: each document once, and the maildrop is empty', async () => {
  const { handed, report } = await get()
  expect(digests(handed)).toEqual(everything())
  expect(handed.every(({ attempt, redelivered }) => attempt === 1 && !redelivered)).toBe(true)
  expect(new Set(handed.map(({ id }) => id)).size).toBe(handed.length)
  expect(report).toEqual({ ...clean, listed: 3, received: 3, documents: 9, deleted: 3 })
  expect(server.maildrop().messages).toHaveLength(0)
})

test('killed in RETR: everything comes again that was not accepted (D1)', async () => {
  let killed = false
  atContent = (sent) => {
    if (killed || sent < 20_000) return undefined
    killed = true
    void killEverybody()
    return 'stall'
  }
  expect(await get()).toMatchObject({ handed: [], report: undefined })
  expect(server.maildrop().messages).toHaveLength(3)
  const { handed, report } = await get()
  expect(digests(handed)).toEqual(everything())
  // The first document may have been under way when the process died.
  expect(handed.slice(1).every(({ attempt }) => attempt === 1)).toBe(true)
  expect(report).toEqual({ ...clean, listed: 3, received: 3, documents: 9, deleted: 3 })
})

test.each([1, 2, 3, 4, 5, 6, 7, 8, 9])('killed in the handler of document %i: that one comes again, marked, and no other (D4)', async (k) => {
  const first = await get((_, count) => (count === k ? 'kill' : 'accept'))
  expect(digests(first.handed)).toEqual(everything().slice(0, k))
  expect(server.maildrop().messages).toHaveLength(3)
  const { handed, report } = await get()
  expect(digests(handed)).toEqual(everything().slice(k - 1))
  expect(handed[0]).toMatchObject({ id: first.handed.at(-1)?.id, attempt: 2, redelivered: true })
  expect(handed.slice(1).every(({ attempt, redelivered }) => attempt === 1 && !redelivered)).toBe(true)
  const whole = Math.floor((k - 1) / PARTS)
  expect(report).toEqual({ ...clean, listed: 3, received: 3 - whole, documents: 10 - k, deleted: 3 })
  expect(server.maildrop().messages).toHaveLength(0)
})

test('killed after the acceptance of a document was logged, while the next one does not come: it does not come again', async () => {
  let stalled = false
  atContent = (sent) => {
    if (stalled || sent < 60_000) return undefined
    stalled = true
    return 'stall'
  }
  const child = fork(PROCESS, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  running.add(child)
  child.on('message', () => child.send('accept'))
  child.send({ port: server.pop3.tlsPort, ca: server.ca, stateDirectory: state, operation: { disposition: 'attachment', deleteFromServer: true } })
  const exited = once(child, 'exit')
  child.stderr?.on('data', (line: Buffer) => {
    if (line.includes('document accepted')) child.kill('SIGKILL')
  })
  await exited
  running.delete(child)
  for (const connection of server.pop3.connections) connection.destroy()
  while (server.pop3.connections.size > 0) await new Promise((resolve) => setImmediate(resolve))
  const { handed, report } = await get()
  expect(digests(handed)).toEqual(everything().slice(1))
  expect(report).toEqual({ ...clean, listed: 3, received: 3, documents: 8, deleted: 3 })
})

test('killed three times in the same handler: the attempt is counted each time', async () => {
  for (let attempt = 1; attempt <= 3; attempt++) {
    const { handed } = await get((_, count) => (count === 1 ? 'kill' : 'accept'))
    expect(handed).toMatchObject([{ attempt, redelivered: attempt > 1 }])
  }
  const { handed } = await get()
  expect(handed[0]).toMatchObject({ attempt: 4, redelivered: true })
})

test('killed after acceptance, before DELE: deleted without being got again (D6)', async () => {
  let first = true
  atCommand = async (verb) => {
    if (!first || verb !== 'DELE') return undefined
    first = false
    await killEverybody()
    return 'drop'
  }
  const before = await get()
  const accepted = before.handed.length
  expect(accepted).toBeGreaterThanOrEqual(PARTS)
  const { handed, report } = await get()
  expect(digests(handed)).toEqual(everything().slice(accepted))
  expect(report).toEqual({ ...clean, listed: 3, received: 3 - accepted / PARTS, documents: 9 - accepted, deleted: 3 })
})

test('killed after DELE, before QUIT: deleted without being got again (D7)', async () => {
  let first = true
  atCommand = async (verb) => {
    if (!first || verb !== 'QUIT') return undefined
    first = false
    await killEverybody()
    return 'drop'
  }
  expect((await get()).handed).toHaveLength(9)
  expect(server.maildrop().messages).toHaveLength(3)
  expect(await get()).toEqual({ handed: [], report: { ...clean, listed: 3, received: 0, documents: 0, deleted: 3 } })
  expect(server.maildrop().messages).toHaveLength(0)
})

test('killed after QUIT was sent and obeyed: nothing is left and nothing comes (D8)', async () => {
  let first = true
  atCommand = async (verb) => {
    if (!first || verb !== 'QUIT') return undefined
    first = false
    await killEverybody()
    return undefined
  }
  expect((await get()).handed).toHaveLength(9)
  expect(await get()).toEqual({ handed: [], report: { ...clean, listed: 0, received: 0, documents: 0, deleted: 0 } })
})

test.each(['drop', 'reset'] as const)('the server goes away in mid-RETR (%s): the rest comes with the next run', async (fault) => {
  let retrieved = 0
  let lost = false
  atCommand = (verb) => {
    if (verb === 'RETR') retrieved++
    return undefined
  }
  atContent = (sent) => {
    if (lost || retrieved < 2 || sent < 100_000) return undefined
    lost = true
    return fault
  }
  const first = await get()
  expect(digests(first.handed.slice(0, 3))).toEqual(everything().slice(0, 3))
  expect(first.report).toMatchObject({ listed: 3, deleted: 0, documents: expect.any(Number) })
  expect(first.report?.failed).toBeGreaterThanOrEqual(1)
  const accepted = first.report?.documents ?? 0
  expect(server.maildrop().messages).toHaveLength(3)
  const { handed, report } = await get()
  expect(digests(handed)).toEqual(everything().slice(accepted))
  expect(report).toEqual({ ...clean, listed: 3, received: 2, documents: 9 - accepted, deleted: 3 })
})

test('QUIT refused or lost: the deletions are unconfirmed, and done by the next run (D8, D9)', async () => {
  let first = true
  atCommand = (verb) => {
    if (!first || verb !== 'QUIT') return undefined
    first = false
    return 'drop'
  }
  expect((await get()).report).toEqual({ ...clean, listed: 3, received: 3, documents: 9, deleted: 0, unconfirmed: 3 })
  expect(await get()).toEqual({ handed: [], report: { ...clean, listed: 3, received: 0, documents: 0, deleted: 3 } })
})

test('a rejected document keeps its message and the documents behind it, and the next message goes on', async () => {
  const rejected = await get((_, count) => (count === 2 ? 'reject' : 'accept'))
  expect(digests(rejected.handed)).toEqual([...everything().slice(0, 2), ...everything().slice(3)])
  expect(rejected.report).toEqual({ ...clean, listed: 3, received: 3, documents: 7, deleted: 2, failed: 1 })
  const { handed, report } = await get()
  expect(digests(handed)).toEqual(everything().slice(1, 3))
  expect(handed[0]).toMatchObject({ attempt: 2, redelivered: true })
  expect(report).toEqual({ ...clean, listed: 1, received: 1, documents: 2, deleted: 1 })
})
