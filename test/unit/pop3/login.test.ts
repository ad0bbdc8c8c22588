import { inspect } from 'node:util'
import { expect, test, vi } from 'vitest'
import { Pop3Client, type Pop3Options } from '../../../src/pop3/index.ts'
import { apopDigest } from '../../../src/pop3/login.ts'
import { answers, FlightServer } from '../../support/flights.ts'

const AUTH = { user: 'ann', password: 's3cret' }
const PLAIN = Buffer.from('\0ann\0s3cret').toString('base64')
const [USER64, PASS64] = [AUTH.user, AUTH.password].map((text) => Buffer.from(text).toString('base64'))

/** The command lines of a login without CAPA; with what it came to when it failed. */
async function logIn(
  capabilities: readonly string[],
  options: Partial<Pop3Options> = {},
  special: (line: string) => string | null | undefined = () => undefined,
): Promise<{ lines: string[]; error: unknown; client: Pop3Client | undefined }> {
  const server = new FlightServer(answers(capabilities, special))
  let client: Pop3Client | undefined
  let error: unknown
  try {
    client = await Pop3Client.over(server, { host: 'pop.test', auth: AUTH, ...options })
  } catch (reason) {
    error = reason
  }
  expect(server.flights.every(({ length }) => length === 1)).toBe(true)
  return { lines: server.flights.flat().filter((line) => line !== 'CAPA'), error, client }
}

test.each<[string, readonly string[], Partial<Pop3Options>, readonly string[]]>([
  ['USER and PASS, when nothing is known', [], {}, ['USER ann', 'PASS s3cret']],
  ['USER and PASS, where both are offered', ['USER', 'SASL PLAIN LOGIN'], {}, ['USER ann', 'PASS s3cret']],
  ['USER and PASS, when no mechanism of ours is offered', ['SASL CRAM-MD5'], {}, ['USER ann', 'PASS s3cret']],
  ['AUTH where USER is not offered', ['SASL CRAM-MD5 PLAIN'], {}, [`AUTH PLAIN ${PLAIN}`]],
  ['the mechanism that is named', ['USER', 'SASL plain'], { auth: { ...AUTH, mechanism: 'plain' } }, [`AUTH PLAIN ${PLAIN}`]],
  ['the mechanism that is named, when nothing is known', [], { auth: { ...AUTH, mechanism: 'PLAIN' } }, [`AUTH PLAIN ${PLAIN}`]],
  ['USER when it is named', ['SASL PLAIN'], { auth: { ...AUTH, mechanism: 'USER' } }, ['USER ann', 'PASS s3cret']],
  [
    'AUTH for a name that is not ASCII',
    ['USER', 'SASL PLAIN'],
    { auth: { ...AUTH, user: 'jörg' } },
    [`AUTH PLAIN ${Buffer.from('\0jörg\0s3cret').toString('base64')}`],
  ],
  [
    'APOP when it is named (RFC 1939, section 7)',
    [],
    { auth: { ...AUTH, mechanism: 'apop' } },
    [`APOP ann ${apopDigest('<1.2@pop.test>', 's3cret')}`],
  ],
  ['UTF8 before the login', ['USER', 'UTF8'], { utf8: true }, ['UTF8', 'USER ann', 'PASS s3cret']],
])('logs in with %s', async (_name, capabilities, options, expected) => {
  const { lines, error, client } = await logIn(capabilities, options)
  expect(error).toBeUndefined()
  expect(lines).toEqual(expected)
  await client?.stat().catch((reason: unknown) => expect(reason).toMatchObject({ code: 'ERR_PROTOCOL' })) // it is after the login
})

test.each<[string, string, string, Readonly<Record<string, string>>, readonly string[]]>([
  ['an initial response', 'PLAIN', 'line', {}, [`AUTH PLAIN ${PLAIN}`]],
  ['the two-line form (quirk 31)', 'PLAIN', 'two', { 'AUTH PLAIN': '+ \r\n' }, ['AUTH PLAIN', PLAIN]],
  ['+ without a blank (quirk 32)', 'PLAIN', 'two', { 'AUTH PLAIN': '+\r\n' }, ['AUTH PLAIN', PLAIN]],
  ['+ with text (quirk 32, H37)', 'PLAIN', 'two', { 'AUTH PLAIN': '+ go ahead!\r\n' }, ['AUTH PLAIN', PLAIN]],
  ['+OK for + (quirk 32)', 'PLAIN', 'two', { 'AUTH PLAIN': '+OK\r\n' }, ['AUTH PLAIN', PLAIN]],
  ['a server that asks again', 'PLAIN', 'line', { [`AUTH PLAIN ${PLAIN}`]: '+ \r\n' }, [`AUTH PLAIN ${PLAIN}`, PLAIN]],
  ['LOGIN', 'LOGIN', 'line', { 'AUTH LOGIN': '+ VXNlcm5hbWU6\r\n', [`${USER64}`]: '+ UGFzc3dvcmQ6\r\n' }, ['AUTH LOGIN', `${USER64}`, `${PASS64}`]],
  [
    'LOGIN with +OK for + (quirk 32)',
    'LOGIN',
    'line',
    { 'AUTH LOGIN': '+OK\r\n', [`${USER64}`]: '+OK\r\n' },
    ['AUTH LOGIN', `${USER64}`, `${PASS64}`],
  ],
])('RFC 5034: %s', async (_name, mechanism, form, replies, expected) => {
  const options = { auth: { ...AUTH, mechanism }, initialResponse: form === 'line' }
  const { lines, error, client } = await logIn([`SASL ${mechanism}`], options, (line) => replies[line])
  expect(error).toBeUndefined()
  expect(lines).toEqual(expected)
  expect(client).toBeDefined()
})

test('RFC 5034, section 4: an initial response that makes the line longer than 255 octets goes in a line of its own', async () => {
  for (const [length, lines] of [
    [174, 1],
    [180, 2],
  ] as const) {
    const auth = { user: 'ann', password: 'x'.repeat(length), mechanism: 'PLAIN' }
    const login = await logIn(['SASL PLAIN'], { auth }, (line) => (line === 'AUTH PLAIN' ? '+ \r\n' : undefined))
    expect(login.lines).toHaveLength(lines)
    expect(login.lines[0]?.length).toBeLessThanOrEqual(253)
  }
})

test('S22, H38: challenges without end are cancelled after ten rounds', async () => {
  const { lines, error } = await logIn(['SASL PLAIN'], { auth: { ...AUTH, mechanism: 'PLAIN' } }, (line) =>
    line === '*' || line === 'QUIT' || line === 'CAPA' ? undefined : '+ \r\n',
  )
  expect(error).toMatchObject({ code: 'ERR_LIMIT', phase: 'auth' })
  expect(lines).toHaveLength(13)
  expect(lines.slice(-2)).toEqual(['*', 'QUIT'])
})

test('S22: a challenge has at most 12 KiB', async () => {
  for (const [octets, code] of [
    [12_280, undefined],
    [12_300, 'ERR_LIMIT'],
  ] as const) {
    const { error } = await logIn(['SASL PLAIN'], { auth: { ...AUTH, mechanism: 'PLAIN' }, initialResponse: false }, (line) =>
      line === 'AUTH PLAIN' ? `+ ${'A'.repeat(octets)}\r\n` : undefined,
    )
    if (code === undefined) expect(error).toBeUndefined()
    else expect(error).toMatchObject({ code })
  }
})

test('S22: a mechanism that gives up is cancelled with *', async () => {
  const { lines, error } = await logIn(['SASL LOGIN'], { auth: { ...AUTH, mechanism: 'LOGIN' } }, (line) =>
    line === '*' ? '-ERR cancelled\r\n' : line === 'QUIT' || line === 'CAPA' ? undefined : '+ more\r\n',
  )
  expect(error).toMatchObject({ code: 'ERR_AUTH' })
  expect(lines.slice(-2)).toEqual(['*', 'QUIT'])
})

test('S20, H42: a refusal is not followed by another way to log in', async () => {
  const { lines, error } = await logIn(['SASL PLAIN LOGIN'], {}, (line) => (line.startsWith('AUTH') ? '-ERR [AUTH] no\r\n' : undefined))
  expect(error).toMatchObject({ name: 'Pop3ReplyError', code: 'ERR_AUTH', refusal: 'credentials' })
  expect(lines).toEqual([`AUTH PLAIN ${PLAIN}`, 'QUIT'])
})

test.each<[string, readonly string[], Partial<Pop3Options>, string]>([
  ['a mechanism that is not offered', ['USER', 'SASL LOGIN'], { auth: { ...AUTH, mechanism: 'PLAIN' } }, 'ERR_AUTH_MECHANISM'],
  ['UTF8 that is not offered', ['USER'], { utf8: true }, 'ERR_UNSUPPORTED'],
])('%s is an error before a credential leaves', async (_name, capabilities, options, code) => {
  const { lines, error } = await logIn(capabilities, options)
  expect(error).toMatchObject({ code })
  expect(lines).toEqual(['QUIT'])
})

test('P14, P15: a stamp alone is no reason for APOP, and one that is none is refused', async () => {
  expect((await logIn([])).lines).toEqual(['USER ann', 'PASS s3cret'])
  // RFC 1939, section 7
  expect(apopDigest('POP3 server ready <1896.697170952@dbc.mtview.ca.us>', 'tanstaaf')).toBe('c4c9334bac560ecc979e58001b3e22fb')
  for (const greeting of [
    'ready',
    '<>',
    '<1.2>',
    '<@host>',
    '<a@>',
    '<a@b@c>',
    '<a..b@c>',
    '<a b@c>',
    '<a\x01@c>',
    '<a\xe9@c>',
    '<1@a> <2@a>',
    '<1@a><',
    '<<1@a>>',
    `<${'a'.repeat(130)}@b>`,
    '<a@[\x80]>',
  ]) {
    expect(() => apopDigest(greeting, 's3cret')).toThrow(
      expect.objectContaining({ code: 'ERR_AUTH_MECHANISM', message: expect.not.stringContaining('s3cret') }),
    )
  }
})

test('P14: without MD5 the error says so', async () => {
  vi.resetModules()
  vi.doMock('node:crypto', () => ({
    createHash: () => {
      throw new Error('unsupported')
    },
  }))
  const { apopDigest: digest } = await import('../../../src/pop3/login.ts')
  expect(() => digest('<1@a>', 'x')).toThrow(expect.objectContaining({ code: 'ERR_AUTH_MECHANISM', message: expect.stringContaining('MD5') }))
  vi.doUnmock('node:crypto')
})

test('S19, P14: neither AUTH nor APOP leaves in clear text', async () => {
  for (const mechanism of ['PLAIN', 'APOP']) {
    const auth = { ...AUTH, mechanism }
    await expect(Pop3Client.connect({ host: 'not.asked.invalid', security: 'none', auth })).rejects.toMatchObject({ code: 'ERR_AUTH_CLEAR_TEXT' })
  }
})

test('S24: what was made of the password is in no error either', async () => {
  for (const mechanism of ['PLAIN', 'LOGIN', 'APOP', 'USER']) {
    const { error } = await logIn([], { auth: { ...AUTH, mechanism } }, (line) =>
      line === `AUTH ${mechanism}` || line === USER64
        ? '+ \r\n'
        : line.startsWith('USER') || line === 'CAPA'
          ? undefined
          : `-ERR I do not know ${line}\r\n`,
    )
    expect(error).toMatchObject({ code: 'ERR_AUTH' })
    const shown = inspect(error, { depth: 9, showHidden: true })
    for (const secret of ['s3cret', PLAIN, PASS64, apopDigest('<1.2@pop.test>', 's3cret')]) expect(shown).not.toContain(secret)
  }
})

test.each([
  ['[AUTH] no', 'ERR_AUTH', 'credentials', null],
  ['no', 'ERR_AUTH', 'credentials', null],
  ['[IN-USE] busy', 'ERR_POP3_REPLY', 'in use', null],
  ['maildrop is locked', 'ERR_POP3_REPLY', 'in use', null],
  ['[LOGIN-DELAY] too soon', 'ERR_POP3_REPLY', 'login delay', 900_000],
  ['[SYS/TEMP] later', 'ERR_POP3_REPLY', 'temporary', null],
  ['try again later', 'ERR_POP3_REPLY', 'temporary', null],
  ['[SYS/PERM] never', 'ERR_POP3_REPLY', 'permanent', null],
  ['[SYS/OTHER] what', 'ERR_POP3_REPLY', 'other', null],
] as const)('P13, RFC 3206: PASS answered -ERR %s is %s: %s', async (text, code, refusal, retryAfterMs) => {
  const { error } = await logIn(['USER', 'LOGIN-DELAY 900'], {}, (line) => (line.startsWith('PASS') ? `-ERR ${text}\r\n` : undefined))
  const transient = refusal === 'in use' || refusal === 'login delay' || refusal === 'temporary'
  expect(error).toMatchObject({ code, refusal, retryAfterMs, transient })
})

test.each([
  ['capabilities', 'no'],
  ['pipelining', true],
  ['top', ''],
  ['utf8', 1],
  ['initialResponse', null],
  ['resetBeforeQuit', 'yes'],
])('the option %s is not %j', async (name, value) => {
  const { error } = await logIn([], { [name]: value })
  expect(error).toMatchObject({ code: 'ERR_OPTION', message: expect.stringContaining(name) })
})
