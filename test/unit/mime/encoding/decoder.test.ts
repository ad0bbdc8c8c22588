import { expect, test } from 'vitest'
import { createDecoder } from '../../../../src/mime/encoding/decoder.ts'
import { growth, isLinear } from '../../../support/linear.ts'
import { decodeChunks } from './decoding.ts'

test.each([
  ['base64', true],
  ['quoted-printable', true],
  ['x-uuencode', true],
  ['7bit', false],
  ['binary', false],
  ['x-yenc', false],
  ['', false],
])('%s has a decoder: %s', (encoding, has) => {
  expect(createDecoder(encoding) !== null).toBe(has)
})

test.each([
  ['base64', 'padded quanta in one line', 'QUE='],
  ['base64', 'padded lines', 'QUE=\n'],
  ['base64', 'footers', 'QUE=\nfooter \n'],
  ['base64', 'padding and blanks', '= '],
  ['base64', 'long lines after padding', `QUE=\n${'QUFB'.repeat(250)}`],
  ['base64', 'good lines with junk after them', `${'QUFB'.repeat(19)}\r\n${'QUFB'.repeat(130)}-`],
  ['quoted-printable', 'equals signs', '='],
  ['quoted-printable', 'equals signs and blanks', '= '],
  ['quoted-printable', 'blanks', ' '],
  ['quoted-printable', 'blanks and lone CRs', `${' '.repeat(998)}\r`],
  ['quoted-printable', 'broken soft breaks', '=\r'],
  ['x-uuencode', 'one line without end', 'M'],
  ['x-uuencode', 'empty lines', '\n'],
  ['x-uuencode', 'files', 'begin 644 x\n!\nend\n'],
])('%s: many %s take linear time (M10)', (encoding, _name, text) => {
  const run = (wire: string): void => {
    const decoder = createDecoder(encoding)
    if (decoder === null) throw new Error('no decoder')
    const octets = Buffer.from(wire)
    for (let at = 0; at < octets.length; at += 1000) decoder.decode(octets.subarray(at, at + 1000), () => {})
    createDecoder(encoding)?.decode(octets, () => {})
  }
  expect(growth(run, (count) => text.repeat(Math.ceil(count / text.length)), 100_000)).toSatisfy(isLinear)
})

test.each(['base64', 'quoted-printable', 'x-uuencode'])('%s takes empty chunks and no octets at all', (encoding) => {
  const decoder = createDecoder(encoding)
  if (decoder === null) throw new Error('no decoder')
  expect(decodeChunks(decoder, [Buffer.alloc(0), Buffer.alloc(0)])).toEqual({ text: '', defects: [] })
})
