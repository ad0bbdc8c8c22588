import { afterEach, expect, test } from 'vitest'
import { Pop3Client, type ServerOptions } from '../../../src/pop3/index.ts'
import { startFakeServer, type FakeServer, type Step } from '../../support/fake-server.ts'
import { POP3_LOGIN } from '../../support/pop3-login.ts'
import { startMailServer } from '../../support/mail-server.ts'

const closers: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function fakeServer(script: readonly Step[] | ((connection: number) => readonly Step[])): Promise<FakeServer> {
  const server = await startFakeServer({ script })
  closers.push(() => server.close())
  return server
}

function clear({ host, port }: FakeServer, more: Partial<ServerOptions> = {}): ServerOptions {
  return { host, port, security: 'none', allowClearTextAuth: true, auth: { user: 'ann', password: 'pw' }, ...more }
}

test.each(['tls', 'starttls'] as const)('with security %s the whole session is inside TLS, and content of 1 MB is exact', async (security) => {
  const server = await startMailServer()
  closers.push(server.close)
  const message = Buffer.from('.line\r\n'.repeat(150_000))
  server.maildrop().add(message)
  const { host, port, tlsPort } = server.pop3
  await using client = await Pop3Client.connect({
    host,
    port: security === 'tls' ? tlsPort : port,
    security,
    tls: { ca: server.ca },
    auth: { user: 'u1', password: 'pw-1' },
  })
  expect(client.tls).toMatchObject({ version: 'TLSv1.3', authorized: true })
  expect(await client.stat()).toEqual({ count: 1, octets: message.length })
  const chunks: Buffer[] = []
  for await (const chunk of client.retrieve(1)) chunks.push(chunk)
  expect(Buffer.concat(chunks).equals(message)).toBe(true)
  await client.delete(1)
  expect(await client.quit()).toEqual({ confirmed: true })
})

test.each(['tls', 'starttls', 'none'] as const)('with security %s, batches over sockets are exact', async (security) => {
  const server = await startMailServer()
  closers.push(server.close)
  const contents = Array.from({ length: 300 }, (_, n) => Buffer.from(`Subject: ${n}\r\n\r\n${`.${n}\r\n${'x'.repeat(n)}\r\n`.repeat(n)}`))
  for (const content of contents) server.maildrop().add(content)
  const { host, port, tlsPort } = server.pop3
  await using client = await Pop3Client.connect({
    host,
    port: security === 'tls' ? tlsPort : port,
    security,
    allowClearTextAuth: true,
    tls: { ca: server.ca },
    auth: { user: 'u1', password: 'pw-1' },
  })
  expect(client.features.pipelining).toBe(true)
  const numbers = contents.map((_, n) => n + 1)
  for await (const retrieval of client.retrieveAll(numbers)) {
    const chunks: Buffer[] = []
    for await (const chunk of retrieval) chunks.push(chunk)
    if (retrieval.number % 60 === 0) await new Promise(setImmediate)
    expect(Buffer.concat(chunks).equals(contents[retrieval.number - 1] ?? Buffer.alloc(0))).toBe(true)
  }
  let refused = 0
  for await (const { error } of client.deleteAll([...numbers, 301, 1])) if (error !== null) refused++
  expect(refused).toBe(2)
  expect(await client.quit()).toEqual({ confirmed: true })
  expect(server.maildrop().messages).toHaveLength(0)
})

test('H56: a server that hangs up at CAPA is asked once more without it', async () => {
  const server = await fakeServer((connection) =>
    connection === 0
      ? [{ send: '+OK\r\n' }, { expect: 'CAPA' }, { end: 'drop' }]
      : [
          { send: '+OK\r\n' },
          { expect: /^USER ann$/ },
          { send: '+OK\r\n' },
          { expect: /^PASS pw$/ },
          { send: '+OK\r\n' },
          { expect: 'QUIT' },
          { send: '+OK\r\n' },
        ],
  )
  const client = await Pop3Client.connect(clear(server))
  expect(client.capabilities.size).toBe(0)
  expect(await client.quit()).toEqual({ confirmed: true })
  await server.done()
  expect(server.failures).toEqual([])
})

test('H56: one that hangs up each time is not asked for ever', async () => {
  const server = await fakeServer([{ send: '+OK\r\n' }, { expect: /./ }, { end: 'drop' }])
  await expect(Pop3Client.connect(clear(server))).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  expect(server.lines).toHaveLength(2)
})

test('T5: what is sent behind the +OK to STLS ends the session before the handshake', async () => {
  for (const goAhead of ['+OK\r\n+OK\r\n', '+OK\r\n+', '+OK\r\n\r\n']) {
    const server = await fakeServer([
      { send: '+OK\r\n' },
      { expect: 'CAPA' },
      { send: '-ERR\r\n' },
      { expect: 'STLS' },
      { send: goAhead },
      { end: 'stall' },
    ])
    await expect(Pop3Client.connect(clear(server, { security: 'starttls', allowClearTextAuth: false }))).rejects.toMatchObject({
      code: 'ERR_TLS_INJECTION',
    })
    expect(server.lines.flat()).not.toContainEqual(expect.stringMatching(/USER|PASS/))
    expect(server.failures).toEqual([])
  }
})

test('H1: silence in place of a greeting ends by our clock, and the error says what it may mean', async () => {
  const server = await fakeServer([{ end: 'stall' }])
  await expect(Pop3Client.connect(clear(server, { timeouts: { greeting: 30 } }))).rejects.toMatchObject({
    code: 'ERR_TIMEOUT',
    phase: 'greeting',
    message: expect.stringContaining("security must be 'tls'"),
  })
})

test('H7: an endless greeting is cut and the connection dropped', async () => {
  const server = await fakeServer([{ send: '+OK '.padEnd(20_000, 'x') }, { end: 'stall' }])
  await expect(Pop3Client.connect(clear(server))).rejects.toMatchObject({ code: 'ERR_LIMIT', phase: 'greeting' })
  await server.done()
})

test('a refused login is reported at once, also by a server that does not say goodbye', async () => {
  const server = await fakeServer([
    { send: '+OK\r\n' },
    { expect: 'CAPA' },
    { send: '-ERR\r\n' },
    { expect: 'USER' },
    { send: '+OK\r\n' },
    { expect: 'PASS' },
    { send: '-ERR wrong\r\n' },
    { expect: 'QUIT' },
    { end: 'drop' },
  ])
  await expect(Pop3Client.connect(clear(server))).rejects.toMatchObject({ code: 'ERR_AUTH', responseCode: null, text: 'wrong' })
  await server.done()
  expect(server.failures).toEqual([])
})

test('an abort while connecting rejects with its reason', async () => {
  const server = await fakeServer([{ end: 'stall' }])
  const controller = new AbortController()
  const reason = new Error('enough')
  const connecting = Pop3Client.connect(clear(server, { signal: controller.signal }))
  setImmediate(() => controller.abort(reason))
  await expect(connecting).rejects.toBe(reason)
  await expect(Pop3Client.connect(clear(server, { signal: controller.signal }))).rejects.toBe(reason)
})

test('H16, S17: what the server says between two commands is not taken for the answer to the second', async () => {
  let arrived: (() => void) | undefined
  const asked = new Promise<void>((resolve) => (arrived = resolve))
  const server = await fakeServer([
    ...POP3_LOGIN,
    { expect: 'NOOP' },
    { send: ['+OK\r\n', '+OK 7 700\r\n'] },
    { run: async () => arrived?.() },
    { end: 'stall' },
  ])
  const client = await Pop3Client.connect(clear(server))
  await client.noop()
  await asked
  // The forged answer is in the socket by now; reading ahead takes it as soon as the event loop turns.
  await new Promise((resolve) => setTimeout(resolve, 50))
  await expect(client.stat()).rejects.toMatchObject({ code: 'ERR_PROTOCOL' })
  await expect(client.noop()).rejects.toMatchObject({ code: 'ERR_CLOSED' })
})
