import { expect, test } from 'vitest'
import { checkGetOperation, checkSendOperation } from '../../../src/connector/operation.ts'
import { MailConnector } from '../../../src/index.ts'

/** As a caller without types would say it. */
function untyped(value: unknown): ReturnType<typeof JSON.parse> {
  return JSON.parse(JSON.stringify(value))
}

function handler(): void {}

test.each([
  ['disposition', {}],
  ['disposition', { disposition: 'both' }],
  ['fromAddress', { disposition: 'all', fromAddress: 'Orders <o@x.example>' }],
  ['fromAddress', { disposition: 'all', fromAddress: 'x.example' }],
  ['deleteFromServer', { disposition: 'all', deleteFromServer: 'yes' }],
  ['handOver', { disposition: 'all', handOver: 'later' }],
  ['limit.messages', { disposition: 'all', limit: { messages: 0 } }],
  ['limit.octets', { disposition: 'all', limit: { octets: 1.5 } }],
])('get: %s is checked at the door', (name, operation) => {
  expect(() => checkGetOperation(untyped(operation))).toThrow(expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(name) }))
})

test('a blank From Address means mail of all senders', () => {
  expect(checkGetOperation({ disposition: 'all', fromAddress: '  ' }).fromAddress).toBeUndefined()
})

test.each([
  ['disposition', { disposition: 'all' }],
  ['dataContentType', { disposition: 'inline', dataContentType: 'text' }],
  ['dataContentType', { disposition: 'inline', dataContentType: 'text/plain\r\nBcc: x@y' }],
  ['bodyContentType', { disposition: 'attachment', bodyContentType: 'multipart/mixed' }],
  ['together', { disposition: 'message', together: true }],
  ['onUnknown', { disposition: 'inline', onUnknown: 'guess' }],
  ['cc', { disposition: 'inline', cc: ['x@y'] }],
])('send: %s is checked at the door', (name, operation) => {
  const whole = { from: 'a@x.example', to: 'b@x.example', ...operation }
  expect(() => checkSendOperation(untyped(whole))).toThrow(expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(name) }))
})

test.each([
  'text/plain',
  'text/HTML',
  'Text/XML',
  'application/binary',
  'application/EDIFACT',
  'application/EDI-X12',
  'application/xml',
  'application/vnd.x+json',
])('media type %s is known in any case', (dataContentType) => {
  const operation = { from: '', to: '', disposition: 'inline', dataContentType } as const
  expect(checkSendOperation(operation).dataContentType).toBe(dataContentType.toLowerCase())
})

test.each([
  ['options', null],
  ['host', { inbound: { host: '' } }],
  ['stateDirectory', { stateDirectory: '' }],
  ['state', { state: 'disk' }],
  ['state', { state: 'memory', stateDirectory: 'x' }],
  ['concurrency', { concurrency: 0 }],
  ['logger', { logger: {} }],
])('connector: %s is checked at the door', (name, options) => {
  expect(() => new MailConnector(untyped(options))).toThrow(expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(name) }))
})

test('what an operation needs is asked for before anything is connected', async () => {
  const all = { disposition: 'all' } as const
  await expect(new MailConnector({}).get(all, handler)).rejects.toThrow('inbound')
  await expect(new MailConnector({ inbound: { host: 'x' } }).get(all, handler)).rejects.toThrow('stateDirectory')
  await expect(new MailConnector({ inbound: { host: 'x' }, state: 'memory' }).get({ ...all, handOver: 'spool' }, handler)).rejects.toThrow('handOver')
  await expect(new MailConnector({ inbound: { host: 'x' }, state: 'memory' }).get(all, untyped('no function'))).rejects.toThrow('handler')
  await expect(new MailConnector({}).send({ from: 'a', to: 'b', disposition: 'inline' }, [])).rejects.toThrow('outbound')
})
