import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Group, type Mailbox, parseAddressList } from '../../../../src/mime/field/address.ts'
import { growth, isLinear } from '../../../support/linear.ts'
import { ignore, octets, reports } from '../../../support/reports.ts'

/** `name <address>` for each mailbox, `name: members;` for each group. */
function shown(list: readonly (Mailbox | Group)[]): string[] {
  return list.map((entry) =>
    'group' in entry ? `${entry.group}: ${shown(entry.members).join(', ')};` : entry.name === '' ? entry.address : `${entry.name} <${entry.address}>`,
  )
}

test.each<[body: string, list: string[], valid?: boolean]>([
  ['a@b.test', ['a@b.test']],
  [' John Doe <j@x.test> ', ['John Doe <j@x.test>']],
  ['"Joe Q. Public" <a@b>, Who? <c@d>', ['Joe Q. Public <a@b>', 'Who? <c@d>']],
  ['"Giant; \\"Big\\" Box" <a@b>', ['Giant; "Big" Box <a@b>']],
  ['Joe Q. Public <a@b>', ['Joe Q. Public <a@b>']],
  ['a@b (Name)', ['Name <a@b>']],
  ['<a@b> (Web (Archive))', ['Web (Archive) <a@b>']],
  ['X <a@b> (comment)', ['X <a@b>']],
  ['Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>', ['Pete <pete@silly.test>']],
  ['jdoe @ test  . example', ['jdoe@test.example']],
  ['<@r1,@r2:a@b>, X <@r:c@d>', ['a@b', 'X <c@d>']],
  ['a@[192.0.2.1], <b@[IPv6:::1]>', ['a@[192.0.2.1]', 'b@[IPv6:::1]']],
  ['"john doe"@x, "john"@x, <"a\\"@b"@c>', ['"john doe"@x', 'john@x', '"a\\"@b"@c']],
  // RFC 5322 §4.4: obs-local-part, obs-domain, obs-route, obs-mbox-list and obs-group-list, with blanks and comments wherever they may be
  ['"a b" . c (x) . "d"@y.test, <a."@".b@c>', ['x <"a b.c.d"@y.test>', '"a.@.b"@c']],
  ['(c) a (d) @ (e) b (f) . c', ['c d e f <a@b.c>']],
  ['< (c) @r1 , (x) @r2 . test (y) : a . b @ c . d >, <,@r1,,@r2:e@f>, <@r:g@h', ['c x y <a.b@c.d>', 'e@f', 'g@h'], false],
  ['a @ [192.0.2.1] (n)', ['n <a@[192.0.2.1]>']],
  [' , (c) ,a@b, , c@d,(e),', ['a@b', 'c@d']],
  ['G:,(c), ,;, H: , a@b , ,; (end)', ['G: ;', 'H: a@b;']],
  ['Joe . Q. "Public" <a@b>', ['Joe . Q. Public <a@b>']],
  ['a@b (\\(Q\\) (x\\)))', ['(Q) (x)) <a@b>']],
  // 73
  ['Doe, John <j@x.test>', ['Doe, John <j@x.test>'], false],
  ['Doe, John, Jr. <j@x.test>, a@b', ['Doe, John, Jr. <j@x.test>', 'a@b'], false],
  ['root, a@b', ['root', 'a@b'], false],
  ['Doe, John', ['Doe, John <>'], false],
  // 74
  [
    '"a@b.test" <c@d.test>, e@f.test <g@h.test>, <i@j.test, k@l.test (c (nested)), <<m@n.test>>',
    ['a@b.test <c@d.test>', 'e@f.test <g@h.test>', 'i@j.test', 'c (nested) <k@l.test>', 'm@n.test'],
    false,
  ],
  ['s@t.test;u@v.test', ['s@t.test', 'u@v.test'], false],
  ['<a@b> <c@d>', ['a@b', 'c@d'], false],
  ['<a@b.test>c@d.test', ['a@b.test', 'c@d.test'], false],
  ['a@b c@d X e@f', ['a@b', 'c@d', 'X <e@f>'], false],
  ['<a@b> c@d Doe', ['a@b', 'Doe <c@d>'], false],
  ['<a@b> Doe', ['Doe <a@b>'], false],
  ['<a@b> (A) Doe <c@d> (C), <a@b <c@d>', ['A <a@b>', 'Doe <c@d>', 'a@b', 'c@d'], false],
  ['e@f.test <g@h.test>', ['e@f.test <g@h.test>'], false],
  ['e@f: g@h;', ['e@f: g@h;'], false],
  ['a@b (A) c@d (C)', ['A <a@b>', 'C <c@d>'], false],
  ['root (Super User), a@b', ['Super User <root>', 'a@b'], false],
  ['X <, a@b>, c@d', ['X <>', 'a@b', 'c@d'], false],
  ['<@foo, a@b, c@d>', ['@foo', 'a@b', 'c@d'], false],
  ['"a"b@c', ['"a"b@c'], false],
  ['a..b@c', ['a..b@c'], false],
  [';', [], false],
  ['John Doe j@x', ['John Doe <j@x>'], false],
  ['a@b@c', ['a@b@c'], false],
  ['user@good.test(x)evil.test', ['evil.test <user@good.test>'], false],
  ['"victim@good.test x"@evil.test', ['"victim@good.test x"@evil.test']],
  ['"foo <a@b>, c@d', ['foo <a@b>', 'c@d'], false],
  ['foo (bar <a@b>, c@d', ['foo bar <a@b>', 'c@d'], false],
  ['a@b) > , c@d', ['a@b', 'c@d'], false],
  ['<>', [], false],
  [',, ,', []],
  ['', []],
  // 75 and S6: decoded after the structure is settled, never read again, and never in an addr-spec
  ['=?utf-8?Q?boss=40bank=2Etest_=3Cboss=40bank=2Etest=3E?= <evil@x.test>', ['boss@bank.test <boss@bank.test> <evil@x.test>']],
  ['=?utf-8?Q?Doe=2C_J?= <o@p.test>, "=?utf-8?Q?q?=" <q@r.test>', ['Doe, J <o@p.test>', 'q <q@r.test>']],
  ['=?utf-8?q?Bob_=3Cb=40x=3E?=', ['Bob <b@x> <>'], false],
  ['=?utf-8?q?admin=40evil=2Etest?=@good.test', ['=?utf-8?q?admin=40evil=2Etest?=@good.test']],
  ['=?utf-8?q?a?= =?utf-8?q?b?= <a@b>', ['ab <a@b>']],
  ['"Serge, HR" =?utf-8?b?w6k=?= conf <a@b>', ['Serge, HR é conf <a@b>']],
  ['=?utf-8?Q?Doe,_J:_@x?= <a@b>, =?utf-8?q?a,b?=@c', ['Doe, J: @x <a@b>', '=?utf-8?q?a,b?=@c']],
  [`=?utf-8?q?${'=41,'.repeat(90)}?= <a@b>`, [`${'A,'.repeat(90)} <a@b>`]],
  ['=?utf-8?q?a <b@c>?=', ['a <b@c>'], false],
  ['=?utf-8?q?a=0D=0ABcc:_x?= <a@b>', ['a Bcc: x <a@b>']],
  // 76
  ['undisclosed-recipients:;', ['undisclosed-recipients: ;']],
  ['G: a@x.test, "B, C" <b@x.test>; , d@x.test', ['G: a@x.test, B, C <b@x.test>;', 'd@x.test']],
  ['A: a@x; B (c): b@x;', ['A: a@x;', 'B: b@x;']],
  ['(Empty list)Hidden  :(nobody(that I know))  ;', ['Hidden: ;']],
  ['(x): a@x;', ['x: a@x;']],
  ['A: a@x; ;B: b@x', ['A: a@x;', 'B: b@x;'], false],
  ['A: a@x, B: b@x; c@x; d@x', ['A: a@x, b@x, c@x;', 'd@x'], false],
  ['A: a@x, b@x', ['A: a@x, b@x;'], false],
  ['a:b:c:d@e;;;f@g', ['a: d@e;', 'f@g'], false],
  ['"=?utf-8?b?w6k=?=": a@x;', ['é: a@x;']],
  // RFC 6532
  [octets('Žofie <žofie@příklad.test>'), ['Žofie <žofie@příklad.test>']],
  ['Andr\xe9 <a@b>', ['André <a@b>']],
  [octets('"Ž" <"ž o".a@b>, (Ž) é@x'), ['Ž <"ž o.a"@b>', 'Ž <é@x>']],
  [`${octets('Ž')} <a@b>, \xe9 <c@d>`, ['Å½ <a@b>', 'é <c@d>']],
  ['a\0b <c\0@d>', ['a\ufffdb <c\ufffd@d>']],
])('reads %j', (body, list, valid = true) => {
  const seen = reports()
  expect(shown(parseAddressList(body, seen.report))).toEqual(list)
  expect(seen.codes.filter((code) => code === 'invalid-address')).toEqual(valid ? [] : ['invalid-address'])
})

test.each<[string, (count: number) => string]>([
  ['addresses', (count) => 'Foo Bar <a@b.c>, '.repeat(count)],
  ['addresses without commas', (count) => 'a@b '.repeat(count)],
  ['groups', (count) => 'a:'.repeat(count)],
  ['parentheses', (count) => '('.repeat(10 * count)],
  ['comments', (count) => 'a(b) '.repeat(count)],
  ['closing parentheses', (count) => ')'.repeat(10 * count)],
  ['commas', (count) => ','.repeat(10 * count)],
  ['semicolons', (count) => ';'.repeat(10 * count)],
  ['unclosed brackets', (count) => '<'.repeat(10 * count)],
  ['unclosed addresses', (count) => '<a@b,'.repeat(count)],
  ['routes', (count) => '<@a,'.repeat(count)],
  ['quotes', (count) => '"a, '.repeat(count)],
  ['backslashes', (count) => `"${'\\'.repeat(10 * count)}`],
  ['words', (count) => 'a '.repeat(3 * count)],
  ['names', (count) => 'a,'.repeat(3 * count)],
  ['a domain literal', (count) => `a@[${'x'.repeat(10 * count)}`],
  ['domain literals', (count) => 'a@['.repeat(count)],
  ['colons in brackets', (count) => `<a${':a'.repeat(count)}`],
  ['words of a local part', (count) => `${'"a b".'.repeat(count)}c@d`],
  ['bracketed routes', (count) => `<${'@a,'.repeat(count)}`],
  ['encoded-words that never end', (count) => '=?u?q?a,'.repeat(count)],
  ['dots', (count) => `${'. '.repeat(3 * count)}@`],
  ['encoded-words without an end', (count) => '=?utf-8?q? '.repeat(count)],
])('reads %s in linear time (S5, M22, M25, M26, M29)', (_what, make) => {
  expect(growth((body) => parseAddressList(body, ignore), make, 8000)).toSatisfy(isLinear)
})

const WORD = fc.oneof(
  fc.stringMatching(/^[\w!#$%&'*+/=?^`{|}~.-]{1,5}$/),
  fc.constantFrom('=?utf-8?Q?=C3=BC_x?=', '=?utf-8?B?w7w=?=', '=?x?Q?a?=', '=?utf-8?Q?a'),
)
const SPEC = fc.stringMatching(/^[\w=?+-]{1,4}(\.[\w=?]{1,3})?@[a-z\d-]{1,5}(\.[A-Z]{1,3})?$/)
const NAME = fc.oneof(
  fc.constant(''),
  fc.array(WORD, { minLength: 1, maxLength: 4 }).map((words) => words.join(' ')),
  fc.array(fc.stringMatching(/^[!#-<>-[\]-~]{1,5}$/), { minLength: 1, maxLength: 3 }).map((words) => `"${words.join(' ')}"`),
)
const LIST = fc.array(
  fc.tuple(NAME, SPEC).map(([name, spec]) => (name === '' ? spec : `${name} <${spec}>`)),
  { minLength: 1, maxLength: 4 },
)

test('plain lists are read at one look as they are read piece by piece', () => {
  fc.assert(
    fc.property(LIST, fc.constantFrom(',', ', '), (list, comma) => {
      const body = list.join(comma)
      // A comma at the end belongs to no plain list.
      const wanted: string[] = []
      const found: string[] = []
      const read = parseAddressList(`${body},`, (code, offset) => wanted.push(`${code} ${offset}`))
      expect(parseAddressList(body, (code, offset) => found.push(`${code} ${offset}`))).toEqual(read)
      expect(found).toEqual(wanted)
    }),
    { numRuns: 2000 },
  )
})
