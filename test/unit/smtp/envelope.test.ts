import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkRecipients, checkSubmission, fitting, type Envelope, type SubmittedContent, type Terms } from '../../../src/smtp/envelope.ts'
import { parseLimits } from '../../../src/smtp/grammar.ts'
import { overFlights } from '../../support/smtp-flight-client.ts'
import { chunks, rejection, untyped } from '../../support/smtp-replay.ts'

const ENVELOPE: Envelope = { from: 'a@x.test', to: ['b@x.test'] }
const EIGHT_BIT = Buffer.from('gr\xfc\xdfe\r\n', 'latin1')
const ASCII = Buffer.from('x\r\n')

function check(options: Envelope['options'], content: SubmittedContent, offered: readonly string[], terms: Partial<Terms> = {}) {
  const extensions = new Map(offered.map((one) => [one.split(' ', 1)[0] ?? '', one.split(' ').slice(1).join(' ')]))
  const submission = checkSubmission({ ...ENVELOPE, options }, content, {
    extensions,
    isSecure: true,
    chunking: false,
    pipelining: 'envelope',
    ...terms,
  })
  const [mail = ''] = submission.commands.map(({ octets }) => octets.toString('latin1').slice(0, -2))
  return { ...submission, mail: mail.replace('MAIL FROM:<a@x.test>', '').trim() }
}

const error = (code: string): unknown => expect.objectContaining({ code })

describe('octets above 127', () => {
  test.each<[body: '7bit' | '8bit' | undefined, content: () => SubmittedContent, offered: string[], mail: string, eightBit: boolean]>([
    [undefined, () => ASCII, ['8BITMIME'], '', false],
    [undefined, () => EIGHT_BIT, ['8BITMIME'], 'BODY=8BITMIME', true],
    [undefined, () => chunks('x'), ['8BITMIME'], 'BODY=8BITMIME', true],
    [undefined, () => chunks('x'), [], '', false],
    ['7bit', () => chunks('x'), ['8BITMIME'], '', false],
    ['7bit', () => ASCII, [], '', false],
    ['8bit', () => ASCII, ['8BITMIME'], 'BODY=8BITMIME', true],
    ['8bit', () => chunks('x'), ['8BITMIME'], 'BODY=8BITMIME', true],
  ])('body %s: %s where %j is offered', (body, content, offered, mail, eightBit) => {
    const checked = check({ body }, content(), offered)
    expect([checked.mail, checked.framing.eightBit]).toEqual([mail, eightBit])
  })

  test('are refused before anything is sent where the server does not take them, unless 8BITMIME is optional', () => {
    for (const [body, content] of [
      [undefined, EIGHT_BIT],
      ['8bit', EIGHT_BIT],
      ['8bit', ASCII],
      ['8bit', chunks('x')],
    ] as const) {
      expect(() => check({ body }, content, [])).toThrow(error('ERR_UNSUPPORTED'))
      const checked = check({ body, optional: ['8BITMIME'] }, content, [])
      expect([checked.mail, checked.framing.eightBit]).toEqual(['', true])
    }
    expect(check({ optional: ['8BITMIME'] }, chunks('x'), []).framing.eightBit).toBe(true)
    expect(() => check({ body: '7bit' }, EIGHT_BIT, ['8BITMIME'])).toThrow(error('ERR_CONTENT'))
    expect(() => check({ body: '7bit', optional: ['8BITMIME'] }, EIGHT_BIT, ['8BITMIME'])).toThrow(error('ERR_CONTENT'))
  })

  test('in a stream that was not described stop it: no final dot, no LAST', async () => {
    for (const chunking of [false, true]) {
      for (const options of [{}, { body: '7bit' }] as const) {
        const { client, server } = await overFlights({ extensions: ['PIPELINING', 'CHUNKING'] }, { chunking })
        expect(await rejection(client.submit({ ...ENVELOPE, options }, chunks('abc\r\n', EIGHT_BIT)))).toMatchObject({
          code: 'ERR_CONTENT',
          phase: 'content',
        })
        expect(server.sentText).not.toMatch(/LAST|\r\n\.\r\n$/)
        expect([server.stored, client.usable]).toEqual([[], false])
      }
    }
  })

  test('in memory cost nothing: the connection goes on', async () => {
    const { client, server } = await overFlights()
    expect(await rejection(client.submit(ENVELOPE, EIGHT_BIT))).toMatchObject({ code: 'ERR_UNSUPPORTED', reusable: true })
    expect(await rejection(client.submit({ ...ENVELOPE, options: { lineEnds: 'verify' } }, Buffer.from('a\n')))).toMatchObject({
      code: 'ERR_CONTENT',
    })
    expect(await rejection(client.submit(ENVELOPE, Buffer.alloc(999, 'x')))).toMatchObject({ code: 'ERR_CONTENT' })
    expect(server.lines).toHaveLength(1)
    const long = { ...ENVELOPE, options: { maxLineOctets: 999, optional: ['8BITMIME'] } } as const
    expect((await client.submit(long, Buffer.alloc(999, 0xfc))).outcome).toBe('accepted')
    expect(server.stored[0]?.octets).toHaveLength(1001)
  })
})

describe('how it goes out', () => {
  test.each<[terms: Partial<Terms>, offered: string[], chunks: boolean, pipelining: Terms['pipelining']]>([
    [{}, ['PIPELINING', 'CHUNKING'], false, 'envelope'],
    [{ chunking: true }, ['PIPELINING', 'CHUNKING'], true, 'envelope'],
    [{ chunking: true }, ['PIPELINING'], false, 'envelope'],
    [{ chunking: true, pipelining: 'transaction' }, ['PIPELINING', 'CHUNKING'], true, 'transaction'],
    [{ chunking: true, pipelining: 'back-to-back' }, ['PIPELINING'], false, 'overlap'],
    [{ chunking: false, pipelining: 'back-to-back' }, ['PIPELINING', 'CHUNKING'], false, 'overlap'],
    [{ chunking: true, pipelining: 'back-to-back' }, ['CHUNKING'], true, 'none'],
    [{ pipelining: 'none' }, ['PIPELINING'], false, 'none'],
    [{ pipelining: 'overlap' }, [], false, 'none'],
  ])('%j where %j is offered', (terms, offered, isChunked, pipelining) => {
    const checked = check({}, ASCII, offered, terms)
    expect([checked.framing.chunks, checked.pipelining]).toEqual([isChunked, pipelining])
    expect(checked.commands.at(-1)?.phase).toBe(isChunked ? 'rcpt' : 'data')
  })

  test('what is left out is the default', () => {
    expect(check(undefined, ASCII, []).framing).toMatchObject({ chunks: false, binary: false, eightBit: false, verify: false, maxLineOctets: 998 })
    expect(check({ lineEnds: 'verify', maxLineOctets: 1 }, ASCII, []).framing).toMatchObject({ verify: true, maxLineOctets: 1 })
  })
})

test('SIZE is that of what the server stores, and is not exceeded (RFC 1870)', () => {
  expect(check({}, Buffer.from('a\n.\nb'), ['SIZE 10']).mail).toBe('SIZE=9')
  expect(() => check({}, Buffer.from('a\n.\nb\n\n'), ['SIZE 10'])).toThrow(error('ERR_LIMIT'))
  expect(check({}, Object.assign(chunks(''), { size: 10 }), ['SIZE 10'])).toMatchObject({ mail: 'SIZE=10', declared: 10 })
  expect(() => check({}, Object.assign(chunks(''), { size: 11 }), ['SIZE 10'])).toThrow(error('ERR_LIMIT'))
  expect(check({}, Object.assign(chunks(''), { size: 11 }), ['SIZE 0']).mail).toBe('SIZE=11')
  for (const size of [-1, 1.5, Number.NaN, '11', null, Infinity]) {
    expect(check({}, untyped(Object.assign(chunks(''), { size })), ['SIZE 10'])).toMatchObject({ mail: '', declared: undefined })
  }
  expect(check({}, Object.assign(chunks(''), { size: 5 }), []).declared).toBe(5)
})

test('recipients: each path once, with the parameters it has first; every address is told', () => {
  const { paths, recipients } = checkRecipients([
    { address: 'b@x.test', notify: 'never' },
    'c@x.test',
    { address: 'b@X.Test', notify: ['success'] },
    'B@x.test',
    'Postmaster',
    'postmaster',
  ])
  expect(paths.map(({ path, recipient }) => [path.mailbox, recipient.notify])).toEqual([
    ['b@x.test', 'never'],
    ['c@x.test', undefined],
    ['B@x.test', undefined], // local parts are told apart (RFC 5321 §2.4)
    ['Postmaster', undefined],
  ])
  expect(recipients).toEqual([
    { address: 'b@x.test', path: 0 },
    { address: 'c@x.test', path: 1 },
    { address: 'b@X.Test', path: 0 },
    { address: 'B@x.test', path: 2 },
    { address: 'Postmaster', path: 3 },
    { address: 'postmaster', path: 3 },
  ])
})

test.each<[unknown]>([[undefined], [null], [[]], ['b@x.test'], [{ address: 'b@x.test' }], [new Set(['b@x.test'])]])('to: %j is ERR_OPTION', (to) => {
  expect(() => checkRecipients(untyped(to))).toThrow(error('ERR_OPTION'))
})

test.each<[unknown]>([[null], [undefined], [5], [{}], [{ address: null }], [['b@x.test']], ['b'], ['b@x.test>'], [{ address: 'b@x.test\r\nDATA' }]])(
  'one recipient %j is ERR_ADDRESS and names it',
  (recipient) => {
    const named = expect.objectContaining({ code: 'ERR_ADDRESS', phase: 'rcpt', recipient: expect.any(String) })
    expect(() => checkRecipients(['ok@x.test', untyped(recipient)])).toThrow(named)
  },
)

test('an address that needs SMTPUTF8 where it is not offered is ERR_ADDRESS, for the recipient by its name', () => {
  const terms: Terms = { extensions: new Map(), isSecure: true, chunking: false, pipelining: 'envelope' }
  const optional = { optional: ['SMTPUTF8'] } as const
  expect(() => checkSubmission({ from: '', to: ['b@x.test', 'jörg@x.test'], options: optional }, ASCII, terms)).toThrow(
    expect.objectContaining({ code: 'ERR_ADDRESS', phase: 'rcpt', recipient: 'jörg@x.test' }),
  )
  expect(() => checkSubmission({ from: 'jörg@x.test', to: ['b@x.test'] }, ASCII, terms)).toThrow(
    expect.objectContaining({ code: 'ERR_ADDRESS', phase: 'mail', recipient: undefined }),
  )
  expect(checkSubmission({ from: '', to: ['b@bücher.test'] }, ASCII, terms).commands[1]?.octets.toString()).toBe('RCPT TO:<b@xn--bcher-kva.test>\r\n')
})

test('S37: what the caller changes afterwards changes nothing', () => {
  const to = [{ address: 'b@x.test' }]
  const options = { dsn: { ret: 'full' as 'full' | 'headers' } }
  const submission = checkSubmission({ from: 'a@x.test', to, options }, ASCII, {
    extensions: new Map([['DSN', '']]),
    isSecure: true,
    chunking: false,
    pipelining: 'envelope',
  })
  to[0] = { address: 'e@e.test' }
  to.push({ address: 'f@e.test' })
  options.dsn.ret = 'headers'
  expect(submission.commands.map(({ shown }) => shown)).toEqual(['MAIL FROM:<a@x.test> RET=FULL', 'RCPT TO:<b@x.test>', 'DATA'])
  expect(submission.recipients).toEqual([{ address: 'b@x.test', path: 0 }])
})

describe('LIMITS (RFC 9422)', () => {
  const many = ['a@x.test', 'b@X.test', 'c@y.test', 'd@x.test', 'e@z.test', { address: 'f@z.test' }]

  test.each<[string | undefined, number]>([
    [undefined, 6],
    ['', 6],
    ['RCPTMAX=6', 6],
    ['RCPTMAX=5', 5],
    ['RCPTMAX=1', 1],
    ['rcptmax=0002', 2],
    ['RCPTDOMAINMAX=1', 2],
    ['RCPTDOMAINMAX=2', 4],
    ['RCPTDOMAINMAX=3', 6],
    ['RCPTDOMAINMAX=2 RCPTMAX=3', 3],
    ['MAILMAX=1 RCPTMAX=9 RCPTDOMAINMAX=1', 2],
    ['RCPTMAX=0', 6],
    ['RCPTMAX=-1', 6],
    ['RCPTMAX=x', 6],
    ['RCPTMAX=5x', 6],
    ['XRCPTMAX=5', 6],
    ['RCPTMAX=9999999', 6],
  ])('%j: %d of six recipients fit', (limits, count) => {
    expect(fitting(many, limits)).toBe(count)
  })

  test('there is always room for one', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('RCPTMAX', 'RCPTDOMAINMAX', 'MAILMAX', '=', ' ', '0', '1', '2', ';', '\t')), (parts) => {
        expect(fitting(many, parts.join(''))).toBeGreaterThan(0)
        expect(parseLimits(parts.join('')).mailMax).toBeGreaterThan(0)
      }),
      { seed: 20261122 },
    )
  })

  test('more than fit is ERR_LIMIT, before anything is sent', async () => {
    const { client, server } = await overFlights({ extensions: ['PIPELINING', 'LIMITS RCPTMAX=2 MAILMAX=2'] })
    const to = ['a@x.test', 'b@x.test', 'c@x.test']
    expect(await rejection(client.submit({ from: '', to }, ASCII))).toMatchObject({ code: 'ERR_LIMIT', phase: 'mail', reusable: true })
    expect(server.lines).toHaveLength(1)
    expect((await client.submit({ from: '', to: [...to.slice(0, 2), 'a@X.TEST'] }, ASCII)).outcome).toBe('accepted') // two paths
    expect(client.usable).toBe(true)
    expect((await client.submit({ from: '', to: ['c@x.test'] }, ASCII)).outcome).toBe('accepted')
    expect(client.usable).toBe(false)
    expect(await rejection(client.submit({ from: '', to: ['c@x.test'] }, ASCII))).toMatchObject({ code: 'ERR_CLOSED', transient: true })
    expect(server.lines.filter((line) => line.startsWith('MAIL'))).toHaveLength(2)
    await client.quit()
    expect(server.lines.at(-1)).toBe('QUIT')
  })
})
