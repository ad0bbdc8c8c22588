import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** What a measured process says of itself, as one JSON line. */
export interface Measured {
  readonly seconds: number
  readonly octets: number
  /** Of what was read, or of what must be the same for everybody. */
  readonly digest: string
  /** Peak resident memory of the process, MiB. */
  readonly peakMiB: number
}

/** Runs a script with this Node and gives its JSON line. Its errors go to standard error. */
export async function measure(script: string, args: readonly string[], flags: readonly string[] = []): Promise<Measured> {
  const child = spawn(process.execPath, [...flags, script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let last = ''
  for await (const line of createInterface({ input: child.stdout })) last = line
  if (last === '') throw new Error(`${script} printed no result`)
  const result: Measured = JSON.parse(last)
  return result
}

export interface Running {
  /** The first line that the process printed. */
  readonly hello: string
  stop(): void
}

/** Starts a server and waits for its first line. */
export async function start(script: string, args: readonly string[]): Promise<Running> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })
  const [hello] = await Promise.race([
    new Promise<[string]>((resolve) => lines.once('line', (line: string) => resolve([line]))),
    new Promise<never>((_, reject) => child.once('exit', (code) => reject(new Error(`${script} ended with ${code}`)))),
  ])
  return { hello, stop: () => void child.kill() }
}

/** Peak resident memory of this process in MiB. The kernel's high-water mark where it tells: `maxRSS` survives an exec and would show the parent's. */
export function peakMiB(): number {
  try {
    const kib = /VmHWM:\s*([0-9]+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]
    if (kib !== undefined) return Number(kib) / 1024
  } catch {
    // not Linux
  }
  return process.resourceUsage().maxRSS / 1024
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
