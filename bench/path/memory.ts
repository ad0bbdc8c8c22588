// npm run bench:memory [MIB]: a large attachment out and in over TLS, wirepost in a fresh process each time and the server in another. Prints peaks
// above the idle process, and what happens when a consumer stops. The exit status is 1 when a bound is missed.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Measured } from '../processes.ts'
import type { Order } from './memory-run.ts'

const BOUNDS = { aboveIdleMiB: 40, differenceMiB: 8, stalledMiB: 4 }
const MIB = 2 ** 20
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const large = Number(process.argv[2] ?? 1024)

type Addresses = Omit<Order, 'bytes'>

async function answer<T>(child: ChildProcess, question?: object): Promise<T> {
  const answered = Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`the process ended with ${code}`))),
  ])
  if (question !== undefined) child.send(question)
  const [message]: T[] = await answered
  if (message === undefined) throw new Error('no answer')
  return message
}

const server = fork(here('mailbox-server.js'))
const addresses = await answer<Addresses>(server)

async function measured(mode: string, mib: number): Promise<Measured> {
  const child = fork(here('memory-run.js'), [mode])
  return answer<Measured>(child, { ...addresses, bytes: mib * MIB })
}

let missed = 0
function print(what: string, value: string, bound: number | undefined, reached: boolean): void {
  if (!reached) missed++
  console.log(`${what.padEnd(52)} ${value.padStart(22)}${bound === undefined ? '' : `   at most ${bound} MiB: ${reached ? 'reached' : 'MISSED'}`}`)
}

const idle = await measured('idle', 0)
console.log(`Node ${process.version}, TLS on both ways; the idle process has ${idle.peakMiB.toFixed(1)} MiB`)
const peaks = new Map<string, number>()
for (const mib of [64, large]) {
  for (const mode of ['send', 'get']) {
    const { peakMiB, seconds, octets } = await measured(mode, mib)
    const above = peakMiB - idle.peakMiB
    peaks.set(`${mode} ${mib}`, above)
    print(
      `${mode} one attachment of ${mib} MiB`,
      `${above.toFixed(1)} MiB, ${(octets / MIB / seconds).toFixed(0)} MiB/s`,
      BOUNDS.aboveIdleMiB,
      above <= BOUNDS.aboveIdleMiB,
    )
  }
}
for (const mode of ['send', 'get']) {
  const difference = (peaks.get(`${mode} ${large}`) ?? Number.NaN) - (peaks.get(`${mode} 64`) ?? Number.NaN)
  print(`${mode}: ${large} MiB against 64 MiB`, `${difference.toFixed(1)} MiB`, BOUNDS.differenceMiB, difference <= BOUNDS.differenceMiB)
}

await answer(server, { stall: large * MIB })
const child = fork(here('memory-run.js'), ['stall'])
const before = await answer<{ stalledMiB: number }>(child, { ...addresses, bytes: 0 })
const takenBefore = await answer<{ taken: number }>(server, { taken: true })
await delay(3000)
const takenAfter = await answer<{ taken: number }>(server, { taken: true })
const after = await answer<{ stalledMiB: number }>(child, {})
child.kill()
const wrote = (takenAfter.taken - takenBefore.taken) / MIB
print('a consumer stops: octets the server wrote in 3 s', `${wrote.toFixed(1)} of ${(takenAfter.taken / MIB).toFixed(1)} MiB`, 0, wrote === 0)
print(
  'a consumer stops: growth of the process in 3 s',
  `${(after.stalledMiB - before.stalledMiB).toFixed(1)} MiB`,
  BOUNDS.stalledMiB,
  after.stalledMiB - before.stalledMiB <= BOUNDS.stalledMiB,
)
server.disconnect()
if (missed > 0) {
  console.log(`${missed} missed`)
  process.exitCode = 1
}
