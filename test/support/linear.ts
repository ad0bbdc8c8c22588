/** How often the input grows by a factor of two. */
const DOUBLINGS = 2
/** Four times the input may take this many times as long: generous for a busy machine, far below the 16 of quadratic work. */
const MAX_RATIO = 9

/** The slowest growth of several tries, so that a pause of the machine does not count: time for four times the input, divided by time for the input. */
export function growth(run: (input: string) => unknown, make: (count: number) => string, count: number): number {
  const small = make(count)
  const large = make(count * 2 ** DOUBLINGS)
  run(small)
  let least = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < 5 && least > MAX_RATIO; attempt++)
    least = Math.min(least, elapsed(run, large) / Math.max(elapsed(run, small), 1))
  return least
}

export function isLinear(ratio: number): boolean {
  return ratio <= MAX_RATIO
}

function elapsed(run: (input: string) => unknown, input: string): number {
  const start = performance.now()
  run(input)
  return performance.now() - start
}
