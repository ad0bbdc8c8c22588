/** One hot function on one kind of input. Each file of bench/micro exports its `micros`. */
export interface Micro {
  /** Unique: 'base64 decode, 76 columns'. */ readonly name: string
  /** A loss here fails `npm run bench:compare`. */ readonly hot?: boolean
  /** What `amount` counts: 'MB' for octets, or the plural of a thing. */ readonly unit: string
  /** Milliseconds that it runs before it is measured: the more code, the longer until all of it is compiled. @default 60 */ readonly warmMs?: number
  /** What `plain` does instead of the fast path. */ readonly plainly?: string
  /** Makes the input. */ readonly prepare: () => Prepared | Promise<Prepared>
}

/** The runs give a number that is the same whenever the same work was done, such as the octets that came out. */
export interface Prepared {
  /** Of one run. */ readonly amount: number
  readonly run: Run
  /** The same without the fast path. */ readonly plain?: Run
  readonly stop?: () => void
}

export type Run = () => number | Promise<number>

/** What a process says of one benchmark. */
export interface Cost {
  readonly amount: number
  /** Runs of one sample. */ readonly runs: number
  /** Processor time of one run: the lower quartile of the samples. */ readonly nanoseconds: number
  /** What the runs gave. */ readonly result: number
}

export interface Listed {
  readonly file: string
  readonly name: string
  readonly hot: boolean
  readonly unit: string
  readonly plainly: string | undefined
}
