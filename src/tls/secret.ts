import { timeoutError } from './errors.ts'
import { optionError, type Secret } from './options.ts'

/**
 * The secret, from the caller's function where it is one. That may take its time, but not for ever: rejects with `ERR_TIMEOUT` after `waitMs`,
 * with the signal's reason, with what the function threw, or with `ERR_OPTION` when it gave no string.
 */
export async function readSecret(secret: Secret, waitMs: number, signal: AbortSignal | undefined): Promise<string> {
  if (typeof secret === 'string') return secret
  const end = new AbortController()
  const stopped = new Promise<never>((_resolve, reject) => {
    const timer = setTimeout(() => reject(timeoutError('auth.password gave nothing', waitMs, 'auth')), waitMs)
    end.signal.addEventListener('abort', () => clearTimeout(timer))
    signal?.addEventListener('abort', () => reject(signal.reason), { signal: end.signal })
  })
  try {
    const given: unknown = await Promise.race([secret(), stopped])
    if (typeof given !== 'string') throw optionError('auth.password', 'a string or a function that gives one')
    return given
  } finally {
    end.abort()
  }
}
