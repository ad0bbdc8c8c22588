import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatDate, parseDate } from '../../../../src/mime/field/date.ts'
import { growth, isLinear } from '../../../support/linear.ts'
import { ignore, reports } from '../../../support/reports.ts'

test.each<[body: string, iso: string | null, code?: string]>([
  [' Tue, 1 Jul 2003 10:52:37 +0200', '2003-07-01T08:52:37Z'],
  ['Tue, 1 Jul 2003 10:52:37 +0200 (CEST)', '2003-07-01T08:52:37Z'],
  ['1 Jul 2003 10:52 -0330', '2003-07-01T14:22:00Z'],
  ['Thu, 1 Jan 2020 10:00:00 -0000', '2020-01-01T10:00:00Z'], // a wrong day of the week does not count
  ['Wed, 1 Jan 2020 10:00:60 +0000', '2020-01-01T10:01:00Z'],
  ['Wed, 31 Dec 2019 23:59:60 +0000', '2020-01-01T00:00:00Z'],
  ['1 jan 2020 (comment (nested)) 10 (c) : 00 : 00 +0200', '2020-01-01T08:00:00Z'],
  ['29 Feb 2024 00:00:00 +0000', '2024-02-29T00:00:00Z'],
  ['21 Nov 97 09:55:06 GMT', '1997-11-21T09:55:06Z', 'obsolete-date'],
  ['21 Nov 49 09:55:06 +0000', '2049-11-21T09:55:06Z', 'obsolete-date'],
  ['21 Nov 103 09:55:06 +0000', '2003-11-21T09:55:06Z', 'obsolete-date'],
  ['01 Jan 99 10:00 EST', '1999-01-01T15:00:00Z', 'obsolete-date'],
  ['1 Jan 2020 10:00:00 PDT', '2020-01-01T17:00:00Z', 'obsolete-date'],
  ['1 Jan 2020 10:00:00 A', '2020-01-01T10:00:00Z', 'obsolete-date'],
  ['1 Jan 2020 10:00:00 XYZ', '2020-01-01T10:00:00Z', 'obsolete-date'],
  ['1 Jan 2020 10:00:00', '2020-01-01T10:00:00Z', 'obsolete-date'],
  ['1 Jan 2020 10:00:00 GMT+0200', '2020-01-01T08:00:00Z', 'obsolete-date'],
  ['1 Jan 2020 10:00:00 UT', '2020-01-01T10:00:00Z', 'obsolete-date'],
  ['1 Jan 2020 10:00:00 cdt', '2020-01-01T15:00:00Z', 'obsolete-date'],
  ['1 Jan 2020 1:02:03 +0000', '2020-01-01T01:02:03Z', 'obsolete-date'],
  ['Wed, 1 January 2020 10:00:00 +0000', '2020-01-01T10:00:00Z', 'obsolete-date'],
  ['Fri, 21 Nov 1997 09(comment):   55  :  06 -0600', '1997-11-21T15:55:06Z'],
  ['(c) Fri (c) , 21 (c) Nov (c) 97 (c) 09:55 (c) Z', '1997-11-21T09:55:00Z', 'obsolete-date'],
  ['21 Nov 50 09:55:06 J', '1950-11-21T09:55:06Z', 'obsolete-date'],
  ['21 Nov 097 09:55:06 +0000', '1997-11-21T09:55:06Z', 'obsolete-date'],
  ['Wed Jan  1 10:00:00 +0100 2020', '2020-01-01T09:00:00Z', 'obsolete-date'],
  ['Jan 1 10:00 20', '2020-01-01T10:00:00Z', 'obsolete-date'],
  ['1 Jan 2020 10:00:00.516 +0000 (UTC)', '2020-01-01T10:00:00Z', 'obsolete-date'],
  ['1 Jan 2020 10:00:00 +02:00', '2020-01-01T08:00:00Z', 'obsolete-date'],
  ['Wed Jan  1 10:00:00 2020', '2020-01-01T10:00:00Z', 'obsolete-date'],
  ['Wed Jan  1 10:00:00 EST 2020', '2020-01-01T15:00:00Z', 'obsolete-date'],
  ['Sunday, 06-Nov-94 08:49:37 GMT', '1994-11-06T08:49:37Z', 'obsolete-date'],
  ['1 Jan 2020 10:00:00 +0000 trailing', '2020-01-01T10:00:00Z', 'obsolete-date'],
  ['', null],
  ['nonsense', null],
  ['Thu, 32 Foo 2020 10:00:00 +0000', null],
  ['31 Feb 2020 10:00:00 +0000', null],
  ['0 Jan 2020 10:00:00 +0000', null],
  ['1 Jan 2020 24:00:00 +0000', null],
  ['1 Jan 2020 10:60:00 +0000', null],
  ['Thu, 1 Jan 2020 25:61:61 +9999', null],
  ['1 Jan 2020 10:00:00 +0260', null],
  ['1 Jan 2020 10:00:00 pm', null],
  ['1 Jan 0000 10:00:00 +0000', null],
  ['1 Jan 20200 10:00:00 +0000', null],
  ['1 Janitor 2020 10:00:00 +0000', null],
  ['1 Jan 2020', null],
  ['2020-01-02T03:04:05Z', null], // ISO 8601 is not asked for (77)
  [`${'1'.repeat(1_000_000)} Jan 2020`, null],
  ['1 Jan 2020 10:00:00 (unclosed', '2020-01-01T10:00:00Z', 'obsolete-date'],
])('reads %s', (body, iso, code) => {
  const seen = reports()
  expect(parseDate(body, seen.report)).toEqual(iso === null ? null : new Date(iso))
  expect(seen.codes).toEqual(iso === null ? ['invalid-date'] : code === undefined ? [] : [code])
})

test.each<[string, (count: number) => string]>([
  ['digits', (count) => '1'.repeat(10 * count)],
  ['parentheses', (count) => '('.repeat(10 * count)],
  ['comments', (count) => '()'.repeat(10 * count)],
  ['words', (count) => 'a '.repeat(count)],
])('reads %s in linear time (M25, M49)', (_what, make) => {
  expect(growth((body) => parseDate(body, ignore), make, 20_000)).toSatisfy(isLinear)
})

test('writes the form of RFC 5322, which is read again', () => {
  expect(formatDate(new Date('2026-11-02T03:04:05.678Z'))).toBe('Mon, 02 Nov 2026 03:04:05 +0000')
  fc.assert(
    fc.property(fc.integer({ min: Date.UTC(1900, 0), max: Date.UTC(9999, 11) }), (time) => {
      const date = new Date(Math.trunc(time / 1000) * 1000)
      const seen = reports()
      expect(parseDate(formatDate(date), seen.report)).toEqual(date)
      expect(seen.codes).toEqual([])
    }),
    { seed: 20261122, numRuns: 500 },
  )
})

test.each([new Date(Number.NaN), new Date(-1e14), new Date(8e15)])('refuses to write %s', (date) => {
  expect(() => formatDate(date)).toThrow(expect.objectContaining({ code: 'ERR_HEADER' }))
})
