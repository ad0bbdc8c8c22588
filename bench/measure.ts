// The clock that every measured process uses, ours and the peers' adapters (which load the compiled form) alike.
import { createHash, type Hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Result } from './family.ts'

/** Peak resident octets of this process. The kernel's high-water mark where it tells: `maxRSS` survives an exec and would show the parent's. */
export function peakBytes(): number {
  try {
    const kib = /VmHWM:\s*([0-9]+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]
    if (kib !== undefined) return Number(kib) * 1024
  } catch {
    // not Linux
  }
  return process.resourceUsage().maxRSS * 1024
}

/** Counts what a subject does. Made when everything is loaded; `start` begins the time, `print` ends it. */
export class Meter {
  parts = 0
  octets = 0
  messages = 0
  /** Octets of the source that were read. */ input = 0
  #hash: Hash | undefined
  readonly #idleBytes = process.memoryUsage.rss()
  #from = 0
  #cpuFrom = process.cpuUsage()
  #first: { readonly firstMs: number; readonly firstInput: number } | undefined

  /** `check`: whether content is hashed too. As a rule `process.argv.at(-1) === 'check'`. */
  constructor(check: boolean) {
    this.#hash = check ? createHash('sha256') : undefined
  }

  get isChecked(): boolean {
    return this.#hash !== undefined
  }

  /** Begins the time, and forgets what a warm-up counted. */
  start(): void {
    if (this.#hash !== undefined) this.#hash = createHash('sha256')
    this.parts = this.octets = this.messages = this.input = 0
    this.#first = undefined
    this.#cpuFrom = process.cpuUsage()
    this.#from = performance.now()
  }

  /** Content of an attachment. */
  content(chunk: Uint8Array): void {
    if (this.#first === undefined && chunk.length > 0) this.#first = { firstMs: performance.now() - this.#from, firstInput: this.input }
    this.octets += chunk.length
    this.#hash?.update(chunk)
  }

  /** What else must be the same for everybody; hashed when this is a check. */
  note(text: string): void {
    this.#hash?.update(text)
  }

  /** Ends the time. */
  stop(more: Partial<Result> = {}): Result {
    const ms = performance.now() - this.#from
    const { user, system } = process.cpuUsage(this.#cpuFrom)
    const { parts, octets, messages } = this
    const sha256 = this.#hash?.digest('hex')
    const memory = { peakBytes: peakBytes(), idleBytes: this.#idleBytes }
    return { ms, cpuMs: (user + system) / 1000, ...memory, ...this.#first, parts, octets, messages, sha256, ...more }
  }

  /** Ends the time and prints the result as the last line of standard output. */
  print(more: Partial<Result> = {}): void {
    console.log(JSON.stringify(this.stop(more)))
  }
}
