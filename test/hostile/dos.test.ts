import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { parseMessage, readMessage } from '../../src/mime/index.ts'
import { chunksOf, HOSTILE_INPUTS, octetsOf, type HostileInput } from '../support/dos.ts'

const MAX_RATIO = 9 // of four times the input; quadratic work has 16
const MIN_MS = 5 // below this a ratio says nothing
const ATTEMPTS = 4
const MAX_MIB = 40
const cases = HOSTILE_INPUTS.map((hostile) => [hostile.name, hostile] as const)

/** The best of some tries for each size: time for four times the input divided by the time for the input. */
async function growth(hostile: HostileInput, prepare: (count: number) => () => unknown): Promise<number> {
  const count = hostile.count / 4
  const runs = [prepare(count), prepare(count * 2), prepare(count * 4)].map((run) => ({ run, best: Number.POSITIVE_INFINITY }))
  let ratio = 0
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    for (const one of runs) {
      const from = performance.now()
      await one.run()
      one.best = Math.min(one.best, performance.now() - from)
    }
    const [once = MIN_MS, twice = MIN_MS, fourfold = MIN_MS] = runs.map(({ best }) => Math.max(best, MIN_MS))
    // At one of the two doublings it may look worse than it is, not at both.
    ratio = Math.min(fourfold / once, (fourfold / twice) ** 2)
    if (ratio <= MAX_RATIO) break
  }
  return ratio
}

test.each(cases)('%s: parseMessage takes linear time', async (_name, hostile) => {
  const ratio = await growth(hostile, (count) => {
    const octets = octetsOf(hostile, count)
    return () => {
      const root = parseMessage(octets)
      void root.header.addresses('To')
      void root.ambiguous
    }
  })
  expect(ratio).toBeLessThanOrEqual(MAX_RATIO)
})

test.each(cases)('%s: readMessage takes linear time', async (_name, hostile) => {
  const ratio = await growth(hostile, (count) => async () => {
    const message = await readMessage(chunksOf(hostile, count))
    for await (const part of message.parts()) {
      for await (const chunk of part.content) void chunk
      void part.defects
    }
  })
  expect(ratio).toBeLessThanOrEqual(MAX_RATIO)
})

const RUN = fileURLToPath(new URL('../../.build/js/test/support/dos-run.js', import.meta.url))

async function peak(what: 'read' | 'make', { name, count }: HostileInput): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [RUN, what, name, String(count * 4)])
  const { peakMiB } = JSON.parse(stdout)
  return Number(peakMiB)
}

test('four times as many of each take less than 40 MiB above a process that does not read them', async () => {
  const found: Record<string, number> = {}
  for (const hostile of HOSTILE_INPUTS) found[hostile.name] = Math.round((await peak('read', hostile)) - (await peak('make', hostile)))
  expect(Object.fromEntries(Object.entries(found).filter(([, mebibytes]) => mebibytes >= MAX_MIB))).toEqual({})
}, 60_000)
