// The arithmetic of a run: medians, spreads, ratios round by round, and which goals they reach. No processes, no output.
import type { Expected, Goal, Result, Subject, Workload } from './family.ts'

export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

export interface SubjectFigures {
  readonly name: string
  readonly kind: Subject['kind']
  readonly of: readonly string[]
  readonly note?: string | undefined
  /** Why there are no results: missing here, failed, or wrong. */ readonly obstacle?:
    | { readonly state: 'missing' | 'failed' | 'wrong'; readonly why: string }
    | undefined
  /** One a round. */ readonly results: readonly Result[]
}

export interface WorkloadFigures {
  readonly name: string
  readonly unit: Workload['unit']
  readonly does: string
  readonly amount: number
  readonly expected: Expected
  readonly subjects: readonly SubjectFigures[]
  readonly verdicts: readonly Verdict[]
}

export interface Verdict extends Goal {
  /** The subject that was compared with, the least flattering of those that `against` names; '' for figures of ours alone. */ readonly subject: string
  /** `undefined` when nothing could be compared. */ readonly value: Spread | undefined
  readonly floorMet: boolean
  readonly goalMet: boolean
}

const MEGA = 1e6

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[sorted.length / 2 - 1] ?? Number.NaN)) / 2
}

/** `undefined` for no values. */
export function spread(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) }
}

/** MB/s or messages/s of one process. */
export function rate(unit: Workload['unit'], amount: number, { ms }: Result): number {
  return amount / (unit === 'MB/s' ? MEGA : 1) / (ms / 1000)
}

export function peakMB({ peakBytes, idleBytes }: Result): number {
  return (peakBytes - idleBytes) / MEGA
}

/** `one` over `other` in the same round, so that what the machine does to both does not count; the rounds that both finished. */
export function ratios(one: readonly number[], other: readonly number[]): number[] {
  return one.slice(0, other.length).map((value, round) => value / (other[round] ?? Number.NaN))
}

/** Ours over this subject in messages or octets a second. */
export function rateRatio(ours: SubjectFigures, other: SubjectFigures): Spread | undefined {
  const speeds = ({ results }: SubjectFigures): number[] => results.map(({ ms }) => 1 / ms)
  return spread(ratios(speeds(ours), speeds(other)))
}

function cpuRatio(ours: SubjectFigures, other: SubjectFigures): Spread | undefined {
  const costs = ({ results }: SubjectFigures): number[] => results.map(({ cpuMs }) => cpuMs)
  return spread(ratios(costs(other), costs(ours)))
}

export function isNamed(subject: SubjectFigures, name: string): boolean {
  return subject.name === name || subject.of.includes(name) || subject.name.startsWith(`${name} (`)
}

/** What is wrong with a result, or `undefined`. wirepost must tell all that is expected, a peer the octets, a limit nothing; who tells must be right. */
export function wrongness(kind: Subject['kind'], result: Result, expected: Expected): string | undefined {
  const wrong: string[] = []
  for (const key of ['messages', 'parts', 'octets'] as const) {
    const [wanted, found] = [expected[key], result[key]]
    if (wanted === undefined || found === wanted) continue
    if (found !== undefined) wrong.push(`${found.toLocaleString('en')} ${key} instead of ${wanted.toLocaleString('en')}`)
    else if (kind === 'ours' || (kind === 'peer' && key === 'octets')) wrong.push(`no count of ${key}`)
  }
  if (result.sha256 !== undefined && expected.sha256 !== undefined && result.sha256 !== expected.sha256) wrong.push('other octets (SHA-256)')
  return wrong.length === 0 ? undefined : wrong.join(', ')
}

/** The goals of a workload against what was measured; `others` are the workloads of the family that were measured before it. */
export function judge(
  goals: readonly Goal[],
  subjects: readonly SubjectFigures[],
  others: readonly Pick<WorkloadFigures, 'name' | 'subjects'>[] = [],
): Verdict[] {
  const ours = subjects.find(({ kind }) => kind === 'ours')
  return goals.map((goal) => {
    const isRatio = goal.figure === 'rate' || goal.figure === 'cpu'
    const { lowerIsBetter = !isRatio } = goal
    const compared = ours === undefined ? undefined : isRatio ? leastFlattering(goal, ours, subjects) : alone(goal, ours, others)
    const meets = (bound: number): boolean =>
      compared !== undefined && (lowerIsBetter ? compared.value.median <= bound : compared.value.median >= bound)
    return {
      ...goal,
      lowerIsBetter,
      subject: compared?.subject ?? '',
      value: compared?.value,
      floorMet: meets(goal.floor),
      goalMet: meets(goal.goal),
    }
  })
}

type Compared = { readonly subject: string; readonly value: Spread } | undefined

function leastFlattering(goal: Goal, ours: SubjectFigures, subjects: readonly SubjectFigures[]): Compared {
  let least: Compared
  for (const other of subjects) {
    if (other === ours || !isNamed(other, goal.against)) continue
    const value = goal.figure === 'cpu' ? cpuRatio(ours, other) : rateRatio(ours, other)
    if (value !== undefined && (least === undefined || value.median < least.value.median)) least = { subject: other.name, value }
  }
  return least
}

const OF_OURS = {
  peak: peakMB,
  first: ({ firstMs }: Result) => firstMs,
  input: ({ firstInput }: Result) => firstInput,
  growth: ({ growth }: Result) => growth,
} as const

function alone({ figure, against }: Goal, { results }: SubjectFigures, others: readonly Pick<WorkloadFigures, 'name' | 'subjects'>[]): Compared {
  if (figure === 'rate' || figure === 'cpu') return undefined
  let values: (number | undefined)[]
  if (figure === 'flat') {
    const other = others.find(({ name }) => name === against)?.subjects.find(({ kind }) => kind === 'ours')
    const base = median(other?.results.map(peakMB) ?? [])
    values = Number.isNaN(base) ? [] : results.map((result) => peakMB(result) - base)
  } else values = results.map(OF_OURS[figure])
  const value = spread(values.filter((one) => one !== undefined))
  return value === undefined ? undefined : { subject: '', value }
}

/** The floors that were missed. One that nothing could be compared with is not: what is missing is named as missing. */
export function missedFloors(verdicts: readonly Verdict[]): Verdict[] {
  return verdicts.filter(({ value, floorMet }) => value !== undefined && !floorMet)
}
