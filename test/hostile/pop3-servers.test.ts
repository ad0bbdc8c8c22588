import { afterEach, expect, test, vi } from 'vitest'
import { collect, text } from '../support/collect.ts'
import { POP3_LOGIN } from '../support/pop3-login.ts'
import { Pop3Client, type Pop3Options } from '../../src/pop3/index.ts'
import { makeAuthority } from '../support/certificates.ts'
import { byOctet } from '../support/every-split.ts'
import { startFakeServer, type FakeServer, type Step } from '../support/fake-server.ts'
import { answers, FlightServer } from '../support/flights.ts'
import { MemoryTransport } from '../support/memory-transport.ts'

const OPTIONS: Pop3Options = { host: 'pop.test', auth: { user: 'ann', password: 's3cret' } }
const closers: (() => Promise<void>)[] = []
const authority = makeAuthority()
const TLS = authority.issue()

afterEach(async () => {
  vi.useRealTimers()
  for (const close of closers.splice(0)) await close()
})

/** A client in TRANSACTION; `said` is what each line gets, everything else as usual. */
async function loggedIn(said: Readonly<Record<string, string | null>>, options: Partial<Pop3Options> = {}): Promise<[Pop3Client, FlightServer]> {
  const server = new FlightServer(answers(['USER'], (line) => said[line]))
  return [await Pop3Client.over(server, { ...OPTIONS, ...options }), server]
}

async function listen(script: readonly Step[]): Promise<[FakeServer, Pop3Options]> {
  const server = await startFakeServer({ script })
  closers.push(() => server.close())
  return [server, { ...OPTIONS, host: server.host, port: server.port, security: 'none', allowClearTextAuth: true }]
}

const slowly = (octets: string): Step => ({ send: byOctet(Buffer.from(octets)) })

test('H2: one octet a packet is the same as one packet', async () => {
  const [server, options] = await listen([
    ...POP3_LOGIN.map((step) => ('send' in step && typeof step.send === 'string' ? slowly(step.send) : step)),
    { expect: 'LIST' },
    slowly('+OK\r\n1 5\r\n2 6\r\n.\r\n'),
    { expect: 'RETR 1' },
    slowly('+OK\r\na\r\n..\r\n.\r\n'),
    { expect: 'QUIT' },
    slowly('+OK\r\n'),
  ])
  const client = await Pop3Client.connect(options)
  expect(await collect(client.list())).toEqual([
    { number: 1, octets: 5 },
    { number: 2, octets: 6 },
  ])
  expect(await text(client.retrieve(1))).toBe('a\r\n.\r\n')
  expect(await client.quit()).toEqual({ confirmed: true })
  expect(server.failures).toEqual([])
})

test.each([
  ['-ERR [SYS/TEMP] full', 'temporary', true],
  ['-ERR [SYS/PERM] closed for good', 'permanent', false],
  ['-ERR [IN-USE] wait', 'in use', true],
  ['-ERR go away', 'other', false],
])('H5: the greeting %j is an error with its reason, and the client takes its leave', async (greeting, refusal, transient) => {
  const transport = new MemoryTransport()
  transport.feed(`${greeting}\r\n`)
  await expect(Pop3Client.over(transport, OPTIONS)).rejects.toMatchObject({ code: 'ERR_POP3_REPLY', phase: 'greeting', refusal, transient })
  expect(transport.sentText).toBe('QUIT\r\n')
  expect(transport.closed).toBe(true)
})

test('H20: a refusal that is followed by the end of the connection is reported, not the end', async () => {
  for (const end of ['drop', 'reset'] as const) {
    const [, options] = await listen([...POP3_LOGIN.slice(0, 6), { send: '-ERR [AUTH] no\r\n' }, { pause: 20 }, { end }])
    await expect(Pop3Client.connect(options)).rejects.toMatchObject({ code: 'ERR_AUTH', responseCode: 'AUTH' })
  }
})

test('H21, P10: a connection that is reset inside content fails the content', async () => {
  const [, options] = await listen([...POP3_LOGIN, { expect: 'RETR' }, { send: '+OK\r\nfirst\r\n' }, { pause: 20 }, { end: 'reset' }])
  const client = await Pop3Client.connect(options)
  await expect(text(client.retrieve(1))).rejects.toMatchObject({ code: 'ERR_CLOSED', phase: 'retr', transient: true })
  expect(await client.quit()).toEqual({ confirmed: false })
})

test('H30, H31: capabilities in any case, twice, with other parameters; forgotten after STLS and asked again', async () => {
  const transport = new MemoryTransport(null)
  transport.onWrite = (octets) => {
    const line = octets.toString().trim()
    const secure = transport.tls !== null
    if (line !== 'CAPA') transport.feed('+OK\r\n')
    else
      transport.feed(secure ? '+OK\r\nsasl plain\r\nSASL  POP3_LOGIN\r\nPOP3_LOGIN-DELAY x\r\n.\r\n' : '+OK\r\nSTLS\r\nPIPELINING\r\nUIDL\r\n.\r\n')
  }
  transport.feed('+OK\r\n')
  const client = await Pop3Client.over(transport, { host: 'pop.test', security: 'starttls' })
  expect(client.features).toMatchObject({ sasl: ['PLAIN', 'POP3_LOGIN'], loginDelay: null, pipelining: false, uidl: false, stls: false })
})

test.each([
  ['H32: STLS is masked', '+OK\r\nXXXA\r\n.\r\n', '', 'ERR_TLS_REQUIRED'],
  ['H32: STLS is refused', '+OK\r\nSTLS\r\n.\r\n', '-ERR no\r\n', 'ERR_TLS_REQUIRED'],
  ['H33: octets behind the go-ahead', '+OK\r\nSTLS\r\n.\r\n', '+OK\r\n+OK logged in\r\n', 'ERR_TLS_INJECTION'],
  ['H33: one octet behind the go-ahead', '+OK\r\nSTLS\r\n.\r\n', '+OK\r\n+', 'ERR_TLS_INJECTION'],
])('%s: no credentials leave', async (_name, capabilities, goAhead, code) => {
  const transport = new MemoryTransport(null)
  transport.onWrite = (octets) => transport.feed(octets.toString() === 'STLS\r\n' ? goAhead : capabilities)
  transport.feed('+OK\r\n')
  await expect(Pop3Client.over(transport, { ...OPTIONS, security: 'starttls' })).rejects.toMatchObject({ code })
  expect(transport.sentText).not.toMatch(/USER|PASS|AUTH/)
})

test('H41: a server that lists PLAIN in clear text gets nothing', async () => {
  const [server, options] = await listen([{ send: '+OK\r\n' }])
  await expect(Pop3Client.connect({ ...options, allowClearTextAuth: false })).rejects.toMatchObject({ code: 'ERR_AUTH_CLEAR_TEXT' })
  expect(server.lines).toEqual([])
})

test('H46, P4: content without end is read no further than somebody wants it, and nothing is confirmed', async () => {
  const [client, server] = await loggedIn({ 'RETR 1': '+OK 5 octets\r\nx' })
  let seen = 0
  for await (const chunk of client.retrieve(1)) {
    seen += chunk.length
    if (seen > 3_000_000) break
    server.feed(Buffer.alloc(65_536, 'x'))
    if (seen > 2_900_000) for (let n = 0; n < 8; n++) server.feed(Buffer.alloc(65_536, 'x'))
  }
  expect(server.destroyed).toBe(true)
  expect(await client.quit()).toEqual({ confirmed: false })
})

test('H47, P4: content that is shorter than its size is whole when its final dot says so', async () => {
  const [client] = await loggedIn({ LIST: '+OK\r\n1 5000000000\r\n.\r\n', 'RETR 1': '+OK 5000000000 octets\r\nx\r\n.\r\n' })
  expect(await collect(client.list())).toEqual([{ number: 1, octets: 5_000_000_000 }])
  expect(await text(client.retrieve(1))).toBe('x\r\n')
})

test('H54, P3: STAT and the listings need not agree', async () => {
  const [client] = await loggedIn({
    STAT: '+OK 3 -5 (lies)\r\n',
    LIST: '+OK\r\n9 1\r\n4 2 x\r\n1e3 4\r\n0x5 5\r\n2 99999999999999999999\r\n7 -3\r\n8\r\n4 2\r\n.\r\n',
  })
  expect(await client.stat()).toEqual({ count: 3, octets: 0 })
  expect(await collect(client.list())).toEqual([
    { number: 9, octets: 1 },
    { number: 4, octets: 2 },
  ])
})

test('H55, P5: unique-ids are opaque, however odd', async () => {
  const ids = ['../../x', '__proto__', '\xff\xfe', 'x'.repeat(255), 'same', 'same', '']
  const [client] = await loggedIn({ UIDL: `+OK\r\n${ids.map((id, at) => `${at + 1}  ${id}\r\n`).join('')}.\r\n` })
  expect((await collect(client.uniqueIds())).map(({ uniqueId }) => uniqueId)).toEqual(ids)
})

test('P2, H8: a line without end in a listing is cut', async () => {
  const [client, server] = await loggedIn({ UIDL: `+OK\r\n1 a\r\n2 ${'x'.repeat(10_000)}` })
  const seen: number[] = []
  const reading = (async () => {
    for await (const { number } of client.uniqueIds()) seen.push(number)
  })()
  await expect(reading).rejects.toMatchObject({ code: 'ERR_LIMIT', phase: 'uidl' })
  expect(seen).toEqual([1])
  expect(server.destroyed).toBe(true)
})

test('P2: a listing that never ends is limited in time, however it drips', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const [client, server] = await loggedIn({ LIST: '+OK\r\n1 5\r\n' }, { timeouts: { transaction: 60_000 } })
  const reading = (async () => {
    for await (const { number } of client.list()) {
      vi.advanceTimersByTime(7_000)
      server.feed(`${number + 1} 5\r\n`)
    }
  })()
  await expect(reading).rejects.toMatchObject({ code: 'ERR_TIMEOUT', phase: 'list' })
})

test('quirk 37: a listing whose last dot has no line end ends with the connection; content does not', async () => {
  for (const [asked, answer] of [
    ['LIST', '+OK\r\n1 5\r\n.'],
    ['UIDL', '+OK\r\n1 a\r\n.'],
  ] as const) {
    const [client, server] = await loggedIn({ [asked]: answer })
    const reading = asked === 'LIST' ? collect<unknown>(client.list()) : collect<unknown>(client.uniqueIds())
    setImmediate(() => setImmediate(() => server.finish()))
    expect(await reading).toHaveLength(1)
    await expect(client.noop()).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  }
  for (const answer of ['+OK\r\n1 5\r\n', '+OK\r\n1 5\r\n2']) {
    const [client, server] = await loggedIn({ LIST: answer })
    const reading = collect(client.list())
    setImmediate(() => setImmediate(() => server.finish()))
    await expect(reading).rejects.toMatchObject({ code: 'ERR_CLOSED', phase: 'list' })
  }
})

test('P9, H52: a dot line that was not stuffed is found by what follows it, also when another answer is due', async () => {
  const server = new FlightServer(answers(['USER', 'PIPELINING'], (line) => (line === 'RETR 5' ? '+OK\r\na\r\n.\r\nrest\r\n.\r\n' : undefined)))
  const client = await Pop3Client.over(server, OPTIONS)
  const ends: string[] = []
  for await (const retrieval of client.retrieveAll([1, 2, 3, 4, 5, 6])) {
    ends.push(
      await text(retrieval).then(
        () => 'whole',
        (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : ''),
      ),
    )
  }
  expect(ends).toEqual(['whole', 'whole', 'whole', 'whole', 'ERR_PROTOCOL', 'ERR_CLOSED'])
})

test('P16: what a command cannot carry is refused before anything of it leaves', async () => {
  for (const auth of [
    { user: 'ann', password: 'x'.repeat(100_000) },
    { user: 'a'.repeat(300), password: 'x' },
    { user: 'ann', password: () => 'a\r\nDELE 1' },
    { user: 'ann', password: () => 'a\0b', mechanism: 'PLAIN' },
  ]) {
    const server = new FlightServer(answers(['USER', 'SASL POP3_LOGIN']))
    await expect(Pop3Client.over(server, { host: 'pop.test', auth })).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_(?:OPTION|LIMIT|AUTH_MECHANISM)$/),
    })
    expect(server.sentText).not.toMatch(/PASS|DELE/)
  }
})

test('H34: a certificate that nobody vouches for, or for another name, ends it before the login', async () => {
  const server = await startFakeServer({ script: [{ send: '+OK\r\n' }], tls: TLS, implicitTls: true })
  closers.push(() => server.close())
  const own = { host: server.host, port: server.port, auth: { user: 'ann', password: 's3cret' } }
  await expect(Pop3Client.connect(own)).rejects.toMatchObject({ code: 'ERR_TLS_CERTIFICATE', phase: 'tls' })
  const other = { ...own, tls: { ca: authority.cert, servername: 'other.test' } }
  await expect(Pop3Client.connect(other)).rejects.toMatchObject({ code: 'ERR_TLS_NAME', phase: 'tls' })
  expect(server.lines.flat()).toEqual([])
})

test.each<[string, readonly Step[], object | undefined, object]>([
  ['behind the answer to QUIT', [{ expect: 'QUIT' }, { send: '+OK\r\n' }], undefined, { confirmed: true }],
  ['in place of the answer to QUIT', [{ expect: 'QUIT' }], undefined, { confirmed: false }],
  ['inside content', [{ expect: 'RETR 1' }, { send: '+OK\r\nSubject: x\r\n' }], { code: 'ERR_CLOSED', phase: 'retr' }, { confirmed: false }],
])('H35: a connection whose end TLS does not announce, %s', async (_name, steps, failure, farewell) => {
  const cut: Step = {
    run: (connection) => {
      connection.cut()
      return connection.left()
    },
  }
  const stls: readonly Step[] = [
    { send: '+OK\r\n' },
    { expect: 'CAPA' },
    { send: '-ERR\r\n' },
    { expect: 'STLS' },
    { upgrade: true, goAhead: '+OK\r\n' },
  ]
  const server = await startFakeServer({ script: [...stls, ...POP3_LOGIN.slice(1), ...steps, cut], tls: TLS })
  closers.push(() => server.close())
  const tls = { ca: authority.cert, servername: 'localhost' }
  const client = await Pop3Client.connect({ ...OPTIONS, host: server.host, port: server.port, security: 'starttls', tls })
  if (failure !== undefined) await expect(text(client.retrieve(1))).rejects.toMatchObject(failure)
  expect(await client.quit()).toEqual(farewell)
  expect(server.failures).toEqual([])
})
