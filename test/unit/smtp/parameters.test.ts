import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MailError } from '../../../src/errors.ts'
import { checkSubmission, type Recipient, type SubmitOptions } from '../../../src/smtp/envelope.ts'
import type { OptionalExtension } from '../../../src/smtp/parameters.ts'
import { untyped } from '../../support/smtp-replay.ts'

const EVERYTHING: Readonly<Record<string, string>> = {
  '8BITMIME': '',
  AUTH: 'PLAIN',
  BINARYMIME: '',
  CHUNKING: '',
  DELIVERBY: '',
  DSN: '',
  FUTURERELEASE: '',
  'MT-PRIORITY': '',
  PIPELINING: '',
  REQUIRETLS: '',
  SIZE: '',
  SMTPUTF8: '',
}

interface Given {
  readonly options?: SubmitOptions
  readonly to?: readonly (string | Recipient)[]
  readonly from?: string
  readonly offered?: Readonly<Record<string, string>>
  readonly content?: Parameters<typeof checkSubmission>[1]
  readonly isSecure?: boolean
}

/** The command lines of an envelope. */
function lines({ options = {}, to = ['b@x.test'], from = 'a@x.test', offered = EVERYTHING, content = source(), isSecure = true }: Given): string[] {
  const terms = { extensions: new Map(Object.entries(offered)), isSecure, chunking: false, pipelining: 'envelope' } as const
  return checkSubmission({ from, to, options }, content, terms).commands.map(({ octets }) => octets.toString().slice(0, -2))
}

async function* source(): AsyncGenerator<Uint8Array> {}

/** What stands behind the path of MAIL, but for what every stream has. */
const parametersOf = (options: SubmitOptions, offered = EVERYTHING): string =>
  (lines({ options: { body: '7bit', ...options }, offered })[0] ?? '').replace(/^MAIL FROM:<a@x\.test> ?/, '')

const without = (keyword: string): Record<string, string> => Object.fromEntries(Object.entries(EVERYTHING).filter(([name]) => name !== keyword))
const code = (name: string): unknown => expect.objectContaining({ code: name, reusable: true })

const SECOND = new Date('2030-01-02T03:04:05Z')

describe.each<[OptionalExtension, SubmitOptions, string]>([
  ['8BITMIME', { body: '8bit' }, 'BODY=8BITMIME'],
  ['AUTH', { submitter: 'e+mc2@x.test' }, 'AUTH=e+2Bmc2@x.test'],
  ['DELIVERBY', { deliverBy: { seconds: 125, late: 'notify' } }, 'BY=125;N'],
  ['DSN', { dsn: { ret: 'full' } }, 'RET=FULL'],
  ['DSN', { dsn: { ret: 'headers' } }, 'RET=HDRS'],
  ['DSN', { dsn: { envid: 'QQ 314=+159' } }, 'ENVID=QQ+20314+3D+2B159'],
  ['FUTURERELEASE', { futureRelease: { seconds: 86_400 } }, 'HOLDFOR=86400'],
  ['FUTURERELEASE', { futureRelease: { until: SECOND } }, 'HOLDUNTIL=2030-01-02T03:04:05Z'],
  ['MT-PRIORITY', { priority: -9 }, 'MT-PRIORITY=-9'],
  ['REQUIRETLS', { requireTls: true }, 'REQUIRETLS'],
  ['SMTPUTF8', { smtpUtf8: true }, 'SMTPUTF8'],
])('%s by %j', (keyword, options, parameter) => {
  test('is said where it is offered, optional or not', () => {
    expect(parametersOf(options)).toBe(parameter)
    expect(parametersOf({ ...options, optional: [keyword] })).toBe(parameter)
  })

  test('is refused where it is not, unless it is optional, and then left out', () => {
    const offered = without(keyword)
    expect(() => parametersOf(options, offered)).toThrow(code('ERR_UNSUPPORTED'))
    const others = (['8BITMIME', 'AUTH', 'DELIVERBY', 'DSN', 'FUTURERELEASE', 'MT-PRIORITY', 'REQUIRETLS', 'SMTPUTF8'] as const).filter(
      (name) => name !== keyword,
    )
    expect(() => parametersOf({ ...options, optional: others }, offered)).toThrow(code('ERR_UNSUPPORTED'))
    expect(parametersOf({ ...options, optional: [keyword] }, offered)).toBe('')
  })
})

test('REQUIRETLS needs a server that is known to be the right one, or is left out where that is optional (RFC 8689 §4.1)', () => {
  const options = { requireTls: true } as const
  expect(() => lines({ options, isSecure: false })).toThrow(code('ERR_UNSUPPORTED'))
  expect(lines({ options: { ...options, optional: ['REQUIRETLS'], body: '7bit' }, isSecure: false })[0]).toBe('MAIL FROM:<a@x.test>')
  expect(parametersOf({ requireTls: false }, {})).toBe('')
})

test('BINARYMIME needs CHUNKING too and is never optional; BDAT follows instead of DATA (RFC 3030 §3)', () => {
  const options = { body: 'binary' } as const
  expect(lines({ options })).toEqual(['MAIL FROM:<a@x.test> BODY=BINARYMIME', 'RCPT TO:<b@x.test>'])
  for (const keyword of ['BINARYMIME', 'CHUNKING']) expect(() => lines({ options, offered: without(keyword) })).toThrow(code('ERR_UNSUPPORTED'))
  expect(() => lines({ options: { optional: untyped(['BINARYMIME']) } })).toThrow(code('ERR_OPTION'))
})

test('all at once: order and exact text', () => {
  const options: SubmitOptions = {
    dsn: { notify: ['failure'], ret: 'headers', envid: 'e1' },
    requireTls: true,
    body: '8bit',
    smtpUtf8: true,
    priority: 3,
    deliverBy: { seconds: 60, late: 'return', trace: true },
    futureRelease: { seconds: 1 },
    submitter: '',
  }
  const to = ['b@x.test', { address: 'c@x.test', notify: ['success', 'delay'], orcpt: 'other@y.test' } as const]
  expect(lines({ options, to, content: Buffer.from('ü\r\n') })).toEqual([
    'MAIL FROM:<a@x.test> RET=HDRS ENVID=e1 REQUIRETLS MT-PRIORITY=3 BY=60;RT HOLDFOR=1 AUTH=<> SIZE=4 BODY=8BITMIME SMTPUTF8',
    'RCPT TO:<b@x.test> NOTIFY=FAILURE',
    'RCPT TO:<c@x.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;other@y.test',
    'DATA',
  ])
  expect(lines({ offered: {} })).toEqual(['MAIL FROM:<a@x.test>', 'RCPT TO:<b@x.test>', 'DATA'])
})

test.each<[SubmitOptions, string | null]>([
  [{ priority: 9 }, 'MT-PRIORITY=9'],
  [{ priority: 0 }, 'MT-PRIORITY=0'],
  [{ priority: -0 }, 'MT-PRIORITY=0'],
  [{ priority: 10 }, null],
  [{ priority: -10 }, null],
  [{ priority: 1.5 }, null],
  [{ priority: Number.NaN }, null],
  [{ deliverBy: { seconds: 999_999_999, late: 'return' } }, 'BY=999999999;R'],
  [{ deliverBy: { seconds: 1_000_000_000, late: 'return' } }, null],
  [{ deliverBy: { seconds: 1, late: 'return', trace: true } }, 'BY=1;RT'],
  [{ deliverBy: { seconds: 1, late: 'notify', trace: true } }, 'BY=1;NT'],
  [{ deliverBy: { seconds: 1, late: 'notify', trace: false } }, 'BY=1;N'],
  [{ deliverBy: { seconds: 0, late: 'return' } }, null],
  [{ deliverBy: { seconds: -1, late: 'return' } }, null],
  [{ deliverBy: { seconds: 0, late: 'notify' } }, 'BY=0;N'],
  [{ deliverBy: { seconds: -999_999_999, late: 'notify' } }, 'BY=-999999999;N'],
  [{ deliverBy: { seconds: -1_000_000_000, late: 'notify' } }, null],
  [{ deliverBy: { seconds: 0.5, late: 'notify' } }, null],
  [{ futureRelease: { seconds: 1 } }, 'HOLDFOR=1'],
  [{ futureRelease: { seconds: 0 } }, null],
  [{ futureRelease: { seconds: 999_999_999 } }, 'HOLDFOR=999999999'],
  [{ futureRelease: { seconds: 1_000_000_000 } }, null],
  [{ futureRelease: { until: new Date('2030-01-02T03:04:05.678Z') } }, 'HOLDUNTIL=2030-01-02T03:04:05Z'],
  [{ futureRelease: { until: new Date('9999-12-31T23:59:59.999Z') } }, 'HOLDUNTIL=9999-12-31T23:59:59Z'],
  [{ futureRelease: { until: new Date('+010000-01-01T00:00:00Z') } }, null],
  [{ futureRelease: { until: new Date(Number.NaN) } }, null],
  [{ futureRelease: { until: new Date(-8.64e15) } }, null],
  [{ dsn: { envid: 'x'.repeat(100) } }, `ENVID=${'x'.repeat(100)}`],
  [{ dsn: { envid: 'x'.repeat(101) } }, null],
  [{ dsn: { envid: `${'x'.repeat(98)}+` } }, null],
  [{ dsn: { envid: `${'x'.repeat(97)}+` } }, `ENVID=${'x'.repeat(97)}+2B`],
  [{ dsn: { envid: '' } }, null],
  [{ dsn: { envid: 'ü' } }, null],
  [{ dsn: { envid: 'a\tb' } }, null],
  [{ dsn: { envid: '~!' } }, 'ENVID=~!'],
  [{ submitter: '<>' }, 'AUTH=<>'],
  [{ submitter: '"a b"@x.test' }, 'AUTH="a+20b"@x.test'],
  [{ submitter: 'a=b@bücher.test' }, 'AUTH=a+3Db@xn--bcher-kva.test'],
])('the limits of values: %j', (options, parameter) => {
  if (parameter === null) expect(() => parametersOf(options)).toThrow(code('ERR_OPTION'))
  else expect(parametersOf(options)).toBe(parameter)
})

test("DELIVERBY: 'return' is not asked for sooner than the server can, 'notify' may be (RFC 2852 §2)", () => {
  const offered = { DELIVERBY: '240' }
  expect(parametersOf({ deliverBy: { seconds: 240, late: 'return' } }, offered)).toBe('BY=240;R')
  expect(() => parametersOf({ deliverBy: { seconds: 239, late: 'return' } }, offered)).toThrow(code('ERR_LIMIT'))
  expect(parametersOf({ deliverBy: { seconds: 1, late: 'notify' } }, offered)).toBe('BY=1;N')
  expect(parametersOf({ deliverBy: { seconds: 1, late: 'return' } }, { DELIVERBY: 'nonsense' })).toBe('BY=1;R')
})

test('FUTURERELEASE: no longer than the server holds (RFC 4865 §3)', () => {
  const offered = { FUTURERELEASE: '3600 2030-01-02T03:04:05Z' }
  const beyond = code('ERR_LIMIT')
  expect(parametersOf({ futureRelease: { seconds: 3600 } }, offered)).toBe('HOLDFOR=3600')
  expect(() => parametersOf({ futureRelease: { seconds: 3601 } }, offered)).toThrow(beyond)
  expect(parametersOf({ futureRelease: { until: SECOND } }, offered)).toBe('HOLDUNTIL=2030-01-02T03:04:05Z')
  expect(() => parametersOf({ futureRelease: { until: new Date(SECOND.getTime() + 1000) } }, offered)).toThrow(beyond)
  expect(parametersOf({ futureRelease: { seconds: 9 } }, { FUTURERELEASE: 'x y' })).toBe('HOLDFOR=9')
  expect(parametersOf({ futureRelease: { until: SECOND } }, { FUTURERELEASE: 'x y' })).toBe('HOLDUNTIL=2030-01-02T03:04:05Z')
  const hostile = { FUTURERELEASE: '1 2020/1/1(\x1b[2J)' } // a date to Date.parse
  expect(() => parametersOf({ futureRelease: { until: SECOND } }, hostile)).toThrow(
    expect.not.objectContaining({ message: expect.stringContaining('\x1b') }),
  )
})

test.each<[string, unknown[]]>([
  ['dsn', [null, 'never', 5]],
  ['dsn.ret', ['FULL', '', null, true]],
  ['dsn.envid', [5, null, {}, ['x']]],
  ['dsn.notify', ['NEVER', '', [], ['never'], ['success', 'x'], [null], 5, {}, new Set(['success'])]],
  ['requireTls', ['true', 1, {}]],
  ['smtpUtf8', ['true', 1, {}]],
  ['priority', ['5', true, {}, [1]]],
  ['deliverBy', [null, 60, '60', {}, { seconds: '60', late: 'return' }, { seconds: 60 }, { seconds: 60, late: 'R' }]],
  ['deliverBy.trace', ['true', 1]],
  ['futureRelease', [null, 60, '60', {}, { seconds: '60' }, { until: '2030-01-02T03:04:05Z' }, { until: 5 }, { until: null }]],
  ['optional', [null, 'DSN', {}, ['dsn'], ['SIZE'], [5], new Set(['DSN'])]],
  ['body', ['8BIT', '', true, 8]],
  ['lineEnds', ['keep', '', true]],
  ['maxLineOctets', [0, -1, 1.5, Number.NaN, Infinity, '998']],
  ['partial', ['some', '', true]],
])('%s of another type or another value is ERR_OPTION, before anything is sent: %j', (name, values) => {
  const [group = '', field] = name.split('.')
  for (const value of values) {
    const usual = group === 'deliverBy' ? { seconds: 60, late: 'return' } : {}
    const options = { [group]: field === undefined ? value : { ...usual, [field]: value } }
    const said = { [group]: String(value) }
    expect(() => lines({ options: untyped(options), content: source() }), JSON.stringify(said)).toThrow(code('ERR_OPTION'))
  }
})

test('a submitter that is no address is ERR_ADDRESS, and one that is not ASCII ERR_OPTION', () => {
  for (const submitter of ['a', 'a@', 'a@x.test>\r\nRCPT TO:<c@x.test', 'a b@x.test', untyped(null), untyped(5)]) {
    expect(() => parametersOf({ submitter })).toThrow(code('ERR_ADDRESS'))
  }
  expect(() => parametersOf({ submitter: 'jörg@x.test' })).toThrow(code('ERR_OPTION'))
})

/** What stands behind the path of RCPT. */
const ofRecipient = (recipient: Omit<Recipient, 'address'>, options: SubmitOptions = {}, offered = EVERYTHING): string =>
  (lines({ to: [{ address: 'b@x.test', ...recipient }], options, offered })[1] ?? '').replace(/^RCPT TO:<b@x\.test> ?/, '')

test.each<[Recipient['notify'], NonNullable<SubmitOptions['dsn']>['notify'], string]>([
  [undefined, undefined, ''],
  [undefined, 'never', 'NOTIFY=NEVER'],
  [undefined, ['delay', 'failure', 'success'], 'NOTIFY=DELAY,FAILURE,SUCCESS'],
  ['never', ['success'], 'NOTIFY=NEVER'],
  [['success'], 'never', 'NOTIFY=SUCCESS'],
  [['failure', 'failure', 'delay'], undefined, 'NOTIFY=FAILURE,DELAY'],
])('NOTIFY of a recipient (%j) goes before that of the message (%j)', (notify, general, expected) => {
  expect(ofRecipient({ notify }, general === undefined ? {} : { dsn: { notify: general } })).toBe(expected)
})

test('NOTIFY and ORCPT need DSN, or are left out where that is optional', () => {
  for (const recipient of [{ notify: 'never' }, { orcpt: 'o@x.test' }] as const) {
    expect(() => ofRecipient(recipient, {}, without('DSN'))).toThrow(code('ERR_UNSUPPORTED'))
    expect(ofRecipient(recipient, { optional: ['DSN'] }, without('DSN'))).toBe('')
    expect(ofRecipient(recipient, { optional: ['DSN'] })).not.toBe('')
  }
  expect(() => ofRecipient({ notify: untyped(['x']) }, { optional: ['DSN'] }, {})).toThrow(code('ERR_OPTION'))
})

test.each([
  ['other@y.test', 'ORCPT=rfc822;other@y.test'],
  ['rfc822;other@y.test', 'ORCPT=rfc822;other@y.test'],
  ['x400;/C=de/A=b c/', 'ORCPT=x400;/C+3Dde/A+3Db+20c/'],
  ['"a;b"@y.test', 'ORCPT=rfc822;"a;b"@y.test'],
  ['a+b=c@y.test', 'ORCPT=rfc822;a+2Bb+3Dc@y.test'],
  ['jörg@y.test', 'ORCPT=utf-8;j\\x{F6}rg@y.test'],
  ['utf-8;jörg+x=1 \\@y.test', 'ORCPT=utf-8;j\\x{F6}rg\\x{2B}x\\x{3D}1\\x{20}\\x{5C}@y.test'],
  ['UTF-8;a+b@y.test', 'ORCPT=utf-8;a\\x{2B}b@y.test'],
  ['utf-8;\u{1f4e7}@y.test', 'ORCPT=utf-8;\\x{1F4E7}@y.test'],
  ['x'.repeat(500), `ORCPT=rfc822;${'x'.repeat(500)}`],
])('ORCPT %j (RFC 3461 §4.2, RFC 6533 §3)', (orcpt, expected) => {
  expect(ofRecipient({ orcpt })).toBe(expected)
})

test.each([
  '',
  'rfc822;',
  'utf-8;',
  'x400;jörg',
  'x'.repeat(501),
  '+'.repeat(200),
  `utf-8;${'ü'.repeat(101)}`,
  'a\r\nb',
  'a\nRCPT TO:<e@e>',
  'a\0b',
  'utf-8;\ud800',
  'utf-8;a\tb',
  'utf-8;\u202e',
  untyped(null),
  untyped(5),
  untyped({}),
])('ORCPT %j is refused', (orcpt) => {
  expect(() => ofRecipient({ orcpt })).toThrow(code('ERR_OPTION'))
})

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc
    .array(
      fc.constantFrom(
        '\r\n',
        '\n',
        '\r',
        '\0',
        ' ',
        ';',
        '=',
        '+',
        '+0A',
        '\\',
        '\\x{A}',
        '>',
        'NOTIFY=NEVER',
        'SIZE=1',
        'ü',
        '\ud800',
        '\u2028',
        'utf-8;',
        '\u{1f4e7}',
        'a@x.test',
      ),
      { maxLength: 8 },
    )
    .map((parts) => parts.join('')),
)

test('no text can end a value, a line or add a parameter (S1)', () => {
  let accepted = 0
  fc.assert(
    fc.property(hostile, hostile, hostile, (envid, orcpt, submitter) => {
      for (const given of [{ options: { dsn: { envid } } }, { options: { submitter } }, { to: [{ address: 'b@x.test', orcpt }] }]) {
        try {
          const [mail = '', rcpt = '', ...rest] = lines({ ...given, content: Buffer.from('x') })
          accepted++
          expect(rest).toEqual(['DATA'])
          expect(mail).toMatch(
            /^MAIL FROM:<a@x\.test>(?: ENVID=[!-*,-<>-~]*(?:\+[0-9A-F]{2}[!-*,-<>-~]*)*| AUTH=[!-*,-<>-~]*(?:\+[0-9A-F]{2}[!-*,-<>-~]*)*)? SIZE=3$/,
          )
          expect(rcpt).toMatch(/^RCPT TO:<b@x\.test>(?: ORCPT=[A-Za-z0-9-]+;[!-<>-~]+)?$/)
        } catch (error) {
          if (!(error instanceof MailError)) throw error
          expect(['ERR_OPTION', 'ERR_ADDRESS']).toContain(error.code)
        }
      }
    }),
    { numRuns: 3000, seed: 20261122 },
  )
  expect(accepted).toBeGreaterThan(500)
})

test('xtext can be read back (RFC 3461 §4)', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 33 }), (envid) => {
      const encoded = parametersOf({ dsn: { envid } }).replace('ENVID=', '')
      expect(encoded.replaceAll(/\+([0-9A-F]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))).toBe(envid)
    }),
    { seed: 20261122 },
  )
})
