import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { advance, count, manyNumbered, numbered, pass, pooled, taking } from '../../support/smtp-flight-client.ts'
import { chunks, untyped } from '../../support/smtp-replay.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})

afterEach(() => {
  vi.useRealTimers()
})

describe('idleMs', () => {
  test('a connection that nobody uses for so long is left with QUIT; the next message has a new one', async () => {
    const all = pooled({ idleMs: 1_000 })
    await taking(all, [numbered(1)])
    await pass(990)
    expect([all.open().length, count(all.servers[0], 'QUIT')]).toEqual([1, 0])
    await pass(10)
    expect([all.open().length, count(all.servers[0], 'QUIT')]).toEqual([0, 1])
    await taking(all, [numbered(2)])
    expect(all.servers).toHaveLength(2)
    await advance(all.pool.close())
  })

  test('begins again with each message', async () => {
    const all = pooled({ idleMs: 1_000 })
    for (let at = 0; at < 5; at++) {
      await taking(all, [numbered(at)])
      await pass(900)
    }
    expect(all.servers).toHaveLength(1)
    await pass(100)
    expect(all.open()).toHaveLength(0)
    await advance(all.pool.close())
  })

  test('is not the time of a message that takes long', async () => {
    const all = pooled({ idleMs: 1_000 }, () => ({ linkMs: 1_500 }))
    expect(await taking(all, [numbered(1)])).toBeGreaterThanOrEqual(3_000)
    await taking(all, [numbered(2)])
    expect(all.servers).toHaveLength(1)
    await advance(all.pool.close(), 100)
  })
})

describe('maxAgeMs', () => {
  test('a connection that is older is used no more, though it is in use all the time', async () => {
    const all = pooled({ maxAgeMs: 1_000, maxConnections: 1 })
    for (let at = 0; at < 4; at++) {
      await taking(all, [numbered(at)])
      await pass(400)
    }
    expect(all.servers).toHaveLength(2)
    expect(count(all.servers[0], 'MAIL')).toBe(3)
    expect(count(all.servers[0], 'QUIT')).toBe(1)
    expect(all.most()).toBe(1)
    await advance(all.pool.close())
  })

  test('a message that is under way is not cut', async () => {
    const all = pooled({ maxAgeMs: 10, maxConnections: 1 }, () => ({ linkMs: 50 }))
    await taking(all, [numbered(1), numbered(2)])
    expect(all.servers.map(({ stored }) => stored.length)).toEqual([1, 1])
    expect(all.most()).toBe(1)
    await advance(all.pool.close())
  })
})

describe('rates', () => {
  test('connectionRate is of each connection', async () => {
    const rate = { messages: 2, perMs: 1_000 }
    const one = pooled({ maxConnections: 1, connectionRate: rate })
    const times = await taking(one, manyNumbered(6))
    expect(times).toBeGreaterThanOrEqual(2_000)
    expect(times).toBeLessThan(2_100)
    await advance(one.pool.close())
    const three = pooled({ maxConnections: 3, connectionRate: rate })
    expect(await taking(three, manyNumbered(6))).toBeLessThan(100)
    expect(three.servers.map(({ stored }) => stored.length)).toEqual([2, 2, 2])
    await advance(three.pool.close())
  })

  test('connectionRate does not hold up who can have another connection', async () => {
    const all = pooled({ maxConnections: 2, connectionRate: { messages: 1, perMs: 10_000 } })
    expect(await taking(all, [numbered(1)])).toBeLessThan(100)
    expect(await taking(all, [numbered(2)])).toBeLessThan(100)
    expect(all.servers).toHaveLength(2)
    expect(await taking(all, [numbered(3)])).toBeGreaterThan(9_000)
    await advance(all.pool.close(), 100)
  })

  test('rate is of the whole pool, in any window', async () => {
    const all = pooled({ maxConnections: 5, rate: { messages: 3, perMs: 1_000 } })
    const begun: number[] = []
    const messages = manyNumbered(10)
    const from = performance.now()
    await advance(
      Promise.all(
        messages.map(({ envelope, content }) =>
          all.pool.submit(envelope, () => {
            begun.push(performance.now() - from)
            return chunks(content)
          }),
        ),
      ),
    )
    expect(begun).toHaveLength(10)
    for (let at = 3; at < begun.length; at++) expect((begun[at] ?? 0) - (begun[at - 3] ?? 0)).toBeGreaterThanOrEqual(990)
    expect(begun.at(-1)).toBeLessThan(3_100)
    await advance(all.pool.close())
  })
})

test.each([
  [{ idleMs: 0 }],
  [{ idleMs: 2 ** 31 }],
  [{ maxAgeMs: -1 }],
  [{ maxAgeMs: Number.NaN }],
  [{ maxConnections: 1.5 }],
  [{ maxConnections: '5' }],
  [{ connectionRate: { messages: 0, perMs: 1 } }],
  [{ connectionRate: { messages: 1 } }],
  [{ connectionRate: 5 }],
  [{ rate: { messages: 1, perMs: 2 ** 31 } }],
  [{ rate: {} }],
  [{ backOff: { attempts: 0 } }],
  [{ backOff: { firstMs: 0 } }],
  [{ backOff: { mostMs: Infinity } }],
  [{ connectionRate: [] }],
])('%j is ERR_OPTION', (options) => {
  expect(() => pooled(untyped(options))).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
})
