/** A writer that holds what it is given back for `lateMs`, as a link of that round-trip time does to answers; its bandwidth has no limit. 0 for none. */
export function lateWriter(write: (octets: Buffer) => void, lateMs: number): (octets: Buffer) => void {
  if (lateMs === 0) return write
  const held: { readonly due: number; readonly octets: Buffer }[] = []
  const flush = (): void => {
    const now = performance.now()
    const waiting = held.findIndex(({ due }) => due > now)
    write(Buffer.concat(held.splice(0, waiting < 0 ? held.length : waiting).map(({ octets }) => octets)))
    arm()
  }
  const arm = (): void => {
    const [first] = held
    // A timer that fires early would only be armed again.
    if (first !== undefined) setTimeout(flush, Math.ceil(first.due - performance.now()))
  }
  return (octets) => {
    if (held.push({ due: performance.now() + lateMs, octets }) === 1) arm()
  }
}
