// npm run bench: families of workloads, wirepost and others in turns. See HELP.
import { existsSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { missedFloors, type SubjectFigures, type WorkloadFigures } from './figures.ts'
import type { Family, FamilyName } from './family.ts'
import { machine, versions } from './machine.ts'
import { ownFamily } from './mime/own.ts'
import { report, type Measured } from './report.ts'
import { runWorkload, type RunOptions } from './subjects.ts'
import { block, HEADING } from './table.ts'

const HELP = `npm run bench -- [mime|smtp|pop3|path …] [options]
npm run bench -- file FILE.eml [options]      your own message through all MIME parsers

  --only TEXT       only workloads with TEXT in their name
  --subject TEXT    only peers and limits with TEXT in their name; may be given several times
  --quick           small inputs, two rounds
  --rounds N        how often each subject runs (5)
  --node BIN        the Node that is measured, when it is not this one
  --json FILE       everything that was measured
  --report          keeps the results in bench/results and writes docs/benchmarks.md and its charts of all that is kept
  --install         first installs GMime, curl and mpop, where there are apt-get and root; alone it runs nothing

The exit status is 1 when a floor is missed or a result of wirepost is wrong.`

const NAMES: readonly FamilyName[] = ['mime', 'smtp', 'pop3', 'path']

process.exitCode = await main().catch((error: unknown) => {
  console.error(`npm run bench: ${error instanceof Error ? error.message : String(error)}`)
  return 2
})

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string', default: '' },
      subject: { type: 'string', multiple: true },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      node: { type: 'string' },
      json: { type: 'string' },
      report: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(HELP)
    return 0
  }
  const { only, quick, subject: named } = values
  const node = values.node === undefined ? process.execPath : fromCaller(values.node)
  const on = machine(node)
  const rounds = Number(values.rounds ?? (quick ? 2 : 5))
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number, 1 or more')
  const options: RunOptions = {
    rounds,
    quick,
    node,
    wants: ({ name }) => named === undefined || named.some((text) => has(name, text)),
    progress: (text) => void (process.stderr.isTTY && process.stderr.write(`\r\x1b[K${text}`)),
  }
  let failures = 0
  const found = await families(positionals)
  const measured: Measured[] = []
  for (const family of found) {
    const chosen = family.workloads.filter(({ name }) => has(name, only))
    if (chosen.length === 0) continue
    console.log(`\n${family.title}\n${HEADING}`)
    const workloads: WorkloadFigures[] = []
    for (const workload of chosen) {
      const figures = await runWorkload(workload, options, workloads)
      workloads.push(figures)
      console.log(`${block(figures)}\n`)
      failures += missedFloors(figures.verdicts).length + figures.subjects.filter(isBroken).length
    }
    measured.push({ family: family.name, title: family.title, machine: on, rounds, quick, versions: [...versions([family])], workloads })
  }
  if (measured.length === 0) throw new Error(`no workload has ${JSON.stringify(only)} in its name`)
  if (values.json !== undefined) writeFileSync(fromCaller(values.json), `${JSON.stringify(measured, null, 1)}\n`)
  if (values.report && positionals[0] !== 'file') report(measured)
  if (failures > 0) console.log(`${failures} missed`)
  return failures > 0 ? 1 : 0
}

/** A peer may be wrong or fail; that is shown, and is its own affair. */
function isBroken({ kind, obstacle }: SubjectFigures): boolean {
  return kind !== 'peer' && (obstacle?.state === 'wrong' || obstacle?.state === 'failed')
}

/** Of a file named on the command line: npm runs scripts in the checkout, wherever they were called. */
function fromCaller(file: string): string {
  return resolve(process.env['INIT_CWD'] ?? '', file)
}

function has(name: string, text: string): boolean {
  return name.toLowerCase().includes(text.toLowerCase())
}

async function families(names: readonly string[]): Promise<Family[]> {
  if (names[0] === 'file') {
    const [, file, ...more] = names
    if (file === undefined || more.length > 0) throw new Error('npm run bench -- file FILE.eml')
    return [ownFamily(fromCaller(file))]
  }
  const unknown = names.filter((name) => !NAMES.some((known) => known === name))
  if (unknown.length > 0) throw new Error(`there is no family ${unknown.join(', ')}; there are ${NAMES.join(', ')}`)
  const found: Family[] = []
  for (const name of NAMES) {
    const script = new URL(`./${name}/family.js`, import.meta.url)
    if ((names.length > 0 && !names.includes(name)) || !existsSync(script)) continue
    const { family }: { readonly family: Family } = await import(script.href)
    found.push(family)
  }
  return found
}
