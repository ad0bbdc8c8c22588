import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { peakBytes } from './measure.ts'

/** What a measured process says of itself, as one JSON line. */
export interface Measured {
  readonly seconds: number
  readonly octets: number
  /** Of what was read, or of what must be the same for everybody. */
  readonly digest: string
  /** Peak resident memory of the process, MiB. */
  readonly peakMiB: number
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

/** Peak resident memory of this process in MiB. */
export function peakMiB(): number {
  return peakBytes() / 2 ** 20
}
