import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SmtpClient, type SmtpOptions } from '../../../src/smtp/index.ts'
import { startFakeServer } from '../../support/fake-server.ts'
import { startMailServer, type MailServer } from '../../support/mail-server.ts'
import { readSource } from '../../support/maildrop.ts'
import { rejection } from '../../support/smtp-replay.ts'

let server: MailServer
beforeAll(async () => {
  server = await startMailServer()
})
afterAll(() => server.close())

function options(security: 'tls' | 'starttls'): SmtpOptions {
  const { host, port, tlsPort } = server.smtp
  return { host, port: security === 'tls' ? tlsPort : port, security, tls: { ca: server.ca }, auth: { user: 'u1', password: 'pw-1' } }
}

test.each(['tls', 'starttls'] as const)('over %s, with a login: octets arrive as they were, and nobody is forgotten', async (security) => {
  await server.maildrop().clear()
  const client = await SmtpClient.connect(options(security))
  expect(client.tls).toMatchObject({ version: 'TLSv1.3', authorized: true })
  const body = Buffer.from(
    randomBytes(3_000_000)
      .toString('base64')
      .replaceAll(/(.{76})/g, '$1\r\n.'),
  )
  const message = Buffer.concat([Buffer.from('Subject: x\r\n\r\n'), body, Buffer.from('\r\n')])
  const receipt = await client.submit({ from: 'a@x.test', to: ['u1@example.test', 'nobody@example.test'] }, message)
  expect(receipt.recipients.map(({ outcome, reply }) => [outcome, reply?.status])).toEqual([
    ['accepted', 250],
    ['refused', 550],
  ])
  expect(receipt.octets).toBe(message.length)
  const none = await client.submit({ from: 'a@x.test', to: ['nobody@example.test'] }, message)
  expect(none.outcome).toBe('refused')
  expect((await client.submit({ from: '', to: ['u1'].map((user) => `${user}@example.test`) }, Buffer.from('a\nb'))).outcome).toBe('accepted')
  await client.quit()
  const [first, second] = await Promise.all(server.maildrop().messages.map(({ source }) => readSource(source)))
  expect(sha256(first)).toBe(sha256(message))
  expect(second?.toString()).toBe('a\r\nb\r\n')
})

test('a wrong password, and a certificate that is not trusted', async () => {
  const wrong = { ...options('tls'), auth: { user: 'u1', password: 'wrong' } }
  expect(await rejection(SmtpClient.connect(wrong))).toMatchObject({ code: 'ERR_AUTH', phase: 'auth', transient: false, status: 535 })
  expect(await rejection(SmtpClient.connect({ ...options('starttls'), tls: {} }))).toMatchObject({ code: 'ERR_TLS_CERTIFICATE' })
})

test('T5: octets in a segment of their own before the handshake, and TLS that never comes', async () => {
  const offer = [{ send: '220 x\r\n' }, { expect: 'EHLO' }, { send: '250-x\r\n250 STARTTLS\r\n' }, { expect: 'STARTTLS' }] as const
  const injecting = await startFakeServer({ script: [...offer, { send: ['220 go\r\n', '250-AUTH PLAIN\r\n'] }] })
  const silent = await startFakeServer({ script: [...offer, { send: '220 go\r\n' }, { end: 'stall' }] })
  const common = { host: '127.0.0.1', security: 'starttls', auth: { user: 'u1', password: 'pw-1' }, timeouts: { handshake: 50 } } as const
  const error = await rejection(SmtpClient.connect({ ...common, port: injecting.port }))
  // Which of the two depends on whether they came before or after our half of the handshake began.
  expect(['ERR_TLS_INJECTION', 'ERR_TLS_NOT_TLS', 'ERR_TLS_HANDSHAKE']).toContain(Object(error).code)
  expect(await rejection(SmtpClient.connect({ ...common, port: silent.port }))).toMatchObject({ code: 'ERR_TIMEOUT', phase: 'tls' })
  for (const fake of [injecting, silent]) {
    await fake.done()
    expect(fake.lines.flat().filter((line) => line.startsWith('AUTH'))).toEqual([])
    await fake.close()
  }
})

test('H45: a server that stops reading stops the content, and in the end the submission', async () => {
  const stalled = await startFakeServer({
    script: [
      { send: '220 x\r\n' },
      { expect: 'EHLO' },
      { send: '250-x\r\n250 PIPELINING\r\n' },
      { expect: /^MAIL/ },
      { expect: /^RCPT/ },
      { expect: /^DATA/ },
      { send: '250 x\r\n250 x\r\n354 x\r\n' },
      { end: 'stall' },
    ],
  })
  const client = await SmtpClient.connect({ host: '127.0.0.1', port: stalled.port, security: 'none', timeouts: { dataBlock: 100 } })
  let pulled = 0
  let left = false
  async function* endless(): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        pulled++
        yield Buffer.alloc(65_536, 'x\r\n')
      }
    } finally {
      left = true
    }
  }
  const error = await rejection(client.submit({ from: '', to: ['b@x.test'] }, endless()))
  expect(error).toMatchObject({ code: 'ERR_TIMEOUT', phase: 'content', transient: true })
  expect(pulled).toBeLessThan(1_000) // what sockets hold, not what memory does
  expect(left).toBe(true)
  await stalled.close()
})

function sha256(octets: Buffer | undefined): string {
  return createHash('sha256')
    .update(octets ?? '')
    .digest('hex')
}
