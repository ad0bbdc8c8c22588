import { expect, test } from 'vitest'
import { createMechanism, selectMechanism } from '../../../../src/wire/sasl/mechanism.ts'

const PASSWORD = { user: 'u', password: 'p' }

test('PLAIN says everything at once (RFC 4616), and once more to a server that asks', () => {
  const plain = createMechanism('PLAIN', 'ü', 'p w')
  expect(plain.initialResponse).toEqual(Buffer.from('\0ü\0p w'))
  expect(plain.respond(Buffer.from('?'))).toEqual(Buffer.from('\0ü\0p w'))
  expect(plain.respond(Buffer.from('?'))).toEqual(Buffer.alloc(0))
})

test('LOGIN says the name, then the password, whatever it is asked, and then no more (S22)', () => {
  const login = createMechanism('LOGIN', 'u', 'p')
  expect(login.initialResponse).toBeNull()
  expect(login.respond(Buffer.from('Password:'))).toEqual(Buffer.from('u'))
  expect(login.respond(Buffer.from('Username:'))).toEqual(Buffer.from('p'))
  expect(() => login.respond(Buffer.alloc(0))).toThrow(expect.objectContaining({ code: 'ERR_AUTH', phase: 'auth' }))
})

test('names and passwords that would change the message are refused (S1)', () => {
  for (const text of ['a\0b', 'a\r', 'a\n', '\ud800']) {
    expect(() => createMechanism('PLAIN', text, 'p')).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
    expect(() => createMechanism('LOGIN', 'u', text)).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
  }
})

test.each([
  [PASSWORD, ['LOGIN', 'plain'], 'PLAIN'],
  [PASSWORD, ['CRAM-MD5', 'Login'], 'LOGIN'],
  [{ ...PASSWORD, mechanism: 'login' }, ['PLAIN', 'LOGIN'], 'LOGIN'],
] as const)('of %j and %j the mechanism is %s', (login, offered, name) => {
  expect(selectMechanism(login, offered)).toBe(name)
})

test.each([
  [PASSWORD, [], /does not offer authentication/],
  [PASSWORD, ['SCRAM-SHA-256'], /does not offer PLAIN or LOGIN/],
  [{ ...PASSWORD, mechanism: 'PLAIN' }, ['LOGIN'], /does not offer PLAIN;/],
  [{ ...PASSWORD, mechanism: 'DIGEST-MD5' }, ['DIGEST-MD5'], /not available here/],
  [{ user: 'u', accessToken: 't' }, ['XOAUTH2', 'PLAIN'], /not available here/],
] as const)('of %j and %j there is none', (login, offered, message) => {
  expect(() => selectMechanism(login, offered)).toThrow(message)
  expect(() => selectMechanism(login, offered)).toThrow(expect.objectContaining({ code: 'ERR_AUTH_MECHANISM' }))
})
