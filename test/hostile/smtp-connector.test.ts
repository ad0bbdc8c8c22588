import { hostname } from 'node:os'
import { Readable } from 'node:stream'
import { inspect } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { MailConnector, type OutgoingDocument, type SendOperation } from '../../src/index.ts'
import { startFakeServer, type FakeServer, type FakeServerOptions, type Step } from '../support/fake-server.ts'
import { rejection, untyped } from '../support/smtp-replay.ts'
import { MemoryLog } from '../unit/connector/support.ts'

const PASSWORD = 'canary-9d1f6c'
const SECRETS = new RegExp(
  `${PASSWORD}|${Buffer.from(`\0u1\0${PASSWORD}`).toString('base64')}|${Buffer.from(PASSWORD).toString('base64').slice(0, -2)}`,
)
const OPERATION = { from: 'a@x.test', to: 'b@x.test', disposition: 'attachment' } as const

const say = (...lines: readonly string[]): Step => ({ send: lines.map((line) => `${line}\r\n`).join('') })
const HELLO: Step[] = [say('220 x'), { expect: 'EHLO' }, say('250-x', '250-PIPELINING', '250 AUTH PLAIN'), { expect: 'AUTH PLAIN' }]
const LOGIN: Step[] = [...HELLO, say('235 ok')]
const ENVELOPE: Step[] = [{ expect: 'MAIL' }, { expect: 'RCPT' }, { expect: 'DATA' }, say('250 ok', '250 ok', '354 go')]
const QUIT: Step[] = [{ expect: 'QUIT' }, say('221 bye'), { end: 'drop' }]

/** Keeps the lines of a content up to the final dot, and answers. */
function take(content: string[], reply = '250 taken'): Step {
  return {
    async run(connection) {
      for (let line = await connection.readLine(); line !== null && line !== '.'; line = await connection.readLine()) content.push(line)
      await connection.write(`${reply}\r\n`)
    },
  }
}

interface Post {
  readonly server: FakeServer
  readonly log: MemoryLog
  readonly connector: MailConnector
  send(documents: readonly OutgoingDocument[], operation?: Partial<SendOperation>): ReturnType<MailConnector['send']>
}

async function open(script: FakeServerOptions['script']): Promise<Post> {
  const server = await startFakeServer({ script })
  onTestFinished(() => server.close())
  const log = new MemoryLog()
  const { host, port } = server
  const timeouts = { dataEnd: 60, command: 2_000, quit: 60 }
  const outbound = { host, port, security: 'none', allowClearTextAuth: true, auth: { user: 'u1', password: PASSWORD }, timeouts } as const
  const connector = new MailConnector({ outbound, logger: log })
  onTestFinished(() => connector.close())
  return { server, log, connector, send: (documents, operation) => connector.send({ ...OPERATION, ...operation }, documents) }
}

test('S11: who gets a blind copy is in the envelope and nowhere in the message', async () => {
  const content: string[] = []
  const envelope: Step[] = [{ expect: 'MAIL' }, { expect: 'RCPT' }, { expect: 'RCPT TO:<hidden@x.test>' }, { expect: 'DATA' }]
  const post = await open([...LOGIN, ...envelope, say('250 ok', '250 ok', '250 ok', '354 go'), take(content), ...QUIT])
  const receipts = await post.send([{ content: 'x' }], { bcc: 'hidden@x.test' })
  expect(receipts.map(({ outcome }) => outcome)).toEqual(['accepted'])
  expect(content.join('\n')).not.toMatch(/hidden|bcc/i)
})

test('S9, S1: what names a document cannot add a field or a command', async () => {
  const evil = 'x\r\nBcc: evil@x.test\r\n\r\n.\r\nQUIT'
  const content: string[] = []
  const post = await open([...LOGIN, ...ENVELOPE, take(content), ...QUIT])
  const [receipt] = await post.send([{ content: 'x', subject: evil, fileName: evil }]).catch((error: unknown) => {
    expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_(?:HEADER|OPTION)$/) })
    return []
  })
  if (receipt !== undefined) expect(receipt.outcome).toBe('accepted')
  expect(content.filter((line) => /^(?:bcc|quit)/i.test(line))).toEqual([])
  await expect(post.send([{ content: 'x', toAddress: 'b@x.test>\r\nRCPT TO:<evil@x.test' }])).rejects.toMatchObject({ code: 'ERR_ADDRESS' })
  expect(post.server.lines.flat().join('\n')).not.toContain('evil')
})

test.each(['535 5.7.8 no: AUTH PLAIN', '421 4.3.2 going'])(
  'S24, S25, S22: a login that is refused with %s and an echo of the secret: it is in no error and no log',
  async (reply) => {
    const echo = `${reply} ${PASSWORD} ${Buffer.from(`\0u1\0${PASSWORD}`).toString('base64')} \x1b[2J`
    const post = await open([...HELLO, say(echo), { end: 'drop' }])
    const error = await rejection(post.send([{ content: 'x' }]))
    expect(error).toMatchObject({ code: 'ERR_AUTH' })
    for (const told of [inspect(error, { depth: 9, showHidden: true }), inspect(post.connector, { depth: 9, showHidden: true }), post.log.text])
      expect(told).not.toMatch(SECRETS)
    expect(String(error)).toMatch(/^[ -~]+$/)
    expect(post.log.text).not.toContain('\x1b')
  },
)

test.each([{ end: 'drop' }, { end: 'reset' }, { end: 'stall' }] as const)(
  'S29: %j after the final dot: the receipt says unknown, the log says so, and nothing is sent again',
  async (end) => {
    const post = await open([...LOGIN, ...ENVELOPE, { skipTo: '.' }, end])
    expect(await post.send([{ content: 'x' }])).toMatchObject([{ outcome: 'unknown', reply: null, recipients: [{ outcome: 'unknown' }] }])
    expect(post.log.lines.filter(({ level }) => level === 'error')).toHaveLength(1)
    expect(post.server.lines).toHaveLength(1)
  },
)

test('S30: QUIT that is not answered takes nothing back', async () => {
  const post = await open([...LOGIN, ...ENVELOPE, { skipTo: '.' }, say('250 ok'), { expect: 'QUIT' }, { end: 'stall' }])
  expect(await post.send([{ content: 'x' }])).toMatchObject([{ outcome: 'accepted' }])
  await post.connector.close()
})

test.each([
  ['at the recipient', [{ expect: 'MAIL' }, { expect: 'RCPT' }, { expect: 'DATA' }, say('250 ok', '450 4.2.0 later', '503 no')], 'deferred', 450],
  ['at DATA', [{ expect: 'MAIL' }, { expect: 'RCPT' }, { expect: 'DATA' }, say('250 ok', '250 ok', '554 5.7.1 no')], 'refused', 554],
  ['after the content', [...ENVELOPE, { skipTo: '.' }, say('552 5.3.4 too big')], 'refused', 552],
] as const)('S26: refused %s: the receipt of that document says so, and the next one is sent', async (_name, steps, outcome, status) => {
  const next: Step[] = status === 552 ? [] : [{ expect: 'RSET' }, say('250 ok')]
  const post = await open([...LOGIN, ...steps, ...next, ...ENVELOPE, { skipTo: '.' }, say('250 ok'), ...QUIT])
  const receipts = await post.send([{ content: 'one' }, { content: 'two' }])
  expect(receipts.map((one) => [one.outcome, one.reply?.status])).toEqual([
    [outcome, status],
    ['accepted', 250],
  ])
})

test('S33: aborted before the final dot: the reason, no dot, and nobody is left', async () => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const post = await open([...LOGIN, ...ENVELOPE.slice(0, 3), { run: async () => controller.abort(reason) }])
  expect(await rejection(post.connector.send(OPERATION, [{ content: 'x' }], { signal: controller.signal }))).toBe(reason)
  await post.server.done()
  expect(post.server.lines.flat()).not.toContain('.')
})

test('S34: a document that fails in the middle: no final dot, and the next document is sent over another connection', async () => {
  const post = await open((connection) => [...LOGIN, ...ENVELOPE, { skipTo: '.' }, say('250 ok'), ...(connection === 0 ? [] : QUIT)])
  const receipts = await post.send([{ content: Readable.from(failing()) }, { content: 'two' }])
  expect(receipts.map(({ outcome, reply }) => [outcome, reply?.status])).toEqual([
    ['deferred', undefined],
    ['accepted', 250],
  ])
  await post.connector.close()
  expect(post.server.lines).toHaveLength(2)
})

test('S35: a string is text, whatever it looks like; what is neither text nor octets is refused', async () => {
  const content: string[] = []
  const post = await open([...LOGIN, ...ENVELOPE, take(content), ...QUIT])
  await post.send([{ content: 'file:///etc/passwd' }], { disposition: 'inline' })
  expect(content.at(-1)).toBe('file:///etc/passwd')
  for (const wrong of [{ path: '/etc/passwd' }, { href: 'http://127.0.0.1/' }, new URL('file:///etc/passwd')])
    await expect(post.send([{ content: untyped(wrong) }])).rejects.toMatchObject({ code: 'ERR_OPTION' })
})

test('S36, S38: one key and sender, one Message-ID, which names the sender and not this machine', async () => {
  const content: string[] = []
  const message: Step[] = [...ENVELOPE, take(content)]
  const post = await open([...LOGIN, ...message, ...message, ...message, ...QUIT])
  const receipts = await post.send([{ content: 'x', idempotencyKey: 'k' }, { content: 'x', idempotencyKey: 'k' }, { content: 'x' }])
  const [first, second, third] = receipts.map(({ messageId }) => messageId)
  expect(second).toBe(first)
  expect(third).not.toBe(first)
  expect(content.filter((line) => line.startsWith('Message-ID'))).toEqual(receipts.map(({ messageId }) => `Message-ID: <${messageId}>`))
  for (const { messageId } of receipts) expect(messageId).toMatch(/^[\w.-]+@x\.test$/)
  expect(content.join('\n')).not.toContain(hostname())
})

test('S37: a document that is changed after the call, and one with a prototype of its own', async () => {
  const content: string[] = []
  const message: Step[] = [...ENVELOPE, take(content)]
  const post = await open([...LOGIN, ...message, ...message, ...QUIT])
  const operation = { from: 'a@x.test', to: 'b@x.test', disposition: 'attachment', subject: 'one' } as const
  const sending = post.connector.send(operation, [{ content: 'x' }])
  Object.assign(operation, { to: 'evil@x.test', subject: 'evil' })
  expect(await sending).toMatchObject([{ outcome: 'accepted', tracked: { subject: 'one', toAddress: 'b@x.test' } }])
  const document: OutgoingDocument = JSON.parse('{"content":"x","__proto__":{"toAddress":"evil@x.test"},"constructor":{"subject":"evil"}}')
  expect(await post.send([document])).toMatchObject([{ outcome: 'accepted', tracked: { toAddress: 'b@x.test' } }])
  expect(content.join('\n')).not.toContain('evil')
})

async function* failing(): AsyncGenerator<Buffer> {
  yield Buffer.alloc(100_000, 'x')
  throw new Error('the disk is gone')
}
