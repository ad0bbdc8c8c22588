import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { lateWriter } from '../../../bench/late.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

test('octets leave in their order, each as late as it should', () => {
  const written: [number, string][] = []
  const from = performance.now()
  const write = lateWriter((octets) => written.push([performance.now() - from, octets.toString()]), 20)
  write(Buffer.from('a'))
  vi.advanceTimersByTime(5)
  write(Buffer.from('b'))
  write(Buffer.from('c'))
  vi.advanceTimersByTime(30)
  write(Buffer.from('d'))
  vi.advanceTimersByTime(30)
  expect(written).toEqual([
    [20, 'a'],
    [25, 'bc'],
    [55, 'd'],
  ])
})

test('without a delay they leave at once', () => {
  const written: string[] = []
  lateWriter((octets) => written.push(octets.toString()), 0)(Buffer.from('a'))
  expect(written).toEqual(['a'])
})
