import { expect, test } from 'vitest'
import { collect, text } from '../support/collect.ts'
import { Pop3Client, type ServerOptions } from '../../src/pop3/index.ts'
import { READINGS, ReplayTransport, type ReplayOptions } from '../support/replay.ts'

const AUTH = { user: 'ann', password: 'top secret ' }
const TLS: ServerOptions = { host: 'pop.test', auth: AUTH }
const STLS: ServerOptions = { host: 'pop.test', security: 'starttls', auth: AUTH }

type Run = (client: Pop3Client) => Promise<void>

/** Plays a transcript twice: in whole answers and octet by octet. */
async function play(transcript: string, options: ServerOptions, run: Run, replay: ReplayOptions = {}): Promise<void> {
  for (const reading of READINGS) {
    const transport = new ReplayTransport(transcript, { reading, tls: options.security === undefined, ...replay })
    const client = await Pop3Client.over(transport, options).catch((error: unknown) => {
      transport.finish() // an octet that differs is the better news
      throw error
    })
    await run(client)
    transport.finish()
  }
}

/** Plays a transcript in which no session begins, and gives the error. */
async function refusal(transcript: string, options: ServerOptions, reading: (typeof READINGS)[number]): Promise<unknown> {
  const transport = new ReplayTransport(transcript, { reading, tls: options.security === undefined })
  const error = await Pop3Client.over(transport, options).then(
    () => new Error('a session began'),
    (reason: unknown) => reason,
  )
  transport.finish()
  expect(transport.destroyed).toBe(true)
  return error
}

const LOGIN = `
  S: +OK ready
  C: CAPA
  S: -ERR unknown
  C: USER ann
  S: +OK
  C: PASS top secret\\x20
  S: +OK
  C: CAPA
  S: -ERR unknown
`

test('a Dovecot-like server over STLS, with unique-ids, TOP, RETR and a deletion', async () => {
  await play(
    `
    S: +OK [XCLIENT] Dovecot (Debian) ready.
    C: CAPA
    S: +OK
    S: CAPA
    S: TOP
    S: UIDL
    S: RESP-CODES
    S: PIPELINING
    S: AUTH-RESP-CODE
    S: STLS
    S: SASL
    S: .
    C: STLS
    S: +OK Begin TLS negotiation now.
    *: TLS
    C: CAPA
    S: +OK
    S: CAPA
    S: TOP
    S: UIDL
    S: RESP-CODES
    S: PIPELINING
    S: USER
    S: SASL PLAIN LOGIN
    S: .
    C: USER ann
    S: +OK
    C: PASS top secret\\x20
    S: +OK Logged in.
    C: CAPA
    S: +OK
    S: TOP
    S: UIDL
    S: .
    C: STAT
    S: +OK 2 320
    C: UIDL
    S: +OK
    S: 1 0000000165a3f1c2
    S: 2 0000000265a3f1c2
    S: .
    C: LIST
    S: +OK 2 messages:
    S: 1 120
    S: 2 200
    S: .
    C: TOP 1 0
    S: +OK
    S: From: a@x
    S: Subject: dots
    S:
    S: .
    C: RETR 1
    S: +OK 120 octets
    S: From: a@x
    S: Subject: dots
    S:
    S: ..
    S: ..leading
    S: text
    S: .
    C: DELE 1
    S: +OK Marked to be deleted.
    C: NOOP
    S: +OK
    C: QUIT
    S: +OK Logging out, messages deleted.
    *: close
    `,
    STLS,
    async (client) => {
      expect(client.tls).not.toBeNull()
      expect([...client.capabilities.keys()]).toEqual(['TOP', 'UIDL'])
      expect(await client.stat()).toEqual({ count: 2, octets: 320 })
      expect(await collect(client.uniqueIds())).toEqual([
        { number: 1, uniqueId: '0000000165a3f1c2' },
        { number: 2, uniqueId: '0000000265a3f1c2' },
      ])
      expect(await collect(client.list())).toEqual([
        { number: 1, octets: 120 },
        { number: 2, octets: 200 },
      ])
      expect(await text(client.top(1, 0))).toBe('From: a@x\r\nSubject: dots\r\n\r\n')
      expect(await text(client.retrieve(1))).toBe('From: a@x\r\nSubject: dots\r\n\r\n.\r\n.leading\r\ntext\r\n')
      await client.delete(1)
      await client.noop()
      expect(await client.quit()).toEqual({ confirmed: true })
    },
  )
})

test('a Courier-like server: capabilities in any case, sizes that differ from the content, -ERR to a message that is gone', async () => {
  await play(
    `
    S: +OK Hello there.
    C: CAPA
    S: +OK Here's what I can do:
    S: SASL LOGIN PLAIN
    S: TOP
    S: USER
    S: LOGIN-DELAY 10
    S: PIPELINING
    S: UIDL
    S: IMPLEMENTATION Courier Mail Server
    S: .
    C: USER ann
    S: +OK Password required.
    C: PASS top secret\\x20
    S: +OK logged in.
    C: CAPA
    S: +OK Here's what I can do:
    S: Implementation Courier Mail Server
    S: Uidl
    S: .
    C: UIDL
    S: +OK
    S: 1 UID5-1600000000
    S: 2 UID6-1600000000
    S: .
    # its LIST said 32
    C: RETR 1
    S: +OK 32 octets follow.
    S: Subject: x
    S:
    S: content
    S: .
    C: RETR 2
    S: -ERR Message deleted
    C: RSET
    S: +OK Resurrected.
    C: QUIT
    S: +OK Bye-bye.
    *: close
    `,
    TLS,
    async (client) => {
      expect(client.greeting).toBe('Hello there.')
      expect(client.implementation).toBe('Courier Mail Server')
      expect(client.capabilities.has('SASL')).toBe(false) // that was before the login
      expect(await collect(client.uniqueIds())).toHaveLength(2)
      const seen: string[] = []
      for await (const retrieval of client.retrieveAll([1, 2])) seen.push(await text(retrieval.views()).catch((error: unknown) => String(error)))
      expect(seen).toEqual(['Subject: x\r\n\r\ncontent\r\n', 'Pop3ReplyError: the server refused in the retr phase: Message deleted'])
      await client.reset()
      expect(await client.quit()).toEqual({ confirmed: true })
    },
  )
})

test('an old server without CAPA, with bare LF, blank lines before replies and a UIDL refused (H9, H14, H55, H56)', async () => {
  await play(
    `
    S| +OK\\n
    C: CAPA
    S| -ERR\\n
    C: USER ann
    S| +OK\\n
    C: PASS top secret\\x20
    S| +OK\\n
    C: CAPA
    S| -ERR\\n
    C: UIDL
    S| -ERR no such command\\n
    C: LIST
    S| +OK\\n2 5\\n1 5 extra\\n.\\n
    C: RETR 2
    S| +OK\\na\\n..b\\n.\\n
    C: DELE 2
    S| \\r\\n\\r\\n+OK\\r\\n
    C: QUIT
    *: close
    `,
    TLS,
    async (client) => {
      expect(client.capabilities.size).toBe(0)
      expect(client.implementation).toBeNull()
      await expect(collect(client.uniqueIds())).rejects.toMatchObject({ code: 'ERR_POP3_REPLY', phase: 'uidl', reusable: true })
      expect(await collect(client.list())).toEqual([
        { number: 2, octets: 5 },
        { number: 1, octets: 5 },
      ])
      expect(await text(client.retrieve(2))).toBe('a\n.b\n')
      await client.delete(2)
      expect(await client.quit()).toEqual({ confirmed: false }) // P12, H58: closed without an answer
    },
  )
})

test('H49, P10: a connection that ends inside content fails the content and all that follows', async () => {
  for (const end of ['abc', 'abc\\r\\n', 'abc\\r\\n.', 'abc\\r\\n.\\r']) {
    await play(
      `
      ${LOGIN}
      C: RETR 1
      S| +OK\\r\\n${end}
      *: close
      `,
      TLS,
      async (client) => {
        await expect(text(client.retrieve(1))).rejects.toMatchObject({ code: 'ERR_CLOSED', phase: 'retr', transient: true })
        await expect(client.delete(1)).rejects.toMatchObject({ code: 'ERR_CLOSED', cause: { code: 'ERR_CLOSED', phase: 'retr' } })
        expect(await client.quit()).toEqual({ confirmed: false })
      },
    )
  }
})

test('H48: content that stops without its end fails by the timer', async () => {
  await play(
    `
    ${LOGIN}
    C: RETR 1
    S: +OK
    S: abc
    *: silence
    `,
    TLS,
    async (client) => {
      await expect(text(client.retrieve(1))).rejects.toMatchObject({ code: 'ERR_TIMEOUT', phase: 'retr' })
    },
  )
})

test('H52, P9: a final dot that came too early shows at the next command at the latest, which is not confirmed', async () => {
  for (const reading of READINGS) {
    const transport = new ReplayTransport(
      `${LOGIN}\nC: RETR 1\nS: +OK\nS: a\nS: .\n${reading === 'octet' ? 'C: DELE 1\n' : ''}S: rest of it\nS: .\n`,
      { reading, tls: true },
    )
    const client = await Pop3Client.over(transport, TLS)
    const done = text(client.retrieve(1)).then(() => client.delete(1))
    await expect(done).rejects.toMatchObject({ code: 'ERR_PROTOCOL' })
    expect(transport.destroyed).toBe(true)
  }
})

test.each([
  ['T1: STLS is not offered', 'S: +OK\nC: CAPA\nS: +OK\nS: USER\nS: .\nC: QUIT', 'ERR_TLS_REQUIRED'],
  ['T2: STLS is refused', 'S: +OK\nC: CAPA\nS: +OK\nS: STLS\nS: .\nC: STLS\nS: -ERR not now\nC: QUIT', 'ERR_TLS_REQUIRED'],
  ['T2: STLS is answered with garbage', 'S: +OK\nC: CAPA\nS: +OK\nS: STLS\nS: .\nC: STLS\nS: 220 go', 'ERR_PROTOCOL'],
  ['T2: STLS is not answered', 'S: +OK\nC: CAPA\nS: +OK\nS: STLS\nS: .\nC: STLS\n*: silence', 'ERR_TIMEOUT'],
  ['T4: CAPA and STLS are refused', 'S: +OK\nC: CAPA\nS: -ERR what\nC: STLS\nS: -ERR what\nC: QUIT', 'ERR_TLS_REQUIRED'],
  ['T5: a second line after the +OK to STLS', 'S: +OK\nC: CAPA\nS: +OK\nS: STLS\nS: .\nC: STLS\nS: +OK\nS: +OK', 'ERR_TLS_INJECTION'],
  ['T5: one octet after the +OK to STLS', 'S: +OK\nC: CAPA\nS: +OK\nS: STLS\nS: .\nC: STLS\nS: +OK\nS| x', 'ERR_TLS_INJECTION'],
  ['T9: -ERR in place of a greeting', 'S: -ERR [SYS/TEMP] full\nC: QUIT', 'ERR_POP3_REPLY'],
  ['T9, H6: a greeting of SMTP', 'S: 220 mx.example ESMTP', 'ERR_PROTOCOL'],
  ['T9: a greeting that is not quite one', 'S: +OKAY', 'ERR_PROTOCOL'],
  ['H1: no greeting', '*: silence', 'ERR_TIMEOUT'],
  ['H4: two greetings', 'S: +OK\nS: +OK', 'ERR_PROTOCOL'],
])('%s: no session begins and no credential leaves', async (name, transcript, code) => {
  // Two greetings, one octet at a time: the second is only seen as the answer to CAPA, and then all is out of step.
  for (const reading of name.startsWith('H4') ? (['whole'] as const) : READINGS) {
    expect(await refusal(transcript, STLS, reading)).toMatchObject({ name: expect.any(String), code })
  }
})

test('T4, H56: a server that refuses CAPA is asked for STLS all the same, and what it said before TLS is forgotten (T7)', async () => {
  await play(
    `
    S: +OK <1.2@pop.test>
    C: CAPA
    S: -ERR unknown
    C: STLS
    S: +OK
    *: TLS
    C: CAPA
    S: +OK
    S: USER
    S: STLS
    S: .
    C: USER ann
    S: +OK
    C: PASS top secret\\x20
    S: +OK
    C: CAPA
    S: -ERR not here
    C: QUIT
    S: +OK
    *: close
    `,
    STLS,
    async (client) => {
      expect(client.capabilities.size).toBe(0)
      expect(await client.quit()).toEqual({ confirmed: true })
    },
  )
})

test('H42: a refused login says goodbye and keeps the secret', async () => {
  for (const reading of READINGS) {
    const error = await refusal(LOGIN.replace(/(PASS .*\n) {2}S: \+OK[^]*/, '$1  S: -ERR [AUTH] no\n  C: QUIT'), TLS, reading)
    expect(error).toMatchObject({ name: 'Pop3ReplyError', code: 'ERR_AUTH', responseCode: 'AUTH', transient: false, reusable: false })
    expect(String(error)).not.toContain('secret')
  }
})
