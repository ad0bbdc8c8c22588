import { expect, test } from 'vitest'
import { SmtpClient } from '../../src/smtp/client.ts'
import { MemoryTransport } from '../support/memory-transport.ts'
import { converse, rejection, replaySmtp } from '../support/smtp-replay.ts'

const CONTENT = Buffer.from('Subject: x\r\n\r\nhello\r\n')
const OK = { status: 250, enhancedStatus: '2.1.0', lines: ['2.1.0 Ok'] }

test('Postfix: the envelope and DATA in one write, 20 octets of content with their size', async () => {
  await converse(
    `S: 220 mail.example.test ESMTP Postfix
     C: EHLO c.test
     S: 250-mail.example.test
     S: 250-PIPELINING
     S: 250-SIZE 10240000
     S: 250-VRFY
     S: 250-ETRN
     S: 250-ENHANCEDSTATUSCODES
     S: 250-8BITMIME
     S: 250-DSN
     S: 250-SMTPUTF8
     S: 250 CHUNKING
     C: MAIL FROM:<a@x.test> SIZE=21
     C: RCPT TO:<u1@example.test>
     C: RCPT TO:<nobody@example.test>
     C: DATA
     S: 250 2.1.0 Ok
     S: 250 2.1.5 Ok
     S: 550 5.1.1 <nobody@example.test>: Recipient address rejected
     S: 354 End data with <CR><LF>.<CR><LF>
     C: Subject: x
     C:
     C: hello
     C: .
     S: 250 2.0.0 Ok: queued as 4F2A
     C: QUIT
     S: 221 2.0.0 Bye`,
    async (client) => {
      const receipt = await client.submit({ from: 'a@x.test', to: ['u1@example.test', 'nobody@example.test'] }, CONTENT)
      const queued = { status: 250, enhancedStatus: '2.0.0', lines: ['2.0.0 Ok: queued as 4F2A'] }
      expect(receipt).toEqual({
        outcome: 'partial',
        reply: queued,
        octets: 21,
        recipients: [
          { address: 'u1@example.test', outcome: 'accepted', reply: queued },
          {
            address: 'nobody@example.test',
            outcome: 'refused',
            reply: { status: 550, enhancedStatus: '5.1.1', lines: ['5.1.1 <nobody@example.test>: Recipient address rejected'] },
          },
        ],
      })
      expect(client.extensions.get('SIZE')).toBe('10240000')
    },
  )
})

test('Exim: greeting and EHLO of several lines, STARTTLS, AUTH PLAIN with initial response, no second EHLO after it (quirk 8)', async () => {
  await converse(
    `S: 220-exim.test ESMTP Exim 4.98
     S: 220 we do not authorize bulk mail
     C: EHLO c.test
     S: 250-exim.test Hello c.test [127.0.0.1]
     S: 250-SIZE 52428800
     S: 250-LIMITS MAILMAX=1000 RCPTMAX=50000
     S: 250-STARTTLS
     S: 250 HELP
     C: STARTTLS
     S: 220 TLS go ahead
     *: TLS
     C: EHLO c.test
     S: 250-exim.test Hello c.test [127.0.0.1]
     S: 250-AUTH LOGIN PLAIN
     S: 250 PIPELINING
     C: AUTH PLAIN AHUxAHB3LTE=
     S: 235 Authentication succeeded
     C: QUIT
     S: 221 exim.test closing connection`,
    async (client) => {
      expect(client.tls?.version).toBe('TLSv1.3')
      expect([...client.extensions]).toEqual([
        ['AUTH', 'LOGIN PLAIN'],
        ['PIPELINING', ''],
      ])
    },
    { security: 'starttls', auth: { user: 'u1', password: () => Promise.resolve('pw-1') } },
  )
})

test('Exchange: AUTH under other names, LOGIN without initial response, prompts of any kind (quirks 9 to 11)', async () => {
  await converse(
    `S: 220 ex.test Microsoft ESMTP MAIL Service
     C: EHLO c.test
     S: 250-ex.test Hello
     S: 250-X-EXPS GSSAPI NTLM
     S: 250-auth=LOGIN
     S: 250 XRDST
     C: AUTH LOGIN
     S: 334 who are you?
     C: dTE=
     S: 334
     C: cHctMQ==
     S: 235 2.7.0 Authentication successful
     C: QUIT
     S: 221 bye`,
    async () => {},
    { security: 'tls', auth: { user: 'u1', password: 'pw-1' } },
  )
})

test('without PIPELINING one command at a time, and no DATA when nobody was accepted (H18 of Haraka: the recipient says why)', async () => {
  await converse(
    `S: 220 old.test
     C: EHLO c.test
     S: 502 what?
     C: HELO c.test
     S: 250 old.test
     C: MAIL FROM:<>
     S: 250 ok
     C: RCPT TO:<a@x.test>
     S: 450 4.2.0 greylisted
     C: RCPT TO:<b@x.test>
     S: 552 too many
     C: RSET
     S: 250 flushed
     C: MAIL FROM:<a@x.test>
     S: 250 ok
     C: RCPT TO:<b@x.test>
     S: 251 will forward
     C: RCPT TO:<c@x.test>
     S: 252 will try
     C: DATA
     S: 354
     C: Subject: x
     C:
     C: hello
     C: .
     S: 250
     C: QUIT
     S: 221 bye`,
    async (client) => {
      const nobody = await client.submit({ from: '', to: ['a@x.test', 'b@x.test'] }, CONTENT)
      expect(nobody.outcome).toBe('deferred')
      expect(nobody.recipients.map(({ outcome, reply }) => [outcome, reply?.status])).toEqual([
        ['deferred', 450],
        ['deferred', 552], // RFC 5321 §4.5.3.1.10
      ])
      expect(nobody.octets).toBe(0)
      const both = await client.submit({ from: 'a@x.test', to: ['b@x.test', 'c@x.test'] }, CONTENT)
      expect(both.outcome).toBe('accepted')
      expect(both.reply).toEqual({ status: 250, enhancedStatus: null, lines: [''] })
    },
  )
})

test("partial 'refuse' keeps DATA back until all are accepted; those kept from the message have no reply of their own", async () => {
  await converse(
    `S: 220 x
     C: EHLO c.test
     S: 250-x
     S: 250 PIPELINING
     C: MAIL FROM:<a@x.test>
     C: RCPT TO:<b@x.test>
     C: RCPT TO:<c@x.test>
     S: 250 2.1.0 Ok
     S: 250 2.1.0 Ok
     S: 550 5.1.1 no
     C: RSET
     S: 250 ok
     C: MAIL FROM:<a@x.test>
     C: RCPT TO:<b@x.test>
     S: 250 2.1.0 Ok
     S: 250 2.1.0 Ok
     C: DATA
     S: 354 go
     C: .
     S: 250 2.1.0 Ok
     C: QUIT
     S: 221 bye`,
    async (client) => {
      const refused = await client.submit({ from: 'a@x.test', to: ['b@x.test', 'c@x.test'], options: { partial: 'refuse' } }, CONTENT)
      expect(refused.outcome).toBe('refused')
      expect(refused.reply?.status).toBe(550)
      expect(refused.recipients).toEqual([
        { address: 'b@x.test', outcome: 'deferred', reply: null },
        { address: 'c@x.test', outcome: 'refused', reply: { status: 550, enhancedStatus: '5.1.1', lines: ['5.1.1 no'] } },
      ])
      const receipt = await client.submit({ from: 'a@x.test', to: ['b@x.test'], options: { partial: 'refuse' } }, Buffer.alloc(0))
      expect(receipt).toEqual({ outcome: 'accepted', octets: 0, reply: OK, recipients: [{ address: 'b@x.test', outcome: 'accepted', reply: OK }] })
    },
  )
})

const PIPELINED = `S: 220 x
     C: EHLO c.test
     S: 250-x
     S: 250-SIZE 100
     S: 250 PIPELINING
     C: MAIL FROM:<a@x.test> SIZE=21
     C: RCPT TO:<b@x.test>
     C: DATA`
const ENVELOPE = { from: 'a@x.test', to: ['b@x.test'] }

test.each([
  ['354 although nobody was accepted (S18, H25, quirk 1)', '250 ok,550 5.1.1 no,354 go', 'refused', 550, false],
  ['354 although MAIL was refused (H27)', '550 5.7.1 not you,250 ok,354 go', 'refused', 550, false],
  ['everything refused', '450 4.3.2 busy,503 no MAIL,503 no MAIL', 'deferred', 450, true],
  ['DATA refused after the recipients were accepted', '250 ok,250 ok,451 4.3.0 disk full', 'deferred', 451, true],
  ['DATA refused because nobody was accepted: the recipient says why (quirk 18)', '250 ok,550 5.1.1 no,503 RCPT first', 'refused', 550, true],
  ['421 to a recipient: nothing more will come (H18)', '250 ok,421 shutting down', 'deferred', 421, false],
])('%s', async (_name, replies, outcome, status, goesOn) => {
  const said = replies.split(',').map((reply) => `S: ${reply}`)
  const after = goesOn ? ['C: QUIT', 'S: 221 bye'] : []
  await replaySmtp([PIPELINED, ...said, ...after].join('\n'), async (connect) => {
    const client = await connect()
    const receipt = await client.submit(ENVELOPE, CONTENT)
    expect(receipt.outcome).toBe(outcome)
    expect(receipt.reply?.status).toBe(status)
    expect(receipt.recipients).toEqual([{ address: 'b@x.test', outcome, reply: receipt.reply }])
    expect(receipt.octets).toBe(0)
    expect(client.usable).toBe(goesOn)
    await client.quit()
  })
})

test.each([
  ['250 to DATA (S18, H24)', '250 ok,250 ok,250 ok', 'ERR_PROTOCOL', 'data'],
  ['354 to MAIL (S18)', '354 go', 'ERR_PROTOCOL', 'mail'],
  ['354 to RCPT (quirk 17)', '250 ok,354 go', 'ERR_PROTOCOL', 'rcpt'],
  ['a status that changes inside a reply (S16, H11)', '250-ok,550 no', 'ERR_PROTOCOL', 'mail'],
  ['no status (S16, H13)', 'ok', 'ERR_PROTOCOL', 'mail'],
  ['a reply line without end (S16, H7)', `250 ${'x'.repeat(9000)}`, 'ERR_LIMIT', 'mail'],
  ['a reply of too many lines (S16, H8)', `${'250-x,'.repeat(257)}250 x`, 'ERR_LIMIT', 'mail'],
])('%s ends the connection before anything is sent', async (_name, replies, code, phase) => {
  const said = replies.split(',').map((reply) => `S: ${reply}`)
  await replaySmtp([PIPELINED, ...said].join('\n'), async (connect, transport) => {
    const client = await connect()
    expect(await rejection(client.submit(ENVELOPE, CONTENT))).toMatchObject({ code, phase, reusable: false })
    expect(transport.destroyed).toBe(true)
    expect(await rejection(client.submit(ENVELOPE, CONTENT))).toHaveProperty('code', code === 'ERR_PROTOCOL' ? code : 'ERR_CLOSED')
    // What is left of the answer was never read, which is the point.
    transport.finish = () => {}
  })
})

test.each([
  ['the connection is closed', '*: close'],
  ['nothing comes', '*: silence'],
  ['garbage comes (quirk 4)', 'S: garbage'],
  ['354 comes again', 'S: 354 go'],
])('after the final dot, when %s, the outcome is unknown (S29, H22, RFC 1047)', async (_name, event) => {
  await replaySmtp(
    `${PIPELINED}
     C: RCPT TO:<c@x.test>
     S: 250 ok
     S: 250 ok
     S: 550 no
     S: 354 go
     C: Subject: x
     C:
     C: hello
     C: .
     ${event}`.replace('C: DATA\n     C: RCPT TO:<c@x.test>', 'C: RCPT TO:<c@x.test>\n     C: DATA'),
    async (connect, transport) => {
      const client = await connect()
      const receipt = await client.submit({ from: 'a@x.test', to: ['b@x.test', 'c@x.test'] }, CONTENT)
      expect(receipt).toMatchObject({ outcome: 'unknown', reply: null, octets: 21 })
      expect(receipt.recipients.map(({ outcome }) => outcome)).toEqual(['unknown', 'refused'])
      expect(transport.destroyed).toBe(true)
      expect(await rejection(client.submit(ENVELOPE, CONTENT))).toHaveProperty('phase', 'mail')
    },
  )
})

test('two replies to the final dot: the first stands, the connection is not used again (S17, H16)', async () => {
  await replaySmtp(
    `${PIPELINED}
     S: 250 ok
     S: 250 ok
     S: 354 go
     C: Subject: x
     C:
     C: hello
     C: .
     S: 250 taken
     S: 250 taken again`,
    async (connect, transport) => {
      const client = await connect()
      expect((await client.submit(ENVELOPE, CONTENT)).outcome).toBe('accepted')
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
      while (!transport.destroyed) {
        await new Promise((resolve) => {
          setImmediate(resolve)
        })
      }
      expect(await rejection(client.submit(ENVELOPE, CONTENT))).toMatchObject({ code: 'ERR_PROTOCOL', reusable: false })
    },
  )
})

test('a connection that is closed in mid-envelope: not sent, and worth another attempt', async () => {
  for (const [said, phase] of [
    ['', 'mail'],
    ['S: 250 ok', 'rcpt'],
    ['S: 250 ok\nS: 250 ok', 'data'],
  ] as const) {
    await replaySmtp(`${PIPELINED}\n${said}\n*: close`, async (connect) => {
      const client = await connect()
      expect(await rejection(client.submit(ENVELOPE, CONTENT))).toMatchObject({ code: 'ERR_CLOSED', phase, transient: true, reusable: false })
    })
  }
})

test('closed right after a refusal: the refusal is reported, not the end of the connection (H20)', async () => {
  await replaySmtp(`${PIPELINED}\nS: 554 5.7.1 go away\n*: close`, async (connect) => {
    const client = await connect()
    const receipt = await client.submit(ENVELOPE, CONTENT)
    expect(receipt).toMatchObject({ outcome: 'refused', reply: { status: 554, enhancedStatus: '5.7.1' } })
    expect(client.usable).toBe(false)
  })
})

test('RSET that is refused ends the connection (S31)', async () => {
  await replaySmtp(`${PIPELINED}\nS: 250 ok\nS: 550 no\nS: 503 no\nC: RSET\nS: 500 what?`, async (connect, transport) => {
    const client = await connect()
    await client.submit(ENVELOPE, CONTENT)
    expect(await rejection(client.submit(ENVELOPE, CONTENT))).toMatchObject({ code: 'ERR_SMTP_REPLY', phase: 'rset', status: 500 })
    expect(transport.destroyed).toBe(true)
  })
})

test('QUIT that is not answered is an end like another (H43)', async () => {
  for (const end of ['*: close', '*: silence', 'S: 500 what?']) {
    await converse(`S: 220 x\nC: EHLO c.test\nS: 250 x\nC: QUIT\n${end}`, async () => {})
  }
})

test('a reply before MAIL was sent, and 421 that waits on an idle connection (H4, H16, H19)', async () => {
  for (const [said, code] of [
    ['250 surplus', 'ERR_PROTOCOL'],
    ['421 4.4.2 idle', 'ERR_CLOSED'],
  ] as const) {
    await replaySmtp(`S: 220 x\nC: EHLO c.test\nS: 250 x\nS: ${said}`, async (connect, transport) => {
      const client = await connect()
      while (!transport.destroyed) {
        await new Promise((resolve) => {
          setImmediate(resolve)
        })
      }
      expect(client.usable).toBe(false)
      expect(await rejection(client.submit(ENVELOPE, CONTENT))).toMatchObject({ code, phase: 'mail', reusable: false })
    })
  }
})

test('S17, H4: what comes unasked between two steps is not taken for the answer to the second (quirk 19)', async () => {
  for (const [said, expected] of [
    ['220 x\r\n250 x\r\n', { code: 'ERR_PROTOCOL', phase: 'ehlo' }],
    ['220 x\r\n250', { code: 'ERR_PROTOCOL', phase: 'ehlo' }],
    ['220 x\r\n421 4.3.2 shutting down\r\n', { code: 'ERR_CLOSED', status: 421, transient: true }],
  ] as const) {
    const transport = new MemoryTransport()
    transport.feed(said)
    expect(await rejection(SmtpClient.over(transport, { host: 'memory.test' }))).toMatchObject(expected)
    expect(transport.sent).toEqual([])
    expect(transport.destroyed).toBe(true)
  }
})
