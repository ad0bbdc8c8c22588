import { describe, expect, test } from 'vitest'
import type { Envelope } from '../../../src/smtp/envelope.ts'
import type { SmtpPoolOptions } from '../../../src/smtp/pool.ts'
import type { Receipt } from '../../../src/smtp/transaction.ts'
import { manyNumbered, pooled, type Pooled } from '../../support/smtp-flight-client.ts'
import type { FlightOptions, SmtpFlightServer } from '../../support/smtp-flights.ts'
import { chunks, rejection } from '../../support/smtp-replay.ts'

const OCTETS = 'Subject: x\r\n\r\nhello\r\n'
const content = (): AsyncIterable<Uint8Array> => chunks(OCTETS)
const BOTH = ['PIPELINING', 'CHUNKING']

/** What a server offers with these limits. */
const limits = (text: string): FlightOptions => ({ extensions: [...BOTH, `LIMITS ${text}`] })

/** `count` addresses in `domains` domains, in turn. */
const addresses = (count: number, domains = 1): string[] => Array.from({ length: count }, (_, at) => `r${at}@d${at % domains}.test`)

/** A server that takes so many recipients of a transaction, and says 452 to the rest. */
function taking(most: number, refusal = '452 4.5.3 too many recipients\r\n'): FlightOptions {
  let taken = 0
  return {
    extensions: BOTH,
    special: (line) => {
      if (/^(?:MAIL|RSET)/.test(line)) taken = 0
      return line.startsWith('RCPT') && ++taken > most ? refusal : undefined
    },
  }
}

const outcomesOf = ({ recipients }: Receipt): string[] => recipients.map(({ outcome }) => outcome)

const pathsOf = ({ rcpt }: { rcpt: readonly string[] }): string[] => rcpt.map((line) => /<(.*)>/.exec(line)?.[1] ?? '')

/** Every recipient was accepted once and only once, and told so; each transaction had the whole content and the same MAIL. */
function expectEachOnce(servers: readonly SmtpFlightServer[], to: readonly string[], receipt: Receipt): void {
  const stored = servers.flatMap((server) => server.stored)
  const paths = stored.flatMap(pathsOf)
  expect(paths.length).toBe(to.length)
  expect(paths.toSorted()).toEqual(to.toSorted())
  expect(new Set(stored.map(({ octets }) => octets.toString()))).toEqual(new Set([OCTETS]))
  expect(new Set(stored.map(({ mail }) => mail)).size).toBe(1)
  expect(receipt).toMatchObject({ outcome: 'accepted', octets: OCTETS.length, reply: { status: 250 } })
  expect(receipt.recipients.map(({ address }) => address)).toEqual(to)
  expect(receipt.recipients.every(({ outcome }) => outcome === 'accepted')).toBe(true)
}

async function submitted(to: Envelope['to'], options: Partial<SmtpPoolOptions>, server: () => FlightOptions): Promise<Pooled & { receipt: Receipt }> {
  const all = pooled(options, server)
  const receipt = await all.pool.submit({ from: 'a@x.test', to }, content)
  await all.pool.close()
  expect(all.open()).toEqual([])
  return { ...all, receipt }
}

describe('one envelope in several transactions', () => {
  const WAYS: Partial<SmtpPoolOptions>[] = [
    {},
    { chunking: true },
    { pipelining: 'overlap' },
    { pipelining: 'transaction' },
    { pipelining: 'back-to-back' },
  ]

  test.each(WAYS)('RCPTMAX, %j', async (options) => {
    const to = addresses(25)
    const { servers, receipt } = await submitted(to, options, () => limits('RCPTMAX=10'))
    expectEachOnce(servers, to, receipt)
    expect(servers.flatMap(({ stored }) => stored.map(({ rcpt }) => rcpt.length))).toEqual([10, 10, 5])
    expect(servers).toHaveLength(1)
  })

  test.each(WAYS)('RCPTDOMAINMAX, %j', async (options) => {
    const to = addresses(12, 4)
    const { servers, receipt } = await submitted(to, options, () => limits('RCPTDOMAINMAX=3'))
    expectEachOnce(servers, to, receipt)
    for (const stored of servers.flatMap((server) => server.stored))
      expect(new Set(pathsOf(stored).map((path) => path.split('@')[1])).size).toBeLessThanOrEqual(3)
  })

  test.each(WAYS)('MAILMAX with RCPTMAX: as many connections as it takes, %j', async (options) => {
    const to = addresses(25)
    const { servers, receipt, most } = await submitted(to, { ...options, maxConnections: 1 }, () => limits('RCPTMAX=5 MAILMAX=2'))
    expectEachOnce(servers, to, receipt)
    expect(servers.map(({ stored }) => stored.length)).toEqual([2, 2, 1])
    expect(most()).toBe(1)
    for (const server of servers) expect(server.lines.at(-1)).toBe('QUIT')
  })

  test.each(WAYS)('452 after so many, %j (RFC 5321 §4.5.3.1.10)', async (options) => {
    const to = addresses(25)
    const { servers, receipt } = await submitted(to, options, () => taking(10))
    expectEachOnce(servers, to, receipt)
  })

  test.each(['452 too many\r\n', '452 4.5.3 too many\r\n', '552 too many\r\n', '552 5.5.3 too many\r\n'])('refused by %j', async (refusal) => {
    const to = addresses(5)
    const { servers, receipt } = await submitted(to, {}, () => taking(2, refusal))
    expectEachOnce(servers, to, receipt)
    expect(servers.flatMap(({ stored }) => stored.map(({ rcpt }) => rcpt.length))).toEqual([2, 2, 1])
  })

  test.each(['452 4.3.1 disk full\r\n', '452 4.2.2 mailbox full\r\n', '450 4.2.1 busy\r\n', '550 5.1.1 nobody\r\n'])(
    'not by %j, which is of the recipient',
    async (refusal) => {
      const to = addresses(5)
      const { servers, receipt } = await submitted(to, {}, () => taking(2, refusal))
      expect(servers.flatMap(({ stored }) => stored.map(({ rcpt }) => rcpt.length))).toEqual([2])
      expect(receipt.outcome).toBe('partial')
      expect(receipt.recipients.map(({ outcome }) => outcome)).toEqual([
        'accepted',
        'accepted',
        ...Array(3).fill(refusal.startsWith('4') ? 'deferred' : 'refused'),
      ])
    },
  )

  test('ten thousand recipients, of whom the server takes a thousand at a time', async () => {
    const to = addresses(10_000, 7)
    const { servers, receipt } = await submitted(to, {}, () => taking(1_000))
    expectEachOnce(servers, to, receipt)
    expect(servers.flatMap(({ stored }) => stored)).toHaveLength(10)
  })

  test('ten thousand recipients, a hundred at a time by RCPTMAX', async () => {
    const to = addresses(10_000, 7)
    const { servers, receipt } = await submitted(to, { maxMessages: 30 }, () => limits('RCPTMAX=100'))
    expectEachOnce(servers, to, receipt)
    expect(servers.map(({ stored }) => stored.length)).toEqual([30, 30, 30, 10])
  })

  test('an address that is given twice is sent once and told twice, in whichever transaction it was', async () => {
    const to = ['a@x.test', 'b@x.test', 'a@X.test', 'c@x.test', 'b@x.TEST', 'd@x.test', 'e@x.test', 'a@x.test']
    for (const server of [(): FlightOptions => limits('RCPTMAX=2'), (): FlightOptions => taking(2)]) {
      const { servers, receipt } = await submitted(to, {}, server)
      expect(servers.flatMap(({ stored }) => stored.flatMap(pathsOf))).toEqual(['a@x.test', 'b@x.test', 'c@x.test', 'd@x.test', 'e@x.test'])
      expect(receipt.recipients.map(({ address }) => address)).toEqual(to)
      expect(receipt.outcome).toBe('accepted')
    }
  })

  test('S37: what the caller changes while it waits, or between them, changes nothing', async () => {
    const { pool, servers } = pooled({}, () => ({ extensions: ['PIPELINING', 'DSN', 'LIMITS RCPTMAX=1'] }))
    const notify: ('success' | 'failure')[] = ['success']
    const to = [
      { address: 'a@x.test', notify },
      { address: 'b@x.test', notify },
    ]
    const dsn: { ret: 'full' | 'headers' } = { ret: 'full' }
    const envelope = { from: 's@x.test', to, options: { dsn } }
    const receipt = pool.submit(envelope, content)
    envelope.from = 'evil@x.test'
    for (const one of to) one.address = 'evil@x.test'
    notify[0] = 'failure'
    dsn.ret = 'headers'
    envelope.options = { dsn: { ret: 'headers' } }
    expect((await receipt).recipients.map(({ address }) => address)).toEqual(['a@x.test', 'b@x.test'])
    expect(servers.flatMap(({ stored }) => stored.flatMap(({ mail, rcpt }) => [mail, ...rcpt]))).toEqual([
      'MAIL FROM:<s@x.test> RET=FULL',
      'RCPT TO:<a@x.test> NOTIFY=SUCCESS',
      'MAIL FROM:<s@x.test> RET=FULL',
      'RCPT TO:<b@x.test> NOTIFY=SUCCESS',
    ])
    await pool.close()
  })

  test('parameters of recipients go with them', async () => {
    const to = [{ address: 'a@x.test', notify: 'never' }, 'b@x.test', { address: 'c@x.test', orcpt: 'o@y.test' }] as const
    const { servers } = await submitted(to, {}, () => ({ extensions: ['PIPELINING', 'DSN', 'LIMITS RCPTMAX=1'] }))
    expect(servers.flatMap(({ stored }) => stored.flatMap(({ rcpt }) => rcpt))).toEqual([
      'RCPT TO:<a@x.test> NOTIFY=NEVER',
      'RCPT TO:<b@x.test>',
      'RCPT TO:<c@x.test> ORCPT=rfc822;o@y.test',
    ])
  })
})

describe('what a divided message came to', () => {
  const to = addresses(6)

  /** Two recipients a transaction; `special` sees how many messages were stored before. */
  async function divided(special: (line: string, stored: number, server: SmtpFlightServer) => string | undefined, options: Envelope['options'] = {}) {
    let stored = 0
    const all = pooled({ maxConnections: 1 }, () => ({
      ...limits('RCPTMAX=2'),
      special: (line, server) => {
        const said = special(line, stored, server)
        if (said === undefined && /^\.$/.test(line)) stored++
        return said
      },
    }))
    const receipt = await all.pool.submit({ from: '', to, options }, content)
    return { ...all, receipt }
  }

  test('a recipient refused in one of them', async () => {
    const { receipt } = await divided((line) => (line === 'RCPT TO:<r3@d0.test>' ? '550 5.1.1 nobody\r\n' : undefined))
    expect(receipt.outcome).toBe('partial')
    expect(outcomesOf(receipt)).toEqual(['accepted', 'accepted', 'accepted', 'refused', 'accepted', 'accepted'])
    expect(receipt.recipients[3]?.reply?.status).toBe(550)
  })

  test('content that is refused is not offered again to the rest', async () => {
    const { receipt, servers } = await divided((line) => (line === '.' ? '554 5.6.0 no\r\n' : undefined))
    expect(receipt).toMatchObject({ outcome: 'deferred' })
    expect(outcomesOf(receipt)).toEqual(['refused', 'refused', 'deferred', 'deferred', 'deferred', 'deferred'])
    expect(servers[0]?.lines.filter((line) => line === 'DATA')).toHaveLength(1)
  })

  test('a connection that is lost in the second: what the first have is told, and the rest is deferred', async () => {
    const { receipt, servers } = await divided((line, stored, server) => {
      if (stored !== 1 || !line.startsWith('RCPT')) return undefined
      server.hangUp()
      return ''
    })
    expect(receipt.outcome).toBe('partial')
    expect(outcomesOf(receipt)).toEqual(['accepted', 'accepted', 'deferred', 'deferred', 'deferred', 'deferred'])
    expect(servers.flatMap(({ stored }) => stored.flatMap(pathsOf))).toEqual(to.slice(0, 2))
  })

  test('the reply to the second content is lost: those are unknown, and nobody is told twice', async () => {
    const { receipt } = await divided((line, stored, server) => {
      if (stored !== 1 || line !== '.') return undefined
      server.hangUp()
      return ''
    })
    expect(receipt.outcome).toBe('unknown')
    expect(outcomesOf(receipt)).toEqual(['accepted', 'accepted', 'unknown', 'unknown', 'deferred', 'deferred'])
  })

  test('aborted between them: what the first have is told', async () => {
    const controller = new AbortController()
    const { receipt, servers } = await divided(
      (line, stored) => {
        if (stored === 1 && line.startsWith('MAIL')) controller.abort(new Error('enough'))
        return undefined
      },
      { signal: controller.signal },
    )
    expect(outcomesOf(receipt)).toEqual(['accepted', 'accepted', 'deferred', 'deferred', 'deferred', 'deferred'])
    expect(servers.flatMap(({ stored }) => stored)).toHaveLength(1)
  })

  test("'refuse' cannot be divided: ERR_LIMIT where the server says so, deferred where it finds out", async () => {
    const strict = { from: '', to, options: { partial: 'refuse' } } as const
    const told = pooled({}, () => limits('RCPTMAX=2'))
    expect(await rejection(told.pool.submit(strict, content))).toMatchObject({ code: 'ERR_LIMIT' })
    expect(told.servers[0]?.lines).toHaveLength(1)
    const found = pooled({}, () => taking(2))
    const receipt = await found.pool.submit(strict, content)
    expect([receipt.outcome, ...outcomesOf(receipt)]).toEqual(['deferred', ...Array(6).fill('deferred')])
    expect(found.servers[0]?.stored).toEqual([])
    await Promise.all([told.pool.close(), found.pool.close()])
  })
})

test.each([{}, { pipelining: 'overlap' }, { pipelining: 'transaction' }, { pipelining: 'back-to-back' }] as const)(
  'MAILMAX: many messages at once need many connections, and none of them fails for that, %j',
  async (options) => {
    const all = pooled({ ...options, maxConnections: 2 }, () => limits('MAILMAX=3'))
    const messages = manyNumbered(40)
    const receipts = await Promise.all(messages.map((message) => all.pool.submit(message.envelope, () => chunks(message.content))))
    await all.pool.close()
    expect(receipts.every(({ outcome }) => outcome === 'accepted')).toBe(true)
    expect(all.most()).toBeLessThanOrEqual(2)
    for (const { lines } of all.servers) expect(lines.filter((line) => line.startsWith('MAIL')).length).toBeLessThanOrEqual(3)
    const stored = all.servers.flatMap((server) => server.stored.map(({ octets }) => octets.toString()))
    expect(stored.toSorted()).toEqual(messages.map((message) => message.content.toString()).toSorted())
  },
)
