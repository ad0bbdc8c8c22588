import { once } from 'node:events'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import { makeAuthority } from '../../support/certificates.ts'
import { startFakeServer, type FakeServer, type FakeServerOptions } from '../../support/fake-server.ts'

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

async function start(options: FakeServerOptions): Promise<FakeServer> {
  const server = await startFakeServer(options)
  ends.push(async () => server.close())
  return server
}

/** Sends each text after the one before was answered, and gives the chunks that came back until the server closed or reset. */
async function talk(port: number, said: readonly string[]): Promise<string[]> {
  const socket = connect(port, '127.0.0.1')
  const chunks: string[] = []
  const rest = [...said]
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk.toString('latin1'))
    const next = rest.shift()
    if (next !== undefined) socket.write(next)
  })
  socket.on('error', (error) => chunks.push('code' in error ? String(error.code) : 'error'))
  socket.on('end', () => socket.end())
  await once(socket, 'close').catch(() => undefined)
  return chunks
}

test('follows a script', async () => {
  const server = await start({
    script: [{ send: '220 hi\r\n' }, { expect: 'EHLO ' }, { send: '250 x\r\n' }, { skipTo: '.' }, { send: 'done' }, { end: 'drop' }],
  })
  expect(await talk(server.port, ['ehlo me\r\n', 'a\r\n..\r\n.\r\n'])).toEqual(['220 hi\r\n', '250 x\r\n', 'done'])
  await server.done()
  expect(server.failures).toEqual([])
  expect(server.lines).toEqual([['ehlo me']])
})

test('says where a client went another way, and ends its connection', async () => {
  const server = await start({ script: [{ send: '+OK\r\n' }, { expect: /^CAPA$/ }] })
  expect(await talk(server.port, ['USER u\r\n'])).toEqual(['+OK\r\n'])
  expect(server.failures).toEqual(['connection 0: step 1: /^CAPA$/ was expected, but the client said "USER u"'])
})

test('resets, and has a script for each connection', async () => {
  const server = await start({ script: (number) => [{ send: String(number) }, { expect: 'x' }, { end: number === 0 ? 'reset' : 'drop' }] })
  expect(await talk(server.port, ['x\r\n'])).toEqual(['0', 'ECONNRESET'])
  expect(await talk(server.port, ['x\r\n'])).toEqual(['1'])
})

test('upgrades in place, with forged octets before it when the script says so', async () => {
  const authority = makeAuthority()
  const server = await start({
    tls: authority.issue(),
    script: [{ expect: 'STLS' }, { upgrade: true, goAhead: '+OK\r\n+OK forged\r\n' }, { send: 'inside' }],
  })
  const socket = connect(server.port, '127.0.0.1')
  socket.write('STLS\r\n')
  const [chunk]: unknown[] = await once(socket, 'data')
  expect(String(chunk)).toBe('+OK\r\n+OK forged\r\n')
  const secure = connectTls({ socket, ca: authority.cert, host: '127.0.0.1' })
  const [inside]: unknown[] = await once(secure, 'data')
  expect(String(inside)).toBe('inside')
  secure.destroy()
})

test('a stall ends when the client leaves', async () => {
  const server = await start({ script: [{ end: 'stall' }] })
  const socket = connect(server.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.end()
  socket.resume()
  await once(socket, 'close')
  await server.done()
  expect(server.failures).toEqual([])
})
