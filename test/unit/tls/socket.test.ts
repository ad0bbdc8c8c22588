import { createHash } from 'node:crypto'
import dns from 'node:dns'
import * as net from 'node:net'
import * as tls from 'node:tls'
import { afterEach, expect, test, vi } from 'vitest'
import { connectChannel } from '../../../src/diagnostics.ts'
import { checkServerOptions, connect, POP3_DEFAULTS, type ServerOptions, type TlsOptions, type Transport } from '../../../src/tls/index.ts'
import { makeAuthority, makeSelfSigned } from '../../support/certificates.ts'

const authority = makeAuthority()
const good = authority.issue({ keyType: 'rsa' })
const HELLO = Buffer.from('+OK hello\r\n')

const servers: net.Server[] = []
const sockets = new Set<net.Socket>()
afterEach(() => {
  vi.restoreAllMocks()
  for (const socket of sockets) socket.destroy()
  for (const server of servers.splice(0)) server.close()
})

async function listen(server: net.Server): Promise<number> {
  servers.push(server)
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

function tlsServer(options: tls.TlsOptions, onSocket: (socket: tls.TLSSocket) => void): tls.Server {
  const server = tls.createServer({ ...good, ...options }, (socket) => {
    socket.on('error', () => {})
    onSocket(socket)
  })
  return server.on('tlsClientError', () => {})
}

/** Clear text first; TLS after the first octets of the client, behind `answer`. */
function upgradingServer(answer: string, onSocket: (socket: tls.TLSSocket) => void): net.Server {
  return net.createServer((socket) => {
    socket.write(HELLO)
    socket.once('data', () => {
      socket.write(answer, () => {
        const secure = new tls.TLSSocket(socket, { isServer: true, ...good })
        secure.on('error', () => {})
        onSocket(secure)
      })
    })
  })
}

function open(options: ServerOptions): Promise<Transport> {
  return connect(checkServerOptions({ ...options, tls: { ca: authority.cert, ...options.tls } }, POP3_DEFAULTS))
}

function upgradeOptions(options: TlsOptions = {}): ReturnType<typeof checkServerOptions>['tls'] {
  return checkServerOptions({ host: 'localhost', tls: { ca: authority.cert, ...options } }, POP3_DEFAULTS).tls
}

async function upgraded(port: number): Promise<Transport> {
  const transport = await open({ host: 'localhost', port, security: 'starttls' })
  expect(await transport.read('greeting', 5000)).toEqual(HELLO)
  await transport.write([Buffer.from('ST'), Buffer.from('LS\r\n')], 'stls', 5000)
  expect((await transport.read('stls', 5000))?.toString()).toBe('+OK\r\n')
  await transport.upgrade(upgradeOptions())
  return transport
}

/** Octets that tell where they stand, written as fast as the socket takes them. */
function pour(socket: net.Socket, blocks: number, written: { blocks: number }): void {
  while (written.blocks < blocks) {
    const block = Buffer.allocUnsafe(1 << 16)
    for (let at = 0; at < block.length; at += 4) block.writeUInt32LE(written.blocks * block.length + at, at)
    written.blocks++
    if (!socket.write(block)) {
      socket.once('drain', () => pour(socket, blocks, written))
      return
    }
  }
  socket.end()
}

const modes = {
  'clear text': async (onSocket: (socket: net.Socket) => void) => {
    return open({ host: 'localhost', port: await listen(net.createServer(onSocket)), security: 'none' })
  },
  'TLS from the start': async (onSocket: (socket: net.Socket) => void) => {
    return open({ host: 'localhost', port: await listen(tlsServer({}, onSocket)) })
  },
  'an upgraded socket': async (onSocket: (socket: net.Socket) => void) => upgraded(await listen(upgradingServer('+OK\r\n', onSocket))),
}

test.each(Object.entries(modes))('reads every octet in order and no more than it is asked for: %s', async (_name, start) => {
  const blocks = 512
  const written = { blocks: 0 }
  const transport = await start((socket) => pour(socket, blocks, written))
  let position = 0
  let pauses = 0
  for (;;) {
    const chunk = await transport.read('retr', 10_000)
    if (chunk === null) break
    const from = position
    for (let at = (4 - (from % 4)) % 4; at + 4 <= chunk.length; at += 4096) {
      if (chunk.readUInt32LE(at) !== from + at) expect.fail(`octet ${from + at} is ${chunk.readUInt32LE(at)}`)
    }
    position += chunk.length
    if (position / (1 << 23) > pauses && pauses++ < 3) {
      // A consumer that stops: the server must stop too, at what the kernel's buffers hold.
      let before = -1
      for (let calm = 0; calm < 5; calm = written.blocks === before ? calm + 1 : 0) {
        before = written.blocks
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      expect(written.blocks).toBeLessThan(blocks)
    }
  }
  expect(position).toBe(blocks << 16)
  expect(await transport.read('retr', 1000)).toBe(null)
  await transport.close(1000)
  expect(transport.destroyed).toBe(true)
})

test.each(Object.entries(modes))('writes views in order, at most two under way, while it reads: %s', async (_name, start) => {
  const hash = createHash('sha256')
  let octets = 0
  const transport = await start((socket) => {
    socket.on('data', (chunk: Buffer) => {
      hash.update(chunk)
      octets += chunk.length
      if (octets === 64 << 16) socket.end(hash.digest('hex'))
    })
  })
  const expected = createHash('sha256')
  const answer = transport.read('content', 10_000)
  for (let count = 0; count < 64; count++) {
    const block = Buffer.alloc(1 << 16, count)
    expected.update(block)
    await transport.write([block.subarray(0, 7), block.subarray(7, 5000), block.subarray(5000)], 'content', 10_000)
  }
  await transport.flush('content', 10_000)
  expect((await answer)?.toString()).toBe(expected.digest('hex'))
  transport.destroy(new Error('done'))
})

test('every version is negotiated when it is the one selected, and reported', async () => {
  const port = await listen(tlsServer({ minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }, (socket) => socket.end(HELLO)))
  for (const version of ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const) {
    const transport = await open({ host: 'localhost', port, tls: { minVersion: version, maxVersion: version } })
    expect(transport.tls).toMatchObject({ version, authorized: true })
    expect(transport.tls?.validTo.getTime()).toBeGreaterThan(Date.now())
    transport.destroy(new Error('done'))
  }
  const range = await open({ host: 'localhost', port, tls: { minVersion: 'TLSv1' } })
  expect(range.tls?.version).toBe('TLSv1.3')
  range.destroy(new Error('done'))
})

test('a version that the server does not offer fails once, without a second attempt (T23)', async () => {
  let connections = 0
  const server = tlsServer({ maxVersion: 'TLSv1.2' }, () => {})
  server.on('connection', () => connections++)
  const port = await listen(server)
  await expect(open({ host: 'localhost', port, tls: { minVersion: 'TLSv1.3' } })).rejects.toMatchObject({
    code: 'ERR_TLS_VERSION',
    phase: 'tls',
    transient: false,
  })
  expect(connections).toBe(1)
  const modern = await listen(tlsServer({ minVersion: 'TLSv1.2' }, () => {}))
  await expect(open({ host: 'localhost', port: modern, tls: { minVersion: 'TLSv1', maxVersion: 'TLSv1.1' } })).rejects.toMatchObject({
    code: 'ERR_TLS_VERSION',
  })
})

const DAY_MS = 86_400_000
test.each([
  ['an unknown authority', makeAuthority().issue(), 'localhost', 'ERR_TLS_CERTIFICATE'],
  ['a certificate that vouches for itself', makeSelfSigned(), 'localhost', 'ERR_TLS_CERTIFICATE'],
  [
    'an expired certificate',
    authority.issue({ notBefore: new Date(Date.now() - 2 * DAY_MS), notAfter: new Date(Date.now() - DAY_MS) }),
    'localhost',
    'ERR_TLS_EXPIRED',
  ],
  [
    'a certificate of tomorrow',
    authority.issue({ notBefore: new Date(Date.now() + DAY_MS), notAfter: new Date(Date.now() + 2 * DAY_MS) }),
    'localhost',
    'ERR_TLS_EXPIRED',
  ],
  ['another name', authority.issue({ names: ['mail.example.test'] }), 'localhost', 'ERR_TLS_NAME'],
  ['the name only as common name', authority.issue({ names: [], commonName: 'localhost' }), 'localhost', 'ERR_TLS_NAME'],
  ['part of a label as wildcard', authority.issue({ names: ['loc*'] }), 'localhost', 'ERR_TLS_NAME'],
  ['an IP address without an IP entry', authority.issue({ names: ['localhost'] }), '127.0.0.1', 'ERR_TLS_NAME'],
])('refuses %s, from the start and after an upgrade (T10, T12)', async (_name, certificate, host, code) => {
  const port = await listen(tlsServer(certificate, () => {}))
  await expect(open({ host, port })).rejects.toMatchObject({ code, phase: 'tls', transient: false })
  const accepted = await open({ host, port, tls: { acceptUntrustedCertificate: true } })
  expect(accepted.tls).toMatchObject({ authorized: false, reason: expect.stringMatching(/./) })
  accepted.destroy(new Error('done'))

  const plain = net.createServer((socket) => {
    socket.write(HELLO)
    socket.once('data', () => socket.write('+OK\r\n', () => new tls.TLSSocket(socket, { isServer: true, ...certificate }).on('error', () => {})))
  })
  const transport = await open({ host, port: await listen(plain), security: 'starttls' })
  await transport.read('greeting', 5000)
  await transport.write([Buffer.from('STLS\r\n')], 'stls', 5000)
  await transport.read('stls', 5000)
  await expect(transport.upgrade({ ...upgradeOptions(), servername: host })).rejects.toMatchObject({ code })
  expect(transport.destroyed).toBe(true)
  await expect(transport.write([HELLO], 'auth', 1000)).rejects.toMatchObject({ code })
})

test('the name may be given apart from the host, and an IP address needs its entry', async () => {
  const port = await listen(tlsServer(authority.issue({ names: ['mail.example.test', '127.0.0.1'] }), () => {}))
  const named = await open({ host: 'localhost', port, tls: { servername: 'mail.example.test' } })
  expect(named.tls?.authorized).toBe(true)
  const numbered = await open({ host: '127.0.0.1', port })
  expect(numbered.tls?.authorized).toBe(true)
  for (const one of [named, numbered]) one.destroy(new Error('done'))
})

test('a pin is an additional condition', async () => {
  const port = await listen(tlsServer({}, () => {}))
  const pinned = await open({ host: 'localhost', port, tls: { pins: [good.pin] } })
  pinned.destroy(new Error('done'))
  await expect(open({ host: 'localhost', port, tls: { pins: [makeSelfSigned().pin] } })).rejects.toMatchObject({ code: 'ERR_TLS_PIN' })
  const expired = await listen(tlsServer(authority.issue({ notAfter: new Date(Date.now() - DAY_MS) }), () => {}))
  await expect(open({ host: 'localhost', port: expired, tls: { pins: [good.pin] } })).rejects.toMatchObject({ code: 'ERR_TLS_EXPIRED' })
})

test('octets behind the answer to the upgrade end it (T5)', async () => {
  const transport = await open({ host: 'localhost', port: await listen(upgradingServer('+OK\r\n', () => {})), security: 'starttls' })
  await transport.read('greeting', 5000)
  await transport.write([Buffer.from('STLS\r\n')], 'stls', 5000)
  await transport.read('stls', 5000)
  const [raw] = [...sockets].slice(-1)
  raw?.write('+OK forged\r\n')
  // The forged octets are on their way; the read ahead takes them before anybody asks.
  await new Promise((resolve) => setTimeout(resolve, 50))
  await expect(transport.upgrade(upgradeOptions())).rejects.toMatchObject({ code: 'ERR_TLS_INJECTION' })
  expect(transport.destroyed).toBe(true)
})

test('a server that closed before the handshake is not waited for', async () => {
  const server = net.createServer((socket) => {
    socket.write(HELLO)
    socket.once('data', () => socket.end('+OK\r\n'))
  })
  const transport = await open({ host: 'localhost', port: await listen(server), security: 'starttls' })
  await transport.read('greeting', 5000)
  await transport.write([Buffer.from('STLS\r\n')], 'stls', 5000)
  await transport.read('stls', 5000)
  expect(await transport.read('stls', 5000)).toBe(null)
  await expect(transport.upgrade(upgradeOptions())).rejects.toMatchObject({ code: 'ERR_TLS_HANDSHAKE', phase: 'tls', transient: true })
  transport.destroy(new Error('done'))
})

test.each([
  ['in clear text', Buffer.alloc(0)],
  ['in the middle of its hello', Buffer.of(0x16, 3, 3, 0, 50, 2, 0)],
])('a server that closes during the handshake, %s, may be tried again', async (_name, hello) => {
  const port = await listen(net.createServer((socket) => void socket.once('data', () => socket.end(hello))))
  await expect(open({ host: 'localhost', port })).rejects.toMatchObject({ code: 'ERR_TLS_HANDSHAKE', phase: 'tls', transient: true })
})

test('octets that break TLS after the handshake break the connection, and may be tried again', async () => {
  const inner = await listen(tlsServer({}, (socket) => socket.write(HELLO)))
  let raw: net.Socket | undefined
  const between = net.createServer((socket) => {
    raw = socket
    const onward = net.connect(inner, '127.0.0.1').on('error', () => {})
    socket.pipe(onward).pipe(socket)
  })
  const transport = await open({ host: 'localhost', port: await listen(between) })
  expect(await transport.read('greeting', 5000)).toEqual(HELLO)
  raw?.write('+OK 100 octets, in clear text\r\n')
  await expect(transport.read('retr', 5000)).rejects.toMatchObject({ code: 'ERR_CLOSED', phase: 'retr', transient: true })
})

test('T24: a client certificate that is demanded late is named as the cause', async () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const port = await listen(tlsServer({ requestCert: true, ca: authority.cert, minVersion: version, maxVersion: version }, () => {}))
    const begun = open({ host: 'localhost', port }).then((transport) => transport.read('greeting', 5000))
    await expect(begun).rejects.toMatchObject({ code: 'ERR_TLS_HANDSHAKE', transient: false, message: expect.stringContaining('client certificate') })
  }
})

function twoAddresses(...call: unknown[]): void {
  const done = call.at(-1)
  const addresses = ['127.0.0.2', '127.0.0.1'].map((address) => ({ address, family: 4 }))
  if (typeof done === 'function') process.nextTick(() => Reflect.apply(done, undefined, [null, addresses]))
}

test.each(['tls', 'none'] as const)('T20: the next address is tried when one does not answer: %s', async (security) => {
  const server = security === 'tls' ? tlsServer({}, (socket) => socket.end(HELLO)) : net.createServer((socket) => socket.end(HELLO))
  const port = await listen(server)
  const lookup = vi.spyOn(dns, 'lookup').mockImplementation(twoAddresses)
  const transport = await open({ host: 'localhost', port, security })
  expect(lookup).toHaveBeenCalledOnce()
  expect(await transport.read('greeting', 5000)).toEqual(HELLO)
  await transport.close(1000)
})

test('`close` ends a read that waits', async () => {
  const transport = await open({ host: 'localhost', port: await listen(net.createServer(() => {})), security: 'none' })
  const reading = transport.read('greeting', 10_000)
  const closing = transport.close(1000)
  await expect(reading).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  await closing
  expect(transport.destroyed).toBe(true)
})

test('every wait has a deadline', async () => {
  const silent = await listen(net.createServer(() => {}))
  await expect(open({ host: 'localhost', port: silent, timeouts: { handshake: 30 } })).rejects.toMatchObject({
    code: 'ERR_TIMEOUT',
    phase: 'tls',
    transient: true,
  })
  const reading = await open({ host: 'localhost', port: silent, security: 'none' })
  await expect(reading.read('greeting', 30)).rejects.toMatchObject({ code: 'ERR_TIMEOUT', phase: 'greeting' })
  expect(reading.destroyed).toBe(true)
  const deaf = await open({ host: 'localhost', port: await listen(net.createServer({ pauseOnConnect: true }, () => {})), security: 'none' })
  const block = Buffer.alloc(1 << 20)
  const writing = (async () => {
    for (let count = 0; count < 64; count++) await deaf.write([block], 'content', 50)
  })()
  await expect(writing).rejects.toMatchObject({ code: 'ERR_TIMEOUT', phase: 'content' })
})

test('names the mistake when host, port or protocol are wrong', async () => {
  await expect(open({ host: 'wirepost-test.invalid' })).rejects.toMatchObject({ code: 'ERR_HOST_UNKNOWN', phase: 'connect' })
  const server = net.createServer(() => {})
  const port = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  await expect(open({ host: 'localhost', port })).rejects.toMatchObject({
    code: 'ERR_CONNECT',
    message: expect.stringContaining('nothing listens there'),
  })
  const talking = await listen(net.createServer((socket) => socket.end('220 mail ESMTP\r\n')))
  await expect(open({ host: 'localhost', port: talking })).rejects.toMatchObject({ code: 'ERR_TLS_NOT_TLS' })
})

test('an answer before the close is read, and then the end, again and again', async () => {
  const transport = await open({ host: 'localhost', port: await listen(net.createServer((socket) => socket.end('-ERR busy\r\n'))), security: 'none' })
  expect((await transport.read('greeting', 5000))?.toString()).toBe('-ERR busy\r\n')
  expect(await transport.read('greeting', 5000)).toBe(null)
  expect(await transport.read('greeting', 5000)).toBe(null)
  await transport.close(1000)
  await expect(transport.write([HELLO], 'auth', 1000)).rejects.toMatchObject({ code: 'ERR_CLOSED' })
})

test('a reset is an error, not an end', async () => {
  const port = await listen(net.createServer((socket) => void socket.once('data', () => socket.resetAndDestroy())))
  const transport = await open({ host: 'localhost', port, security: 'none' })
  await transport.write([HELLO], 'retr', 5000)
  await expect(transport.read('retr', 5000)).rejects.toMatchObject({ code: 'ERR_CLOSED', phase: 'retr', transient: true })
})

test('a signal ends connecting and waiting, with its reason', async () => {
  const reason = new Error('enough')
  await expect(open({ host: 'localhost', port: 1, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  const silent = await listen(net.createServer(() => {}))
  const early = new AbortController()
  const connecting = open({ host: 'localhost', port: silent, signal: early.signal })
  setImmediate(() => early.abort(reason))
  await expect(connecting).rejects.toBe(reason)
  const late = new AbortController()
  const transport = await open({ host: 'localhost', port: silent, security: 'none', signal: late.signal })
  const reading = transport.read('greeting', 10_000)
  late.abort(reason)
  await expect(reading).rejects.toBe(reason)
  await expect(transport.write([HELLO], 'auth', 1000)).rejects.toBe(reason)
})

test('an untrusted certificate and old versions are announced at every connect', async () => {
  const seen: unknown[] = []
  const listener = (message: unknown): void => void seen.push(message)
  connectChannel.subscribe(listener)
  try {
    const port = await listen(tlsServer(makeSelfSigned(), () => {}))
    for (let count = 0; count < 2; count++) {
      const transport = await open({ host: 'localhost', port, label: 'x', tls: { minVersion: 'TLSv1', acceptUntrustedCertificate: true } })
      transport.destroy(new Error('done'))
    }
    const warnings = [expect.stringContaining('not trusted'), expect.stringContaining('below 1.2')]
    expect(seen).toMatchObject([
      { label: 'x', warnings },
      { label: 'x', warnings },
    ])
  } finally {
    connectChannel.unsubscribe(listener)
  }
})
