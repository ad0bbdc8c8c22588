import { expect, test } from 'vitest'
import { normalizeDomain, parseAddrSpec, writeLocalPart } from '../../src/addr-spec.ts'

const parse = (text: string): string => {
  const { local, domain } = parseAddrSpec(text, (why) => {
    throw new Error(why)
  })
  return `${local} ${domain}`
}

test.each([
  ['a@b', 'a b'],
  ['"a"@B.test', 'a B.test'],
  ['"jörg"@bücher.test', 'jörg xn--bcher-kva.test'],
  ['"a\\ b"@x_y', '"a b" x_y'],
  ['a@XN--BCHER-KVA.test', 'a xn--bcher-kva.test'],
  [
    `${'x'.repeat(64)}@${'y'.repeat(63)}.${'y'.repeat(63)}.${'y'.repeat(61)}`,
    `${'x'.repeat(64)} ${'y'.repeat(63)}.${'y'.repeat(63)}.${'y'.repeat(61)}`,
  ],
])('%j is local part and domain %j', (text, parts) => {
  expect(parse(text)).toBe(parts)
})

test.each([
  ['', /no "@"/],
  ['Doe, John <j@x>', /"," stands outside quotes/],
  ['John <j@x>', /needs < and >/],
  ['"a"b@x', /"b" stands outside quotes/],
  ['"a', /never closed/],
  [`"${'\\'.repeat(400)}`, /never closed/],
  [`${'a'.repeat(1e6)}@x`, /too long/],
  [`a@${'b.'.repeat(130)}c`, /too long/],
  [`${'x'.repeat(64)}@${'y'.repeat(63)}.${'y'.repeat(63)}.${'y'.repeat(62)}`, /too long/],
  ['ab\u200b@x', /allowed in quotes only/],
  ['a@xn--a.test', /no valid domain/],
  ['a@[192.0.2.1', /no valid IP/],
  ['a@b (c)', /does not belong/],
])('%j is none, and it is said why', (text, why) => {
  expect(() => parse(text)).toThrow(why)
})

test('a domain has one form, and no characters that are dropped or made others (S7)', () => {
  expect(['b', 'b。ｃ', 'ß', '[IPv6:::1]'].map(normalizeDomain)).toEqual(['b', 'b.c', 'xn--zca', '[IPv6:::1]'])
  expect(['', '.', 'b.', 'é%2ec', '＠', '１.２', 'a℀b', 'xn--zzzz--', 'xn--a', '-b', '[::1]', '[IPv6:::1%1]'].map(normalizeDomain)).toEqual(
    Array.from({ length: 12 }, () => undefined),
  )
})

test('a local part is quoted where it must be', () => {
  expect(['a.b', '', 'a..b', 'a"\\'].map(writeLocalPart)).toEqual(['a.b', '""', '"a..b"', '"a\\"\\\\"'])
})
