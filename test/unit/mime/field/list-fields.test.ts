import { expect, test } from 'vitest'
import { parseListAction, parseListId, parseOneClick } from '../../../../src/mime/field/list-fields.ts'
import { growth, isLinear } from '../../../support/linear.ts'
import { ignore, octets, reports } from '../../../support/reports.ts'

test.each<[body: string, uris: string[], no?: boolean, valid?: boolean]>([
  ['<mailto:list-request@a.test?subject=help>', ['mailto:list-request@a.test?subject=help']],
  [' <https://a.test/u?x=(1),2> , (web) <mailto:u@a.test> (mail)', ['https://a.test/u?x=(1),2', 'mailto:u@a.test']],
  ['(c (d)) <mailto:a@b> <mailto:c@d>', ['mailto:a@b', 'mailto:c@d']],
  ['<https://a.test/ long/ \tone>', ['https://a.test/long/one']],
  ['NO', [], true],
  ['no (closed list)', [], true],
  ['NO <mailto:a@b>', ['mailto:a@b']],
  ['', []],
  ['<>, <mailto:a@b>,', ['mailto:a@b']],
  ['mailto:a@b, https://c.test/', ['mailto:a@b', 'https://c.test/'], false, false],
  ['<mailto:a@b', ['mailto:a@b'], false, false],
  ['<mailto:a@b, <https://c.test/>', ['mailto:a@b,', 'https://c.test/'], false, false],
  ['=?us-ascii?Q?=3Cmailto=3Aa=40b=3E=2C?= =?us-ascii?Q?_=3Chttps=3A//c.test/=3E?=', ['mailto:a@b', 'https://c.test/']],
  ['write to a@b', [], false, false],
  ['> )', [], false, false],
])('reads the action %j (RFC 2369)', (body, uris, no = false, valid = true) => {
  const seen = reports()
  expect(parseListAction(body, seen.report)).toEqual({ uris, no })
  expect(new Set(seen.codes)).toEqual(new Set(valid ? [] : ['parameter-syntax']))
})

test.each<[body: string, name: string, id: string | null, codes?: string[]]>([
  ['List Header Mailing List <list-header.nisto.com>', 'List Header Mailing List', 'list-header.nisto.com'],
  ['<common-list.a.test>', '', 'common-list.a.test'],
  ['"The \\"Best\\" List, Inc." <b.test>', 'The "Best" List, Inc.', 'b.test'],
  ['"Lenas, Jokes" <lenas.0.localhost>', 'Lenas, Jokes', 'lenas.0.localhost'],
  ['=?utf-8?Q?Li=C5=A1ta?= <l.a.test> (c)', 'Lišta', 'l.a.test'],
  ['A < B <l. a.test >', 'A < B', 'l.a.test'],
  ['l.a.test', '', 'l.a.test', ['parameter-syntax']],
  ['A list of ours', 'A list of ours', null, ['parameter-syntax']],
  ['Name <l.a.test', 'Name', 'l.a.test'],
  ['Name <>', 'Name', null],
  [octets('Lišta <l.a.test>'), 'Lišta', 'l.a.test', ['raw-8bit-header']],
])('reads the identifier %j (RFC 2919)', (body, name, id, codes = []) => {
  const seen = reports()
  expect(parseListId(body, seen.report)).toEqual({ name, id })
  expect(seen.codes).toEqual(codes)
})

test('knows one-click and nothing else (RFC 8058)', () => {
  expect(parseOneClick(' List-Unsubscribe=One-Click ')).toBe(true)
  expect(parseOneClick('list-unsubscribe=one-click')).toBe(true)
  for (const body of ['', 'One-Click', 'List-Unsubscribe=One-Click&x=y', 'List-Unsubscribe=']) expect(parseOneClick(body)).toBe(false)
})

test.each<[string, (count: number) => string]>([
  ['brackets', (count) => '<'.repeat(10 * count)],
  ['URIs', (count) => '<a:b>,'.repeat(count)],
  ['parentheses', (count) => '('.repeat(10 * count)],
  ['commas', (count) => ','.repeat(10 * count)],
  ['blanks', (count) => `<a${' '.repeat(10 * count)}`],
  ['quotes', (count) => '"'.repeat(10 * count)],
])('reads %s in linear time', (_what, make) => {
  for (const parse of [parseListAction, parseListId, parseOneClick]) {
    expect(growth((body) => parse(body, ignore), make, 20_000)).toSatisfy(isLinear)
  }
})
