import { expect, test } from 'vitest'
import { parseEnhancedStatus, parseExtensions, parseMechanisms, parseReplyLine, parseSizeLimit } from '../../../src/smtp/grammar.ts'

test.each([
  ['220 mx', { status: 220, last: true, text: 'mx' }],
  ['250-mx', { status: 250, last: false, text: 'mx' }],
  ['250', { status: 250, last: true, text: '' }],
  ['250 ', { status: 250, last: true, text: '' }],
  ['250-', { status: 250, last: false, text: '' }],
  ['250\tx', { status: 250, last: true, text: 'x' }],
  ['571 a\rb\0\x1b\xff', { status: 571, last: true, text: 'a\rb\0\x1b\xff' }],
])('reads the reply line %j (H10, H12)', (line, expected) => {
  expect(parseReplyLine(Buffer.from(line, 'latin1'))).toEqual(expected)
})

test.each(['', '2', '25', '2500', ' 250', '099 x', '100 x', '199', '600 x', '666', '25x', '250x', '250+x', '+OK', '-ERR', '٢٥٠ x'])(
  'refuses %j as a reply line (H13, S16)',
  (line) => {
    expect(() => parseReplyLine(Buffer.from(line))).toThrow(expect.objectContaining({ name: 'GrammarError' }))
  },
)

test.each([
  [250, '2.1.0 Ok', '2.1.0'],
  [550, '5.1.1', '5.1.1'],
  [452, '4.5.3\tx', null],
  [550, '4.1.1 class differs', null],
  [354, '3.0.0 go', null],
  [250, '2.1 Ok', null],
  [250, '2.1000.0 Ok', null],
  [250, '2.1.0.1 Ok', null],
  [250, 'Ok 2.1.0', null],
  [250, '', null],
])('enhanced status of %i %j is %j (quirk 29)', (status, text, expected) => {
  expect(parseEnhancedStatus(status, [text])).toBe(expected)
})

test('reads the lines of EHLO as servers write them (H30)', () => {
  const lines = [
    'mx.test Hello',
    'pipelining',
    'SIZE 100',
    'size 200',
    'AUTH=LOGIN',
    'AUTH PLAIN',
    'X-EXPS NTLM',
    'XXXXXXXA',
    'SIZE=7',
    '',
    '-',
    '8BITMIME ',
  ]
  expect([...parseExtensions(lines)]).toEqual([
    ['PIPELINING', ''],
    ['SIZE', '100'],
    ['AUTH', 'LOGIN PLAIN NTLM'],
    ['XXXXXXXA', ''],
    ['8BITMIME', ''],
  ])
  expect([...parseExtensions(['STARTTLS', 'SIZE'])]).toEqual([
    ['STARTTLS', ''],
    ['SIZE', ''],
  ])
  expect([...parseExtensions(['help.test', '__proto__ x', 'constructor'])]).toEqual([['CONSTRUCTOR', '']])
  expect([...parseExtensions(['x', 'AUTH', 'AUTH PLAIN'])]).toEqual([['AUTH', 'PLAIN']])
  expect(parseMechanisms(' PLAIN  LOGIN=x,y ')).toEqual(['PLAIN', 'LOGIN', 'x', 'y'])
})

test.each([
  [undefined, undefined],
  ['', undefined],
  ['0', undefined],
  ['abc', undefined],
  ['-1', undefined],
  ['10240000', 10_240_000],
  ['9 x', 9],
  ['10M', undefined],
  ['99999999999999999999', 1e20],
])('SIZE %j is the limit %j (S15)', (parameters, limit) => {
  expect(parseSizeLimit(parameters)).toBe(limit)
})
