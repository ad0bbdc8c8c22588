import { afterEach, expect, test } from 'vitest'
import { smtpReplyChannel } from '../../src/diagnostics.ts'
import { SmtpClient } from '../../src/smtp/client.ts'
import type { SmtpOptions } from '../../src/smtp/options.ts'
import { SmtpPool, type SmtpPoolOptions } from '../../src/smtp/pool.ts'
import { makeAuthority } from '../support/certificates.ts'
import { byOctet } from '../support/every-split.ts'
import { startFakeServer, type FakeServer, type FakeServerOptions, type Step } from '../support/fake-server.ts'
import { nextTurn } from '../support/smtp-model.ts'
import { chunks, published, rejection } from '../support/smtp-replay.ts'

const servers: FakeServer[] = []
const authority = makeAuthority()
const TLS = authority.issue()
const AUTH = { user: 'u1', password: 'pw-1' }
const PLAIN = 'AUTH PLAIN AHUxAHB3LTE='
const ENVELOPE = { from: 'a@x.test', to: ['b@x.test'] }
const TWO = { from: 'a@x.test', to: ['b@x.test', 'c@x.test'] }
const TEXT = Buffer.from('Subject: x\r\n\r\nhello\r\n')

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close()
})

const say = (...lines: readonly string[]): Step => ({ send: lines.map((line) => `${line}\r\n`).join('') })
const hear = (...lines: readonly string[]): Step[] => lines.map((line) => ({ expect: line }))
const hello = (...keywords: readonly string[]): Step[] => [
  say('220 x'),
  ...hear('EHLO'),
  say(...['x', ...keywords].map((one) => `250-${one}`), '250 HELP'),
]
const envelope = (...replies: readonly string[]): Step[] => [...hear('MAIL', 'RCPT', 'DATA'), say(...replies)]
const GO = envelope('250 ok', '250 ok', '354 go')
const QUIT = [...hear('QUIT'), say('221 bye'), { end: 'drop' }] as const satisfies readonly Step[]
const DROP: Step = { end: 'drop' }
const RESET: Step = { end: 'reset' }
const slowly = (octets: string): Step => ({ send: byOctet(Buffer.from(octets)) })
/** Reads a chunk to its end, whatever is in it. */
const chunk = (text: Buffer): Step => ({ skipTo: new RegExp(`^${text.toString().trimEnd().split('\r\n').at(-1) ?? ''}$`) })

async function serving(
  script: FakeServerOptions['script'],
  options: Partial<SmtpOptions> & Pick<FakeServerOptions, 'implicitTls'> = {},
): Promise<[FakeServer, SmtpOptions]> {
  const { implicitTls = false, timeouts, ...client } = options
  const server = await startFakeServer({ script, tls: TLS, implicitTls })
  servers.push(server)
  return [
    server,
    {
      host: server.host,
      port: server.port,
      security: 'none',
      allowClearTextAuth: true,
      clientName: 'c.test',
      timeouts: { quit: 500, ...timeouts },
      ...client,
    },
  ]
}

/** Connects to a server with this script. */
async function connected(script: readonly Step[], options: Parameters<typeof serving>[1] = {}): Promise<[SmtpClient, FakeServer]> {
  const [server, client] = await serving(script, options)
  return [await SmtpClient.connect(client), server]
}

async function refuses(script: readonly Step[], expected: object, options: Parameters<typeof serving>[1] = {}): Promise<FakeServer> {
  const [server, client] = await serving(script, options)
  expect(await rejection(SmtpClient.connect(client))).toMatchObject(expected)
  return server
}

/** All went as the script has it, and nobody holds the connection. */
async function finished(server: FakeServer): Promise<void> {
  await server.done()
  while (server.open > 0) await nextTurn() // who forgets one is found by the timer of the test
  expect(server.failures).toEqual([])
}

const noCredentials = (server: FakeServer): void => expect(server.lines.flat().filter((line) => /^AUTH|AHUx|pw-1/.test(line))).toEqual([])

test('H1: a server that accepts and is silent: the timer of the greeting, not that of the connection', async () => {
  await refuses([{ end: 'stall' }], { code: 'ERR_TIMEOUT', phase: 'greeting', transient: true }, { timeouts: { greeting: 30 } })
  await refuses([], { code: 'ERR_TIMEOUT', phase: 'tls' }, { security: 'tls', timeouts: { handshake: 30 } })
})

test('H2, H3, H9, H12: one octet a packet, several lines, bare LF and no text are all the same', async () => {
  const [client, server] = await connected([
    slowly('220-x\r\n220-y\r\n220\r\n'),
    ...hear('EHLO'),
    slowly('250-x\n250-PIPELINING\n250\n'),
    ...hear('MAIL', 'RCPT', 'DATA'),
    slowly('250\r\n250-\r\n250\tok\r\n354\n'),
    { skipTo: '.' },
    slowly('250-\n250 taken\n'),
    ...hear('QUIT'),
    slowly('221\r\n'),
  ])
  expect((await client.submit(ENVELOPE, TEXT)).outcome).toBe('accepted')
  await client.quit()
  await finished(server)
})

test.each([
  ['554 5.7.1 not you', false],
  ['421 4.3.2 busy', true],
  ['450 later', true],
])('H5, quirk 20: the greeting %s, a farewell, and the end', async (greeting, transient) => {
  const isGone = greeting.startsWith('421')
  const server = await refuses([say(greeting), ...(isGone ? [] : QUIT)], { code: 'ERR_SMTP_REPLY', phase: 'greeting', transient })
  await finished(server)
  expect(server.lines.flat()).toEqual(isGone ? [] : ['QUIT'])
})

test('H6: TLS on a clear port, and clear text on a TLS port', async () => {
  const script = [...hello('AUTH PLAIN')]
  await refuses(
    script,
    { code: 'ERR_TIMEOUT', phase: 'greeting', message: expect.stringContaining("'tls'") },
    { implicitTls: true, timeouts: { greeting: 50 } },
  )
  noCredentials(await refuses(script, { code: 'ERR_TLS_NOT_TLS', phase: 'tls' }, { security: 'tls', auth: AUTH }))
})

test.each([
  ['H7: a line without end', `250-x${'x'.repeat(100_000)}`, 'ERR_LIMIT'],
  ['H8, quirk 25: lines without end', '250-x\r\n'.repeat(100_000), 'ERR_LIMIT'],
  ['H11, S16: a status that changes', '250-x\r\n550 y\r\n', 'ERR_PROTOCOL'],
  ['H13, S16: two digits', '25 x\r\n', 'ERR_PROTOCOL'],
  ['H13, S16: four digits', '2500 x\r\n', 'ERR_PROTOCOL'],
  ['H13, S16: 666', '666 x\r\n', 'ERR_PROTOCOL'],
  ['H13, S16: 099', '099 x\r\n', 'ERR_PROTOCOL'],
  ['H13, H14: an empty line', '\r\n250 x\r\n', 'ERR_PROTOCOL'],
  ['H13, S16: a blank in front', ' 250 x\r\n', 'ERR_PROTOCOL'],
])('%s, as the answer to EHLO and to MAIL, ends it, and nothing is sent again', async (_name, octets, code) => {
  const early = await refuses([say('220 x'), ...hear('EHLO'), { send: octets }], { code, phase: 'ehlo' })
  await finished(early)
  const [client, server] = await connected([...hello(), ...hear('MAIL'), { send: octets }])
  expect(await rejection(client.submit(ENVELOPE, TEXT))).toMatchObject({ code, phase: 'mail', reusable: false })
  await finished(server)
  expect(server.lines.flat()).toHaveLength(2)
})

test('H10, S25: control octets of a server are in no error and no diagnostics message as they came', async () => {
  const lines = await published([smtpReplyChannel], async () => {
    const [client] = await connected([...hello(), ...hear('MAIL'), { send: '550 5.1.1 \x1b[2J\0\x07\r\xe2\x80\xae\xff {"level":"error"}\r\n' }])
    const receipt = await client.submit(ENVELOPE, TEXT)
    expect(receipt.reply?.lines[0]).toContain('\x1b[2J\0') // as it came, for who wants it
  })
  await refuses([{ send: '554 \x1b[2J\x07\u009b\r\n' }], { message: expect.stringMatching(/^[ -~]+$/) })
  // A log writes what it is given: what came is in one line, so that nobody makes two of it.
  for (const line of lines) expect(line).not.toMatch(/[\n]/)
})

test.each(['none', 'envelope', 'overlap'] as const)(
  'H15: with %s, answers in one packet or octet by octet are told apart by their number',
  async (pipelining) => {
    for (const cut of [(octets: string) => [Buffer.from(octets)], (octets: string) => byOctet(Buffer.from(octets))]) {
      const answers = ['250 ok\r\n', '550 no\r\n', '250 ok\r\n', '354 go\r\n']
      const steps: Step[] =
        pipelining === 'none'
          ? answers.flatMap((answer, at) => [...hear(['MAIL', 'RCPT', 'RCPT', 'DATA'][at] ?? ''), { send: cut(answer) }])
          : [...hear('MAIL', 'RCPT', 'RCPT', 'DATA'), { send: cut(answers.join('')) }]
      const [client] = await connected([...hello('PIPELINING'), ...steps, { skipTo: '.' }, say('250 ok'), ...QUIT], { pipelining })
      expect((await client.submit(TWO, TEXT)).recipients.map(({ outcome }) => outcome)).toEqual(['refused', 'accepted'])
      await client.quit()
    }
  },
)

test('H16, S17, quirk 19: two answers to the final dot: the first stands, and no other message is sent', async () => {
  for (const pipelining of ['envelope', 'transaction'] as const) {
    const way =
      pipelining === 'envelope' ? [...GO, { skipTo: '.' } as const] : [...hear('MAIL', 'RCPT', 'BDAT'), say('250 ok', '250 ok'), chunk(TEXT)]
    const [client, server] = await connected([...hello('PIPELINING', 'CHUNKING'), ...way, { send: ['250 taken\r\n', '250 taken\r\n'] }], {
      pipelining,
    })
    expect((await client.submit(ENVELOPE, TEXT)).outcome).toBe('accepted')
    await server.done()
    expect(client.usable).toBe(false)
    expect(await rejection(client.submit(ENVELOPE, TEXT))).toMatchObject({ reusable: false, phase: 'mail' })
    await finished(server)
  }
})

test.each([
  ['envelope', ['250 ok', '250 ok'], 'ERR_TIMEOUT', 'data'],
  ['overlap', ['250 ok'], 'ERR_TIMEOUT', 'rcpt'],
] as const)('H17, S17: with %s, one answer too few: the timer, and the message was not sent', async (pipelining, replies, code, phase) => {
  const [client, server] = await connected([...hello('PIPELINING'), ...envelope(...replies)], {
    pipelining,
    timeouts: { command: 40, dataStart: 40 },
  })
  expect(await rejection(client.submit(ENVELOPE, TEXT))).toMatchObject({ code, phase, transient: true })
  await finished(server)
  expect(server.lines.flat()).not.toContain('.')
})

test('H17, S17: with back-to-back, one answer too few leaves the messages behind it unknown, and none shifted', async () => {
  const first: Step[] = [...hear('MAIL', 'RCPT', 'BDAT'), chunk(TEXT)]
  const second: Step[] = [...hear('RSET'), ...first]
  const script = [...hello('PIPELINING', 'CHUNKING'), ...first, ...second, say('250 ok', '250 ok', '554 no', '250 ok', '250 ok', '250 ok')]
  const [client, server] = await connected(script, { pipelining: 'back-to-back', timeouts: { dataEnd: 40 } })
  const receipts = await Promise.all([client.submit(ENVELOPE, TEXT), client.submit(ENVELOPE, TEXT)])
  expect(receipts.map(({ outcome }) => outcome)).toEqual(['refused', 'unknown'])
  await finished(server)
})

const TURNS: readonly [step: string, before: readonly Step[], after: number][] = [
  ['MAIL', hear('MAIL', 'RCPT', 'RCPT', 'DATA'), 0],
  ['RCPT', hear('MAIL', 'RCPT', 'RCPT', 'DATA'), 1],
  ['the second RCPT', hear('MAIL', 'RCPT', 'RCPT', 'DATA'), 2],
  ['DATA', hear('MAIL', 'RCPT', 'RCPT', 'DATA'), 3],
]

test.each(TURNS.flatMap((turn) => ['421 4.3.2 going', '451 4.3.0 later', '550 5.7.1 no'].map((reply) => [turn[0], reply, turn] as const)))(
  'S26, H18: %s answered with %s',
  async (_step, reply, [, before, after]) => {
    const good = ['250 ok', '250 ok', '250 ok', '354 go']
    const isGone = reply.startsWith('421')
    // A refusal of MAIL brings 503 with it; one of a recipient is one of two.
    const rest = after === 0 ? ['503 MAIL first', '503 MAIL first', '503 MAIL first'] : good.slice(after + 1)
    const isPartial = !isGone && (after === 1 || after === 2)
    const content: Step[] = isPartial ? [{ skipTo: '.' }, say('250 taken')] : []
    const [client, server] = await connected([
      ...hello('PIPELINING'),
      ...before,
      say(...good.slice(0, after), reply, ...(isGone ? [] : rest)),
      ...content,
      ...(isGone ? [] : QUIT),
    ])
    const receipt = await client.submit(TWO, TEXT)
    const expected = reply.startsWith('5') ? 'refused' : 'deferred'
    expect(receipt.outcome).toBe(isPartial ? 'partial' : expected)
    const outcomes = receipt.recipients.map(({ outcome }) => outcome)
    if (isPartial) expect(outcomes).toEqual(after === 1 ? [expected, 'accepted'] : ['accepted', expected])
    else expect(outcomes).toEqual([expected, expected])
    expect(client.usable).toBe(!isGone)
    await client.quit()
    await finished(server)
  },
)

test.each([
  ['421 4.3.2 going', 'deferred'],
  ['452 4.3.1 full', 'deferred'],
  ['552 5.3.4 too big', 'refused'],
  ['554 5.6.0 no', 'refused'],
])('S26, H18: the end of the content answered with %s: %s', async (reply, outcome) => {
  const [client, server] = await connected([...hello('PIPELINING'), ...GO, { skipTo: '.' }, say(reply), ...(reply.startsWith('421') ? [] : QUIT)])
  expect(await client.submit(ENVELOPE, TEXT)).toMatchObject({ outcome, octets: TEXT.length, reply: { status: Number(reply.slice(0, 3)) } })
  expect(client.usable).toBe(!reply.startsWith('421'))
  await client.quit()
  await finished(server)
})

test('S27, H28: each recipient has the outcome of its own reply', async () => {
  const replies: [reply: string, outcome: string][] = [
    ['250 ok', 'accepted'],
    ['251 will forward', 'accepted'],
    ['252 cannot verify', 'accepted'],
    ['450 4.2.0 busy', 'deferred'],
    ['451 4.3.0 error', 'deferred'],
    ['452 4.5.3 too many', 'deferred'],
    ['552 5.5.3 too many', 'deferred'],
    ['503 5.5.1 sequence', 'deferred'],
    ['550 5.1.1 unknown', 'refused'],
    ['551 elsewhere', 'refused'],
    ['553 5.1.3 bad name', 'refused'],
    ['554 5.7.1 no', 'refused'],
  ]
  const [client] = await connected([
    ...hello('PIPELINING'),
    ...hear('MAIL', ...replies.map(() => 'RCPT'), 'DATA'),
    say('250 ok', ...replies.map(([reply]) => reply), '354 go'),
    { skipTo: '.' },
    say('250 taken'),
    ...QUIT,
  ])
  const receipt = await client.submit({ from: '', to: replies.map((_, at) => `r${at}@x.test`) }, TEXT)
  expect(receipt.recipients.map(({ outcome, reply }) => [reply?.status, outcome])).toEqual(
    replies.map(([reply, outcome]) => [outcome === 'accepted' ? 250 : Number(reply.slice(0, 3)), outcome]),
  )
  await client.quit()
})

test('S28: a server that takes two recipients at a time: the client says so, the pool divides them, and nobody gets it twice', async () => {
  const [client] = await connected([...hello('PIPELINING', 'LIMITS RCPTMAX=2'), ...QUIT])
  const three = { from: '', to: ['a@x.test', 'b@x.test', 'c@x.test'] }
  expect(await rejection(client.submit(three, TEXT))).toMatchObject({ code: 'ERR_LIMIT', reusable: true })
  await client.quit()
  const two: Step[] = [...hear('MAIL', 'RCPT', 'RCPT', 'DATA'), say('250 ok', '250 ok', '250 ok', '354 go'), { skipTo: '.' }, say('250 one')]
  const [server, options] = await serving([...hello('PIPELINING', 'LIMITS RCPTMAX=2'), ...two, ...GO, { skipTo: '.' }, say('250 two'), ...QUIT])
  await using pool = new SmtpPool({ ...options, maxConnections: 1 })
  expect((await pool.submit(three, () => chunks('x'))).recipients.map(({ outcome, reply }) => [outcome, reply?.lines[0]])).toEqual([
    ['accepted', 'one'],
    ['accepted', 'one'],
    ['accepted', 'two'],
  ])
  expect(server.lines.flat().filter((line) => line.startsWith('RCPT'))).toEqual(['a', 'b', 'c'].map((name) => `RCPT TO:<${name}@x.test>`))
})

test('S28, quirk 13: 452 after so many recipients, again and again, ends', async () => {
  const some: Step[] = [
    ...hear('MAIL', 'RCPT', 'RCPT', 'DATA'),
    say('250 ok', '250 ok', '452 4.5.3 too many', '354 go'),
    { skipTo: '.' },
    say('250 ok'),
  ]
  const none: Step[] = [...hear('MAIL', 'RCPT', 'DATA'), say('250 ok', '452 4.5.3 too many', '503 no')]
  const [server, options] = await serving([...hello('PIPELINING'), ...some, ...none, ...QUIT])
  const pool = new SmtpPool({ ...options, maxConnections: 1 })
  expect((await pool.submit(TWO, () => chunks('x'))).recipients.map(({ outcome }) => outcome)).toEqual(['accepted', 'deferred'])
  await pool.close()
  await finished(server)
})

const ENDS: readonly [name: string, options: Partial<SmtpOptions>, keywords: readonly string[], steps: readonly Step[]][] = [
  ['final dot', {}, ['PIPELINING'], [...GO, { skipTo: '.' }]],
  [
    'BDAT LAST',
    { chunking: true },
    ['PIPELINING', 'CHUNKING'],
    [...hear('MAIL', 'RCPT'), say('250 ok', '250 ok'), ...hear('BDAT 21 LAST'), chunk(TEXT)],
  ],
  [
    'transaction',
    { pipelining: 'transaction' },
    ['PIPELINING', 'CHUNKING'],
    [...hear('MAIL', 'RCPT', 'BDAT 21 LAST'), chunk(TEXT), say('250 ok', '250 ok')],
  ],
]

test.each(ENDS.flatMap((end) => (['drop', 'reset', 'stall', 'late'] as const).map((how) => [end[0], how, end] as const)))(
  'S29, H22: after the %s: %s: unknown, and nothing is sent again',
  async (_name, how, [, options, keywords, steps]) => {
    // What comes after our timer is for nobody.
    const last: readonly Step[] = how === 'late' ? [{ pause: 60 }, say('250 taken')] : [{ end: how }]
    const [client, server] = await connected([...hello(...keywords), ...steps, ...last], { ...options, timeouts: { dataEnd: 40 } })
    expect(await client.submit(ENVELOPE, TEXT)).toMatchObject({ outcome: 'unknown', reply: null, recipients: [{ outcome: 'unknown', reply: null }] })
    expect(client.usable).toBe(false)
    await finished(server)
    expect(server.lines).toHaveLength(1)
  },
)

test.each(['drop', 'reset', 'stall'] as const)('S30, H43, quirk 16: QUIT, and %s: the message stays sent, and the wait is short', async (end) => {
  const [client, server] = await connected([...hello('PIPELINING'), ...GO, { skipTo: '.' }, say('250 ok'), ...hear('QUIT'), { end }], {
    timeouts: { quit: 40 },
  })
  expect((await client.submit(ENVELOPE, TEXT)).outcome).toBe('accepted')
  await client.quit()
  await finished(server)
})

test('S31: the message after one that failed at DATA: RSET first, and no word on a connection that refuses it', async () => {
  for (const pipelining of ['none', 'envelope', 'overlap'] as const) {
    const failing: Step[] =
      pipelining === 'none'
        ? [...hear('MAIL'), say('250 ok'), ...hear('RCPT'), say('250 ok'), ...hear('DATA'), say('451 later')]
        : envelope('250 ok', '250 ok', '451 later')
    const [client, server] = await connected(
      [...hello('PIPELINING'), ...failing, ...hear('RSET'), say('250 ok'), ...failing, ...hear('RSET'), say('421 no more'), DROP],
      { pipelining },
    )
    expect((await client.submit(ENVELOPE, TEXT)).outcome).toBe('deferred')
    expect((await client.submit(ENVELOPE, TEXT)).outcome).toBe('deferred')
    expect(await rejection(client.submit(ENVELOPE, TEXT))).toMatchObject({ phase: 'rset', transient: true, status: 421 })
    await finished(server)
  }
})

test('S32, quirks 13, 15: a server that has enough of us: few attempts, each later than the one before, and an end', async () => {
  const [server, options] = await serving([say('421 4.7.0 too many connections'), DROP])
  const pooled: SmtpPoolOptions = { ...options, maxConnections: 5, backOff: { attempts: 3, firstMs: 4, mostMs: 20 } }
  const pool = new SmtpPool(pooled)
  const many = await Promise.all(Array.from({ length: 20 }, () => rejection(pool.submit(ENVELOPE, () => chunks('x')))))
  for (const error of many) expect(error).toMatchObject({ code: 'ERR_SMTP_REPLY', status: 421, transient: true })
  await pool.close()
  await finished(server)
  expect(server.lines.length).toBeLessThanOrEqual(60)
})

test.each(['432 4.3.2 too many connections', '454 4.7.0 later', '421 4.3.2 busy'])(
  'S32, quirk 13: AUTH answered with %s is worth another attempt later',
  async (reply) => {
    const script = (connection: number): readonly Step[] =>
      connection === 0
        ? [...hello('AUTH PLAIN'), ...hear(PLAIN), say(reply), ...(reply.startsWith('421') ? [DROP] : QUIT)]
        : [...hello('AUTH PLAIN', 'PIPELINING'), ...hear(PLAIN), say('235 ok'), ...GO, { skipTo: '.' }, say('250 ok'), ...QUIT]
    const [server, options] = await serving(script, { auth: AUTH })
    const pool = new SmtpPool({ ...options, backOff: { firstMs: 2 } })
    expect((await pool.submit(ENVELOPE, () => chunks('x'))).outcome).toBe('accepted')
    await pool.close()
    await finished(server)
  },
)

test.each([
  ['the greeting', []],
  ['EHLO', [say('220 x')]],
  ['AUTH', hello('AUTH PLAIN')],
] as const)('S33: aborted while %s is waited for: the reason, and nobody is left', async (_name, steps) => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const [server, options] = await serving([...steps, { run: async () => controller.abort(reason) }], { auth: AUTH, signal: controller.signal })
  expect(await rejection(SmtpClient.connect(options))).toBe(reason)
  await finished(server)
})

test.each([
  ['the replies to the envelope', [...hear('MAIL', 'RCPT', 'DATA')], false],
  ['the last of them', envelope('250 ok', '250 ok'), false],
  ['the final reply', [...GO, { skipTo: '.' } as const], true],
])('S33: aborted while %s is waited for', async (_name, steps, isOut) => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const [client, server] = await connected([...hello('PIPELINING'), ...steps, { run: async () => controller.abort(reason) }])
  const submission = client.submit({ ...ENVELOPE, options: { signal: controller.signal } }, TEXT)
  if (isOut) expect(await submission).toMatchObject({ outcome: 'unknown', reply: null })
  else expect(await rejection(submission)).toBe(reason)
  await finished(server)
})

test.each([DROP, RESET])('H20, quirk 28: a refusal that is followed by the end of the connection (%j) is what is told', async (end) => {
  for (const [steps, status] of [
    [[...hear('MAIL', 'RCPT', 'DATA'), say('554 5.7.1 go away')], 554],
    [envelope('250 ok', '550 5.1.1 unknown'), 550],
    [envelope('250 ok', '421 4.7.0 enough'), 421],
  ] as const) {
    const [client, server] = await connected([...hello('PIPELINING'), ...steps, { pause: 10 }, end])
    expect(await client.submit(ENVELOPE, TEXT)).toMatchObject({ reply: { status } })
    expect(client.usable).toBe(false)
    await finished(server)
  }
})

test.each(['421 4.3.2 going', '452 4.3.1 full', '554 5.3.4 too big'])(
  'H20, H23, quirk 28: %s while content flows, and RST: the reply is told, and no end was sent',
  async (reply) => {
    for (const [options, keywords, before] of [
      [{}, ['PIPELINING'], GO],
      [{ chunking: true }, ['PIPELINING', 'CHUNKING'], [...hear('MAIL', 'RCPT'), say('250 ok', '250 ok'), ...hear('BDAT')]],
    ] as const) {
      const [client, server] = await connected([...hello(...keywords), ...before, { skipTo: /^more$/ }, say(reply), { pause: 10 }, RESET], options)
      const receipt = await client.submit(ENVELOPE, endless())
      expect(receipt).toMatchObject({ outcome: reply.startsWith('5') ? 'refused' : 'deferred', reply: { status: Number(reply.slice(0, 3)) } })
      await finished(server)
      expect(server.lines.flat()).not.toContainEqual(expect.stringMatching(/^\.$|LAST/))
    }
  },
)

test.each([DROP, RESET])('H21: the connection ends inside the content (%j): not sent, and worth another attempt', async (end) => {
  for (const [options, keywords, before] of [
    [{}, ['PIPELINING'], GO],
    [{ pipelining: 'overlap' }, ['PIPELINING'], GO],
    [{ chunking: true }, ['PIPELINING', 'CHUNKING'], [...hear('MAIL', 'RCPT'), say('250 ok', '250 ok'), ...hear('BDAT')]],
  ] as const) {
    const [client, server] = await connected([...hello(...keywords), ...before, { skipTo: /^more$/ }, end], options)
    expect(await rejection(client.submit(ENVELOPE, endless()))).toMatchObject({
      code: 'ERR_CLOSED',
      phase: 'content',
      transient: true,
      reusable: false,
    })
    await finished(server)
  }
})

test('H23: 250 before the end of the content is no acceptance, by BDAT too', async () => {
  const early: Step[] = [...GO, { skipTo: /^more$/ }, say('250 taken')]
  const [client] = await connected([...hello('PIPELINING'), ...early])
  expect(await rejection(client.submit(ENVELOPE, endless()))).toMatchObject({ code: 'ERR_PROTOCOL', phase: 'content' })
  const twice: Step[] = [
    ...hear('MAIL', 'RCPT'),
    say('250 ok', '250 ok'),
    ...hear('BDAT'),
    { skipTo: /^more$/ },
    say(...Array.from({ length: 40 }, () => '250 taken')),
  ]
  const [chunked] = await connected([...hello('PIPELINING', 'CHUNKING'), ...twice], { chunking: true })
  expect(await rejection(chunked.submit(ENVELOPE, endless()))).toMatchObject({ code: 'ERR_PROTOCOL', reusable: false })
})

test.each([
  ['H24, S18, quirk 17: 250 to DATA', ['250 ok', '250 ok', '250 ok'], 'ERR_PROTOCOL'],
  ['H24, S18, quirk 17: 221 to DATA', ['250 ok', '250 ok', '221 ok'], 'ERR_PROTOCOL'],
  ['S18, quirk 17: 334 to DATA', ['250 ok', '250 ok', '334 ok'], 'ERR_PROTOCOL'],
  ['S18: 354 to MAIL', ['354 ok'], 'ERR_PROTOCOL'],
  ['S18, quirk 17: 354 to RCPT', ['250 ok', '354 ok'], 'ERR_PROTOCOL'],
])('%s: no content is sent', async (_name, replies, code) => {
  const [client, server] = await connected([...hello('PIPELINING'), ...envelope(...replies)])
  expect(await rejection(client.submit(ENVELOPE, TEXT))).toMatchObject({ code, reusable: false })
  await finished(server)
  expect(server.lines.flat()).toHaveLength(4)
})

test.each([
  ['H25, S18, quirk 1: 354 although nobody was accepted', ['250 ok', '550 5.1.1 no', '354 go'], 550],
  ['H27, quirk 30: 354 although MAIL was refused', ['550 5.7.1 no', '250 ok', '354 go'], 550],
])('%s: the connection ends without a dot, and the refusal is told', async (_name, replies, status) => {
  const [client, server] = await connected([...hello('PIPELINING'), ...envelope(...replies)])
  expect(await client.submit(ENVELOPE, TEXT)).toMatchObject({ outcome: 'refused', reply: { status }, octets: 0 })
  await finished(server)
  expect(server.lines.flat()).toHaveLength(4)
})

test('H27, quirk 4: MAIL refused and the content accepted, by BDAT in one write: nobody knows', async () => {
  const [client, server] = await connected(
    [
      ...hello('PIPELINING', 'CHUNKING'),
      ...hear('MAIL', 'RCPT', 'BDAT'),
      chunk(TEXT),
      say('503 sender already given', '250 ok', '250 taken'),
      ...QUIT,
    ],
    { pipelining: 'transaction' },
  )
  expect(await client.submit(ENVELOPE, TEXT)).toMatchObject({ outcome: 'unknown' })
  await client.quit()
  await finished(server)
})

test.each([
  ['DATA', {}, ['PIPELINING']],
  ['BDAT', { pipelining: 'transaction' }, ['PIPELINING', 'CHUNKING']],
  ['BDAT', { pipelining: 'back-to-back' }, ['PIPELINING', 'CHUNKING']],
] as const)("H26: with partial 'refuse' %s waits for everybody, whatever else may go ahead (%j)", async (_name, options, keywords) => {
  const [client, server] = await connected(
    [...hello(...keywords), ...hear('MAIL', 'RCPT', 'RCPT'), say('250 ok', '250 ok', '550 no'), ...QUIT],
    options,
  )
  expect(await client.submit({ ...TWO, options: { partial: 'refuse' } }, TEXT)).toMatchObject({ outcome: 'refused', octets: 0 })
  await client.quit()
  await finished(server)
  expect(server.lines.flat()).toEqual(['EHLO c.test', 'MAIL FROM:<a@x.test>', 'RCPT TO:<b@x.test>', 'RCPT TO:<c@x.test>', 'QUIT'])
})

test.each(['500 what?', '502 no'])('H29: EHLO answered with %s: HELO, unless something is needed that it has not', async (reply) => {
  const start: Step[] = [say('220 x'), ...hear('EHLO'), say(reply)]
  const [client, server] = await connected([...start, ...hear('HELO'), say('250 x'), ...QUIT])
  expect(client.extensions.size).toBe(0)
  expect(await rejection(client.submit({ ...ENVELOPE, options: { dsn: { ret: 'full' } } }, TEXT))).toMatchObject({ code: 'ERR_UNSUPPORTED' })
  await client.quit()
  await finished(server)
  await refuses(start, { code: 'ERR_TLS_REQUIRED' }, { security: 'starttls' })
  noCredentials(await refuses([...start, ...QUIT], { code: 'ERR_SMTP_REPLY', phase: 'ehlo' }, { auth: AUTH }))
})

test.each(['421 4.3.2 busy', '450 later', '550 5.7.1 no', '554 no'])('H29: EHLO answered with %s: no HELO', async (reply) => {
  const server = await refuses([say('220 x'), ...hear('EHLO'), say(reply), ...(reply.startsWith('421') ? [] : QUIT)], {
    code: 'ERR_SMTP_REPLY',
    phase: 'ehlo',
    transient: reply.startsWith('4'),
  })
  expect(server.lines.flat()).not.toContainEqual(expect.stringContaining('HELO'))
  await refuses([say('220 x'), ...hear('EHLO'), DROP], { code: 'ERR_CLOSED', phase: 'ehlo', transient: true })
})

test('H30, quirk 9: keywords in any case, twice, with `=`, in the first line, and nonsense', async () => {
  const [client] = await connected([
    say('220 x'),
    ...hear('EHLO'),
    say(
      '250-PIPELINING',
      '250-pipelining x',
      '250-size\t100',
      '250-AUTH=LOGIN',
      '250-auth PLAIN',
      '250-X-EXPS NTLM',
      '250-!',
      '250-=',
      '250-8bitMime',
      '250 ',
    ),
  ])
  expect(Object.fromEntries(client.extensions)).toEqual({ PIPELINING: 'x', SIZE: '100', AUTH: 'LOGIN PLAIN NTLM', '8BITMIME': '' })
})

test('H31: what was offered in clear text is forgotten after STARTTLS', async () => {
  const script: Step[] = [
    ...hello('STARTTLS', 'AUTH PLAIN', 'CHUNKING', 'SIZE 5'),
    ...hear('STARTTLS'),
    { upgrade: true, goAhead: '220 go\r\n' },
    ...hear('EHLO'),
    say('250-x', '250 DSN'),
    ...QUIT,
  ]
  const [client, server] = await connected(script, { security: 'starttls', tls: { ca: authority.cert, servername: 'localhost' } })
  expect([...client.extensions.keys()]).toEqual(['DSN'])
  await client.quit()
  await finished(server)
})

test.each<[string, readonly Step[], string]>([
  ['H32, quirk 23: STARTTLS is not offered', hello('AUTH PLAIN'), 'ERR_TLS_REQUIRED'],
  ['H32, quirk 23: STARTTLS is masked', hello('XXXXXXXA', 'AUTH PLAIN'), 'ERR_TLS_REQUIRED'],
  ['H32: STARTTLS is refused', [...hello('STARTTLS', 'AUTH PLAIN'), ...hear('STARTTLS'), say('454 4.7.0 later')], 'ERR_TLS_REQUIRED'],
  ['H33, quirk 22: a reply behind the go-ahead', [...hello('STARTTLS'), ...hear('STARTTLS'), say('220 go', '250 AUTH PLAIN')], 'ERR_TLS_INJECTION'],
  ['H33, quirk 22: an octet behind the go-ahead', [...hello('STARTTLS'), ...hear('STARTTLS'), { send: '220 go\r\n2' }], 'ERR_TLS_INJECTION'],
  ['H34: the handshake never comes', [...hello('STARTTLS'), ...hear('STARTTLS'), say('220 go'), { end: 'stall' }], 'ERR_TIMEOUT'],
])('%s: no credentials leave', async (_name, script, code) => {
  noCredentials(await refuses(script, { code, reusable: false }, { security: 'starttls', auth: AUTH, timeouts: { handshake: 50 } }))
})

test('H34: a certificate that nobody vouches for, or of another name: nothing is sent', async () => {
  for (const [tls, code] of [
    [{}, 'ERR_TLS_CERTIFICATE'],
    [{ ca: authority.cert, servername: 'other.test' }, 'ERR_TLS_NAME'],
  ] as const) {
    const server = await refuses([say('220 x')], { code, phase: 'tls' }, { security: 'tls', implicitTls: true, auth: AUTH, tls })
    expect(server.lines.flat()).toEqual([])
  }
})

test.each<[string, readonly Step[], object]>([
  ['behind the answer to QUIT (quirk 16)', [...GO, { skipTo: '.' }, say('250 ok'), ...hear('QUIT'), say('221 bye')], { outcome: 'accepted' }],
  ['in place of the answer to QUIT (quirk 16)', [...GO, { skipTo: '.' }, say('250 ok'), ...hear('QUIT')], { outcome: 'accepted' }],
  ['in place of the final reply', [...GO, { skipTo: '.' }], { outcome: 'unknown' }],
])('H35: TLS that ends without a goodbye, %s', async (_name, steps, expected) => {
  const cut: Step = {
    run: (connection) => {
      connection.cut()
      return connection.left()
    },
  }
  const script: Step[] = [
    ...hello('STARTTLS'),
    ...hear('STARTTLS'),
    { upgrade: true, goAhead: '220 go\r\n' },
    ...hear('EHLO'),
    say('250-x', '250 PIPELINING'),
    ...steps,
    cut,
  ]
  const [client, server] = await connected(script, { security: 'starttls', tls: { ca: authority.cert, servername: 'localhost' } })
  expect(await client.submit(ENVELOPE, TEXT)).toMatchObject(expected)
  await client.quit()
  expect(server.failures).toEqual([])
})

test.each(['334 who are you?', '334 ', '334', '334 !!!!', '334-x\r\n334 y'])('H37, quirk 11: LOGIN does not read its prompts: %j', async (prompt) => {
  const script: Step[] = [
    ...hello('AUTH LOGIN'),
    ...hear('AUTH LOGIN'),
    say(prompt),
    ...hear('dTE='),
    say(prompt),
    ...hear('cHctMQ=='),
    say('235 ok'),
    ...QUIT,
  ]
  const [client, server] = await connected(script, { auth: AUTH })
  await client.quit()
  await finished(server)
})

test.each(['AUTH SCRAM-SHA-256 SCRAM-SHA-1', 'AUTH SCRAM-SHA-256-PLUS XOAUTH2 OAUTHBEARER', 'AUTH CRAM-MD5 DIGEST-MD5 GSSAPI NTLM', 'AUTH'])(
  'S20, S21, S23, H39, H40: a server with nothing but %s gets no credentials in another form',
  async (keyword) => {
    const server = await refuses([...hello(keyword)], { code: 'ERR_AUTH_MECHANISM', phase: 'auth' }, { auth: AUTH })
    noCredentials(server)
  },
)

test('S19, H41: PLAIN in clear text: nothing is even connected', async () => {
  const server = await refuses([...hello('AUTH PLAIN')], { code: 'ERR_AUTH_CLEAR_TEXT' }, { auth: AUTH, allowClearTextAuth: false })
  expect(server.lines).toEqual([])
})

test('S22, H38: prompts without end, and a prompt of a megabyte', async () => {
  const rounds = Array.from({ length: 10 }, (): Step[] => [say('334 x'), ...hear('')]).flat()
  await refuses(
    [...hello('AUTH PLAIN'), ...hear('AUTH'), ...rounds, say('334 x'), ...hear('*'), say('501 x')],
    { code: 'ERR_LIMIT', phase: 'auth' },
    { auth: AUTH },
  )
  await refuses([...hello('AUTH PLAIN'), ...hear('AUTH'), say(`334 ${'x'.repeat(1_000_000)}`)], { code: 'ERR_LIMIT', phase: 'auth' }, { auth: AUTH })
})

test.each([
  ['535 5.7.8 wrong', false],
  ['534 5.7.9 too weak', false],
  ['538 5.7.11 encrypt', false],
  ['454 4.7.0 later', true],
  ['432 4.3.2 busy', true],
  ['421 4.3.2 going', true],
])('S22, H42, quirk 13: AUTH answered with %s, and the end: one attempt', async (reply, transient) => {
  const server = await refuses(
    [...hello('AUTH PLAIN LOGIN'), ...hear(PLAIN), say(reply), DROP],
    { code: 'ERR_AUTH', phase: 'auth', transient, status: Number(reply.slice(0, 3)) },
    { auth: AUTH },
  )
  expect(server.lines.flat().filter((line) => line.startsWith('AUTH'))).toHaveLength(1)
})

test('H44: a reply that drips for ever ends by the timer of its step', async () => {
  const drip: Step = {
    run: async (connection) => {
      while (await connection.writeAlone('250-x\r\n')) await new Promise((resolve) => setTimeout(resolve, 4))
    },
  }
  const [client] = await connected([...hello(), ...hear('MAIL'), drip], { timeouts: { command: 60 } })
  expect(await rejection(client.submit(ENVELOPE, TEXT))).toMatchObject({ code: 'ERR_TIMEOUT', phase: 'mail' })
  await refuses([drip], { code: expect.stringMatching(/^ERR_(?:TIMEOUT|PROTOCOL)$/), phase: 'greeting' }, { timeouts: { greeting: 60 } })
})

test.each([
  ['DATA', {}, GO],
  ['overlap', { pipelining: 'overlap' }, GO],
  ['BDAT', { chunking: true }, [...hear('MAIL', 'RCPT'), say('250 ok', '250 ok')]],
] as const)('H45: a server that stops reading, by %s: the timer, the source is left, and memory is bounded', async (_name, options, steps) => {
  const [client] = await connected([...hello('PIPELINING', 'CHUNKING'), ...steps, { end: 'stall' }], {
    ...options,
    timeouts: { dataBlock: 80, dataEnd: 80 },
  })
  let pulled = 0
  let isLeft = false
  async function* large(): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        pulled++
        yield Buffer.alloc(65_536, 'x\r\n')
      }
    } finally {
      isLeft = true
    }
  }
  expect(await rejection(client.submit(ENVELOPE, large()))).toMatchObject({ code: 'ERR_TIMEOUT', phase: 'content', transient: true })
  expect(pulled).toBeLessThan(1_000)
  expect(isLeft).toBe(true)
})

test('H19, S31, quirk 14: 421 that waits on a connection of a pool: another one, and nothing is sent twice', async () => {
  const message: Step[] = [...hello('PIPELINING'), ...GO, { skipTo: '.' }, say('250 ok')]
  const [server, options] = await serving((connection) => [...message, ...(connection === 0 ? [say('421 4.4.2 idle'), DROP] : QUIT)])
  const pool = new SmtpPool({ ...options, maxConnections: 1 })
  for (const _ of [1, 2]) expect((await pool.submit(ENVELOPE, () => chunks('x'))).outcome).toBe('accepted')
  await pool.close()
  await finished(server)
  expect(server.lines).toHaveLength(2)
})

test.each(['overlap', 'back-to-back'] as const)(
  'S29, H22: with %s over a socket, the connection is lost with three messages under way: each is told what became of it',
  async (pipelining) => {
    const isChunked = pipelining === 'back-to-back'
    const first: Step[] = isChunked ? [...hear('MAIL', 'RCPT', 'BDAT'), chunk(TEXT)] : [...GO, { skipTo: '.' }]
    const second: Step[] = isChunked ? [...hear('RSET'), ...first] : hear('MAIL', 'RCPT', 'DATA')
    const replies = isChunked ? ['250 ok', '250 ok', '250 taken', '250 ok'] : ['250 taken', '250 ok']
    const [client, server] = await connected([...hello('PIPELINING', 'CHUNKING'), ...first, ...second, say(...replies), { pause: 10 }, RESET], {
      pipelining,
    })
    const fates = await Promise.all(
      [TEXT, TEXT, TEXT].map((text) =>
        client.submit(ENVELOPE, text).then(
          ({ outcome }) => outcome,
          ({ code }: { code: string }) => code,
        ),
      ),
    )
    expect(fates).toEqual(isChunked ? ['accepted', 'unknown', 'unknown'] : ['accepted', 'ERR_CLOSED', 'ERR_CLOSED'])
    await finished(server)
  },
)

async function* endless(): AsyncGenerator<Buffer> {
  yield Buffer.from('Subject: x\r\n\r\n')
  for (;;) {
    await nextTurn()
    yield Buffer.from('more\r\n'.repeat(200))
  }
}
