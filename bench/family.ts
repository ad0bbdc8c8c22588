// What a family of benchmarks says of itself. bench/run.ts knows no protocol: it starts the subjects in turns and compares what they print.

export interface Family {
  readonly name: FamilyName
  readonly title: string
  readonly workloads: readonly Workload[]
}

export type FamilyName = 'mime' | 'smtp' | 'pop3' | 'path'

export interface Workload {
  /** 'base64 100 MB'; unique in the family. */ readonly name: string
  readonly unit: 'MB/s' | 'messages/s'
  /** Octets or messages of one run; `Prepared.amount` counts where it is given. */ readonly amount: (quick: boolean) => number
  /** What all subjects do: 'read, find parts, decode base64, count octets'. */ readonly does: string
  /** Those of kind 'ours' first; goals are for the first of them. */ readonly subjects: readonly Subject[]
  readonly goals: readonly Goal[]
  /** Of one process. @default 60 s */ readonly deadlineMs?: number | undefined
  /** Makes inputs, or starts a server in a process of its own. */ readonly prepare: (quick: boolean) => Promise<Prepared>
}

export interface Prepared {
  /** What each subject gets on its command line after its own. */ readonly args: readonly string[]
  readonly expected: Expected
  readonly amount?: number | undefined
  stop(): Promise<void>
}

export interface Subject {
  readonly name: string
  /** 'node' as its first word is the Node that is measured. `ours` and `peer` make it. */ readonly command: readonly string[]
  readonly kind: 'ours' | 'peer' | 'limit'
  /** Other names by which a goal may mean it: 'mailparser' with any options, 'JavaScript'. */ readonly of?: readonly string[] | undefined
  /** Why it cannot run here, or `undefined`. */ readonly missing?: (() => string | undefined) | undefined
  /** Of a program that bench/peers/package.json does not name. */ readonly version?: (() => string | undefined) | undefined
  readonly note?: string | undefined
}

/** What a right result says: all of it wirepost's, at least the octets a peer's. With `sha256` wirepost and the peers run once more, before the rounds,
 *  with the last argument 'check', and must print the same. */
export interface Expected {
  readonly parts?: number | undefined
  readonly octets?: number | undefined
  readonly messages?: number | undefined
  readonly sha256?: string | undefined
}

/** Of a ratio to another subject: `rate` (ours over its, in the same round) and `cpu` (its over ours). Where several have the name `against`, the less
 *  flattering counts. Of ours alone: `peak` (MB above the idle process), `first` (ms to the first octet), `input` (octets read by then), `growth`
 *  (time(4n)/time(n)), `flat` (peak minus that of the workload named `against`, MB). */
export interface Goal {
  readonly against: string
  readonly figure: 'rate' | 'cpu' | 'peak' | 'first' | 'input' | 'growth' | 'flat'
  readonly floor: number
  readonly goal: number
  /** @default false for ratios, true for the others */ readonly lowerIsBetter?: boolean | undefined
  /** Where the time goes when it is missed, as a profile tells; a sentence for the report. */ readonly remark?: string | undefined
}

/** What a subject's process prints as its last line on standard output: `Meter.print` of bench/measure.ts. */
export interface Result {
  readonly ms: number
  readonly cpuMs: number
  readonly peakBytes: number
  /** Resident when everything was loaded and nothing had been done. */ readonly idleBytes: number
  readonly firstMs?: number | undefined
  readonly firstInput?: number | undefined
  readonly growth?: number | undefined
  readonly parts?: number | undefined
  readonly octets?: number | undefined
  readonly messages?: number | undefined
  readonly sha256?: string | undefined
}

/** A compiled script of ours, named from bench/: `ours('wirepost', 'mime/stream.js')`. */
export function ours(name: string, script: string, ...args: readonly string[]): Subject {
  return { name, kind: 'ours', command: ['node', `.build/js/bench/${script}`, ...args] }
}

/** An adapter in bench/peers. `peer('mailparser (fastest)', 'mailparser.mjs', ['fastest'], ['mailparser', 'JavaScript'])` */
export function peer(name: string, script: string, args: readonly string[] = [], of: readonly string[] = []): Subject {
  return { name, kind: 'peer', command: ['node', `bench/peers/${script}`, ...args], of }
}

/** The least that any program does here. */
export function limit(name: string, script: string, ...args: readonly string[]): Subject {
  return { name, kind: 'limit', command: ['node', `.build/js/bench/${script}`, ...args] }
}
