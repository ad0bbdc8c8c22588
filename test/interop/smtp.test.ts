import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SmtpClient, type Envelope, type Receipt, type SmtpOptions } from '../../src/smtp/index.ts'
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
}

const POSTFIX = ['PIPELINING', 'SIZE', 'VRFY', 'ETRN', 'ENHANCEDSTATUSCODES', '8BITMIME', 'DSN', 'SMTPUTF8', 'CHUNKING']
const EXIM = ['SIZE', '8BITMIME', 'DSN', 'PIPELINING', 'PIPECONNECT', 'CHUNKING', 'SMTPUTF8', 'HELP']
const OPENSMTPD = ['8BITMIME', 'ENHANCEDSTATUSCODES', 'SIZE', 'DSN', 'HELP']
const AIOSMTPD = ['SIZE', '8BITMIME', 'SMTPUTF8', 'HELP']
const BOTH = ['PLAIN', 'LOGIN']

const FACTS: Readonly<Record<string, Facts>> = {
  postfix: { clear: [...POSTFIX, 'STARTTLS'], secure: [...POSTFIX, 'AUTH'], mechanisms: BOTH, tooLarge: 552 },
  exim: { clear: [...EXIM, 'STARTTLS'], secure: [...EXIM, 'AUTH'], mechanisms: BOTH, tooLarge: 552 },
  opensmtpd: { clear: OPENSMTPD, secure: null, mechanisms: [], tooLarge: 554 },
  aiosmtpd: { clear: [...AIOSMTPD, 'STARTTLS'], secure: [...AIOSMTPD, 'AUTH'], mechanisms: BOTH, tooLarge: 552 },
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

const idOf = (content: Buffer): string => /^Message-ID: <(.*)>\r$/m.exec(content.toString('latin1', 0, 4096))?.[1] ?? 'without a Message-ID'

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
  const connect = (rest: Partial<SmtpOptions> = {}): Promise<SmtpClient> =>
    SmtpClient.connect({
      host: 'localhost',
      port: server.ports.clear,
      security: secure ? 'starttls' : 'none',
      tls: { ca: server.ca },
      clientName: 'client.example.test',
      ...rest,
    })

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
    await sendAll(contents)
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
})
