import { setMaxListeners } from 'node:events'

/** How a run ends when its signal is aborted or the disk fails. While it is still on its way to the server, at once. Later in order: documents
 *  that are being handed over can be read no further, handlers get some time to end, deletions that were decided are confirmed, and when the time
 *  is over, whatever is left is cut off. */
export interface Stop extends Disposable {
  /** Once it is aborted, nothing new is begun. */ readonly ending: AbortSignal
  /** Ends the connection, and all that waits for it or for a handler. */ readonly connection: AbortSignal
  /** From now on there is something to end in order. */ begin(): void
  end(reason: unknown): void
  cut(reason: unknown): void
}

export function createStop(signal: AbortSignal, graceMs: number): Stop {
  const ending = new AbortController()
  const connection = new AbortController()
  setMaxListeners(0, ending.signal, connection.signal) // one for each document under way
  let isOrderly = false
  let timer: NodeJS.Timeout | undefined
  const cut = (reason: unknown): void => connection.abort(reason)
  const end = (reason: unknown): void => {
    if (ending.signal.aborted) return
    ending.abort(reason)
    if (isOrderly) timer = setTimeout(() => cut(reason), graceMs)
    else cut(reason)
  }
  const forget = onAbort(signal, end)
  return {
    ending: ending.signal,
    connection: connection.signal,
    begin: () => void (isOrderly = true),
    end,
    cut,
    [Symbol.dispose]() {
      clearTimeout(timer)
      forget()
    },
  }
}

/** Calls when the signal is aborted, at once when it is already; the result takes that back. Unlike `AbortSignal.any`, leaves nothing on a signal that lives on. */
export function onAbort(signal: AbortSignal | undefined, call: (reason: unknown) => void): () => void {
  const listener = (): void => call(signal?.reason)
  if (signal?.aborted === true) listener()
  else signal?.addEventListener('abort', listener, { once: true })
  return () => signal?.removeEventListener('abort', listener)
}

/** What the value settles with, or the reason of an abort that comes before. */
export function orAbort<T>(value: T | Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, reject)
    void Promise.resolve(value).then(resolve, reject).finally(forget)
  })
}
