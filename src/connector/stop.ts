import { onAbort } from '../abort.ts'

/** How a run ends when its signal is aborted or the disk fails. While it is still on its way to the server, at once. Later in order: documents
 *  that are being handed over can be read no further, handlers get some time to end, deletions that were decided are confirmed, and when the time
 *  is over, whatever is left is cut off. */
export type Stop = ReturnType<typeof createStop>

export function createStop(signal: AbortSignal, graceMs: number) {
  /** Once it is aborted, nothing new is begun. */ const ending = new AbortController()
  /** Ends the connection, and all that waits for it or for a handler. */ const connection = new AbortController()
  const signals: Readonly<Record<'ending' | 'connection', AbortSignal>> = { ending: ending.signal, connection: connection.signal }
  let isOrderly = false
  let timer: NodeJS.Timeout | undefined
  const cut = (reason: unknown): void => connection.abort(reason)
  const end = (reason: unknown): void => {
    if (signals.ending.aborted) return
    ending.abort(reason)
    if (isOrderly) timer = setTimeout(() => cut(reason), graceMs)
    else cut(reason)
  }
  const forget = onAbort(signal, end)
  /** From now on there is something to end in order. */ const begin = (): void => void (isOrderly = true)
  const dispose = (): void => {
    clearTimeout(timer)
    forget()
  }
  return { ...signals, begin, end, cut, [Symbol.dispose]: dispose }
}
