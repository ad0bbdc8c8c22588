// The process in which one micro benchmark runs. `list`, or FILE NAME run|plain RUNS SAMPLES. Prints one JSON line; what cannot run here, because
// its module is another or not there, is `{ "missing": why }`.
import { readdirSync } from 'node:fs'
import { lowerQuartile } from '../../compare.ts'
import type { Cost, Listed, Micro, Prepared, Run } from './micro.ts'

const SAMPLE_US = 15_000
const WARM_MS = 60

async function microsOf(file: string): Promise<readonly Micro[]> {
  const module: { readonly micros: readonly Micro[] } = await import(new URL(`../${file}.js`, import.meta.url).href)
  return module.micros
}

async function list(): Promise<Listed[]> {
  const files = readdirSync(new URL('..', import.meta.url)).filter((name) => name.endsWith('.js'))
  const found: Listed[] = []
  for (const file of files.map((name) => name.slice(0, -3)).toSorted()) {
    for (const { name, hot = false, unit, plainly } of await microsOf(file)) found.push({ file, name, hot, unit, plainly })
  }
  return found
}

/** Microseconds that this process used for `runs` runs, threads of the runtime included. */
async function sample(run: Run, runs: number, expected: number): Promise<number> {
  const before = process.cpuUsage()
  for (let left = runs; left > 0; left--) {
    const given = run()
    const result = typeof given === 'number' ? given : await given
    if (result !== expected) throw new Error(`gave ${result} instead of ${expected}`)
  }
  const { user, system } = process.cpuUsage(before)
  return user + system
}

/** How many runs make a sample. */
async function calibrated(run: Run, result: number): Promise<number> {
  for (let count = 1; ;) {
    const took = await sample(run, count, result)
    if (took >= SAMPLE_US) return count
    count = Math.ceil(count * Math.min(8, Math.max(1.2, SAMPLE_US / Math.max(1, took))))
  }
}

async function cost({ amount, run, plain }: Prepared, warmMs: number, variant: string, asked: number, samples: number): Promise<Cost> {
  const measured = variant === 'plain' && plain !== undefined ? plain : run
  const result = await run()
  if (plain !== undefined && (await plain()) !== result) throw new Error(`the plain form gives ${await plain()}, the fast one ${result}`)
  const warming = asked > 0 ? asked : await calibrated(measured, result)
  for (let left = (warmMs * 1000) / SAMPLE_US; left > 0; left--) await sample(measured, warming, result)
  const runs = asked > 0 ? asked : await calibrated(measured, result)
  const costs: number[] = []
  for (let left = samples; left > 0; left--) costs.push(((await sample(measured, runs, result)) * 1000) / runs)
  return { amount, runs, nanoseconds: lowerQuartile(costs), result }
}

async function main(): Promise<unknown> {
  const [file = '', name, variant = 'run', runs = '0', samples = '9'] = process.argv.slice(2)
  if (file === 'list') return list()
  let prepared: Prepared | undefined
  try {
    const micro = (await microsOf(file)).find((one) => one.name === name)
    if (micro === undefined) return { missing: `there is no ${name} in ${file}` }
    prepared = await micro.prepare()
    return await cost(prepared, micro.warmMs ?? WARM_MS, variant, Number(runs), Number(samples))
  } catch (error) {
    return { missing: error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error) }
  } finally {
    prepared?.stop?.()
  }
}

console.log(JSON.stringify(await main()))
