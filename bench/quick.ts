// npm run bench:quick: the seams are fast, or are not. Two workloads of the families against mailparser, in three rounds, with floors below those of
// the whole benchmark, so that noise alone does not miss them. The exit status is 1 when one is missed or a result is wrong.
import type { Goal, Workload } from './family.ts'
import { missedFloors } from './figures.ts'
import { family as mime } from './mime/family.ts'
import { family as path } from './path/family.ts'
import { runWorkload } from './subjects.ts'
import { block, HEADING } from './table.ts'

const ROUNDS = 3

function workload(list: readonly Workload[], name: string, goals: readonly Goal[]): Workload {
  const found = list.find((one) => one.name === name)
  if (found === undefined) throw new Error(`there is no workload ${name}`)
  return { ...found, goals }
}

const workloads = [
  workload(path.workloads, 'fetch, parse and decode 100 MB', [
    { against: 'node-pop3 into mailparser', figure: 'rate', floor: 4, goal: 5 },
    { against: '', figure: 'peak', floor: 25, goal: 16 },
  ]),
  workload(mime.workloads, 'mailbox of 5,000', [{ against: 'mailparser', figure: 'rate', floor: 6, goal: 8 }]),
]

console.log(`Node ${process.version}, ${ROUNDS} rounds in turns\n${HEADING}`)
for (const one of workloads) {
  const figures = await runWorkload(one, {
    rounds: ROUNDS,
    quick: false,
    node: process.execPath,
    wants: ({ name }) => name.includes('mailparser'),
    progress: () => {},
  })
  console.log(`${block(figures)}\n`)
  const isWrong = figures.subjects.some(({ kind, obstacle }) => kind === 'ours' && obstacle !== undefined)
  if (isWrong || missedFloors(figures.verdicts).length > 0) process.exitCode = 1
}
