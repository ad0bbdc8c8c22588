import { expect, test } from 'vitest'
import { normalizeDomain } from '../../../src/addr-spec.ts'
import { addressLiteral, parseForwardPath, parseReversePath } from '../../../src/smtp/path.ts'
import { untyped } from '../../support/smtp-replay.ts'

test.each([
  ['a@b.test', 'a@b.test'],
  ["!#$%&'*+-/=?^_`{|}~.x@b", "!#$%&'*+-/=?^_`{|}~.x@b"],
  ['"a"@b.test', 'a@b.test'],
  ['"a b"@b.test', '"a b"@b.test'],
  ['"a\\"\\\\\\b"@b.test', '"a\\"\\\\b"@b.test'],
  ['"a> SIZE=1 <"@ok.test', '"a> SIZE=1 <"@ok.test'],
  ['"a@b"@c.test', '"a@b"@c.test'],
  ['""@b.test', '""@b.test'],
  ['a@[127.0.0.1]', 'a@[127.0.0.1]'],
  ['a@[IPv6:::1]', 'a@[IPv6:::1]'],
  ['a@[IPv6:::ffff:1.2.3.4]', 'a@[IPv6:::ffff:1.2.3.4]'],
  ['a@host_1.test', 'a@host_1.test'],
  ['a@BÜCHER.test', 'a@xn--bcher-kva.test'],
  ['a@ｅvil.test', 'a@evil.test'],
  ['a@b。test', 'a@b.test'],
  ['a@XN--BCHER-KVA.test', 'a@xn--bcher-kva.test'],
  ['=?utf-8?q?admin=40evil=2Etest?=@good.test', '=?utf-8?q?admin=40evil=2Etest?=@good.test'],
  [`${'x'.repeat(64)}@b.test`, `${'x'.repeat(64)}@b.test`],
  ['postmaster', 'postmaster'],
])('%j is the forward-path %j (S2, S6, S7)', (text, mailbox) => {
  const path = parseForwardPath(text)
  expect(path.mailbox).toBe(mailbox)
  expect(path.international).toBe(false)
})

test('local parts that need SMTPUTF8', () => {
  expect(parseForwardPath('jörg@bücher.test')).toMatchObject({ mailbox: 'jörg@xn--bcher-kva.test', international: true })
  expect(parseReversePath('"jörg 1"@b.test')).toMatchObject({ mailbox: '"jörg 1"@b.test', international: true })
  expect(parseReversePath('😀@b.test').international).toBe(true)
})

test('the null reverse-path', () => {
  expect(parseReversePath('').mailbox).toBe('')
  expect(parseReversePath('<>').mailbox).toBe('')
  for (const text of ['', '<>', '<a@b.test>']) expect(() => parseForwardPath(text)).toThrow(/cannot be used/)
  expect(() => parseReversePath('postmaster')).toThrow(/no "@"/)
})

const CONTROLS = ['\r', '\n', '\r\n', '\0', '\x7f', '\x1b', '\u0085', '\u2028', '\u2029', '\u202e', '\ud800', '\udc00', '\ufeff']

test.each([
  '@b.test',
  'a@',
  'a@b@c',
  'a.@b.test',
  '.a@b.test',
  'a..b@c.test',
  'a b@c.test',
  ' a@b.test',
  'a@b.test ',
  'a@b.test NOTIFY=NEVER',
  'a@b.test> SIZE=1',
  '<a@b.test>c@d.test',
  'A <a@b.test>',
  'a@b.test,c@d.test',
  'a@b.test;c@d.test',
  '@r1,@r2:a@b',
  'user@good.test(x)evil.test',
  '"victim@good.test x"evil@evil.test',
  '"a@b.test',
  '"a"b@c.test',
  '"a\\"@b.test',
  'a@b..test',
  'a@.test',
  'a@b.test.',
  'a@-b.test',
  'a@b-.test',
  'a@[127.0.0.1',
  'a@[127.0.0.256]',
  'a@[127.0.0.1]x',
  'a@[x]',
  'a@[IPv6:::1%eth0]',
  'a@[IPv6:x]',
  'a@[tag:x]',
  'a@a%41.test',
  'a@xn--a.test',
  'a@＠.test',
  `${'x'.repeat(65)}@b.test`,
  `a@${'x'.repeat(64)}.test`,
  `a@${'x.'.repeat(130)}test`,
  `${'x'.repeat(64)}@${'y'.repeat(60)}.${'y'.repeat(60)}.${'y'.repeat(60)}.${'y'.repeat(8)}`,
  `a@b.test${' x'.repeat(100_000)}`,
  ...CONTROLS.flatMap((control) => [
    `a${control}@b.test`,
    `"a${control}"@b.test`,
    `"a\\${control}"@b.test`,
    `a@b${control}.test`,
    `a@b.test${control}`,
    `${control}a@b.test`,
  ]),
])('%j is no path (S1 to S4)', (text) => {
  for (const parse of [parseReversePath, parseForwardPath]) {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'ERR_ADDRESS', reusable: true }))
  }
})

test('what is no string is no path', () => {
  for (const value of [undefined, null, 7, {}, ['a@b.test'], ['postmaster']]) {
    expect(() => parseForwardPath(untyped(value))).toThrow(expect.objectContaining({ code: 'ERR_ADDRESS' }))
  }
})

test('address literals of our own end', () => {
  expect(['192.0.2.1', '::1', 'fe80::1%eth0', '::ffff:192.0.2.1', ''].map(addressLiteral)).toEqual([
    '[192.0.2.1]',
    '[IPv6:::1]',
    '[IPv6:fe80::1]',
    '[192.0.2.1]',
    '[127.0.0.1]',
  ])
  for (const address of ['192.0.2.1', '::1', 'fe80::1%eth0', '']) expect(normalizeDomain(addressLiteral(address))).toBe(addressLiteral(address))
})
