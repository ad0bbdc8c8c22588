import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkAddress, formatAddressList, parseAddressInput, parseAddressList, parseMailboxInput } from '../../../../src/mime/field/address.ts'
import { ignore, reports, unfold } from '../../../support/reports.ts'

test.each([
  ['a@x.test', [{ name: '', address: 'a@x.test' }]],
  [
    ' A B <a@x>; b@y , ',
    [
      { name: 'A B', address: 'a@x' },
      { name: '', address: 'b@y' },
    ],
  ],
  ['"C, D; \\"E\\"" <c@z>', [{ name: 'C, D; "E"', address: 'c@z' }]],
  ['John Q. Public <j@x>', [{ name: 'John Q. Public', address: 'j@x' }]],
  ['Žofie Müller <z@x>', [{ name: 'Žofie Müller', address: 'z@x' }]],
  [
    'Team: a@x, B <b@x>; c@x',
    [
      {
        group: 'Team',
        members: [
          { name: '', address: 'a@x' },
          { name: 'B', address: 'b@x' },
        ],
      },
      { name: '', address: 'c@x' },
    ],
  ],
  ['undisclosed-recipients:;', [{ group: 'undisclosed-recipients', members: [] }]],
  [
    '"john doe"@x, <"a\\"b"@y>',
    [
      { name: '', address: '"john doe"@x' },
      { name: '', address: '"a\\"b"@y' },
    ],
  ],
  ['"plain"@x', [{ name: '', address: 'plain@x' }]],
  [
    'a@bücher.example, b@ｅvil。test',
    [
      { name: '', address: 'a@xn--bcher-kva.example' },
      { name: '', address: 'b@evil.test' },
    ],
  ],
  [
    'a@[192.0.2.1], b@[IPv6:2001:db8::1]',
    [
      { name: '', address: 'a@[192.0.2.1]' },
      { name: '', address: 'b@[IPv6:2001:db8::1]' },
    ],
  ],
  ['', []],
])('takes %j', (text, list) => {
  expect(parseAddressInput(text)).toEqual(list)
})

test.each([
  ['Doe, John <j@x>', /"Doe, John/],
  ['a', /is not an address/],
  ['@x', /nothing before/],
  ['a@', /no valid domain/],
  ['a@b@c', /more than one/],
  ['a..b@c', /allowed in quotes only/],
  ['.a@c', /allowed in quotes only/],
  ['a@b c@d', /does not belong/],
  ['<a@b>c@d', /does not belong/],
  ['a@b (comment)', /does not belong/],
  ['(c) a@b', /outside quotes/],
  ['a@b <c@d>', /needs quotes/],
  ['John Doe j@x', /needs < and >/],
  ['<a@b', /no ">"/],
  ['A <<a@b>>', /is not an address/],
  ['<@r:a@b>', /nothing before/],
  ['"a@b', /never closed/],
  ['G: a@b', /without a ";"/],
  ['G: H: a@b;;', /inside a group/],
  ['a@-b.test', /no valid domain/],
  ['a@b..c', /no valid domain/],
  ['a@b_c.test', /no valid domain/],
  ['a@b%2ec', /no valid domain/],
  ['a@é%2ec', /no valid domain/],
  ['a@xn--zzzz--.test', /no valid domain|xn--/],
  ['a@a\u200db.x', /no valid domain/],
  ['a@[300.1.1.1]', /no valid IP/],
  ['a@[IPv6:zz]', /no valid IP/],
  ['a@[x', /no valid IP/],
  ['ä@b', /SMTPUTF8/],
  [`${'a'.repeat(65)}@b`, /64 octets/],
  [`a@${'b.'.repeat(130)}c`, /too long/],
  [`a@${'b'.repeat(64)}.c`, /no valid domain/],
  ['a@b\r\nRCPT TO:<x@evil>', /line break/],
  ['"a\r\nRCPT TO:<x@evil>"@ok.test', /line break/],
  ['a\0@b', /control/],
  ['a\u2028@b', /control/],
  ['a\u0085@b', /control/],
  ['\ud800 <a@b>', /surrogate/],
  ['\u560da@b', /SMTPUTF8/],
  ['a@b> SIZE=1 <', /needs quotes/],
])('refuses %j, and says why on one line (S1, S2, S4)', (text, why) => {
  expect(() => parseAddressInput(text)).toThrow(
    expect.objectContaining({ code: 'ERR_ADDRESS', phase: 'compose', message: expect.stringMatching(why) as unknown }),
  )
  expect(() => parseAddressInput(text)).toThrow(/^[\x20-\x7e\xa0-\uffff]+$/)
})

test('an addr-spec that holds the start of a command stays inside its quotes (S2)', () => {
  expect(checkAddress('"a> SIZE=1 <"@ok.test')).toBe('"a> SIZE=1 <"@ok.test')
})

test.each(['a@[192.0.2.1>', 'a@[192.0.2.1', 'a@[192.0.2.1]x', 'a@[IPv6:::1', 'a@[IPv6:::1]]', 'a@[192.0.2.1] '])(
  '%j is no addr-spec (S2, S4)',
  (text) => {
    expect(() => checkAddress(text)).toThrow(expect.objectContaining({ code: 'ERR_ADDRESS' }))
  },
)

test('one mailbox is one mailbox', () => {
  expect(parseMailboxInput('A <a@x>')).toEqual({ name: 'A', address: 'a@x' })
  for (const text of ['', 'a@x, b@y', 'G: a@x;']) expect(() => parseMailboxInput(text)).toThrow(expect.objectContaining({ code: 'ERR_ADDRESS' }))
})

test('writes names as shortly as it can', () => {
  const list = [
    { name: 'John Doe', address: 'j@x.test' },
    { name: 'Doe, "J"', address: 'd@x.test' },
    { name: 'Žofie', address: 'z@x.test' },
    { group: 'Team', members: [{ name: '', address: 'a@x.test' }] },
    { name: '', address: 'b@bücher.example' },
  ]
  expect(formatAddressList('To', list)).toBe(
    'To: John Doe <j@x.test>, "Doe, \\"J\\"" <d@x.test>,\r\n =?utf-8?B?xb1vZmll?= <z@x.test>, Team: a@x.test;, b@xn--bcher-kva.example',
  )
})

test.each([
  [{ name: 'a\r\nBcc: x', address: 'a@b' }, 'ERR_HEADER'],
  [{ name: '\ud800', address: 'a@b' }, 'ERR_HEADER'],
  [{ name: '', address: 'a@b, c@d' }, 'ERR_ADDRESS'],
  [{ name: '', address: 'a@b\r\n' }, 'ERR_ADDRESS'],
  [{ name: '', address: ' a@b' }, 'ERR_ADDRESS'],
  [{ name: '', address: '' }, 'ERR_ADDRESS'],
  [{ group: '', members: [] }, 'ERR_HEADER'],
  [{ group: 'a\nb', members: [] }, 'ERR_HEADER'],
])('refuses to write %j (S9)', (entry, code) => {
  expect(() => formatAddressList('To', [entry])).toThrow(expect.objectContaining({ code }))
})

const name = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 120 }),
    fc.string({ unit: 'grapheme-ascii', maxLength: 200 }),
    fc
      .array(fc.constantFrom(' ', 'a', '"', '\\', '=?', 'é', ',', '.', '<', '@', ':', '(', 'x'.repeat(80)), { maxLength: 30 })
      .map((list) => list.join('')),
  )
  .filter((value) => !/[\r\n\0]/.test(value))
const local = fc.string({ unit: fc.constantFrom('a', 'B', '1', '.', ' ', '"', '\\', '@', '<', '>', ',', ';', '(', '='), minLength: 1, maxLength: 25 })
const mailbox = fc.record({
  name,
  address: fc
    .tuple(local, fc.constantFrom('x.test', 'mail.example.org', '[192.0.2.1]'))
    .map(([part, domain]) => checkAddress(`"${part.replace(/["\\]/g, '\\$&')}"@${domain}`)),
})
const list = fc.array(fc.oneof(mailbox, fc.record({ group: name.filter((value) => value !== ''), members: fc.array(mailbox, { maxLength: 3 }) })), {
  minLength: 1,
  maxLength: 5,
})

test('what is written is read again, by the lenient reader without a defect (M50)', () => {
  fc.assert(
    fc.property(list, (entries) => {
      const field = formatAddressList('To', entries)
      expect(field).toMatch(/^To:[\r\n\x20-\x7e]*$/)
      for (const line of field.split('\r\n')) expect(line.length).toBeLessThanOrEqual(/[^ ]{66}/.test(line) ? 998 : 78)
      const seen = reports()
      expect(parseAddressList(unfold(field), seen.report)).toEqual(entries)
      expect(seen.codes).toEqual([])
    }),
    { seed: 20261122, numRuns: 1000 },
  )
})

test('any text at all is an error or a list that can be written', () => {
  fc.assert(
    fc.property(
      fc.string({
        unit: fc.constantFrom('a', '@', 'x.test', '<', '>', '"', '\\', ',', ';', ':', ' ', '(', ')', '[', ']', 'é', '\t', '\r', '\n', '\0'),
        maxLength: 30,
      }),
      (text) => {
        let entries
        try {
          entries = parseAddressInput(text)
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_ADDRESS' })
          return
        }
        if (entries.length === 0 || entries.some((entry) => 'group' in entry && entry.group === '')) return
        expect(parseAddressList(unfold(formatAddressList('To', entries)), ignore)).toEqual(entries)
      },
    ),
    { seed: 20261122, numRuns: 5000 },
  )
})
