import { expect, test } from 'vitest'
import { CommandError, describeFailure } from '../../../src/cli/failure.ts'
import { MailError, type ErrorCode, type Phase } from '../../../src/errors.ts'

function disk(code: string): Error {
  return Object.assign(new Error(`${code}: no such thing, open '/secret/path'`), { code, syscall: 'open', path: '/some/path' })
}

test.each<[ErrorCode, Phase, number, Error?]>([
  ['ERR_OPTION', 'options', 2],
  ['ERR_ADDRESS', 'mail', 2],
  ['ERR_FROM_MISSING', 'options', 2],
  ['ERR_TO_MISSING', 'options', 2],
  ['ERR_HOST_UNKNOWN', 'connect', 3],
  ['ERR_CONNECT', 'connect', 3],
  ['ERR_TLS_CERTIFICATE', 'tls', 3],
  ['ERR_TLS_VERSION', 'tls', 3],
  ['ERR_TLS_REQUIRED', 'stls', 3],
  ['ERR_AUTH', 'auth', 3],
  ['ERR_AUTH_CLEAR_TEXT', 'auth', 3],
  ['ERR_TIMEOUT', 'greeting', 3],
  ['ERR_CLOSED', 'ehlo', 3],
  ['ERR_POP3_REPLY', 'greeting', 3],
  ['ERR_POP3_REPLY', 'uidl', 1],
  ['ERR_TIMEOUT', 'retr', 1],
  ['ERR_CLOSED', 'content', 1],
  ['ERR_STATE_LOCKED', 'state', 1],
  ['ERR_STATE', 'state', 2, disk('EACCES')],
  ['ERR_STATE', 'state', 2, disk('ENOTDIR')],
  ['ERR_STATE', 'state', 1, disk('ENOSPC')],
  ['ERR_STATE_DAMAGED', 'state', 2],
  ['ERR_UNIQUE_ID', 'uidl', 1],
])('%s in phase %s gives exit status %i', (code, phase, status, cause) => {
  const described = describeFailure(new MailError(code, 'it went wrong', { phase, cause }))
  expect(described.status).toBe(status)
  expect(described.message).toMatch(/^it went wrong(?:; .+)?$/)
})

test('no failure is more than one line, and none moves a cursor', () => {
  const text = 'a\r\nb\u001B[2J\u202Ec'
  for (const error of [new CommandError(text), new MailError('ERR_AUTH', text, { phase: 'auth' }), new Error(text), text, disk('EACCES')]) {
    expect(describeFailure(error).message).not.toMatch(/[\p{Cc}\u202E]/u)
  }
})

test('options of the library are named as those of the command', () => {
  const refused = new MailError('ERR_OPTION', 'the option tls.ca must be certificates in PEM form', { phase: 'options' })
  expect(describeFailure(refused).message).toBe('--ca must be certificates in PEM form')
})

test('a file that cannot be read is wrong use; what nobody expected is status 1', () => {
  expect(describeFailure(disk('EACCES'))).toEqual({ message: 'cannot use /some/path: permission denied', status: 2 })
  expect(describeFailure(new TypeError('x is not a function')).status).toBe(1)
})
