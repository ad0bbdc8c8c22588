import { expect, test } from 'vitest'
import { checkServerOptions, POP3_DEFAULTS, type ServerOptions } from '../../../src/tls/index.ts'

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
