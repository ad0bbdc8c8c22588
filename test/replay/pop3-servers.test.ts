import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { collect, text } from '../support/collect.ts'
import { Pop3Client, type Pop3Options } from '../../src/pop3/index.ts'
import { READINGS, ReplayTransport, type ReplayOptions } from '../support/replay.ts'

/** What a real server said: by the part of the session, the command, and how often that was given before. */
class Recording {
  readonly #parts = new Map<string, string[]>()

  constructor(server: string) {
    const file = readFileSync(join(import.meta.dirname, 'transcripts', `pop3-${server}.txt`), 'utf8')
    for (const part of file.split(/^## /m).slice(1)) {
      const title = part.slice(0, part.indexOf('\n'))
      this.#parts.set(title, part.slice(title.length + 1).split(/^(?=C: )/m))
    }
  }

  has(part: string, command: string): boolean {
    return this.#find(part, command) !== undefined
  }

  /** The exchanges of these commands, in this order. The same command again is its next exchange. */
  of(part: string, ...commands: readonly string[]): string {
    return commands
      .map((command, at) => {
        const before = commands.slice(0, at).filter((one) => one === command).length
        const exchange = this.#find(part, command, before)
        if (exchange === undefined) throw new Error(`there is no exchange ${before + 1} of ${command} in the part ${part}`)
        return exchange
      })
      .join('')
  }

  /** The octets that the server sent in an exchange as content, undotted. */
  content(command: string): string {
    const answer = this.of('transaction', command).split('\n').slice(2, -2) // without the command, the status line and the final dot
    return answer
      .map(
        (line) =>
          `${line
            .slice(3)
            .replace(/^\./, '')
            .replaceAll(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))}\r\n`,
      )
      .join('')
  }

  #find(part: string, command: string, skip = 0): string | undefined {
    return this.#parts.get(part)?.filter((exchange) => (exchange.startsWith('C: ') ? exchange.slice(3, exchange.indexOf('\n')) : '') === command)[
      skip
    ]
  }
}

/** What the client says before the login, and what it is told: the place to change when it goes another way. */
function secured(recording: Recording): string {
  const clear = recording.of('clear', '', 'CAPA')
  if (!recording.has('clear', 'STLS')) return clear
  return `${clear}${recording.of('clear', 'STLS')}*: TLS\n${recording.of('authorization', 'CAPA')}`
}

/** The same up to the end of the login. */
function loggedIn(recording: Recording): string {
  return `${secured(recording)}${recording.of('authorization', 'USER u1', 'PASS pw-1')}${recording.of('transaction', 'CAPA')}`
}

function optionsFor(recording: Recording, password = 'pw-1'): Pop3Options {
  const security = recording.has('clear', 'STLS') ? 'starttls' : 'none'
  return { host: 'pop.test', security, allowClearTextAuth: security === 'none', auth: { user: 'u1', password } }
}

/** Plays a transcript twice: in whole answers and octet by octet. */
async function play(transcript: string, options: Pop3Options, run: (client: Pop3Client) => Promise<void>, replay: ReplayOptions = {}): Promise<void> {
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

/** Plays a transcript in which no session begins, up to QUIT, whose answer nobody waits for; and checks the error. */
async function refuse(whole: string, options: Pop3Options, error: object): Promise<void> {
  const transcript = whole.slice(0, whole.lastIndexOf('C: QUIT') + 'C: QUIT'.length)
  for (const reading of READINGS) {
    const transport = new ReplayTransport(transcript, { reading, tls: options.security === undefined })
    await expect(Pop3Client.over(transport, options).finally(() => transport.finish())).rejects.toMatchObject(error)
    expect(transport.destroyed).toBe(true)
  }
}

async function quit(client: Pop3Client): Promise<void> {
  expect(await client.quit()).toEqual({ confirmed: true })
}

interface Facts {
  /** The unique-ids of the four messages; the second and the third have the same octets. */ readonly uniqueIds: readonly string[]
  readonly implementation: string | null
  readonly sizes: readonly number[]
  /** The answers to STAT at first, after the deletion of message 2, and when that was taken back. */ readonly octets: readonly [
    number,
    number,
    number,
  ]
  /** The response code that comes with a wrong password. */ readonly refusal: string | null
}

const SERVERS: Readonly<Record<string, Facts>> = {
  dovecot: {
    uniqueIds: ['000000016b033863', '000000026b033863', '000000036b033863', '000000046b033863'],
    implementation: null,
    sizes: [172, 146, 146, 18],
    octets: [482, 336, 482],
    refusal: 'AUTH',
  },
  courier: {
    uniqueIds: ['UID1-1795373132', 'UID2-1795373132', 'UID3-1795373132', 'UID4-1795373132'],
    implementation: 'Courier Mail Server',
    sizes: [172, 146, 146, 18],
    octets: [482, 336, 482],
    refusal: null,
  },
  cyrus: {
    uniqueIds: ['1795373144.1', '1795373144.2', '1795373144.3', '1795373144.4'],
    implementation: 'Cyrus POP3 3.6.1-Debian-3.6.1-4+deb12u5',
    sizes: [486, 460, 460, 433],
    octets: [1839, 1379, 1839],
    refusal: 'AUTH',
  },
  // It counts the field that it adds only from the second command that looks at a message on.
  mailutils: {
    uniqueIds: [
      '1308ed908c44fc57642bfdee7c8f8d1b.1795373150.1',
      '949a6083a23048e43b21733cc2bffc78.1795373150.2',
      '949a6083a23048e43b21733cc2bffc78.1795373150.3',
      'b811c56f44a9314e62fa9ec09807fb07.1795373150.4',
    ],
    implementation: 'GNU Mailutils 3.15',
    sizes: [172, 146, 146, 18],
    octets: [482, 501, 702],
    refusal: 'AUTH',
  },
  // Messages with the same octets have the same unique-id (P5).
  popa3d: {
    uniqueIds: ['96882c50af509e6a', 'ec9998a0966cbb7e', 'ec9998a0966cbb7e', 'd98c1dd404b2008f'],
    implementation: null,
    sizes: [172, 146, 146, 18],
    octets: [482, 336, 482],
    refusal: null,
  },
}

describe.each(Object.entries(SERVERS))('%s, as recorded', (server, facts) => {
  const recording = new Recording(server)
  const options = optionsFor(recording)
  const login = loggedIn(recording)

  test('a session with every command', async () => {
    const commands = ['STAT', 'LIST', 'UIDL', 'TOP 1 0', 'TOP 1 1', 'RETR 1', 'RETR 2', 'RETR 3', 'RETR 4', 'RETR 5', 'DELE 2']
    const later = ['RETR 2', 'LIST', 'UIDL', 'STAT', 'RSET', 'STAT', 'NOOP', 'DELE 1', 'QUIT']
    const session = recording.of('transaction', ...commands, ...later)
    await play(login + session, options, async (client) => {
      expect(client.implementation).toBe(facts.implementation)
      expect(client.tls === null).toBe(options.security === 'none')
      expect(await client.stat()).toEqual({ count: 4, octets: facts.octets[0] })
      expect(await collect(client.list())).toEqual(facts.sizes.map((octets, at) => ({ number: at + 1, octets })))
      expect(await collect(client.uniqueIds())).toMatchObject(facts.uniqueIds.map((uniqueId, at) => ({ number: at + 1, uniqueId })))
      expect(await text(client.top(1, 0))).toBe(recording.content('TOP 1 0'))
      expect(await text(client.top(1, 1))).toBe(recording.content('TOP 1 1'))
      for (const number of [1, 2, 3, 4]) expect(await text(client.retrieve(number))).toBe(recording.content(`RETR ${number}`))
      await expect(text(client.retrieve(5))).rejects.toMatchObject({ code: 'ERR_POP3_REPLY', phase: 'retr', reusable: true })
      await client.delete(2)
      await expect(text(client.retrieve(2))).rejects.toMatchObject({ code: 'ERR_POP3_REPLY', phase: 'retr', reusable: true })
      expect((await collect(client.list())).map(({ number }) => number)).toEqual([1, 3, 4])
      expect((await collect(client.uniqueIds())).map(({ uniqueId }) => uniqueId)).toEqual(facts.uniqueIds.filter((_, at) => at !== 1))
      expect(await client.stat()).toEqual({ count: 3, octets: facts.octets[1] })
      await client.reset()
      expect(await client.stat()).toEqual({ count: 4, octets: facts.octets[2] })
      await client.noop()
      await client.delete(1)
      expect(await client.quit()).toEqual({ confirmed: true })
    })
  })

  test('all messages, one of which is not there', async () => {
    const numbers = [1, 2, 3, 4, 5]
    const transcript = login + recording.of('transaction', ...numbers.map((number) => `RETR ${number}`), 'QUIT')
    await play(
      transcript,
      options,
      async (client) => {
        const seen: string[] = []
        for await (const retrieval of client.retrieveAll(numbers)) seen.push(await text(retrieval).catch(() => `no ${retrieval.number}`))
        expect(seen).toEqual([...[1, 2, 3, 4].map((number) => recording.content(`RETR ${number}`)), 'no 5'])
        expect(await client.quit()).toEqual({ confirmed: true })
      },
      { order: 'free' }, // so many at once as the client holds right; without PIPELINING the test above knows
    )
  })

  test('a wrong password', async () => {
    const transcript = secured(recording) + recording.of('wrong password', 'USER u1', 'PASS not-it', 'QUIT')
    await refuse(transcript, optionsFor(recording, 'not-it'), { code: 'ERR_AUTH', responseCode: facts.refusal, transient: false, reusable: false })
  })

  test('a maildrop that another session holds, where one session is all (H57)', async () => {
    if (!recording.has('in use', 'PASS pw-1')) return expect(['courier', 'cyrus', 'popa3d']).toContain(server)
    const transcript = secured(recording) + recording.of('in use', 'USER u1', 'PASS pw-1', 'QUIT')
    await refuse(transcript, options, { responseCode: 'IN-USE', transient: true, reusable: false })
  })
})

test.each(['dovecot', 'courier', 'cyrus'])('%s, as recorded: AUTH PLAIN in one line and in two, and refused', async (server) => {
  const recording = new Recording(server)
  const options = (password: string, rest: Partial<Pop3Options> = {}): Pop3Options => ({
    ...optionsFor(recording),
    auth: { user: 'u1', password, mechanism: 'PLAIN' },
    ...rest,
  })
  const begin = secured(recording)
  const end = recording.of('transaction', 'CAPA', 'QUIT')
  await play(begin + recording.of('authorization by AUTH PLAIN', 'AUTH PLAIN AHUxAHB3LTE=') + end, options('pw-1'), quit)
  const twoLines = recording.of('authorization by AUTH PLAIN in two lines', 'AUTH PLAIN', 'AHUxAHB3LTE=')
  await play(begin + twoLines + end, options('pw-1', { initialResponse: false }), quit)
  const refused = recording.of('wrong password by AUTH PLAIN', 'AUTH PLAIN AHUxAG5vdC1pdA==', 'QUIT')
  await refuse(begin + refused, options('not-it'), { code: 'ERR_AUTH', transient: false, reusable: false })
})

test('Courier wraps a header section in UTF-8 unless UTF8 was asked for (quirk 49); the size that it lists is the other one', async () => {
  const recording = new Recording('courier')
  await play(loggedIn(recording) + recording.of('EAI without UTF8', 'RETR 4'), optionsFor(recording), async (client) => {
    const content = await text(client.retrieve(4))
    expect(content).toContain('Content-Type: message/global\r\n\r\nSubject: Gr\xc3\xbc\xc3\x9fe\r\n')
    expect(content.length).toBeGreaterThan(29) // what LIST says
  })
  const login = recording.of('authorization', 'USER u1', 'PASS pw-1') + recording.of('transaction', 'CAPA')
  const transcript = secured(recording) + recording.of('UTF8', 'UTF8') + login + recording.of('EAI with UTF8', 'RETR 4')
  await play(transcript, { ...optionsFor(recording), utf8: true }, async (client) => {
    expect(await text(client.retrieve(4))).toBe('Subject: Gr\xc3\xbc\xc3\x9fe\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n')
  })
})

const ANN = { user: 'ann@example.test', password: 'top secret' }

describe('Gmail, as documented', () => {
  // No PIPELINING; EXPIRE 0 (quirk 47, P13); LOGIN-DELAY 300 (P13).
  const capabilities = `
    C: CAPA
    S: +OK Capability list follows
    S: USER
    S: RESP-CODES
    S: EXPIRE 0
    S: LOGIN-DELAY 300
    S: TOP
    S: UIDL
    S: X-GOOGLE-RICO
    S: SASL PLAIN XOAUTH2 OAUTHBEARER
    S: .`
  // quirk 42: with this name the last thirty days are listed, again and again
  const login = `
    S: +OK Gpop ready for requests from 192.0.2.1 a1b2c3
    ${capabilities}
    C: USER recent:ann@example.test
    S: +OK send PASS
    C: PASS top secret
    S: +OK Welcome.
    ${capabilities}`
  const options: Pop3Options = { host: 'pop.test', auth: { ...ANN, user: `recent:${ANN.user}` } }

  test('the name `recent:` goes out as it is; the next RETR leaves when the one before is complete', async () => {
    await play(
      `${login}
      C: STAT
      S: +OK 2 3017
      C: UIDL
      S: +OK
      S: 1 GmailId18a0b1c2d3e4f5a6
      S: 2 GmailId18a0b1c2d3e4f5a7
      S: .
      # sizes are those of another form of the message (quirk 44)
      C: RETR 1
      S: +OK message follows
      S: Subject: one
      S:
      S: ..
      S: .
      C: RETR 2
      S: +OK message follows
      S: Subject: two
      S:
      S: .
      C: DELE 1
      S: +OK marked for deletion
      C: QUIT
      S: +OK Farewell.
      *: close`,
      options,
      async (client) => {
        expect(client.capabilities.get('EXPIRE')).toEqual(['0'])
        expect(client.capabilities.get('LOGIN-DELAY')).toEqual(['300'])
        expect(client.capabilities.has('PIPELINING')).toBe(false)
        expect(await client.stat()).toEqual({ count: 2, octets: 3017 })
        expect((await collect(client.uniqueIds())).map(({ uniqueId }) => uniqueId)).toEqual(['GmailId18a0b1c2d3e4f5a6', 'GmailId18a0b1c2d3e4f5a7'])
        const seen: string[] = []
        for await (const retrieval of client.retrieveAll([1, 2])) seen.push(await text(retrieval))
        expect(seen).toEqual(['Subject: one\r\n\r\n.\r\n', 'Subject: two\r\n\r\n'])
        await client.delete(1)
        expect(await client.quit()).toEqual({ confirmed: true })
      },
    )
  })

  test('a message that was retrieved is not there in the next session (quirk 42)', async () => {
    await play(`${login}\nC: UIDL\nS: +OK\nS: .\nC: LIST\nS: +OK 0 messages (0 bytes)\nS: .`, options, async (client) => {
      expect(await collect(client.uniqueIds())).toEqual([])
      expect(await collect(client.list())).toEqual([])
    })
  })

  test.each([
    ['[AUTH] Username and password not accepted.', { code: 'ERR_AUTH', responseCode: 'AUTH', transient: false }],
    ['[AUTH] Application-specific password required', { code: 'ERR_AUTH', responseCode: 'AUTH', transient: false }],
    ['[SYS/PERM] Your account is not enabled for POP access.', { responseCode: 'SYS/PERM', transient: false }],
    ['[SYS/TEMP] Temporary system problem. Please try again later.', { responseCode: 'SYS/TEMP', transient: true }],
    ['[IN-USE] Another session is active', { responseCode: 'IN-USE', transient: true }],
    ['[LOGIN-DELAY] minimum time between logins is 300 seconds', { responseCode: 'LOGIN-DELAY', transient: true }],
  ])('a login refused with -ERR %s', async (answer, error) => {
    const transcript = login.replace(/S: \+OK Welcome\.[^]*/, `S: -ERR ${answer}\nC: QUIT\nS: +OK Farewell.\n*: close`)
    await refuse(transcript, options, error)
  })
})

describe('Exchange and Office 365, as documented', () => {
  const capabilities = `
    C: CAPA
    S: +OK
    S: TOP
    S: UIDL
    S: SASL PLAIN XOAUTH2
    S: USER
    S: .`
  const greeting = `
    S: +OK The Microsoft Exchange POP3 service is ready. [QQBCADEAMgBQAFIAMAAzAA==]
    ${capabilities}`
  const login = `${greeting}
    C: USER ann@example.test
    S: +OK
    C: PASS top secret
    S: +OK User successfully logged on.
    ${capabilities}`
  const options: Pop3Options = { host: 'pop.test', auth: ANN }

  test('a blank line before the answer to DELE (quirk 41, H14)', async () => {
    await play(
      `${login}
      C: DELE 1
      S:
      S: +OK
      C: DELE 2
      S:
      S:
      S: +OK
      C: QUIT
      S: +OK Microsoft Exchange Server POP3 server signing off.
      *: close`,
      options,
      async (client) => {
        await client.delete(1)
        await client.delete(2)
        expect(await client.quit()).toEqual({ confirmed: true })
      },
    )
  })

  test('nothing but a blank line in place of the answer to DELE is a deadline, and no confirmation (quirk 41)', async () => {
    await play(`${login}\nC: DELE 1\nS:\n*: silence`, options, async (client) => {
      await expect(client.delete(1)).rejects.toMatchObject({ code: 'ERR_TIMEOUT', phase: 'dele' })
      expect(await client.quit()).toEqual({ confirmed: false })
    })
  })

  // quirk 31: what the client says first is refused in the line of AUTH; quirk 32: `+` without a blank, or with text
  test.each(['+', '+ ', '+ go on'])('AUTH in two lines, with %j between them', async (continuation) => {
    const response = Buffer.from('\0ann@example.test\0top secret').toString('base64')
    await play(
      `${greeting}
      C: AUTH PLAIN
      S: ${continuation.replace(/ $/, '\\x20')}
      C: ${response}
      S: +OK User successfully authenticated.
      ${capabilities}
      C: QUIT
      S: +OK Microsoft Exchange Server POP3 server signing off.
      *: close`,
      { ...options, auth: { ...ANN, mechanism: 'PLAIN' }, initialResponse: false },
      quit,
    )
  })

  test('sizes are not those of the content (quirk 44), and a message that is listed cannot be had (quirk 46, H59)', async () => {
    await play(
      `${login}
      C: LIST
      S: +OK 2 900
      S: 1 450
      S: 2 450
      S: .
      C: RETR 1
      S: -ERR Message corrupted
      C: RETR 2
      S: +OK
      S: Subject: two
      S:
      S: text
      S: .
      C: TOP 2 0
      S: +OK
      S: Subject: two
      S: X-Only-In-TOP: yes
      S:
      S: .`,
      options,
      async (client) => {
        expect(await collect(client.list())).toEqual([
          { number: 1, octets: 450 },
          { number: 2, octets: 450 },
        ])
        await expect(text(client.retrieve(1))).rejects.toMatchObject({ code: 'ERR_POP3_REPLY', reusable: true, transient: false })
        expect(await text(client.retrieve(2))).toBe('Subject: two\r\n\r\ntext\r\n')
        expect(await text(client.top(2, 0))).toContain('X-Only-In-TOP')
      },
    )
  })

  test('no line end before the final dot is no end (quirk 44, H48)', async () => {
    await play(`${login}\nC: RETR 1\nS: +OK\nS| Subject: x\\r\\n\\r\\ntext.\\r\\n\n*: silence`, options, async (client) => {
      await expect(text(client.retrieve(1))).rejects.toMatchObject({ code: 'ERR_TIMEOUT', phase: 'retr' })
    })
  })

  test.each([
    // the same words for a wrong password and for too many logins (quirk 43)
    ['Logon failure: unknown user name or bad password.', { code: 'ERR_AUTH', responseCode: null, transient: false }],
    ['Authentication failure: unknown user name or bad password.', { code: 'ERR_AUTH', responseCode: null, transient: false }],
    ['[IN-USE] maildrop is in use', { responseCode: 'IN-USE', transient: true }],
    ['the mailbox is locked', { responseCode: null, transient: true }],
  ])('a login refused with -ERR %s', async (answer, error) => {
    const transcript = login.replace(/S: \+OK User successfully[^]*/, `S: -ERR ${answer}\nC: QUIT\n*: close`)
    await refuse(transcript, options, error)
  })
})
