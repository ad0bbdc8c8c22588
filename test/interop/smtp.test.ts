import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { MailError } from '../../src/index.ts'
import { SmtpClient, SmtpPool, type Envelope, type Receipt, type Recipient, type SmtpOptions, type SubmitOptions } from '../../src/smtp/index.ts'
import { SMTP_SERVERS, USERS, type SmtpServer } from './smtp-servers.ts'

const SIZE_LIMIT = 6_000_000
const FROM = 'a@example.test'
const TO = 'u1@example.test'

/** What a server offers, and what it does in its own way. */
interface Facts {
  /** Keywords of EHLO before TLS. */ readonly clear: readonly string[]
  /** Keywords of EHLO after TLS; `null` where TLS cannot be had. */ readonly secure: readonly string[] | null
  readonly mechanisms: readonly string[]
  /** Its answer to content above its limit. */ readonly tooLarge: number
  /** It closes the connection after 421, as RFC 5321 §3.8 demands. */ readonly closesAfter421: boolean
  /** NOTIFY of each recipient stands for itself. */ readonly separateNotify: boolean
  /** Lines of its report of a delivery: as they were given, as xtext, or not at all. */ readonly reported: readonly string[]
  /** It knows AUTH= of MAIL (RFC 4954 §5). */ readonly submitter: boolean
}

const POSTFIX = ['PIPELINING', 'SIZE', 'VRFY', 'ETRN', 'ENHANCEDSTATUSCODES', '8BITMIME', 'DSN', 'SMTPUTF8', 'CHUNKING']
const EXIM = ['SIZE', '8BITMIME', 'DSN', 'PIPELINING', 'PIPECONNECT', 'CHUNKING', 'SMTPUTF8', 'HELP']
const OPENSMTPD = ['8BITMIME', 'ENHANCEDSTATUSCODES', 'SIZE', 'DSN', 'HELP']
const AIOSMTPD = ['SIZE', '8BITMIME', 'SMTPUTF8', 'HELP']
const BOTH = ['PLAIN', 'LOGIN']

const FACTS: Readonly<Record<string, Facts>> = {
  postfix: {
    clear: [...POSTFIX, 'STARTTLS'],
    secure: [...POSTFIX, 'AUTH'],
    mechanisms: BOTH,
    tooLarge: 552,
    closesAfter421: true,
    separateNotify: true,
    reported: ['Original-Envelope-Id: QQ+31 4=159', 'Original-Recipient: rfc822;bob+x@elsewhere.test'],
    submitter: true,
  },
  exim: {
    clear: [...EXIM, 'STARTTLS'],
    secure: [...EXIM, 'AUTH'],
    mechanisms: BOTH,
    tooLarge: 552,
    closesAfter421: false,
    separateNotify: true,
    reported: ['Original-Envelope-ID: QQ+2B31+204+3D159', 'Original-Recipient: rfc822;bob+2Bx@elsewhere.test'],
    submitter: true,
  },
  opensmtpd: {
    clear: OPENSMTPD,
    secure: null,
    mechanisms: [],
    tooLarge: 554,
    closesAfter421: true,
    separateNotify: false,
    reported: [],
    submitter: false,
  },
  aiosmtpd: {
    clear: [...AIOSMTPD, 'STARTTLS'],
    secure: [...AIOSMTPD, 'AUTH'],
    mechanisms: BOTH,
    tooLarge: 552,
    closesAfter421: true,
    separateNotify: false,
    reported: [],
    submitter: false,
  },
}

/** A message with the header fields that servers would add otherwise. */
function message(name: string, body: string): Buffer {
  const fields = [`From: ${FROM}`, `To: ${TO}`, `Subject: ${name}`, `Message-ID: <${name}@example.test>`, 'Date: Sun, 22 Nov 2026 10:00:00 +0000']
  return Buffer.from(`${fields.join('\r\n')}\r\n\r\n${body}`, 'latin1')
}

/** What a server is to have of it: each lone CR and LF is CRLF, and the last line ends. */
function repaired(content: Buffer): Buffer {
  const text = content.toString('latin1').replaceAll(/\r\n|\r|\n/g, '\r\n')
  return Buffer.from(text.endsWith('\r\n') ? text : `${text}\r\n`, 'latin1')
}

/** Each chunk in a write of its own. */
async function* inChunks(chunks: readonly Buffer[]): AsyncGenerator<Buffer, void> {
  for (const chunk of chunks) {
    yield chunk
    await setImmediate()
    await setImmediate()
  }
}

const idOf = (content: Buffer): string => /^Message-ID: <(.*)@/m.exec(content.toString('latin1', 0, 4096))?.[1] ?? 'without a Message-ID'

/** Messages are told apart by their Message-ID; what differs is said by it, because two messages side by side are too long for a report. */
function expectKept(kept: readonly Buffer[], sent: readonly Buffer[]): void {
  const byName = new Map(kept.map((content) => [idOf(content), content]))
  const differences = sent.flatMap((content) => {
    const expected = repaired(content)
    const got = byName.get(idOf(content)) ?? Buffer.of()
    if (got.equals(expected)) return []
    const at = expected.findIndex((octet, index) => octet !== got[index])
    const piece = (whole: Buffer): string => JSON.stringify(whole.toString('latin1', Math.max(0, at - 30), at + 50))
    return [`${idOf(content)}: octet ${at} of ${expected.length}, ${got.length} kept: ${piece(got)} in place of ${piece(expected)}`]
  })
  expect(differences).toEqual([])
  expect(kept).toHaveLength(sent.length)
}

/** Messages with what would end the content early for another reader, each cut into chunks in another way (S12). */
function traps(): Buffer[][] {
  const sequences = ['\n.\n', '\r.\r', '\n.\r\n', '\r\n.\n', '\r.\r\n', '\r\n.\r', '\n.\r', '\r\n.\r\n']
  const smuggled = `MAIL FROM:<${FROM}>\r\nRCPT TO:<u2@example.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nsmuggled\r\n.\r\n`
  const contents: Buffer[][] = []
  for (const sequence of sequences) {
    for (let cut = -1; cut <= sequence.length + 1; cut++) {
      const whole = message(`trap-${contents.length}`, `before${sequence}${smuggled}`)
      const at = whole.length - sequence.length - smuggled.length
      contents.push([whole.subarray(0, at + cut), whole.subarray(at + cut)])
    }
    const whole = message(`trap-${contents.length}`, `before${sequence}${smuggled}`)
    contents.push(Array.from(whole, (_, at) => whole.subarray(at, at + 1)))
  }
  for (const end of ['\r', '\n', '\r\n.', '\r\n.\r', '\n.', '\r.', '']) contents.push([message(`end-${contents.length}`, `before${end}`)])
  return contents
}

/** The most commands that were under way at once. */
async function commandsAhead(work: () => Promise<void>): Promise<number> {
  let ahead = 0
  let most = 0
  const onCommand = (): void => void (most = Math.max(most, ++ahead))
  const onReply = (): void => void ahead--
  subscribe('mail:smtp:command', onCommand)
  subscribe('mail:smtp:reply', onReply)
  try {
    await work()
  } finally {
    unsubscribe('mail:smtp:command', onCommand)
    unsubscribe('mail:smtp:reply', onReply)
  }
  return most
}

const envelope = (rest: Partial<Envelope> = {}): Envelope => ({ from: FROM, to: [TO], ...rest })

const summary = ({ outcome, recipients }: Receipt): unknown => [outcome, ...recipients.map((one) => [one.outcome, one.reply?.status])]

describe.each(Object.entries(FACTS))('%s', (name, facts) => {
  const entry = SMTP_SERVERS[name]
  if (entry === undefined || entry.missing !== undefined) {
    test.skip(`cannot run: ${entry?.missing ?? 'unknown'}`, () => {})
    return
  }
  let server: SmtpServer
  beforeAll(async () => {
    server = await entry.start(SIZE_LIMIT)
  })
  afterAll(() => server.close())
  beforeEach(() => server.empty())

  const secure = facts.secure !== null
  const optionsOf = (rest: Partial<SmtpOptions> = {}): SmtpOptions => ({
    host: 'localhost',
    port: server.ports.clear,
    security: secure ? 'starttls' : 'none',
    tls: { ca: server.ca },
    clientName: 'client.example.test',
    ...rest,
  })
  const connect = (rest: Partial<SmtpOptions> = {}): Promise<SmtpClient> => SmtpClient.connect(optionsOf(rest))

  /** All at one connection, one after the other; all are to be accepted, and stored as they were given. */
  const sendAll = async (contents: readonly (readonly Buffer[])[], options: Partial<SmtpOptions> = {}): Promise<void> => {
    const client = await connect(options)
    for (const chunks of contents) expect((await client.submit(envelope(), inChunks(chunks))).outcome).toBe('accepted')
    await client.quit()
    await server.delivered(contents.length)
    expectKept(
      server.kept('u1'),
      contents.map((chunks) => Buffer.concat(chunks)),
    )
    for (const user of ['u2', 'u3']) expect(server.kept(user)).toEqual([])
  }

  test('offers the extensions of the table, before TLS and after', async () => {
    const clear = await connect({ security: 'none' })
    expect([...clear.extensions.keys()].toSorted()).toEqual(facts.clear.toSorted())
    expect(clear.extensions.get('SIZE')).toBe(String(SIZE_LIMIT))
    await clear.quit()
    if (facts.secure === null) return
    const client = await connect()
    expect([...client.extensions.keys()].toSorted()).toEqual(facts.secure.toSorted())
    await client.quit()
  })

  test('TLS by STARTTLS and from the start, where it has them', async () => {
    expect(server.ports.tls !== undefined).toBe(secure)
    if (!secure) {
      await expect(connect({ security: 'starttls' })).rejects.toMatchObject({ code: 'ERR_TLS_REQUIRED' })
      return
    }
    const content = message('tls', 'text\r\n')
    for (const options of [{}, { security: 'tls', port: server.ports.tls }] as const) {
      const client = await connect(options)
      expect(client.tls).toMatchObject({ authorized: true })
      expect((await client.submit(envelope(), content)).outcome).toBe('accepted')
      await client.quit()
    }
    await server.delivered(2)
    await expect(connect({ tls: {} })).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_TLS/) })
  })

  test('each way to log in that it announces; a wrong password is named as such', { timeout: 60_000 }, async () => {
    for (const mechanism of facts.mechanisms) {
      const client = await connect({ auth: { user: server.user, password: server.password, mechanism } })
      expect((await client.submit(envelope(), message(mechanism, 'text\r\n'))).outcome).toBe('accepted')
      await client.quit()
    }
    const wrong = connect({ auth: { user: server.user, password: 'not-it' }, allowClearTextAuth: true })
    await expect(wrong).rejects.toMatchObject({ code: facts.mechanisms.length > 0 ? 'ERR_AUTH' : 'ERR_AUTH_MECHANISM' })
    await server.delivered(facts.mechanisms.length)
  })

  test('an envelope leaves in one write where PIPELINING is offered, and command by command elsewhere', async () => {
    const client = await connect()
    const to = USERS.map((user) => `${user}@example.test`)
    const content = message('envelope', 'text\r\n')
    const most = await commandsAhead(async () => {
      expect((await client.submit(envelope({ to }), content)).outcome).toBe('accepted')
    })
    expect(most).toBe(facts.clear.includes('PIPELINING') ? 5 : 1) // MAIL, three times RCPT, DATA
    await client.quit()
    await server.delivered(3)
    for (const user of USERS) expectKept(server.kept(user), [content])
  })

  test('each recipient has an outcome of its own, and nobody gets what not everybody could', async () => {
    const client = await connect()
    const to = [TO, 'temp@example.test', 'perm@example.test', 'u2@example.test']
    const content = message('mixed', 'text\r\n')
    const receipt = await client.submit(envelope({ to }), content)
    expect(summary(receipt)).toEqual(['partial', ['accepted', 250], ['deferred', 450], ['refused', 550], ['accepted', 250]])
    expect(receipt.recipients.map(({ reply }) => reply?.enhancedStatus).slice(1, 3)).toEqual(['4.2.1', '5.1.1'])
    const refused = await client.submit(envelope({ to, options: { partial: 'refuse' } }), content)
    expect(summary(refused)).toEqual(['refused', ['deferred', undefined], ['deferred', 450], ['refused', 550], ['deferred', undefined]])
    expect(summary(await client.submit(envelope({ to: to.slice(1, 3) }), content))).toEqual(['deferred', ['deferred', 450], ['refused', 550]])
    expect(summary(await client.submit(envelope({ to: to.slice(2, 3) }), content))).toEqual(['refused', ['refused', 550]])
    // The connection is the same, and the next message is not harmed by what was refused; reports have no reverse-path.
    expect((await client.submit(envelope({ from: '', to: ['u3@example.test'] }), content)).outcome).toBe('accepted')
    await client.quit()
    await server.delivered(3)
    for (const user of USERS) expectKept(server.kept(user), [content])
  })

  test('a message above SIZE is not begun; one that turns out to be is refused, and the next is taken', { timeout: 60_000 }, async () => {
    const client = await connect()
    await expect(client.submit(envelope(), Buffer.alloc(SIZE_LIMIT + 1, 'text\r\n'))).rejects.toMatchObject({ code: 'ERR_LIMIT', reusable: true })
    const announced = Object.assign(inChunks([]), { size: SIZE_LIMIT + 1 })
    await expect(client.submit(envelope(), announced)).rejects.toMatchObject({ code: 'ERR_LIMIT', reusable: true })
    const line = Buffer.from(`${'x'.repeat(70)}\r\n`)
    const block = Buffer.alloc(72 * 900, line)
    const large = [message('large', ''), ...Array.from({ length: Math.ceil((1.5 * SIZE_LIMIT) / block.length) }, () => block)]
    const receipt = await client.submit(envelope(), inChunks(large))
    expect(summary(receipt)).toEqual(['refused', ['refused', facts.tooLarge]])
    const content = message('next', 'text\r\n')
    expect((await client.submit(envelope(), content)).outcome).toBe('accepted')
    await client.quit()
    await server.delivered(1)
    expectKept(server.kept('u1'), [content])
  })

  test('octets of any value but NUL arrive as they are', async () => {
    const octets = Array.from({ length: 255 }, (_, at) => String.fromCharCode(at + 1)).filter((octet) => octet !== '\r' && octet !== '\n')
    const everyOctet = `${octets.join('')}\r\n`
    const longLines = `${'\xfc'.repeat(998)}\r\n.${'\xfc'.repeat(997)}\r\n`
    await sendAll([[message('octets', everyOctet.repeat(40))], [message('latin1', 'Gr\xfc\xdfe \xc3\xbc\r\n')], [message('lines', longLines)]])
  })

  test('dots at the starts of lines, and what looks like commands, replies and mailbox separators', async () => {
    const bodies = [
      '.\r\n..\r\n...\r\n.text\r\n. \r\n.\t\r\n',
      '',
      '\r\n',
      '\r\n\r\n.\r\n\r\n',
      '.',
      '..',
      'QUIT\r\nRSET\r\n.\r\n354 go on\r\n',
      'From the first\r\n>From the second\r\n',
      'no line end at the end',
      '.\r\n'.repeat(5_000),
    ]
    await sendAll(bodies.map((body, at) => [message(`dots-${at}`, body)]))
  })

  test('what would end the content early for another reader is content, however it is cut (S12)', { timeout: 60_000 }, async () => {
    await sendAll(traps())
  })

  test('a message of 5 MB arrives whole', { timeout: 60_000 }, async () => {
    const lines = Array.from({ length: 70_000 }, (_, at) => `${at % 7 === 0 ? '.' : ''}${at} ${'0123456789'.repeat(6)}\r\n`)
    const content = message('large', lines.join(''))
    expect(content.length).toBeGreaterThan(4_500_000)
    await sendAll([[content]])
  })

  test('fifty messages over one connection', { timeout: 60_000 }, async () => {
    await sendAll(Array.from({ length: 50 }, (_, at) => [message(`one-of-fifty-${at}`, `text ${at}\r\n.\r\n`)]))
  })

  test('421 in the middle of a transaction ends the connection, and the receipt says that later may help', async () => {
    const client = await connect()
    const content = message('dropped', 'text\r\n')
    const receipt = await client.submit(envelope({ to: [TO, 'drop@example.test', 'u2@example.test'] }), content)
    expect(receipt.outcome).toBe('deferred')
    expect(receipt.reply?.status).toBe(421)
    expect(client.usable).toBe(false)
    await expect(client.submit(envelope(), content)).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    await client.quit()
    const again = await connect()
    expect((await again.submit(envelope({ to: ['u3@example.test'] }), content)).outcome).toBe('accepted')
    await again.quit()
    await server.delivered(1)
    expectKept(server.kept('u3'), [content])
    for (const user of ['u1', 'u2']) expect(server.kept(user)).toEqual([])
  })

  test('a submission that is aborted in its content leaves nothing behind', async () => {
    const abort = new AbortController()
    const client = await connect()
    const reason = new Error('not wanted any more')
    async function* endless(): AsyncGenerator<Buffer, void> {
      yield message('aborted', '')
      for (let at = 0; ; at++) {
        if (at === 20) abort.abort(reason)
        yield Buffer.alloc(10_000, 'text\r\n')
        await setImmediate()
      }
    }
    await expect(client.submit(envelope({ options: { signal: abort.signal } }), endless())).rejects.toBe(reason)
    expect(client.usable).toBe(false)
    await client.quit()
    const again = await connect()
    const content = message('after', 'text\r\n')
    expect((await again.submit(envelope(), content)).outcome).toBe('accepted')
    await again.quit()
    await server.delivered(1)
    expectKept(server.kept('u1'), [content])
  })

  const WAYS: readonly (readonly [string, Partial<SmtpOptions>])[] = [
    ['one command at a time', { pipelining: 'none' }],
    ['BDAT', { chunking: true }],
    ['overlap', { pipelining: 'overlap' }],
    ['overlap with BDAT', { pipelining: 'overlap', chunking: true }],
    ['transaction', { pipelining: 'transaction', chunking: true }],
    ['back-to-back', { pipelining: 'back-to-back', chunking: true }],
  ]

  describe.each(WAYS)('%s', (_way, options) => {
    test(
      'thirty messages asked for at once, some of them refused: each has its own outcome, and what is stored is what was accepted',
      { timeout: 60_000 },
      async () => {
        const client = await connect(options)
        const bodies = ['text\r\n', '.\r\n..\r\n', 'no line end', 'a\nb\rc\r\n.\r\n', `${'\xfc'.repeat(70)}\r\n`.repeat(2_000), '']
        const kinds = [
          { to: [TO], expected: ['accepted', ['accepted', 250]] },
          { to: [TO, 'perm@example.test'], expected: ['partial', ['accepted', 250], ['refused', 550]] },
          { to: [TO], expected: ['accepted', ['accepted', 250]] },
          { to: ['perm@example.test'], expected: ['refused', ['refused', 550]] },
          { to: [TO], expected: ['accepted', ['accepted', 250]] },
          { to: ['temp@example.test', 'u2@example.test'], expected: ['partial', ['deferred', 450], ['accepted', 250]] },
          { to: ['temp@example.test'], expected: ['deferred', ['deferred', 450]] },
        ]
        const plan = Array.from({ length: 30 }, (_, at) => ({
          ...(kinds[at % kinds.length] ?? { to: [TO], expected: [] }),
          from: `sender-${at}@example.test`,
          content: message(`way-${at}`, bodies[at % bodies.length] ?? ''),
        }))
        const receipts = await Promise.all(plan.map(({ from, to, content }) => client.submit({ from, to }, content)))
        await client.quit()
        expect(receipts.map(summary)).toEqual(plan.map(({ expected }) => expected))
        const sentTo = (address: string): Buffer[] =>
          plan.filter(({ to, expected }) => expected[to.indexOf(address) + 1]?.[0] === 'accepted').map(({ content }) => content)
        await server.delivered(sentTo(TO).length + sentTo('u2@example.test').length)
        expectKept(server.kept('u1'), sentTo(TO))
        expectKept(server.kept('u2'), sentTo('u2@example.test'))
        // A reverse-path that was left over from the transaction before would show here.
        const senders = server.traces('u1').map((trace) => /^Return-path: <(.*)>/i.exec(trace)?.[1])
        expect(new Set(senders)).toEqual(new Set(plan.filter(({ content }) => sentTo(TO).includes(content)).map(({ from }) => from)))
      },
    )

    test('what would end the content early is content (S12)', { timeout: 60_000 }, () => sendAll(traps(), options))

    test('a large message, and one that is larger than the server takes', { timeout: 60_000 }, async () => {
      await sendAll([[message('large', `${'x'.repeat(70)}\r\n`.repeat(60_000))]], options)
      server.empty()
      const client = await connect(options)
      const block = Buffer.alloc(72 * 900, `${'x'.repeat(70)}\r\n`)
      const tooLarge = client.submit(envelope(), inChunks([message('too-large', ''), ...Array.from({ length: 140 }, () => block)]))
      const outcome = await tooLarge.then(summary, (error: unknown) => (error instanceof MailError ? error.code : error))
      expect([['refused', ['refused', facts.tooLarge]], 'ERR_LIMIT']).toContainEqual(outcome)
      await client.quit()
      const next = await connect(options)
      const content = message('next', 'text\r\n')
      expect((await next.submit(envelope(), content)).outcome).toBe('accepted')
      await next.quit()
      await server.delivered(1)
      expectKept(server.kept('u1'), [content])
    })

    test('421 in the middle: nobody is told of a success that was none', async () => {
      const client = await connect(options)
      const contents = Array.from({ length: 10 }, (_, at) => message(`drop-${at}`, 'text\r\n'))
      const settled = await Promise.allSettled(
        contents.map((content, at) => client.submit(envelope({ to: at === 4 ? [TO, 'drop@example.test'] : [TO] }), content)),
      )
      const outcomes = settled.map((one) => (one.status === 'fulfilled' ? one.value.outcome : 'failed'))
      expect(outcomes.slice(0, 4)).toEqual(['accepted', 'accepted', 'accepted', 'accepted'])
      // What is on its way already may be taken by one that goes on.
      if (facts.closesAfter421) expect(outcomes.slice(4)).not.toContain('accepted')
      expect(client.usable).toBe(false)
      await client.quit()
      await server.delivered(outcomes.filter((outcome) => outcome === 'accepted' || outcome === 'partial').length)
      const kept = server.kept('u1').map(idOf)
      for (const [at, outcome] of outcomes.entries()) {
        if (outcome === 'accepted' || outcome === 'partial') expect(kept).toContain(`drop-${at}`)
        else if (outcome !== 'unknown') expect(kept).not.toContain(`drop-${at}`)
      }
    })
  })

  test('content above SIZE is never read as commands, by BDAT neither (S12)', { timeout: 60_000 }, async () => {
    if (!facts.clear.includes('CHUNKING')) return
    // Exim 4.96 reads what is left of a chunk that crosses its limit as commands; wherever the limit falls, a line of these is next.
    const smuggled = 'Subject: smuggled\r\n\r\nsmuggled\r\n'
    const trap = Buffer.from(`RSET\r\nMAIL FROM:<${FROM}>\r\nRCPT TO:<u2@example.test>\r\nBDAT ${smuggled.length} LAST\r\n${smuggled}`.repeat(600))
    for (let shift = 0; shift < 12; shift++) {
      const client = await connect({ chunking: true })
      const chunks = [message('trap', `${'x'.repeat(shift)}\r\n`), ...Array.from({ length: Math.ceil((1.2 * SIZE_LIMIT) / trap.length) }, () => trap)]
      const receipt = client.submit(envelope(), inChunks(chunks))
      await expect(receipt).rejects.toMatchObject({ code: 'ERR_LIMIT' })
      await client.quit()
    }
    const client = await connect({ chunking: true })
    const content = message('next', 'text\r\n')
    expect((await client.submit(envelope(), content)).outcome).toBe('accepted')
    await client.quit()
    await server.delivered(1)
    expectKept(server.kept('u1'), [content])
    expect(server.kept('u2')).toEqual([])
  })

  test('a pool: sixty messages over five connections, each stored once', { timeout: 60_000 }, async () => {
    await using pool = new SmtpPool({ ...optionsOf(), maxConnections: 5, maxMessages: 7 })
    const contents = Array.from({ length: 60 }, (_, at) => message(`pool-${at}`, `text ${at}\r\n`))
    const receipts = await Promise.all(contents.map((content) => pool.submit(envelope(), () => inChunks([content]))))
    expect(receipts.map(({ outcome }) => outcome)).toEqual(contents.map(() => 'accepted'))
    await server.delivered(60)
    expectKept(server.kept('u1'), contents)
  })

  test('what is asked for and not offered is not begun, unless it is optional', async () => {
    const client = await connect()
    const content = message('options', 'text\r\n')
    const none: readonly SubmitOptions[] = [
      { body: 'binary' },
      { priority: 3 },
      { deliverBy: { seconds: 60, late: 'return' } },
      { futureRelease: { seconds: 60 } },
      { requireTls: true },
      ...(facts.clear.includes('DSN') ? [] : [{ dsn: { notify: 'never' as const } }]),
      ...(facts.clear.includes('SMTPUTF8') ? [] : [{ smtpUtf8: true }]),
    ]
    for (const options of none)
      await expect(client.submit(envelope({ options }), content)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED', reusable: true })
    const optional = ['DELIVERBY', 'FUTURERELEASE', 'MT-PRIORITY'] as const
    const options = { priority: 3, deliverBy: { seconds: 60, late: 'return' as const }, optional }
    expect((await client.submit(envelope({ options }), content)).outcome).toBe('accepted')
    await client.quit()
    await server.delivered(1)
    expectKept(server.kept('u1'), [content])
  })

  test('content that would have to be changed is refused when it is signed, and nothing of it is stored', async () => {
    for (const body of ['a\nb\r\n', 'a\rb\r\n', 'no line end', `${'x'.repeat(999)}\r\n`]) {
      const client = await connect()
      const submitted = client.submit(envelope({ options: { lineEnds: 'verify' } }), inChunks([message('signed', body)]))
      await expect(submitted).rejects.toMatchObject({ code: 'ERR_CONTENT' })
      await client.quit()
    }
    const exact = message('signed', `${'x'.repeat(998)}\r\n.\r\n`)
    const client = await connect()
    expect((await client.submit(envelope({ options: { lineEnds: 'verify' } }), inChunks([exact]))).outcome).toBe('accepted')
    await client.quit()
    await server.delivered(1)
    expect(server.kept('u1')).toEqual([exact])
  })

  test('addresses and header fields in UTF-8, where SMTPUTF8 is offered', async () => {
    const client = await connect()
    const to = ['jürgen@example.test']
    const content = Buffer.from(message('utf8', 'Grüße\r\n').toString('latin1').replace('Subject: utf8', 'Subject: Grüße'))
    if (facts.clear.includes('SMTPUTF8')) {
      expect((await client.submit(envelope({ to, options: { smtpUtf8: true } }), content)).outcome).toBe('accepted')
      await client.quit()
      await server.delivered(1)
      expect(server.kept('u1')).toEqual([content])
    } else {
      await expect(client.submit(envelope({ to }), content)).rejects.toMatchObject({ code: 'ERR_ADDRESS', reusable: true, recipient: to[0] })
      await client.quit()
    }
  })

  test('a server asked for reports sends those that were asked for', async () => {
    if (!facts.clear.includes('DSN')) return
    const client = await connect()
    const content = message('reported', 'text\r\n')
    const reported: Recipient = { address: TO, orcpt: 'bob+x@elsewhere.test' }
    const silent: Recipient = { address: 'u3@example.test', notify: 'never' }
    const options: SubmitOptions = { dsn: { notify: ['success', 'failure'], ret: 'headers', envid: 'QQ+31 4=159' } }
    // OpenSMTPD takes what it heard of the recipient before for this one, too.
    for (const to of facts.separateNotify ? [[reported, silent]] : [[reported], [silent]])
      expect((await client.submit({ from: 'u2@example.test', to, options }, content)).outcome).toBe('accepted')
    await client.quit()
    await server.delivered(3)
    expectKept(server.kept('u1'), [content])
    expectKept(server.kept('u3'), [content])
    const reports = server.kept('u2').map((report) => report.toString('latin1'))
    expect(reports).toHaveLength(1)
    expect(reports[0]).toMatch(/^Final-Recipient: rfc822; ?u1@example\.test\r$/im)
    for (const line of facts.reported) expect(reports[0]).toContain(`\r\n${line}\r\n`)
    expect(reports[0]).toMatch(/^Action: delivered\r$/im)
    expect(reports[0]).not.toContain('u3@example.test')
  })

  test('who submits on behalf of another says so after a login', async () => {
    if (!facts.submitter) return
    const client = await connect({ auth: { user: server.user, password: server.password } })
    for (const submitter of ['', 'u1@example.test'])
      expect((await client.submit(envelope({ options: { submitter } }), message(`submitter-${submitter}`, 'text\r\n'))).outcome).toBe('accepted')
    await client.quit()
    await server.delivered(2)
  })
})
