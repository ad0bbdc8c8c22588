import { expect, test } from 'vitest'
import { MemoryLedger } from '../../../src/connector/ledger.ts'
import { keyOf, parseKey, reconcile } from '../../../src/connector/listing.ts'

/** Listings one after the other; each unique-id stands for a message. Gives the keys that the last one has. */
function keysAfter(ledger: MemoryLedger, uniqueIds: readonly string[], day = 1): string[] {
  const listing = uniqueIds.map((uniqueId, at) => ({ number: at + 1, uniqueId }))
  const { messages, records } = reconcile(listing, ledger, day)
  ledger.note(...records)
  return messages.map(({ key }) => key)
}

test('keys tell apart what servers do not', () => {
  for (const [uniqueId, occurrence] of [
    ['a', 1],
    ['a', 2],
    ['a 2', 1],
    ['__proto__', 3],
  ] as const) {
    expect(parseKey(keyOf(uniqueId, occurrence))).toEqual({ uniqueId, occurrence })
  }
})

test('the listing may come in any order; messages are taken by number', () => {
  const { messages } = reconcile(
    [
      { number: 3, uniqueId: 'c' },
      { number: 1, uniqueId: 'a' },
    ],
    new MemoryLedger(),
    1,
  )
  expect(messages.map(({ number }) => number)).toEqual([1, 3])
})

test('copies keep their names when others go and come', () => {
  const ledger = new MemoryLedger()
  expect(keysAfter(ledger, ['a', 'a', 'b'])).toEqual(['a', 'a\n2', 'b'])
  ledger.note(['done', 'a', 1, 0, 7, []], ['deleting', 'a', 2, [1]])
  expect(keysAfter(ledger, ['a', 'b', 'a'])).toEqual(['a', 'b', 'a\n2'])
  ledger.note(['deleting', 'a', 2, [1]])
  expect(keysAfter(ledger, ['b', 'a'])).toEqual(['b', 'a\n2'])
  expect(keysAfter(ledger, ['b', 'a', 'a'])).toEqual(['b', 'a\n2', 'a\n3'])
  expect(keysAfter(ledger, ['b'])).toEqual(['b'])
})

test('copies that cannot be told apart any more are all new', () => {
  const ledger = new MemoryLedger()
  keysAfter(ledger, ['a', 'a', 'a'])
  ledger.note(['done', 'a', 1, 0, 7, []], ['done', 'a\n3', 1, 0, 7, []])
  expect(keysAfter(ledger, ['a', 'a'])).toEqual(['a', 'a\n2'])
  expect([...ledger.entries()]).toEqual([])
})

test('a tombstone lives 30 days and 10 polls', () => {
  const ledger = new MemoryLedger()
  keysAfter(ledger, ['a'])
  ledger.note(['done', 'a', 1, 0, 7, []])
  keysAfter(ledger, [], 1)
  expect(ledger.find('a')?.gonePoll).toBeGreaterThan(0)
  for (let poll = 0; poll < 20; poll += 1) keysAfter(ledger, [], 30)
  expect(ledger.find('a')).toBeDefined()
  keysAfter(ledger, [], 31)
  expect(ledger.find('a')).toBeUndefined()
  ledger.note(['done', 'b', 1, 0, 7, []])
  keysAfter(ledger, [], 1)
  for (let poll = 0; poll < 9; poll += 1) keysAfter(ledger, [], 500)
  expect(ledger.find('b')).toBeDefined()
  keysAfter(ledger, [], 500)
  expect(ledger.find('b')).toBeUndefined()
})
