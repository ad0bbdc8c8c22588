// How `npm run bench:compare` judges: pure arithmetic, no clock and no process.
import { median } from './figures.ts'

/** `slower` and `faster`: by more than the bound in nearly every round, so that the machine's mood does not explain it. */
export type Verdict = 'faster' | 'slower' | 'within noise' | 'too few rounds' | 'no loss'

export interface Comparison {
  /** Medians of the costs. */ readonly base: number
  readonly change: number
  /** How many times as fast the change is: the median of the ratios of each round, whose two sides ran one right after the other. */
  readonly ratio: number
  /** Where that median lies, noise allowed for. */ readonly low: number
  readonly high: number
  readonly verdict: Verdict
}

const CONFIDENCE = 0.9

/** Compares the costs of pairs of runs. `bound`: a change of fewer times than this is none, such as 1.03 for 3 %. */
export function compare(base: readonly number[], change: readonly number[], bound: number): Comparison {
  const ratios = base.flatMap((cost, round) => {
    const other = change[round]
    return other === undefined ? [] : [cost / other]
  })
  const interval = medianInterval(ratios)
  const [low, high] = interval ?? [Math.min(...ratios), Math.max(...ratios)]
  let verdict: Verdict = 'within noise'
  if (interval === undefined) verdict = 'too few rounds'
  else if (low > bound) verdict = 'faster'
  else if (high < 1 / bound) verdict = 'slower'
  return { base: median(base), change: median(change), ratio: median(ratios), low, high, verdict }
}

/** The narrowest range between two of the values in which their true median lies in nine of ten cases, whatever their distribution; `undefined`
 *  when there are too few to say (fewer than five). Each value is above or below the median by the toss of a coin. */
export function medianInterval(values: readonly number[]): readonly [low: number, high: number] | undefined {
  const sorted = values.toSorted((a, b) => a - b)
  let outside = 0
  let ways = 1
  let found: readonly [number, number] | undefined
  for (let rank = 0; rank < sorted.length / 2; rank++) {
    outside += (2 * ways) / 2 ** sorted.length
    if (1 - outside < CONFIDENCE) break
    found = [sorted[rank] ?? Number.NaN, sorted[sorted.length - 1 - rank] ?? Number.NaN]
    ways = (ways * (sorted.length - rank)) / (rank + 1)
  }
  return found
}

/** One round without a loss: five with one in each cannot come of it any more, so nothing more need be measured to know that there is none. */
export function isCleared(base: readonly number[], change: readonly number[], bound: number): boolean {
  return base.some((cost, round) => cost / (change[round] ?? Number.POSITIVE_INFINITY) >= 1 / bound)
}

/** Of two independent measurements: a loss or a gain counts when both show it. */
export function confirmed(first: Comparison, second: Comparison): Comparison {
  if (first.verdict === second.verdict || second.verdict === 'too few rounds') return second
  return { ...second, verdict: 'within noise' }
}

/** Of samples from one process: what else runs on the machine only adds to the cost, and now and then the collector must be in it. */
export const lowerQuartile = (samples: readonly number[]): number => samples.toSorted((a, b) => a - b)[Math.floor(samples.length / 4)] ?? Number.NaN

/** A count of instructions, of the lines that `perf stat -x,` prints; `undefined` where it counts none, as in most virtual machines. */
export function instructionsIn(report: string): number | undefined {
  for (const line of report.split('\n')) {
    const [value = '', , event = ''] = line.split(',')
    if (event.startsWith('instructions') && /^[0-9]+$/.test(value)) return Number(value)
  }
  return undefined
}

/** `1,234 MB/s`: the rate of an amount that costs nanoseconds. */
export function rate(amount: number, unit: string, nanoseconds: number): string {
  const perSecond = ((unit === 'MB' ? amount / 1e6 : amount) * 1e9) / nanoseconds
  const digits = perSecond < 10 ? 1 : 0
  return `${perSecond.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${unit}/s`
}
