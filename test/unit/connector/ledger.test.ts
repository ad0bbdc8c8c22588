import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import type { LedgerRecord } from '../../../src/connector/book.ts'
import { diskFiles, mailboxName } from '../../../src/connector/files.ts'
import { Ledger } from '../../../src/connector/ledger.ts'
import { failing, temporaryFolder } from './support.ts'

const MAILBOX = { host: 'mail.example', port: 995, user: 'u' }
const FILE = `${mailboxName(MAILBOX)}.ledger`

const COMMITS: readonly (readonly LedgerRecord[])[] = [
  [['poll', 1, 20_000]],
  [['document', 'a\n2', '1', 1]],
  [
    ['document', 'a\n2', '1', -1],
    ['document', 'a\n2', '2.1', 1],
    ['message', 'a\n2', { fingerprint: 77 }],
  ],
  [['message', 'ü "b" ', { kinds: 1, fingerprint: -5 }]],
  [
    ['copies', 'a', [1, 2]],
    ['message', 'ü "b" ', { gonePoll: 1, goneDay: 20_000 }],
    ['document', 'c', '1', 1],
    ['document', 'c', '1', 0],
  ],
]

test('what was committed is there after it is opened again, also from a snapshot', async () => {
  const folder = await temporaryFolder()
  const ledger = await Ledger.open(diskFiles, folder, MAILBOX)
  for (const records of COMMITS) await ledger.commit(...records)
  const facts = factsOf(ledger)
  await ledger.close()
  expect(await reopened(folder)).toEqual(facts)
  const again = await Ledger.open(diskFiles, folder, MAILBOX)
  for (let poll = 2; poll < 1200; poll += 1) again.note(['poll', poll, 20_000])
  await again.commit(['poll', 1, 20_000])
  await again.close()
  const large = (await readFile(join(folder, FILE))).length
  expect(await reopened(folder)).toEqual(facts)
  expect((await readFile(join(folder, FILE))).length).toBeLessThan(large / 10)
  expect(await reopened(folder)).toEqual(facts)
})

test('notes are durable with the next commit, and when the ledger is closed', async () => {
  const folder = await temporaryFolder()
  const ledger = await Ledger.open(diskFiles, folder, MAILBOX)
  ledger.note(['document', 'a', '1', 1])
  await ledger.commit(['document', 'a', '1', -1])
  expect((await reopened(folder)).entries).toHaveLength(1)
  ledger.note(['document', 'b', '1', 1])
  await ledger.close()
  expect((await reopened(folder)).entries).toHaveLength(2)
})

test('cut at every octet: all whole commits are kept, and it goes on from there (P23)', async () => {
  const { octets, states } = await history()
  const folder = await temporaryFolder()
  for (let length = 0; length <= octets.length; length += 1) {
    await writeFile(join(folder, FILE), octets.subarray(0, length))
    const whole = states.findLast(({ end }) => end <= length)
    if (whole === undefined) {
      await expect(Ledger.open(diskFiles, folder, MAILBOX)).rejects.toMatchObject({ code: 'ERR_STATE_DAMAGED' })
      continue
    }
    const ledger = await Ledger.open(diskFiles, folder, MAILBOX)
    expect(factsOf(ledger)).toEqual(whole.facts)
    await ledger.commit(['document', 'next', '1', 1])
    const facts = factsOf(ledger)
    await ledger.close()
    expect(await reopened(folder)).toEqual(facts)
  }
})

test('any bit flipped before the last line is damage; in the last line it is damage or a lost commit, never an empty start', async () => {
  const { octets, states } = await history()
  const folder = await temporaryFolder()
  const lastLine = states.at(-2)?.end ?? 0
  for (let bit = 0; bit < octets.length * 8; bit += 1) {
    const flipped = Buffer.from(octets)
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    await writeFile(join(folder, FILE), flipped)
    const result = await Ledger.open(diskFiles, folder, MAILBOX).catch((error: unknown) => new Error('not opened', { cause: error }))
    if (bit >> 3 >= lastLine && !(result instanceof Error)) {
      expect(await reopened(folder)).toEqual(states.at(-2)?.facts)
      await result.close()
      continue
    }
    expect(result).toMatchObject({ cause: { code: 'ERR_STATE_DAMAGED' } })
  }
})

test('octets that the disk never got, after a power cut, are cut off', async () => {
  const { octets, states } = await history()
  const folder = await temporaryFolder()
  await writeFile(join(folder, FILE), Buffer.concat([octets, Buffer.alloc(3000), Buffer.from('half a line\n'), Buffer.alloc(10)]))
  expect(await reopened(folder)).toEqual(states.at(-1)?.facts)
})

test.each(['write', 'sync'] as const)('after a failed %s nothing is accepted any more', async (step) => {
  const folder = await temporaryFolder()
  let fails = false
  const ledger = await Ledger.open(
    failing(step, () => fails),
    folder,
    MAILBOX,
  )
  await ledger.commit(['document', 'a', '1', 1])
  fails = true
  await expect(ledger.commit(['document', 'a', '1', -1])).rejects.toMatchObject({
    code: 'ERR_STATE',
    message: expect.stringContaining('disk is full'),
  })
  fails = false
  await expect(ledger.commit(['document', 'a', '2', -1])).rejects.toMatchObject({ code: 'ERR_STATE' })
  await expect(ledger.close()).rejects.toMatchObject({ code: 'ERR_STATE' })
})

test('commits that come together share one sync', async () => {
  const folder = await temporaryFolder()
  let syncs = 0
  const ledger = await Ledger.open(
    failing('sync', () => {
      syncs += 1
      return false
    }),
    folder,
    MAILBOX,
  )
  const before = syncs
  await Promise.all(Array.from({ length: 100 }, (_, at) => ledger.commit(['document', `k${at}`, '1', 1])))
  expect(syncs - before).toBeLessThanOrEqual(2)
  await ledger.close()
  expect((await reopened(folder)).entries).toHaveLength(100)
})

test('a hundred thousand messages take less than 200 bytes each', async () => {
  const folder = await temporaryFolder()
  const writer = await Ledger.open(diskFiles, folder, MAILBOX)
  for (let at = 0; at < 100_000; at += 1) writer.note(['message', `0000000${at}5f0e7f1c`, { kinds: 1, fingerprint: at * 7 }])
  await writer.close()
  const before = await settledHeap()
  const ledger = await Ledger.open(diskFiles, folder, MAILBOX)
  const bytes = (await settledHeap()) - before
  expect(ledger.book.entries.get('0000000999995f0e7f1c')?.kinds).toBe(1)
  expect(bytes / 100_000).toBeLessThan(200)
  await ledger.close()
})

/** A ledger file, and where each commit ended in it. */
async function history(): Promise<{ octets: Buffer; states: { end: number; facts: Facts }[] }> {
  const folder = await temporaryFolder()
  const ledger = await Ledger.open(diskFiles, folder, MAILBOX)
  const states: { end: number; facts: Facts }[] = []
  const record = async (): Promise<void> => void states.push({ end: (await readFile(join(folder, FILE))).length, facts: factsOf(ledger) })
  const [header] = (await readFile(join(folder, FILE), 'utf8')).split('\n')
  states.push({ end: Buffer.byteLength(`${header}\n`), facts: factsOf(ledger) })
  await record()
  for (const records of COMMITS) {
    await ledger.commit(...records)
    await record()
  }
  await ledger.close()
  return { octets: await readFile(join(folder, FILE)), states }
}

interface Facts {
  readonly entries: readonly unknown[]
  readonly polls: number
  readonly copies: unknown
}

function factsOf(ledger: Ledger): Facts {
  const entries = [...ledger.book.entries].map(([key, entry]) => [key, Object.assign({}, entry)])
  return structuredClone({ entries, polls: ledger.book.polls, copies: ledger.book.copies.get('a') })
}

async function reopened(folder: string): Promise<Facts> {
  const ledger = await Ledger.open(diskFiles, folder, MAILBOX)
  const facts = factsOf(ledger)
  await ledger.close()
  return facts
}

async function settledHeap(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve))
    if (typeof collect === 'function') collect()
  }
  return process.memoryUsage().heapUsed
}
