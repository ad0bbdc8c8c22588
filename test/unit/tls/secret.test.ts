import { expect, test } from 'vitest'
import { readSecret } from '../../../src/tls/secret.ts'
import { rejection, untyped } from '../../support/smtp-replay.ts'

const never = (): Promise<string> => new Promise(() => {})

test('a secret is given, or asked for each time', async () => {
  expect(await readSecret('a', 1, undefined)).toBe('a')
  expect(await readSecret(() => 'b', 1000, undefined)).toBe('b')
  expect(await readSecret(() => Promise.resolve('c'), 1000, new AbortController().signal)).toBe('c')
})

test('a function that throws, gives no string or never answers', async () => {
  const failure = new Error('vault is sealed')
  const throwing = (): string => {
    throw failure
  }
  expect(await rejection(readSecret(throwing, 1000, undefined))).toBe(failure)
  expect(await rejection(readSecret(() => untyped(7), 1000, undefined))).toMatchObject({ code: 'ERR_OPTION' })
  expect(await rejection(readSecret(never, 1, undefined))).toMatchObject({ code: 'ERR_TIMEOUT', phase: 'auth', transient: true })
  const controller = new AbortController()
  const waiting = rejection(readSecret(never, 1000, controller.signal))
  controller.abort(failure)
  expect(await waiting).toBe(failure)
})
