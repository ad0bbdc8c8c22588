import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { SmtpOptions } from '../../../src/smtp/options.ts'
import type { Receipt } from '../../../src/smtp/transaction.ts'
import { advance, expectStored, manyNumbered, numbered, overFlights, pass, until } from '../../support/smtp-flight-client.ts'
import type { SmtpFlightServer } from '../../support/smtp-flights.ts'
import { rejection } from '../../support/smtp-replay.ts'

const BOTH = ['PIPELINING', 'CHUNKING', '8BITMIME']
const TIMEOUTS = { command: 1_000, dataStart: 2_000, dataEnd: 5_000 }
const THREE = manyNumbered(3)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})

afterEach(() => {
  vi.useRealTimers()
})

/** Three messages, until something was sent that the server does not hear. */
async function deafened(
  options: Partial<SmtpOptions>,
  when: string,
): Promise<{ server: SmtpFlightServer; all: Promise<PromiseSettledResult<Receipt>[]> }> {
  const { client, server } = await overFlights({ extensions: BOTH }, { timeouts: TIMEOUTS, ...options })
  const all = Promise.allSettled(THREE.map(({ envelope, content }) => client.submit(envelope, content)))
  await until(() => {
    server.isDeaf = server.sentText.includes(when)
    return server.isDeaf
  })
  return { server, all }
}

const told = (results: PromiseSettledResult<Receipt>[]): unknown[] =>
  results.map((one) =>
    one.status === 'fulfilled' ? one.value.outcome : one.reason instanceof Error && 'transient' in one.reason ? one.reason.transient : one.reason,
  )

describe('a server that says no more', () => {
  test('overlap: the content that has left is unknown after dataEnd; those behind it were not sent', async () => {
    const { server, all } = await deafened({ pipelining: 'overlap' }, 'MAIL FROM:<s1@')
    const from = performance.now()
    expect(told(await advance(all, 100))).toEqual(['unknown', true, true])
    expect(performance.now() - from).toBeLessThanOrEqual(TIMEOUTS.dataEnd + 200)
    expect(performance.now() - from).toBeGreaterThanOrEqual(TIMEOUTS.dataEnd - 1)
    expect(server.destroyed).toBe(true)
    server.isDeaf = false
  })

  test('back to back: all that have left are unknown after one dataEnd at most', async () => {
    const { server, all } = await deafened({ pipelining: 'back-to-back' }, 'MAIL FROM:<s2@')
    const from = performance.now()
    expect(told(await advance(all, 100))).toEqual(['unknown', 'unknown', 'unknown'])
    expect(performance.now() - from).toBeLessThanOrEqual(TIMEOUTS.dataEnd + 200)
    server.isDeaf = false
  })

  test('at MAIL: after the time of a command nothing was sent of any', async () => {
    const { server, all } = await deafened({}, 'MAIL FROM:<s0@')
    const from = performance.now()
    expect(told(await advance(all, 100))).toEqual([true, true, true])
    expect(performance.now() - from).toBeLessThanOrEqual(TIMEOUTS.command + 200)
    expect(server.stored).toEqual([])
    server.isDeaf = false
  })
})

test('the time of a reply begins when those before it have come', async () => {
  const { server, all } = await deafened({ pipelining: 'overlap' }, 'MAIL FROM:<s1@')
  await pass(TIMEOUTS.dataEnd - 500) // for the content; MAIL behind it has waited longer than a command may
  server.isDeaf = false
  expect(told(await advance(all))).toEqual(['accepted', 'accepted', 'accepted'])
  expectStored(server, THREE)
})

test('a link slower than any one command: three messages in one write have their replies in time', async () => {
  const { client, server } = await advance(overFlights({ extensions: BOTH, linkMs: 900 }, { timeouts: TIMEOUTS, pipelining: 'back-to-back' }), 50)
  const receipts = await advance(Promise.all(THREE.map(({ envelope, content }) => client.submit(envelope, content))), 50)
  expect(receipts.map(({ outcome }) => outcome)).toEqual(['accepted', 'accepted', 'accepted'])
  expectStored(server, THREE)
})

test('the deadline of a transaction ends a source that hangs while it is gathered, and nothing of it was sent', async () => {
  for (const pipelining of ['transaction', 'back-to-back'] as const) {
    const { client, server } = await overFlights({ extensions: BOTH }, { timeouts: { transaction: 3_000 }, pipelining })
    const hanging = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<IteratorResult<Uint8Array>>(() => {}) }) }
    const { envelope } = numbered(1)
    expect(await advance(rejection(client.submit(envelope, hanging)), 100)).toMatchObject({
      code: expect.stringMatching(/^ERR_(TIMEOUT|CLOSED)$/),
      transient: true,
    })
    expect(server.lines).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  }
})

test('no timer is left when all is done', async () => {
  for (const pipelining of ['none', 'envelope', 'overlap', 'transaction', 'back-to-back'] as const) {
    const { client } = await overFlights({ extensions: BOTH }, { pipelining })
    await advance(Promise.all(THREE.map(({ envelope, content }) => client.submit(envelope, content))))
    expect(vi.getTimerCount(), pipelining).toBe(0)
    await client.quit()
    expect(vi.getTimerCount(), pipelining).toBe(0)
  }
})
