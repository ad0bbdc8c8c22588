import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Report } from '../../../../src/mime/defect.ts'
import { parseAuthenticationResults } from '../../../../src/mime/field/authentication-results.ts'
import { growth, isLinear } from '../../../support/linear.ts'
import { ignore, octets, reports } from '../../../support/reports.ts'

/** One line a result: method, version, result, reason, properties. */
function lines(body: string, report: Report): unknown[] {
  const { authservId, version, results } = parseAuthenticationResults(body, report)
  const items = results.map(({ method, version: methodVersion, result, reason, properties }) =>
    [`${method}/${methodVersion ?? ''}`, result, reason ?? '-', ...properties.map((one) => `${one.ptype}.${one.property}=${one.value}`)].join(' '),
  )
  return [version === null ? authservId : `${authservId} ${version}`, ...items]
}

test.each<[about: string, body: string, expected: unknown[], codes?: string[]]>([
  ['nothing to say', 'a.test 1; none', ['a.test 1']],
  ['one result', 'a.test; spf=pass smtp.mailfrom=b.test', ['a.test', 'spf/ pass - smtp.mailfrom=b.test']],
  [
    'several, folded and commented',
    'a.test;\t(c) auth=pass (cram-md5)\tsmtp.auth=u@b.test; spf=Fail smtp.mailfrom=b.test;DKIM=pass header.d=b.test header.i=@b.test header.b=AbC+/=',
    [
      'a.test',
      'auth/ pass - smtp.auth=u@b.test',
      'spf/ fail - smtp.mailfrom=b.test',
      'dkim/ pass - header.d=b.test header.i=@b.test header.b=AbC+/=',
    ],
  ],
  [
    'comments everywhere (RFC 8601 appendix B)',
    'foo.test (foobar) 1 (baz); dkim (Because I like it) / 1 (One yay) = (wait for it) fail policy (A dot can go here) . (like that) expired (this surprised me) = (as I am not surprised) 1362471462',
    ['foo.test 1', 'dkim/1 fail - policy.expired=1362471462'],
  ],
  ['a reason', 'a; dkim=fail reason="bad; (signature)" header.d=b', ['a', 'dkim/ fail bad; (signature) header.d=b']],
  ['quotes', '"a b"; spf=pass smtp.mailfrom="x y"@b.test reason=z', ['a b', 'spf/ pass z smtp.mailfrom="x y"@b.test'.replaceAll('"', '')]],
  [
    'no authserv-id, as Microsoft writes it',
    'spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=b.test; dmarc=pass action=none header.from=b.test;compauth=pass reason=100',
    [null, 'spf/ pass - smtp.mailfrom=b.test', 'dmarc/ pass - .action=none header.from=b.test', 'compauth/ pass 100'],
  ],
  ['no semicolon behind it', 'a.test spf=pass x=y', ['a.test', 'spf/ pass - .x=y']],
  ['a semicolon at the end', 'a; spf=none;', ['a', 'spf/ none -']],
  ['words that mean nothing', 'a 1 2; spf; spf=pass word a=b', ['a 1', 'spf/ pass - .a=b'], ['parameter-syntax']],
  ['a quote that never closes', 'a; spf=pass reason="b; c', ['a', 'spf/ pass b; c']],
  ['a comment that never closes', 'a; spf=pass (b; dkim=pass', ['a', 'spf/ pass -']],
  ['raw UTF-8', octets('é.test; spf=pass smtp.mailfrom=ž@é.test'), ['é.test', 'spf/ pass - smtp.mailfrom=ž@é.test'], ['raw-8bit-header']],
  ['object members', 'a; __proto__=pass constructor.x=y', ['a', '__proto__/ pass - constructor.x=y']],
  ['nothing', '', [null]],
  ['punctuation', ';;=;"";.;/;)', [null], ['parameter-syntax']],
])('reads %s (RFC 8601)', (_about, body, expected, codes = []) => {
  const seen = reports()
  expect(lines(body, seen.report)).toEqual(expected)
  expect(seen.codes).toEqual(codes)
})

test('reads no more than 1,000 items', () => {
  const seen = reports()
  expect(parseAuthenticationResults(`a;${'spf=pass;'.repeat(2000)}`, seen.report).results.length).toBe(999)
  expect(seen.codes).toEqual(['parameters-limit'])
})

test.each<[string, (count: number) => string]>([
  ['results', (count) => `a;${'spf=pass;'.repeat(count)}`],
  ['names in pieces', (count) => 'a. '.repeat(count)],
  ['comments', (count) => `a${'()'.repeat(10 * count)}`],
  ['comments in a name', (count) => `a${'.()'.repeat(10 * count)}=`],
  ['parentheses', (count) => '('.repeat(10 * count)],
  ['quotes', (count) => `a="${'\\"'.repeat(10 * count)}`],
  ['semicolons', (count) => ';'.repeat(10 * count)],
  ['equals signs', (count) => '='.repeat(10 * count)],
])('reads %s in linear time', (_what, make) => {
  expect(growth((body) => parseAuthenticationResults(body, ignore), make, 20_000)).toSatisfy(isLinear)
})

test('never throws', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constantFrom('a', '=', ';', '.', '/', '"', '\\', '(', ')', ' ', 'none', 'reason', '\xff'), fc.string())),
      (pieces) => {
        parseAuthenticationResults(pieces.join(''), ignore)
      },
    ),
    { seed: 20261122, numRuns: 2000 },
  )
})
