import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { smtpCommandChannel } from '../../../src/diagnostics.ts'
import { SmtpClient } from '../../../src/smtp/client.ts'
import type { SmtpOptions } from '../../../src/smtp/options.ts'
import { MemoryTransport } from '../../support/memory-transport.ts'
import { chunks, published, rejection, untyped } from '../../support/smtp-replay.ts'

const ENVELOPE = { from: 'a@x.test', to: ['b@x.test'] }
const BYE = /QUIT\r\n$/

/** A client over a server that says yes to everything, until it is told otherwise. */
async function connected(
  extensions: readonly string[] = ['PIPELINING'],
  options: Partial<SmtpOptions> = {},
): Promise<{ client: SmtpClient; transport: MemoryTransport; say: Map<string, string> }> {
  const transport = new MemoryTransport()
  const say = new Map<string, string>([
    ['MAIL', '250 ok\r\n'],
    ['RCPT', '250 ok\r\n'],
    ['DATA', '354 go\r\n'],
    ['RSET', '250 ok\r\n'],
    ['QUIT', '221 bye\r\n'],
    ['.', '250 taken\r\n'],
  ])
  let content = false
  transport.onWrite = (octets) => {
    const text = octets.toString('latin1')
    if (text.startsWith('EHLO')) return transport.feed(['250-x', ...extensions].join('\r\n250-').replace(/250-([^-]*)$/, '250 $1') + '\r\n')
    if (content) {
      if (!text.endsWith('.\r\n')) return
      content = false
      return transport.feed(say.get('.') ?? '')
    }
    const replies = text.split('\r\n').map((line) => say.get(line.slice(0, 4)) ?? '')
    content = text.includes('DATA\r\n') && say.get('DATA')?.startsWith('354') === true
    return transport.feed(replies.join(''))
  }
  transport.feed('220 x\r\n')
  const client = await SmtpClient.over(transport, { host: 'memory.test', clientName: 'c.test', ...options })
  return { client, transport, say }
}

/** What was written after the EHLO. */
function sent(transport: MemoryTransport): string[] {
  return transport.sent.slice(1).map((octets) => octets.toString('latin1'))
}

function sized(size: number): AsyncIterable<Uint8Array> {
  return Object.assign(chunks('12345'), { size })
}

async function* strings(): AsyncGenerator<Uint8Array> {
  yield untyped('text')
}

async function* manyLines(count: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < count; at++) yield Buffer.from('0123456789\r\n')
}

async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    if (turns > 1000) throw new Error('it never came true')
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
  }
}

test('two writes a message: the envelope with DATA, and the content with its final dot', async () => {
  const { client, transport } = await connected()
  for (const _ of [1, 2]) expect((await client.submit(ENVELOPE, Buffer.from('x: y\r\n\r\n.\n'))).octets).toBe(11)
  const message = ['MAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\n', 'x: y\r\n\r\n..\r\n.\r\n']
  expect(sent(transport)).toEqual([...message, ...message])
})

test('small chunks that are there at once leave together; what a slow source gave does not wait for the rest', async () => {
  const { client, transport } = await connected()
  await client.submit(ENVELOPE, manyLines(1000))
  expect(sent(transport)).toHaveLength(2)
  async function* slow(): AsyncGenerator<Buffer> {
    yield Buffer.from('x: y\r\n')
    await until(() => transport.sent.at(-1)?.toString() === 'x: y')
    yield Buffer.from('\r\n')
  }
  await client.submit(ENVELOPE, slow())
  expect(sent(transport).slice(3)).toEqual(['x: y', '\r\n\r\n.\r\n'])
})

test('submissions queue up; one that is aborted while it waits harms nobody (S33)', async () => {
  const { client, transport, say } = await connected()
  say.set('.', '')
  const first = client.submit(ENVELOPE, Buffer.from('1'))
  const controller = new AbortController()
  const second = rejection(client.submit({ ...ENVELOPE, options: { signal: controller.signal } }, Buffer.from('2')))
  const third = client.submit(ENVELOPE, Buffer.from('3'))
  await until(() => sent(transport).length === 2)
  const reason = new Error('changed my mind')
  controller.abort(reason)
  expect(await second).toBe(reason)
  say.set('.', '250 taken\r\n')
  transport.feed('250 taken\r\n')
  expect((await first).outcome).toBe('accepted')
  expect((await third).outcome).toBe('accepted')
  expect(transport.sentText).not.toContain('\r\n2')
  await client.quit()
  expect(transport.sentText).toMatch(BYE)
})

test.each([
  ['452 4.3.1 full', 'deferred'],
  ['552 5.3.4 too big', 'refused'],
  ['421 4.3.2 shutting down', 'deferred'],
])('H23: %s while content flows: no final dot, the connection ends, the reply decides', async (reply, outcome) => {
  const { client, transport } = await connected()
  let left = false
  async function* source(): AsyncGenerator<Buffer> {
    try {
      yield Buffer.from('x: y\r\n\r\nhello\r\n')
      transport.feed(`${reply}\r\n`)
      for (;;) {
        await new Promise<void>((resolve) => {
          setImmediate(resolve)
        })
        yield Buffer.from('more\r\n')
      }
    } finally {
      left = true
    }
  }
  const receipt = await client.submit(ENVELOPE, source())
  expect(receipt.outcome).toBe(outcome)
  expect(receipt.reply?.status).toBe(Number(reply.slice(0, 3)))
  expect(transport.sentText).not.toContain('\r\n.\r\n')
  expect(transport.destroyed).toBe(true)
  expect(client.usable).toBe(false)
  await until(() => left)
})

test('H23: 250 before the content ends is no acceptance', async () => {
  const { client, transport } = await connected()
  async function* source(): AsyncGenerator<Buffer> {
    transport.feed('250 taken\r\n')
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
    yield Buffer.from('x: y\r\n')
  }
  expect(await rejection(client.submit(ENVELOPE, source()))).toMatchObject({ code: 'ERR_PROTOCOL', phase: 'content' })
  expect(transport.sentText).not.toContain('.\r\n.')
  expect(transport.destroyed).toBe(true)
})

test('a source that hangs does not hold up an early reply, an abort or the end of the connection', async () => {
  const forever = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<IteratorResult<Uint8Array>>(() => {}) }) }
  const early = await connected()
  const receipt = early.client.submit(ENVELOPE, forever)
  await until(() => sent(early.transport).length === 1)
  early.transport.feed('451 no patience\r\n')
  expect((await receipt).outcome).toBe('deferred')
  const aborted = await connected()
  const controller = new AbortController()
  const submission = rejection(aborted.client.submit({ ...ENVELOPE, options: { signal: controller.signal } }, forever))
  await until(() => sent(aborted.transport).length === 1)
  const reason = new Error('stop')
  controller.abort(reason)
  expect(await submission).toBe(reason)
  expect(aborted.transport.destroyed).toBe(true)
  const stuck = await connected()
  const stream = new Readable({ read: () => {} })
  const stopped = stuck.client.submit(ENVELOPE, stream)
  await until(() => sent(stuck.transport).length === 1)
  stuck.transport.feed('552 5.3.4 too big\r\n')
  expect((await stopped).outcome).toBe('refused')
  expect(stream.destroyed).toBe(true)
  const lost = await connected()
  const cut = rejection(lost.client.submit(ENVELOPE, forever))
  await until(() => sent(lost.transport).length === 1)
  lost.transport.finish()
  expect(await cut).toMatchObject({ code: 'ERR_CLOSED', phase: 'content', transient: true })
})

test('S34: a source that fails, gives no octets, a NUL, or less or more than it said: no final dot', async () => {
  const failure = new Error('disk on fire')
  async function* failing(): AsyncGenerator<Buffer> {
    yield Buffer.from('x: y\r\n')
    throw failure
  }
  for (const [content, expected] of [
    [failing(), failure],
    [chunks('a\0b'), { code: 'ERR_CONTENT' }],
    [sized(4), { code: 'ERR_CONTENT' }],
    [sized(6), { code: 'ERR_CONTENT' }],
    [strings(), { code: 'ERR_CONTENT' }],
  ] as const) {
    const { client, transport } = await connected()
    const error = await rejection(client.submit(ENVELOPE, content))
    if (expected instanceof Error) expect(error).toBe(expected)
    else expect(error).toMatchObject(expected)
    expect(transport.destroyed).toBe(true)
    expect(transport.sentText).not.toMatch(/\.\r\n$/)
    expect(await rejection(client.submit(ENVELOPE, Buffer.from('x')))).toMatchObject({ code: 'ERR_CLOSED', transient: true })
  }
})

test('S33: aborted after the final dot: the outcome is unknown', async () => {
  const { client, transport, say } = await connected()
  say.set('.', '')
  const controller = new AbortController()
  const receipt = client.submit({ ...ENVELOPE, options: { signal: controller.signal } }, Buffer.from('x'))
  await until(() => sent(transport).length === 2)
  controller.abort()
  expect(await receipt).toMatchObject({ outcome: 'unknown', reply: null, recipients: [{ address: 'b@x.test', outcome: 'unknown', reply: null }] })
})

test('the signal of the connection ends it and all calls on it, with its reason, and leaves no listener behind', async () => {
  const controller = new AbortController()
  const { client, transport, say } = await connected(['PIPELINING'], { signal: controller.signal })
  say.clear()
  const submission = rejection(client.submit(ENVELOPE, Buffer.from('x')))
  await until(() => sent(transport).length === 1)
  const reason = new Error('closing time')
  controller.abort(reason)
  expect(await submission).toBe(reason)
  expect(await rejection(client.submit(ENVELOPE, Buffer.from('x')))).toBe(reason)
  const already = new MemoryTransport()
  expect(await rejection(SmtpClient.over(already, { host: 'x', signal: controller.signal }))).toBe(reason)
  expect(already.destroyed).toBe(true)
})

test.each([
  ['command', 'MAIL', 'mail'],
  ['dataStart', 'DATA', 'data'],
])('the timer %s', async (timer, verb, phase) => {
  const { client, say } = await connected(['8BITMIME'], { timeouts: { [timer]: 5 } })
  say.set(verb, '')
  expect(await rejection(client.submit(ENVELOPE, Buffer.from('x')))).toMatchObject({ code: 'ERR_TIMEOUT', phase, transient: true })
})

test('the timers dataEnd and transaction', async () => {
  const slow = await connected(['PIPELINING'], { timeouts: { dataEnd: 5 } })
  slow.say.set('.', '')
  expect((await slow.client.submit(ENVELOPE, Buffer.from('x'))).outcome).toBe('unknown')
  const long = await connected(['PIPELINING'], { timeouts: { transaction: 5 } })
  const forever = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<IteratorResult<Uint8Array>>(() => {}) }) }
  expect(await rejection(long.client.submit(ENVELOPE, forever))).toMatchObject({ code: 'ERR_TIMEOUT' })
})

test('refused before anything is sent: SIZE, addresses, options, content (S1, S8, S15)', async () => {
  const { client, transport } = await connected(['PIPELINING', 'SIZE 10'])
  const refusals: [envelope: Parameters<SmtpClient['submit']>[0], content: Uint8Array | AsyncIterable<Uint8Array>, code: string][] = [
    [ENVELOPE, Buffer.from('0123456789\n'), 'ERR_LIMIT'],
    [ENVELOPE, Object.assign(chunks(''), { size: 11 }), 'ERR_LIMIT'],
    [ENVELOPE, Buffer.from('a\0b'), 'ERR_CONTENT'],
    [ENVELOPE, untyped('text'), 'ERR_OPTION'],
    [{ ...ENVELOPE, to: [] }, Buffer.alloc(0), 'ERR_OPTION'],
    [{ ...ENVELOPE, to: untyped('b@x.test') }, Buffer.alloc(0), 'ERR_OPTION'],
    [{ ...ENVELOPE, from: 'a@x.test>\r\nDATA' }, Buffer.alloc(0), 'ERR_ADDRESS'],
    [{ ...ENVELOPE, to: ['b@x.test', 'jörg@x.test'] }, Buffer.alloc(0), 'ERR_ADDRESS'],
    [{ ...ENVELOPE, options: { partial: untyped('some') } }, Buffer.alloc(0), 'ERR_OPTION'],
    [{ ...ENVELOPE, options: { dsn: { notify: 'never' } } }, Buffer.alloc(0), 'ERR_UNSUPPORTED'],
    [{ ...ENVELOPE, options: { dsn: { envid: 'a\nb' } } }, Buffer.alloc(0), 'ERR_OPTION'],
    [{ ...ENVELOPE, options: { requireTls: true } }, Buffer.alloc(0), 'ERR_UNSUPPORTED'],
    [{ ...ENVELOPE, options: { requireTls: untyped('true') } }, Buffer.alloc(0), 'ERR_OPTION'],
    [{ ...ENVELOPE, options: { body: '8bit' } }, Buffer.alloc(0), 'ERR_UNSUPPORTED'],
  ]
  for (const [envelope, content, code] of refusals) {
    expect(await rejection(client.submit(envelope, content)), code).toMatchObject({ code, reusable: true })
  }
  expect(sent(transport)).toEqual([])
  expect((await client.submit(ENVELOPE, Buffer.from('01234567'))).outcome).toBe('accepted') // SIZE is 10 with the line end that is added
})

test('parameters of MAIL and RCPT, each only where it is offered', async () => {
  const all = ['PIPELINING', 'SIZE', '8BITMIME', 'DSN', 'SMTPUTF8', 'REQUIRETLS']
  const { client, transport } = await connected(all)
  await client.submit(ENVELOPE, Buffer.from('x'))
  await client.submit(ENVELOPE, Buffer.from('ü'))
  await client.submit(ENVELOPE, chunks('x'))
  await client.submit({ ...ENVELOPE, options: { body: '7bit', requireTls: true } }, Object.assign(chunks('x'), { size: 1 }))
  const dsn = { notify: ['success', 'delay'], ret: 'headers', envid: 'a+b=c d' } as const
  await client.submit({ from: '', to: ['jörg@bücher.test'], options: { dsn } }, Buffer.from('x'))
  const envelopes = sent(transport).filter((text) => text.startsWith('MAIL'))
  const lines = envelopes.map((text) => text.split('\r\n').slice(0, 2))
  expect(lines).toEqual([
    ['MAIL FROM:<a@x.test> SIZE=3', 'RCPT TO:<b@x.test>'],
    ['MAIL FROM:<a@x.test> SIZE=4 BODY=8BITMIME', 'RCPT TO:<b@x.test>'],
    ['MAIL FROM:<a@x.test> BODY=8BITMIME', 'RCPT TO:<b@x.test>'],
    ['MAIL FROM:<a@x.test> REQUIRETLS SIZE=1', 'RCPT TO:<b@x.test>'],
    [
      'MAIL FROM:<> RET=HDRS ENVID=a+2Bb+3Dc+20d SIZE=3 SMTPUTF8',
      `RCPT TO:<${Buffer.from('jörg').toString('latin1')}@xn--bcher-kva.test> NOTIFY=SUCCESS,DELAY`,
    ],
  ])
})

test('a recipient that is repeated is sent once and reported as often as it was given', async () => {
  const { client, transport } = await connected()
  const receipt = await client.submit({ from: '', to: ['b@x.test', 'c@x.test', 'b@X.TEST'] }, Buffer.from('x'))
  expect(receipt.recipients.map(({ address, outcome }) => [address, outcome])).toEqual([
    ['b@x.test', 'accepted'],
    ['c@x.test', 'accepted'],
    ['b@X.TEST', 'accepted'],
  ])
  expect(transport.sentText.match(/RCPT/g)).toHaveLength(2)
})

test('S28: ten thousand recipients leave in bounded groups, and each reply finds its recipient (quirks 2, 3)', async () => {
  const { client, transport, say } = await connected()
  say.delete('RCPT')
  const answer = transport.onWrite
  let most = 0
  transport.onWrite = (octets) => {
    const text = octets.toString('latin1')
    most = Math.max(most, text.length)
    transport.feed(text.startsWith('MAIL') ? '250 ok\r\n' : '')
    for (const [, number] of text.matchAll(/RCPT TO:<r(\d+)@/g)) transport.feed(Number(number) < 9_900 ? '250 ok\r\n' : `452 4.5.3 ${number}\r\n`)
    if (!text.includes('RCPT')) answer?.(octets)
    else if (text.endsWith('DATA\r\n')) answer?.(Buffer.from('DATA\r\n'))
  }
  const to = Array.from({ length: 10_000 }, (_, at) => `r${at}@x.test`)
  const receipt = await client.submit({ from: '', to }, Buffer.from('x'))
  expect(receipt.outcome).toBe('partial')
  expect(receipt.recipients.filter(({ outcome }) => outcome === 'accepted')).toHaveLength(9_900)
  expect(receipt.recipients[9_950]?.reply?.lines).toEqual(['4.5.3 9950'])
  expect(most).toBeLessThanOrEqual(32 * 1024)
})

test('diagnostics have one message for the content', async () => {
  const lines = await published([smtpCommandChannel], async () => {
    const { client } = await connected()
    await client.submit(ENVELOPE, Buffer.from('secret business\r\n'))
  })
  expect(lines).toEqual(['EHLO c.test', 'MAIL FROM:<a@x.test>', 'RCPT TO:<b@x.test>', 'DATA', 'content of 17 octets'])
})

test('quit waits for submissions and can be asked twice; afterwards nothing is sent', async () => {
  const { client, transport } = await connected()
  const submission = client.submit(ENVELOPE, chunks('x', 'y'))
  await Promise.all([client.quit(), client[Symbol.asyncDispose]()])
  expect((await submission).outcome).toBe('accepted')
  expect(transport.closed).toBe(true)
  expect(await rejection(client.submit(ENVELOPE, Buffer.from('x')))).toMatchObject({ code: 'ERR_CLOSED', phase: 'mail' })
  expect(transport.sentText.match(/QUIT/g)).toHaveLength(1)
})
