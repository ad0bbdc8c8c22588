import { expect, test } from 'vitest'
import { keyOf, parseKey, reconcile } from '../../../src/connector/book.ts'
import { Ledger } from '../../../src/connector/ledger.ts'

/** Listings one after the other; each unique-id stands for a message. Gives the keys that the last one has. */
function keysAfter(ledger: Ledger, uniqueIds: readonly string[], day = 1): string[] {
  const listing = uniqueIds.map((uniqueId, at) => ({ number: at + 1, uniqueId }))
  const { messages, records } = reconcile(listing, ledger.book, day)
  for (const record of records) ledger.note(record)
  return messages.map(({ key }) => key)
}

/** All documents of these were accepted. */
function done(ledger: Ledger, ...keys: string[]): void {
  for (const key of keys) ledger.note(['message', key, { kinds: 1, fingerprint: 7 }])
}

/** QUIT is to delete these. */
function deleting(ledger: Ledger, ...keys: string[]): void {
  for (const key of keys) ledger.note(['message', key, { gonePoll: ledger.book.polls, goneDay: 1 }])
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
    new Ledger().book,
    1,
  )
  expect(messages.map(({ number }) => number)).toEqual([1, 3])
})

test('copies keep their names when others go and come', () => {
  const ledger = new Ledger()
  expect(keysAfter(ledger, ['a', 'a', 'b'])).toEqual(['a', 'a\n2', 'b'])
  done(ledger, 'a')
  deleting(ledger, 'a')
  expect(keysAfter(ledger, ['a', 'b', 'a'])).toEqual(['a', 'b', 'a\n2'])
  deleting(ledger, 'a')
  expect(keysAfter(ledger, ['b', 'a'])).toEqual(['b', 'a\n2'])
  expect(keysAfter(ledger, ['b', 'a', 'a'])).toEqual(['b', 'a\n2', 'a\n3'])
  expect(keysAfter(ledger, ['b'])).toEqual(['b'])
})

test('any number of copies is taken in linear time', () => {
  const ledger = new Ledger()
  const copies = Array.from({ length: 200_000 }, () => 'a')
  keysAfter(ledger, copies)
  deleting(ledger, ...Array.from({ length: 100_000 }, (_, at) => keyOf('a', at * 2 + 1)))
  expect(keysAfter(ledger, copies.slice(100_000)).slice(0, 2)).toEqual(['a\n2', 'a\n4'])
  expect(keysAfter(ledger, copies)).toHaveLength(200_000)
})

test('when the last copy is gone by a QUIT whose reply was lost, the next is the first again', () => {
  const ledger = new Ledger()
  keysAfter(ledger, ['a', 'a'])
  done(ledger, 'a', 'a\n2')
  deleting(ledger, 'a', 'a\n2')
  keysAfter(ledger, [])
  expect(ledger.book.copies.size).toBe(0)
  expect(keysAfter(ledger, ['a'])).toEqual(['a'])
})

test('copies that cannot be told apart any more are all new', () => {
  const ledger = new Ledger()
  keysAfter(ledger, ['a', 'a', 'a'])
  done(ledger, 'a', 'a\n3')
  expect(keysAfter(ledger, ['a', 'a'])).toEqual(['a', 'a\n2'])
  expect([...ledger.book.entries]).toEqual([])
})

test('a tombstone lives 30 days and 10 polls', () => {
  const ledger = new Ledger()
  keysAfter(ledger, ['a'])
  done(ledger, 'a')
  keysAfter(ledger, [], 1)
  expect(ledger.book.entries.get('a')?.gonePoll).toBeGreaterThan(0)
  for (let poll = 0; poll < 20; poll += 1) keysAfter(ledger, [], 30)
  expect(ledger.book.entries.get('a')).toBeDefined()
  keysAfter(ledger, [], 31)
  expect(ledger.book.entries.get('a')).toBeUndefined()
  done(ledger, 'b')
  keysAfter(ledger, [], 1)
  for (let poll = 0; poll < 9; poll += 1) keysAfter(ledger, [], 500)
  expect(ledger.book.entries.get('b')).toBeDefined()
  keysAfter(ledger, [], 500)
  expect(ledger.book.entries.get('b')).toBeUndefined()
})
