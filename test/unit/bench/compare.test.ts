import { expect, test } from 'vitest'
import { compare, confirmed, instructionsIn, isCleared, lowerQuartile, medianInterval, rate } from '../../../bench/compare.ts'
import { Random } from '../../support/random.ts'

const times = (count: number, make: (at: number) => number): number[] => Array.from({ length: count }, (_, at) => make(at))

test('the ratio is that of the two sides of each round, whatever the machine did between the rounds', () => {
  // Each round takes twice as long as the one before, and the change a tenth less than the base.
  const base = times(9, (round) => 100 * 2 ** round)
  const change = base.map((cost) => cost * 0.9)
  const { ratio, low, high, verdict } = compare(base, change, 1.03)
  for (const value of [ratio, low, high]) expect(value).toBeCloseTo(1 / 0.9, 10)
  expect(verdict).toBe('faster')
  expect(compare(change, base, 1.03).verdict).toBe('slower')
})

test.each<[name: string, base: number[], change: number[], bound: number, verdict: string]>([
  ['five rounds that agree', [100, 100, 100, 100, 100], [200, 210, 190, 205, 300], 1.03, 'slower'],
  ['one of five that does not', [100, 100, 100, 100, 100], [200, 210, 100, 205, 300], 1.03, 'within noise'],
  ['one of nine that does not', [...times(9, () => 100)], [...times(8, () => 200), 50], 1.03, 'slower'],
  ['two of nine that do not', [...times(9, () => 100)], [...times(7, () => 200), 50, 50], 1.03, 'within noise'],
  ['less than the bound', [100, 100, 100, 100, 100], [102, 102, 102, 102, 102], 1.03, 'within noise'],
  ['a gain of less than the bound', [102, 102, 102, 102, 102], [100, 100, 100, 100, 100], 1.03, 'within noise'],
  ['just more than the bound', [100, 100, 100, 100, 100], [104, 104, 104, 104, 104], 1.03, 'slower'],
  ['a third, where a third is allowed', [100, 100, 100, 100, 100], [132, 132, 132, 132, 132], 1.33, 'within noise'],
  ['four rounds', [100, 100, 100, 100], [900, 900, 900, 900], 1.03, 'too few rounds'],
  ['no rounds', [], [], 1.03, 'too few rounds'],
  ['a round that the change did not finish', [100, 100, 100, 100, 100], [900, 900, 900, 900], 1.03, 'too few rounds'],
])('%s: the verdict', (_name, base, change, bound, verdict) => {
  expect(compare(base, change, bound).verdict).toBe(verdict)
})

test('the figures are medians of the costs', () => {
  const { base, change } = compare([5, 1, 100, 3, 4], [2, 2, 2, 2, 9], 1.03)
  expect([base, change]).toEqual([4, 2])
})

test.each<[count: number, interval: [number, number] | undefined]>([
  [0, undefined],
  [1, undefined],
  [4, undefined],
  [5, [1, 5]],
  [7, [1, 7]],
  [8, [2, 7]],
  [9, [2, 8]],
  [15, [4, 12]],
  [20, [6, 15]],
])('of %i values the median lies between these ranks', (count, interval) => {
  expect(medianInterval(times(count, (at) => count - at))).toEqual(interval)
})

test('the interval holds the true median nine times of ten, whatever the distribution', () => {
  const random = new Random(6)
  // Long-tailed, as what a busy machine adds; the median of the square is that of the middle.
  const value = (): number => (random.below(100_001) / 100_000) ** 2
  for (const count of [5, 9, 15]) {
    let inside = 0
    for (let trial = 0; trial < 2000; trial++) {
      const [low, high] = medianInterval(times(count, value)) ?? [1, 0]
      if (low <= 0.25 && 0.25 <= high) inside++
    }
    expect(inside).toBeGreaterThan(1760)
  }
})

test('two runs of the same thing on a noisy machine are hardly ever a loss, and never one twice with a bound of a third', () => {
  const random = new Random(66)
  const noisy = (): number => 100 * (0.8 + 0.4 * (random.below(1000) / 1000)) * (random.once(5) ? 3 : 1)
  let lost = 0
  for (let trial = 0; trial < 2000; trial++) {
    const measured = (): ReturnType<typeof compare> => compare(times(5, noisy), times(5, noisy), 1.33)
    if (confirmed(measured(), measured()).verdict === 'slower') lost++
  }
  expect(lost).toBe(0)
})

test('a loss counts when it shows twice', () => {
  const slower = compare([1, 1, 1, 1, 1], [2, 2, 2, 2, 2], 1.03)
  const even = compare([1, 1, 1, 1, 1], [1, 1, 1, 1, 1], 1.03)
  const brief = compare([1], [2], 1.03)
  expect(confirmed(slower, slower).verdict).toBe('slower')
  expect(confirmed(slower, even).verdict).toBe('within noise')
  expect(confirmed(slower, { ...even, verdict: 'faster' }).verdict).toBe('within noise')
  expect(confirmed(slower, brief).verdict).toBe('too few rounds')
})

test('one round without a loss clears a benchmark: five rounds with it could not be a loss', () => {
  expect(isCleared([], [], 1.33)).toBe(false)
  expect(isCleared([100], [140], 1.33)).toBe(false)
  expect(isCleared([100], [130], 1.33)).toBe(true)
  expect(isCleared([100, 100], [200, 90], 1.33)).toBe(true)
  expect(isCleared([100, 100], [200], 1.33)).toBe(false)
  expect(compare([100, 100, 100, 100, 100], [900, 900, 130, 900, 900], 1.33).verdict).toBe('within noise')
})

test('of the samples of a process the lower quartile is taken', () => {
  expect(lowerQuartile([9, 1, 2, 8, 3, 7, 4, 6, 5])).toBe(3)
  expect(lowerQuartile([2, 1, 4])).toBe(1)
  expect(lowerQuartile([])).toBeNaN()
})

test.each<[report: string, count: number | undefined]>([
  ['# started on Sun Nov 22\n\n123456,,instructions:u,1002003,100.00,,\n', 123_456],
  ['7,,instructions:u,1002003,100.00,1.2,insn per cycle\n', 7],
  ['<not supported>,,instructions:u,0,100.00,,\n', undefined],
  ['<not counted>,,instructions:u,0,0.00,,\n', undefined],
  ['12.5,msec,task-clock:u,12,100.00,,\n', undefined],
  ['', undefined],
])('%j of perf', (report, count) => {
  expect(instructionsIn(report)).toBe(count)
})

test('rates', () => {
  expect(rate(1e6, 'MB', 1e6)).toBe('1,000 MB/s')
  expect(rate(1e6, 'MB', 2e8)).toBe('5.0 MB/s')
  expect(rate(20, 'messages', 1e6)).toBe('20,000 messages/s')
})
