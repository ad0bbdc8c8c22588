import { expect, test } from 'vitest'
import type { Goal, Result } from '../../../bench/family.ts'
import {
  isNamed,
  judge,
  median,
  missedFloors,
  peakMB,
  rate,
  rateRatio,
  ratios,
  spread,
  wrongness,
  type SubjectFigures,
} from '../../../bench/figures.ts'

const MB = 1_000_000

function result(ms: number, more: Partial<Result> = {}): Result {
  return { ms, cpuMs: ms, peakBytes: 60 * MB, idleBytes: 50 * MB, ...more }
}

function subject(name: string, kind: SubjectFigures['kind'], times: readonly number[], more: Partial<SubjectFigures> = {}): SubjectFigures {
  return { name, kind, of: [], results: times.map((ms) => result(ms)), ...more }
}

const goal = (figure: Goal['figure'], against: string, floor: number, best: number): Goal => ({ figure, against, floor, goal: best })

test.each([
  [[3], 3],
  [[9, 1, 5], 5],
  [[4, 1, 3, 2], 2.5],
  [[10, 9, 100], 10],
])('the median of %j is %d', (values, expected) => {
  expect(median(values)).toBe(expected)
})

test('nothing has no median and no spread', () => {
  expect(median([])).toBeNaN()
  expect(spread([])).toBeUndefined()
})

test('a spread keeps what it was given as it is', () => {
  const values = [5, 1, 9]
  expect(spread(values)).toEqual({ median: 5, least: 1, most: 9 })
  expect(values).toEqual([5, 1, 9])
})

test('rates are in millions of octets or in messages a second', () => {
  expect(rate('MB/s', 50 * MB, result(500))).toBe(100)
  expect(rate('messages/s', 5000, result(250))).toBe(20_000)
  expect(peakMB(result(1))).toBe(10)
})

test('a ratio is that of the same round, and of the rounds that both finished', () => {
  expect(ratios([10, 20, 30], [5, 4])).toEqual([2, 5])
  // The machine was twice as slow in the second round, for both.
  expect(rateRatio(subject('wirepost', 'ours', [10, 20]), subject('peer', 'peer', [80, 160]))).toEqual({ median: 8, least: 8, most: 8 })
  expect(rateRatio(subject('wirepost', 'ours', [10]), subject('peer', 'peer', []))).toBeUndefined()
})

test('a goal means a subject by its name, its name without options, or another name that it goes by', () => {
  const fastest = subject('mailparser (fastest)', 'peer', [], { of: ['JavaScript'] })
  for (const name of ['mailparser', 'mailparser (fastest)', 'JavaScript']) expect(isNamed(fastest, name)).toBe(true)
  for (const name of ['mail', 'mailparser (defaults)', 'Java', '']) expect(isNamed(fastest, name)).toBe(false)
})

test('of several subjects that a goal means, the less flattering counts', () => {
  const subjects = [
    subject('wirepost', 'ours', [10, 10]),
    subject('mailparser (defaults)', 'peer', [100, 100]),
    subject('mailparser (fastest)', 'peer', [80, 80]),
    subject('mailparser (wrong)', 'peer', [], { obstacle: { state: 'wrong', why: 'no octets' } }),
  ]
  expect(judge([goal('rate', 'mailparser', 7, 9)], subjects)).toMatchObject([
    { subject: 'mailparser (fastest)', value: { median: 8 }, floorMet: true, goalMet: false, lowerIsBetter: false },
  ])
})

test.each([
  [8, true, true],
  [10, true, true],
  [11, true, false],
  [12, true, false],
  [12.5, false, false],
])('memory %d MB above idle: floor of 12 met %s, goal of 10 met %s', (above, floorMet, goalMet) => {
  const ours = subject('wirepost', 'ours', [], { results: [result(1, { peakBytes: (50 + above) * MB })] })
  expect(judge([goal('peak', '', 12, 10)], [ours])).toMatchObject([{ subject: '', floorMet, goalMet, lowerIsBetter: true }])
})

test('first octet, octets read by then, growth and processor time', () => {
  const ours = subject('wirepost', 'ours', [], { results: [result(10, { firstMs: 1.5, firstInput: 65_536, growth: 4.4, cpuMs: 5 })] })
  const peer = subject('peer', 'peer', [], { results: [result(20, { cpuMs: 40 })] })
  const goals = [goal('first', '', 5, 2), goal('input', '', 65_536, 65_536), goal('growth', '', 4.6, 4.2), goal('cpu', 'peer', 6, 10)]
  expect(judge(goals, [ours, peer]).map(({ value, floorMet, goalMet }) => [value?.median, floorMet, goalMet])).toEqual([
    [1.5, true, true],
    [65_536, true, true],
    [4.4, true, false],
    [8, true, false],
  ])
})

test('flat: what the peak has more than that of a smaller workload', () => {
  const small = { name: '25 MB', subjects: [subject('wirepost', 'ours', [1])] }
  const large = subject('wirepost', 'ours', [], { results: [result(1, { peakBytes: 63 * MB })] })
  expect(judge([goal('flat', '25 MB', 4, 2)], [large], [small])).toMatchObject([{ value: { median: 3 }, floorMet: true, goalMet: false }])
  expect(judge([goal('flat', '25 MB', 4, 2)], [large])).toMatchObject([{ value: undefined }])
})

test('a floor with nothing to compare with is not missed, and not met either', () => {
  const verdicts = judge([goal('rate', 'GMime', 2, 3), goal('first', '', 5, 2)], [subject('wirepost', 'ours', [1])])
  expect(verdicts).toMatchObject([{ floorMet: false }, { floorMet: false }])
  expect(missedFloors(verdicts)).toEqual([])
  const peer = subject('GMime (file)', 'peer', [1])
  expect(missedFloors(judge([goal('rate', 'GMime', 2, 3)], [subject('wirepost', 'ours', [1]), peer]))).toHaveLength(1)
})

test('wirepost tells all that is expected, a peer the octets, a limit nothing; what is told must be right', () => {
  const expected = { parts: 2, octets: 4000, sha256: 'aa' }
  const right = result(1, { parts: 2, octets: 4000, sha256: 'aa' })
  for (const kind of ['ours', 'peer', 'limit'] as const) {
    expect(wrongness(kind, right, expected)).toBeUndefined()
    expect(wrongness(kind, { ...right, octets: 3999 }, expected)).toBe('3,999 octets instead of 4,000')
    expect(wrongness(kind, { ...right, sha256: 'bb' }, expected)).toBe('other octets (SHA-256)')
  }
  expect(wrongness('limit', result(1), expected)).toBeUndefined()
  expect(wrongness('peer', result(1), expected)).toBe('no count of octets')
  expect(wrongness('ours', result(1), expected)).toBe('no count of parts, no count of octets')
  expect(wrongness('ours', result(1), {})).toBeUndefined()
})
