import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { onAbort, orAbort } from '../../src/abort.ts'

test('however many wait on one signal, it has one listener, and none when they have left', () => {
  const controller = new AbortController()
  const called: number[] = []
  const forget = Array.from({ length: 100 }, (_, at) => onAbort(controller.signal, (reason) => called.push(at, Number(reason))))
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
  for (const one of forget.slice(1)) one()
  forget[1]?.()
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
  controller.abort(7)
  expect(called).toEqual([0, 7])
  forget[0]?.()
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
})

test('who comes back is called again, and who comes too late at once', () => {
  const controller = new AbortController()
  const called: string[] = []
  onAbort(controller.signal, () => called.push('left'))()
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  onAbort(controller.signal, () => called.push('back'))
  controller.abort()
  onAbort(controller.signal, () => called.push('late'))
  onAbort(undefined, () => called.push('never'))()
  expect(called).toEqual(['back', 'late'])
})

test('a value, or the reason of an abort before it', async () => {
  const controller = new AbortController()
  await expect(orAbort(Promise.resolve(1), controller.signal)).resolves.toBe(1)
  const late = orAbort(new Promise(() => {}), controller.signal)
  controller.abort('enough')
  await expect(late).rejects.toBe('enough')
})
