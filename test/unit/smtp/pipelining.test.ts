import { afterEach, describe, expect, test, vi } from 'vitest'
import type { SmtpClient } from '../../../src/smtp/client.ts'
import type { SmtpOptions } from '../../../src/smtp/options.ts'
import type { Receipt } from '../../../src/smtp/transaction.ts'
import { advance, expectStored, manyNumbered, numbered, overFlights, pooled, type Numbered } from '../../support/smtp-flight-client.ts'
import { chunks, untyped } from '../../support/smtp-replay.ts'

const BOTH = ['PIPELINING', 'CHUNKING', '8BITMIME']

afterEach(() => {
  vi.useRealTimers()
})

const submitAll = (client: SmtpClient, messages: readonly Numbered[]): Promise<Receipt[]> =>
  Promise.all(messages.map(({ envelope, content }) => client.submit(envelope, content)))

test.each<[options: Partial<SmtpOptions>, flights: number]>([
  [{}, 200],
  [{ pipelining: 'overlap' }, 101],
  [{ pipelining: 'transaction' }, 100],
  [{ pipelining: 'back-to-back' }, 20],
])('100 messages through a pool of one connection, %j: at most %i round trips, EHLO aside', async (options, flights) => {
  const { pool, servers } = pooled({ ...options, maxConnections: 1 }, () => ({ extensions: BOTH }))
  const messages = manyNumbered(100)
  const receipts = await Promise.all(messages.map(({ envelope, content }) => pool.submit(envelope, () => content)))
  expect(receipts.every(({ outcome }) => outcome === 'accepted')).toBe(true)
  expect(servers).toHaveLength(1)
  for (const server of servers) {
    expect(server.flights.filter(([line]) => /^(?!EHLO|QUIT)/.test(line ?? 'QUIT')).length).toBeLessThanOrEqual(flights)
    expectStored(server, messages)
  }
  await pool.close()
})

describe('100 messages in a row, counted on the transcript', () => {
  test.each<[name: string, extensions: string[], options: Partial<SmtpOptions>, flights: number]>([
    ['the default: two round trips a message', BOTH, {}, 200],
    ['BDAT, with the default: two', BOTH, { chunking: true }, 200],
    ['none: one command at a time', BOTH, { pipelining: 'none' }, 500],
    ['none, BDAT', BOTH, { pipelining: 'none', chunking: true }, 400],
    ['overlap: one, and one more in all', BOTH, { pipelining: 'overlap' }, 101],
    ['overlap, BDAT', BOTH, { pipelining: 'overlap', chunking: true }, 101],
    ['transaction: one', BOTH, { pipelining: 'transaction' }, 100],
    ['no CHUNKING: transaction is overlap', ['PIPELINING'], { pipelining: 'transaction' }, 101],
    ['no CHUNKING: back-to-back is overlap', ['PIPELINING'], { pipelining: 'back-to-back' }, 101],
    ['CHUNKING not wanted: back-to-back is overlap', BOTH, { pipelining: 'back-to-back', chunking: false }, 101],
    ['no PIPELINING: overlap is one command at a time', ['CHUNKING'], { pipelining: 'overlap' }, 500],
    ['no PIPELINING: transaction waits for each reply', ['CHUNKING'], { pipelining: 'transaction' }, 400],
    ['no PIPELINING: back-to-back waits for each reply', ['CHUNKING'], { pipelining: 'back-to-back' }, 400],
    ['neither: one command at a time', [], { pipelining: 'back-to-back' }, 500],
  ])('%s', async (_name, extensions, options, flights) => {
    const { client, server } = await overFlights({ extensions }, options)
    const before = server.flights.length
    const messages = manyNumbered(100)
    const receipts = await submitAll(client, messages)
    expect(receipts.every(({ outcome }) => outcome === 'accepted')).toBe(true)
    expect(receipts.map(({ octets }) => octets)).toEqual(messages.map(({ content }) => content.length))
    expect(server.since(before)).toBe(flights)
    expectStored(server, messages)
    expect(server.disordered).toEqual([])
    await client.quit()
  })

  test('back to back: far fewer than one', async () => {
    const { client, server } = await overFlights({ extensions: BOTH }, { pipelining: 'back-to-back' })
    const before = server.flights.length
    const messages = manyNumbered(100)
    const receipts = await submitAll(client, messages)
    expect(receipts.every(({ outcome }) => outcome === 'accepted')).toBe(true)
    expect(server.since(before)).toBeLessThanOrEqual(10)
    expectStored(server, messages)
    expect(server.disordered).toEqual([])
  })

  test.each<[pipelining: SmtpOptions['pipelining'], flights: number]>([
    ['envelope', 40],
    ['overlap', 40],
    ['transaction', 20],
    ['back-to-back', 20],
  ])('%s, each submitted when the one before it is done', async (pipelining, flights) => {
    const { client, server } = await overFlights({ extensions: BOTH }, { pipelining })
    const before = server.flights.length
    const messages = manyNumbered(20)
    for (const { envelope, content } of messages) expect((await client.submit(envelope, content)).outcome).toBe('accepted')
    expect(server.since(before)).toBe(flights)
    expectStored(server, messages)
  })
})

test.each<[chunking: boolean, pipelining: SmtpOptions['pipelining'], flights: string[][]]>([
  [false, 'envelope', [['MAIL', 'RCPT', 'RCPT'], ['DATA'], ['<']]],
  [
    true,
    'envelope',
    [
      ['MAIL', 'RCPT', 'RCPT'],
      ['BDAT', '<'],
    ],
  ],
  [false, 'overlap', [['MAIL', 'RCPT', 'RCPT'], ['DATA'], ['<']]],
  [
    true,
    'transaction',
    [
      ['MAIL', 'RCPT', 'RCPT'],
      ['BDAT', '<'],
    ],
  ],
  [
    true,
    'back-to-back',
    [
      ['MAIL', 'RCPT', 'RCPT'],
      ['BDAT', '<'],
    ],
  ],
])("partial 'refuse' waits for the replies to RCPT (chunking %s, %s)", async (chunking, pipelining, flights) => {
  const { client, server } = await overFlights({ extensions: BOTH }, { chunking, pipelining })
  const { envelope, content } = numbered(1, { partial: 'refuse' })
  expect((await client.submit(envelope, content)).outcome).toBe('accepted')
  expect(server.flights.slice(1).map((flight) => flight.map((line) => /^(?:<|\w+)/.exec(line)?.[0]))).toEqual(flights)
})

test("'refuse' in the middle of messages back to back waits for its own recipients only", async () => {
  const { client, server } = await overFlights(
    { extensions: BOTH, special: (line) => (line === 'RCPT TO:<q2@x.test>' ? '550 5.1.1 nobody\r\n' : undefined) },
    { pipelining: 'back-to-back' },
  )
  const messages = manyNumbered(5).map(({ envelope, content }, at) => ({
    envelope: { ...envelope, options: at === 2 ? ({ partial: 'refuse' } as const) : {} },
    content,
  }))
  const receipts = await submitAll(client, messages)
  expect(receipts.map(({ outcome }) => outcome)).toEqual(['accepted', 'accepted', 'refused', 'accepted', 'accepted'])
  expect(receipts[2]?.recipients.map(({ outcome }) => outcome)).toEqual(['deferred', 'refused'])
  expectStored(
    server,
    messages.filter((_, at) => at !== 2),
  )
  expect(server.disordered).toEqual([])
})

test.each<[pipelining: SmtpOptions['pipelining'], flights: number]>([
  ['none', 50],
  ['envelope', 20],
  ['overlap', 11],
  ['transaction', 10],
])('%s over a link of 20 ms: the time is that of its flights', async (pipelining, flights) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const { client, server } = await advance(overFlights({ extensions: BOTH, linkMs: 20 }, { pipelining }))
  const from = performance.now()
  const messages = manyNumbered(10)
  await advance(submitAll(client, messages))
  expect(performance.now() - from).toBe(flights * 20)
  expectStored(server, messages)
})

test.each<[extensions: string[], pipelining: SmtpOptions['pipelining'], flights: number]>([
  [BOTH, 'envelope', 2],
  [BOTH, 'overlap', 2],
  [BOTH, 'transaction', 2],
  [BOTH, 'back-to-back', 3], // the last leaves a turn of the event loop later, without waiting
  [BOTH, 'none', 8],
  [['CHUNKING'], 'back-to-back', 8],
])('content above 64 KiB by BDAT, %j, %s: chunks of 64 KiB, without waiting where that is offered', async (extensions, pipelining, flights) => {
  for (const inMemory of [true, false]) {
    const { client, server } = await overFlights({ extensions }, { pipelining, chunking: true })
    const before = server.flights.length
    const long = Buffer.from(`${'0123456789'.repeat(9)}\r\n`.repeat(3_000))
    const big: Numbered = { envelope: { from: 's@x.test', to: ['r@x.test'] }, content: long }
    const receipt = await client.submit(big.envelope, inMemory ? long : at1000(long))
    expect(receipt).toMatchObject({ outcome: 'accepted', octets: long.length })
    expectStored(server, [big])
    const sizes = server.lines.flatMap((line) => /^BDAT (\d+)/.exec(line)?.[1] ?? []).map(Number)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(long.length)
    expect(sizes.slice(0, -1).every((size) => size >= 60_000 && size <= 3 * 65_536)).toBe(true)
    expect(server.since(before)).toBeLessThanOrEqual(flights)
    const small = numbered(7)
    expect((await client.submit(small.envelope, small.content)).outcome).toBe('accepted')
    expectStored(server, [big, small])
  }
})

/** Octets in chunks of a thousand, all there at once. */
async function* at1000(octets: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < octets.length; at += 1000) yield octets.subarray(at, at + 1000)
}

test('no more than 16 chunks are under way without their replies', async () => {
  let most = 0
  let open = 0
  const { client, server } = await overFlights(
    {
      extensions: BOTH,
      special: (line) => {
        if (line.startsWith('BDAT')) open++
        return undefined
      },
    },
    { chunking: true },
  )
  const write = server.onWrite
  server.onWrite = (octets) => {
    most = Math.max(most, server.sent.filter((one) => one.toString('latin1').startsWith('BDAT')).length - open)
    write?.(octets)
  }
  const content = Buffer.from(`${'x'.repeat(98)}\r\n`.repeat(40_000)) // 61 chunks
  expect((await client.submit({ from: '', to: ['b@x.test'] }, content)).outcome).toBe('accepted')
  expect(most).toBeLessThanOrEqual(18)
  expect(server.stored[0]?.octets.equals(content)).toBe(true)
})

test('BDAT of nothing: an empty content, in memory and from a source', async () => {
  for (const pipelining of ['envelope', 'back-to-back'] as const) {
    const { client, server } = await overFlights({ extensions: BOTH }, { pipelining, chunking: true })
    expect(await client.submit({ from: '', to: ['b@x.test'] }, Buffer.alloc(0))).toMatchObject({ outcome: 'accepted', octets: 0 })
    expect(await client.submit({ from: '', to: ['b@x.test'] }, chunks())).toMatchObject({ outcome: 'accepted', octets: 0 })
    expect(server.lines.filter((line) => line.startsWith('BDAT'))).toEqual(['BDAT 0 LAST', 'BDAT 0 LAST'])
    expect(server.stored.map(({ octets }) => octets.length)).toEqual([0, 0])
  }
})

test('binary content goes by BDAT though chunking was not asked for, octet by octet as it was (RFC 3030 §3)', async () => {
  const { client, server } = await overFlights({ extensions: [...BOTH, 'BINARYMIME'] })
  const octets = Buffer.from(Array.from({ length: 70_000 }, (_, at) => (at * 7 + (at >> 8)) & 0xff))
  const options = { body: 'binary', lineEnds: 'verify' } as const
  expect((await client.submit({ from: '', to: ['b@x.test'], options }, octets)).outcome).toBe('accepted')
  expect((await client.submit({ from: '', to: ['b@x.test'], options }, chunks(octets.subarray(0, 3), octets.subarray(3)))).outcome).toBe('accepted')
  expect(server.stored.map((one) => [one.by, one.mail, one.octets.equals(octets)])).toEqual([
    ['BDAT', 'MAIL FROM:<> BODY=BINARYMIME', true],
    ['BDAT', 'MAIL FROM:<> BODY=BINARYMIME', true],
  ])
})

test('S12: what is given comes to the server the same by DATA and by BDAT, in memory and from a source of any chunks', async () => {
  const contents = ['', '.', '\r\n.\r\n', 'a\r\n.\nb', '\n.\r\n', '\r.\r', '..\r\n', 'x\r\r\n.\r\ny', 'last\r\n.', '\r\n.\r\n\r\nMAIL FROM:<e@e>\r\n']
  for (const content of contents) {
    const expected = content.replaceAll(/\r\n|\r|\n/g, '\r\n').replace(/(?<=[^])(?<!\r\n)$/, '\r\n')
    for (const options of [
      {},
      { chunking: true },
      { pipelining: 'overlap' },
      { pipelining: 'transaction' },
      { pipelining: 'back-to-back' },
    ] as const) {
      const { client, server } = await overFlights({ extensions: BOTH }, options)
      const envelope = { from: '', to: ['b@x.test'] }
      const receipts = await Promise.all([
        client.submit(envelope, Buffer.from(content)),
        client.submit(envelope, chunks(content)),
        client.submit(envelope, chunks(...content.split(''))),
      ])
      expect(receipts.map(({ outcome, octets }) => [outcome, octets])).toEqual(Array.from({ length: 3 }, () => ['accepted', expected.length]))
      expect(server.stored.map(({ octets }) => octets.toString())).toEqual([expected, expected, expected])
      expect(server.disordered).toEqual([])
    }
  }
})

const depth = async (extensions: string[], options: Partial<SmtpOptions>): Promise<number> =>
  (await overFlights({ extensions }, options)).client.depth

test('depth: how many submissions at a time are of use', async () => {
  expect(await depth(BOTH, {})).toBe(1)
  expect(await depth(BOTH, { pipelining: 'none' })).toBe(1)
  expect(await depth(BOTH, { pipelining: 'overlap' })).toBe(3)
  expect(await depth(BOTH, { pipelining: 'transaction' })).toBe(1)
  expect(await depth(BOTH, { pipelining: 'back-to-back' })).toBe(32)
  expect(await depth(['PIPELINING'], { pipelining: 'back-to-back' })).toBe(3)
  expect(await depth(['CHUNKING'], { pipelining: 'back-to-back' })).toBe(1)
})

test('the options are checked at the door', async () => {
  for (const options of [
    { pipelining: 'all' },
    { pipelining: true },
    { pipelining: null },
    { chunking: 'yes' },
    { chunking: 1 },
    { chunking: null },
  ]) {
    await expect(overFlights({}, untyped(options)), JSON.stringify(options)).rejects.toMatchObject({ code: 'ERR_OPTION' })
  }
})
