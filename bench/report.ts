// docs/benchmarks.md and its charts, out of what the last run of each family measured: a whole run takes long, and families can be run one by one.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chart } from './chart.ts'
import type { FamilyName, Result } from './family.ts'
import { peakMB, rate, rateRatio, spread, type Verdict, type WorkloadFigures } from './figures.ts'
import type { Machine } from './machine.ts'
import { described, figure, range, times, verdictText } from './table.ts'

/** A family as one run measured it. */
export interface Measured {
  readonly family: FamilyName
  readonly title: string
  readonly machine: Machine
  readonly rounds: number
  readonly quick: boolean
  readonly versions: readonly (readonly [name: string, version: string])[]
  readonly workloads: readonly WorkloadFigures[]
}

const RESULTS = join('bench', 'results')
const DOCS = 'docs'
const ORDER: readonly FamilyName[] = ['mime', 'smtp', 'pop3', 'path']

/** Keeps what was measured and writes the report anew. */
export function report(measured: readonly Measured[]): void {
  mkdirSync(RESULTS, { recursive: true })
  for (const one of measured) writeFileSync(fileOf(one), JSON.stringify(merged(one)))
  const all = readdirSync(RESULTS)
    .filter((name) => /^\w+-node\d+\.json$/.test(name))
    .map((name): Measured => JSON.parse(readFileSync(join(RESULTS, name), 'utf8')))
    .toSorted((a, b) => major(a) - major(b) || ORDER.indexOf(a.family) - ORDER.indexOf(b.family))
  mkdirSync(join(DOCS, 'benchmarks'), { recursive: true })
  for (const one of all) {
    const { title, machine, workloads } = one
    writeFileSync(
      join(DOCS, 'benchmarks', `${fileName(one)}.svg`),
      chart(title, `Node ${machine.node.slice(1)}, ${machine.processor}; more is better`, workloads),
    )
  }
  writeFileSync(join(DOCS, 'benchmarks.md'), page(all))
}

function fileOf(one: Measured): string {
  return join(RESULTS, `${fileName(one)}.json`)
}

/** With the workloads of the family that were kept and not measured again: a single one can be repeated. */
function merged(one: Measured): Measured {
  if (!existsSync(fileOf(one))) return one
  const kept: Measured = JSON.parse(readFileSync(fileOf(one), 'utf8'))
  if (kept.machine.node !== one.machine.node || kept.quick !== one.quick) return one
  const anew = new Map(one.workloads.map((workload) => [workload.name, workload]))
  const workloads = kept.workloads.map((workload) => anew.get(workload.name) ?? workload)
  const added = one.workloads.filter(({ name }) => !kept.workloads.some((workload) => workload.name === name))
  return { ...one, workloads: [...workloads, ...added] }
}

function major({ machine }: Measured): number {
  return Number(/\d+/.exec(machine.node)?.[0] ?? 0)
}

function fileName(one: Measured): string {
  return `${one.family}-node${major(one)}`
}

/** The whole document. */
export function page(all: readonly Measured[]): string {
  const [first] = all
  if (first === undefined) return ''
  const { machine } = first
  const used = new Map(all.flatMap(({ versions }) => versions))
  const nodes = [...new Set(all.map((one) => one.machine.node.slice(1)))]
  return `${[
    '# Benchmarks',
    'Written by `npm run bench -- --report`; no figure here was typed. wirepost at its default options beside what people use today, and beside the least that',
    'any program does on the same machine. Your own message through all parsers: `npm run bench -- file FILE.eml`.',
    '',
    `Measured on ${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, Node ${nodes.join(' and ')}.`,
    `Compared with ${[...used].map(([name, version]) => `${name} ${version}`).join(', ')}.`,
    '',
    '## How to read it',
    '- Every figure comes from a process of its own; the subjects take turns, round by round, so that what the machine does meanwhile is done to all. Given is the',
    '  median, and the lowest and highest in brackets. Servers and sinks are processes of their own too.',
    '- A ratio is taken within each round, then the median of the rounds. Absolute figures drift with the machine; ratios are what to compare.',
    '- Before the rounds each subject runs once more and must give the same parts, octets and SHA-256. One that does not is shown as wrong, not as fast.',
    '- Peers run with their defaults and with the fastest settings that their documentation has. A goal counts the less flattering of the two.',
    '- Memory is the peak of the process above what it had when everything was loaded and nothing had been done.',
    '- A *limit* does only what nobody can leave out: `limit-read` reads the file, `limit-b64` also puts every octet through the native decoder.',
    '',
    ...reachedSection(all),
    ...all.flatMap(familySection),
  ].join('\n')}\n`
}

/** Every goal of every family, and what is missed with where the time goes. */
function reachedSection(all: readonly Measured[]): string[] {
  const rows = all.flatMap((one) => one.workloads.flatMap((workload) => workload.verdicts.map((verdict) => ({ one, workload, verdict }))))
  const measured = rows.filter(({ verdict }) => verdict.value !== undefined)
  const floors = measured.filter(({ verdict }) => verdict.floorMet).length
  const goals = measured.filter(({ verdict }) => verdict.goalMet).length
  const missed = measured.filter(({ verdict }) => !verdict.goalMet)
  return [
    '## What is reached',
    `Of ${measured.length} goals ${goals} are reached; ${floors} of ${measured.length} are above their floor.`,
    '',
    '| family | workload | what | floor | goal | measured | reached |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows.map(
      ({ one, workload, verdict }) =>
        `| ${one.family}, Node ${major(one)} | ${workload.name} | ${whatIsMeasured(verdict)} | ${bound(verdict, verdict.floor)} | ${bound(verdict, verdict.goal)} | ${range(verdict.value) || 'nothing to compare with'} | ${reached(verdict)} |`,
    ),
    '',
    ...(missed.length === 0
      ? []
      : [
          'Where the time goes in what is missed:',
          ...missed.map(
            ({ one, workload, verdict }) =>
              `- ${one.family}, Node ${major(one)}, ${workload.name}, ${described(verdict)}: ${verdict.remark ?? 'no profile was taken yet.'}`,
          ),
          '',
        ]),
  ]
}

function whatIsMeasured({ figure: what, against, subject }: Verdict): string {
  const texts: Record<Verdict['figure'], string> = {
    rate: `times ${subject || against}`,
    cpu: `times less CPU than ${subject || against}`,
    peak: 'MB above idle',
    first: 'ms to the first octet',
    input: 'octets read for the first one',
    growth: 'time(4n)/time(n)',
    flat: `MB more than with ${against}`,
  }
  return texts[what]
}

function bound({ figure: what }: Verdict, value: number): string {
  if (value === 0) return ''
  return what === 'rate' || what === 'cpu' ? `${value}x` : `at most ${value.toLocaleString('en')}`
}

function reached({ value, floor, floorMet, goalMet }: Verdict): string {
  if (value === undefined) return 'not measured'
  return goalMet ? 'goal' : !floorMet ? '**missed**' : floor === 0 ? 'not yet' : 'floor'
}

function familySection(one: Measured): string[] {
  return [
    `## ${one.title}${major(one) === 20 ? '' : `, Node ${major(one)}`}`,
    `\`npm run bench -- ${one.family}${one.quick ? ' --quick' : ''}\`, ${one.rounds} rounds, Node ${one.machine.node.slice(1)}.`,
    '',
    `![${one.title}: rates as bars](benchmarks/${fileName(one)}.svg)`,
    '',
    ...one.workloads.flatMap(workloadSection),
  ]
}

function workloadSection(workload: WorkloadFigures): string[] {
  const { name, unit, does, subjects, verdicts } = workload
  const [ours] = subjects
  const showsFirst = verdicts.some((verdict) => verdict.figure === 'first')
  return [
    `### ${name}`,
    `What each does: ${does}.`,
    '',
    `| | ${unit} | wirepost is | MB above idle |${showsFirst ? ' ms to the first octet |' : ''} |`,
    `| --- | --- | --- | --- |${showsFirst ? ' --- |' : ''} --- |`,
    ...subjects.map((subject) => {
      const { obstacle, results, note = '' } = subject
      const title = subject === ours ? `**${subject.name}**` : subject.name
      if (obstacle !== undefined) return `| ${title} | ${obstacle.state}: ${cell(obstacle.why)} | | |${showsFirst ? ' |' : ''} ${note} |`
      const speeds = spread(results.map((result) => rate(unit, workload.amount, result)))
      const ratio = ours === undefined || subject === ours ? undefined : rateRatio(ours, subject)
      const first = showsFirst ? ` ${figure(firstOf(results))} |` : ''
      return `| ${title} | ${range(speeds)} | ${times(ratio)} | ${figure(spread(results.map(peakMB))?.median)} |${first} ${note} |`
    }),
    '',
    ...(verdicts.length === 0
      ? []
      : [
          `${verdicts
            .filter(({ value }) => value !== undefined)
            .map(verdictText)
            .join('; ')}.`,
          '',
        ]),
  ]
}

function firstOf(results: readonly Result[]): number | undefined {
  return spread(results.map(({ firstMs }) => firstMs).filter((ms) => ms !== undefined))?.median
}

/** What a program said, inside a table. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
}
