import { expect, test } from 'vitest'
import * as command from '../../../src/pop3/command.ts'

test.each([
  [command.capa(), 'CAPA'],
  [command.stls(), 'STLS'],
  [command.user('ann@example.com'), 'USER ann@example.com'],
  [command.stat(), 'STAT'],
  [command.list(), 'LIST'],
  [command.uidl(), 'UIDL'],
  [command.retr(7), 'RETR 7'],
  [command.top(7, 0), 'TOP 7 0'],
  [command.dele(4294967296), 'DELE 4294967296'],
  [command.rset(), 'RSET'],
  [command.noop(), 'NOOP'],
  [command.quit(), 'QUIT'],
  [command.utf8(), 'UTF8'],
  [command.languages(), 'LANG'],
  [command.lang('*'), 'LANG *'],
  [command.uniqueId(7), 'UIDL 7'],
  [command.top(7, 0, 'RETR'), 'RETR 7'],
  [command.auth('LOGIN', null, 'x'), 'AUTH LOGIN'],
  [command.authCancel(), '*'],
])('writes %o', (written, line) => {
  expect(written.octets.toString()).toBe(`${line}\r\n`)
  expect(written.shown).toBe(line)
})

test('PASS keeps blanks, and nothing shows its argument', () => {
  const written = command.pass('  two  blanks ')
  expect(written.octets.toString()).toBe('PASS   two  blanks \r\n')
  expect(written.shown).toBe('PASS ***')
})

test('AUTH: an empty initial response is =, an empty answer an empty line, and nothing shows either (RFC 5034, section 4)', () => {
  const empty = command.auth('EXTERNAL', Buffer.alloc(0), 'x')
  expect([empty.octets.toString(), empty.shown, empty.success]).toEqual(['AUTH EXTERNAL =\r\n', 'AUTH EXTERNAL ***', true])
  const answer = command.authResponse(Buffer.alloc(0), 'x', false)
  expect([answer.octets.toString(), answer.shown, answer.success]).toEqual(['\r\n', '***', false])
  expect(command.authResponse(Buffer.alloc(9_000), 'x', true).octets).toHaveLength(12_002)
  expect(() => command.authResponse(Buffer.alloc(10_000), 'x', true)).toThrow(expect.objectContaining({ code: 'ERR_LIMIT' }))
})

test.each([187, 188])('AUTH: a line of at most 255 octets holds an initial response of %d octets, or has none', (length) => {
  const { octets, success } = command.auth('PLAIN', Buffer.alloc(length), 'x')
  expect(success).toBe(octets.length > 20)
  expect(octets.length).toBeLessThanOrEqual(255)
})

test('user and password go out as UTF-8', () => {
  expect(command.user('jörg').octets).toEqual(Buffer.from('USER jörg\r\n'))
  expect(command.pass('ключ 100%').octets).toEqual(Buffer.from('PASS ключ 100%\r\n'))
})

test.each(['a\r\nDELE 1', 'a\n', 'a\r', 'a\0', 'a\tb', 'a\x7f', 'a\x1b', 'a\u0085', 'a\u2028', '\ud800'])('P16, S1: %j is refused', (text) => {
  for (const build of [command.user, command.pass]) {
    expect(() => build(text)).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
  }
})

test('octets that only look like a line end when cut to eight bits go out as UTF-8', () => {
  expect(command.user('\u560d\u560a').octets.toString('latin1')).not.toMatch(/[\r\n]./)
})

test('a command has at most 255 octets (RFC 2449 section 4)', () => {
  expect(command.pass('x'.repeat(248)).octets).toHaveLength(255)
  expect(() => command.pass('x'.repeat(249))).toThrow(expect.objectContaining({ code: 'ERR_OPTION', message: expect.not.stringContaining('xx') }))
})

test.each([0, -1, 1.5, Number.NaN, Infinity, 2 ** 53])('%d is no message-number', (number) => {
  for (const build of [command.retr, command.dele, (n: number) => command.top(n, 0)]) {
    expect(() => build(number)).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
  }
})

test.each([-1, 0.5, Number.NaN])('%d is no number of lines', (lines) => {
  expect(() => command.top(1, lines)).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
})
