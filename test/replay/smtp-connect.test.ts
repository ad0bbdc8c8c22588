import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { smtpCommandChannel, smtpReplyChannel } from '../../src/diagnostics.ts'
import type { SmtpOptions } from '../../src/smtp/options.ts'
import { converse, published, rejection, replaySmtp } from '../support/smtp-replay.ts'

const AUTH = { user: 'u1', password: 'pw-1' }

/** The connection is refused with this; nothing but what the transcript has was sent. */
async function refuses(transcript: string, options: Partial<SmtpOptions>, expected: object): Promise<void> {
  await replaySmtp(
    transcript,
    async (connect, transport) => {
      expect(await rejection(connect())).toMatchObject({ reusable: false, ...expected })
      expect(transport.destroyed).toBe(true)
    },
    options,
  )
}

test('T1: STARTTLS is not offered, or masked: nothing more is sent', async () => {
  for (const keyword of ['PIPELINING', 'XXXXXXXA', 'AUTH PLAIN']) {
    await refuses(`S: 220 x\nC: EHLO c.test\nS: 250-x\nS: 250 ${keyword}`, { security: 'starttls', auth: AUTH }, { code: 'ERR_TLS_REQUIRED' })
  }
})

test.each([
  ['502 no', 'ERR_TLS_REQUIRED', false],
  ['454 later', 'ERR_TLS_REQUIRED', true],
  ['250 ok', 'ERR_TLS_REQUIRED', false],
  ['221 bye', 'ERR_TLS_REQUIRED', false],
  ['354 go', 'ERR_PROTOCOL', false],
  ['-ERR', 'ERR_PROTOCOL', false],
])('T2: STARTTLS answered with %s', async (reply, code, transient) => {
  const transcript = `S: 220 x\nC: EHLO c.test\nS: 250-x\nS: 250 STARTTLS\nC: STARTTLS\nS: ${reply}`
  await refuses(transcript, { security: 'starttls', auth: AUTH }, { code, transient, phase: 'starttls' })
})

test('T2: STARTTLS is not answered', async () => {
  const transcript = 'S: 220 x\nC: EHLO c.test\nS: 250-x\nS: 250 STARTTLS\nC: STARTTLS\n'
  await refuses(`${transcript}*: close`, { security: 'starttls' }, { code: 'ERR_CLOSED', phase: 'starttls' })
  await refuses(`${transcript}*: silence`, { security: 'starttls' }, { code: 'ERR_TIMEOUT', phase: 'starttls' })
})

test('T3: no EHLO, so no HELO while TLS or authentication is needed', async () => {
  const transcript = 'S: 220 x\nC: EHLO c.test\nS: 500 what?'
  await refuses(transcript, { security: 'starttls' }, { code: 'ERR_TLS_REQUIRED' })
  await refuses(`${transcript}\nC: QUIT\nS: 221 x`, { security: 'tls', auth: AUTH }, { code: 'ERR_SMTP_REPLY', phase: 'ehlo' })
})

test('T5, H33: octets behind the answer to STARTTLS, whole or in part', async () => {
  for (const injected of ['S: 250-x\nS: 250 AUTH PLAIN', 'S| x', 'S| 250 AUTH PL']) {
    const transcript = `S: 220 x\nC: EHLO c.test\nS: 250-x\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n${injected}`
    await replaySmtp(
      transcript,
      async (connect, transport) => {
        expect(await rejection(connect())).toMatchObject({ code: 'ERR_TLS_INJECTION' })
        transport.finish = () => {} // the injected octets are still there, unread
      },
      { security: 'starttls', auth: AUTH },
    )
  }
})

test('T7, T8, H31: what was offered before TLS is forgotten', async () => {
  await refuses(
    'S: 220 x\nC: EHLO c.test\nS: 250-x\nS: 250-AUTH PLAIN\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n*: TLS\nC: EHLO c.test\nS: 250 x',
    { security: 'starttls', auth: AUTH },
    { code: 'ERR_AUTH_MECHANISM', phase: 'auth' },
  )
})

test('T11: STARTTLS inside TLS is not used', async () => {
  await converse('S: 220 x\nC: EHLO c.test\nS: 250-x\nS: 250 STARTTLS\nC: QUIT\nS: 221 x', async () => {}, { security: 'tls' })
})

test.each(['554 5.7.1 no', '421 busy', '221 bye', '250 hello', '230 logged in'])('T9, H5: the greeting %s is refused', async (greeting) => {
  const quit = greeting.startsWith('421') ? '' : '\nC: QUIT\nS: 221 bye'
  await refuses(`S: ${greeting}${quit}`, {}, { code: 'ERR_SMTP_REPLY', phase: 'greeting', transient: greeting.startsWith('4') })
})

test.each([
  ['+OK ready', 'POP3'],
  ['* OK IMAP4rev1', 'IMAP'],
  ['HTTP/1.1 400 Bad Request', 'web server'],
  ['<html>', 'web server'],
  ['SSH-2.0-x', 'SSH'],
])('H6: a greeting of another protocol is named: %s', async (greeting, name) => {
  await replaySmtp(`S: ${greeting}`, async (connect, transport) => {
    const error = await rejection(connect())
    expect(error).toMatchObject({ code: 'ERR_PROTOCOL', phase: 'greeting' })
    expect(String(error)).toContain(name)
    expect(transport.destroyed).toBe(true)
    transport.finish = () => {}
  })
})

test('H6: a TLS alert in clear text, which has no line end', async () => {
  await replaySmtp('S| \\x15\\x03\\x01\\x00\\x02\\x02\\x46', async (connect, transport) => {
    expect(await rejection(connect())).toMatchObject({ code: 'ERR_PROTOCOL', phase: 'greeting' })
    transport.finish = () => {}
  })
})

test('H1: a silent server: the error of the greeting, with what to try', async () => {
  await replaySmtp('*: silence', async (connect) => {
    const error = await rejection(connect())
    expect(error).toMatchObject({ code: 'ERR_TIMEOUT', phase: 'greeting', transient: true })
    expect(String(error)).toContain("security must be 'tls'")
  })
})

test('the EHLO name is an address literal unless one is given, and never more than a name (S1, S38)', async () => {
  await converse('S: 220 x\nC: EHLO [127.0.0.1]\nS: 250 x\nC: QUIT\nS: 221 x', async () => {}, { clientName: undefined })
  await converse('S: 220 x\nC: EHLO xn--bcher-kva.example\nS: 250 x\nC: QUIT\nS: 221 x', async () => {}, { clientName: 'bücher.example' })
  for (const clientName of ['a\r\nRCPT TO:<x@y>', 'a b', '', 'a\0b', 'a..b', '[1.2.3.4', '[1.2.3.4]\n', 'x'.repeat(256), '\u2028']) {
    await replaySmtp('', async (connect) => expect(await rejection(connect())).toMatchObject({ code: 'ERR_OPTION' }), { clientName })
  }
})

test.each([
  ['535 5.7.8 wrong', 'ERR_AUTH', false],
  ['534 5.7.9 too weak', 'ERR_AUTH', false],
  ['454 4.7.0 later', 'ERR_AUTH', true],
  ['432 4.3.2 too many connections', 'ERR_AUTH', true],
])('H42: AUTH answered with %s', async (reply, code, transient) => {
  const transcript = `S: 220 x\nC: EHLO c.test\nS: 250-x\nS: 250 AUTH PLAIN\nC: AUTH PLAIN AHUxAHB3LTE=\nS: ${reply}\nC: QUIT\nS: 221 x`
  await refuses(transcript, { security: 'tls', auth: AUTH }, { code, transient, phase: 'auth', status: Number(reply.slice(0, 3)) })
})

test('S19, H41: no credentials without TLS, unless that is asked for in so many words', async () => {
  await refuses2({ auth: AUTH }, 'ERR_AUTH_CLEAR_TEXT')
  await converse('S: 220 x\nC: EHLO c.test\nS: 250-x\nS: 250 AUTH PLAIN\nC: AUTH PLAIN AHUxAHB3LTE=\nS: 235 x\nC: QUIT\nS: 221 x', async () => {}, {
    auth: AUTH,
    allowClearTextAuth: true,
  })
})

async function refuses2(options: Partial<SmtpOptions>, code: string): Promise<void> {
  await replaySmtp('', async (connect) => expect(await rejection(connect())).toMatchObject({ code }), options)
}

function offer(mechanisms: string): string {
  return `S: 220 x\nC: EHLO c.test\nS: 250-x\nS: 250 AUTH ${mechanisms}`
}

test('only the mechanism that was asked for, and only what is offered; no weaker one after a failure (S20)', async () => {
  await refuses(offer('SCRAM-SHA-256 NTLM'), { security: 'tls', auth: AUTH }, { code: 'ERR_AUTH_MECHANISM' })
  await refuses(offer('LOGIN'), { security: 'tls', auth: { ...AUTH, mechanism: 'plain' } }, { code: 'ERR_AUTH_MECHANISM' })
  await refuses(offer('XOAUTH2'), { security: 'tls', auth: { user: 'u1', accessToken: 'x' } }, { code: 'ERR_AUTH_MECHANISM' })
  await refuses(
    `${offer('PLAIN LOGIN')}\nC: AUTH LOGIN\nS: 334\nC: dTE=\nS: 535 no\nC: QUIT\nS: 221 x`,
    { security: 'tls', auth: { ...AUTH, mechanism: 'LOGIN' } },
    { code: 'ERR_AUTH' },
  )
})

test('S22, H38: challenges without end', async () => {
  const rounds = Array.from({ length: 10 }, (_, at) => `S: 334 x\nC: ${at === 0 ? 'AHUxAHB3LTE=' : ''}`).join('\n')
  await refuses(
    `S: 220 x\nC: EHLO c.test\nS: 250-x\nS: 250 AUTH PLAIN\nC: AUTH PLAIN AHUxAHB3LTE=\n${rounds}\nS: 334 x\nC: *\nS: 501 x`,
    { security: 'tls', auth: AUTH },
    { code: 'ERR_LIMIT', phase: 'auth' },
  )
  await refuses(
    'S: 220 x\nC: EHLO c.test\nS: 250-x\nS: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 x\nC: dTE=\nS: 334 x\nC: cHctMQ==\nS: 334 x',
    { security: 'tls', auth: AUTH },
    { code: 'ERR_AUTH', phase: 'auth' },
  )
})

test('a password function that fails or gives no string ends the attempt', async () => {
  const transcript = 'S: 220 x\nC: EHLO c.test\nS: 250-x\nS: 250 AUTH PLAIN'
  const failure = new Error('vault is sealed')
  await replaySmtp(transcript, async (connect) => expect(await rejection(connect())).toBe(failure), {
    security: 'tls',
    auth: { user: 'u1', password: () => Promise.reject(failure) },
  })
  await refuses(transcript, { security: 'tls', auth: { user: 'u1', password: () => 'a\r\nb' } }, { code: 'ERR_OPTION' })
})

test('S24: what was secret is in no diagnostics message and in no error, though the server repeats it', async () => {
  const seen = await published([smtpCommandChannel, smtpReplyChannel], () =>
    replaySmtp(
      `S: 220 x
       C: EHLO c.test
       S: 250-x
       S: 250 AUTH PLAIN
       C: AUTH PLAIN AHUxAGNhbmFyeS03Nw==
       S: 535 'AUTH PLAIN AHUxAGNhbmFyeS03Nw==' (canary-77) is wrong
       C: QUIT
       S: 221 x`,
      async (connect) => {
        const error = await rejection(connect())
        expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/canary|AHUxAGNhbmFyeS03Nw/)
        expect(String(error)).toContain("'AUTH PLAIN ***' (***) is wrong")
      },
      { security: 'tls', auth: { user: 'u1', password: 'canary-77' } },
    ),
  )
  expect(seen.slice(0, 8)).toEqual([
    '220 x',
    'EHLO c.test',
    '250-x',
    '250 AUTH PLAIN',
    'AUTH PLAIN ***',
    "535 'AUTH PLAIN ***' (***) is wrong",
    'QUIT',
    '221 x',
  ])
})

test('S24: a password that is a part of its own base64 does not keep the rest from being masked', async () => {
  await replaySmtp(
    `S: 220 x\nC: EHLO c.test\nS: 250-x\nS: 250 AUTH PLAIN\nC: AUTH PLAIN AHUxAEFI\nS: 535 not AHUxAEFI\nC: QUIT\nS: 221 x`,
    async (connect) => expect(String(await rejection(connect()))).toMatch(/not \*\*\*$/),
    { security: 'tls', auth: { user: 'u1', password: 'AH' } },
  )
})

test('S24: a password that is not ASCII is masked however the reply comes', async () => {
  for (const junk of ['', '\\xff']) {
    await replaySmtp(
      `S: 220 x\nC: EHLO c.test\nS: 250-x\nS: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334\nC: dTE=\nS: 334\nC: a8O2bmln\nS: 535 not könig${junk}\nC: QUIT\nS: 221 x`,
      async (connect) => {
        const lines = await published([smtpReplyChannel], async () => {
          const error = await rejection(connect())
          expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/k(?:ö|Ã¶|\\xf6)nig/)
          expect(String(error)).toContain('not ***')
        })
        expect(lines).toContainEqual(expect.stringMatching(/^535 not \*\*\*/))
      },
      { security: 'tls', auth: { user: 'u1', password: 'könig' } },
    )
  }
})
