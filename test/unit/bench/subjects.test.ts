import { expect, test } from 'vitest'
import type { Expected, Subject, Workload } from '../../../bench/family.ts'
import { runSubject, runWorkload } from '../../../bench/subjects.ts'

const DEADLINE_MS = 30_000
const LINE = { ms: 10, cpuMs: 5, peakBytes: 2, idleBytes: 1, octets: 7 }

async function run(script: string, deadlineMs = DEADLINE_MS): Promise<unknown> {
  return runSubject(['node', '-e', script], [], process.execPath, deadlineMs)
}

test('the last line that a process prints is its result', async () => {
  expect(await run(`console.log('warm'); console.log(${JSON.stringify(JSON.stringify(LINE))})`)).toEqual(LINE)
})

test.each([
  ['throws', "throw new TypeError('no such option')", 'TypeError: no such option'],
  ['says why on standard error', "console.error('Error: refused'); process.exit(3)", 'Error: refused'],
  ['ends with a status alone', 'process.exit(3)', 'ended with 3'],
  ['prints nothing', '', 'printed no result'],
  ['prints something else', "console.log('done')", 'printed no result'],
])('a process that %s', async (_what, script, message) => {
  await expect(run(script)).rejects.toThrow(message)
})

test('a process that does not end is ended', async () => {
  await expect(run('setInterval(() => {}, 1000)', 200)).rejects.toThrow('not done after 0.2 s')
})

test('a program that is not there is a failure, not a crash', async () => {
  await expect(runSubject(['./no-such-program'], [], process.execPath, DEADLINE_MS)).rejects.toThrow('ENOENT')
})

function told(name: string, kind: Subject['kind'], script: string, more: Partial<Subject> = {}): Subject {
  return { name, kind, command: ['node', '-e', script], ...more }
}

/** Prints its line, with the digest when it is checked. */
const says = (line: object): string =>
  `console.log(JSON.stringify({ ...${JSON.stringify(line)}, ...(process.argv.at(-1) === 'check' ? { sha256: 'aa' } : {}) }))`

function workload(subjects: readonly Subject[], expected: Expected, stopped: string[]): Workload {
  return {
    name: 'w',
    unit: 'messages/s',
    amount: (quick) => (quick ? 10 : 100),
    does: 'nothing',
    subjects,
    goals: [{ against: 'peer', figure: 'rate', floor: 2, goal: 3 }],
    prepare: async (quick) => ({ args: [String(quick)], expected, stop: async () => void stopped.push('stopped') }),
  }
}

test('checked once, then in turns; what is missing, failed or wrong is told and has no figures', async () => {
  const progress: string[] = []
  const stopped: string[] = []
  const subjects = [
    told('wirepost', 'ours', says(LINE)),
    told('peer', 'peer', says({ ...LINE, ms: 40 })),
    told('other octets', 'peer', says({ ...LINE, octets: 8 })),
    told('fails', 'peer', "throw new Error('refused')"),
    told('missing', 'peer', '', { missing: () => 'not installed' }),
    told('unwanted', 'peer', says(LINE)),
    told('limit', 'limit', `console.log(JSON.stringify({ ...${JSON.stringify(LINE)}, octets: undefined }))`),
  ]
  const figures = await runWorkload(workload(subjects, { octets: 7, sha256: 'aa' }, stopped), {
    rounds: 2,
    quick: true,
    node: process.execPath,
    wants: ({ name }) => name !== 'unwanted',
    progress: (text) => void progress.push(text),
  })
  expect(figures).toMatchObject({ name: 'w', amount: 10, verdicts: [{ subject: 'peer', value: { median: 4 }, goalMet: true }] })
  expect(figures.subjects.map(({ name, obstacle, results }) => [name, obstacle?.state, obstacle?.why, results.length])).toEqual([
    ['wirepost', undefined, undefined, 2],
    ['peer', undefined, undefined, 2],
    ['other octets', 'wrong', '8 octets instead of 7', 0],
    ['fails', 'failed', 'Error: refused', 0],
    ['missing', 'missing', 'not installed', 0],
    ['limit', undefined, undefined, 2],
  ])
  expect(progress.filter((text) => text.includes('round') && /wirepost|peer/.test(text))).toEqual([
    'w: round 1 of 2, wirepost',
    'w: round 1 of 2, peer',
    'w: round 2 of 2, wirepost',
    'w: round 2 of 2, peer',
  ])
  expect(stopped).toEqual(['stopped'])
})

test('who prints no digest when checked is wrong', async () => {
  const figures = await runWorkload(workload([told('wirepost', 'ours', `console.log('${JSON.stringify(LINE)}')`)], { octets: 7, sha256: 'aa' }, []), {
    rounds: 1,
    quick: false,
    node: process.execPath,
    wants: () => true,
    progress: () => {},
  })
  expect(figures.subjects).toMatchObject([{ obstacle: { state: 'wrong', why: 'printed no digest' } }])
})
