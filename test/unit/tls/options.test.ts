import { expect, test } from 'vitest'
import { checkServerOptions, POP3_DEFAULTS, readSecret, type ServerOptions } from '../../../src/tls/options.ts'
import { rejection, untyped } from '../../support/smtp-replay.ts'

test.each([
  ['auth.password', { auth: { user: 'ann', password: 12 } }],
  ['auth.password', { auth: { user: 'ann' } }],
  ['auth.user', { auth: { user: 'a\r\nb', password: 'x' } }],
  ['host', { host: 'a b' }],
  ['port', { port: 65_536 }],
  ['security', { security: 'opportunistic' }],
  ['timeouts.idle', { timeouts: { idle: 0 } }],
  ['timeouts.silence', { timeouts: { silence: 1 } }],
  ['minimumRate', { minimumRate: -1 }],
  ['tls.minVersion', { tls: { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' } }],
  ['tls.ca', { tls: { ca: 'no certificate' } }],
  ['tls.cert', { tls: { key: 'alone' } }],
  ['tls.pins', { tls: { pins: ['short'] } }],
])('%s is refused at the door, by its name and without its value', (name, wrong) => {
  const options: ServerOptions = JSON.parse(JSON.stringify({ host: 'pop.test', ...wrong }))
  expect(() => checkServerOptions(options, POP3_DEFAULTS)).toThrow(
    expect.objectContaining({ code: 'ERR_OPTION', phase: 'options', message: expect.stringContaining(`the option ${name} must be`) }),
  )
})

const never = (): Promise<string> => new Promise(() => {})

test('a secret is given, or asked for each time', async () => {
  expect(await readSecret('a', 1, undefined)).toBe('a')
  expect(await readSecret(() => 'b', 1000, undefined)).toBe('b')
  expect(await readSecret(() => Promise.resolve('c'), 1000, new AbortController().signal)).toBe('c')
})

test('a function that throws, gives no string or never answers', async () => {
  const failure = new Error('vault is sealed')
  const throwing = (): string => {
    throw failure
  }
  expect(await rejection(readSecret(throwing, 1000, undefined))).toBe(failure)
  expect(await rejection(readSecret(() => untyped(7), 1000, undefined))).toMatchObject({ code: 'ERR_OPTION' })
  expect(await rejection(readSecret(never, 1, undefined))).toMatchObject({ code: 'ERR_TIMEOUT', phase: 'auth', transient: true })
  const controller = new AbortController()
  const waiting = rejection(readSecret(never, 1000, controller.signal))
  controller.abort(failure)
  expect(await waiting).toBe(failure)
})
