/** Four times the input may take this many times as long: generous for a busy machine, far below the 16 of quadratic work. */
const MAX_RATIO = 9
const TIMES = 4
const ATTEMPTS = 6

/** Time for four times the input, divided by the time for the input: the best of several tries each, so that a pause of the machine does not count. */
export function growth(run: (input: string) => unknown, make: (count: number) => string, count: number): number {
  const small = make(count)
  const large = make(count * TIMES)
  run(small)
  let least = Number.POSITIVE_INFINITY
  let most = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    least = Math.min(least, elapsed(run, small))
    most = Math.min(most, elapsed(run, large))
    // Below a few milliseconds nothing can be told, and nothing need be.
    if (isLinear(most / Math.max(least, 2))) break
  }
  return most / Math.max(least, 2)
}

export function isLinear(ratio: number): boolean {
  return ratio <= MAX_RATIO
}

/** Milliseconds of this process, in which no other one counts. */
function elapsed(run: (input: string) => unknown, input: string): number {
  const start = process.cpuUsage()
  run(input)
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1_000
}
