import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { Pop3Client } from '../../../src/pop3/index.ts'
import { answers, FlightServer } from '../../support/flights.ts'

const COUNT = 100_000

/** Bytes in use after a collection. */
async function inUse(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  for (let turn = 0; turn < 3; turn++) {
    await new Promise(setImmediate)
    if (typeof collect === 'function') collect()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

test('P22: a listing of 100,000 unique-ids of 30 octets costs the client nothing that stays, and who keeps them less than 200 bytes each', async () => {
  const server = new FlightServer(answers(['USER', 'UIDL'], (line) => (line === 'UIDL' ? null : undefined)))
  const client = await Pop3Client.over(server, { host: 'pop.test', auth: { user: 'ann', password: 's3cret' } })
  const before = await inUse()
  const kept = new Map<string, number>()
  const listing = client.uniqueIds()[Symbol.asyncIterator]()
  const first = listing.next()
  server.feed('+OK\r\n')
  for (let from = 0; from < COUNT; from += 1_000) {
    server.feed(Array.from({ length: 1_000 }, (_, n) => `${from + n + 1} ${String(from + n).padStart(30, 'u')}\r\n`).join(''))
  }
  server.feed('.\r\n')
  for (let { value } = await first; value !== undefined; { value } = await listing.next()) kept.set(value.uniqueId, value.number)
  expect(kept.size).toBe(COUNT)
  expect(((await inUse()) - before) / COUNT).toBeLessThan(200)
  kept.clear()
  expect(((await inUse()) - before) / COUNT).toBeLessThan(20)
  await client.noop()
})
