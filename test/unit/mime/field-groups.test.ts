import { expect, test } from 'vitest'
import { fieldGroups } from '../../../src/mime/field-groups.ts'
import { parseMessage } from '../../../src/mime/parser.ts'
import { growth, isLinear } from '../../support/linear.ts'

const groupsOf = (body: string): unknown =>
  fieldGroups(parseMessage(Buffer.from(`Content-Type: message/delivery-status\r\n\r\n${body}`, 'latin1'))).map(({ fields }) =>
    fields.map(({ name, value, offset }) => `${offset} ${name}=${value}`),
  )

test.each([
  ['nothing', '', []],
  ['empty lines', '\r\n \r\n\n', []],
  [
    'a delivery status',
    'Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; a@x\r\nAction: failed\r\nDiagnostic-Code: smtp; 550\r\n no such user\r\n\r\n\r\nAction: delayed',
    [
      ['0 Reporting-MTA=dns; mx.example'],
      ['34 Final-Recipient=rfc822; a@x', '64 Action=failed', '80 Diagnostic-Code=smtp; 550 no such user'],
      ['127 Action=delayed'],
    ],
  ],
  ['lines that are no fields', 'hello\nA: b\nthere\n\nC: d\n', [['0 =hello', '6 A=b', '11 =there'], ['18 C=d']]],
  [
    'a boundary of its own',
    'Content-Type: multipart/mixed; boundary=b\n--b\nA: b\n',
    [['0 Content-Type=multipart/mixed; boundary=b', '42 =--b', '46 A=b']],
  ],
])('reads %s', (_name, body, expected) => expect(groupsOf(body)).toEqual(expected))

test('the fields of a base64 status, and of what an external body stands for', () => {
  const status = Buffer.from('A: b\r\n').toString('base64')
  const encoded = parseMessage(Buffer.from(`Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\n${status}`))
  expect(fieldGroups(encoded)[0]?.value('a')).toBe('b')
  const external = parseMessage(
    Buffer.from(
      'Content-Type: message/external-body; access-type=URL;\r\n URL="http://x/"\r\n\r\nContent-Type: image/png\r\nContent-ID: <a@x>\r\n\r\n',
    ),
  )
  expect(fieldGroups(external)[0]?.value('Content-Type')).toBe('image/png')
  expect(external.parameters.get('access-type')).toBe('URL')
})

test.each([
  ['lines that are no fields', (count: number) => 'A: b\nno\n'.repeat(count)],
  ['groups', (count: number) => 'A: b\n\n'.repeat(count)],
])('takes linear time for %s', (_name, make) => expect(growth(groupsOf, make, 4000)).toSatisfy(isLinear))
