import { expect, test } from 'vitest'
import { Queue, Turns } from '../../../src/smtp/turns.ts'
import { growth, isLinear } from '../../support/linear.ts'
import { turn } from '../../support/smtp-flight-client.ts'
import { rejection } from '../../support/smtp-replay.ts'

/** Work that tells when it begins, and passes and ends when it is told. */
class Work {
  readonly begun: string[] = []
  readonly #turns = new Turns()
  readonly #passes = new Map<string, () => void>()
  readonly #ends = new Map<string, { resolve: (name: string) => void; reject: (error: unknown) => void }>()

  take(name: string, { signal, isAlone }: { signal?: AbortSignal; isAlone?: boolean } = {}): Promise<string> {
    const work = (pass: () => void): Promise<string> => {
      this.begun.push(name)
      this.#passes.set(name, pass)
      return new Promise((resolve, reject) => {
        this.#ends.set(name, { resolve, reject })
      })
    }
    return this.#turns.take(signal, work, isAlone)
  }

  pass(name: string): void {
    this.#passes.get(name)?.()
  }

  async end(name: string, error?: Error): Promise<void> {
    if (error === undefined) this.#ends.get(name)?.resolve(name)
    else this.#ends.get(name)?.reject(error)
    await turn()
  }
}

test('one after the other, in the order in which they were asked for; the first begins at once', async () => {
  const work = new Work()
  const all = Promise.all(['a', 'b', 'c'].map((name) => work.take(name)))
  expect(work.begun).toEqual(['a'])
  await work.end('a')
  expect(work.begun).toEqual(['a', 'b'])
  await work.end('b')
  await work.end('c')
  expect(await all).toEqual(['a', 'b', 'c'])
})

test('the turn is passed on in the same tick, once, and by the end at the latest', async () => {
  const work = new Work()
  const all = Promise.all(['a', 'b', 'c', 'd'].map((name) => work.take(name)))
  work.pass('a')
  expect(work.begun).toEqual(['a', 'b'])
  work.pass('a') // a turn that is gone cannot be given away again
  expect(work.begun).toEqual(['a', 'b'])
  await work.end('a')
  expect(work.begun).toEqual(['a', 'b'])
  work.pass('b')
  expect(work.begun).toEqual(['a', 'b', 'c'])
  await work.end('c')
  expect(work.begun).toEqual(['a', 'b', 'c', 'd'])
  await work.end('b')
  await work.end('d')
  await all
})

test('work that fails passes its turn on', async () => {
  const work = new Work()
  const failure = new Error('no')
  const first = rejection(work.take('a'))
  const second = work.take('b')
  await work.end('a', failure)
  expect(await first).toBe(failure)
  expect(work.begun).toEqual(['a', 'b'])
  await work.end('b')
  await second
})

test('who wants to be alone waits until those before it have ended, and those behind it wait for it', async () => {
  const work = new Work()
  const all = Promise.all([work.take('a'), work.take('b'), work.take('quit', { isAlone: true }), work.take('c')])
  work.pass('a')
  work.pass('b')
  expect(work.begun).toEqual(['a', 'b'])
  await work.end('b')
  expect(work.begun).toEqual(['a', 'b'])
  await work.end('a')
  expect(work.begun).toEqual(['a', 'b', 'quit'])
  await work.end('quit')
  expect(work.begun).toEqual(['a', 'b', 'quit', 'c'])
  await work.end('c')
  await all
})

test('a signal ends the waiting, not the work; those behind move up', async () => {
  const work = new Work()
  const before = new AbortController()
  const reason = new Error('left')
  before.abort(reason)
  expect(await rejection(work.take('x', { signal: before.signal }))).toBe(reason)
  const running = new AbortController()
  const waiting = new AbortController()
  const first = work.take('a', { signal: running.signal })
  const second = rejection(work.take('b', { signal: waiting.signal }))
  const third = work.take('c')
  running.abort(reason)
  waiting.abort(reason)
  expect(await second).toBe(reason)
  await work.end('a')
  expect(await first).toBe('a')
  expect(work.begun).toEqual(['a', 'c'])
  await work.end('c')
  await third
})

test('who leaves behind one that waits to be alone lets nobody in before it', async () => {
  const work = new Work()
  const controller = new AbortController()
  const first = work.take('a')
  work.pass('a')
  const alone = rejection(work.take('quit', { isAlone: true, signal: controller.signal }))
  const last = work.take('b')
  expect(work.begun).toEqual(['a'])
  controller.abort(new Error('left'))
  await alone
  await work.end('a')
  expect(work.begun).toEqual(['a', 'b'])
  await work.end('b')
  await Promise.all([first, last])
})

/** Through a queue, one by one. */
function queued(input: string): void {
  const queue = new Queue<string>()
  for (const one of input) queue.add(one)
  while (queue.first !== undefined) queue.shift()
}

test('a queue gives what it got in order, without those that left, in linear time', () => {
  const queue = new Queue<number>()
  const leave = Array.from({ length: 100 }, (_, at) => queue.add(at))
  for (const at of [0, 1, 50, 99]) leave[at]?.()
  const given: number[] = []
  for (let first = queue.first; first !== undefined; first = queue.first) {
    given.push(first)
    queue.shift()
    if (first === 40) leave[41]?.()
    if (first === 60) queue.add(100)
  }
  expect(given).toEqual([...Array(101).keys()].filter((at) => ![0, 1, 41, 50, 99].includes(at)))
  expect(isLinear(growth(queued, (count) => 'x'.repeat(count), 20_000))).toBe(true)
})
