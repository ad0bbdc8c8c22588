import { describe, expect, test } from 'vitest'
import type { SmtpPoolOptions } from '../../../src/smtp/pool.ts'
import { advance, inFakedTime, manyNumbered, numbered, pass, pooled, submitTo, taking } from '../../support/smtp-flight-client.ts'
import { rejection } from '../../support/smtp-replay.ts'

inFakedTime()

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
    const failure = await advance(rejection(submitTo(all, numbered(1))))
    expect(failure).toMatchObject({ code: 'ERR_SMTP_REPLY', phase: 'greeting', status: 421, transient: true })
    expect(all.servers).toHaveLength(2)
    await taking(all, [numbered(2)])
    await advance(all.pool.close())
  })

  test('other refusals of a connection are not waited for', async () => {
    for (const greeting of ['554 5.7.1 no\r\n', '450 4.7.0 no\r\n']) {
      const all = pooled({}, () => ({ special: (line) => (line === 'greeting' ? greeting : undefined) }))
      expect(await advance(rejection(submitTo(all, numbered(1))))).toMatchObject({ phase: 'greeting', status: Number(greeting.slice(0, 3)) })
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
    expect(await advance(rejection(submitTo(all, numbered(1))))).toMatchObject({ code: 'ERR_AUTH', status: 535 })
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
    const receipt = await advance(submitTo(all, numbered(1)))
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
      expect((await advance(submitTo(all, numbered(1)))).outcome).toBe('deferred')
      expect(all.servers).toHaveLength(1)
      await advance(all.pool.close())
    }
  })

  test.each(['421 4.4.2 idle', '451 4.4.2 Timeout waiting for data from client'])(
    '%s at MAIL on a connection that was idle is no outcome: another one is made at once (H19, quirk 13)',
    async (reply) => {
      let isIdle = false
      const all = pooled({ maxConnections: 1, backOff: { firstMs: 10_000 } }, (number) => ({
        special: (line) => (line.startsWith('MAIL') && number === 0 && isIdle ? `${reply}\r\n` : undefined),
      }))
      await taking(all, [numbered(1)])
      isIdle = true
      expect(await taking(all, [numbered(2)])).toBeLessThan(1_000)
      expect(all.servers.map(({ stored }) => stored.length)).toEqual([1, 1])
      await advance(all.pool.close())
    },
  )

  test('421 that comes unasked behind EHLO is a server that is full', async () => {
    const all = pooled({ backOff: { firstMs: 100 } }, (number) => ({
      special: (line) => (line.startsWith('EHLO') && number === 0 ? '250 x.test\r\n421 4.3.2 too many\r\n' : undefined),
    }))
    expect(await taking(all, [numbered(1)])).toBeGreaterThanOrEqual(50)
    expect(all.servers.map(({ stored }) => stored.length)).toEqual([0, 1])
    await advance(all.pool.close())
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
    const waiting = rejection(submitTo(all, numbered(1, { signal: controller.signal })))
    await pass(100)
    expect(all.servers).toHaveLength(1)
    controller.abort(reason)
    expect(await waiting).toBe(reason)
    await advance(all.pool.close())
  })
})
