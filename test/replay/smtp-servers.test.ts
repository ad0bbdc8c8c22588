import { describe, expect, test } from 'vitest'
import type { SmtpClient } from '../../src/smtp/client.ts'
import type { Receipt } from '../../src/smtp/transaction.ts'
import { chunks, converse, rejection, replaySmtp } from '../support/smtp-replay.ts'

/** Postfix 3.7.11 and Exim 4.96 of Debian 12, recorded; user, host names and queue ids are changed. temp@ gets 450, perm@ 550, drop@ 421. */
interface Recorded {
  readonly greeting: readonly string[]
  readonly keywords: readonly string[]
  /** After STARTTLS. */ readonly secure: readonly string[]
  readonly starttls: string
  readonly farewell: string
  readonly wrongPassword: string
  readonly login: string
  readonly prompts: readonly [string, string]
  readonly mail: string
  readonly rcpt: string
  readonly temp: string
  readonly perm: string
  readonly drop: string
  readonly data: string
  readonly rset: string
  readonly taken: readonly string[]
  /** To BDAT … LAST. */ readonly chunkTaken: readonly string[]
  /** To a BDAT that is not the last. */ readonly chunk: (octets: number) => string
  /** To DATA and to BDAT when nobody was accepted; Exim repeats a reason that is everybody's. */ readonly nobody: readonly [
    data: readonly string[],
    bdat: readonly string[],
  ]
  readonly tooLarge: string
  readonly enhanced: string | null
}

const SERVERS: Readonly<Record<'Postfix' | 'Exim', Recorded>> = {
  Postfix: {
    greeting: ['220 mail.example.test ESMTP Postfix'],
    keywords: ['PIPELINING', 'SIZE 6000000', 'VRFY', 'ETRN', 'STARTTLS', 'ENHANCEDSTATUSCODES', '8BITMIME', 'DSN', 'SMTPUTF8', 'CHUNKING'],
    secure: ['PIPELINING', 'SIZE 6000000', 'VRFY', 'ETRN', 'AUTH PLAIN LOGIN', 'ENHANCEDSTATUSCODES', '8BITMIME', 'DSN', 'SMTPUTF8', 'CHUNKING'],
    starttls: '220 2.0.0 Ready to start TLS',
    farewell: '221 2.0.0 Bye',
    wrongPassword: '535 5.7.8 Error: authentication failed: (reason unavailable)',
    login: '235 2.7.0 Authentication successful',
    prompts: ['334 VXNlcm5hbWU6', '334 UGFzc3dvcmQ6'],
    mail: '250 2.1.0 Ok',
    rcpt: '250 2.1.5 Ok',
    temp: '450 4.2.1 <temp@example.test>: Recipient address rejected: try later',
    perm: '550 5.1.1 <perm@example.test>: Recipient address rejected: no such user',
    drop: '421 4.3.2 <drop@example.test>: Recipient address rejected: going away',
    data: '354 End data with <CR><LF>.<CR><LF>',
    rset: '250 2.0.0 Ok',
    taken: ['250 2.0.0 Ok: queued as 6BC5B408CD3'],
    chunkTaken: ['250 2.0.0 Ok: 137 bytes queued as 8F4BD408C04'],
    chunk: (octets) => `250 2.0.0 Ok: ${octets} bytes`,
    nobody: [['554 5.5.1 Error: no valid recipients'], ['554 5.5.1 Error: no valid recipients']],
    tooLarge: '552 5.3.4 Error: message file too big',
    enhanced: '2.0.0',
  },
  Exim: {
    greeting: ['220 mail.example.test ESMTP Exim 4.96 Sun, 22 Nov 2026 21:05:47 +0000'],
    keywords: ['SIZE 6000000', '8BITMIME', 'DSN', 'PIPELINING', 'PIPECONNECT', 'CHUNKING', 'STARTTLS', 'SMTPUTF8', 'HELP'],
    secure: ['SIZE 6000000', '8BITMIME', 'DSN', 'PIPELINING', 'PIPECONNECT', 'AUTH PLAIN LOGIN', 'CHUNKING', 'SMTPUTF8', 'HELP'],
    starttls: '220 TLS go ahead',
    farewell: '221 mail.example.test closing connection',
    wrongPassword: '535 Incorrect authentication data',
    login: '235 Authentication succeeded',
    prompts: ['334 VXNlcm5hbWU6', '334 UGFzc3dvcmQ6'],
    mail: '250 OK',
    rcpt: '250 Accepted',
    temp: '450 4.2.1 try later',
    perm: '550 5.1.1 no such user',
    drop: '421 4.3.2 going away',
    data: '354 Enter message, ending with "." on a line by itself',
    rset: '250 Reset OK',
    taken: ['250 OK id=1xVEkx-00083m-2n'],
    chunkTaken: ['250- 137 byte chunk, total 137', '250 OK id=1xVElv-00017c-1y'],
    chunk: (octets) => `250 ${octets} byte chunk received`,
    nobody: [
      ['503-All RCPT commands were rejected with this error:', '503-5.1.1 no such user', '503 Valid RCPT command must precede DATA'],
      ['503-All RCPT commands were rejected with this error:', '503-5.1.1 no such user', '503 Valid RCPT command must precede BDAT'],
    ],
    tooLarge: '552 Message size exceeds maximum permitted',
    enhanced: null,
  },
}

const LINES = [
  'From: a@example.test',
  'To: u1@example.test',
  'Subject: 10',
  'Message-ID: <10@example.test>',
  'Date: Sun, 22 Nov 2026 10:00:00 +0000',
  '',
  'text 10',
]
const TEXT = Buffer.from(LINES.map((line) => `${line}\r\n`).join(''))
const AUTH = { user: 'u1', password: 'pw-1' }

const says = (...lines: readonly string[]): string => lines.map((line) => `S: ${line}\n`).join('')
const asks = (...lines: readonly string[]): string => lines.map((line) => `C: ${line}\n`).join('')
const content = asks(...LINES, '.')
const chunk = asks('BDAT 137 LAST', ...LINES)
const mail = 'MAIL FROM:<a@example.test> SIZE=137'
const rcpt = (...users: readonly string[]): string[] => users.map((user) => `RCPT TO:<${user}@example.test>`)
const to = (...users: readonly string[]) => ({ from: 'a@example.test', to: users.map((user) => `${user}@example.test`) })
const ehlo = (server: Recorded, keywords = server.keywords): string =>
  asks('EHLO c.test') + says(...['mail.example.test', ...keywords].map((keyword, at) => `250${at === keywords.length ? ' ' : '-'}${keyword}`))
const start = (server: Recorded): string => says(...server.greeting) + ehlo(server)
const secured = (server: Recorded): string => `${start(server)}${asks('STARTTLS')}${says(server.starttls)}*: TLS\n${ehlo(server, server.secure)}`
const quit = (server: Recorded): string => asks('QUIT') + says(server.farewell)
const outcomes = ({ recipients }: Receipt) => recipients.map(({ outcome, reply }) => [outcome, reply?.status])

describe.each(Object.entries(SERVERS))('%s, recorded', (name, server) => {
  test('STARTTLS, a wrong password, and the right one (quirks 8, 10, 22)', async () => {
    const wrong = `${secured(server)}${asks('AUTH PLAIN AHUxAHdyb25n')}${says(server.wrongPassword)}${quit(server)}`
    await replaySmtp(
      wrong,
      async (connect) => expect(await rejection(connect())).toMatchObject({ code: 'ERR_AUTH', status: 535, transient: false }),
      { security: 'starttls', auth: { user: 'u1', password: 'wrong' } },
    )
    const right = `${secured(server)}${asks('AUTH PLAIN AHUxAHB3LTE=')}${says(server.login)}`
    const single =
      asks(mail) + says(server.mail) + asks(...rcpt('u1')) + says(server.rcpt) + asks('DATA') + says(server.data) + content + says(...server.taken)
    await converse(
      right + single + quit(server),
      async (client) => {
        const receipt = await client.submit(to('u1'), TEXT)
        expect(receipt).toMatchObject({ outcome: 'accepted', octets: 137, reply: { status: 250, enhancedStatus: server.enhanced } })
        expect([client.extensions.has('STARTTLS'), client.extensions.get('SIZE')]).toEqual([false, '6000000'])
      },
      { security: 'starttls', auth: AUTH, pipelining: 'none' },
    )
  })

  test('AUTH LOGIN without an initial response (quirks 10, 11)', async () => {
    const login = asks('AUTH LOGIN') + says(server.prompts[0]) + asks('dTE=') + says(server.prompts[1]) + asks('cHctMQ==') + says(server.login)
    await converse(secured(server) + login + quit(server), async () => {}, { security: 'starttls', auth: { ...AUTH, mechanism: 'LOGIN' } })
  })

  test('an envelope in one write, of many some, of two nobody, and of two not both (quirks 1, 2, 3, 18)', async () => {
    const mixed =
      asks(mail, ...rcpt('u1', 'temp', 'perm', 'u2'), 'DATA') + says(server.mail, server.rcpt, server.temp, server.perm, server.rcpt, server.data)
    const nobody = asks(mail, ...rcpt('temp', 'perm'), 'DATA') + says(server.mail, server.temp, server.perm, ...server.nobody[0].slice(-1))
    const notBoth = asks('RSET') + says(server.rset) + asks(mail, ...rcpt('u1', 'perm')) + says(server.mail, server.rcpt, server.perm)
    const again = asks('RSET') + says(server.rset) + asks(mail, ...rcpt('u1'), 'DATA') + says(server.mail, server.rcpt, server.data)
    const taken = content + says(...server.taken)
    await converse(start(server) + mixed + taken + nobody + notBoth + again + taken + quit(server), async (client) => {
      expect(outcomes(await client.submit(to('u1', 'temp', 'perm', 'u2'), TEXT))).toEqual([
        ['accepted', 250],
        ['deferred', 450],
        ['refused', 550],
        ['accepted', 250],
      ])
      const none = await client.submit(to('temp', 'perm'), TEXT)
      expect([none.outcome, none.octets, ...outcomes(none)]).toEqual(['deferred', 0, ['deferred', 450], ['refused', 550]])
      const refuse = await client.submit({ ...to('u1', 'perm'), options: { partial: 'refuse' } }, TEXT)
      expect([refuse.outcome, refuse.octets, ...outcomes(refuse)]).toEqual(['refused', 0, ['deferred', undefined], ['refused', 550]])
      expect((await client.submit(to('u1'), TEXT)).outcome).toBe('accepted')
    })
  })

  test('overlap: the next envelope leaves with the end of the content before it', async () => {
    const next = asks(mail, ...rcpt('u1'), 'DATA')
    const good = says(server.mail, server.rcpt, server.data)
    const refused = asks(mail, ...rcpt('perm'), 'DATA')
    const rest =
      says(...server.taken, server.mail, server.perm, ...server.nobody[0]) +
      asks('RSET') +
      says(server.rset) +
      next +
      good +
      content +
      says(...server.taken)
    await converse(
      start(server) + next + good + content + next + says(...server.taken) + good + content + refused + rest + quit(server),
      async (client) => {
        const receipts = await Promise.all(['u1', 'u1', 'perm', 'u1'].map((user) => client.submit(to(user), TEXT)))
        expect(receipts.map(({ outcome }) => outcome)).toEqual(['accepted', 'accepted', 'refused', 'accepted'])
      },
      { pipelining: 'overlap' },
    )
  })

  test('BDAT: one chunk behind its envelope, and several', async () => {
    const head = asks(mail, ...rcpt('u1')) + says(server.mail, server.rcpt)
    const line = 'x'.repeat(62)
    const large =
      head.replace('SIZE=137', 'SIZE=65600') +
      asks('BDAT 65598', ...Array.from({ length: 1_024 }, () => line)) +
      `C| ${line}\n` +
      says(server.chunk(65_598))
    await converse(
      start(server) + head + chunk + says(...server.chunkTaken) + large + asks('BDAT 2 LAST', '') + says(...server.chunkTaken) + quit(server),
      async (client) => {
        expect(await client.submit(to('u1'), TEXT)).toMatchObject({ outcome: 'accepted', octets: 137, reply: { status: 250 } })
        expect(await client.submit(to('u1'), Buffer.from(`${line}\r\n`.repeat(1_025)))).toMatchObject({ outcome: 'accepted', octets: 65_600 })
      },
      { chunking: true, order: 'free' },
    )
  })

  test('transaction: all in one write, for one of two, for nobody, and RSET before the next', async () => {
    const one = asks(mail, ...rcpt('u1', 'perm')) + chunk + says(server.mail, server.rcpt, server.perm, ...server.chunkTaken)
    const nobody = asks(mail, ...rcpt('perm')) + chunk + says(server.mail, server.perm, ...server.nobody[1])
    const next = asks('RSET') + says(server.rset) + asks(mail, ...rcpt('u1')) + chunk + says(server.mail, server.rcpt, ...server.chunkTaken)
    await converse(
      start(server) + one + nobody + next + quit(server),
      async (client) => {
        expect(outcomes(await client.submit(to('u1', 'perm'), TEXT))).toEqual([
          ['accepted', 250],
          ['refused', 550],
        ])
        expect(await client.submit(to('perm'), TEXT)).toMatchObject({ outcome: 'refused', reply: { status: 550 } })
        expect((await client.submit(to('u1'), TEXT)).outcome).toBe('accepted')
      },
      { pipelining: 'transaction' },
    )
  })

  test('back-to-back: three messages in one write, RSET between them, the middle one refused', async () => {
    const good = says(server.mail, server.rcpt, ...server.chunkTaken)
    const bad = says(server.mail, server.perm, ...server.nobody[1])
    const all = asks(mail, ...rcpt('u1')) + chunk + asks('RSET', mail, ...rcpt('perm')) + chunk + asks('RSET', mail, ...rcpt('u1')) + chunk
    await converse(
      start(server) + all + good + says(server.rset) + bad + says(server.rset) + good + quit(server),
      async (client) => {
        const receipts = await Promise.all(['u1', 'perm', 'u1'].map((user) => client.submit(to(user), TEXT)))
        expect(receipts.map(({ outcome, reply }) => [outcome, reply?.status])).toEqual([
          ['accepted', 250],
          ['refused', 550],
          ['accepted', 250],
        ])
      },
      { pipelining: 'back-to-back' },
    )
  })

  test('content above the limit: refused after the final dot, and the connection goes on', async () => {
    const envelope = asks('MAIL FROM:<a@example.test>', ...rcpt('u1'), 'DATA') + says(server.mail, server.rcpt, server.data)
    await converse(start(server) + envelope + content + says(server.tooLarge) + quit(server), async (client) => {
      const receipt = await client.submit({ ...to('u1'), options: { body: '7bit' } }, chunks(TEXT))
      expect(receipt).toMatchObject({ outcome: 'refused', reply: { status: 552 }, octets: 137 })
      const announced = await rejection(client.submit(to('u1'), Object.assign(chunks(TEXT), { size: 7_200_209 })))
      expect(announced).toMatchObject({ code: 'ERR_LIMIT', reusable: true })
    })
  })

  test('DSN: what was asked for, and what is refused here already', async () => {
    const envelope = asks(
      'MAIL FROM:<u2@example.test> RET=HDRS ENVID=QQ+2B314159 SIZE=137',
      'RCPT TO:<u1@example.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob@elsewhere.test',
      'RCPT TO:<u3@example.test> NOTIFY=NEVER',
      'DATA',
    )
    await converse(
      start(server) + envelope + says(server.mail, server.rcpt, server.rcpt, server.data) + content + says(...server.taken) + quit(server),
      async (client) => {
        const dsn = { ret: 'headers', envid: 'QQ+314159', notify: 'never' } as const
        const first = { address: 'u1@example.test', notify: ['success', 'delay'], orcpt: 'Bob@elsewhere.test' } as const
        expect((await client.submit({ from: 'u2@example.test', to: [first, 'u3@example.test'], options: { dsn } }, TEXT)).outcome).toBe('accepted')
      },
    )
  })

  test('SMTPUTF8', async () => {
    const text = 'Subject: Grüße\r\n\r\ntext\r\n'
    const size = Buffer.byteLength(text)
    const envelope = asks(`MAIL FROM:<a@example.test> SIZE=${size} BODY=8BITMIME SMTPUTF8`, 'RCPT TO:<jürgen@example.test>', 'DATA')
    const message = asks('Subject: Grüße', '', 'text', '.')
    await converse(
      start(server) + envelope + says(server.mail, server.rcpt, server.data) + message + says(...server.taken) + quit(server),
      async (client) => {
        expect((await client.submit(to('jürgen'), Buffer.from(text))).outcome).toBe('accepted')
      },
    )
  })

  test('421 to one of three recipients: all are deferred, and the connection ends', async () => {
    const before = asks(mail, ...rcpt('u1', 'drop', 'u2'), 'DATA') + says(server.mail, server.rcpt, server.drop)
    // Exim stays, takes the third and waits for content; leaving is up to us.
    const after = name === 'Exim' ? says(server.rcpt, server.data) : '*: close\n'
    await replaySmtp(start(server) + before + after, async (connect, transport) => {
      const client = await connect()
      const receipt = await client.submit(to('u1', 'drop', 'u2'), TEXT)
      expect([receipt.outcome, receipt.octets, receipt.reply?.status]).toEqual(['deferred', 0, 421])
      expect(client.usable).toBe(false)
      await client.quit()
      expect(transport.destroyed).toBe(true)
      transport.finish = () => {}
    })
  })
})

test.each([
  ['goes on, as it does with DATA', says(...SERVERS.Exim.chunkTaken), ['partial', ['accepted', 250], ['deferred', 421]]],
  ['closes', '*: close', ['unknown', ['unknown', undefined], ['deferred', 421]]],
])('Exim: 421 to one recipient while the content is on its way, and it %s', async (_name, after, expected) => {
  const server = SERVERS.Exim
  const all = asks(mail, ...rcpt('u1', 'drop')) + chunk + says(server.mail, server.rcpt, server.drop)
  await replaySmtp(
    start(server) + all + after,
    async (connect) => {
      const client = await connect()
      const receipt = await client.submit(to('u1', 'drop'), TEXT)
      expect([receipt.outcome, ...outcomes(receipt)]).toEqual(expected)
      expect(client.usable).toBe(false)
    },
    { pipelining: 'transaction' },
  )
})

test('Exim, recorded: MAIL refused in a write that is accepted all the same: nobody knows', async () => {
  const server = SERVERS.Exim
  const all = asks(mail, ...rcpt('u1')) + chunk + says('503 sender already given', server.rcpt, ...server.chunkTaken)
  await replaySmtp(
    start(server) + all,
    async (connect, transport) => {
      const client = await connect()
      expect((await client.submit(to('u1'), TEXT)).outcome).toBe('unknown')
      transport.finish = () => {}
    },
    { pipelining: 'transaction' },
  )
})

test('OpenSMTPD, recorded: no PIPELINING, so one command at a time, whatever was asked for (quirk 5)', async () => {
  const hello = says('220 mail.example.test ESMTP OpenSMTPD') + asks('EHLO c.test')
  const keywords = ['mail.example.test Hello c.test [127.0.0.1], pleased to meet you', '8BITMIME', 'ENHANCEDSTATUSCODES', 'SIZE 6000000', 'DSN']
  const dialogue =
    asks(mail) +
    says('250 2.0.0 Ok') +
    asks(...rcpt('u1')) +
    says('250 2.1.5 Destination address valid: Recipient ok') +
    asks('DATA') +
    says('354 Enter mail, end with "." on a line by itself') +
    content +
    says('250 2.0.0 f2b026ce Message accepted for delivery')
  for (const pipelining of ['none', 'envelope', 'overlap', 'transaction', 'back-to-back'] as const) {
    await converse(
      `${hello}${says(...keywords.map((keyword) => `250-${keyword}`), '250 HELP')}${dialogue}${dialogue}${asks('QUIT')}*: close`, // quirk 16
      async (client) => {
        const receipts = await Promise.all([client.submit(to('u1'), TEXT), client.submit(to('u1'), TEXT)])
        expect(receipts.map(({ outcome, reply }) => [outcome, reply?.enhancedStatus])).toEqual([
          ['accepted', '2.0.0'],
          ['accepted', '2.0.0'],
        ])
      },
      { pipelining },
    )
  }
})

const simple = (...keywords: readonly string[]): string =>
  says('220 x') + asks('EHLO c.test') + says(...['x', ...keywords].map((keyword) => `250-${keyword}`), '250 HELP')
const plain = asks('MAIL FROM:<a@example.test>', ...rcpt('u1'), 'DATA') + says('250 ok', '250 ok', '354 go') + content + says('250 ok')
const bye = asks('QUIT') + says('221 bye')

test('Exchange: CHUNKING and BINARYMIME are offered, and neither is used unasked (quirk 6)', async () => {
  await converse(simple('PIPELINING', 'CHUNKING', 'BINARYMIME', '8BITMIME') + plain + bye, async (client) => {
    expect((await client.submit(to('u1'), TEXT)).outcome).toBe('accepted')
  })
})

test('dots are doubled for DATA and never in a chunk; BINARYMIME goes with BDAT alone (quirk 6)', async () => {
  const dotted = Buffer.from('.x\r\n..\r\n.\r\n')
  const envelope = (more: string): string => asks(`MAIL FROM:<a@example.test>${more}`, ...rcpt('u1'))
  await converse(
    `${simple('PIPELINING', 'CHUNKING')}${envelope('')}${says('250 ok', '250 ok')}${asks('BDAT 11 LAST', '.x', '..', '.')}${says('250 ok')}${bye}`,
    (client) => client.submit(to('u1'), dotted).then(({ outcome }) => expect(outcome).toBe('accepted')),
    { chunking: true },
  )
  await converse(
    `${simple('PIPELINING', 'CHUNKING')}${envelope('')}${asks('DATA')}${says('250 ok', '250 ok', '354 go')}${asks('..x', '...', '..', '.')}${says('250 ok')}${bye}`,
    (client) => client.submit(to('u1'), dotted).then(({ outcome }) => expect(outcome).toBe('accepted')),
  )
  await converse(
    `${simple('PIPELINING', 'CHUNKING', 'BINARYMIME')}${envelope(' BODY=BINARYMIME')}${says('250 ok', '250 ok')}C: BDAT 3 LAST\nC| .\\0\\n\n${says('250 ok')}${bye}`,
    (client) =>
      client.submit({ ...to('u1'), options: { body: 'binary' } }, Buffer.from('.\0\n')).then(({ outcome }) => expect(outcome).toBe('accepted')),
  )
})

test('Strato: REQUIRETLS is offered, and not said unless it was asked for (quirk 7)', async () => {
  for (const requireTls of [false, true]) {
    const envelope = plain.replace('<a@example.test>', `<a@example.test>${requireTls ? ' REQUIRETLS' : ''}`)
    const submit = (client: SmtpClient) => client.submit({ ...to('u1'), options: requireTls ? { requireTls } : {} }, TEXT)
    await converse(simple('PIPELINING', 'REQUIRETLS') + envelope + bye, async (client) => expect((await submit(client)).outcome).toBe('accepted'), {
      security: 'tls',
    })
  }
})

test('aliyun, shaw.ca: no EHLO after AUTH, and no NOOP at any time (quirks 8, 20)', async () => {
  await converse(
    simple('PIPELINING', 'AUTH PLAIN') + asks('AUTH PLAIN AHUxAHB3LTE=') + says('235 ok') + plain + plain + bye,
    async (client) => {
      for (const _ of [1, 2]) expect((await client.submit(to('u1'), TEXT)).outcome).toBe('accepted')
    },
    { security: 'tls', auth: AUTH },
  )
})

test('Exchange, and old servers: X-EXPS and AUTH= are AUTH; the best of both is taken (quirk 9)', async () => {
  for (const keywords of [['X-EXPS GSSAPI NTLM', 'AUTH LOGIN PLAIN'], ['AUTH=LOGIN PLAIN'], ['AUTH GSSAPI', 'AUTH=PLAIN'], ['X-EXPS=PLAIN']]) {
    await converse(simple(...keywords) + asks('AUTH PLAIN AHUxAHB3LTE=') + says('235 ok') + bye, async () => {}, { security: 'tls', auth: AUTH })
  }
})

test('Gmail: an access token is for mechanisms that this version has not: nothing of it is sent (quirk 12)', async () => {
  await replaySmtp(
    simple('AUTH LOGIN PLAIN XOAUTH2 PLAIN-CLIENTTOKEN OAUTHBEARER XOAUTH'),
    async (connect) => expect(await rejection(connect())).toMatchObject({ code: 'ERR_AUTH_MECHANISM' }),
    { security: 'tls', auth: { user: 'u1', accessToken: 'ya29.x' } },
  )
})

test.each([
  ['Outlook, at AUTH', '432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information.'],
  ['Gmail, at AUTH', '454 4.7.0 Too many login attempts, please try again later. x - gsmtp'],
])('%s: too many at a time is for later (quirk 13)', async (_name, reply) => {
  const transcript = simple('AUTH LOGIN PLAIN') + asks('AUTH PLAIN AHUxAHB3LTE=') + says(reply) + bye
  await replaySmtp(transcript, async (connect) => expect(await rejection(connect())).toMatchObject({ code: 'ERR_AUTH', transient: true }), {
    security: 'tls',
    auth: AUTH,
  })
})

test('SES: 451 4.4.2 to a connection that idled: not sent, later may help (quirks 13, 14)', async () => {
  await converse(
    simple('PIPELINING', 'AUTH PLAIN') +
      asks('MAIL FROM:<a@example.test>', ...rcpt('u1'), 'DATA') +
      says('451 4.4.2 Timeout waiting for data from client.') +
      '*: close',
    async (client) => {
      expect(await client.submit(to('u1'), TEXT)).toMatchObject({ outcome: 'deferred', reply: { status: 451, enhancedStatus: '4.4.2' }, octets: 0 })
      expect(client.usable).toBe(false)
    },
  )
  await replaySmtp(simple() + says('451 4.4.2 Timeout waiting for data from client.') + '*: close', async (connect, transport) => {
    const client = await connect()
    while (!transport.destroyed) await new Promise(setImmediate)
    expect(await rejection(client.submit(to('u1'), TEXT))).toMatchObject({ phase: 'mail', reusable: false })
    transport.finish = () => {}
  })
})

test('Exim 4.98: LIMITS are kept to; a connection that took all it takes is not usable any more (quirk 21)', async () => {
  await converse(simple('PIPELINING', 'LIMITS MAILMAX=2 RCPTMAX=50000') + plain + plain + bye, async (client) => {
    for (const usable of [true, false]) {
      expect((await client.submit(to('u1'), TEXT)).outcome).toBe('accepted')
      expect(client.usable).toBe(usable)
    }
    expect(await rejection(client.submit(to('u1'), TEXT))).toMatchObject({ code: 'ERR_CLOSED', phase: 'mail', transient: true })
    const many = Array.from({ length: 50_001 }, (_, at) => `u${at}@example.test`)
    expect(await rejection(client.submit({ from: '', to: many }, TEXT))).toMatchObject({ code: 'ERR_LIMIT' })
  })
})

test('PIX: the final dot is in one write with the line end before it, however the content came (quirk 27)', async () => {
  for (const cut of [0, 1, 2, 3]) {
    await converse(simple('PIPELINING') + plain + bye, async (client, transport) => {
      const writes: string[] = []
      const write = transport.write.bind(transport)
      transport.write = (views) => {
        writes.push(Buffer.concat(views).toString())
        return write(views)
      }
      await client.submit(
        { ...to('u1'), options: { body: '7bit' } },
        chunks(TEXT.subarray(0, TEXT.length - cut), '', '', '', TEXT.subarray(TEXT.length - cut)),
      )
      expect(writes.at(-1)).toMatch(/\r\n\.\r\n$/)
    })
  }
})

test('Postfix: an enhanced code of another class than the status, or with 354, is none (quirk 29)', async () => {
  const envelope = asks('MAIL FROM:<a@example.test>', ...rcpt('u1', 'u2'), 'DATA')
  await converse(
    simple('PIPELINING') + envelope + says('250 2.1.0 ok', '250 5.1.1 odd', '550 4.2.0 odd', '354 3.0.0 go') + content + says('250 2.0.0 ok') + bye,
    async (client) => {
      const { recipients } = await client.submit(to('u1', 'u2'), TEXT)
      expect(recipients.map(({ reply }) => reply?.enhancedStatus)).toEqual(['2.0.0', null])
    },
  )
})

test('Gmail: replies of several lines, each with the code (quirk 25)', async () => {
  const login = asks('AUTH PLAIN AHUxAHB3LTE=')
  const wrong = [
    '535-5.7.8 Username and Password not accepted. For more information, go to',
    '535 5.7.8  https://support.google.com/mail/?p=BadCredentials x - gsmtp',
  ]
  await replaySmtp(
    simple('AUTH LOGIN PLAIN XOAUTH2') + login + says(...wrong) + bye,
    async (connect) => expect(await rejection(connect())).toMatchObject({ code: 'ERR_AUTH', status: 535, enhancedStatus: '5.7.8', transient: false }),
    { security: 'tls', auth: AUTH },
  )
  const blocked = [
    '552-5.7.0 This message was blocked because its content presents a potential',
    '552-5.7.0 security issue. Please visit',
    '552 5.7.0  https://support.google.com/mail/?p=BlockedMessage x - gsmtp',
  ]
  await converse(simple('PIPELINING') + plain.replace(/S: 250 ok\n$/, says(...blocked)) + bye, async (client) => {
    const receipt = await client.submit(to('u1'), TEXT)
    expect(receipt).toMatchObject({ outcome: 'refused', reply: { status: 552, enhancedStatus: '5.7.0' } })
    expect(receipt.reply?.lines).toHaveLength(3)
  })
})

test('Office 365: refused after the final dot with what the tenant has to say', async () => {
  const denied =
    '554 5.2.252 SendAsDenied; a@example.test not allowed to send as b@example.test; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied'
  await converse(simple('PIPELINING', 'CHUNKING') + plain.replace(/S: 250 ok\n$/, says(denied)) + bye, async (client) => {
    expect(await client.submit(to('u1'), TEXT)).toMatchObject({ outcome: 'refused', reply: { status: 554, enhancedStatus: '5.2.252' } })
  })
})
