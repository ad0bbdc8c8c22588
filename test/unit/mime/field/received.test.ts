import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseReceived, type Received } from '../../../../src/mime/field/received.ts'
import { growth, isLinear } from '../../../support/linear.ts'
import { ignore, octets, reports } from '../../../support/reports.ts'

const NOTHING = { from: null, helo: null, reverseName: null, address: null, by: null, via: null, with: null, id: null, for: null }
const WHEN = 'Sun, 22 Nov 2026 10:00:00 +0100'

test.each<[server: string, body: string, clauses: Partial<Received>]>([
  [
    'RFC 5321',
    'from a.test (b.test [192.0.2.1]) by c.test via TCP with ESMTP id 12 for <d@e.test>',
    {
      from: 'a.test',
      helo: 'a.test',
      reverseName: 'b.test',
      address: '192.0.2.1',
      by: 'c.test',
      via: 'TCP',
      with: 'ESMTP',
      id: '12',
      for: 'd@e.test',
    },
  ],
  [
    'an address literal',
    'FROM [IPv6:2001:db8::1] (b.test [IPv6:2001:db8::1]) BY c.test',
    { from: '[IPv6:2001:db8::1]', helo: '[IPv6:2001:db8::1]', reverseName: 'b.test', address: '2001:db8::1', by: 'c.test' },
  ],
  [
    'Postfix',
    'from a (unknown [192.0.2.1]) (using TLSv1.3 with cipher X (256/256 bits)) by c.test (Postfix, from userid 0) with ESMTPS id 4F for <d@e>',
    { from: 'a', helo: 'a', address: '192.0.2.1', by: 'c.test', with: 'ESMTPS', id: '4F', for: 'd@e' },
  ],
  [
    'Exim',
    'from b.test ([192.0.2.1]:2525 helo=a.test) by c.test with esmtps (TLS1.3) tls X (Exim 4.96) (envelope-from <x@y>) id 1a-2b-3c for d@e',
    { from: 'b.test', helo: 'a.test', reverseName: 'b.test', address: '192.0.2.1', by: 'c.test', with: 'esmtps tls X', id: '1a-2b-3c', for: 'd@e' },
  ],
  [
    'Exim without a name',
    'from [192.0.2.1] (port=25 helo=a) by c with smtp',
    { from: '[192.0.2.1]', helo: 'a', address: '192.0.2.1', by: 'c', with: 'smtp' },
  ],
  [
    'Exim, and a client that greets with an address that is not its own',
    'from [192.0.2.1] (port=25 helo=[198.51.100.9]) by c with smtp',
    { from: '[192.0.2.1]', helo: '[198.51.100.9]', address: '192.0.2.1', by: 'c', with: 'smtp' },
  ],
  [
    'qmail',
    'from b.test (HELO a.test) (user@192.0.2.1) by c.test with SMTP',
    { from: 'b.test', helo: 'a.test', reverseName: 'b.test', address: '192.0.2.1', by: 'c.test', with: 'SMTP' },
  ],
  ['qmail without a name', 'from unknown (HELO ) (192.0.2.1) by c with SMTP', { from: 'unknown', address: '192.0.2.1', by: 'c', with: 'SMTP' }],
  ['qmail itself', '(qmail 123 invoked by uid 0)', {}],
  [
    'sendmail',
    'from a (IDENT:u@b.test [192.0.2.1] (may be forged)) by c.test (8.17/8.17) with ESMTP id x1 for <d@e>',
    { from: 'a', helo: 'a', reverseName: 'b.test', address: '192.0.2.1', by: 'c.test', with: 'ESMTP', id: 'x1', for: 'd@e' },
  ],
  [
    'Exchange',
    'from a.test (192.0.2.1) by c.test (2001:db8::2) with Microsoft SMTP Server (version=TLS1_2, cipher=X) id 15.20.1.2',
    { from: 'a.test', helo: 'a.test', address: '192.0.2.1', by: 'c.test', with: 'Microsoft SMTP Server', id: '15.20.1.2' },
  ],
  [
    'Exchange inside',
    'from a ([fe80::1%12]) by c with mapi id 15.1',
    { from: 'a', helo: 'a', address: 'fe80::1', by: 'c', with: 'mapi', id: '15.1' },
  ],
  [
    'Gmail',
    'from b.test (b.test. [192.0.2.1]) by mx.test with ESMTPS id q-1.2026 for <d@e> (version=TLS1_3 cipher=X bits=128/128)',
    { from: 'b.test', helo: 'b.test', reverseName: 'b.test', address: '192.0.2.1', by: 'mx.test', with: 'ESMTPS', id: 'q-1.2026', for: 'd@e' },
  ],
  ['Gmail inside', 'by 2002:a05:6402::1 with SMTP id x', { by: '2002:a05:6402::1', with: 'SMTP', id: 'x' }],
  ['no parentheses', 'from a [192.0.2.1] by c', { from: 'a', helo: 'a', address: '192.0.2.1', by: 'c' }],
  ['no name', 'from ([192.0.2.1:99]) by c', { from: null, address: '192.0.2.1', by: 'c' }],
  ['no blanks', 'from a(b.test[192.0.2.1])by c(d)id 1', { from: 'a', helo: 'a', reverseName: 'b.test', address: '192.0.2.1', by: 'c', id: '1' }],
  [
    'blanks in brackets',
    'from [<1.2@a.test>] ([<1.2@a.test>] helo=a) by c with [X 1.2 Server]',
    { from: '[<1.2@a.test>]', helo: 'a', by: 'c', with: '[X 1.2 Server]' },
  ],
  ['commas', 'from a via SMTP by c, id 1', { from: 'a', helo: 'a', via: 'SMTP', by: 'c', id: '1' }],
  ['clauses twice', 'from a by b from c by d', { from: 'a', helo: 'a', by: 'b' }],
  ['raw UTF-8', octets('from é.test by c'), { from: 'é.test', helo: 'é.test', by: 'c' }],
  ['parentheses that do not open', 'from a) by d)', { from: 'a', helo: 'a', by: 'd' }],
  ['object members', 'constructor __proto__ by toString', { by: 'toString' }],
])('reads what %s writes', (_server, body, clauses) => {
  const expected = { ...NOTHING, ...clauses, date: new Date('2026-11-22T09:00:00Z') }
  for (const date of [`; ${WHEN}`, ` ;${WHEN} (a; b)`, `;; ${WHEN}`]) expect(parseReceived(body + date, ignore)).toEqual(expected)
  expect(parseReceived(`${body}\t; ${WHEN} trailing`, ignore)).toEqual(expected)
})

test('parentheses that do not close are nothing', () => {
  expect(parseReceived(`from a (b (c by d; ${WHEN}`, ignore)).toEqual({
    ...NOTHING,
    from: 'a',
    helo: 'a',
    by: 'd',
    date: new Date('2026-11-22T09:00:00Z'),
  })
})

test.each([
  ['by a; 1 Jan 99 10:00 EST', '1999-01-01T15:00:00Z', [['obsolete-date', 5]]],
  ['by a; yesterday', null, [['invalid-date', 5]]],
  [`by a ${WHEN}`, null, [['invalid-date', 36]]],
  ['', null, [['invalid-date', 0]]],
])('reads the date of %j', (body, iso, codes) => {
  const seen = reports()
  expect(parseReceived(body, seen.report).date).toEqual(iso === null ? null : new Date(iso))
  expect(seen.codes.map((code, at) => [code, seen.offsets[at]])).toEqual(codes)
})

test.each<[string, (count: number) => string]>([
  ['words', (count) => `from ${'a '.repeat(10 * count)}`],
  ['protocols', (count) => `with ${'a '.repeat(10 * count)}`],
  ['comments', (count) => `from a ${'(a [192.0.2.1]) '.repeat(count)}`],
  ['a long comment', (count) => `from a (${'a:@.1[ '.repeat(count)})`],
  ['one word in a comment', (count) => `from a (${'1:.a'.repeat(count)})`],
  ['parentheses', (count) => '('.repeat(10 * count)],
  ['brackets', (count) => `from ${'<'.repeat(10 * count)}`],
  ['square brackets', (count) => `from a ${'[ '.repeat(10 * count)}`],
  ['semicolons', (count) => ';'.repeat(10 * count)],
])('reads %s in linear time (M30)', (_what, make) => {
  expect(growth((body) => parseReceived(body, ignore), make, 20_000)).toSatisfy(isLinear)
})

test('never throws', () => {
  const unit = fc.oneof(
    fc.constantFrom('from ', 'by ', 'id ', 'with ', ' (', ') ', '[', ']', '<', '>', ';', 'helo=', 'HELO ', '1.2.3.4', '::', '\\', '\xff'),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.array(unit), (pieces) => {
      parseReceived(pieces.join(''), ignore)
    }),
    { seed: 20261122, numRuns: 2000 },
  )
})
