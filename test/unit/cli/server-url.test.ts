import { expect, test } from 'vitest'
import { parseServerUrl } from '../../../src/cli/server-url.ts'

test.each([
  ['pop3s://h.example', { protocol: 'pop3', security: 'tls', host: 'h.example', port: 995 }],
  ['pop3://h.example', { protocol: 'pop3', security: 'starttls', port: 110 }],
  ['smtps://h.example', { protocol: 'smtp', security: 'tls', port: 465 }],
  ['smtp://h.example', { protocol: 'smtp', security: 'starttls', port: 587 }],
  ['pop3://h.example?security=none', { security: 'none', port: 110 }],
  ['smtp://h.example?security=none', { security: 'none', port: 25 }],
  ['smtp://h.example:2525/?security=none', { security: 'none', port: 2525 }],
  ['pop3://h.example?security=starttls', { security: 'starttls', port: 110 }],
  ['pop3s://h.example:1995?minVersion=TLSv1&maxVersion=TLSv1.2', { port: 1995, minVersion: 'TLSv1', maxVersion: 'TLSv1.2' }],
  ['pop3s://alice%40example.com@h.example', { user: 'alice@example.com', host: 'h.example' }],
  ['pop3s://alice@example.com@h.example', { user: 'alice@example.com', host: 'h.example' }],
  ['pop3s://a%2Fb%3A%23%25@h.example', { user: 'a/b:#%' }],
  ['pop3s://m%C3%BCller@h.example', { user: 'müller' }],
  ['pop3s://u@[::1]:1100', { host: '::1', port: 1100, user: 'u' }],
  ['pop3s://[2001:db8::1]', { host: '2001:db8::1', port: 995 }],
  ['pop3s://127.0.0.1', { host: '127.0.0.1' }],
  ['pop3s://bücher.example', { host: 'xn--bcher-kva.example' }],
  ['POP3S://H.example', { protocol: 'pop3', host: 'H.example' }],
  ['pop3s://my_host', { host: 'my_host' }],
])('reads %s', (text, expected) => expect(parseServerUrl(text)).toMatchObject(expected))

test.each([
  ['no URL', 'mail.example.com', 'the server is written as a URL, for example pop3s://mail.example.com'],
  ['no URL with a port', 'mail.example.com:995', 'the server is written as a URL'],
  ['another scheme', 'https://h', 'begins with pop3s or pop3, not https'],
  ['IMAP', 'imaps://h', 'begins with pop3s or pop3, not imaps'],
  ['the other protocol', 'smtps://h', 'mail is got with POP3: write pop3s:// in place of smtps://'],
  ['the other protocol without TLS', 'smtp://h', 'write pop3:// in place of smtp://'],
  ['no host', 'pop3s://', 'the server URL has no host'],
  ['a path', 'pop3s://h/inbox', 'scheme, user, host, port and ?options only'],
  ['a fragment', 'pop3s://h#x', 'scheme, user, host, port and ?options only'],
  ['a port that is none', 'pop3s://h:99999', 'cannot be read'],
  ['port 0', 'pop3s://h:0', 'a port is a number from 1 to 65535'],
  ['an unknown option', 'pop3s://h?minversion=TLSv1', 'unknown option minversion (did you mean minVersion?) in the server URL'],
  ['an option twice', 'pop3s://h?minVersion=TLSv1&minVersion=TLSv1.2', 'minVersion stands twice'],
  ['an unknown version', 'pop3s://h?minVersion=SSLv3', 'minVersion in the server URL is one of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3'],
  ['versions upside down', 'pop3s://h?minVersion=TLSv1.3&maxVersion=TLSv1.2', 'minVersion (TLSv1.3) is above maxVersion (TLSv1.2)'],
  ['a maximum below the default minimum', 'pop3s://h?maxVersion=TLSv1.1', 'minVersion (TLSv1.2, the default) is above maxVersion (TLSv1.1)'],
  ['clear text with TLS', 'pop3s://h?security=none', '?security=none goes with pop3://'],
  ['an unknown security', 'pop3://h?security=maybe', '?security= is «none» for clear text'],
  ['versions of clear text', 'pop3://h?security=none&minVersion=TLSv1.2', 'minVersion and maxVersion have no meaning'],
  ['a user that cannot be decoded', 'pop3s://100%@h', 'write «%» as %25'],
  ['blanks', 'pop3s://h .example', 'no blanks'],
  ['control characters', 'pop3s://h\r\nQUIT', 'no blanks, control characters'],
  ['an encoded control character in the host', 'pop3s://h%0d%0a', 'is not a host name'],
])('refuses %s', (_name, text, message) => {
  expect(() => parseServerUrl(text, 'pop3')).toThrow(expect.objectContaining({ status: 2, message: expect.stringContaining(message) }))
})

test.each([
  'pop3s://u:canary-123@h',
  'pop3s://u:canary-123#x@h',
  'pop3s://u:canary-123/x@h',
  'pop3s://u:canary/-123@h',
  'pop3s://u:12/canary-123@h',
  'pop3s://u:12?canary-123@h',
  'pop3s://u:12?canary-123=@h',
  'pop3s://:canary-123@h',
  'pop3s://u:canary-123@',
  'pop3s://u:canary-123@h:99999',
  'pop3s://u:canary-123\\@h',
  'pop3s://u:canary-123 @h',
  'https://u:canary-123@h',
  'smtps://u:canary-123@h',
  'u:canary-123@h',
])('%s is refused, and the password stays out of the message (S24)', (text) => {
  let message = ''
  try {
    parseServerUrl(text, 'pop3')
  } catch (error) {
    message = error instanceof Error ? error.message : ''
  }
  expect(message).not.toBe('')
  expect(message).not.toMatch(/canary|123/)
})
