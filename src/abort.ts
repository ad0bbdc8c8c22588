/** A signal → who is to be called, and our listener. A listener for each would be looked for along all others, and Node warns of more than ten. */
const watched = new WeakMap<AbortSignal, { readonly calls: Set<() => void>; readonly listener: () => void }>()

/** Calls when the signal is aborted, at once when it is already; the result takes that back. Unlike `AbortSignal.any`, leaves nothing on a signal that lives on. */
export function onAbort(signal: AbortSignal | undefined, call: (reason: unknown) => void): () => void {
  if (signal === undefined) return () => {}
  const one = (): void => call(signal.reason)
  if (signal.aborted) {
    one()
    return () => {}
  }
  const calls = watched.get(signal)?.calls ?? new Set<() => void>()
  const listener = watched.get(signal)?.listener ?? ((): void => calls.forEach((each) => each()))
  if (calls.size === 0) signal.addEventListener('abort', listener, { once: true })
  watched.set(signal, { calls, listener })
  calls.add(one)
  return () => {
    if (calls.delete(one) && calls.size === 0) signal.removeEventListener('abort', listener)
  }
}

/** What the value settles with, or the reason of an abort that comes before. */
export function orAbort<T>(value: T | Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, reject)
    void Promise.resolve(value).then(resolve, reject).finally(forget)
  })
}
