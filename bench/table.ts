// What a run prints: a block of lines for each workload.
import { isNamed, peakMB, rate, rateRatio, spread, type Spread, type SubjectFigures, type Verdict, type WorkloadFigures } from './figures.ts'

const WIDTHS = { name: 34, rate: 32, ratio: 20, peak: 16 }

export function block(workload: WorkloadFigures): string {
  const { name, does, unit, subjects, verdicts } = workload
  const lines = [`${name} (${unit}): ${does}`]
  for (const subject of subjects) lines.push(`  ${row(workload, subject, verdicts)}`)
  const unmeasured = verdicts.filter(({ value }) => value === undefined)
  for (const verdict of unmeasured) lines.push(`  nothing to compare with: ${described(verdict)}`)
  return lines.join('\n')
}

export const HEADING = `  ${cells(['', 'median (lowest–highest)', 'wirepost is', 'MB above idle'])} reached`

function row(workload: WorkloadFigures, subject: SubjectFigures, verdicts: readonly Verdict[]): string {
  if (subject.obstacle !== undefined) return `${subject.name.padEnd(WIDTHS.name)} ${subject.obstacle.state}: ${subject.obstacle.why}`
  const [ours] = workload.subjects
  const speeds = spread(subject.results.map((result) => rate(workload.unit, workload.amount, result)))
  const ratio = ours === undefined || ours === subject ? undefined : rateRatio(ours, subject)
  const peaks = spread(subject.results.map(peakMB))
  const reached = verdicts.filter(
    (verdict) => verdict.value !== undefined && (verdict.subject === '' ? subject === ours : isShownAt(verdict, subject)),
  )
  const tells = [...reached.map(verdictText), found(workload, subject)].filter((text) => text !== '')
  return `${cells([subject.name, range(speeds), times(ratio), figure(peaks?.median)])} ${tells.join('; ')}`.trimEnd()
}

/** Where nobody knew what is right, what this subject made of it. */
function found({ expected }: WorkloadFigures, { results: [result], kind }: SubjectFigures): string {
  if (kind === 'limit' || expected.octets !== undefined || result?.octets === undefined) return ''
  return `${result.parts === undefined ? '' : `${result.parts.toLocaleString('en')} parts, `}${result.octets.toLocaleString('en')} octets of attachments`
}

function isShownAt(verdict: Verdict, subject: SubjectFigures): boolean {
  return subject.kind !== 'ours' && subject.name === verdict.subject && isNamed(subject, verdict.against)
}

export function verdictText(verdict: Verdict): string {
  const state = verdict.goalMet ? 'goal reached' : !verdict.floorMet ? 'FLOOR MISSED' : verdict.floor === 0 ? 'goal missed' : 'floor reached'
  const { figure: what, value } = verdict
  return `${state} (${what === 'rate' ? '' : `${figure(value?.median)} `}${described(verdict)})`
}

/** 'floor 7x, goal 9x mailparser'. */
export function described(verdict: Verdict): string {
  const { figure: what, floor, goal, against } = verdict
  const bounds = `floor ${floor}, goal ${goal}`
  const texts: Record<Verdict['figure'], string> = {
    rate: floor === 0 ? `goal ${goal}x ${against}` : `floor ${floor}x, goal ${goal}x ${against}`,
    cpu: `times less CPU than ${against}; ${bounds}`,
    peak: `MB above idle; ${bounds}`,
    first: `ms to the first octet; ${bounds}`,
    input: `octets read for the first one; at most ${floor}`,
    growth: `time(4n)/time(n); ${bounds}`,
    flat: `MB more than ${against}; ${bounds}`,
  }
  return texts[what]
}

/** Three digits that count. */
export function figure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return ''
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}

export function range(values: Spread | undefined): string {
  return values === undefined ? '' : `${figure(values.median)} (${figure(values.least)}–${figure(values.most)})`
}

export function times(values: Spread | undefined): string {
  return values === undefined ? '' : `${figure(values.median)}x (${figure(values.least)}–${figure(values.most)})`
}

function cells([name = '', speed = '', ratio = '', peak = '']: readonly string[]): string {
  return `${name.padEnd(WIDTHS.name)} ${speed.padEnd(WIDTHS.rate)} ${ratio.padEnd(WIDTHS.ratio)} ${peak.padEnd(WIDTHS.peak)}`
}
