import { expect, test } from 'vitest'
import { parseDisposition, parseMediaType, parseTransferEncoding } from '../../../../src/mime/field/content-fields.ts'
import { reports } from '../../../support/reports.ts'

test.each<[body: string, type: string, valid: boolean, parameters?: Record<string, string>]>([
  [' text/plain; charset=utf-8', 'text/plain', true, { charset: 'utf-8' }],
  ['TEXT/HTML', 'text/html', true],
  ['text / html', 'text/html', true],
  ['(a) text (b) / (c) html (d); charset=x', 'text/html', true, { charset: 'x' }],
  ['text/html/foo', 'text/html', true],
  ['text/html/foo; charset=x', 'text/html', true, { charset: 'x' }],
  ['text/html charset=utf-8', 'text/html', true, { charset: 'utf-8' }],
  ['text/html, charset=utf-8', 'text/html', true, { charset: 'utf-8' }],
  ['text/html;;charset=utf-8', 'text/html', true, { charset: 'utf-8' }],
  ['application/vnd.x.y+json', 'application/vnd.x.y+json', true],
  // decisions 44 and 31
  ['text', 'text/plain', false],
  ['text/', 'text/plain', false],
  ['/plain', 'text/plain', false],
  ['html', 'text/plain', false],
  ['text\\html', 'text/plain', false],
  ['', 'text/plain', false],
  ['multipart', 'text/plain', false],
  ['; charset=utf-8', 'text/plain', false, { charset: 'utf-8' }],
  ['"text/html"', 'text/plain', false],
  ['(((((', 'text/plain', false],
])('reads the media type %j', (body, type, valid, parameters = {}) => {
  const seen = reports()
  const read = parseMediaType(body, seen.report)
  expect({ ...read, parameters: Object.fromEntries(read.parameters) }).toEqual({ type, valid, parameters })
  expect(seen.codes.includes('invalid-content-type')).toBe(!valid)
})

test.each<[body: string, codes: string[]]>([
  [' text/html', []],
  ['text/html ; charset=x', []],
  ['text/html;; charset=x', []],
  ['text / html', ['content-type-syntax']],
  ['(a) text/html', ['content-type-syntax']],
  ['text/html (a)', ['content-type-syntax']],
  ['text/html/foo', ['content-type-syntax', 'parameter-syntax']],
  ['text/html charset=x', ['content-type-syntax', 'parameter-syntax']],
  ['text/html, charset=x', ['content-type-syntax', 'parameter-syntax']],
])('says that readers may not see the media type %j (45)', (body, codes) => {
  const seen = reports()
  expect(parseMediaType(body, seen.report).type).toBe('text/html')
  expect(seen.codes).toEqual(codes)
})

test.each<[body: string, disposition: string | null, parameters?: Record<string, string>]>([
  [' Attachment; filename="a.bin"', 'attachment', { filename: 'a.bin' }],
  ['inline', 'inline'],
  ['"attachment"; filename=a', 'attachment', { filename: 'a' }],
  ['attachment filename=a', 'attachment', { filename: 'a' }],
  ['x-token', 'x-token'],
  ['filename=a', null, { filename: 'a' }],
  ['; filename=a', null, { filename: 'a' }],
  ['', null],
])('reads the disposition %j', (body, disposition, parameters = {}) => {
  const seen = reports()
  const read = parseDisposition(body, seen.report)
  expect({ ...read, parameters: Object.fromEntries(read.parameters) }).toEqual({ disposition, parameters })
  expect(seen.codes).toEqual(disposition === null ? ['invalid-disposition'] : body === 'attachment filename=a' ? ['parameter-syntax'] : [])
})

test.each<[body: string, encoding: string, known: boolean]>([
  ['base64', 'base64', true],
  [' BASE64 ', 'base64', true],
  ['base64;', 'base64', true],
  ['"base64"', 'base64', true],
  ['base64 (c)', 'base64', true],
  ['(c) quoted-printable', 'quoted-printable', true],
  ['7bit', '7bit', true],
  ['x-uue', 'x-uuencode', true],
  ['uuencode', 'x-uuencode', true],
  ['8-bit', '8bit', false],
  ['7bits', '7bit', false],
  ['8 bit', '8bit', false],
  ['b64', 'b64', false],
  ['x-unknown', 'x-unknown', false],
  ['quoted-printable, base64', 'quoted-printable, base64', false],
  ['base64 quoted-printable', 'base64 quoted-printable', false],
  ['', '7bit', false],
])('reads the encoding %j (65, 66)', (body, encoding, known) => {
  const seen = reports()
  expect(parseTransferEncoding(body, seen.report)).toBe(encoding)
  expect(seen.codes).toEqual(known ? [] : ['unknown-encoding'])
})
