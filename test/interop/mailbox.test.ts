import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MailConnector, type Logger, type OutgoingDocument, type ServerOptions } from '../../src/index.ts'
import { Pop3Client } from '../../src/pop3/index.ts'
import { SmtpClient, type SmtpOptions } from '../../src/smtp/index.ts'
import type { TlsOptions } from '../../src/tls/index.ts'
import { startRealServers, type RealServers } from './real-servers.ts'

let servers: RealServers
let state: string
beforeAll(async () => {
  servers = await startRealServers()
  state = mkdtempSync(join(tmpdir(), 'wirepost-interop-state-'))
})
afterAll(async () => {
  rmSync(state, { recursive: true, force: true })
  await servers.close()
})

function smtp(security: 'tls' | 'starttls', tls: TlsOptions = {}, password = servers.password): SmtpOptions {
  return { host: 'localhost', port: servers.smtp[security], security, tls: { ca: servers.ca, ...tls }, auth: { user: servers.user, password } }
}

function pop3(security: 'tls' | 'starttls', tls: TlsOptions = {}, password = servers.password): ServerOptions {
  return { host: 'localhost', port: servers.pop3[security], security, tls: { ca: servers.ca, ...tls }, auth: { user: servers.user, password } }
}

const silent: Logger = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, child: () => silent }
const lines = (text: string): string => text.replaceAll(/\r\n|\r|\n/g, '\r\n')
const sha256 = (octets: Uint8Array): string => createHash('sha256').update(octets).digest('hex')

async function emptyMaildrop(): Promise<void> {
  const client = await Pop3Client.connect(pop3('tls'))
  const numbers: number[] = []
  for await (const { number } of client.uniqueIds()) numbers.push(number)
  for (const number of numbers) await client.delete(number)
  expect(await client.quit()).toEqual({ confirmed: true })
}

const edi = "UNB+UNOC:3+SENDER+RECEIVER+261122:1000+1'\r\nUNH+1+INVOIC:D:96A:UN'\n.\r.\n..\r\nFrom here\r\nUNT+2+1'"
const documents: readonly { readonly name: string; readonly octets: Buffer }[] = [
  { name: 'order.edi', octets: Buffer.from(edi) },
  { name: 'Rechnung März €.pdf', octets: randomBytes(300_000) },
  { name: 'large.bin', octets: Buffer.alloc(20_000_000, randomBytes(9973)) },
]

test.each(['tls', 'starttls'] as const)('documents go out by Postfix with STARTTLS and come back from Dovecot: %s', async (security) => {
  await emptyMaildrop()
  const connector = new MailConnector({ inbound: pop3(security), outbound: smtp('starttls'), stateDirectory: join(state, security), logger: silent })
  const outgoing: OutgoingDocument[] = documents.map(({ name, octets }) => ({ content: octets, fileName: name }))
  const receipts = await connector.send(
    { from: 'Sender <sender@example.test>', to: servers.address, subject: 'Größe', disposition: 'attachment' },
    outgoing,
  )
  expect(receipts.map((receipt) => receipt.outcome)).toEqual(['accepted', 'accepted', 'accepted'])
  await servers.delivered(3)

  const got = new Map<string, { readonly digest: string; readonly tracked: unknown }>()
  const report = await connector.get({ disposition: 'attachment', fromAddress: 'SENDER@example.test', deleteFromServer: true }, async (document) => {
    const chunks: Buffer[] = []
    for await (const chunk of document.content) chunks.push(chunk)
    got.set(document.tracked.fileName ?? '', { digest: sha256(Buffer.concat(chunks)), tracked: document.tracked })
  })
  expect(report).toMatchObject({ listed: 3, received: 3, documents: 3, skipped: 0, deleted: 3, unconfirmed: 0, failed: 0 })
  for (const [at, { name, octets }] of documents.entries()) {
    expect(got.get(name)?.digest).toBe(sha256(octets))
    expect(got.get(name)?.tracked).toEqual({
      fileName: name,
      fromAddress: 'sender@example.test',
      host: 'localhost',
      messageId: receipts[at]?.messageId,
      subject: 'Größe',
      toAddress: servers.address,
      user: servers.user,
    })
  }
  expect(servers.messages()).toEqual([])
  const again = await connector.get({ disposition: 'attachment', deleteFromServer: true }, () => expect.fail('nothing is left'))
  expect(again).toMatchObject({ listed: 0, documents: 0 })
  await connector.close()
})

test('an inline document of octets comes back octet for octet, a lone CR and LF included', async () => {
  await emptyMaildrop()
  const connector = new MailConnector({ inbound: pop3('tls'), outbound: smtp('tls'), state: 'memory', logger: silent })
  const [receipt] = await connector.send(
    { from: 'sender@example.test', to: servers.address, disposition: 'inline', dataContentType: 'application/edifact' },
    [{ content: Buffer.from(edi), subject: 'edi' }],
  )
  expect(receipt?.outcome).toBe('accepted')
  await servers.delivered(1)
  const got: string[] = []
  await connector.get({ disposition: 'inline', deleteFromServer: true }, async (document) => {
    for await (const chunk of document.content) got.push(chunk.toString('latin1'))
  })
  expect(got.join('')).toBe(edi)
  await connector.close()
})

const versions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const
test.each(versions)('%s is negotiated when it is the one selected, and reported, by each server and either way to TLS', async (version) => {
  for (const security of ['tls', 'starttls'] as const) {
    const only = { minVersion: version, maxVersion: version }
    const reader = await Pop3Client.connect(pop3(security, only))
    expect(reader.tls).toMatchObject({ version, authorized: true })
    await reader.quit()
    const sender = await SmtpClient.connect(smtp(security, only))
    expect(sender.tls).toMatchObject({ version, authorized: true })
    await sender.quit()
  }
})

test('a wrong password is refused by both, and named as such', async () => {
  await expect(Pop3Client.connect(pop3('tls', {}, 'not-it'))).rejects.toMatchObject({ code: 'ERR_AUTH', transient: false })
  await expect(SmtpClient.connect(smtp('starttls', {}, 'not-it'))).rejects.toMatchObject({ code: 'ERR_AUTH', transient: false })
})

test('each recipient has an outcome of its own', async () => {
  await emptyMaildrop()
  const client = await SmtpClient.connect(smtp('starttls'))
  const to = [servers.address, 'temp@example.test', 'perm@example.test']
  const content = Buffer.from('From: a@example.test\r\nSubject: mixed\r\n\r\ntext\r\n')
  const receipt = await client.submit({ from: 'a@example.test', to }, content)
  expect(receipt.outcome).toBe('partial')
  expect(receipt.recipients.map(({ outcome, reply }) => [outcome, reply?.status, reply?.enhancedStatus])).toEqual([
    ['accepted', 250, expect.stringMatching(/^2\./)],
    ['deferred', 450, '4.2.1'],
    ['refused', 550, '5.1.1'],
  ])
  await servers.delivered(1)
  const nobody = await client.submit({ from: 'a@example.test', to, options: { partial: 'refuse' } }, content)
  expect(nobody.recipients.every(({ outcome }) => outcome !== 'accepted')).toBe(true)
  // The connection is the same, and the next one is not harmed by what was refused.
  expect((await client.submit({ from: '', to: [servers.address] }, content)).outcome).toBe('accepted')
  await servers.delivered(2)
  await client.quit()
  expect(servers.messages()).toHaveLength(2)
})

test('what would end the content early for another reader arrives as content (S12)', async () => {
  await emptyMaildrop()
  const traps = ['\n.\n', '\r.\r', '\n.\r\n', '\r\n.\n', '\r.\r\n', '\r\n.\r', '.\r\n', '\r\n..\r\n', '\r\n.']
  const client = await SmtpClient.connect(smtp('tls'))
  for (const trap of traps) {
    const receipt = await client.submit({ from: 'a@example.test', to: [servers.address] }, Buffer.from(`Subject: x\r\n\r\nbefore${trap}after\r\n`))
    expect(receipt.outcome).toBe('accepted')
  }
  await client.quit()
  await servers.delivered(traps.length)
  const reader = await Pop3Client.connect(pop3('starttls'))
  const bodies: string[] = []
  for (let number = 1; number <= traps.length; number++) {
    let text = ''
    for await (const chunk of reader.retrieve(number)) text += chunk.toString('latin1')
    bodies.push(text.slice(text.indexOf('\r\n\r\n') + 4))
  }
  await reader.quit()
  expect(bodies.toSorted()).toEqual(traps.map((trap) => lines(`before${trap}after\r\n`)).toSorted())
})
