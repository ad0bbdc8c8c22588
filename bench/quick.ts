// npm run bench:quick: the seams are fast, or are not. wirepost and its peers in turns, each in a process of its own, over three rounds; the
// medians count, the octets are checked, and the exit status is 1 when a floor is missed.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { measure, median, start, type Measured } from './processes.ts'

const ROUNDS = 3
const MESSAGES = 5000
const ATTACHMENT_BYTES = 100_000_000
const FLOORS = { retrieve: 4, parse: 6, memoryMiB: 25 }

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const peer = (name: string): string => join(process.cwd(), 'bench', 'peers', name)

let missed = 0
function row(what: string, ours: string, theirs: string, figure: string, floor: string, reached: boolean): void {
  if (!reached) missed++
  console.log(`${what.padEnd(46)} ${ours.padEnd(24)} ${theirs.padEnd(34)} ${figure.padEnd(10)} ${floor.padEnd(9)} ${reached ? 'reached' : 'MISSED'}`)
}

function range(values: readonly number[], digits: number): string {
  return `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`
}

async function rounds(
  ours: () => Promise<Measured>,
  theirs: () => Promise<Measured>,
  check: (one: Measured) => void,
): Promise<[Measured[], Measured[]]> {
  const a: Measured[] = []
  const b: Measured[] = []
  for (let round = 0; round < ROUNDS; round++) {
    a.push(await ours())
    b.push(await theirs())
  }
  for (const one of [...a, ...b]) check(one)
  return [a, b]
}

console.log(`Node ${process.version}, ${ROUNDS} rounds in turns, median (lowest–highest)`)

const server = await start(here('path/pop3-server.js'), [String(ATTACHMENT_BYTES)])
try {
  const { port, octets, sha256, message }: { port: number; octets: number; sha256: string; message: number } = JSON.parse(server.hello)
  for (const script of [here('path/retrieve.js'), peer('retrieve.mjs')]) {
    const one = await measure(script, [String(port), 'check'])
    if (one.octets !== octets || one.digest !== sha256) throw new Error(`${script}: the attachment arrived as ${one.octets} octets, ${one.digest}`)
  }
  const [ours, theirs] = await rounds(
    () => measure(here('path/retrieve.js'), [String(port)]),
    () => measure(peer('retrieve.mjs'), [String(port)]),
    (one) => {
      if (one.octets !== octets) throw new Error(`the attachment arrived as ${one.octets} octets`)
    },
  )
  const speeds = (list: readonly Measured[]): number[] => list.map(({ seconds }) => message / 1e6 / seconds)
  const ratio = median(speeds(ours)) / median(speeds(theirs))
  row(
    'retrieve, parse and decode 100 MB, MB/s',
    range(speeds(ours), 0),
    `node-pop3 + mailparser ${range(speeds(theirs), 0)}`,
    `${ratio.toFixed(1)}x`,
    `${FLOORS.retrieve}x`,
    ratio >= FLOORS.retrieve,
  )
  const idle = await measure(here('path/retrieve.js'), [String(port), 'idle'])
  const peaks = ours.map(({ peakMiB }) => peakMiB - idle.peakMiB)
  const theirPeaks = theirs.map(({ peakMiB }) => peakMiB)
  row(
    '… peak memory above the idle process, MiB',
    range(peaks, 1),
    `whole process ${range(theirPeaks, 0)}`,
    '',
    `${FLOORS.memoryMiB} MiB`,
    Math.max(...peaks) <= FLOORS.memoryMiB,
  )
} finally {
  server.stop()
}

const [ours, theirs] = await rounds(
  () => measure(here('path/parse.js'), [String(MESSAGES)]),
  () => measure(peer('parse.mjs'), [String(MESSAGES), here('messages.js')]),
  () => {},
)
const digests = new Set([...ours, ...theirs].map(({ digest }) => digest))
if (digests.size !== 1) throw new Error('subjects, message-ids, addresses or attachment octets differ between wirepost and mailparser')
const speeds = (list: readonly Measured[]): number[] => list.map(({ seconds }) => MESSAGES / seconds)
const ratio = median(speeds(ours)) / median(speeds(theirs))
row(
  `parse ${MESSAGES} small messages, messages/s`,
  range(speeds(ours), 0),
  `mailparser ${range(speeds(theirs), 0)}`,
  `${ratio.toFixed(1)}x`,
  `${FLOORS.parse}x`,
  ratio >= FLOORS.parse,
)
if (missed > 0) {
  console.log(`${missed} missed`)
  process.exitCode = 1
}
