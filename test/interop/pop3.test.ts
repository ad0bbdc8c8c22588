import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MailError } from '../../src/index.ts'
import { Pop3Client, type Pop3Options } from '../../src/pop3/index.ts'
import { POP3_SERVERS, type Pop3Server } from './pop3-servers.ts'

const COUNT = 300

/** Header fields that no server has to add. */
function message(at: number, body: string): Buffer {
  const fields = `From: a${at}@example.test\r\nTo: u1@example.test\r\nSubject: number ${at}\r\nMessage-ID: <${at}@example.test>\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n`
  return Buffer.from(`${fields}\r\n${body}`, 'latin1')
}

const binary = Array.from({ length: 255 }, (_, octet) => String.fromCharCode(octet + 1))
  .join('')
  .replaceAll(/[\r\n]/g, '')
const BODIES: readonly string[] = [
  '.\r\n..\r\n...\r\n.text\r\n. \r\n.\t\r\n',
  '',
  '\r\n',
  `${'long '.repeat(2_000)}\r\n.${'x'.repeat(997)}\r\n`,
  'Gr\xfc\xdfe \xc3\xbc\r\n',
  `${binary}\r\n`.repeat(3),
  '+OK\r\n-ERR no\r\n.\r\nQUIT\r\n', // H51
  'From the first\r\n>From the second\r\n',
  'no line end at the end',
  `${'line of text\r\n'.repeat(6_000)}.\r\n`,
]

const messages = Array.from({ length: COUNT }, (_, at) => message(at, BODIES[at % BODIES.length] ?? ''))

async function octets(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of source) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const entries: T[] = []
  for await (const entry of source) entries.push(entry)
  return entries
}

/** What differs is said by its number: two messages side by side are too long for a report. */
function difference(got: Buffer, kept: Buffer): string {
  if (got.equals(kept)) return 'none'
  const at = got.findIndex((octet, index) => octet !== kept[index])
  const from = Math.max(0, (at < 0 ? got.length : at) - 30)
  const piece = (whole: Buffer): string => JSON.stringify(whole.toString('latin1', from, from + 80))
  return `octet ${at} of ${got.length}, ${kept.length} kept: ${piece(got)} in place of ${piece(kept)}`
}

interface Facts {
  /** Announced, and so used by `retrieveAll`. */ readonly pipelining: boolean
  /** The second session is refused while the first holds the maildrop. */ readonly locks: boolean
  /** Messages with the same octets have the same unique-id (RFC 1939 §7 allows it). */ readonly sameUniqueIds: boolean
  /** Mechanisms of AUTH that the client knows. */ readonly sasl: readonly string[]
  readonly tlsPort: boolean
  readonly implementation: string | null
}

const FACTS: Readonly<Record<string, Facts>> = {
  dovecot: { pipelining: true, locks: true, sameUniqueIds: false, sasl: ['PLAIN', 'LOGIN'], tlsPort: true, implementation: null },
  courier: { pipelining: true, locks: false, sameUniqueIds: false, sasl: ['PLAIN', 'LOGIN'], tlsPort: false, implementation: 'Courier Mail Server' },
  cyrus: { pipelining: true, locks: false, sameUniqueIds: false, sasl: ['PLAIN', 'LOGIN'], tlsPort: true, implementation: 'Cyrus POP3' },
  mailutils: { pipelining: true, locks: true, sameUniqueIds: false, sasl: [], tlsPort: false, implementation: 'GNU Mailutils' },
  popa3d: { pipelining: false, locks: false, sameUniqueIds: true, sasl: [], tlsPort: false, implementation: null },
}

describe.each(Object.entries(FACTS))('%s', (name, facts) => {
  const entry = POP3_SERVERS[name]
  if (entry === undefined || entry.missing !== undefined) {
    test.skip(`cannot run: ${entry?.missing ?? 'unknown'}`, () => {})
    return
  }
  let server: Pop3Server
  beforeAll(async () => {
    server = await entry.start()
    await server.deliver(messages)
  })
  afterAll(() => server.close())

  const connect = (rest: Partial<Pop3Options> = {}): Promise<Pop3Client> =>
    Pop3Client.connect({
      host: 'localhost',
      port: server.ports.plain,
      security: server.stls ? 'starttls' : 'none',
      allowClearTextAuth: true,
      tls: { ca: server.ca },
      auth: { user: server.user, password: server.password },
      ...rest,
    })

  /** A server may notice only after a while that a session was dropped. */
  const connectWhenFree = async (): Promise<Pop3Client> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await connect()
      } catch (error) {
        if (!(error instanceof MailError && error.transient && attempt < 100)) throw error
      }
    }
  }

  test('says what it is and what it can do', async () => {
    await using client = await connect()
    expect(client.tls?.authorized).toBe(server.stls ? true : undefined)
    expect(client.capabilities.has('PIPELINING')).toBe(facts.pipelining)
    if (facts.implementation === null) expect(client.implementation).toBeNull()
    else expect(client.implementation).toContain(facts.implementation)
  })

  test('a maildrop of hundreds comes as it is kept, octet for octet', { timeout: 60_000 }, async () => {
    const client = await connect()
    expect((await client.stat()).count).toBe(COUNT)
    const numbers = (await all(client.list())).map(({ number }) => number)
    expect(numbers).toEqual(Array.from({ length: COUNT }, (_, at) => at + 1))
    expect(new Set((await all(client.uniqueIds())).map(({ uniqueId }) => uniqueId)).size).toBe(COUNT)
    const kept = server.kept()
    const got: Buffer[] = []
    for await (const retrieval of client.retrieveAll(numbers)) got.push(server.plain(await octets(retrieval)))
    expect(await client.quit()).toEqual({ confirmed: true })
    expect(kept).toHaveLength(COUNT)
    expect(got.map((content, at) => `${at + 1}: ${difference(content, kept[at] ?? Buffer.of())}`).filter((one) => !one.endsWith(': none'))).toEqual(
      [],
    )
  })

  test('commands are sent ahead where the server announces it, and nowhere else', async () => {
    const client = await connect()
    const numbers = Array.from({ length: 100 }, (_, at) => at + 1)
    let ahead = 0
    let most = 0
    const onCommand = (): void => void (most = Math.max(most, ++ahead))
    const onReply = (): void => void ahead--
    subscribe('mail:pop3:command', onCommand)
    subscribe('mail:pop3:reply', onReply)
    try {
      let count = 0
      for await (const retrieval of client.topAll(numbers, 1)) if ((await octets(retrieval)).length > 0) count++
      expect(count).toBe(100)
    } finally {
      unsubscribe('mail:pop3:command', onCommand)
      unsubscribe('mail:pop3:reply', onReply)
    }
    if (facts.pipelining) expect(most).toBeGreaterThan(5)
    else expect(most).toBe(1)
    expect(await client.quit()).toEqual({ confirmed: true })
  })

  test('what is not there fails alone in the middle of a batch', async () => {
    const client = await connect()
    const numbers = [1, COUNT + 1, 2, COUNT + 2, 3, ...Array.from({ length: 15 }, () => COUNT + 3), 5] // Dovecot bears twenty in a row
    const got: number[] = []
    for await (const retrieval of client.retrieveAll(numbers)) {
      const content = await octets(retrieval).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'ERR_POP3_REPLY', phase: 'retr', reusable: true })
        return Buffer.of()
      })
      if (content.includes(`Subject: number ${retrieval.number - 1}\r\n`)) got.push(retrieval.number)
      else expect(content).toHaveLength(0)
    }
    expect(got).toEqual([1, 2, 3, 5])
    expect(await client.quit()).toEqual({ confirmed: true })
  })

  test('each way to log in that it announces, in one line and in two', { timeout: 60_000 }, async () => {
    for (const mechanism of facts.sasl) {
      for (const initialResponse of [true, false]) {
        const client = await connect({ auth: { user: server.user, password: server.password, mechanism }, initialResponse })
        expect((await client.stat()).count).toBe(COUNT)
        expect(await client.quit()).toEqual({ confirmed: true })
      }
    }
    const [mechanism = 'PLAIN'] = facts.sasl
    const code = facts.sasl.length > 0 ? 'ERR_AUTH' : expect.stringMatching(/^ERR_AUTH/)
    await expect(connect({ auth: { user: server.user, password: 'not-it', mechanism } })).rejects.toMatchObject({ code })
  })

  test('the beginning of a message is the beginning of what is retrieved', async () => {
    const client = await connect()
    for (const number of [1, 2, 4, 6, 10]) {
      const whole = server.plain(await octets(client.retrieve(number)))
      const fields = server.plain(await octets(client.top(number, 0)))
      expect(fields.toString('latin1')).toBe(whole.toString('latin1', 0, whole.indexOf('\r\n\r\n') + 4))
    }
    await client.quit()
  })

  test('a message that is not there fails alone', async () => {
    const client = await connect()
    await expect(octets(client.retrieve(COUNT + 1))).rejects.toMatchObject({ code: 'ERR_POP3_REPLY', phase: 'retr', reusable: true })
    await expect(client.delete(COUNT + 1)).rejects.toMatchObject({ code: 'ERR_POP3_REPLY', phase: 'dele', reusable: true })
    expect((await octets(client.top(1, 0))).length).toBeGreaterThan(0)
    expect(await client.quit()).toEqual({ confirmed: true })
  })

  test('a wrong password is named as such', async () => {
    await expect(connect({ auth: { user: server.user, password: 'not-it' } })).rejects.toMatchObject({ code: 'ERR_AUTH', transient: false })
  })

  test('a maildrop that is in use is refused for now, or shared', { timeout: 60_000 }, async () => {
    const first = await connect()
    const second = connect().then((client) => client.quit())
    if (facts.locks) await expect(second).rejects.toMatchObject({ responseCode: 'IN-USE', transient: true })
    else expect(await second).toEqual({ confirmed: true })
    await first.quit()
  })

  test('TLS from the start, where there is a port for it', async () => {
    const { tls: port } = server.ports
    expect(port !== undefined).toBe(facts.tlsPort)
    if (port === undefined) return
    const client = await connect({ security: 'tls', port })
    expect(client.tls).toMatchObject({ authorized: true })
    expect((await client.stat()).count).toBe(COUNT)
    await client.quit()
  })

  test('deletions are done when QUIT is confirmed, and not before', { timeout: 60_000 }, async () => {
    const abort = new AbortController()
    const dropped = await connect({ signal: abort.signal })
    await dropped.delete(1)
    abort.abort()
    expect(await dropped.quit()).toEqual({ confirmed: false })

    const taken = await connectWhenFree()
    expect((await taken.stat()).count).toBe(COUNT)
    await taken.delete(1)
    await taken.reset()
    expect(await taken.quit()).toEqual({ confirmed: true })

    const client = await connect()
    const before = await all(client.uniqueIds())
    const odd = before.map(({ number }) => number).filter((number) => number % 2 === 1)
    const deleted = await all(client.deleteAll(odd))
    expect(deleted.map(({ number }) => number)).toEqual(odd)
    expect(await client.quit()).toEqual({ confirmed: true })

    const again = await connect()
    const left = await all(again.uniqueIds())
    expect(left.map(({ uniqueId }) => uniqueId)).toEqual(before.filter(({ number }) => number % 2 === 0).map(({ uniqueId }) => uniqueId))
    expect(left.map(({ number }) => number)).toEqual(left.map((_, at) => at + 1))
    for (const { number } of left) await again.delete(number)
    expect(await again.quit()).toEqual({ confirmed: true })

    const empty = await connect()
    expect(await empty.stat()).toEqual({ count: 0, octets: 0 })
    expect(await all(empty.list())).toEqual([])
    expect(await all(empty.uniqueIds())).toEqual([])
    await empty.quit()
  })

  test('two messages with the same octets are two messages', async () => {
    const twin = message(1, 'the same\r\n')
    await server.deliver([twin, twin])
    const client = await connect()
    const ids = await all(client.uniqueIds())
    expect(ids).toHaveLength(2)
    expect(ids[0]?.uniqueId === ids[1]?.uniqueId).toBe(facts.sameUniqueIds)
    expect(await client.quit()).toEqual({ confirmed: true })
  })

  test('a header section in UTF-8 comes as it is, at Courier when UTF8 was asked for', async () => {
    const inUtf8 = Buffer.from(
      'From: a@example.test\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <u@x>\r\nSubject: Grüße\r\n\r\nGrüße\r\n',
    )
    await server.deliver([inUtf8])
    const client = await connect({ utf8: name === 'courier' })
    const { count } = await client.stat()
    expect((await octets(client.retrieve(count))).includes(inUtf8.subarray(inUtf8.indexOf('Subject')))).toBe(true)
    expect(await client.quit()).toEqual({ confirmed: true })
    if (name !== 'courier') return
    const without = await connect()
    expect((await octets(without.retrieve(count))).includes('Content-Type: message/global')).toBe(true)
    await without.quit()
  })
})
