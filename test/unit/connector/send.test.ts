import { Readable } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { DocumentsError, MailConnector, MailError, type OutgoingDocument, type SendOperation, type SendReceipt } from '../../../src/index.ts'
import type { PooledConnection } from '../../../src/smtp/pool.ts'
import { parseMessage, selectBody, type Entity } from '../../../src/mime/index.ts'
import type { Receipt, Reply } from '../../../src/smtp/index.ts'
import { Maildrop, readSource } from '../../support/maildrop.ts'
import { startSmtpServer, type SmtpServer, type SmtpServerOptions } from '../../support/smtp-server.ts'
import { gate, MemoryLog, PASSWORD } from './support.ts'

interface Post {
  readonly server: SmtpServer
  readonly connector: MailConnector
  readonly log: MemoryLog
  send(operation: Partial<SendOperation>, documents: readonly OutgoingDocument[]): Promise<SendReceipt[]>
  /** What was delivered, in order. */
  received(): Promise<Entity[]>
}

async function openPost(more: SmtpServerOptions['more'] = {}): Promise<Post> {
  const maildrop = new Maildrop()
  const users = new Map([
    ['b@test.example', { password: PASSWORD, maildrop }],
    ['a@test.example', { password: PASSWORD, maildrop: new Maildrop() }],
  ])
  const server = await startSmtpServer({ users, more })
  onTestFinished(() => server.close())
  const log = new MemoryLog()
  const connector = new MailConnector({
    outbound: {
      host: server.host,
      port: server.port,
      security: 'none',
      allowClearTextAuth: true,
      auth: { user: 'b@test.example', password: PASSWORD },
      timeouts: { quit: 500 },
    },
    logger: log,
  })
  onTestFinished(() => connector.close())
  return {
    server,
    connector,
    log,
    send: (operation, documents) =>
      connector.send({ from: 'A <a@test.example>', to: 'b@test.example', disposition: 'attachment', ...operation }, documents),
    async received() {
      return Promise.all(maildrop.messages.map(async ({ source }) => parseMessage(await readSource(source))))
    },
  }
}

const OCTETS = Buffer.from(Array.from({ length: 3000 }, (_, at) => (at * 7) & 255))

test('an attachment with a body: octets exact, properties on the receipt', async () => {
  const post = await openPost()
  const [receipt] = await post.send({ subject: 'Invoice €', to: 'Bo <b@test.example>; b@test.example, a@test.example', bcc: 'a@test.example' }, [
    { content: OCTETS, fileName: 'r\u00e9chnung.pdf', body: 'hello' },
  ])
  expect(receipt).toMatchObject({
    outcome: 'accepted',
    tracked: {
      fileName: 'r\u00e9chnung.pdf',
      fromAddress: 'a@test.example',
      host: '127.0.0.1',
      subject: 'Invoice €',
      toAddress: 'b@test.example; b@test.example; a@test.example',
      user: 'b@test.example',
    },
  })
  expect(receipt?.recipients.map(({ address }) => address)).toEqual(['b@test.example', 'a@test.example'])
  const [message] = await post.received()
  const { text, attachments } = selectBody(message ?? parseMessage(Buffer.alloc(0)))
  expect(text?.text()).toBe('hello')
  expect(attachments.map((part) => [part.fileName, part.type, part.content().equals(OCTETS)])).toEqual([
    ['r\u00e9chnung.pdf', 'application/octet-stream', true],
  ])
  expect(message?.header.value('message-id')).toBe(`<${receipt?.messageId}>`)
  expect(message?.header.value('bcc')).toBeUndefined()
})

test('inline: the document is the body; octets keep lone CR and LF, a string is text', async () => {
  const post = await openPost()
  await post.send({ disposition: 'inline', dataContentType: 'Application/EDIFACT' }, [
    { content: Buffer.from('UNA\rUNB\nX'), fileName: 'o.edi', body: 'ignored' },
    { content: 'one\ntwo' },
  ])
  const [edi, text] = await post.received()
  expect([edi?.type, edi?.parts.length, edi?.content().toString()]).toEqual(['application/edifact', 0, 'UNA\rUNB\nX'])
  expect(edi?.fileName).toBe('o.edi')
  expect(text?.content().toString().trimEnd()).toBe('one\r\ntwo')
})

test('a name is invented with the extension of the type', async () => {
  const post = await openPost()
  const receipts = await post.send({ dataContentType: 'application/edi-x12' }, [{ content: 'ISA' }])
  expect(receipts[0]?.tracked.fileName).toMatch(/^\d+\.x12$/)
})

test('together: one message, one receipt', async () => {
  const post = await openPost()
  const receipts = await post.send({ together: true }, [
    { content: OCTETS, fileName: 'a', subject: 'both' },
    { content: stream(OCTETS), fileName: 'b', body: 'text' },
  ])
  expect(receipts.map(({ tracked }) => [tracked.fileName, tracked.subject])).toEqual([['a; b', 'both']])
  const [message] = await post.received()
  expect(message?.parts.map((part) => part.fileName)).toEqual([null, 'a', 'b'])
  await expect(post.send({ together: true }, [])).resolves.toEqual([])
})

test('a whole message is submitted as it is, with its own Message-ID', async () => {
  const post = await openPost()
  const text = 'From: x@y.example\nMessage-ID: <own@y.example>\nSubject: own\n\nbody\n.dot\n'
  const receipts = await post.send({ disposition: 'message' }, [
    { content: Buffer.from(text) },
    { content: stream(Buffer.from(text)), size: text.length },
    { content: 'Subject: no id\r\n\r\n' },
  ])
  expect(receipts.map(({ messageId, tracked, outcome }) => [outcome, messageId, tracked.messageId, tracked.subject])).toEqual([
    ['accepted', 'own@y.example', 'own@y.example', 'own'],
    ['accepted', 'own@y.example', 'own@y.example', 'own'],
    ['accepted', '', null, 'no id'],
  ])
  expect((await post.received())[0]?.raw.toString()).toBe(text.replaceAll('\n', '\r\n'))
  await expect(post.send({ disposition: 'message' }, [{ content: 'Subject: x\r\n\r\n\ud800' }])).rejects.toMatchObject({ code: 'ERR_CONTENT' })
  expect((await post.received()).length).toBe(3)
})

test.each([
  ['From', { from: ' ' }, 'ERR_FROM_MISSING', 'From address is missing'],
  ['To', { to: '; ' }, 'ERR_TO_MISSING', 'To address is missing'],
])('a missing %s is refused before anything is sent', async (_name, operation, code, message) => {
  const post = await openPost()
  await expect(post.send(operation, [{ content: 'x' }])).rejects.toMatchObject({ code, message })
  await expect(post.send(operation, [{ content: 'x', fromAddress: 'a@test.example', toAddress: 'b@test.example' }])).resolves.toMatchObject([
    { outcome: 'accepted' },
  ])
})

test('the same key and sender give the same Message-ID', async () => {
  const post = await openPost()
  const receipts = await post.send({}, [
    { content: 'x', idempotencyKey: 'k' },
    { content: 'x', idempotencyKey: 'k' },
    { content: 'x', idempotencyKey: 'other' },
    { content: 'x' },
  ])
  const ids = receipts.map(({ messageId }) => messageId)
  expect(ids[0]).toMatch(/^[0-9a-f]{40}@test\.example$/)
  expect(ids[1]).toBe(ids[0])
  expect(new Set(ids).size).toBe(3)
})

test('documents are asked for one by one; one that cannot be sent does not take the receipts of others with it', async () => {
  const post = await openPost()
  const asked: number[] = []
  async function* documents(): AsyncGenerator<OutgoingDocument> {
    for (const [at, toAddress] of ['b@test.example', 'not an address', 'b@test.example'].entries()) {
      asked.push(post.server.deliveries.length)
      yield { content: `${at}`, toAddress }
    }
  }
  const receipts = await post.connector.send({ from: 'a@test.example', to: '', disposition: 'attachment' }, documents())
  expect(receipts.map(({ outcome }) => outcome)).toEqual(['accepted', 'refused', 'accepted'])
  expect(asked).toEqual([0, 1, 1])
})

test('a source of documents that fails gives the receipts so far', async () => {
  const post = await openPost()
  const error: unknown = await post.connector
    .send({ from: 'a@test.example', to: 'b@test.example', disposition: 'attachment' }, failingDocuments())
    .catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(DocumentsError)
  expect(error).toMatchObject({ receipts: [{ outcome: 'accepted' }], cause: { message: 'the database is gone' } })
})

test('content that fails is never finished; the next document goes over a new connection', async () => {
  const post = await openPost()
  const receipts = await post.send({}, [{ content: failingStream() }, { content: stream(OCTETS), size: 1 }, { content: 'good' }])
  expect(receipts.map(({ outcome, reply }) => [outcome, reply])).toEqual([
    ['deferred', null],
    ['deferred', null],
    ['accepted', expect.anything()],
  ])
  expect(post.server.deliveries).toHaveLength(1)
})

test('mixed recipients are told apart', async () => {
  const post = await openPost()
  const [receipt] = await post.send({ to: 'b@test.example; nobody@test.example' }, [{ content: 'x' }])
  expect(receipt).toMatchObject({ outcome: 'partial', recipients: [{ outcome: 'accepted' }, { outcome: 'refused', reply: { status: 550 } }] })
})

test('no connection: rejects for the first document', async () => {
  const connector = new MailConnector({
    outbound: { host: '127.0.0.1', port: 1, security: 'none', timeouts: { connect: 500 } },
    logger: new MemoryLog(),
  })
  await expect(connector.send({ from: 'a@x.example', to: 'b@x.example', disposition: 'attachment' }, [{ content: 'x' }])).rejects.toMatchObject({
    code: 'ERR_CONNECT',
  })
  await connector.close()
})

/** What a connection gives. */
const receiptOf = (outcome: 'accepted' | 'deferred' | 'unknown', reply: Reply | null = null): Receipt => ({
  outcome,
  recipients: [{ address: 'b@test.example', outcome, reply }],
  reply,
  octets: 1,
})
const attempt = (receipt: Receipt, isBegun = true): { receipt: Receipt; isBegun: boolean } => ({ receipt, isBegun })

test.each([
  ['hold', 1, 'unknown', 1],
  ['retry', 1, 'accepted', 2],
  ['retry', 2, 'unknown', 2],
] as const)('a final reply that never comes, %s, %d times: %s', async (onUnknown, times, outcome, submissions) => {
  const submitted: string[] = []
  let left = times
  const fake = async (): Promise<PooledConnection & { tls: null }> => {
    let usable = true
    return {
      tls: null,
      depth: 1,
      extensions: new Map(),
      get usable() {
        return usable
      },
      async attempt(_envelope, content) {
        const chunks: Uint8Array[] = []
        for await (const chunk of content instanceof Uint8Array ? [content] : content) chunks.push(chunk)
        submitted.push(Buffer.concat(chunks).toString())
        left -= 1
        usable = left < 0
        const result = usable ? 'accepted' : 'unknown'
        return attempt(receiptOf(result))
      },
      quit: () => Promise.resolve(),
    }
  }
  const connector = new MailConnector({ outbound: { host: 'mail.example' }, logger: new MemoryLog() }, { smtp: fake })
  const operation = { from: 'a@test.example', to: 'b@test.example', disposition: 'attachment', onUnknown } as const
  const receipts = await connector.send(operation, [{ content: OCTETS }])
  await connector.close()
  expect(receipts.map((receipt) => receipt.outcome)).toEqual([outcome])
  expect(submitted).toHaveLength(submissions)
  expect(new Set(submitted).size).toBe(1)
})

test('retry sends again to those in doubt only: who has it for certain does not get it twice', async () => {
  const asked: unknown[] = []
  const fake = (): Promise<PooledConnection & { tls: null }> =>
    Promise.resolve({
      tls: null,
      depth: 1,
      extensions: new Map(),
      usable: true,
      attempt({ to }) {
        asked.push(to.map((one) => (typeof one === 'string' ? one : one.address)))
        const isFirst = asked.length === 1
        const outcomes = isFirst ? (['accepted', 'unknown', 'refused', 'unknown'] as const) : (['accepted', 'deferred'] as const)
        const recipients = outcomes.map((outcome, at) => ({
          address: asked.length === 1 ? `${at}@test.example` : `${at * 2 + 1}@test.example`,
          outcome,
          reply: null,
        }))
        return Promise.resolve(attempt({ outcome: isFirst ? 'unknown' : 'partial', recipients, reply: null, octets: 1 }))
      },
      quit: () => Promise.resolve(),
    })
  await using connector = new MailConnector({ outbound: { host: 'mail.example' }, logger: new MemoryLog() }, { smtp: fake })
  const to = [0, 1, 2, 3].map((at) => `${at}@test.example`)
  const operation = { from: 'a@test.example', to: to.join('; '), disposition: 'attachment', onUnknown: 'retry' } as const
  const [receipt] = await connector.send(operation, [{ content: OCTETS }])
  expect(asked).toEqual([to, [to[1], to[3]]])
  expect(receipt?.outcome).toBe('unknown')
  expect(receipt?.recipients.map(({ address, outcome }) => [address, outcome])).toEqual([
    [to[0], 'accepted'],
    [to[1], 'accepted'],
    [to[2], 'refused'],
    [to[3], 'unknown'],
  ])
})

test.each([
  ['mail', ['accepted', 'accepted'], 2],
  ['data', ['accepted', 'deferred'], 1],
] as const)('a connection in use that fails in the %s phase: %j', async (phase, outcomes, connections) => {
  let made = 0
  const fake = (): Promise<PooledConnection & { tls: null }> => {
    made += 1
    let usable = true
    let left = made === 1 ? 1 : 9
    return Promise.resolve({
      tls: null,
      depth: 1,
      extensions: new Map(),
      get usable() {
        return usable
      },
      async attempt() {
        usable = left-- > 0
        if (!usable) throw new MailError('ERR_CLOSED', 'gone', { phase, transient: true })
        return attempt(receiptOf('accepted'))
      },
      quit: () => Promise.resolve(),
    })
  }
  await using connector = new MailConnector({ outbound: { host: 'mail.example' }, logger: new MemoryLog() }, { smtp: fake })
  const operation = { from: 'a@test.example', to: 'b@test.example', disposition: 'attachment' } as const
  const receipts = await connector.send(operation, [{ content: OCTETS }, { content: OCTETS }])
  expect(receipts.map(({ outcome }) => outcome)).toEqual(outcomes)
  expect(made).toBe(connections)
})

test.each([
  [true, ['accepted', 'accepted'], 2],
  [false, ['accepted', 'deferred'], 1],
] as const)('421 on a connection in use, unanswered %j (H19): %j', async (unanswered, outcomes, connections) => {
  let made = 0
  const fake = (): Promise<PooledConnection & { tls: null }> => {
    made += 1
    let submitted = 0
    return Promise.resolve({
      tls: null,
      depth: 1,
      extensions: new Map(),
      get usable() {
        return made > 1 || submitted < 2
      },
      attempt() {
        submitted += 1
        if (made > 1 || submitted === 1) return Promise.resolve(attempt(receiptOf('accepted')))
        return Promise.resolve(attempt(receiptOf('deferred', { status: 421, enhancedStatus: null, lines: ['bye'] }), !unanswered))
      },
      quit: () => Promise.resolve(),
    })
  }
  await using connector = new MailConnector({ outbound: { host: 'mail.example' }, logger: new MemoryLog() }, { smtp: fake })
  const operation = { from: 'a@test.example', to: 'b@test.example', disposition: 'attachment' } as const
  const receipts = await connector.send(operation, [{ content: OCTETS }, { content: OCTETS }])
  expect(receipts.map(({ outcome }) => outcome)).toEqual(outcomes)
  expect(made).toBe(connections)
})

test('whole-message content that fails is deferred; all streams are closed, also of documents that were never sent', async () => {
  const post = await openPost()
  const broken = Readable.from([])
  broken.destroy(new Error('the disk is gone'))
  broken.on('error', () => undefined)
  const receipts = await post.send({ disposition: 'message' }, [{ content: broken }])
  expect(receipts).toMatchObject([{ outcome: 'deferred', reply: null }])
  const kept = Readable.from([OCTETS])
  function* documents(): Generator<OutgoingDocument> {
    yield { content: kept }
    throw new Error('the database is gone')
  }
  const operation = { from: 'a@test.example', to: 'b@test.example', disposition: 'attachment', together: true } as const
  await expect(post.connector.send(operation, documents())).rejects.toBeInstanceOf(DocumentsError)
  expect(kept.destroyed).toBe(true)
})

test.each(['x'.repeat(999), 'NUL: \0'])('content that no server can be given is refused, not deferred, also from a stream (S14)', async (body) => {
  const post = await openPost()
  const message = Buffer.from(`Subject: x\r\n\r\n${body}\r\n`)
  const [whole] = await post.send({ disposition: 'message' }, [{ content: message }])
  const [streamed] = await post.send({ disposition: 'message' }, [{ content: stream(message) }])
  expect([whole?.outcome, streamed?.outcome]).toEqual(['refused', 'refused'])
})

test('an abort ends the waiting for the message of another send', async () => {
  const entered = gate()
  const left = gate()
  const fake = (): Promise<PooledConnection & { tls: null }> =>
    Promise.resolve({
      tls: null,
      depth: 1,
      extensions: new Map(),
      usable: true,
      async attempt() {
        entered.open()
        await left.opened
        return attempt(receiptOf('accepted'))
      },
      quit: () => Promise.resolve(),
    })
  await using connector = new MailConnector({ outbound: { host: 'mail.example' }, logger: new MemoryLog() }, { smtp: fake })
  const operation = { from: 'a@test.example', to: 'b@test.example', disposition: 'attachment' } as const
  const first = connector.send(operation, [{ content: 'x' }])
  await entered.opened
  const controller = new AbortController()
  const second = connector.send(operation, [{ content: 'x' }], { signal: controller.signal })
  setImmediate(() => controller.abort('enough'))
  await expect(second).rejects.toBe('enough')
  left.open()
  await expect(first).resolves.toMatchObject([{ outcome: 'accepted' }])
})

test('a stream cannot be sent twice, so retry refuses it', async () => {
  const post = await openPost()
  await expect(post.send({ onUnknown: 'retry' }, [{ content: stream(OCTETS) }])).rejects.toMatchObject({ code: 'ERR_OPTION' })
})

test.each([null, 7, {}, { content: null }, { content: {} }, { content: 'x', size: -1 }, { content: 'x', subject: 1 }])(
  '%j is no document',
  async (wrong) => {
    const post = await openPost()
    const documents: OutgoingDocument[] = JSON.parse(JSON.stringify([wrong]))
    await expect(post.send({}, documents)).rejects.toMatchObject({ code: 'ERR_OPTION' })
  },
)

test('closing the connector ends a send whose documents never come', async () => {
  const post = await openPost()
  const never: AsyncIterable<OutgoingDocument> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) }
  const sent = expect(post.connector.send({ from: 'a@test.example', to: 'b@test.example', disposition: 'attachment' }, never)).rejects.toMatchObject({
    code: 'ERR_CLOSED',
  })
  await post.connector.close()
  await sent
})

test('no secret in the log, which has one line a message', async () => {
  const post = await openPost()
  await post.send({ subject: 's' }, [{ content: 'x' }])
  expect(post.log.text).not.toContain(PASSWORD)
  expect(post.log.text).not.toContain(Buffer.from(PASSWORD).toString('base64'))
  expect(post.log.lines.filter(({ message }) => message === 'message sent')).toHaveLength(1)
})

async function* stream(octets: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < octets.length; at += 1000) yield octets.subarray(at, at + 1000)
}

async function* failingStream(): AsyncGenerator<Buffer> {
  yield Buffer.alloc(100_000)
  throw new Error('the disk is gone')
}

function* failingDocuments(): Generator<OutgoingDocument> {
  yield { content: 'one' }
  throw new Error('the database is gone')
}
