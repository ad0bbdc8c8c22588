import { expect, test } from 'vitest'
import { GrammarError } from '../../../src/errors.ts'
import { isFinalDot, occurrences, parseCapability, parseListing, parseStat, parseStatus, parseUniqueIdListing } from '../../../src/pop3/grammar.ts'

const line = (text: string): Buffer => Buffer.from(text, 'latin1')

test.each([
  ['+OK', { ok: true, responseCode: null, text: '' }],
  ['+OK ', { ok: true, responseCode: null, text: '' }],
  ['+OK\ttabbed', { ok: true, responseCode: null, text: 'tabbed' }],
  ['+OK  2 320 ', { ok: true, responseCode: null, text: '2 320' }],
  ['-ERR', { ok: false, responseCode: null, text: '' }],
  ['-ERR [IN-USE] Do you have another session?', { ok: false, responseCode: 'IN-USE', text: 'Do you have another session?' }],
  ['-ERR [sys/temp] later', { ok: false, responseCode: 'SYS/TEMP', text: 'later' }],
  ['-ERR [AUTH]', { ok: false, responseCode: 'AUTH', text: '' }],
  ['-ERR [not a code] text', { ok: false, responseCode: null, text: '[not a code] text' }],
  ['-ERR text [AUTH]', { ok: false, responseCode: null, text: 'text [AUTH]' }],
  ['-ERR []', { ok: false, responseCode: null, text: '[]' }],
  ['-ERR [OPEN', { ok: false, responseCode: null, text: '[OPEN' }],
  ['+OK gr\xfc\xdf', { ok: true, responseCode: null, text: 'grüß' }],
  [Buffer.from('+OK grüß').toString('latin1'), { ok: true, responseCode: null, text: 'grüß' }],
  ['+OK a\0b\x1b', { ok: true, responseCode: null, text: 'a\0b\x1b' }],
])('reads the status line %j', (text, reply) => {
  expect(parseStatus(line(text))).toEqual({ ...reply, line: text })
})

test.each(['', '+', '+ok', '+OKAY', '+O', 'OK', '+ERR', '-err', '-ERROR', '-ER', ' +OK', '+OK\r', '+OK\0', '220 x', '\xff\xfe'])(
  'P1, H36: %j is no status line',
  (text) => {
    expect(() => parseStatus(line(text))).toThrow(GrammarError)
  },
)

test.each([
  ['2 320', { count: 2, octets: 320 }],
  ['0 0', { count: 0, octets: 0 }],
  ['2147483648 9', { count: 2147483648, octets: 9 }],
  ['3 -2147483648', { count: 3, octets: 0 }],
  ['3', { count: 3, octets: 0 }],
  ['3 320 extra (bytes)', { count: 3, octets: 320 }],
  ['-1 5', undefined],
  ['', undefined],
  ['many', undefined],
  ['1e3 5', undefined],
  ['007 5', undefined],
])('H54: the drop listing %j', (text, dropListing) => {
  expect(parseStat(text)).toEqual(dropListing)
})

test.each([
  ['1 120', { number: 1, octets: 120 }],
  ['  1 \t 120   more fields', { number: 1, octets: 120 }],
  ['+OK 1 120', { number: 1, octets: 120 }],
  ['2147483648 0', { number: 2147483648, octets: 0 }],
  ['0 5', undefined],
  ['007 5', undefined],
  ['1e3 5', undefined],
  ['0x10 5', undefined],
  ['-1 5', undefined],
  ['1 -5', undefined],
  ['1 100000000000000000000', undefined],
  ['1', undefined],
  ['', undefined],
  ['one 5', undefined],
])('P3, H53: the scan listing line %j', (text, entry) => {
  expect(parseListing(line(text))).toEqual(entry)
})

test.each([
  ['1 whqtswO00WBw418f9t5JxYwZ', { number: 1, uniqueId: 'whqtswO00WBw418f9t5JxYwZ' }],
  ['1   a  ', { number: 1, uniqueId: 'a' }],
  ['1 a more', { number: 1, uniqueId: 'a' }],
  ['1', { number: 1, uniqueId: '' }],
  ['1 ', { number: 1, uniqueId: '' }],
  ['1 \xe4\xff', { number: 1, uniqueId: '\xe4\xff' }],
  ['1 __proto__', { number: 1, uniqueId: '__proto__' }],
  ['1 ../../x', { number: 1, uniqueId: '../../x' }],
  [`1 ${'x'.repeat(255)}`, { number: 1, uniqueId: 'x'.repeat(255) }],
  ['0 a', undefined],
  ['x a', undefined],
])('P5, H55: the unique-id listing line %j', (text, entry) => {
  expect(parseUniqueIdListing(line(text))).toEqual(entry)
})

test('P5: a unique-id past its limit is an error, not cut', () => {
  expect(() => parseUniqueIdListing(line(`1 ${'x'.repeat(256)}`))).toThrow(expect.objectContaining({ limit: true }))
})

test.each([
  ['TOP', ['TOP', []]],
  ['sasl PLAIN  LOGIN', ['SASL', ['PLAIN', 'LOGIN']]],
  ['IMPLEMENTATION Shlemazle-Plotz-v302', ['IMPLEMENTATION', ['Shlemazle-Plotz-v302']]],
  ['..X', ['.X', []]],
  ['', undefined],
  ['\x01', undefined],
])('reads the capability %j', (text, capability) => {
  expect(parseCapability(line(text))).toEqual(capability)
})

test('curl#19228: only a lone dot ends a list', () => {
  expect(isFinalDot(line('.'))).toBe(true)
  for (const text of ['..', '. ', '.\r', '', '.X']) expect(isFinalDot(line(text))).toBe(false)
})

test('P5: messages that share a unique-id are told apart by their occurrence', () => {
  const listing = [
    { number: 7, uniqueId: 'a' },
    { number: 2, uniqueId: 'a' },
    { number: 3, uniqueId: '__proto__' },
  ]
  expect(occurrences(listing)).toEqual([
    { number: 2, uniqueId: 'a', occurrence: 1 },
    { number: 3, uniqueId: '__proto__', occurrence: 1 },
    { number: 7, uniqueId: 'a', occurrence: 2 },
  ])
})
