// Runs the subjects of a workload: first each once to be checked, then in turns, each time in a process of its own.
import { spawn } from 'node:child_process'
import { judge, wrongness, type SubjectFigures, type WorkloadFigures } from './figures.ts'
import type { Result, Subject, Workload } from './family.ts'

export interface RunOptions {
  readonly rounds: number
  readonly quick: boolean
  /** The Node that is measured. */ readonly node: string
  /** Which peers and limits run. */ readonly wants: (subject: Subject) => boolean
  /** Says what is going on. */ readonly progress: (text: string) => void
}

const DEADLINE_MS = 60_000
/** Of what a process says about its failure. */
const MAX_REASON = 160

type Obstacle = NonNullable<SubjectFigures['obstacle']>

export async function runWorkload(workload: Workload, options: RunOptions, before: readonly WorkloadFigures[] = []): Promise<WorkloadFigures> {
  const { rounds, quick, node, wants, progress } = options
  const { name, unit, does, deadlineMs = DEADLINE_MS } = workload
  const tried = workload.subjects.filter((subject) => subject.kind === 'ours' || wants(subject))
  const obstacles = new Map<Subject, Obstacle>()
  const results = new Map<Subject, Result[]>()
  progress(`${name}: preparing`)
  const prepared = await workload.prepare(quick)
  try {
    const once = async (subject: Subject, check: boolean): Promise<void> => {
      if (obstacles.has(subject)) return
      try {
        const args = check ? [...prepared.args, 'check'] : prepared.args
        const result = await runSubject(subject.command, args, node, deadlineMs)
        const why = check && result.sha256 === undefined ? 'printed no digest' : wrongness(subject.kind, result, prepared.expected)
        if (why !== undefined) obstacles.set(subject, { state: 'wrong', why })
        else if (!check) results.set(subject, [...(results.get(subject) ?? []), result])
      } catch (error) {
        obstacles.set(subject, { state: 'failed', why: error instanceof Error ? error.message : String(error) })
      }
    }
    for (const subject of tried) {
      const why = subject.missing?.()
      if (why !== undefined) obstacles.set(subject, { state: 'missing', why })
    }
    if (prepared.expected.sha256 !== undefined) {
      for (const subject of tried.filter(({ kind }) => kind !== 'limit')) {
        progress(`${name}: checking ${subject.name}`)
        await once(subject, true)
      }
    }
    for (let round = 1; round <= rounds; round++) {
      for (const subject of tried) {
        progress(`${name}: round ${round} of ${rounds}, ${subject.name}`)
        await once(subject, false)
      }
    }
  } finally {
    progress('')
    await prepared.stop()
  }
  const subjects = tried.map((subject): SubjectFigures => {
    const { kind, of = [], note } = subject
    const obstacle = obstacles.get(subject)
    return { name: subject.name, kind, of, note, obstacle, results: obstacle === undefined ? (results.get(subject) ?? []) : [] }
  })
  const verdicts = judge(workload.goals, subjects, before)
  return { name, unit, does, amount: prepared.amount ?? workload.amount(quick), expected: prepared.expected, subjects, verdicts }
}

/** Runs one process to its end and gives the last line that it printed. Rejects when it fails, prints no result or takes too long. */
export async function runSubject(command: readonly string[], args: readonly string[], node: string, deadlineMs: number): Promise<Result> {
  const [program = '', ...own] = command
  const child = spawn(program === 'node' ? node : program, [...own, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  let isLate = false
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-8192)))
  const deadline = setTimeout(() => {
    isLate = true
    child.kill('SIGKILL')
  }, deadlineMs)
  try {
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (...ended) => resolve(ended))
    })
    if (isLate) throw new Error(`not done after ${deadlineMs / 1000} s`)
    if (code !== 0) throw new Error(reasonOf(errors) ?? `ended with ${code ?? signal}`)
  } finally {
    clearTimeout(deadline)
  }
  const last = output.trimEnd().split('\n').at(-1) ?? ''
  if (!last.startsWith('{')) throw new Error('printed no result')
  const result: Result = JSON.parse(last)
  return result
}

/** The line in which Node or the program itself says what went wrong, without the places it went through. */
function reasonOf(errors: string): string | undefined {
  const lines = errors.split('\n').filter((line) => line.trim() !== '')
  const told = lines.find((line) => /^(?:[A-Z]\w*)?(?:Error|Exception)\b|FATAL ERROR/.test(line)) ?? lines[0]
  return told?.slice(0, MAX_REASON)
}
