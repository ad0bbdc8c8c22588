import { describe, expect, test, vi } from 'vitest'
import type { SmtpPoolOptions } from '../../../src/smtp/pool.ts'
import { advance, count, inFakedTime, manyNumbered, numbered, pass, pooled, submitTo, taking, until } from '../../support/smtp-flight-client.ts'
import { chunks, rejection } from '../../support/smtp-replay.ts'

const BOTH = ['PIPELINING', 'CHUNKING']

inFakedTime()

describe('fairness', () => {
  test('messages begin in the order in which they were asked for', async () => {
    const all = pooled({ maxConnections: 2 })
    const order: number[] = []
    await advance(
      Promise.all(
        manyNumbered(20).map(({ envelope, content }, at) =>
          all.pool.submit(envelope, () => {
            order.push(at)
            return chunks(content)
          }),
        ),
      ),
    )
    expect(order).toEqual(Array.from({ length: 20 }, (_, at) => at))
    await advance(all.pool.close())
  })

  test('a message that is divided does not keep the others waiting to its end', async () => {
    const all = pooled({ maxConnections: 1 }, () => ({ extensions: [...BOTH, 'LIMITS RCPTMAX=1'] }))
    const to = Array.from({ length: 5 }, (_, at) => `r${at}@x.test`)
    const big = all.pool.submit({ from: 'big@x.test', to }, () => chunks('big\r\n'))
    const small = all.pool.submit({ from: 'small@x.test', to: ['r@x.test'] }, () => chunks('small\r\n'))
    await advance(Promise.all([big, small]))
    const order = all.servers[0]?.stored.map(({ mail }) => (mail.includes('small') ? 'small' : 'big'))
    expect(order?.indexOf('small')).toBe(1)
    await advance(all.pool.close())
  })

  test('who begins again comes before those who have not begun', async () => {
    const all = pooled({ maxConnections: 1 }, (number) => ({
      special: (line, server) => {
        if (number > 0 || server.stored.length < 1 || !line.startsWith('MAIL')) return undefined
        server.hangUp()
        return ''
      },
    }))
    const order: number[] = []
    const messages = manyNumbered(4)
    await advance(
      Promise.all(
        messages.map(async (message, at) => {
          expect((await submitTo(all, message)).outcome).toBe('accepted')
          order.push(at)
        }),
      ),
    )
    expect(order).toEqual([0, 1, 2, 3])
    await advance(all.pool.close())
  })
})

describe('maxConnections', () => {
  test.each<Partial<SmtpPoolOptions>>([
    { maxMessages: 1 },
    { maxMessages: 2, pipelining: 'overlap' },
    { maxMessages: 3, pipelining: 'back-to-back' },
    { maxAgeMs: 30 },
    { maxMessages: 1, rate: { messages: 5, perMs: 100 } },
  ])('is never exceeded, also while others are being left: %j', async (options) => {
    const all = pooled({ ...options, maxConnections: 3 }, () => ({ extensions: BOTH, linkMs: 20 }))
    await taking(all, manyNumbered(30))
    expect(all.most()).toBe(3)
    expect(all.servers.flatMap(({ stored }) => stored)).toHaveLength(30)
    await advance(all.pool.close())
    expect(all.open()).toEqual([])
    for (const server of all.servers) expect(count(server, 'QUIT')).toBe(1)
  })

  test('is kept when connections fail, are lost and are aborted', async () => {
    const all = pooled({ maxConnections: 2, backOff: { attempts: 1 } }, (number) => ({
      linkMs: 20,
      special: (line, server) => {
        if (number % 4 === 1 && line === 'greeting') return '554 no\r\n'
        if (number % 4 === 2 && line.startsWith('RCPT')) {
          server.hangUp()
          return ''
        }
        return undefined
      },
    }))
    const signals = Array.from({ length: 30 }, () => new AbortController())
    const settled = Promise.allSettled(signals.map(({ signal }, at) => submitTo(all, numbered(at, at % 5 === 0 ? { signal } : {}))))
    for (let step = 0; step < 6; step++) {
      await pass(15)
      signals[step * 5]?.abort(new Error('left'))
    }
    const all30 = await advance(settled)
    expect(all30).toHaveLength(30)
    expect(all.most()).toBeLessThanOrEqual(2)
    await advance(all.pool.close())
    expect(all.open()).toEqual([])
  })

  test('messages are spread over connections before they are put behind one another', async () => {
    const all = pooled({ maxConnections: 3, pipelining: 'overlap' }, () => ({ extensions: BOTH, linkMs: 20 }))
    await taking(all, manyNumbered(3))
    expect(all.servers.map(({ stored }) => stored.length)).toEqual([1, 1, 1])
    await taking(all, manyNumbered(12))
    expect(all.servers).toHaveLength(3)
    for (const { stored } of all.servers) expect(stored.length).toBeGreaterThan(2)
    await advance(all.pool.close())
  })

  test('spent: who may take no more messages is left, without being waited for', async () => {
    const all = pooled({ maxConnections: 1, maxMessages: 2 }, () => ({ linkMs: 20 }))
    await taking(all, manyNumbered(2))
    await pass(100)
    expect([all.open().length, count(all.servers[0], 'QUIT')]).toEqual([0, 1])
    await advance(all.pool.close())
  })
})

describe('who leaves', () => {
  test('while a connection is made for it: others have theirs, and nothing stays open', async () => {
    const all = pooled({ maxConnections: 1 }, () => ({ linkMs: 50 }))
    const controller = new AbortController()
    const reason = new Error('no longer')
    const aborted = rejection(submitTo(all, numbered(1, { signal: controller.signal })))
    const other = submitTo(all, numbered(2))
    await pass(20)
    controller.abort(reason)
    expect(await advance(aborted)).toBe(reason)
    expect((await advance(other)).outcome).toBe('accepted')
    expect(all.servers.flatMap(({ stored }) => stored)).toHaveLength(1)
    await advance(all.pool.close())
    expect(all.open()).toEqual([])
    expect(all.most()).toBe(1)
  })

  test('while a connection is made, and the pool is closed: nothing stays open', async () => {
    const all = pooled({}, () => ({ linkMs: 50 }))
    const controller = new AbortController()
    const aborted = rejection(submitTo(all, numbered(1, { signal: controller.signal })))
    await pass(20)
    const closed = all.pool.close()
    controller.abort(new Error('no longer'))
    await advance(Promise.all([aborted, closed]))
    expect(all.open()).toEqual([])
    await pass(50) // of the link
    expect(vi.getTimerCount()).toBe(0)
  })

  test('before it begins: nothing is connected to', async () => {
    const all = pooled()
    const reason = new Error('never')
    expect(await rejection(submitTo(all, numbered(1, { signal: AbortSignal.abort(reason) })))).toBe(reason)
    expect(all.servers).toEqual([])
    await all.pool.close()
  })

  test('in the middle of its content: the others are sent', async () => {
    for (const pipelining of ['envelope', 'overlap', 'transaction', 'back-to-back'] as const) {
      const all = pooled({ maxConnections: 1, pipelining }, () => ({ extensions: BOTH }))
      const controller = new AbortController()
      const reason = new Error('no longer')
      let isRead = false
      async function* hanging(): AsyncGenerator<Uint8Array> {
        yield Buffer.from('x: y\r\n')
        isRead = true
        await new Promise<void>(() => {})
      }
      const messages = manyNumbered(5)
      const first = submitTo(all, messages[0] ?? numbered(0))
      const aborted = rejection(all.pool.submit({ from: '', to: ['b@x.test'], options: { signal: controller.signal } }, hanging))
      const others = Promise.all([first, ...messages.slice(1).map((message) => submitTo(all, message))])
      await until(() => isRead)
      await advance(first)
      controller.abort(reason)
      expect(await advance(aborted)).toBe(reason)
      expect((await advance(others)).map(({ outcome }) => outcome)).toEqual(messages.map(() => 'accepted'))
      expect(all.servers.flatMap(({ stored }) => stored.map(({ octets }) => octets.toString())).toSorted()).toEqual(
        messages.map(({ content }) => content.toString()).toSorted(),
      )
      await advance(all.pool.close())
    }
  })
})

describe('close', () => {
  test('waits for those that wait, and leaves every connection with QUIT', async () => {
    const all = pooled({ maxConnections: 2, rate: { messages: 2, perMs: 500 } }, () => ({ linkMs: 20 }))
    const receipts = Promise.all(manyNumbered(6).map((message) => submitTo(all, message)))
    const closed = all.pool.close()
    expect(await rejection(submitTo(all, numbered(7)))).toMatchObject({ code: 'ERR_CLOSED' })
    await advance(closed)
    expect((await receipts).map(({ outcome }) => outcome)).toEqual(Array(6).fill('accepted'))
    expect(all.open()).toEqual([])
    for (const server of all.servers) expect(count(server, 'QUIT')).toBe(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('waits for the parts of a divided message, and for a back-off', async () => {
    const all = pooled({ maxConnections: 1, backOff: { firstMs: 1_000 } }, (number) => ({
      extensions: [...BOTH, 'LIMITS RCPTMAX=1 MAILMAX=2'],
      special: (line) => (line === 'greeting' && number === 1 ? '421 4.7.0 later\r\n' : undefined),
    }))
    const receipt = all.pool.submit({ from: '', to: ['a@x.test', 'b@x.test', 'c@x.test'] }, () => chunks('x\r\n'))
    await advance(all.pool.close())
    expect((await receipt).recipients.map(({ outcome }) => outcome)).toEqual(['accepted', 'accepted', 'accepted'])
    expect(all.open()).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('can be asked for twice, and when nothing was sent', async () => {
    const all = pooled()
    await Promise.all([all.pool.close(), all.pool[Symbol.asyncDispose]()])
    expect(all.servers).toEqual([])
  })
})
