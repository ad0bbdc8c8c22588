import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { smtpCommandChannel } from '../../src/diagnostics.ts'
import { SmtpClient } from '../../src/smtp/client.ts'
import type { Envelope, SubmittedContent, SubmitOptions } from '../../src/smtp/envelope.ts'
import type { SmtpOptions } from '../../src/smtp/options.ts'
import { parseForwardPath } from '../../src/smtp/path.ts'
import { growth, isLinear } from '../support/linear.ts'
import { chunks, published, rejection, untyped } from '../support/smtp-replay.ts'
import { SmtpModel, type Say } from '../support/smtp-model.ts'

const ALL: readonly string[] = [
  'PIPELINING',
  'CHUNKING',
  'BINARYMIME',
  '8BITMIME',
  'SMTPUTF8',
  'DSN',
  'AUTH PLAIN LOGIN',
  'MT-PRIORITY',
  'DELIVERBY',
  'FUTURERELEASE',
]
const OK: Readonly<Record<string, string>> = { greeting: '220 x\r\n', DATA: '354 go\r\n', QUIT: '221 bye\r\n' }
const ENVELOPE: Envelope = { from: 'a@x.test', to: ['b@x.test'] }
const TEXT = Buffer.from('Subject: x\r\n\r\nend-1\r\n')

/** What some server, font or log takes for a line end, an end of text, or nothing; the last four become CR and LF where somebody narrows UTF-16 to octets. */
const BREAKERS = ['\r', '\n', '\r\n', '\0', '\x7f', '\x1b', '\u0085', '\u2028', '\u2029', '\ud800', '\udc0a', '\u560d', '\u560a', '\u010d', '\u010a']
const NARROWED = new Set(BREAKERS.slice(-4))

async function connected(keywords: readonly string[] = ALL, options: Partial<SmtpOptions> = {}): Promise<[SmtpClient, SmtpModel]> {
  const say: Say = (question) =>
    question === 'EHLO' ? `${['x', ...keywords].map((one) => `250-${one}\r\n`).join('')}250 HELP\r\n` : (OK[question] ?? '250 ok\r\n')
  const model = new SmtpModel({ say })
  return [await SmtpClient.over(model, { host: 'memory.test', clientName: 'c.test', ...options }), model]
}

/** Refused with this, and not an octet left for it. */
async function refused(envelope: Envelope, code: string | RegExp, content: SubmittedContent = TEXT, keywords = ALL): Promise<void> {
  const [client, model] = await connected(keywords)
  const error = await rejection(client.submit(envelope, content))
  expect(error, JSON.stringify(envelope)).toMatchObject({ code: typeof code === 'string' ? code : expect.stringMatching(code) })
  expect(model.sentText).toBe('EHLO c.test\r\n')
  expect((await client.submit(ENVELOPE, TEXT)).outcome).toBe('accepted')
}

/** The lines that were sent after EHLO, up to the content. */
async function linesOf(envelope: Envelope, keywords: readonly string[] = ALL): Promise<string[]> {
  const [client, model] = await connected(keywords)
  await client.submit(envelope, TEXT)
  return Buffer.concat(model.sent).toString().split('\r\n').slice(1, -1)
}

/** The same, or `undefined` when it is refused with this. */
async function linesUnless(code: string, envelope: Envelope): Promise<string[] | undefined> {
  try {
    return await linesOf(envelope)
  } catch (error) {
    expect(error).toMatchObject({ code })
    return undefined
  }
}

function parseRefused(address: string): void {
  expect(() => parseForwardPath(address)).toThrow(expect.objectContaining({ code: 'ERR_ADDRESS' }))
}

const to = (address: string): Envelope => ({ from: '', to: [address] })
const asked = (options: object): Envelope => ({ ...ENVELOPE, options: untyped(options) })

test.each(BREAKERS)(
  'S1, quirk 24: %j in anything that becomes a command is refused before an octet is sent, or is sent as UTF-8',
  async (breaker) => {
    const isNarrowed = NARROWED.has(breaker)
    for (const address of [`a${breaker}b@x.test`, `"a${breaker}b"@x.test`, `a@x${breaker}RCPT.test`, `a@x.test${breaker}`, `${breaker}a@x.test`]) {
      for (const envelope of [to(address), { from: address, to: ['b@x.test'] }]) {
        if (!isNarrowed) await refused(envelope, 'ERR_ADDRESS')
        else {
          const lines = await linesUnless('ERR_ADDRESS', envelope)
          // Where the character may stand, it does: two or three octets, and no line more.
          if (lines !== undefined) expect([lines.length, lines[0]]).toEqual([7, expect.stringMatching(/^MAIL FROM:<[^>]*>(?: SMTPUTF8)?$/)])
        }
      }
    }
    for (const [options, code] of [
      [{ dsn: { envid: `a${breaker}b` } }, 'ERR_OPTION'],
      [{ submitter: `a${breaker}@x.test` }, /ERR_OPTION|ERR_ADDRESS/],
      [{ priority: `1${breaker}RCPT TO:<x@y>` }, 'ERR_OPTION'],
      [{ deliverBy: { seconds: `9${breaker}`, late: 'notify' } }, 'ERR_OPTION'],
      [{ futureRelease: { seconds: `9${breaker}` } }, 'ERR_OPTION'],
      [{ dsn: { notify: [`success${breaker}`] } }, 'ERR_OPTION'],
      [{ dsn: { ret: `full${breaker}` } }, 'ERR_OPTION'],
      [{ body: `8bit${breaker}` }, 'ERR_OPTION'],
    ] as const)
      await refused(asked(options), code)
    await refused(to('b@x.test'), 'ERR_OPTION', Object.assign(chunks('x'), untyped({ [Symbol.asyncIterator]: 1 })))
    const recipient = { address: 'b@x.test', orcpt: `a${breaker}b@x.test` }
    const lines = await linesUnless('ERR_OPTION', { from: '', to: [recipient] })
    if (lines !== undefined)
      expect([lines.length, lines[1]]).toEqual([7, expect.stringMatching(/^RCPT TO:<b@x\.test> ORCPT=(?:utf-8|rfc822);[!-~]+$/)])
    for (const clientName of [`a${breaker}b`, `a.test${breaker}`, `[127.0.0.1${breaker}]`]) {
      const reached = connected(ALL, { clientName }).then(([, model]) => model.sentText)
      if (isNarrowed)
        await reached.then(
          (sent) => expect(sent).toMatch(/^EHLO [a-z0-9.-]+\r\n$/),
          (error: unknown) => expect(error).toMatchObject({ code: 'ERR_OPTION' }),
        )
      else expect(await rejection(reached)).toMatchObject({ code: 'ERR_OPTION' })
    }
    for (const auth of [
      { user: `u${breaker}`, password: 'p' },
      { user: 'u', password: `p${breaker}` },
      { user: 'u', password: `p${breaker}`, mechanism: 'LOGIN' },
    ]) {
      await connected(ALL, { auth }).then(
        ([, model]) => expect(model.sentText).toMatch(/^EHLO c\.test\r\nAUTH (?:PLAIN [A-Za-z0-9+/=]+|LOGIN)\r\n(?:[A-Za-z0-9+/=]+\r\n)*$/),
        (error: unknown) => expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_(?:OPTION|AUTH)$/) }),
      )
    }
  },
)

test.each([
  ['"a> SIZE=1 <"@ok.test', 'RCPT TO:<"a> SIZE=1 <"@ok.test>'],
  ['"a\\"b"@ok.test', 'RCPT TO:<"a\\"b"@ok.test>'],
  ['"\\a\\b"@ok.test', 'RCPT TO:<ab@ok.test>'],
  ['"a"@ok.test', 'RCPT TO:<a@ok.test>'],
  ['""@ok.test', 'RCPT TO:<""@ok.test>'],
])('S2, quirk 24: the quoted string of %s is rebuilt from its tokens', async (address, line) => {
  const lines = await linesOf(to(address))
  expect(lines[1]).toBe(line)
})

test.each([
  '"a\r\nRCPT TO:<x@evil>"@ok.test',
  'a@ok.test> NOTIFY=NEVER',
  'a@ok.test NOTIFY=NEVER',
  '<a@ok.test> ORCPT=rfc822;x',
  'a@ok.test>\r\nDATA\r\n',
])('S2: %j brings no parameter and no command with it', (address) => refused(to(address), 'ERR_ADDRESS'))

test('S3: long addresses are refused by the limits of RFC 5321 §4.5.3.1, and none is ever folded', async () => {
  const domain = `${'d'.repeat(60)}.${'d'.repeat(60)}.${'d'.repeat(60)}.test`
  expect((await linesOf(to(`${'l'.repeat(64)}@${domain}`)))[1]).toBe(`RCPT TO:<${'l'.repeat(64)}@${domain}>`)
  for (const address of [
    `${'l'.repeat(65)}@x.test`,
    `a@${'d'.repeat(64)}.test`,
    `a@${'d.'.repeat(127)}test`,
    `${'l'.repeat(64)}@d${domain}.${'e'.repeat(20)}`,
    `"${' '.repeat(900)}"@x.test`,
    `${'l'.repeat(900)}@x.test`,
  ])
    await refused(to(address), 'ERR_ADDRESS')
})

test.each([
  '"victim@good.test x"@evil.test',
  'user@good.test(x)evil.test',
  '<a@b.test>c@d.test',
  'a@b.test,c@d.test',
  'a@b@c',
  '@r1,@r2:a@b',
  'A <a@b.test>',
  'a@[IPv6:::1]',
])('S4: %s is one whole address or none: nothing is searched for inside it', async (address) => {
  // A quoted string with a blank and a literal are addresses; they go out as what they are.
  if (address.startsWith('"') || address.includes('[')) expect((await linesOf(to(address)))[1]).toBe(`RCPT TO:<${address}>`)
  else await refused(to(address), 'ERR_ADDRESS')
})

test.each([
  ['groups in groups', (count: number) => 'a:'.repeat(count)],
  ['comments in comments', (count: number) => '('.repeat(count)],
  ['commas', (count: number) => `a@b.test${','.repeat(count)}`],
  ['brackets that nobody closes', (count: number) => '<'.repeat(count)],
  ['dots', (count: number) => `${'a.'.repeat(count)}@b.test`],
  ['quoted pairs', (count: number) => `"${'\\"'.repeat(count)}`],
  ['labels', (count: number) => `a@${'b.'.repeat(count)}`],
  ['foreign labels', (count: number) => `a@${'ü.'.repeat(count)}`],
])('S5: %s without end in an envelope cost linear time', (_name, make) => {
  expect(isLinear(growth(parseRefused, make, 100_000))).toBe(true)
})

test.each(['=?utf-8?q?admin=40evil=2Etest?=@good.test', '=?x?q?=3E?=@good.test'])('S6: %s is no encoded-word in an envelope', async (address) => {
  expect((await linesOf(to(address)))[1]).toBe(`RCPT TO:<${address}>`)
})

test.each([
  ['a@ｅvil.test', 'a@evil.test'],
  ['a@evil。test', 'a@evil.test'],
  ['a@straße.test', 'a@xn--strae-oqa.test'],
  ['a@BÜCHER.test', 'a@xn--bcher-kva.test'],
])('S7: the domain of %s is sent in its one normal form', async (address, sent) => {
  expect((await linesOf(to(address)))[1]).toBe(`RCPT TO:<${sent}>`)
})

test.each(['a@x\u200dn.test', 'a@xn--a.test', 'a@xn--zz--.test', 'a@\u202ex.test'])('S7: the domain of %j has no normal form', (address) =>
  refused(to(address), 'ERR_ADDRESS'),
)

test('S8: a local part that is not ASCII needs SMTPUTF8, and is never narrowed', async () => {
  await refused({ from: '', to: ['b@x.test', 'jörg@x.test'] }, 'ERR_ADDRESS', TEXT, ['PIPELINING'])
  const [client] = await connected(['PIPELINING'])
  expect(await rejection(client.submit(to('jörg@x.test'), TEXT))).toMatchObject({ recipient: 'jörg@x.test', phase: 'rcpt', reusable: true })
  await refused({ from: 'jörg@x.test', to: ['b@x.test'] }, 'ERR_ADDRESS', TEXT, ['PIPELINING'])
  expect(await linesOf(to('jörg@x.test'))).toEqual(expect.arrayContaining(['MAIL FROM:<> SMTPUTF8', 'RCPT TO:<jörg@x.test>']))
})

const SMUGGLED = ['\n.\n', '\r.\r', '\n.\r', '\r.\n', '\n.\r\n', '\r\n.\n', '\r.\r\n', '\r\n.\r', '\r\n.\r\r\n', '\r\r\n.\r\r\n', '\r\n.\r\n']

test.each(SMUGGLED)('S12, quirk 26: %j in the content ends nothing, however it is cut and framed', async (smuggled) => {
  const content = Buffer.from(`Subject: x\r\n\r\nend-1${smuggled}MAIL FROM:<evil@x.test>\r\nRCPT TO:<c@x.test>\r\nDATA\r\n\r\nevil`)
  for (const chunking of [false, true]) {
    for (let at = 16; at < 24; at++) {
      const [client, model] = await connected(ALL, { chunking })
      expect((await client.submit(ENVELOPE, chunks(content.subarray(0, at), content.subarray(at)))).outcome).toBe('accepted')
      expect(model.taken.map(({ paths }) => paths)).toEqual([['b@x.test']])
      const sent = Buffer.concat(model.sent).toString('latin1')
      expect(sent.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
      if (!chunking) expect(sent.match(/\r\n\.\r\n/g)).toHaveLength(1)
    }
  }
})

test('S12: a NUL is refused by lines, and passes by BINARYMIME alone', async () => {
  await refused(ENVELOPE, 'ERR_CONTENT', Buffer.from('x\r\n\0.\r\n'))
  const [client, model] = await connected()
  expect((await client.submit({ ...ENVELOPE, options: { body: 'binary' } }, Buffer.from('end-1\n\0\r.'))).outcome).toBe('accepted')
  expect(model.sentText).toMatch(/BDAT 9 LAST\r\nend-1\n\0\r\.$/)
})

test.each(['a\nb\r\n', 'a\rb\r\n', 'a', 'a\r\n\r', 'a\r\r\n', '\n'])("S13: with lineEnds 'verify' %j is refused, and not repaired", async (text) => {
  for (const chunking of [false, true]) {
    const options: SubmitOptions = { lineEnds: 'verify' }
    const [client, model] = await connected(ALL, { chunking })
    expect(await rejection(client.submit({ ...ENVELOPE, options }, Buffer.from(text)))).toMatchObject({ code: 'ERR_CONTENT' })
    expect(model.sentText).toBe('EHLO c.test\r\n')
    expect(await rejection(client.submit({ ...ENVELOPE, options }, chunks(...text.split(''))))).toMatchObject({ code: 'ERR_CONTENT' })
    expect(model.sentText).not.toMatch(/LAST|\.\r\n$/)
  }
})

test('S13: what needs no repair goes out octet by octet as it came', async () => {
  const [client, model] = await connected()
  const signed = 'DKIM-Signature: x\r\n\r\nbody\r\nend-1\r\n\r\n'
  await client.submit({ ...ENVELOPE, options: { lineEnds: 'verify' } }, chunks(...signed.split('')))
  expect(model.sentText.endsWith(`DATA\r\n${signed}.\r\n`)).toBe(true)
})

test.each<[string, string, SubmitOptions, readonly string[], string]>([
  ['a line of 999 octets', 'x'.repeat(999), {}, ALL, 'ERR_CONTENT'],
  ['8-bit octets without 8BITMIME', 'ü', {}, ['PIPELINING'], 'ERR_UNSUPPORTED'],
  ['8-bit octets that were said to be 7-bit', 'ü', { body: '7bit' }, ALL, 'ERR_CONTENT'],
  ['binary without BINARYMIME', 'x', { body: 'binary' }, ['CHUNKING'], 'ERR_UNSUPPORTED'],
  ['binary without CHUNKING (quirk 6)', 'x', { body: 'binary' }, ['BINARYMIME'], 'ERR_UNSUPPORTED'],
])('S14: %s is never sent', async (_name, text, options, keywords, code) => {
  await refused({ ...ENVELOPE, options }, code, Buffer.from(text), keywords)
})

test('S14: a stream that turns out to be what it may not be gets no end', async () => {
  for (const [text, keywords] of [
    ['x'.repeat(999), ALL],
    ['ü', ['PIPELINING', 'CHUNKING']],
  ] as const) {
    for (const chunking of [false, true]) {
      const [client, model] = await connected(keywords, { chunking })
      expect(await rejection(client.submit(ENVELOPE, chunks('Subject: x\r\n\r\n', text)))).toMatchObject({ code: 'ERR_CONTENT' })
      expect(model.sentText).not.toMatch(/LAST|\.\r\n$/)
      expect(model.destroyed).toBe(true)
    }
  }
})

test.each([
  ['SIZE 10', 'ERR_LIMIT'],
  ['SIZE 0', undefined],
  ['SIZE', undefined],
  ['SIZE abc', undefined],
  ['SIZE -5', undefined],
  ['SIZE 99999999999999999999', undefined],
  ['SIZE 10x', undefined],
])('S15, H30: a server that says %s, and a message of 21 octets', async (keyword, code) => {
  if (code === undefined) return expect(await linesOf(ENVELOPE, [keyword])).toContain('MAIL FROM:<a@x.test> SIZE=21')
  const [client, model] = await connected([keyword])
  expect(await rejection(client.submit(ENVELOPE, TEXT))).toMatchObject({ code, phase: 'mail', reusable: true })
  expect(model.sentText).toBe('EHLO c.test\r\n')
})

test('S34: a source that fails, is not what it said or ends early: no final dot, no LAST', async () => {
  const failure = new Error('the disk is gone')
  async function* failing(): AsyncGenerator<Buffer> {
    yield Buffer.from('Subject: x\r\n')
    throw failure
  }
  for (const way of [
    { chunking: true },
    { pipelining: 'overlap' },
    { pipelining: 'transaction' },
    { pipelining: 'back-to-back' },
    { pipelining: 'none' },
  ] as const) {
    for (const [content, expected] of [
      [failing(), failure],
      [Readable.from(failing()), failure],
      [Object.assign(chunks('12345'), { size: 4 }), { code: 'ERR_CONTENT' }],
      [Object.assign(chunks('12345'), { size: 6 }), { code: 'ERR_CONTENT' }],
      [Readable.from(['text'], { encoding: 'utf8' }), { code: 'ERR_CONTENT' }],
    ] as const) {
      const [client, model] = await connected(ALL, way)
      const error = await rejection(client.submit(ENVELOPE, content))
      if (expected instanceof Error) expect(error).toBe(expected)
      else expect(error).toMatchObject(expected)
      expect(model.sentText).not.toMatch(/LAST|\.\r\n$/)
      expect(model.taken).toEqual([])
    }
  }
})

test.each<unknown>([
  '/etc/passwd',
  'file:///etc/passwd',
  'http://127.0.0.1/',
  { path: '/etc/passwd' },
  { href: 'http://127.0.0.1/' },
  new URL('file:///etc/passwd'),
  7,
  null,
  ['x'],
])('S35: content given as %j is opened by nobody', (content) => refused(ENVELOPE, 'ERR_OPTION', untyped(content)))

test('S37: what the caller changes after the call changes nothing, and a prototype brings nothing in', async () => {
  const [client, model] = await connected()
  const recipients = ['b@x.test', 'c@x.test']
  const notify: ('success' | 'never')[] = ['success']
  const envelope = { from: 'a@x.test', to: recipients, options: { dsn: { notify, envid: 'one' } } }
  const submission = client.submit(untyped(envelope), TEXT)
  recipients[0] = 'evil@x.test'
  recipients.push('more@x.test')
  notify.length = 0
  envelope.from = 'evil@x.test'
  envelope.options.dsn.envid = 'two'
  expect((await submission).recipients.map(({ address }) => address)).toEqual(['b@x.test', 'c@x.test'])
  expect(model.sentText).not.toMatch(/evil|more|two/)
  const parsed: Envelope = JSON.parse('{"from":"a@x.test","to":["b@x.test"],"options":{"__proto__":{"priority":9},"constructor":{"priority":9}}}')
  expect(await linesOf(parsed)).toContain('MAIL FROM:<a@x.test>')
  const failure = new Error('a getter that fails')
  const hostile = {
    from: 'a@x.test',
    get to(): string[] {
      throw failure
    },
  }
  expect(await rejection(client.submit(hostile, TEXT))).toBe(failure)
  expect((await client.submit(ENVELOPE, TEXT)).outcome).toBe('accepted')
})

test('S38: the name in EHLO is an address literal, not the name of this machine', async () => {
  const [, model] = await connected(ALL, { clientName: undefined })
  expect(model.sentText).toBe('EHLO [127.0.0.1]\r\n')
})

test('S24, S25: a diagnostics message is one line, whatever was asked for', async () => {
  const lines = await published([smtpCommandChannel], async () => {
    const [client] = await connected()
    await client.submit(to('"a b"@x.test'), TEXT)
  })
  for (const line of lines) expect(line).toMatch(/^[ -~]+$/)
})
