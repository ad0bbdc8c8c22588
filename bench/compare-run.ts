// npm run bench:compare and bench:micro, once both sides are built (scripts/bench-compare.mjs): the micro benchmarks of two builds, or of the fast
// and the plain forms of one, in turns and each in a process of its own.
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { compare, confirmed, instructionsIn, isCleared, rate, type Comparison } from './compare.ts'
import type { Cost, Listed } from './micro/support/micro.ts'

const DEADLINE_MS = 30_000
const BOUNDS = { instructions: 1.01, time: 1.03 }

const { values: options } = parseArgs({
  options: {
    base: { type: 'string' },
    change: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    hot: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '9' },
    samples: { type: 'string', default: '9' },
    seconds: { type: 'string', default: 'Infinity' },
    bound: { type: 'string' },
    losses: { type: 'boolean', default: false },
  },
})
const rounds = Number(options.rounds)
const deadline = performance.now() + Number(options.seconds) * 1000

/** One of the two that are compared: a build, and which form of its benchmarks. */
interface Side {
  readonly root: string
  readonly variant: 'run' | 'plain'
}

const change: Side = { root: options.change, variant: 'run' }
/** Without a base build, it is the plain forms of the same one. */
const isPlain = options.base === undefined
const base: Side = options.base === undefined ? { ...change, variant: 'plain' } : { root: options.base, variant: 'run' }
const names = isPlain ? { base: 'plain', change: 'fast' } : { base: 'base', change: 'change' }

/** One benchmark as it is measured: for each side the runs of one sample, the instructions that a process takes for all but the samples, and the costs. */
interface Case extends Listed {
  readonly amount: number
  readonly runs: ReadonlyMap<Side, number>
  readonly overhead: ReadonlyMap<Side, number>
  readonly costs: ReadonlyMap<Side, number[]>
}

const folder = mkdtempSync(join(tmpdir(), 'bench-compare-'))
const REPORT = join(folder, 'instructions')
const PERF = ['stat', '-x', ',', '-e', 'instructions:u', '-o', REPORT, '--']

function readReport(): number | undefined {
  try {
    return instructionsIn(readFileSync(REPORT, 'utf8'))
  } catch {
    return undefined
  }
}

const countsInstructions = spawnSync('perf', [...PERF, process.execPath, '--version'], { stdio: 'ignore' }).status === 0 && readReport() !== undefined
/** Instructions are those of the whole process, so the samples must outweigh the rest of it. */
const samples = Number(options.samples) * (countsInstructions ? 2 : 1)
const bound = options.bound === undefined ? BOUNDS[countsInstructions ? 'instructions' : 'time'] : Number(options.bound)

/** The JSON line of a process. Its errors are worth a line too. */
function ask(side: Side, args: readonly string[], withPerf = false): Promise<string> {
  const command = [process.execPath, join(side.root, 'bench', 'micro', 'support', 'run.js'), ...args]
  const [file = '', ...rest] = withPerf ? ['perf', ...PERF, ...command] : command
  return new Promise((resolve, reject) => {
    execFile(file, rest, { timeout: DEADLINE_MS, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else if (error.killed === true) reject(new Error(`took more than ${DEADLINE_MS / 1000} s`))
      else reject(new Error(stderr.split('\n').find((line) => /Error/.test(line)) ?? error.message))
    })
  })
}

/** A benchmark in a process of its own. Rejects with the reason when that build cannot run it. */
async function cost(side: Side, { file, name }: Listed, runs: number, count: number, withPerf = false): Promise<Cost> {
  const answer: Cost | { readonly missing: string } = JSON.parse(await ask(side, [file, name, side.variant, String(runs), String(count)], withPerf))
  if ('missing' in answer) throw new Error(answer.missing)
  return answer
}

/** Nanoseconds or instructions of one run. */
async function measure(side: Side, one: Case): Promise<number> {
  const runs = one.runs.get(side) ?? 1
  const { nanoseconds } = await cost(side, one, runs, samples, countsInstructions)
  if (!countsInstructions) return nanoseconds
  return Math.max(1, ((readReport() ?? Number.NaN) - (one.overhead.get(side) ?? 0)) / (runs * samples))
}

/** What is to be compared, how long its runs are, and their first round; what one side does not have is named. */
async function prepare(listed: readonly Listed[], notes: string[]): Promise<{ cases: Case[]; broken: number }> {
  const cases: Case[] = []
  let broken = 0
  for (const one of listed) {
    if (performance.now() > deadline) {
      notes.push(`note: no time for ${one.name}`)
      continue
    }
    try {
      const before = await cost(base, one, 0, countsInstructions ? 0 : samples).catch((error: unknown) => {
        notes.push(`skipped: ${one.name} does not run on the ${names.base} side (${reasonOf(error)})`)
      })
      if (before === undefined) continue
      const after = await cost(change, one, countsInstructions ? before.runs : 0, countsInstructions ? 0 : samples, countsInstructions)
      const overhead = new Map<Side, number>([[change, readReport() ?? 0]])
      if (countsInstructions) await cost(base, one, before.runs, 0, true)
      overhead.set(base, readReport() ?? 0)
      if (before.result !== after.result)
        notes.push(`note: ${one.name} gave ${before.result} and gives ${after.result}, so the two do different work`)
      const firsts = [
        [base, before],
        [change, after],
      ] as const
      const runs = new Map<Side, number>(firsts.map(([side, first]) => [side, first.runs]))
      const costs = new Map<Side, number[]>(firsts.map(([side, first]) => [side, countsInstructions ? [] : [first.nanoseconds]]))
      cases.push({ ...one, amount: after.amount, runs, overhead, costs })
    } catch (error) {
      notes.push(`BROKEN: ${one.name} does not run (${reasonOf(error)})`)
      broken++
    }
  }
  return { cases, broken }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).replaceAll(`${base.root}/`, '')

/** The rounds that these lack, round by round, so that a mood of the machine is spread over all; which side is first changes each time. */
async function runRounds(cases: readonly Case[]): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const one of cases) {
      const [before = [], after = []] = [one.costs.get(base), one.costs.get(change)]
      if (before.length > round || (options.losses && isCleared(before, after, bound))) continue
      if (performance.now() > deadline) return
      for (const side of round % 2 === 0 ? [base, change] : [change, base]) one.costs.get(side)?.push(await measure(side, one))
    }
  }
}

function judge({ costs }: Case): Comparison {
  const [before = [], after = []] = [costs.get(base), costs.get(change)]
  const comparison = compare(before, after, bound)
  return options.losses && isCleared(before, after, bound) ? { ...comparison, verdict: 'no loss' } : comparison
}

function row(cells: readonly string[]): void {
  const widths = [62, 20, 20, 24, 14]
  console.log(
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('')
      .trimEnd(),
  )
}

const titleOf = ({ hot, name }: Listed): string => `${hot ? '* ' : '  '}${name}`

function show(one: Case, { base: before, change: after, ratio, low, high, verdict }: Comparison): void {
  const figure = (value: number): string =>
    countsInstructions ? `${Number((value / one.amount).toPrecision(3))} instr.` : rate(one.amount, one.unit, value)
  row([titleOf(one), figure(before), figure(after), `${ratio.toFixed(2)}x (${low.toFixed(2)}–${high.toFixed(2)})`, verdict])
}

/** What the rounds say. A loss must show twice. */
async function judgeAll(cases: readonly Case[]): Promise<Map<Case, Comparison>> {
  await runRounds(cases)
  const judged = new Map(cases.map((one) => [one, judge(one)]))
  if (isPlain) return judged
  const suspects = [...judged].filter(([, { verdict }]) => verdict === 'slower')
  for (const [{ costs }] of suspects) for (const list of costs.values()) list.length = 0
  await runRounds(suspects.map(([one]) => one))
  for (const [one, first] of suspects) judged.set(one, confirmed(first, judge(one)))
  return judged
}

async function main(): Promise<number> {
  const listed: readonly Listed[] = JSON.parse(await ask(change, ['list']))
  const only = options.only.toLowerCase()
  const wanted = listed.filter(({ name, file, hot }) => (hot || !options.hot) && `${file} ${name}`.toLowerCase().includes(only))
  const alone = isPlain ? wanted.filter(({ plainly }) => plainly === undefined) : []
  console.log(
    countsInstructions
      ? 'Counted: instructions in user mode for each octet or piece (perf stat -e instructions:u)'
      : 'Measured: processor time of the process, lower quartile of its samples (perf counts no instructions here)',
  )
  const order = `${options.losses ? 'at most ' : ''}${rounds} rounds in turns`
  console.log(`Node ${process.version}, ${order}; ratio: median of the rounds, >1 is faster (90 % interval); counts from ${bound}x on; *: hot`)
  const notes: string[] = []
  const { cases, broken } = await prepare(
    wanted.filter((one) => !alone.includes(one)),
    notes,
  )
  const judged = await judgeAll(cases)
  row(['', names.base, names.change, 'ratio', ''])
  for (const [one, comparison] of judged) if (comparison.ratio > 0) show(one, comparison)
  for (const one of alone) {
    const { amount, nanoseconds } = await cost(change, one, 0, samples)
    row([titleOf(one), '', rate(amount, one.unit, nanoseconds)])
  }
  const brief = [...judged.values()].filter(({ verdict }) => verdict === 'too few rounds').length
  if (brief > 0) notes.push(`note: ${brief} of ${cases.length} had fewer than five rounds, which say nothing`)
  for (const { name, plainly } of isPlain ? cases : []) notes.push(`plain form of ${name}: ${plainly}`)
  for (const note of notes) console.log(note)
  const lost = isPlain ? [] : [...judged].filter(([{ hot }, { verdict }]) => hot && verdict === 'slower')
  if (lost.length > 0) console.log(`slower beyond noise on the hot set: ${lost.map(([{ name }]) => name).join('; ')}`)
  return broken > 0 || lost.length > 0 ? 1 : 0
}

try {
  process.exitCode = await main()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
