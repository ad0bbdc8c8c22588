import { expect, test } from 'vitest'
import { checkMessageId, createMessageId, formatMessageIds, parseMessageIds } from '../../../../src/mime/field/message-id.ts'
import { growth, isLinear } from '../../../support/linear.ts'
import { ignore, reports, unfold } from '../../../support/reports.ts'

test.each<[body: string, ids: string[], valid?: boolean]>([
  [' <a@b>', ['a@b']],
  ['<a@b> <c@d>\t<e@f>', ['a@b', 'c@d', 'e@f']],
  ['<a@b>,<c@d>', ['a@b', 'c@d']],
  ['<a @ b>', ['a@b']],
  ['Your message of "Tue" <a@b> (was: x)', ['a@b']],
  ['<>', []],
  ['', []],
  ['a@b', ['a@b'], false],
  ['a@b, c@d', ['a@b', 'c@d'], false],
  ['only-word', ['only-word'], false],
  ['Your message of "Tue, 1 Jul"', [], false],
  ['(a comment)', []],
  // RFC 5322 §4.5.4: comments and blanks between the pieces of an identifier, phrases and comments between identifiers
  ['<1234   @   local(blah)  .machine .example>', ['1234@local.machine.example']],
  ['(c)<(c) a.b (c (d)) @ (c) x (c) > (c)', ['a.b@x']],
  ['<a(1)b@x>', ['a(1)b@x']],
  ['<a(b@x>', ['a(b@x']],
  ['<"a > b"@x> <"a\\" b".c@d>', ['"a > b"@x', '"a\\" b".c@d']],
  ['<a"b@x> <c"d@x>', ['a"b@x', 'c"d@x']],
  ['<"a@x> <"b@x>', ['"a@x', '"b@x']],
  ['<a@[192.0.2.1]> <b@[IPv6:2001:db8::1]>', ['a@[192.0.2.1]', 'b@[IPv6:2001:db8::1]']],
  ['"Joe <joe@x>" <a@b>, (not <c@d>) <e@f>', ['a@b', 'e@f']],
  ['5" <a@b> (c <d@e>', ['a@b', 'd@e']],
  ['<a@b <c@d>', ['a@b', 'c@d'], false],
  ['< a@b c', ['a@b'], false],
])('reads %j', (body, ids, valid = true) => {
  const seen = reports()
  expect(parseMessageIds(body, seen.report)).toEqual(ids)
  expect(seen.codes).toEqual(valid ? [] : ['invalid-message-id'])
})

test.each<[string, (count: number) => string]>([
  ['identifiers', (count) => '<a@b> '.repeat(count)],
  ['brackets', (count) => '<'.repeat(10 * count)],
  ['blanks', (count) => `<${' '.repeat(10 * count)}`],
  ['words', (count) => 'a '.repeat(10 * count)],
  ['parentheses', (count) => '('.repeat(10 * count)],
  ['parentheses in brackets', (count) => `<${'('.repeat(10 * count)}>`],
  ['brackets with parentheses', (count) => '<('.repeat(10 * count)],
  ['comments in brackets', (count) => `<${'()'.repeat(10 * count)}`],
  ['quotes', (count) => '"'.repeat(10 * count)],
  ['quotes in brackets', (count) => '<"'.repeat(10 * count)],
  ['escaped quotes in brackets', (count) => `<${'".\\'.repeat(10 * count)}`],
])('reads %s in linear time (M30)', (_what, make) => {
  expect(growth((body) => parseMessageIds(body, ignore), make, 20_000)).toSatisfy(isLinear)
})

test.each(['', 'a b', 'a@b\r\nBcc: x', 'a\0', 'é@b', 'a>b', '<a', 'x'.repeat(901)])('refuses %j (S9)', (id) => {
  expect(() => checkMessageId(id)).toThrow(expect.objectContaining({ code: 'ERR_HEADER' }))
})

test('brackets around an identifier do not count', () => {
  expect(checkMessageId('<a@b>')).toBe('a@b')
})

test('identifiers are new each time and tell nothing', () => {
  expect(createMessageId('x.test')).toMatch(/^[0-9a-f]{32}@x\.test$/)
  expect(createMessageId('x.test')).not.toBe(createMessageId('x.test'))
  expect(() => createMessageId('x\r\n')).toThrow(expect.objectContaining({ code: 'ERR_HEADER' }))
})

test('writes them folded, and reads them again', () => {
  const ids = Array.from({ length: 20 }, (_, at) => `${'x'.repeat(at * 10)}${at}@x.test`)
  const field = formatMessageIds('References', ids)
  expect(field.startsWith('References: <0@x.test> <xxxxxxxxxx1@x.test>')).toBe(true)
  for (const line of field.split('\r\n')) expect(line.length).toBeLessThanOrEqual(line.includes('> <') ? 78 : 220)
  expect(parseMessageIds(unfold(field), ignore)).toEqual(ids)
})
