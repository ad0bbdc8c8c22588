import { Readable } from 'node:stream'
import { afterEach, expect, test } from 'vitest'
import { SmtpClient } from '../../../src/smtp/client.ts'
import { SmtpPool, type SmtpPoolOptions } from '../../../src/smtp/pool.ts'
import { startFakeServer, type FakeServer, type Step } from '../../support/fake-server.ts'
import { chunks, rejection, untyped } from '../../support/smtp-replay.ts'

const HELLO: Step[] = [{ send: '220 x\r\n' }, { expect: 'EHLO' }, { send: '250-x\r\n250 PIPELINING\r\n' }]
const MESSAGE: Step[] = [
  { expect: 'MAIL' },
  { expect: 'RCPT' },
  { expect: 'DATA' },
  { send: '250 ok\r\n250 ok\r\n354 go\r\n' },
  { skipTo: '.' },
  { send: '250 taken\r\n' },
]
const QUIT: Step[] = [{ expect: 'QUIT' }, { send: '221 bye\r\n' }, { end: 'drop' }]
const ENVELOPE = { from: '', to: ['b@x.test'] }

const servers: FakeServer[] = []

async function serving(
  script: readonly Step[] | ((connection: number) => readonly Step[]),
  options: Partial<SmtpPoolOptions> = {},
): Promise<{ server: FakeServer; pool: SmtpPool }> {
  const server = await startFakeServer({ script })
  servers.push(server)
  return { server, pool: new SmtpPool({ host: server.host, port: server.port, security: 'none', ...options }) }
}

afterEach(async () => {
  for (const server of servers.splice(0)) {
    await server.done()
    expect(server.failures).toEqual([])
    await server.close()
  }
})

test('one connection is used again, as often as it may be, and left with QUIT', async () => {
  const { server, pool } = await serving((connection) => [...HELLO, ...MESSAGE, ...(connection === 0 ? MESSAGE : []), ...QUIT], {
    maxConnections: 1,
    maxMessages: 2,
  })
  const receipts = await Promise.all([1, 2, 3].map((number) => pool.submit(ENVELOPE, () => chunks(`message ${number}`))))
  expect(receipts.map(({ outcome }) => outcome)).toEqual(['accepted', 'accepted', 'accepted'])
  await pool.close()
  expect(server.lines).toHaveLength(2)
  expect(await rejection(pool.submit(ENVELOPE, () => chunks('')))).toMatchObject({ code: 'ERR_CLOSED' })
})

test('several connections, never more than allowed', async () => {
  let open = 0
  let most = 0
  const count: Step = {
    run: async () => {
      most = Math.max(most, ++open)
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
      open--
    },
  }
  const { server, pool } = await serving([...HELLO, count, ...MESSAGE, ...QUIT], { maxConnections: 2, maxMessages: 1 })
  await Promise.all([1, 2, 3, 4, 5].map(() => pool.submit(ENVELOPE, () => chunks('x'))))
  await pool[Symbol.asyncDispose]()
  expect(server.lines).toHaveLength(5)
  expect(most).toBeLessThanOrEqual(2)
})

test.each([
  ['closed while it was idle', [{ end: 'drop' }]],
  ['closed at MAIL', [{ expect: 'MAIL' }, { end: 'reset' }]],
  ['left with 421 while it was idle (H19)', [{ send: '421 4.4.2 idle\r\n' }, { end: 'drop' }]],
  ['left with 421 at MAIL', [{ expect: 'MAIL' }, { send: '421 4.4.2 idle\r\n' }, { end: 'drop' }]],
] as const)('a connection that was %s is replaced once, and nothing is sent twice (S31, quirk 14)', async (_name, leaves) => {
  const { server, pool } = await serving((connection) => [...HELLO, ...MESSAGE, ...(connection === 0 ? leaves : QUIT)], { maxConnections: 1 })
  let asked = 0
  const content = (): AsyncIterable<Uint8Array> => {
    asked++
    return chunks('x')
  }
  expect((await pool.submit(ENVELOPE, content)).outcome).toBe('accepted')
  expect((await pool.submit(ENVELOPE, content)).outcome).toBe('accepted')
  await pool.close()
  expect(server.lines).toHaveLength(2)
  expect(asked).toBeGreaterThanOrEqual(2)
})

test('a new connection that is lost is not replaced, nor one that is lost after the recipients', async () => {
  const fresh = await serving([...HELLO, { expect: 'MAIL' }, { end: 'reset' }])
  expect(await rejection(fresh.pool.submit(ENVELOPE, () => chunks('x')))).toMatchObject({ code: 'ERR_CLOSED', transient: true })
  const late = await serving([...HELLO, ...MESSAGE, ...MESSAGE.slice(0, 3), { send: '250 ok\r\n' }, { end: 'drop' }])
  await late.pool.submit(ENVELOPE, () => chunks('x'))
  expect(await rejection(late.pool.submit(ENVELOPE, () => chunks('x')))).toMatchObject({ code: 'ERR_CLOSED', phase: 'rcpt' })
  expect([fresh.server.lines.length, late.server.lines.length]).toEqual([1, 1])
  await fresh.pool.close()
  await late.pool.close()
})

test('RSET that is refused is no better than a lost connection (S31)', async () => {
  const refusal: Step[] = [{ expect: 'MAIL' }, { expect: 'RCPT' }, { expect: 'DATA' }, { send: '250 ok\r\n550 no\r\n503 no\r\n' }]
  const first: Step[] = [...HELLO, ...refusal, { expect: 'RSET' }, { send: '500 what?\r\n' }]
  const { server, pool } = await serving((connection) => (connection === 0 ? first : [...HELLO, ...MESSAGE, ...QUIT]), { maxConnections: 1 })
  expect((await pool.submit(ENVELOPE, () => chunks('x'))).outcome).toBe('refused')
  expect((await pool.submit(ENVELOPE, () => chunks('x'))).outcome).toBe('accepted')
  await pool.close()
  expect(server.lines).toHaveLength(2)
})

test('421 to a recipient is an answer: it is not asked again (H18)', async () => {
  const late: Step[] = [{ expect: 'MAIL' }, { expect: 'RCPT' }, { expect: 'DATA' }, { send: '250 ok\r\n421 4.7.0 slow down\r\n' }, { end: 'drop' }]
  const { server, pool } = await serving([...HELLO, ...MESSAGE, ...late], { maxConnections: 1 })
  await pool.submit(ENVELOPE, () => chunks('x'))
  expect(await pool.submit(ENVELOPE, () => chunks('x'))).toMatchObject({ outcome: 'deferred', reply: { status: 421 } })
  await pool.close()
  expect(server.lines).toHaveLength(1)
})

test('a stream that was opened for a message is closed when nobody wants it, and content that cannot be opened costs no connection', async () => {
  const refusal: Step[] = [{ expect: 'MAIL' }, { expect: 'RCPT' }, { expect: 'DATA' }, { send: '250 ok\r\n550 no\r\n503 no\r\n' }]
  const { server, pool } = await serving([...HELLO, ...refusal, ...QUIT], { maxConnections: 1 })
  const stream = Readable.from(chunks('x'))
  expect((await pool.submit(ENVELOPE, () => stream)).outcome).toBe('refused')
  expect(stream.destroyed).toBe(true)
  const failure = new Error('no such file')
  const failing = (): never => {
    throw failure
  }
  expect(await rejection(pool.submit(ENVELOPE, failing))).toBe(failure)
  await pool.close()
  await server.done()
  expect([server.lines.length, server.open]).toEqual([1, 0])
})

test('the rate lets no more begin in its time, and who waits can leave', async () => {
  const { pool } = await serving([...HELLO, ...MESSAGE, ...MESSAGE, ...QUIT], { maxConnections: 1, rate: { messages: 1, perMs: 100 } })
  const from = performance.now()
  const first = pool.submit(ENVELOPE, () => chunks('x'))
  const controller = new AbortController()
  const left = rejection(pool.submit({ ...ENVELOPE, options: { signal: controller.signal } }, () => chunks('y')))
  const second = pool.submit(ENVELOPE, () => chunks('z'))
  const reason = new Error('no longer')
  controller.abort(reason)
  expect(await left).toBe(reason)
  await Promise.all([first, second])
  expect(performance.now() - from).toBeGreaterThanOrEqual(99)
  await pool.close()
})

test('options are checked before anything is connected', () => {
  for (const options of [
    { maxConnections: 0 },
    { maxMessages: Number.NaN },
    { rate: { messages: 1, perMs: -1 } },
    { clientName: 'a b' },
    { host: '' },
  ]) {
    expect(() => new SmtpPool({ host: 'x', ...options })).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
  }
  expect(() => new SmtpPool(untyped({ host: 'x', maxMessages: '5' }))).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
})

test('a server that cannot be reached, and one that refuses, reject; the pool goes on', async () => {
  const { pool } = await serving((connection) => (connection === 0 ? [{ send: '554 no\r\n' }, ...QUIT] : [...HELLO, ...MESSAGE, ...QUIT]))
  expect(await rejection(pool.submit(ENVELOPE, () => chunks('x')))).toMatchObject({ code: 'ERR_SMTP_REPLY', phase: 'greeting' })
  expect((await pool.submit(ENVELOPE, () => chunks('x'))).outcome).toBe('accepted')
  await pool.close()
})

test('connect over a socket: an address literal, a reply in pieces, and nothing left open', async () => {
  const pieces = '220-x\r\n220 y\r\n'.split('')
  const { server } = await serving([{ send: pieces }, { expect: /^EHLO \[127\.0\.0\.1\]$/ }, { send: '250 x\r\n' }, ...QUIT])
  const client = await SmtpClient.connect({ host: server.host, port: server.port, security: 'none' })
  await client.quit()
  await server.done()
  expect(server.open).toBe(0)
})
