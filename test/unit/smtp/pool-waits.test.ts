import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { SmtpPoolOptions } from '../../../src/smtp/pool.ts'
import { advance, manyNumbered, numbered, pooled, turn, until, type Numbered, type Pooled } from '../../support/smtp-flight-client.ts'
import type { SmtpFlightServer } from '../../support/smtp-flights.ts'
import { chunks, rejection, untyped } from '../../support/smtp-replay.ts'

const BOTH = ['PIPELINING', 'CHUNKING']

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  vi.spyOn(Math, 'random').mockReturnValue(0) // no part of a back-off is left out
})

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const submit = ({ pool }: Pooled, { envelope, content }: Numbered) => pool.submit(envelope, () => chunks(content))

/** Submits, lets time pass until it is done, and gives how long it took. */
async function taking(all: Pooled, messages: readonly Numbered[]): Promise<number> {
  const from = performance.now()
  const receipts = await advance(Promise.all(messages.map((message) => submit(all, message))))
  expect(receipts.map(({ outcome }) => outcome)).toEqual(messages.map(() => 'accepted'))
  return performance.now() - from
}

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
  for (let turns = 0; turns < 6; turns++) await turn()
}

const verbs = (server: SmtpFlightServer | undefined, verb: string): number => (server?.lines ?? []).filter((line) => line.startsWith(verb)).length

describe('idleMs', () => {
  test('a connection that nobody uses for so long is left with QUIT; the next message has a new one', async () => {
    const all = pooled({ idleMs: 1_000 })
    await taking(all, [numbered(1)])
    await pass(990)
    expect([all.open().length, verbs(all.servers[0], 'QUIT')]).toEqual([1, 0])
    await pass(10)
    expect([all.open().length, verbs(all.servers[0], 'QUIT')]).toEqual([0, 1])
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
    expect(verbs(all.servers[0], 'MAIL')).toBe(3)
    expect(verbs(all.servers[0], 'QUIT')).toBe(1)
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

describe('backOff', () => {
  const GREETING = '421 4.7.0 too many connections\r\n'
  const refusing = (times: number) => (number: number) => ({
    special: (line: string) => (line === 'greeting' && number < times ? GREETING : undefined),
  })

  test('421 in the greeting: later, and twice as late', async () => {
    const all = pooled({ backOff: { attempts: 4, firstMs: 100, mostMs: 250 } }, refusing(3))
    await taking(all, [numbered(1)])
    const waits = all.begun.slice(1).map((at, before) => at - (all.begun[before] ?? 0))
    for (const [at, least] of [100, 200, 250].entries()) {
      expect(waits[at]).toBeGreaterThanOrEqual(least)
      expect(waits[at]).toBeLessThan(least + 20)
    }
    await advance(all.pool.close())
  })

  test('after so many attempts in all the refusal stands', async () => {
    const all = pooled({ backOff: { attempts: 2, firstMs: 100 } }, refusing(2))
    const failure = await advance(rejection(submit(all, numbered(1))))
    expect(failure).toMatchObject({ code: 'ERR_SMTP_REPLY', phase: 'greeting', status: 421, transient: true })
    expect(all.servers).toHaveLength(2)
    await taking(all, [numbered(2)])
    await advance(all.pool.close())
  })

  test('other refusals of a connection are not waited for', async () => {
    for (const greeting of ['554 5.7.1 no\r\n', '450 4.7.0 no\r\n']) {
      const all = pooled({}, () => ({ special: (line) => (line === 'greeting' ? greeting : undefined) }))
      expect(await advance(rejection(submit(all, numbered(1))))).toMatchObject({ phase: 'greeting', status: Number(greeting.slice(0, 3)) })
      expect(all.servers).toHaveLength(1)
      await all.pool.close()
    }
  })

  test.each(['432 4.7.12 a password transition is needed', '454 4.7.0 temporary authentication failure', '421 4.7.0 slow down'])(
    '%s at AUTH',
    async (reply) => {
      const options: Partial<SmtpPoolOptions> = { auth: { user: 'u', password: 'p', mechanism: 'PLAIN' }, backOff: { firstMs: 100 } }
      const all = pooled(options, (number) => ({
        extensions: ['AUTH PLAIN'],
        special: (line) => (line.startsWith('AUTH') ? (number === 0 ? `${reply}\r\n` : '235 welcome\r\n') : undefined),
      }))
      expect(await taking(all, [numbered(1)])).toBeGreaterThanOrEqual(100)
      expect(all.servers).toHaveLength(2)
      await advance(all.pool.close())
    },
  )

  test('535 at AUTH is no throttling', async () => {
    const all = pooled({ auth: { user: 'u', password: 'p', mechanism: 'PLAIN' } }, () => ({
      extensions: ['AUTH PLAIN'],
      special: (line) => (line.startsWith('AUTH') ? '535 5.7.8 no\r\n' : undefined),
    }))
    expect(await advance(rejection(submit(all, numbered(1))))).toMatchObject({ code: 'ERR_AUTH', status: 535 })
    expect(all.servers).toHaveLength(1)
    await all.pool.close()
  })

  test.each(['421', '432', '454'])('%s at MAIL: the message begins again in another connection, after a while', async (status) => {
    const all = pooled({ backOff: { firstMs: 100 } }, (number) => ({
      special: (line) => (line.startsWith('MAIL') && number === 0 ? `${status} 4.7.0 slow down\r\n` : undefined),
    }))
    expect(await taking(all, [numbered(1)])).toBeGreaterThanOrEqual(100)
    expect(all.servers.map(({ stored }) => stored.length)).toEqual([0, 1])
    await advance(all.pool.close())
  })

  test('a server that is full at every MAIL: each wait is twice as long, and then the refusal stands', async () => {
    const all = pooled({ backOff: { attempts: 4, firstMs: 100, mostMs: 1_000 } }, () => ({
      special: (line) => (line.startsWith('MAIL') ? '421 4.7.0 slow down\r\n' : undefined),
    }))
    const receipt = await advance(submit(all, numbered(1)))
    expect(receipt).toMatchObject({ outcome: 'deferred', reply: { status: 421 } })
    expect(all.servers).toHaveLength(4)
    const waits = all.begun.slice(1).map((at, before) => at - (all.begun[before] ?? 0))
    for (const [at, least] of [100, 200, 400].entries()) expect(waits[at]).toBeGreaterThanOrEqual(least)
    await advance(all.pool.close())
  })

  test('451 at MAIL, and 421 after MAIL, are outcomes of the message', async () => {
    for (const [verb, reply] of [
      ['MAIL', '451 4.3.0 later'],
      ['MAIL', '452 4.3.1 full'],
      ['RCPT', '421 4.7.0 later'],
    ] as const) {
      const all = pooled({}, () => ({ special: (line) => (line.startsWith(verb) ? `${reply}\r\n` : undefined) }))
      expect((await advance(submit(all, numbered(1)))).outcome).toBe('deferred')
      expect(all.servers).toHaveLength(1)
      await advance(all.pool.close())
    }
  })

  test('connections that are there already go on while no new one is made', async () => {
    const all = pooled({ maxConnections: 3, backOff: { firstMs: 10_000 } }, (number) => ({
      linkMs: 5,
      special: (line: string) => (line === 'greeting' && number > 0 ? GREETING : undefined),
    }))
    expect(await taking(all, manyNumbered(20))).toBeLessThan(1_000)
    expect(all.servers.length).toBeLessThanOrEqual(3)
    expect(all.servers[0]?.stored).toHaveLength(20)
    await advance(all.pool.close())
  })

  test('many that are refused at once have one wait', async () => {
    const all = pooled({ backOff: { attempts: 3, firstMs: 100 } }, (number) => ({
      linkMs: 5,
      special: (line) => (line.startsWith('EHLO') && number < 5 ? GREETING : undefined),
    }))
    const took = await taking(all, manyNumbered(5))
    expect(took).toBeGreaterThanOrEqual(100)
    expect(took).toBeLessThan(200)
    await advance(all.pool.close())
  })

  test('who waits for it can leave', async () => {
    const all = pooled({ backOff: { firstMs: 10_000 } }, refusing(9))
    const controller = new AbortController()
    const reason = new Error('no longer')
    const waiting = rejection(submit(all, numbered(1, { signal: controller.signal })))
    await pass(100)
    expect(all.servers).toHaveLength(1)
    controller.abort(reason)
    expect(await waiting).toBe(reason)
    await advance(all.pool.close())
  })
})

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
          expect((await submit(all, message)).outcome).toBe('accepted')
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
    for (const server of all.servers) expect(verbs(server, 'QUIT')).toBe(1)
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
    const settled = Promise.allSettled(signals.map(({ signal }, at) => submit(all, numbered(at, at % 5 === 0 ? { signal } : {}))))
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
    expect([all.open().length, verbs(all.servers[0], 'QUIT')]).toEqual([0, 1])
    await advance(all.pool.close())
  })
})

describe('who leaves', () => {
  test('while a connection is made for it: others have theirs, and nothing stays open', async () => {
    const all = pooled({ maxConnections: 1 }, () => ({ linkMs: 50 }))
    const controller = new AbortController()
    const reason = new Error('no longer')
    const aborted = rejection(submit(all, numbered(1, { signal: controller.signal })))
    const other = submit(all, numbered(2))
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
    const aborted = rejection(submit(all, numbered(1, { signal: controller.signal })))
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
    expect(await rejection(submit(all, numbered(1, { signal: AbortSignal.abort(reason) })))).toBe(reason)
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
      const first = submit(all, messages[0] ?? numbered(0))
      const aborted = rejection(all.pool.submit({ from: '', to: ['b@x.test'], options: { signal: controller.signal } }, hanging))
      const others = Promise.all([first, ...messages.slice(1).map((message) => submit(all, message))])
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
    const receipts = Promise.all(manyNumbered(6).map((message) => submit(all, message)))
    const closed = all.pool.close()
    expect(await rejection(submit(all, numbered(7)))).toMatchObject({ code: 'ERR_CLOSED' })
    await advance(closed)
    expect((await receipts).map(({ outcome }) => outcome)).toEqual(Array(6).fill('accepted'))
    expect(all.open()).toEqual([])
    for (const server of all.servers) expect(verbs(server, 'QUIT')).toBe(1)
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
